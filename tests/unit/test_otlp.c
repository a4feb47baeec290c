/* Spans as OTLP/HTTP's JSON, and what a collector answers. */
#include "exporter/otlp.h"

#include "base/buf.h"
#include "base/json.h"
#include "shared/spans.h"
#include "unit.h"

#define TRACE                                                                                      \
    {                                                                                              \
        0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31,  \
            0x9c                                                                                   \
    }

static const struct otlp_resource RESOURCE = {.version = "1.2", .host = "a\"host", .pid = 42};

static const struct span REQUEST = {
    .trace_id = TRACE,
    .id = {1, 2, 3, 4, 5, 6, 7, 8},
    .parent_id = {0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31},
    .start_ns = INT64_C(1700000000123456789),
    .end_ns = INT64_C(1700000000123456790),
    .http_status = 503,
    .kind = SPAN_REQUEST,
    .scheme = SPAN_SCHEME_HTTPS,
    .is_failed = true,
    .has_remote_parent = true,
    .method = "GET",
    .name = "/api/activities/@{handle}",
    .outcome = "service_unavailable",
};

static const struct span STATEMENT = {
    .trace_id = TRACE,
    .id = {9, 9, 9, 9, 9, 9, 9, 9},
    .parent_id = {1, 2, 3, 4, 5, 6, 7, 8},
    .start_ns = 1,
    .end_ns = 2,
    .kind = SPAN_STATEMENT,
    .rows = 1,
    .name = "users/feed",
    .outcome = "ok",
};

static void expect_json(const struct span *const *spans, size_t count, const char *wanted)
{
    struct buf json = {0};

    otlp_write(&json, &RESOURCE, spans, count);
    expect_text("json", json.bytes, wanted);
    struct json *document = json_parse(json.bytes, json.length);
    expect("it is JSON", document != NULL);
    json_free(document);
    buf_release(&json);
}

#define HEAD                                                                                       \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":["                                          \
    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"cruddur\"}},"                          \
    "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"1.2\"}},"                           \
    "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"a\\\"host\"}},"                           \
    "{\"key\":\"process.pid\",\"value\":{\"intValue\":\"42\"}},"                                   \
    "{\"key\":\"process.executable.name\",\"value\":{\"stringValue\":\"cruddurd\"}}]},"            \
    "\"scopeSpans\":[{\"scope\":{\"name\":\"cruddurd\",\"version\":\"1.2\"},\"spans\":["
#define TAIL "]}]}]}"

static void test_spans(void **state)
{
    const struct span *const both[] = {&REQUEST, &STATEMENT};

    (void)state;
    expect_json(
        both, 2,
        HEAD
        "{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"0102030405060708\","
        "\"parentSpanId\":\"b7ad6b7169203331\",\"flags\":769,"
        "\"name\":\"GET /api/activities/@{handle}\",\"kind\":2,"
        "\"startTimeUnixNano\":\"1700000000123456789\","
        "\"endTimeUnixNano\":\"1700000000123456790\",\"attributes\":["
        "{\"key\":\"http.request.method\",\"value\":{\"stringValue\":\"GET\"}},"
        "{\"key\":\"http.route\",\"value\":{\"stringValue\":\"/api/activities/@{handle}\"}},"
        "{\"key\":\"url.scheme\",\"value\":{\"stringValue\":\"https\"}},"
        "{\"key\":\"http.response.status_code\",\"value\":{\"intValue\":\"503\"}},"
        "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"503\"}},"
        "{\"key\":\"cruddur.outcome\",\"value\":{\"stringValue\":\"service_unavailable\"}}],"
        "\"status\":{\"code\":2}},"
        "{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"0909090909090909\","
        "\"parentSpanId\":\"0102030405060708\",\"flags\":257,\"name\":\"users/feed\","
        "\"kind\":3,\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":\"2\",\"attributes\":["
        "{\"key\":\"db.system.name\",\"value\":{\"stringValue\":\"postgresql\"}},"
        "{\"key\":\"db.system\",\"value\":{\"stringValue\":\"postgresql\"}},"
        "{\"key\":\"db.query.summary\",\"value\":{\"stringValue\":\"users/feed\"}},"
        "{\"key\":\"db.operation.name\",\"value\":{\"stringValue\":\"users/feed\"}},"
        "{\"key\":\"db.response.returned_rows\",\"value\":{\"intValue\":\"1\"}},"
        "{\"key\":\"cruddur.outcome\",\"value\":{\"stringValue\":\"ok\"}}],\"status\":{}}" TAIL);
    expect_json(NULL, 0, HEAD TAIL);
}

static void expect_span(const struct span *span, const char *wanted)
{
    struct buf json = {0};

    otlp_write(&json, &RESOURCE, &span, 1);
    expect_within("span", json.bytes, wanted);
    buf_release(&json);
}

static void test_what_is_not_there(void **state)
{
    struct span span = REQUEST;

    (void)state;
    memset(span.parent_id, 0, sizeof span.parent_id);
    expect_span(&span, "\"spanId\":\"0102030405060708\",\"flags\":");
    span.method[0] = '\0';
    expect_span(&span, "\"name\":\"HTTP /api/activities/@{handle}\"");
    expect_span(&span, "{\"stringValue\":\"_OTHER\"}");
    span.name[0] = '\0';
    expect_span(&span, "\"name\":\"HTTP\"");
    expect_span(&span, "{\"stringValue\":\"_OTHER\"}},{\"key\":\"url.scheme\"");
    span.scheme = SPAN_SCHEME_UNKNOWN;
    expect_span(&span, "{\"stringValue\":\"_OTHER\"}},{\"key\":\"http.response.status_code\"");
}

static void test_errors_of_statements(void **state)
{
    struct span span = STATEMENT;

    (void)state;
    span.is_failed = true;
    strcpy(span.outcome, "service_unavailable");
    expect_span(&span,
                "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"service_unavailable\"}}");
    memcpy(span.sqlstate, "57014", SPAN_SQLSTATE_SIZE);
    expect_span(&span,
                "{\"key\":\"db.response.status_code\",\"value\":{\"stringValue\":\"57014\"}}");
    expect_span(&span, "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"57014\"}}");
    expect_span(&span, "\"status\":{\"code\":2}");
}

/* The result is one JSON text, whatever bytes a worker has written into the span. */
static void test_garbage(void **state)
{
    struct span span;

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        struct buf json = {0};
        const struct span *one = &span;

        memset(&span, byte, sizeof span);
        otlp_write(&json, &RESOURCE, &one, 1);
        struct json *document = json_parse(json.bytes, json.length);
        expect(json.bytes, document != NULL);
        json_free(document);
        buf_release(&json);
    }
}

static void test_rejected(void **state)
{
    static const struct {
        const char *answer;
        size_t rejected;
    } rows[] = {
        {"", 0},
        {"{}", 0},
        {"<html>", 0},
        {"{\"partialSuccess\":{}}", 0},
        {"{\"partialSuccess\":null}", 0},
        {"{\"partialSuccess\":[]}", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"7\",\"errorMessage\":\"no\"}}", 7},
        {"{\"partialSuccess\":{\"rejectedSpans\":7}}", 7},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"0\"}}", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"-1\"}}", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"x\"}}", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":true}}", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"10\"}}", 10},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"11\"}}", 10},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"99999999999999999999\"}}", 10},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t rejected = otlp_rejected(rows[i].answer, strlen(rows[i].answer), 10);

        expect_integer(rows[i].answer, (long long)rejected, (long long)rows[i].rejected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_errors_of_statements),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_rejected),
    };

    return cmocka_run_group_tests_name("otlp", tests, NULL, NULL);
}
