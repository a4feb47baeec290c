/* cruddur-export-spans: sends the spans of the pool that started it to an OpenTelemetry collector,
 * as OTLP/HTTP in JSON. It has no listening socket, and no secret except the headers for the
 * collector.
 *
 *     cruddur-export-spans URL HEADERS-FILE SPANS-FD
 *
 * An empty HEADERS-FILE means no headers. A worker never waits for this process. The process reads
 * the rings every POLL_MS; while the collector takes nothing, the rings fill up.
 *
 *     TERM, or is_ending in the memory   sends the spans that wait, each batch once, and ends
 *     HUP                                ends after the request that is under way; the next process
 *                                        sends the spans that wait
 *     is_left in the memory              goes on until no span has come for QUIET_MS, because its
 *                                        workers are those of a program that the master has
 *                                        replaced */
#include <curl/curl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/error.h"
#include "base/log.h"
#include "base/repeats.h"
#include "exporter/batch.h"
#include "exporter/otlp.h"
#include "exporter/post.h"
#include "shared/spans.h"

enum {
    POLL_MS = 100,
    GATHER_MS = 1000,     /* how long the first span of a batch waits for others */
    RETRY_MIN_MS = 1000,  /* after the first failed attempt; each further pause is twice as long */
    RETRY_MAX_MS = 16000, /* unless the collector asks for more */
    ATTEMPTS_MAX = 6,     /* of one batch, in half a minute; then the batch is given up */
    REFUSED_MS = 1000,    /* after a refusal, as the next batch is likely to be refused too */
    QUIET_MS = 60000,
    NICENESS = 10
};

struct exporter {
    struct spans *spans;
    struct post *post;
    struct otlp_resource resource;
    struct batch batch;
    struct buf json;
    struct repeats repeats;
};

static volatile sig_atomic_t was_terminated, was_hung_up;

static void note_signal(int signal_number)
{
    if (signal_number == SIGHUP) {
        was_hung_up = 1;
    } else {
        was_terminated = 1;
    }
}

static bool is_leaving(const struct exporter *exporter)
{
    return was_hung_up || was_terminated || atomic_load(&exporter->spans->is_ending);
}

/* Waits for ms, or until the process is to leave. */
static void pause_ms(const struct exporter *exporter, int64_t ms)
{
    int64_t end_ms = clock_ms() + ms;
    const struct timespec poll = {.tv_nsec = POLL_MS * 1000000L};

    while (!is_leaving(exporter) && clock_ms() < end_ms) {
        nanosleep(&poll, NULL);
    }
}

static void log_post_failure(struct exporter *exporter, const char *what)
{
    unsigned unlogged;

    if (repeats_admit(&exporter->repeats, what, clock_ms(), &unlogged)) {
        log_message(LOG_WARNING, "traces", "%s: %s", what, post_reason(exporter->post));
    }
}

/* The time until the next attempt. It has a random part, so that hosts do not retry together. */
static int64_t retry_ms(const struct exporter *exporter, int attempt)
{
    int64_t wait_ms = INT64_C(1000) * post_retry_after_s(exporter->post);
    int64_t backoff_ms = RETRY_MIN_MS << (attempt - 1);

    backoff_ms = backoff_ms < RETRY_MAX_MS ? backoff_ms : RETRY_MAX_MS;
    wait_ms = wait_ms > backoff_ms ? wait_ms : backoff_ms;
    return wait_ms + random() % (RETRY_MIN_MS / 2);
}

/* Sends exporter->json until the collector takes or refuses it, or the attempts are used up. */
static enum post_outcome deliver(struct exporter *exporter)
{
    for (int attempt = 1;; attempt++) {
        enum post_outcome outcome = post_send(exporter->post, &exporter->json, POST_TIMEOUT_MS);

        if (outcome != POST_LATER) {
            return outcome;
        }
        log_post_failure(exporter, "the collector is away");
        if (attempt == ATTEMPTS_MAX || is_leaving(exporter)) {
            return outcome;
        }
        pause_ms(exporter, retry_ms(exporter, attempt));
        if (was_hung_up) {
            return outcome;
        }
    }
}

