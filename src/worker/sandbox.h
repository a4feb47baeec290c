/* The sandbox limits what a worker may do once it has started. An attacker who uses a flaw in the
 * worker, in libpq or in a parser can run no program, write no file, and read only the files below.
 *
 *     system calls  seccomp(2): those that a worker needs, see syscalls.c. At any other one the
 *                   worker ends with WORKER_EXIT_SANDBOX before the call is made; the master names
 *                   the call in the log and starts another worker.
 *     files         Landlock (landlock(7)): reading what the resolver, libpq and OpenSSL read when
 *                   they connect, and the issuer's keys, see files.c. Anything else fails with
 *                   EACCES.
 *
 * Neither can be undone. The master has read templates and settings before. */
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

/* Enters the sandbox as --sandbox says. Call this once, in the worker. False, with the reason in
 * the log: a layer is missing, and --sandbox on requires it. */
MUST_CHECK bool sandbox_enter(const struct config *config, struct score *score);

/* --- the two layers; error has the reason of a result other than SANDBOX_DONE --- */

/* score->refused_call is set before the process ends because of a system call. */
enum sandbox_result syscalls_restrict(struct score *score, struct error *error);

enum sandbox_result files_restrict(const struct config *config, struct error *error);

/* The name of a system call, for the log; a static text, valid until the next call. */
const char *syscalls_name(int number);

#endif
