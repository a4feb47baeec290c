/* Logs the server's warnings: one line a minute for each text, however often it comes. */
#ifndef CRUDDUR_DB_NOTICES_H
#define CRUDDUR_DB_NOTICES_H

/* Texts that differ only in numbers count as one text: how many transactions are left, how long a
 * query took. Of a text of several lines only the first line is used. */
void notices_note(const char *text);

#endif
