/* A request that gets no answer, or a part of one, is repeated. This is safe: the Runtime API is
 * on the same machine, and refuses a second answer to an invocation with 4xx. After a status of
 * 5xx, and after the last attempt, the process ends, as the documentation of the Runtime API asks
 * for. */
#include "lambda/runtime.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "lambda/transfer.h"

enum {
    ANSWER_TIMEOUT_MS = 2000,
    REPLY_MAX = 4096, /* bytes of the API's reply to an answer */
    RETRY_MS = 20,
    DEADLINE_DIGITS_MAX = 15
};

struct runtime {
    struct transfer *transfer;
    struct buf base, url, event, reply, document;
};

struct runtime *runtime_new(const char *api)
{
    struct runtime *runtime = memory_zeroed(sizeof *runtime);

    runtime->transfer = transfer_new();
    if (runtime->transfer == NULL) {
        memory_free(runtime);
        return NULL;
    }
    buf_printf(&runtime->base, "http://%s/2018-06-01/runtime", api);
    return runtime;
}

void runtime_free(struct runtime *runtime)
{
    if (runtime == NULL) {
        return;
    }
    transfer_free(runtime->transfer);
    buf_release(&runtime->base);
    buf_release(&runtime->url);
    buf_release(&runtime->event);
    buf_release(&runtime->reply);
    buf_release(&runtime->document);
    memory_free(runtime);
}

enum runtime_verdict runtime_verdict(long status)
{
    if (status >= 200 && status < 300) {
        return RUNTIME_TAKEN;
    }
    return status >= 400 && status < 500 ? RUNTIME_REFUSED : RUNTIME_BROKEN;
}

bool runtime_take_headers(struct invocation *invocation, const char *request_id,
                          const char *deadline)
{
    size_t digits = deadline != NULL ? strspn(deadline, "0123456789") : 0;

    if (request_id == NULL || !request_id_is_valid(request_id) || *request_id == '.' ||
        (deadline != NULL &&
         (digits == 0 || digits > DEADLINE_DIGITS_MAX || deadline[digits] != '\0'))) {
        return false;
    }
    snprintf(invocation->request_id, sizeof invocation->request_id, "%s", request_id);
    invocation->deadline_ms = deadline != NULL ? strtoll(deadline, NULL, 10) : 0;
    return true;
}

static bool log_broken(const char *what, const char *why)
{
    log_message(LOG_ERROR, "runtime", "%s: %s", what, why);
    return false;
}

/* Repeats a request until there is an answer. */
static bool run_request(struct runtime *runtime, const struct transfer_request *request,
                        struct buf *answer, const char *what)
{
    struct error error;

    for (int attempt = 1; !transfer_run(runtime->transfer, request, answer, &error); attempt++) {
        log_message(LOG_WARNING, "runtime", "%s: no answer: %s", what, error.text);
        if (attempt == RUNTIME_ATTEMPTS_MAX) {
            return false;
        }
        poll(NULL, 0, RETRY_MS);
    }
    return true;
}

static const char *url_of(struct runtime *runtime, const char *path, const char *request_id,
                          const char *rest)
{
    buf_clear(&runtime->url);
    buf_printf(&runtime->url, "%s/%s%s%s", runtime->base.bytes, path, request_id, rest);
    return runtime->url.bytes;
}

bool runtime_next(struct runtime *runtime, struct invocation *invocation)
{
    const struct transfer_request request = {.url = url_of(runtime, "invocation/next", "", ""),
                                             .answer_max = RUNTIME_EVENT_MAX};
    char status[32];

    *invocation = (struct invocation){0};
    if (!run_request(runtime, &request, &runtime->event, "next")) {
        return log_broken("next", "given up");
    }
    snprintf(status, sizeof status, "status %ld", transfer_status(runtime->transfer));
    if (transfer_status(runtime->transfer) != 200) {
        return log_broken("next", status);
    }
    if (!runtime_take_headers(invocation,
                              transfer_header(runtime->transfer, "Lambda-Runtime-Aws-Request-Id"),
                              transfer_header(runtime->transfer, "Lambda-Runtime-Deadline-Ms"))) {
        return log_broken("next", "its headers are not those of an invocation");
    }
    invocation->event = runtime->event.bytes != NULL ? runtime->event.bytes : "";
    invocation->event_length = runtime->event.length;
    invocation->is_too_large = transfer_was_cut(runtime->transfer);
    return true;
}

static enum runtime_verdict post(struct runtime *runtime, const char *url, const char *body,
                                 size_t length, const char *error_type)
{
    char type[128];
    const char *headers[] = {"Content-Type: application/json", NULL, NULL};
    struct transfer_request request = {.url = url,
                                       .headers = headers,
                                       .body = body,
                                       .body_length = length,
                                       .timeout_ms = ANSWER_TIMEOUT_MS,
                                       .answer_max = REPLY_MAX};

    if (error_type != NULL) {
        snprintf(type, sizeof type, "Lambda-Runtime-Function-Error-Type: Function.%s", error_type);
        headers[1] = type;
    }
    if (!run_request(runtime, &request, &runtime->reply, "answer")) {
        return RUNTIME_BROKEN;
    }
    enum runtime_verdict verdict = runtime_verdict(transfer_status(runtime->transfer));
    if (verdict != RUNTIME_TAKEN) {
        log_message(verdict == RUNTIME_BROKEN ? LOG_ERROR : LOG_WARNING, "runtime",
                    "answer: status %ld", transfer_status(runtime->transfer));
    }
    return verdict;
}

enum runtime_verdict runtime_answer(struct runtime *runtime, const struct invocation *invocation,
                                    const char *bytes, size_t length)
{
    return post(runtime, url_of(runtime, "invocation/", invocation->request_id, "/response"), bytes,
                length, NULL);
}

void runtime_describe_error(struct buf *document, const char *word, const char *text)
{
    buf_text(document, "{\"errorMessage\":\"");
    buf_json_escaped(document, text);
    buf_text(document, "\",\"errorType\":\"");
    buf_json_escaped(document, word);
    buf_text(document, "\",\"stackTrace\":[]}");
}

static enum runtime_verdict post_error(struct runtime *runtime, const char *url, const char *word,
                                       const char *text)
{
    buf_clear(&runtime->document);
    runtime_describe_error(&runtime->document, word, text);
    return post(runtime, url, runtime->document.bytes, runtime->document.length, word);
}

/* The error's text is the word alone, because Cognito shows it on its sign-up page. */
enum runtime_verdict runtime_fail(struct runtime *runtime, const struct invocation *invocation,
                                  const char *word)
{
    return post_error(runtime, url_of(runtime, "invocation/", invocation->request_id, "/error"),
                      word, word);
}

enum runtime_verdict runtime_fail_init(struct runtime *runtime, const char *word, const char *text)
{
    return post_error(runtime, url_of(runtime, "init/error", "", ""), word, text);
}
