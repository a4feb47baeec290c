/* How the Lambda function logs in. The input's lines are the ARN of a secret, an endpoint, the URL
 * of the settings, and the secret's text. A place is on AWS or private, and libpq takes the
 * connection string, which has the secret's password. */
#include "lambda/login.h"

#include "base/arena.h"
#include "base/json.h"
#include "db/conninfo.h"
#include "fuzz.h"
#include "lambda/secret.h"

static void look_at_place(const char *arn, const char *endpoint)
{
    struct secret_place place;
    struct error error;

    if (secret_locate(arn, endpoint, &place, &error)) {
        MUST(strncmp(place.url, "https://", 8) == 0 || strncmp(place.url, "http://", 7) == 0);
        MUST(endpoint != NULL || strstr(place.url, "@") == NULL);
        MUST(*place.region != '\0' && strlen(place.region) < sizeof place.region);
    }
}

static void must_have_password(const struct conninfo *conninfo, const char *secret)
{
    struct json *json = json_parse(secret, strlen(secret));
    const char *password = NULL;

    if (json != NULL && json_member(json, "password", &password) == JSON_STRING) {
        const char *taken = conninfo_value(conninfo, "password");

        MUST(taken != NULL && strcmp(taken, password) == 0);
    }
    json_free(json);
}

static void look_at_login(const char *url, const char *secret)
{
    struct conninfo conninfo;
    struct buf login = {0};
    struct error error;

    if (login_write(url, secret, &login, &error)) {
        MUST(conninfo_parse(login.bytes != NULL ? login.bytes : "", LOGIN_APPLICATION_NAME,
                            &conninfo, &error));
        must_have_password(&conninfo, secret);
        conninfo_release(&conninfo);
        (void)login_is_unverified(login.bytes != NULL ? login.bytes : "");
    }
    buf_release(&login);
}

FUZZ_TARGET(login)
{
    struct arena arena = {0};
    char *rest = arena_copy(&arena, (const char *)data, size);
    const char *arn = take_line(&rest), *endpoint = take_line(&rest), *url = take_line(&rest);

    look_at_place(arn, *endpoint != '\0' ? endpoint : NULL);
    look_at_login(*url != '\0' ? url : NULL, rest);
    arena_release(&arena);
    return 0;
}
