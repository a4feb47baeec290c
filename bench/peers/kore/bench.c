/* Cruddur's reading routes as a module of kore: constant, home, one activity. kore's own calls send
 * every statement unprepared; as planning costs more than half here, each connection prepares once
 * and executes by SQL. The values are digits and hexadecimal, so they can stand in its text. */
#include <kore/kore.h>

#include <kore/http.h>
#include <kore/pgsql.h>
#include <kore/seccomp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int start(int state);
int health(struct http_request *req);
int home(struct http_request *req);
int show(struct http_request *req);

/* What libpq and the C library of today call and kore's sandbox of 2022 doesn't know. */
KORE_SECCOMP_FILTER("bench", KORE_SYSCALL_ALLOW(newfstatat))

enum { CONNECTIONS_MAX = 64, EXECUTE_MAX = 128 };

static char prepares[65536]; /* both statements, one after the other */
static PGconn *prepared[CONNECTIONS_MAX];

static void load(const char *name, const char *types)
{
    char path[4096];
    size_t length = strlen(prepares);

    snprintf(path, sizeof path, "%s/%s.sql", getenv("STATEMENTS"), name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fatal("cannot read %s", path);
    length += (size_t)snprintf(prepares + length, sizeof prepares - length, "prepare %s(%s) as\n",
                               name, types);
    length += fread(prepares + length, 1, sizeof prepares - length - 2, file);
    fclose(file);
    strcpy(prepares + length, ";");
}

int start(int state)
{
    char url[4096] = "";

    if (state != KORE_MODULE_LOAD)
        return KORE_RESULT_OK;
    FILE *file = fopen(getenv("CONNECTION_URL_FILE"), "r");
    if (file == NULL || fgets(url, sizeof url, file) == NULL)
        fatal("cannot read CONNECTION_URL_FILE");
    fclose(file);
    url[strcspn(url, "\n")] = '\0';
    kore_pgsql_register("db", url);
    load("home", "integer, bigint, uuid");
    load("show", "uuid, text, text, text");
    return KORE_RESULT_OK;
}

static void answer(struct http_request *req, int status, const void *body, size_t length)
{
    http_response_header(req, "content-type", "application/json");
    http_response(req, status, body, length);
}

static void refuse(struct http_request *req, int status, const char *codes)
{
    answer(req, status, codes, strlen(codes));
}

int health(struct http_request *req)
{
    static const char BODY[] = "{\"success\":true,\"ver\":1}";

    answer(req, 200, BODY, strlen(BODY));
    return KORE_RESULT_OK;
}

/* Whether the connection has what it needs; what hasn't is noted, as it will have it next. */
static int is_prepared(PGconn *connection)
{
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        if (prepared[i] == connection)
            return 1;
        if (prepared[i] == NULL) {
            prepared[i] = connection;
            return 0;
        }
    }
    fatal("more than %d connections", CONNECTIONS_MAX);
}

/* Kept with the request, as kore calls a state again for every step of its statement. */
struct asked {
    struct kore_pgsql sql;
    int is_preparing;
    char execute[EXECUTE_MAX];
};

enum { STATE_ASK, STATE_WAIT };

static int ask(struct http_request *req);
static int wait_for_rows(struct http_request *req);

static struct http_state states[] = {
    [STATE_ASK] = {"ask", ask},
    [STATE_WAIT] = {"wait", wait_for_rows},
};

static void release(struct http_request *req)
{
    struct asked *asked = http_state_get(req);

    kore_pgsql_cleanup(&asked->sql);
}

static void begin(struct http_request *req, struct asked *asked)
{
    kore_pgsql_init(&asked->sql);
    kore_pgsql_bind_request(&asked->sql, req);
    req->fsm_state = STATE_ASK;
}

static struct asked *new_asked(struct http_request *req)
{
    struct asked *asked = http_state_create(req, sizeof *asked, release);

    asked->is_preparing = 0;
    begin(req, asked);
    return asked;
}

static int fail(struct http_request *req, struct asked *asked)
{
    kore_pgsql_logerror(&asked->sql);
    refuse(req, 500, "[\"generic_500\"]");
    return HTTP_STATE_COMPLETE;
}

static int ask(struct http_request *req)
{
    struct asked *asked = http_state_get(req);

    if (!kore_pgsql_setup(&asked->sql, "db", KORE_PGSQL_ASYNC)) {
        /* Still at the start: every connection is busy, and one that becomes free wakes us. */
        return asked->sql.state == KORE_PGSQL_STATE_INIT ? HTTP_STATE_RETRY : fail(req, asked);
    }
    asked->is_preparing = !is_prepared(asked->sql.conn->db);
    if (!kore_pgsql_query(&asked->sql, asked->is_preparing ? prepares : asked->execute))
        return fail(req, asked);
    req->fsm_state = STATE_WAIT;
    return HTTP_STATE_RETRY;
}

static void take_rows(struct http_request *req, struct asked *asked)
{
    if (kore_pgsql_ntuples(&asked->sql) == 0) {
        refuse(req, 404, "[\"not_found\"]");
    } else {
        answer(req, 200, kore_pgsql_getvalue(&asked->sql, 0, 1),
               (size_t)kore_pgsql_getlength(&asked->sql, 0, 1));
    }
}

static int wait_for_rows(struct http_request *req)
{
    struct asked *asked = http_state_get(req);

    switch (asked->sql.state) {
    case KORE_PGSQL_STATE_WAIT:
        return HTTP_STATE_RETRY;
    case KORE_PGSQL_STATE_COMPLETE:
        if (!asked->is_preparing)
            return HTTP_STATE_COMPLETE;
        /* The connection went back; the next one to be had may be another. */
        kore_pgsql_cleanup(&asked->sql);
        begin(req, asked);
        return HTTP_STATE_CONTINUE;
    case KORE_PGSQL_STATE_ERROR:
        return fail(req, asked);
    case KORE_PGSQL_STATE_RESULT:
        take_rows(req, asked);
        break;
    default:
        break;
    }
    kore_pgsql_continue(&asked->sql);
    return HTTP_STATE_RETRY;
}

int home(struct http_request *req)
{
    char *limit = "50";

    if (!http_state_exists(req)) {
        http_populate_qs(req);
        http_argument_get_string(req, "limit", &limit);
        snprintf(new_asked(req)->execute, EXECUTE_MAX, "execute home(%.3s, null, null)", limit);
    }
    return http_state_run(states, sizeof states / sizeof states[0], req);
}

int show(struct http_request *req)
{
    if (!http_state_exists(req)) {
        const char *uuid = strrchr(req->path, '/') + 1;

        snprintf(new_asked(req)->execute, EXECUTE_MAX, "execute show('%.36s', null, null, null)",
                 uuid);
    }
    return http_state_run(states, sizeof states / sizeof states[0], req);
}
