#include "worker/refusals.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/exposition.h"
#include "base/log.h"
#include "base/repeats.h"
#include "http/request.h"
#include "identity/caller.h"
#include "identity/pseudonym.h"
#include "identity/token.h"

_Static_assert((int)TOKEN_VERDICTS <= (int)REFUSALS_MAX, "each reason has a counter");

/* Expired and malformed tokens are usual: browsers keep tokens for too long, and a frontend whose
 * user has not logged in sends "null". */
static enum log_level level_of(enum token_verdict refusal)
{
    return refusal == TOKEN_EXPIRED || refusal == TOKEN_MALFORMED ? LOG_INFO : LOG_WARNING;
}

static void log_refusal(const struct request *request, const struct caller *caller)
{
    static struct repeats repeats;
    const char *reason = token_verdict_name(caller->refusal);
    const char *subject = caller_claimed_subject(request->authorization, request->arena);
    char pseudonym[PSEUDONYM_SIZE] = "";
    char key[REPEATS_KEY_SIZE];
    unsigned unlogged;

    if (subject != NULL) {
        pseudonym_make(pseudonym, subject);
    }
    snprintf(key, sizeof key, "%s %s", reason, pseudonym);
    if (!repeats_admit(&repeats, key, clock_ms(), &unlogged)) {
        return;
    }
    struct log_line line = log_begin(level_of(caller->refusal), "token_refused");
    log_string(&line, "request_id", request->id);
    log_string(&line, "reason", reason);
    log_string(&line, "subject", subject != NULL ? pseudonym : NULL);
    if (unlogged > 0) {
        log_integer(&line, "unlogged", unlogged);
    }
    log_end(&line);
}

void refusals_note(struct refusals *refusals, const struct request *request,
                   const struct caller *caller)
{
    if (refusals != NULL) {
        counter_add(&refusals->counts[caller->refusal], 1);
    }
    if (log_wants(level_of(caller->refusal))) {
        log_refusal(request, caller);
    }
}

void refusals_add(struct refusals *sum, const struct refusals *more)
{
    for (int i = 0; i < TOKEN_VERDICTS; i++) {
        counter_add(&sum->counts[i], counter_value(&more->counts[i]));
    }
}

void refusals_write(const struct refusals *refusals, struct buf *text)
{
    static const char NAME[] = "cruddur_tokens_refused_total";

    exposition_begin(text, NAME, "counter", "Authorization headers that proved nothing.");
    for (int i = TOKEN_GOOD + 1; i < TOKEN_VERDICTS; i++) {
        exposition_labelled(text, NAME, "reason", token_verdict_name((enum token_verdict)i),
                            counter_value(&refusals->counts[i]));
    }
}
