/* SQL template files: statements with named parameters, %(name)s, made ready for PostgreSQL. */
#ifndef CRUDDUR_DB_TEMPLATE_H
#define CRUDDUR_DB_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* What a template's rows become. Every statement gives columns outcome, body, next_key,
 * lives_us, seen, clock_us, visibility: an outcome word, JSON text, the key of a full page's last
 * row, the microseconds until a page's first row expires, what snapshot.h reads, the server's
 * clock, and what viewers.h compares.
 * A write gives outcome, body, clock_us, retry_after_s, xid: the last three by their names, if it has
 * them. They are the server's clock, in how many seconds there is room for what it did not write, and
 * the transaction that wrote. */
enum shape {
    SHAPE_OUTCOME, /* gives outcome and body itself, maybe the others (so it may write) */
    SHAPE_OBJECT,  /* its row as an object with the outcome "ok"; no row stays no row */
    SHAPE_ARRAY,   /* its rows as an array, [] when there are none */
    SHAPE_PLAIN    /* left as it is: no columns are looked at */
};

enum { TEMPLATE_PARAMETERS_MAX = 12 };

/* Turns template text into SQL. parameters are the names it may use, in the order of $1, $2, …, up
 * to a NULL; each must be used. Knows string literals ('', E'', $tag$), quoted identifiers,
 * comments (nested too) and casts, where nothing is a parameter; %% is a percent sign everywhere
 * else. One statement, a semicolon behind it allowed. The template's lines stay lines: line n of it
 * is line n + *lines_before of sql. An error begins with its line of the template: "2: …". */
MUST_CHECK bool template_compile(const char *text, enum shape shape, const char *const *parameters,
                                 struct buf *sql, int *lines_before, struct error *error);

#endif
