/* The server's warnings, in the log: one line a minute for each text, however often it comes. */
#ifndef CRUDDUR_DB_NOTICES_H
#define CRUDDUR_DB_NOTICES_H

/* Texts that differ in numbers alone are one: how many transactions are left, how long a query
 * took. Of several lines the first counts. */
void notices_note(const char *text);

#endif
