/* The exporter is a program of its own, for the same reason as the key fetcher: it parses what the
 * network sends. It gets no secret but the path of the headers file, no listening socket, and of
 * the shared memory only the spans. The master uses that memory to ask it to end, because a signal
 * would kill an exporter that has just been started. */
#include "helper/span_exporter.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/hardening.h"
#include "shared/spans.h"

bool span_exporter_is_wanted(const struct config *config)
{
    return config->otlp_endpoint != NULL;
}

bool span_exporter_prepare(struct span_exporter *exporter, const struct config *config)
{
    if (exporter->spans == NULL && span_exporter_is_wanted(config)) {
        exporter->spans = spans_new(&exporter->spans_fd);
        return exporter->spans != NULL;
    }
    return true;
}

/* The endpoint is a base, below which each signal has its path (OTLP exporter specification). */
static char *traces_url(const char *endpoint)
{
    struct buf url = {0};
    size_t length = strlen(endpoint);

    while (length > 0 && endpoint[length - 1] == '/') {
        length--;
    }
    buf_append(&url, endpoint, length);
    buf_text(&url, "/v1/traces");
    return url.bytes;
}

static void execute_exporter(void *context)
{
    const struct span_exporter *exporter = context;
    const struct config *config = exporter->config;
    char **environment = hardening_plain_environment(environ);
    char *url = traces_url(config->otlp_endpoint);
    char spans[16];

    snprintf(spans, sizeof spans, "%d", exporter->spans_fd);
    fcntl(exporter->spans_fd, F_SETFD, 0);
    execle(config->exporter, "cruddur-export-spans", url,
           config->otlp_headers_file != NULL ? config->otlp_headers_file : "", spans, (char *)NULL,
           environment);
    memory_free(url);
    memory_free(environment);
    log_errno(LOG_ERROR, "traces", "%s", config->exporter);
}

void span_exporter_ensure(struct span_exporter *exporter, const struct config *config)
{
    if (span_exporter_is_wanted(config)) {
        exporter->config = config;
        exporter->is_restarting = exporter->is_restarting && exporter->helper.pid != 0;
        helper_ensure(&exporter->helper, "cruddur-export", execute_exporter, exporter);
    }
}

void span_exporter_restart(struct span_exporter *exporter)
{
    if (exporter->helper.pid != 0) {
        kill(exporter->helper.pid, SIGHUP);
        exporter->is_restarting = true;
    }
}

/* Makes sure that an exporter runs that was not asked to end, however short a time ago the last one
 * was started. */
static void start_now(struct span_exporter *exporter, const struct config *config)
{
    if (exporter->is_restarting) {
        helper_end(&exporter->helper);
    }
    exporter->helper.started_ms = 0;
    span_exporter_ensure(exporter, config);
}

void span_exporter_finish(struct span_exporter *exporter, const struct config *config)
{
    if (exporter->kill_ms == 0 && exporter->spans != NULL) {
        atomic_store(&exporter->spans->is_ending, true);
        exporter->kill_ms = clock_ms() + SPAN_EXPORTER_LAST_MS;
        start_now(exporter, config);
    } else if (clock_ms() >= exporter->kill_ms) {
        helper_stop(&exporter->helper);
    }
}

void span_exporter_stop(struct span_exporter *exporter)
{
    helper_stop(&exporter->helper);
    exporter->kill_ms = clock_ms();
}

void span_exporter_leave(struct span_exporter *exporter, const struct config *config)
{
    if (exporter->spans != NULL) {
        atomic_store(&exporter->spans->is_left, true);
        start_now(exporter, config);
    }
}

void span_exporter_stay(struct span_exporter *exporter)
{
    if (exporter->spans != NULL) {
        atomic_store(&exporter->spans->is_left, false);
    }
}
