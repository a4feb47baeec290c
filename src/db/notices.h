/* The server's warnings, in the log: one line a minute for each text, however often it comes. */
#ifndef CRUDDUR_DB_NOTICES_H
#define CRUDDUR_DB_NOTICES_H

enum {
    NOTICES_MAX = 8, /* texts in a minute; further ones share a line */
    NOTICES_INTERVAL_MS = 60000
};

/* Texts that differ in numbers alone are one: how many transactions are left, how long a query took.
 * Of several lines the first counts. */
void notices_note(const char *text);

#endif
