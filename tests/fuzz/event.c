/* The input of the Lambda function. The input's lines are the request id and the deadline of an
 * invocation, and the event. Headers that are taken are within their bounds, the log has a
 * trigger's name or another word, and the database is asked only about a sign-up. */
#include "lambda/invocation.h"

#include <ctype.h>

#include "base/arena.h"
#include "base/json.h"
#include "confirmation/confirmation.h"
#include "fuzz.h"
#include "lambda/runtime.h"

static void look_at_headers(const char *request_id, const char *deadline)
{
    struct invocation invocation = {.deadline_ms = -1};

    if (runtime_take_headers(&invocation, request_id, *deadline != '\0' ? deadline : NULL)) {
        MUST(strcmp(invocation.request_id, request_id) == 0 && strchr(request_id, '/') == NULL);
        MUST(invocation.deadline_ms >= 0);
        int time_ms = invocation_time_ms(4000, invocation.deadline_ms, INT64_C(1700000000000));
        MUST(time_ms >= 0 && time_ms <= 4000);
    }
}

static void look_at_event(const char *text, size_t length)
{
    struct json *event = json_parse(text, length);
    char trigger[INVOCATION_TRIGGER_SIZE];

    invocation_trigger(event, trigger);
    for (const char *c = trigger; *c != '\0'; c++) {
        MUST(isalpha((unsigned char)*c) || *c == '_');
    }
    if (event != NULL) {
        bool is_sign_up = strcmp(trigger, "PostConfirmation_ConfirmSignUp") == 0;

        MUST(confirmation_is_for_database(event) == (is_sign_up || strcmp(trigger, "none") == 0));
    }
    json_free(event);
}

/* The document of any error is valid JSON. */
static void look_at_error(const char *word, const char *text)
{
    struct buf document = {0};

    runtime_describe_error(&document, word, text);
    struct json *json = json_parse(document.bytes, document.length);
    MUST(json != NULL);
    json_free(json);
    buf_release(&document);
}

FUZZ_TARGET(event)
{
    struct arena arena = {0};
    char *rest = arena_copy(&arena, (const char *)data, size);
    const char *request_id = take_line(&rest), *deadline = take_line(&rest);

    look_at_headers(request_id, deadline);
    look_at_event(rest, size - (size_t)(rest - request_id));
    look_at_error(request_id, deadline);
    arena_release(&arena);
    return 0;
}