/* Sends the batch, and counts the spans that were exported and those that failed. */
static void export_batch(struct exporter *exporter)
{
    struct batch *batch = &exporter->batch;
    size_t failed = batch->count;

    buf_clear(&exporter->json);
    otlp_write(&exporter->json, &exporter->resource, batch->spans, batch->count);
    enum post_outcome outcome = deliver(exporter);
    if (outcome == POST_LATER && was_hung_up) {
        return; /* the spans stay in their rings */
    }
    if (outcome == POST_TAKEN) {
        const struct buf *answer = post_answer(exporter->post);

        failed =
            otlp_rejected(answer->bytes != NULL ? answer->bytes : "", answer->length, batch->count);
    }
    counter_add(&exporter->spans->exported, batch->count - failed);
    counter_add(&exporter->spans->failed, failed);
    batch_release(batch, exporter->spans);
    if (failed > 0 && outcome != POST_LATER) {
        log_post_failure(exporter, "the collector refuses spans");
        pause_ms(exporter, REFUSED_MS);
    }
}

/* When a batch is due, and when spans were last seen. */
struct pace {
    int64_t due_ms; /* 0: no span waits */
    int64_t seen_ms;
};

static bool is_due(const struct exporter *exporter, struct pace *pace)
{
    size_t waiting = exporter->batch.count;
    int64_t now_ms = clock_ms();

    if (waiting == 0) {
        pace->due_ms = 0;
        return false;
    }
    pace->seen_ms = now_ms;
    if (pace->due_ms == 0) {
        pace->due_ms = now_ms + GATHER_MS;
    }
    return waiting == BATCH_MAX || now_ms >= pace->due_ms || is_leaving(exporter);
}

static bool is_finished(const struct exporter *exporter, const struct pace *pace)
{
    return is_leaving(exporter) ||
           (atomic_load(&exporter->spans->is_left) && clock_ms() - pace->seen_ms >= QUIET_MS);
}

static void export_spans(struct exporter *exporter)
{
    struct pace pace = {.seen_ms = clock_ms()};

    while (!was_hung_up) {
        batch_collect(&exporter->batch, exporter->spans);
        if (is_due(exporter, &pace)) {
            export_batch(exporter);
            pace.due_ms = 0;
        } else if (exporter->batch.count == 0 && is_finished(exporter, &pace)) {
            return;
        } else {
            pause_ms(exporter, POLL_MS);
        }
    }
}

/* The headers may have a key, so the process leaves no core, and no other process of its user can
 * read its memory. Its work is less urgent than a request. */
static void limit_itself(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    setpriority(PRIO_PROCESS, 0, NICENESS);
}

static void set_handlers(void)
{
    struct sigaction action = {.sa_handler = note_signal};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

int main(int argc, char **argv)
{
    static struct exporter exporter; /* large, and zeroed */
    char host[256] = "";
    struct error error;

    if (argc != 4) {
        fprintf(stderr, "usage: cruddur-export-spans URL HEADERS-FILE SPANS-FD\n"
                        "cruddurd starts it; there is nothing to start by hand.\n");
        return 2;
    }
    log_setup(LOG_INFO, LOG_FORMAT_AUTO);
    set_handlers();
    limit_itself();
    srandom((unsigned)getpid());
    gethostname(host, sizeof host - 1);
    exporter.resource = (struct otlp_resource){PACKAGE_VERSION, host, getppid()};
    exporter.spans = spans_attach(atoi(argv[3]));
    if (exporter.spans == NULL) {
        log_errno(LOG_ERROR, "traces", "shared memory");
        return EXIT_FAILURE;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    exporter.post = post_new(argv[1], argv[2], &error);
    if (exporter.post == NULL) {
        log_message(LOG_ERROR, "traces", "%s: %s", argv[2], error.text);
        return EXIT_FAILURE;
    }
    export_spans(&exporter);
    post_free(exporter.post);
    buf_release(&exporter.json);
    curl_global_cleanup();
    return EXIT_SUCCESS;
}
