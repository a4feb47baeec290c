/* cruddurd --check: would it run, and does the database fit? */
#ifndef CRUDDUR_MASTER_CHECK_H
#define CRUDDUR_MASTER_CHECK_H

struct config;

/* Checks templates against the live database and prints what is wrong, with file and line, on
 * stderr. The process's exit status: 0 all good, 1 not. */
int check_run(const struct config *config);

#endif
