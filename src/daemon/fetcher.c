#include "daemon/fetcher.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

bool fetcher_prepare(struct fetcher *fetcher, const struct config *config)
{
    struct stat about;

    if (keypage_open(&fetcher->link) != 0) {
        return false;
    }
    /* Keys that an earlier run fetched are as old as their file. */
    if (config->jwks_url != NULL && stat(config->jwks_file, &about) == 0) {
        atomic_store(&fetcher->link.page->fetched_s, (int64_t)about.st_mtime);
    }
    return true;
}

__attribute__((noreturn)) static void be_fetcher(const struct fetcher *fetcher,
                                                 const struct config *config)
{
    char page[16], woken[16];
    sigset_t none;

    snprintf(page, sizeof page, "%d", fetcher->link.page_fd);
    snprintf(woken, sizeof woken, "%d", fetcher->link.woken_fd);
    fcntl(fetcher->link.page_fd, F_SETFD, 0);
    fcntl(fetcher->link.woken_fd, F_SETFD, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execl(config->fetcher, "cruddur-fetch-keys", config->jwks_url, config->jwks_file,
          config->jwks_ca_file != NULL ? config->jwks_ca_file : "", page, woken, (char *)NULL);
    log_errno(LOG_ERROR, "keys", "%s", config->fetcher);
    _exit(EXIT_FAILURE);
}

void fetcher_keep(struct fetcher *fetcher, const struct config *config)
{
    int64_t now = clock_ms();

    if (config->jwks_url == NULL || fetcher->pid != 0 ||
        (fetcher->started_ms != 0 && now - fetcher->started_ms < FETCHER_RESTART_MS)) {
        return;
    }
    fetcher->started_ms = now;
    pid_t pid = fork();
    if (pid == 0) {
        be_fetcher(fetcher, config);
    }
    if (pid < 0) {
        log_errno(LOG_ERROR, "keys", "fork");
    } else {
        fetcher->pid = pid;
    }
}

bool fetcher_ended(struct fetcher *fetcher, pid_t pid)
{
    if (fetcher->pid != pid) {
        return false;
    }
    fetcher->pid = 0;
    return true;
}

void fetcher_stop(const struct fetcher *fetcher)
{
    if (fetcher->pid != 0) {
        kill(fetcher->pid, SIGTERM);
    }
}
