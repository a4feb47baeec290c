/* A request's life from its parameters to its answer, without a database. */
#include "worker/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/activities.h"
#include "api/health.h"
#include "api/users.h"
#include "base/json.h"
#include "base/log.h"
#include "capture.h"
#include "config/config.h"
#include "shared/spans.h"
#include "unit.h"
#include "worker/service.h"
#include "worker/tracer.h"

enum { PARAMETERS_MAX = 8, BODY_MAX = 200 };

#define UUID "5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a418"
#define ID "HTTP_X_REQUEST_ID=id-1"
#define JSON "CONTENT_TYPE=application/json"
#define LOCAL "REMOTE_ADDR=127.0.0.1"
#define POST "{\"message\":\"m\",\"handle\":\"bayko\",\"ttl\":\"1-day\"}"

static struct config config = {.body_max = BODY_MAX, .identity = IDENTITY_HANDLE};
static struct service service;
static const struct service_links links = {.epoll_fd = -1};
static struct exchange exchange;
static bool over_no_network; /* whether requests arrive from this host */

static int set_up(void **state)
{
    (void)state;
    service_init(&service, &config, NULL, "test", &links); /* nothing is submitted here */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    exchange_release(&exchange);
    service_release(&service);
    return 0;
}

struct asked {
    const char *method;
    const char *uri;
    const char *body; /* NULL: none */
    const char *more[4];
};

static enum decision begin_as(const struct asked *asked, enum status arrived)
{
    static char *parameters[PARAMETERS_MAX];
    size_t count = 0;

    exchange_release(&exchange);
    struct arena *arena = &exchange.arena;
    size_t length = asked->body != NULL ? strlen(asked->body) : 0;
    struct exchange_input input = {
        .status = arrived,
        .body = asked->body != NULL ? asked->body : "",
        .body_length = length,
        .is_local = over_no_network,
    };
    parameters[count++] = arena_printf(arena, "REQUEST_METHOD=%s", asked->method);
    parameters[count++] = arena_printf(arena, "REQUEST_URI=%s", asked->uri);
    parameters[count++] = arena_printf(arena, "CONTENT_LENGTH=%zu", length);
    for (size_t i = 0; i < COUNT_OF(asked->more) && asked->more[i] != NULL; i++) {
        parameters[count++] = arena_printf(arena, "%s", asked->more[i]);
    }
    parameters[count] = NULL;
    return exchange_begin(&exchange, &service, parameters, &input);
}

/* The head and the body that go out. */
static const char *answer(const char **body, size_t *body_length)
{
    const char *head;
    size_t head_length;

    exchange_answer(&exchange, &head, &head_length, body, body_length);
    assert_int_equal(head_length, strlen(head));
    return head;
}

static void expect_answer(const char *label, const char *status_line, const char *header,
                          const char *wanted)
{
    const char *body;
    size_t length;
    const char *head = answer(&body, &length);

    expect(label, strncmp(head, status_line, strlen(status_line)) == 0);
    expect_within(label, head, header);
    expect_within(label, head, "X-Request-Id: ");
    expect_within(label, head, "nosniff");
    expect_integer(label, (long long)length, (long long)strlen(wanted));
    expect_text(label, length > 0 ? body : "", wanted);
}

