/* What a worker may still do once it has started. A flaw in it, in libpq or in a parser gives an
 * attacker no program to run, no file to write, and of the files to read only those below.
 *
 *     system calls  seccomp(2): those that a worker needs, see syscalls.c. At any other one the
 *                   worker ends with WORKER_EXIT_SANDBOX before the call is made; the master names
 *                   the call in the log and starts another worker.
 *     files         Landlock (landlock(7)): reading what the resolver, libpq and OpenSSL read when
 *                   they connect, and the issuer's keys, see files.c. Anything else fails with
 *                   EACCES.
 *
 * Neither can be taken back. Templates and settings were read before, by the master. */
#ifndef CRUDDUR_WORKER_SANDBOX_H
#define CRUDDUR_WORKER_SANDBOX_H

#include <stdbool.h>

#include "base/error.h"

struct config;
struct score;

enum sandbox_result {
    SANDBOX_DONE,
    SANDBOX_UNSUPPORTED, /* by the kernel */
    SANDBOX_FAILED
};

/* To be called once, in the worker, by --sandbox. False, with the reason in the log, if it has to
 * be there and is not. */
MUST_CHECK bool sandbox_enter(const struct config *config, struct score *score);

/* --- the two layers; error has the reason of a result other than SANDBOX_DONE --- */

/* score->refused_call is set before the process ends because of a system call. */
enum sandbox_result syscalls_restrict(struct score *score, struct error *error);

enum sandbox_result files_restrict(const struct config *config, struct error *error);

/* The name of a system call, for the log; a static text, valid until the next call. */
const char *syscalls_name(int number);

#endif
