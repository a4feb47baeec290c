/* libpq's keywords and values, from either source, are made into one string again, because a
 * session is made from a string. */
#include "lambda/login.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "db/conninfo.h"

/* In the order of the secret's members as RDS has them. */
static const struct {
    const char *member, *keyword;
    bool is_place; /* the URL's value wins */
} MEMBERS[] = {
    {"username", "user", false}, {"password", "password", false}, {"host", "host", true},
    {"port", "port", true},      {"dbname", "dbname", true},
};

static bool is_url(const char *text)
{
    return strncmp(text, "postgres://", 11) == 0 || strncmp(text, "postgresql://", 13) == 0;
}

/* Sets the keyword of one member. A port may be a number. */
static void take_member(struct conninfo *conninfo, const struct json *secret, size_t index)
{
    const char *member = MEMBERS[index].member, *value;
    char digits[24];
    int64_t number;

    if (json_member(secret, member, &value) != JSON_STRING && strcmp(member, "port") == 0 &&
        json_integer(secret, member, &number)) {
        snprintf(digits, sizeof digits, "%lld", (long long)number);
        value = digits;
    }
    if (value != NULL &&
        !(MEMBERS[index].is_place && conninfo_value(conninfo, MEMBERS[index].keyword) != NULL)) {
        conninfo_set(conninfo, MEMBERS[index].keyword, value);
    }
}

static bool take_secret(struct conninfo *conninfo, const char *text, struct error *error)
{
    struct json *secret = json_parse(text, strlen(text));

    if (secret == NULL) {
        return error_set(error, "the secret is neither a URL nor a JSON object");
    }
    for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) {
        take_member(conninfo, secret, i);
    }
    json_free(secret);
    return conninfo_value(conninfo, "password") != NULL ||
           error_set(error, "the secret has no password");
}

/* Quotes the value as libpq's documentation says, with a backslash before quotes and
 * backslashes. */
static void write_value(struct buf *login, const char *keyword, const char *value)
{
    buf_printf(login, "%s%s='", login->length > 0 ? " " : "", keyword);
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\') {
            buf_char(login, '\\');
        }
        buf_char(login, *value);
    }
    buf_char(login, '\'');
}

static void write_values(struct buf *login, const struct conninfo *conninfo)
{
    for (size_t i = 0; conninfo->keywords[i] != NULL; i++) {
        if (conninfo->values[i] != NULL) {
            write_value(login, conninfo->keywords[i], conninfo->values[i]);
        }
    }
}

/* Whether libpq and conninfo.h accept the string, because a value of the secret can be something
 * that is no host or no port. */
static bool is_login(const struct buf *login, struct error *error)
{
    struct conninfo conninfo;
    struct error why;

    if (!conninfo_parse(login->bytes != NULL ? login->bytes : "", LOGIN_APPLICATION_NAME, &conninfo,
                        &why)) {
        return error_set(error, "the secret's host or port is none");
    }
    conninfo_release(&conninfo);
    return true;
}

bool login_write(const char *url, const char *secret, struct buf *login, struct error *error)
{
    struct conninfo conninfo;
    struct error why;

    if (secret != NULL && is_url(secret)) {
        if (url != NULL) {
            return error_set(error, "the secret is a URL, so CONNECTION_URL must not be set");
        }
        url = secret;
        secret = NULL;
    }
    if (!conninfo_parse(url != NULL ? url : "", LOGIN_APPLICATION_NAME, &conninfo, &why)) {
        return error_set(error, "the URL of the database: %.1024s", why.text);
    }
    bool good = secret == NULL || take_secret(&conninfo, secret, error);
    if (good) {
        write_values(login, &conninfo);
        good = is_login(login, error);
    }
    conninfo_release(&conninfo);
    return good;
}

/* If the string has no sslmode, libpq takes it from PGSSLMODE. */
bool login_is_unverified(const char *login)
{
    struct conninfo conninfo;
    struct error error;

    if (!conninfo_parse(login, LOGIN_APPLICATION_NAME, &conninfo, &error)) {
        return false; /* connecting fails, with a reason */
    }
    conninfo_complete(&conninfo);
    const char *host = conninfo_value(&conninfo, "host");
    const char *mode = conninfo_value(&conninfo, "sslmode");
    mode = mode != NULL ? mode : getenv("PGSSLMODE");
    bool is_unverified =
        (host == NULL || *host != '/') && (mode == NULL || strcmp(mode, "verify-full") != 0);
    conninfo_release(&conninfo);
    return is_unverified;
}
