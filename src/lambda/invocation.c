#include "lambda/invocation.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/log.h"
#include "confirmation/confirmation.h"
#include "lambda/database.h"
#include "lambda/environment.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* The names of Cognito's triggers, up to the underscore. */
static const char *const TRIGGERS[] = {
    "CreateAuthChallenge",         "CustomEmailSender", "CustomMessage",      "CustomSMSSender",
    "DefineAuthChallenge",         "InboundFederation", "PostAuthentication", "PostConfirmation",
    "PreAuthentication",           "PreSignUp",         "TokenGeneration",    "UserMigration",
    "VerifyAuthChallengeResponse",
};

/* The result of an invocation. */
struct ending {
    struct conclusion conclusion; /* "ok": the user exists; "echoed": the event makes no user */
    char trigger[INVOCATION_TRIGGER_SIZE];
    int64_t database_us;
};

static int64_t unix_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int invocation_time_ms(int max_ms, int64_t deadline_ms, int64_t now_ms)
{
    int64_t left_ms = deadline_ms - INVOCATION_RESERVE_MS - now_ms;

    if (deadline_ms == 0 || left_ms > max_ms) {
        return max_ms;
    }
    return left_ms > 0 ? (int)left_ms : 0;
}

static bool is_trigger(const char *text)
{
    size_t family = strcspn(text, "_");
    size_t rest = text[family] == '_' ? strspn(text + family + 1, LETTERS) : 0;

    if (rest == 0 || text[family + 1 + rest] != '\0' ||
        family + 1 + rest >= INVOCATION_TRIGGER_SIZE) {
        return false;
    }
    for (size_t i = 0; i < sizeof TRIGGERS / sizeof TRIGGERS[0]; i++) {
        if (strlen(TRIGGERS[i]) == family && strncmp(text, TRIGGERS[i], family) == 0) {
            return true;
        }
    }
    return false;
}

void invocation_trigger(const struct json *event, char trigger[static INVOCATION_TRIGGER_SIZE])
{
    const char *text = NULL;

    if (event != NULL) {
        json_member(event, "triggerSource", &text);
    }
    snprintf(trigger, INVOCATION_TRIGGER_SIZE, "%s",
             text == NULL       ? "none"
             : is_trigger(text) ? text
                                : "other");
}

static void end_with(struct ending *ending, const char *word)
{
    snprintf(ending->conclusion.word, sizeof ending->conclusion.word, "%s", word);
}

/* Runs the statement for an event that is for the database. */
static void confirm(const struct invocation *invocation, const struct environment *environment,
                    struct database *database, struct ending *ending)
{
    char uuid[UUID_TEXT_SIZE];
    int time_ms = invocation_time_ms(environment->deadline_ms, invocation->deadline_ms, unix_ms());

    if (time_ms == 0) {
        end_with(ending, "deadline_passed");
        return;
    }
    uuid_make(uuid);
    struct statement statement =
        confirmation_statement(uuid, invocation->event, environment->user_pool, NULL);
    statement.asked_us = clock_us();
    database_run(database, &statement, time_ms, &ending->conclusion);
    ending->database_us = clock_us() - statement.asked_us;
}

static void find_ending(const struct invocation *invocation, const struct environment *environment,
                        struct database *database, struct ending *ending)
{
    struct json *event =
        invocation->is_too_large ? NULL : json_parse(invocation->event, invocation->event_length);

    *ending = (struct ending){.trigger = ""};
    invocation_trigger(event, ending->trigger);
    if (invocation->is_too_large) {
        end_with(ending, "event_too_large");
    } else if (event == NULL) {
        end_with(ending, "event_not_json");
    } else if (!confirmation_is_for_database(event)) {
        end_with(ending, "echoed");
    } else {
        confirm(invocation, environment, database, ending);
    }
    json_free(event);
}

/* Logs one line, which has nothing of the event but its trigger. */
static void log_invocation(const struct invocation *invocation, const struct ending *ending,
                           bool is_good, enum runtime_verdict verdict, int64_t microseconds)
{
    static const char *const answers[] = {
        [RUNTIME_TAKEN] = NULL, [RUNTIME_REFUSED] = "refused", [RUNTIME_BROKEN] = "failed"};
    const char *sqlstate = ending->conclusion.sqlstate;
    bool is_info = is_good && verdict == RUNTIME_TAKEN;
    struct log_line line = log_begin(is_info ? LOG_INFO : LOG_WARNING, "invocation");

    log_string(&line, "request_id", invocation->request_id);
    log_string(&line, "trigger", ending->trigger);
    log_string(&line, "outcome", ending->conclusion.word);
    log_milliseconds(&line, "ms", microseconds);
    log_milliseconds(&line, "db_ms", ending->database_us);
    log_string(&line, "sqlstate", sqlstate[0] != '\0' ? sqlstate : NULL);
    log_string(&line, "answer", answers[verdict]);
    log_end(&line);
}

enum runtime_verdict invocation_handle(const struct invocation *invocation,
                                       const struct environment *environment,
                                       struct database *database, struct runtime *runtime)
{
    int64_t began_us = clock_us();
    struct ending ending;

    find_ending(invocation, environment, database, &ending);
    const char *word = ending.conclusion.word;
    bool is_good = strcmp(word, "ok") == 0 || strcmp(word, "echoed") == 0;
    enum runtime_verdict verdict =
        is_good ? runtime_answer(runtime, invocation, invocation->event, invocation->event_length)
                : runtime_fail(runtime, invocation, word);
    log_invocation(invocation, &ending, is_good, verdict, clock_us() - began_us);
    return verdict;
}
