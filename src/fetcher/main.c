/* cruddur-fetch-keys: keeps a file with the issuer's keys fresh, for the pool that started it, so
 * that a worker never waits for the issuer.
 *
 *     cruddur-fetch-keys URL FILE CA-FILE PAGE-FD WAKE-FD
 *
 * An empty CA-FILE means the system's certificates. The process ends when the pool has closed the
 * pipe behind WAKE-FD. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "identity/keys.h"
#include "shared/keypage.h"

enum {
    REFRESH_MIN_MS = 5 * 60 * 1000, /* at least, and three times as long at most; random, so that
                                       hosts do not fetch together */
    RETRY_MS = KEYS_FETCH_GAP_MS,   /* after a failed fetch */
    CONNECT_TIMEOUT_MS = 3000,
    TIMEOUT_MS = 5000
};

struct fetcher {
    const char *url, *file, *ca_file;
    struct keypage_link link;
};

static size_t take_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct buf *text = context;
    size_t length = size * count;

    if (text->length + length > KEYS_TEXT_MAX) {
        return 0; /* ends the transfer */
    }
    buf_append(text, bytes, length);
    return length;
}

/* Appends the issuer's answer to text. False: there is none, and the reason was logged. */
static bool download(const struct fetcher *fetcher, struct buf *text)
{
    CURL *curl = curl_easy_init();
    char why[CURL_ERROR_SIZE] = "";
    long http = 0;

    if (curl == NULL) {
        return false;
    }
    curl_easy_setopt(curl, CURLOPT_URL, fetcher->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, text);
    if (*fetcher->ca_file != '\0') {
        curl_easy_setopt(curl, CURLOPT_CAINFO, fetcher->ca_file);
    }
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK || http != 200) {
        log_message(LOG_WARNING, "keys", "no keys from the issuer: status %ld: %s", http,
                    *why != '\0' ? why : curl_easy_strerror(code));
        return false;
    }
    return true;
}

static bool write_all(int fd, const struct buf *text)
{
    size_t done = 0;

    while (done < text->length) {
        ssize_t written = write(fd, text->bytes + done, text->length - done);

        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return fsync(fd) == 0;
}

/* The file has the old text or the new one, never a part of either. The new file's name has the
 * process id, because the fetcher of a program that was replaced may write at the same time. */
static bool replace_file(const char *path, const struct buf *text)
{
    struct buf temporary = {0};
    bool good = false;

    buf_printf(&temporary, "%s.new.%d", path, (int)getpid());
    int fd = open(temporary.bytes, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0) {
        good = write_all(fd, text);
        close(fd);
        good = good && rename(temporary.bytes, path) == 0;
    }
    if (!good) {
        log_errno(LOG_ERROR, "keys", "%s", path);
    }
    buf_release(&temporary);
    return good;
}

static bool fetch(const struct fetcher *fetcher)
{
    struct buf text = {0};
    bool good = download(fetcher, &text);

    if (good) {
        struct keys *keys = keys_parse(text.bytes != NULL ? text.bytes : "", text.length);

        good = keys != NULL;
        keys_free(keys);
        if (!good) {
            log_message(LOG_WARNING, "keys", "the issuer's answer holds no usable key");
        }
    }
    if (good && replace_file(fetcher->file, &text)) {
        atomic_store(&fetcher->link.page->fetched_s, (int64_t)time(NULL));
        atomic_fetch_add(&fetcher->link.page->version, 1);
        log_message(LOG_INFO, "keys", "fetched the issuer's keys");
    } else {
        good = false;
    }
    buf_release(&text);
    return good;
}

/* Waits until latest_ms, or only until earliest_ms once a worker has asked for a fetch. False: the
 * pool has ended. */
static bool wait_until(const struct fetcher *fetcher, int64_t earliest_ms, int64_t latest_ms)
{
    struct pollfd woken = {.fd = fetcher->link.woken_fd, .events = POLLIN};
    char bytes[64];

    for (;;) {
        int64_t now = clock_ms();
        if (now >= latest_ms) {
            return true;
        }
        if (poll(&woken, 1, (int)(latest_ms - now)) <= 0) {
            continue;
        }
        if (!(woken.revents & POLLIN)) {
            return false;
        }
        if (read(woken.fd, bytes, sizeof bytes) == 0) {
            return false;
        }
        latest_ms = earliest_ms > clock_ms() ? earliest_ms : clock_ms();
    }
}

static void keep_fresh(const struct fetcher *fetcher)
{
    for (;;) {
        bool good = fetch(fetcher);
        int64_t now = clock_ms();
        int64_t refresh = REFRESH_MIN_MS + random() % (2 * REFRESH_MIN_MS);

        keypage_fetched(&fetcher->link);
        if (!wait_until(fetcher, now + KEYS_FETCH_GAP_MS, now + (good ? refresh : RETRY_MS))) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    struct fetcher fetcher;

    if (argc != 6) {
        fprintf(stderr, "usage: cruddur-fetch-keys URL FILE CA-FILE PAGE-FD WAKE-FD\n"
                        "cruddurd starts it; there is nothing to start by hand.\n");
        return 2;
    }
    log_setup(LOG_INFO, LOG_FORMAT_AUTO);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    srandom((unsigned)getpid());
    fetcher = (struct fetcher){.url = argv[1], .file = argv[2], .ca_file = argv[3]};
    if (keypage_attach(&fetcher.link, atoi(argv[4]), atoi(argv[5])) != 0) {
        log_errno(LOG_ERROR, "keys", "shared page");
        return EXIT_FAILURE;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    keep_fresh(&fetcher);
    curl_global_cleanup();
    return EXIT_SUCCESS;
}
