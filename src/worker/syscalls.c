/* The system calls of a worker's sandbox, by libseccomp. The list has the calls that a worker makes
 * in the tests, and those that other versions of glibc, libpq and OpenSSL, or the modules for
 * looking up names (nsswitch.conf(5)), may make instead. A call that is not on the list raises
 * SIGSYS and is not executed.
 *
 * The list is known to be complete for the architectures of is_listed(); elsewhere there is no
 * filter. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "shared/scoreboard.h"
#include "worker/sandbox.h"
#include "worker/worker.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

static const int ALLOWED[] = {
    /* connections: with nginx, the database and name servers, and those that are handed over */
    SCMP_SYS(accept4),
    SCMP_SYS(bind),
    SCMP_SYS(connect),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(recv),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(send),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    /* descriptors */
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(eventfd2),
    SCMP_SYS(ftruncate),
    SCMP_SYS(memfd_create),
    SCMP_SYS(lseek),
    SCMP_SYS(_llseek),
    SCMP_SYS(pipe2),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    /* waiting */
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(futex),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(pselect6),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(select),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    /* attributes of files, and lists of folders; Landlock limits what can be opened */
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(getcwd),
    SCMP_SYS(getdents),
    SCMP_SYS(getdents64),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(stat),
    SCMP_SYS(statfs),
    SCMP_SYS(statx),
    /* what modules for looking up names also use */
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(flock),
    SCMP_SYS(getcpu),
    SCMP_SYS(getgroups),
    SCMP_SYS(getresgid),
    SCMP_SYS(getresuid),
    SCMP_SYS(getrusage),
    SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_init1),
    SCMP_SYS(inotify_rm_watch),
    SCMP_SYS(mincore),
    SCMP_SYS(mlock),
    SCMP_SYS(msync),
    SCMP_SYS(munlock),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(socketpair),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(times),
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    /* signals and exit */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(setitimer),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(signalfd4),
    /* time, random bytes, and the identity of the process */
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(getrlimit),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    /* the threads in which names are looked up */
    SCMP_SYS(get_robust_list),
    SCMP_SYS(membarrier),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
#if defined(__SANITIZE_ADDRESS__)
    /* the search for leaks at exit, by another process that stops this one */
    SCMP_SYS(clone),
    SCMP_SYS(kill),
    SCMP_SYS(prctl),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(ptrace),
    SCMP_SYS(tgkill),
    SCMP_SYS(wait4),
#endif
};

#define EXACTLY(number, value)                                                                     \
    {                                                                                              \
        (number), SCMP_CMP_MASKED_EQ, UINT32_MAX, (value)                                          \
    }
#define READING(number)                                                                            \
    {                                                                                              \
        (number), SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY                      \
    }

/* fcntl(2) for a descriptor's flags and copies, and locks of files, also as Kerberos locks its. */
#define DESCRIPTOR_CONTROL(call)                                                                   \
    {(call), EXACTLY(1, F_DUPFD)}, {(call), EXACTLY(1, F_DUPFD_CLOEXEC)},                          \
        {(call), EXACTLY(1, F_GETFD)}, {(call), EXACTLY(1, F_SETFD)},                              \
        {(call), EXACTLY(1, F_GETFL)}, {(call), EXACTLY(1, F_SETFL)},                              \
        {(call), EXACTLY(1, F_GETLK)}, {(call), EXACTLY(1, F_SETLK)},                              \
        {(call), EXACTLY(1, F_SETLKW)}, {(call), EXACTLY(1, F_OFD_GETLK)},                         \
        {(call), EXACTLY(1, F_OFD_SETLK)},                                                         \
    {                                                                                              \
        (call), EXACTLY(1, F_OFD_SETLKW)                                                           \
    }

/* Calls that are allowed with certain values of one argument. A filter cannot see the arguments of
 * clone3(2), so add_rules() makes it fail with ENOSYS, and glibc then makes a thread by
 * clone(2). */
