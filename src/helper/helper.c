/* A helper has no state of its own to save, so it is ended by SIGKILL, and the kernel does the
 * same when the master dies (PR_SET_PDEATHSIG). A helper that fails at once is started again after
 * HELPER_RESTART_MS, not in a tight loop. */
#include "helper/helper.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

__attribute__((noreturn)) static void be_helper(const char *name, helper_run *run, void *context,
                                                pid_t master)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_NAME, name);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != master) {
        _exit(EXIT_FAILURE); /* the master ended before prctl() asked for the signal */
    }
    run(context);
    _exit(EXIT_FAILURE);
}

void helper_ensure(struct helper *helper, const char *name, helper_run *run, void *context)
{
    int64_t now = clock_ms();
    pid_t master = getpid();

    if (helper->pid != 0 ||
        (helper->started_ms != 0 && now - helper->started_ms < HELPER_RESTART_MS)) {
        return;
    }
    helper->started_ms = now;
    pid_t pid = fork();
    if (pid == 0) {
        be_helper(name, run, context, master);
    }
    if (pid > 0) {
        helper->pid = pid;
    } else if (helper->fork_logged_ms == 0 || now - helper->fork_logged_ms >= HELPER_LOG_MS) {
        log_errno(LOG_ERROR, "supervisor", "fork");
        helper->fork_logged_ms = now;
    }
}

bool helper_reap(struct helper *helper, pid_t pid)
{
    if (helper->pid != pid) {
        return false;
    }
    helper->pid = 0;
    return true;
}

void helper_stop(const struct helper *helper)
{
    if (helper->pid != 0) {
        kill(helper->pid, SIGKILL); /* as at the master's death; one that hangs ends too */
    }
}

void helper_end(struct helper *helper)
{
    helper_stop(helper);
    if (helper->pid != 0) {
        waitpid(helper->pid, NULL, 0);
        helper->pid = 0;
    }
}
