/* The old program tries the new one in a child process, writes what the new one inherits into an
 * environment variable, and executes it. If a step fails, nothing is lost: the variable and the
 * close-on-exec flags are set back, and the old program goes on.
 *
 * The variable has a format number, the descriptors, the listening socket's properties, the key
 * fetcher's pid, whether the workers have sessions, and for each worker its pid, number and state.
 * It has only numbers, so it needs no quoting. The trial gets the same format number; a program
 * that reads another format fails the trial. The trial also gets the listening socket, on which its
 * settings must be allowed, and whether workers have sessions; a running program that passes on
 * less is not refused. The shared memory is not inherited, because its layout differs from version
 * to version: a new scoreboard starts from zero. Only the timelines are passed
 * on, to the trial too, in a variable of their own, which a program that does not know it ignores:
 * without them the new workers would use a superseded primary that still answers. */
#include "master/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "api/routes.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/catalog.h"
#include "db/link.h"
#include "db/server.h"
#include "db/statement.h"
#include "db/timelines.h"
#include "shared/keypage.h"
#include "shared/scoreboard.h"
#include "worker/service.h"

static const char INHERITANCE[] = "_CRUDDURD_INHERITANCE", TRIAL[] = "_CRUDDURD_TRIAL";
static const char TIMELINES[] = "_CRUDDURD_TIMELINES"; /* each system with its latest timeline */
static const char ANSWER[] = "cruddurd can run\n";

enum {
    /* For the trial to end by itself. It tries its sessions as a new worker does. */
    TRIAL_MS = LANE_WORKER_COUNT * LINK_FITS_MS + 60000,
    FORMAT = 1, /* of the inheritance; raised with each change that is not compatible */
    INHERITED_FDS = 5
};

/* --- in the old program --- */

void upgrade_init(struct upgrade *upgrade)
{
    /* Keeps the path and resolves no links, as a link to the current version must be followed anew
     * at each upgrade. */
    const char *path = (const char *)getauxval(AT_EXECFN); // NOLINT(performance-no-int-to-ptr)
    struct buf program = {0};
    char *folder = NULL;

    if (path != NULL && *path != '/') {
        folder = getcwd(NULL, 0);
        buf_printf(&program, "%s/", folder != NULL ? folder : "");
        free(folder);
    }
    buf_text(&program, path != NULL ? path : "");
    *upgrade = (struct upgrade){.program = program.bytes, .answer_fd = -1};
    if (stat(upgrade->program, &upgrade->file) != 0) {
        log_errno(LOG_WARNING, "supervisor", "%s", upgrade->program);
    }
}

void upgrade_release(struct upgrade *upgrade)
{
    memory_free(upgrade->program);
    upgrade->program = NULL;
}

bool upgrade_is_due(const struct upgrade *upgrade)
{
    struct stat file;

    return stat(upgrade->program, &file) == 0 &&
           (file.st_dev != upgrade->file.st_dev || file.st_ino != upgrade->file.st_ino ||
            file.st_mtim.tv_sec != upgrade->file.st_mtim.tv_sec ||
            file.st_mtim.tv_nsec != upgrade->file.st_mtim.tv_nsec);
}

static void write_timelines(struct buf *text, const struct timelines *timelines)
{
    buf_text(text, "");
    for (size_t i = 0; i < TIMELINES_MAX; i++) {
        const struct timeline *entry = &timelines->systems[i];

        if (atomic_load(&entry->latest) != 0) {
            buf_printf(text, "%" PRIu64 " %" PRIu32 " ", atomic_load(&entry->system),
                       atomic_load(&entry->latest));
        }
    }
}

__attribute__((noreturn)) static void be_trial(const struct upgrade *upgrade, char **argv,
                                               const struct listener *listener,
                                               const struct scoreboard *scoreboard, int answer_fd,
                                               pid_t master)
{
    struct buf numbers = {0}, latest = {0};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* so that no trial keeps the socket from the next master */
    if (getppid() != master) {
        _exit(EXIT_FAILURE);
    }
    buf_printf(&numbers, "%d %d %d %d", answer_fd, FORMAT, listener->fd,
               scoreboard_has_sessions(scoreboard));
    write_timelines(&latest, &scoreboard->timelines);
    if (fcntl(answer_fd, F_SETFD, 0) == 0 && fcntl(listener->fd, F_SETFD, 0) == 0 &&
        setenv(TRIAL, numbers.bytes, 1) == 0 && setenv(TIMELINES, latest.bytes, 1) == 0) {
        execve(upgrade->program, argv, environ);
    }
    log_errno(LOG_ERROR, "supervisor", "%s", upgrade->program);
    _exit(EXIT_FAILURE);
}