static const struct {
    int call;
    struct scmp_arg_cmp when;
} CONDITIONAL[] = {
    {SCMP_SYS(socket), EXACTLY(0, AF_UNIX)},
    {SCMP_SYS(socket), EXACTLY(0, AF_INET)},
    {SCMP_SYS(socket), EXACTLY(0, AF_INET6)},
    {SCMP_SYS(socket), EXACTLY(0, AF_NETLINK)}, /* the resolver asks for routes */
    {SCMP_SYS(open), READING(1)},
    {SCMP_SYS(openat), READING(2)},
    {SCMP_SYS(clone), {0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD}},
    {SCMP_SYS(prctl), EXACTLY(0, PR_SET_NAME)},
    {SCMP_SYS(prctl), EXACTLY(0, PR_SET_VMA)},
    {SCMP_SYS(prlimit64), EXACTLY(0, 0)}, /* of this process */
    /* Without F_SETOWN and SIOCSPGRP, which make the kernel send a signal to another process. */
    DESCRIPTOR_CONTROL(SCMP_SYS(fcntl)),
    DESCRIPTOR_CONTROL(SCMP_SYS(fcntl64)),
    {SCMP_SYS(ioctl), EXACTLY(1, FIONBIO)},
    {SCMP_SYS(ioctl), EXACTLY(1, FIONREAD)},
    {SCMP_SYS(ioctl), EXACTLY(1, FIOCLEX)},
    {SCMP_SYS(ioctl), EXACTLY(1, FIONCLEX)},
    {SCMP_SYS(ioctl), EXACTLY(1, SIOCGIFADDR)},
    {SCMP_SYS(ioctl), EXACTLY(1, SIOCGIFCONF)},
    {SCMP_SYS(ioctl), EXACTLY(1, SIOCGIFFLAGS)},
    {SCMP_SYS(ioctl), EXACTLY(1, SIOCGIFINDEX)},
    {SCMP_SYS(ioctl), EXACTLY(1, SIOCGIFNAME)},
    {SCMP_SYS(ioctl), EXACTLY(1, TCGETS)}, /* isatty(3) */
};

/* For end_refused(), which runs in the worker that made the call and does only what is safe in a
 * signal handler. */
static struct score *score_of_worker;

static void end_refused(int signal_number, siginfo_t *about, void *context)
{
    (void)signal_number;
    (void)context;
    atomic_store(&score_of_worker->refused_call, about->si_syscall);
    _exit(WORKER_EXIT_SANDBOX);
}

/* Fills the filter. Returns 0, or an error of libseccomp. */
static int add_rules(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp is_itself = EXACTLY(0, (scmp_datum_t)getpid());
    int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &is_itself);

    if (error == 0) {
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    for (size_t i = 0; error == 0 && i < sizeof ALLOWED / sizeof ALLOWED[0]; i++) {
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, ALLOWED[i], 0);
    }
    for (size_t i = 0; error == 0 && i < sizeof CONDITIONAL / sizeof CONDITIONAL[0]; i++) {
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, CONDITIONAL[i].call, 1,
                                       &CONDITIONAL[i].when);
    }
    return error;
}

/* The filter applies to all threads (TSYNC), because one may be looking up a name. The kernel
 * searches a binary tree of the calls (OPTIMIZE 2) instead of comparing them one after the
 * other. */
static int load(scmp_filter_ctx filter)
{
    int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

    if (error == 0) {
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    }
    if (error == 0) {
        error = add_rules(filter);
    }
    return error != 0 ? error : seccomp_load(filter);
}

static bool is_listed(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

enum sandbox_result syscalls_restrict(struct score *score, struct error *error)
{
    struct sigaction action = {.sa_sigaction = end_refused, .sa_flags = SA_SIGINFO};

    if (!is_listed()) {
        error_set(error, "there is no list for this architecture");
        return SANDBOX_UNSUPPORTED;
    }
    if (seccomp_api_get() < 2) {
        error_set(error, "the kernel has no seccomp filters for all threads");
        return SANDBOX_UNSUPPORTED;
    }
    score_of_worker = score;
    sigaction(SIGSYS, &action, NULL);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int failure = filter != NULL ? load(filter) : -ENOMEM;
    seccomp_release(filter);
    if (failure != 0) {
        error_set(error, "seccomp: %s", strerror(-failure));
    }
    return failure != 0 ? SANDBOX_FAILED : SANDBOX_DONE;
}

const char *syscalls_name(int number)
{
    static char text[64];
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

    if (name != NULL) {
        snprintf(text, sizeof text, "%s", name);
    } else {
        snprintf(text, sizeof text, "number %d", number);
    }
    free(name); /* allocated by libseccomp */
    return text;
}
