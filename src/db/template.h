/* SQL template files: statements with named parameters, %(name)s, which are converted for
 * PostgreSQL. */
#ifndef CRUDDUR_DB_TEMPLATE_H
#define CRUDDUR_DB_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* How the rows of a template are returned. A read returns the columns outcome, body, next_key,
 * lives_us, seen, clock_us, visibility; the last ones may be missing. They are an outcome word,
 * JSON text, the key of a full page's last row, the microseconds until a page's first row expires,
 * what snapshot.h reads, the server's clock, and what viewers.h compares.
 *
 * A write returns outcome, body, clock_us, retry_after_s, xid. The last three are found by their
 * names and may be missing: the server's clock, the seconds until there is room for what the
 * statement did not write, and the transaction that wrote. */
enum shape {
    SHAPE_OUTCOME, /* returns outcome and body itself, maybe the others (so it may write) */
    SHAPE_OBJECT,  /* its row as an object with the outcome "ok"; no row stays no row */
    SHAPE_ARRAY,   /* its rows as an array, [] when there are none */
    SHAPE_PLAIN    /* not wrapped, and its columns are not those above */
};

enum { TEMPLATE_PARAMETERS_MAX = 12 };

/* Turns the text of a template into SQL. parameters: the names that the template may use, in the
 * order of $1, $2, …, up to a NULL; each must be used. Nothing is a parameter in string literals
 * ('', E'', $tag$), quoted identifiers and comments (nested ones, too); everywhere else %% is a
 * percent sign. A cast may follow a parameter. A template has one statement, which may end with a
 * semicolon. Line n of the template is line n + *lines_before of sql. The text of an error begins
 * with the line of the template: "2: …". */
MUST_CHECK bool template_compile(const char *text, enum shape shape, const char *const *parameters,
                                 struct buf *sql, int *lines_before, struct error *error);

#endif
