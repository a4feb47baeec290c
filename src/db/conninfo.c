/* libpq's own parser reads the string, because its rules are long and change. This file adds
 * values that make a dead network show within seconds, unless the string has them. It also checks
 * for characters in a password that should have been percent-encoded, because libpq takes what
 * follows them for a host, and would quote a part of the password in its error. */
#include "db/conninfo.h"

#include <libpq-fe.h>
#include <string.h>

#include "base/memory.h"

/* Used only where the URL does not set the keyword. With these values a peer that vanished is
 * noticed within 3 s. GSS encryption is off because libpq may hold back packets of it, which
 * poll() does not show. */
static const struct {
    const char *keyword;
    const char *value;
} DEFAULTS[] = {
    {"tcp_user_timeout", "3000"}, {"keepalives_idle", "1"},  {"keepalives_interval", "1"},
    {"keepalives_count", "3"},    {"gssencmode", "disable"},
};

#define ENCODE                                                                                     \
    "percent-encode special characters of login and password (@ is %%40, / is %%2F, : is %%3A, "   \
    "%% "                                                                                          \
    "is %%25)"

/* Takes ownership of value. */
static void set(struct conninfo *conninfo, const char *keyword, char *value)
{
    size_t i = 0;

    while (conninfo->keywords[i] != NULL && strcmp(conninfo->keywords[i], keyword) != 0) {
        i++;
    }
    if (i == CONNINFO_KEYWORDS_MAX) {
        memory_free(value);
        return;
    }
    if (conninfo->keywords[i] == NULL) {
        conninfo->keywords[i] = memory_copy(keyword);
    }
    memory_free(conninfo->values[i]);
    conninfo->values[i] = value;
}

void conninfo_set(struct conninfo *conninfo, const char *keyword, const char *value)
{
    set(conninfo, keyword, value != NULL ? memory_copy(value) : NULL);
}

const char *conninfo_value(const struct conninfo *conninfo, const char *keyword)
{
    for (size_t i = 0; conninfo->keywords[i] != NULL; i++) {
        if (strcmp(conninfo->keywords[i], keyword) == 0) {
            return conninfo->values[i];
        }
    }
    return NULL;
}

/* If a special character in a password is not encoded, libpq takes the rest of the password for
 * the host or the port, and quotes it in its errors. So the values of host and port must look like
 * a host and a port. */
static bool is_plausible(const PQconninfoOption *option)
{
    if (strcmp(option->keyword, "port") == 0) {
        return strspn(option->val, "0123456789,") == strlen(option->val);
    }
    if (strcmp(option->keyword, "host") == 0) {
        return *option->val == '/' || strchr(option->val, '@') == NULL ||
               strncmp(option->val, "@", 1) == 0;
    }
    return true;
}

/* Whether the URL has a second "@", or one in its path: for libpq an "@" or "/" in the password is
 * the end of the password. */
static bool has_stray_at(const char *url)
{
    const char *start = strncmp(url, "postgres", 8) == 0 ? strstr(url, "://") : NULL;

    if (start == NULL) {
        return false;
    }
    size_t length = strcspn(start + 3, "?");
    size_t user = strcspn(start + 3, "@/?");
    const char *rest = start + 3 + user + (start[3 + user] == '@');

    return memchr(rest, '@', (size_t)(start + 3 + length - rest)) != NULL;
}

/* The order matters: a string that libpq cannot parse is never quoted, and a string that it can
 * parse is checked before one of its values may get into a message of libpq. */
bool conninfo_parse(const char *url, const char *application_name, struct conninfo *conninfo,
                    struct error *error)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &message);

    *conninfo = (struct conninfo){0};
    if (options != NULL && has_stray_at(url)) {
        PQconninfoFree(options);
        return error_set(error, "it has an @ too many: " ENCODE);
    }
    if (options == NULL) {
        /* libpq's message quotes the string that it cannot parse, with the password, so it is not
         * used. */
        error_set(error, "%s",
                  message == NULL ? "out of memory"
                                  : "it is no connection string, or not percent-encoded");
        PQfreemem(message);
        return false;
    }
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
        if (o->val != NULL && !is_plausible(o)) {
            error_set(error, "its %s is none: " ENCODE, o->keyword);
            PQconninfoFree(options);
            conninfo_release(conninfo);
            return false;
        }
        if (o->val != NULL) {
            conninfo_set(conninfo, o->keyword, o->val);
        }
    }
    PQconninfoFree(options);
    for (size_t i = 0; i < sizeof DEFAULTS / sizeof DEFAULTS[0]; i++) {
        if (conninfo_value(conninfo, DEFAULTS[i].keyword) == NULL) {
            conninfo_set(conninfo, DEFAULTS[i].keyword, DEFAULTS[i].value);
        }
    }
    conninfo_set(conninfo, "client_encoding", "UTF8");
    conninfo_set(conninfo, "application_name", application_name);
    return true;
}

/* libpq takes these values from the string, its service, the environment or its defaults. Only
 * libpq knows the whole order, and it reports the values only for a connection. So this function
 * starts a connection with a value of sslmode that libpq refuses before it resolves a name or
 * connects. */
void conninfo_complete(struct conninfo *conninfo)
{
    static const char *const wanted[] = {"host", "hostaddr", "port", "connect_timeout"};
    const char *sslmode = conninfo_value(conninfo, "sslmode");
    char *before = sslmode != NULL ? memory_copy(sslmode) : NULL;

    conninfo_set(conninfo, "sslmode", "refused");
    PGconn *pg = PQconnectStartParams((const char *const *)conninfo->keywords,
                                      (const char *const *)conninfo->values, 0);
    PQconninfoOption *options = pg != NULL ? PQconninfo(pg) : NULL;
    set(conninfo, "sslmode", before);
    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            if (o->val != NULL && *o->val != '\0' && strcmp(o->keyword, wanted[i]) == 0) {
                conninfo_set(conninfo, o->keyword, o->val);
            }
        }
    }
    PQconninfoFree(options);
    PQfinish(pg);
}

bool conninfo_has_hosts(const struct conninfo *conninfo)
{
    const char *host = conninfo_value(conninfo, "host");
    const char *address = conninfo_value(conninfo, "hostaddr");

    return (host != NULL && strchr(host, ',') != NULL) ||
           (address != NULL && strchr(address, ',') != NULL);
}

void conninfo_release(struct conninfo *conninfo)
{
    for (size_t i = 0; i < CONNINFO_KEYWORDS_MAX; i++) {
        memory_free(conninfo->keywords[i]);
        memory_free(conninfo->values[i]);
    }
    *conninfo = (struct conninfo){0};
}