bool upgrade_try(struct upgrade *upgrade, char **argv, const struct listener *listener,
                 const struct scoreboard *scoreboard)
{
    pid_t master = getpid();
    int answer[2];

    if (pipe2(answer, O_CLOEXEC | O_NONBLOCK) != 0) {
        log_errno(LOG_ERROR, "supervisor", "pipe");
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        be_trial(upgrade, argv, listener, scoreboard, answer[1], master);
    }
    close(answer[1]);
    if (pid < 0) {
        log_errno(LOG_ERROR, "supervisor", "fork");
        close(answer[0]);
        return false;
    }
    upgrade->trial = pid;
    upgrade->answer_fd = answer[0];
    upgrade->trial_end_ms = clock_ms() + TRIAL_MS;
    return true;
}

void upgrade_enforce(struct upgrade *upgrade, bool is_stopping)
{
    if (upgrade->trial != 0 && (is_stopping || clock_ms() >= upgrade->trial_end_ms)) {
        kill(upgrade->trial, SIGKILL);
    }
}

bool upgrade_reap_trial(struct upgrade *upgrade, pid_t pid, bool *passed)
{
    char answer[sizeof ANSWER] = "";

    if (upgrade->trial != pid) {
        return false;
    }
    /* The exit status says nothing: a program that does nothing ends with 0 as well. */
    *passed = read(upgrade->answer_fd, answer, sizeof answer) == (ssize_t)sizeof ANSWER - 1 &&
              memcmp(answer, ANSWER, sizeof ANSWER - 1) == 0;
    close(upgrade->answer_fd);
    upgrade->trial = 0;
    upgrade->answer_fd = -1;
    return true;
}

/* Makes the descriptors stay open across execve(2), or close at it again. */
static void set_inherited(const int fds[static INHERITED_FDS], bool is_inherited)
{
    for (int i = 0; i < INHERITED_FDS; i++) {
        fcntl(fds[i], F_SETFD, is_inherited ? 0 : FD_CLOEXEC);
    }
}

static void write_inheritance(struct buf *text, const int fds[static INHERITED_FDS],
                              const struct listener *listener, const struct pool *pool,
                              pid_t fetcher)
{
    buf_printf(text, "%d", FORMAT);
    for (int i = 0; i < INHERITED_FDS; i++) {
        buf_printf(text, " %d", fds[i]);
    }
    buf_printf(text, " %d %d %d %" PRIu64 " %" PRIu64 " %d %d", listener->is_shared,
               listener->is_handed_over, listener->unlink_path != NULL, listener->device,
               listener->inode, (int)fetcher, scoreboard_has_sessions(pool->scoreboard));
    for (size_t i = 0; i < SCORES_MAX; i++) {
        const struct child *child = &pool->children[i];

        if (child->state != CHILD_NONE) {
            buf_printf(text, " %d %d %d", (int)child->pid, child->number,
                       child->state == CHILD_LEAVING);
        }
    }
}

void upgrade_execute(const struct upgrade *upgrade, char **argv, const struct listener *listener,
                     const struct pool *pool, pid_t fetcher)
{
    const int fds[INHERITED_FDS] = {listener->fd, pool->setup.handover.give,
                                    pool->setup.handover.take, pool->setup.life_fd, pool->life_fd};
    struct buf text = {0}, latest = {0};

    write_inheritance(&text, fds, listener, pool, fetcher);
    write_timelines(&latest, &pool->scoreboard->timelines);
    set_inherited(fds, true);
    if (setenv(INHERITANCE, text.bytes, 1) == 0 && setenv(TIMELINES, latest.bytes, 1) == 0) {
        execve(upgrade->program, argv, environ);
    }
    int failure = errno;
    unsetenv(INHERITANCE);
    unsetenv(TIMELINES);
    set_inherited(fds, false);
    buf_release(&text);
    buf_release(&latest);
    errno = failure;
}

/* --- in the new program --- */

bool upgrade_is_trial(void)
{
    return getenv(TRIAL) != NULL;
}

/* The next number. False when there is none. */
static bool next_number(const char **text, uint64_t *number)
{
    char *end;

    *number = strtoull(*text, &end, 10);
    bool is_one = end != *text;
    *text = end;
    return is_one;
}

