/* The master process. It keeps the pool of workers running; it serves no request and has no session
 * with the database. */
#ifndef CRUDDUR_MASTER_SUPERVISOR_H
#define CRUDDUR_MASTER_SUPERVISOR_H

struct config;

/* Runs the pool until TERM, INT or QUIT. At HUP it reads the settings again from environment and
 * argv. Takes config over. Returns the process's exit status. */
int supervise(struct config *config, char **environment, int argc, char **argv);

#endif
