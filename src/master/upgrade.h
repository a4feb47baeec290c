/* The upgrade of the program: the master executes the installed program in place, as php-fpm does
 * at USR2, so that it stays the same process and its workers stay its children. The workers serve
 * until workers of the new program have taken their places.
 *
 *     HUP, and another file is installed → trial → execution → a reload of the old workers
 *
 * The trial is a process that executes the new program, which compares the format of the
 * inheritance with its own, reads settings and templates, asks the database whether it accepts
 * them, and answers that it can run. Without that answer nothing changes. An environment variable
 * says which descriptors and workers the next program inherits. Two versions must agree only on the
 * format of that variable, on that of the handover queue (handover.h), on the signals of a worker
 * (worker.h), and on the layout of the key page (keypage.h), because the fetcher is a program of
 * its own.
 *
 * The reload may still be refused, when the database has changed since the trial. Then the workers
 * that run stay, old ones and new ones, and no worker that cannot run takes the place of one. */
#ifndef CRUDDUR_MASTER_UPGRADE_H
#define CRUDDUR_MASTER_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "master/listen.h"
#include "master/pool.h"

struct upgrade {
    char *program; /* the path by which this program was executed */
    struct stat file;
    pid_t trial; /* 0: there is none */
    int answer_fd;
    int64_t trial_end_ms;
};

void upgrade_init(struct upgrade *upgrade);
void upgrade_release(struct upgrade *upgrade);

/* Whether another file than the running program's is installed. */
bool upgrade_is_due(const struct upgrade *upgrade);

/* Starts the trial; false after logging why not. */
bool upgrade_try(struct upgrade *upgrade, char **argv, const struct listener *listener,
                 const struct scoreboard *scoreboard);

/* Ends a trial that takes too long, or whose result is not needed any more. */
void upgrade_enforce(struct upgrade *upgrade, bool is_stopping);

/* Whether pid was the trial, which has ended then; *passed: the new program can run. */
bool upgrade_reap_trial(struct upgrade *upgrade, pid_t pid, bool *passed);

/* Executes the new program. Returns, with errno set, only when that fails. fetcher: the pid of the
 * key fetcher, or 0. */
void upgrade_execute(const struct upgrade *upgrade, char **argv, const struct listener *listener,
                     const struct pool *pool, pid_t fetcher);

/* --- in the new program --- */

/* Whether this process is a trial. */
bool upgrade_is_trial(void);

/* Answers that the program can run if it understands the inheritance of the running one, the
 * socket allows the settings (listen_allows()), the templates are right, and the database accepts
 * both (service_fits()). Returns the exit status of the trial. */
int upgrade_stand_trial(const struct config *config);

/* Whether an earlier program of this process has left an inheritance. */
bool upgrade_is_inherited(void);

/* Takes the inheritance over: the listening socket, what the workers share, the workers themselves,
 * as workers of that generation, and the pid of the key fetcher. False: errno says why. */
bool upgrade_inherit(struct listener *listener, struct pool *pool, struct generation *generation,
                     pid_t *fetcher);

#endif
