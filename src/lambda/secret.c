/* The request is signed with the credentials of the function's role, which Lambda puts into the
 * environment and replaces by starting the function anew. */
#include "lambda/secret.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "lambda/environment.h"
#include "lambda/transfer.h"

enum {
    ANSWER_MAX = 2 * SECRET_TEXT_MAX + 8192, /* bytes: JSON's escapes, and the other members */
    RETRY_MS = 100
};

/* Finds part number index of an ARN, which has six parts before the name. Returns the part's
 * length, or 0. */
static size_t part_of(const char *arn, int index, const char **part)
{
    for (; index > 0; index--) {
        arn = strchr(arn, ':');
        if (arn == NULL) {
            return 0;
        }
        arn++;
    }
    *part = arn;
    return strcspn(arn, ":");
}

/* Copies a part, if it can stand in a host's name. */
static bool copy_part(const char *arn, int index, char *copy, size_t size)
{
    const char *part = NULL;
    size_t length = part_of(arn, index, &part);

    if (length == 0 || length >= size ||
        strspn(part, "abcdefghijklmnopqrstuvwxyz0123456789-") < length) {
        return false;
    }
    snprintf(copy, size, "%.*s", (int)length, part);
    return true;
}

static bool is_arn(const char *arn, char partition[static 16], struct secret_place *place)
{
    char service[16], kind[16];

    return strncmp(arn, "arn:", 4) == 0 && copy_part(arn, 1, partition, 16) &&
           copy_part(arn, 2, service, sizeof service) && strcmp(service, "secretsmanager") == 0 &&
           copy_part(arn, 3, place->region, sizeof place->region) &&
           copy_part(arn, 5, kind, sizeof kind) && strcmp(kind, "secret") == 0 &&
           strpbrk(arn, "\"\\ ") == NULL;
}

/* Whether a request to the URL stays on this machine or is encrypted. */
static bool is_private_url(const char *url)
{
    static const char *const beginnings[] = {"http://127.0.0.1", "http://localhost",
                                             "http://[::1]"};

    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        size_t length = strlen(beginnings[i]);

        if (strncmp(url, beginnings[i], length) == 0 && strchr(":/", url[length]) != NULL) {
            return strchr(url, '@') == NULL;
        }
    }
    return strncmp(url, "https://", 8) == 0;
}

bool secret_locate(const char *arn, const char *endpoint, struct secret_place *place,
                   struct error *error)
{
    char partition[16];
    int length;

    if (!is_arn(arn, partition, place)) {
        return error_set(error, "DATABASE_SECRET_ARN is no ARN of a secret: "
                                "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME");
    }
    if (endpoint != NULL && !is_private_url(endpoint)) {
        return error_set(error, "the endpoint of Secrets Manager must be an https:// URL");
    }
    if (endpoint != NULL) {
        length = snprintf(place->url, sizeof place->url, "%s", endpoint);
    } else {
        length =
            snprintf(place->url, sizeof place->url, "https://secretsmanager.%s.%s/", place->region,
                     strcmp(partition, "aws-cn") == 0 ? "amazonaws.com.cn" : "amazonaws.com");
    }
    return (length >= 0 && (size_t)length < sizeof place->url) ||
           error_set(error, "the endpoint of Secrets Manager is too long");
}

/* Sets error to the status and AWS's name of the error. Only letters of the name are shown, because
 * anything may answer there. */
static bool refuse_answer(const struct transfer *transfer, const struct buf *answer,
                          struct error *error)
{
    struct json *document = json_parse(answer->bytes != NULL ? answer->bytes : "", answer->length);
    const char *name = NULL;

    if (document != NULL) {
        json_member(document, "__type", &name);
    }
    size_t letters =
        name != NULL ? strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") : 0;
    error_set(error, "Secrets Manager: status %ld%s%.*s", transfer_status(transfer),
              letters > 0 ? ", " : "", (int)letters, letters > 0 ? name : "");
    json_free(document);
    return false;
}

static bool take_secret_string(const struct buf *answer, struct buf *text, struct error *error)
{
    struct json *document = json_parse(answer->bytes != NULL ? answer->bytes : "", answer->length);
    const char *value = NULL;

    if (document != NULL) {
        json_member(document, "SecretString", &value);
    }
    buf_wipe(text);
    if (value != NULL) {
        buf_text(text, value);
    }
    json_free(document);
    return value != NULL || error_set(error, "Secrets Manager: the answer has no SecretString");
}

/* Makes one attempt. *may_pass: another attempt may succeed. */
static bool ask_once(struct transfer *transfer, const struct transfer_request *request,
                     struct buf *text, bool *may_pass, struct error *error)
{
    struct buf answer = {0};
    struct error why;
    bool good = transfer_run(transfer, request, &answer, &why);

    *may_pass = true;
    if (!good) {
        error_set(error, "Secrets Manager: no answer: %.512s", why.text);
    } else if (transfer_status(transfer) != 200) {
        *may_pass = transfer_status(transfer) >= 500 || transfer_status(transfer) == 429;
        good = refuse_answer(transfer, &answer, error);
    } else {
        *may_pass = false;
        good = take_secret_string(&answer, text, error);
    }
    buf_wipe(&answer);
    return good;
}

static bool ask_repeatedly(struct transfer *transfer, struct transfer_request *request, int time_ms,
                           struct buf *text, struct error *error)
{
    int64_t end_ms = clock_ms() + time_ms;
    bool may_pass = true;

    error_set(error, "Secrets Manager: no time is left");
    for (int attempt = 1; may_pass && attempt <= SECRET_ATTEMPTS_MAX; attempt++) {
        if (attempt > 1) {
            if (clock_left_ms(end_ms) <= RETRY_MS) {
                return false;
            }
            poll(NULL, 0, RETRY_MS);
        }
        int left_ms = clock_left_ms(end_ms);
        if (left_ms == 0) {
            return false;
        }
        request->timeout_ms = left_ms < SECRET_ATTEMPT_MS ? left_ms : SECRET_ATTEMPT_MS;
        if (ask_once(transfer, request, text, &may_pass, error)) {
            return true;
        }
    }
    return false;
}

/* curl signs all headers that it is given, and sorts them by name itself. */
bool secret_fetch(const struct environment *environment, int time_ms, struct buf *text,
                  struct error *error)
{
    struct secret_place place;
    struct buf body = {0}, token = {0};

    if (!secret_locate(environment->secret_arn, environment->endpoint, &place, error)) {
        return false;
    }
    buf_printf(&body, "{\"SecretId\":\"%s\"}", environment->secret_arn);
    if (environment->session_token != NULL) {
        buf_printf(&token, "X-Amz-Security-Token: %s", environment->session_token);
    }
    const char *headers[] = {"Content-Type: application/x-amz-json-1.1",
                             "X-Amz-Target: secretsmanager.GetSecretValue", token.bytes, NULL};
    const struct transfer_signature signature = {
        .region = place.region,
        .service = "secretsmanager",
        .key_id = environment->key_id,
        .secret_key = environment->secret_key,
    };
    struct transfer_request request = {.url = place.url,
                                       .headers = headers,
                                       .body = body.bytes,
                                       .body_length = body.length,
                                       .answer_max = ANSWER_MAX,
                                       .ca_file = environment->ca_bundle,
                                       .signature = &signature};
    struct transfer *transfer = transfer_new();
    bool good = transfer != NULL ? ask_repeatedly(transfer, &request, time_ms, text, error)
                                 : error_set(error, "out of memory");
    transfer_free(transfer);
    buf_release(&body);
    buf_wipe(&token);
    return good;
}
