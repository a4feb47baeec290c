/* What an SQLSTATE of PostgreSQL means for a request and for the connection it came over. */
#ifndef CRUDDUR_DB_SQLSTATE_H
#define CRUDDUR_DB_SQLSTATE_H

#include <stdbool.h>

#include "base/status.h"

enum remedy {
    REMEDY_NONE,      /* answer with the status */
    REMEDY_AGAIN,     /* the statement was rolled back by chance: run it again */
    REMEDY_RECONNECT, /* this session cannot run it: run it on a new one */
};

struct verdict {
    enum status status; /* when the remedy doesn't help either */
    enum remedy remedy;
};

/* NULL, as libpq has it for a connection that broke, counts as class 08. */
struct verdict sqlstate_verdict(const char *sqlstate);

/* Whether the statement names a column, table, function or type that the database does not have. A
 * function of the schema can do so when it runs, though the statement was prepared. */
bool sqlstate_is_missing_object(const char *sqlstate);

/* Whether the server's message for it can quote values of a row or parameter, so that it must not
 * be logged (classes 21–23, 44, P0). */
bool sqlstate_quotes_values(const char *sqlstate);

#endif
