/* The master process: keeps the pool of workers running and never serves or asks the database
 * itself. */
#ifndef CRUDDUR_MASTER_SUPERVISOR_H
#define CRUDDUR_MASTER_SUPERVISOR_H

struct config;

/* Runs the pool until TERM, INT or QUIT. arguments and environment are where HUP reads the settings
 * from again. Takes config over. The process's exit status. */
int supervise(struct config *config, char **environment, int argc, char **argv);

#endif