static void test_finished_without_the_database(void **state)
{
    static const struct {
        struct asked asked;
        const char *status_line;
        const char *header;
        const char *body;
    } rows[] = {
        {{"GET", "/livez", NULL, {ID}},
         "Status: 200 OK\r\n",
         "X-Request-Id: id-1\r\n",
         "{\"success\":true,\"ver\":1}"},
        {{"GET", "/api/health-check", NULL, {NULL}},
         "Status: 200 OK\r\n",
         "Content-Length: 24\r\n",
         "{\"success\":true,\"ver\":1}"},
        {{"HEAD", "/livez", NULL, {NULL}}, "Status: 200 OK\r\n", "Content-Length: 24\r\n", ""},
        {{"GET", "/nowhere", NULL, {NULL}},
         "Status: 404 Not Found\r\n",
         "application/json\r\n",
         "[\"not_found\"]"},
        {{"HEAD", "/nowhere", NULL, {NULL}},
         "Status: 404 Not Found\r\n",
         "Content-Length: 13\r\n",
         ""},
        {{"DELETE", "/livez", NULL, {NULL}},
         "Status: 405 Method Not Allowed\r\n",
         "Allow: GET, HEAD, OPTIONS\r\n",
         "[\"method_not_allowed\"]"},
        {{"OPTIONS", "/api/activities", NULL, {NULL}},
         "Status: 204 No Content\r\n",
         "Allow: POST, OPTIONS\r\n",
         ""},
        {{"OPTIONS", "/nowhere", NULL, {NULL}},
         "Status: 404 Not Found\r\n",
         "application/json\r\n",
         "[\"not_found\"]"},
        {{"PROPFIND", "/livez", NULL, {NULL}},
         "Status: 501 Not Implemented\r\n",
         "application/json\r\n",
         "[\"not_implemented\"]"},
        {{"GET", "/%zz", NULL, {ID, "HTTP_ACCEPT=application/problem+json"}},
         "Status: 400 Bad Request\r\n",
         "application/problem+json\r\n",
         "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
         "\"codes\":[\"malformed_request\"],\"request_id\":\"id-1\"}"},
        {{"GET", "/api/activities/home?limit=0", NULL, {NULL}},
         "Status: 422 Unprocessable Content\r\n",
         "application/json\r\n",
         "[\"limit_invalid\"]"},
        {{"GET", "/api/activities/home?cursor=x", NULL, {NULL}},
         "Status: 422 Unprocessable Content\r\n",
         "application/json\r\n",
         "[\"cursor_invalid\"]"},
        {{"POST", "/api/activities", POST, {LOCAL, "CONTENT_TYPE=text/plain"}},
         "Status: 415 Unsupported Media Type\r\n",
         "application/json\r\n",
         "[\"content_type_unsupported\"]"},
        {{"POST", "/api/activities", "{}", {LOCAL, JSON}},
         "Status: 422 Unprocessable Content\r\n",
         "application/json\r\n",
         "[\"message_blank\",\"user_handle_blank\",\"ttl_blank\"]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *label = rows[i].asked.uri;

        expect_integer(label, begin_as(&rows[i].asked, STATUS_OK), DECISION_RESPOND);
        expect_answer(label, rows[i].status_line, rows[i].header, rows[i].body);
    }
}

static void test_asks_the_database(void **state)
{
    static const struct {
        struct asked asked;
        const struct statement_def *statement;
        const char *route;
    } rows[] = {
        {{"GET", "/readyz", NULL, {NULL}}, &HEALTH_READY, "/readyz"},
        {{"GET", "/api/activities/home?limit=200", NULL, {NULL}},
         &ACTIVITIES_HOME,
         "/api/activities/home"},
        /* A bad token counts as no token on a route that needs none. */
        {{"HEAD", "/api/activities/home", NULL, {"HTTP_AUTHORIZATION=Bearer null"}},
         &ACTIVITIES_HOME,
         "/api/activities/home"},
        {{"GET", "/api/activities/" UUID, NULL, {NULL}},
         &ACTIVITIES_SHOW,
         "/api/activities/{uuid}"},
        {{"GET", "/api/users/@bayko/short", NULL, {NULL}},
         &USERS_SHORT,
         "/api/users/@{handle}/short"},
        {{"POST", "/api/activities", POST, {LOCAL, JSON}}, &ACTIVITIES_CREATE, "/api/activities"},
        /* A body is ignored on a route that takes none. */
        {{"GET", "/readyz", "\xff", {NULL}}, &HEALTH_READY, "/readyz"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_integer(rows[i].asked.uri, begin_as(&rows[i].asked, STATUS_OK), DECISION_ASK);
        expect(rows[i].asked.uri, exchange.statement.def == rows[i].statement);
        expect_text(rows[i].asked.uri, exchange.route, rows[i].route);
    }
}

static void test_identity_before_body(void **state)
{
    static const struct asked rows[] = {
        {"POST", "/api/activities", POST, {LOCAL, JSON, "HTTP_AUTHORIZATION=Bearer x"}},
        {"POST", "/api/activities", "\xff", {LOCAL, "HTTP_AUTHORIZATION="}},
        {"POST", "/api/activities", POST, {JSON, "REMOTE_ADDR=10.0.0.1"}},
        {"POST", "/api/activities", POST, {JSON}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(begin_as(&rows[i], STATUS_OK), DECISION_RESPOND);
        expect_answer("refused", "Status: 401 Unauthorized\r\n", "WWW-Authenticate: Bearer\r\n",
                      "[\"generic_401\"]");
    }
    service.identity.mode = IDENTITY_TOKEN;
    begin_as(&(struct asked){"POST", "/api/activities", POST, {LOCAL, JSON}}, STATUS_OK);
    service.identity.mode = IDENTITY_HANDLE;
    expect_answer("token mode", "Status: 401", "WWW-Authenticate: Bearer\r\n", "[\"generic_401\"]");
}

static void test_over_no_network(void **state)
{
    static const struct asked local = {"POST", "/api/activities", POST, {JSON}};
    static const struct asked told = {
        "POST", "/api/activities", POST, {JSON, "REMOTE_ADDR=10.0.0.1"}};

    (void)state;
    over_no_network = true;
    enum decision decision = begin_as(&local, STATUS_OK);
    enum decision of_a_stranger = begin_as(&told, STATUS_OK);
    over_no_network = false;
    assert_int_equal(decision, DECISION_ASK);
    assert_int_equal(of_a_stranger, DECISION_RESPOND);
    expect_answer("a stranger", "Status: 401 ", "", "[\"generic_401\"]");
}

static void test_body_limit(void **state)
{
    char body[BODY_MAX + 2];

    (void)state;
    memset(body, ' ', sizeof body);
    memcpy(body, POST, sizeof POST - 1);
    body[BODY_MAX] = '\0';
    struct asked asked = {"POST", "/api/activities", body, {LOCAL, JSON}};
    assert_int_equal(begin_as(&asked, STATUS_OK), DECISION_ASK);
    body[BODY_MAX] = ' ';
    body[BODY_MAX + 1] = '\0';
    assert_int_equal(begin_as(&asked, STATUS_OK), DECISION_RESPOND);
    expect_answer("one more", "Status: 413 ", "", "[\"body_too_large\"]");
}

/* The signature is dated a thousand years from now, so a good MAC gets another code than a wrong
 * one. */
static void test_hook(void **state)
{
#define HOOK "/api/hooks/cognito/post-confirmation"
#define SIGNATURE "HTTP_X_CRUDDUR_SIGNATURE="
#define EXPIRED                                                                                    \
    SIGNATURE "t=33256915200,v1="                                                                  \
              "07b2135d9648ecb266ccc21ee1734622e1e90d55fb377574f06d50bb1cf3a1d9"
    static const struct {
        struct asked asked;
        const char *status_line;
        const char *body;
    } rows[] = {
        {{"POST", HOOK, "{}", {JSON}}, "Status: 401 Unauthorized\r\n", "[\"signature_invalid\"]"},
        {{"POST", HOOK, "{}", {JSON, EXPIRED}},
         "Status: 401 Unauthorized\r\n",
         "[\"signature_expired\"]"},
        {{"POST", HOOK, "{} ", {JSON, EXPIRED}},
         "Status: 401 Unauthorized\r\n",
         "[\"signature_invalid\"]"},
        /* The signature is checked before everything that the body gate checks. */
        {{"POST", HOOK, "\xff", {"CONTENT_TYPE=text/plain", SIGNATURE "t=1,v1=2"}},
         "Status: 401 Unauthorized\r\n",
         "[\"signature_invalid\"]"},
        {{"OPTIONS", HOOK, NULL, {NULL}}, "Status: 204 No Content\r\n", ""},
    };

    (void)state;
    config.hook_secret_fd = memfd_create("secret", MFD_CLOEXEC);
    assert_int_equal(write(config.hook_secret_fd, "0123456789abcdef0123456789abcdef", 32), 32);
    tear_down(NULL);
    set_up(NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(begin_as(&rows[i].asked, STATUS_OK), DECISION_RESPOND);
        expect_answer(rows[i].body, rows[i].status_line, "", rows[i].body);
    }
    close(config.hook_secret_fd);
    config.hook_secret_fd = 0;
    tear_down(NULL);
    set_up(NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(begin_as(&rows[i].asked, STATUS_OK), DECISION_RESPOND);
        expect_answer("no secret", "Status: 404 Not Found\r\n", "", "[\"not_found\"]");
    }
}

static void test_rest_never_came(void **state)
{
    static const struct asked asked = {"POST", "/api/activities", "{", {JSON}};

    (void)state;
    assert_int_equal(begin_as(&asked, STATUS_REQUEST_TIMEOUT), DECISION_RESPOND);
    expect_answer("timeout", "Status: 408 ", "", "[\"request_timeout\"]");
    assert_int_equal(begin_as(&asked, STATUS_BODY_TOO_LARGE), DECISION_RESPOND);
    expect_answer("oversize", "Status: 413 ", "", "[\"body_too_large\"]");
}

static void test_result(void **state)
{
    static const struct asked asked = {"GET", "/api/activities/" UUID, NULL, {NULL}};
    const struct result found = {.outcome = "ok", .body = "{\"a\":1}", .body_length = 7};
    const struct result missing = {.outcome = NULL};
    const struct result late = {.status = STATUS_DATABASE_TIMEOUT, .sqlstate = "57014"};

    (void)state;
    begin_as(&asked, STATUS_OK);
    exchange_result(&exchange, &found, NULL);
    expect_answer("found", "Status: 200 OK\r\n", "Content-Length: 7\r\n", "{\"a\":1}");
    begin_as(&asked, STATUS_OK);
    exchange_result(&exchange, &missing, NULL);
    expect_answer("missing", "Status: 404 ", "", "[\"not_found\"]");
    begin_as(&asked, STATUS_OK);
    exchange_result(&exchange, &late, NULL);
    expect_answer("late", "Status: 504 ", "Retry-After: 1\r\n", "[\"database_timeout\"]");
    expect_text("sqlstate", exchange.sqlstate, "57014");
}

/* The one line that a finished exchange logs. */
static struct json *logged(void)
{
    struct buf text = {0};

    log_setup(LOG_INFO, LOG_FORMAT_JSON);
    capture_start();
    exchange_report(&exchange);
    size_t lines = capture_stop(&text);
    assert_int_equal(lines, 1);
    static const char *const canaries[] = {"bayko", "limit=", UUID, "10.0.0.1", "s3cret", "Hello"};
    for (size_t i = 0; i < COUNT_OF(canaries); i++) {
        expect_not_within("the log", text.bytes, canaries[i]);
    }
    struct json *line = json_parse(text.bytes, text.length);
    assert_non_null(line);
    buf_release(&text);
    return line;
}

static void expect_logged(const struct json *line, const char *key, const char *wanted)
{
    const char *value;

    json_member(line, key, &value);
    expect_text(key, value, wanted);
}

static void test_log_line(void **state)
{
    static const struct asked asked = {
        "POST",
        "/api/activities?limit=5",
        "{\"message\":\"Hello\",\"handle\":\"bayko\",\"ttl\":\"1-day\"}",
        {JSON, ID, "HTTP_AUTHORIZATION=Bearer s3cret", "REMOTE_ADDR=10.0.0.1"}};
    static const struct asked odd = {"BREW", "/bayko/" UUID, NULL, {NULL}};

    (void)state;
    begin_as(&asked, STATUS_OK);
    struct json *line = logged();
    expect_logged(line, "event", "request");
    expect_logged(line, "request_id", "id-1");
    expect_logged(line, "method", "POST");
    expect_logged(line, "route", "/api/activities");
    expect_logged(line, "sqlstate", NULL);
    expect_logged(line, "code", "generic_401");
    json_free(line);
    begin_as(&odd, STATUS_OK);
    line = logged();
    expect_logged(line, "method", "-");
    expect_logged(line, "route", "-");
    json_free(line);
}

/* Reports the exchange. Returns its span, or NULL if none was written to the ring. */
static const struct span *reported(struct span_ring *ring)
{
    size_t before = span_ring_waiting(ring);

    log_setup(LOG_ERROR, LOG_FORMAT_JSON);
    exchange_report(&exchange);
    return span_ring_waiting(ring) > before ? span_ring_at(ring, before) : NULL;
}

static void test_span(void **state)
{
    static const struct asked asked = {
        "GET",
        "/api/activities/@bayko",
        NULL,
        {"HTTP_TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
         "REQUEST_SCHEME=https"}};
    struct result late = {
        .status = STATUS_DATABASE_TIMEOUT, .sqlstate = "57014", .microseconds = 7};
    struct span_ring *ring = aligned_alloc(_Alignof(struct span_ring), sizeof *ring);

    (void)state;
    memset(ring, 0, sizeof *ring);
    service.tracer = tracer_new(ring, 0);
    assert_int_equal(begin_as(&asked, STATUS_OK), DECISION_ASK);
    tracer_statement(service.tracer, &exchange.statement, exchange.started_us, &late);
    exchange_result(&exchange, &late, NULL);
    const char *body;
    size_t length;
    answer(&body, &length);
    const struct span *request = reported(ring), *statement = span_ring_at(ring, 0);
    assert_non_null(request);
    expect_text("method", request->method, "GET");
    expect_text("route", request->name, "/api/activities/@{handle}");
    expect_text("outcome", request->outcome, "database_timeout");
    expect_integer("status", request->http_status, 504);
    expect_integer("scheme", request->scheme, SPAN_SCHEME_HTTPS);
    assert_true(request->is_failed && request->has_remote_parent);
    assert_memory_equal(request->parent_id, "\xb7\xad\x6b\x71\x69\x20\x33\x31", SPAN_ID_SIZE);
    expect_integer("kind", statement->kind, SPAN_STATEMENT);
    expect_text("template", statement->name, USERS_FEED.name);
    expect_text("sqlstate", statement->sqlstate, "57014");
    assert_true(statement->is_failed && !statement->has_remote_parent);
    assert_memory_equal(statement->trace_id, request->trace_id, TRACE_ID_SIZE);
    assert_memory_equal(statement->parent_id, request->id, SPAN_ID_SIZE);
    expect_integer("ns", statement->end_ns - statement->start_ns, 7000);
    expect_integer("begin", statement->start_ns, request->start_ns);
    /* At 0 percent, a request without a sampled traceparent is not recorded. */
    begin_as(&(struct asked){"GET", "/livez", NULL, {NULL}}, STATUS_OK);
    assert_null(reported(ring));
    tracer_free(service.tracer);
    service.tracer = NULL;
    free(ring);
}

static void test_nothing_is_left_of_the_one_before(void **state)
{
    const struct result late = {.status = STATUS_DATABASE_TIMEOUT, .sqlstate = "57014"};

    (void)state;
    begin_as(&(struct asked){"GET", "/api/activities/home?limit=3", NULL, {NULL}}, STATUS_OK);
    exchange_result(&exchange, &late, NULL);
    begin_as(&(struct asked){"GET", "/livez", NULL, {NULL}}, STATUS_OK);
    const char *body;
    size_t length;
    expect_not_within("head", answer(&body, &length), "Retry-After");
    expect_text("sqlstate", exchange.sqlstate, "");
    assert_int_equal(exchange.database_us, 0);
    assert_null(exchange.response.failure);
    assert_null(exchange.call.page.limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_finished_without_the_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asks_the_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_identity_before_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_over_no_network, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_body_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hook, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rest_never_came, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_span, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_left_of_the_one_before, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