/* A program that did not know the variable leaves none. */
static void inherit_timelines(struct timelines *timelines)
{
    const char *text = getenv(TIMELINES);
    uint64_t system, latest;

    while (text != NULL && next_number(&text, &system) && next_number(&text, &latest)) {
        timelines_note(timelines, &(struct server){.system = system, .timeline = (uint32_t)latest});
    }
    unsetenv(TIMELINES);
}

/* Asks the database as the first worker of a reload does. The key page is the trial's own: the keys
 * may be yet to be fetched. */
static bool fits_database(const struct config *config, const struct catalog *catalog,
                          bool has_sessions)
{
    struct scoreboard *scoreboard = scoreboard_new();
    struct keypage_link keypage;
    struct service service;

    if (scoreboard == NULL || keypage_open(&keypage) != 0) {
        log_errno(LOG_ERROR, "supervisor", "shared memory");
        return false;
    }
    const struct service_links links = {
        .keypage = &keypage, .timelines = &scoreboard->timelines, .epoll_fd = -1};
    inherit_timelines(&scoreboard->timelines);
    atomic_store(&scoreboard->has_old_sessions, has_sessions);
    service_init(&service, config, catalog, "cruddurd trial", &links);
    bool fits = service_fits(&service, scoreboard);
    service_release(&service);
    return fits;
}

int upgrade_stand_trial(const struct config *config)
{
    const char *text = getenv(TRIAL);
    uint64_t answer_fd, format, listen_fd, has_sessions;

    if (!next_number(&text, &answer_fd) || !next_number(&text, &format) || format != FORMAT) {
        log_message(LOG_ERROR, "supervisor",
                    "inheritance_unknown: the running program's inheritance does not have the "
                    "format %d, which this program reads: restart instead of HUP",
                    FORMAT);
        return EXIT_FAILURE;
    }
    if (next_number(&text, &listen_fd) &&
        !listen_allows(&(struct listener){.fd = (int)listen_fd}, config)) {
        return EXIT_FAILURE;
    }
    struct catalog *catalog = routes_load_catalog(config->sql_dir);
    bool good =
        catalog != NULL &&
        fits_database(config, catalog, next_number(&text, &has_sessions) && has_sessions != 0) &&
        write((int)answer_fd, ANSWER, sizeof ANSWER - 1) == (ssize_t)sizeof ANSWER - 1;

    catalog_free(catalog);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

bool upgrade_is_inherited(void)
{
    return getenv(INHERITANCE) != NULL;
}

static bool inherit_fds(const char **text, int fds[static INHERITED_FDS])
{
    uint64_t number;

    for (int i = 0; i < INHERITED_FDS; i++) {
        if (!next_number(text, &number) || fcntl((int)number, F_SETFD, FD_CLOEXEC) != 0) {
            return false;
        }
        fds[i] = (int)number;
    }
    return true;
}

static bool inherit_listener(const char **text, struct listener *listener, pid_t *fetcher)
{
    uint64_t is_shared, is_handed_over, has_file, pid;

    if (!next_number(text, &is_shared) || !next_number(text, &is_handed_over) ||
        !next_number(text, &has_file) || !next_number(text, &listener->device) ||
        !next_number(text, &listener->inode) || !next_number(text, &pid)) {
        return false;
    }
    listener->is_shared = is_shared != 0;
    listener->is_handed_over = is_handed_over != 0;
    *fetcher = (pid_t)pid;
    return has_file == 0 || listen_note_path(listener);
}

bool upgrade_inherit(struct listener *listener, struct pool *pool, struct generation *generation,
                     pid_t *fetcher)
{
    const char *text = getenv(INHERITANCE);
    uint64_t format, has_sessions, pid, number, is_leaving;
    int fds[INHERITED_FDS];

    if (!next_number(&text, &format) || format != FORMAT || !inherit_fds(&text, fds)) {
        errno = EINVAL;
        return false;
    }
    *listener = (struct listener){.fd = fds[0]};
    const struct handover handover = {.give = fds[1], .take = fds[2]};
    if (!inherit_listener(&text, listener, fetcher) || !next_number(&text, &has_sessions) ||
        !pool_take_over(pool, &handover, fds[3], fds[4])) {
        return false;
    }
    inherit_timelines(&pool->scoreboard->timelines);
    atomic_store(&pool->scoreboard->has_old_sessions, has_sessions != 0);
    while (next_number(&text, &pid) && next_number(&text, &number) &&
           next_number(&text, &is_leaving)) {
        pool_adopt(pool, (pid_t)pid, (int)number, is_leaving != 0, generation);
    }
    unsetenv(INHERITANCE);
    return true;
}
