/* The mapping of OTLP to JSON differs from protobuf's own in the ids, which are hex and not base64.
 * 64-bit integers are strings, enumerations are numbers. Spans come from memory that workers write,
 * so a text ends at its size at the latest, even without a NUL.
 *
 * One attribute that the conventions require is left out: url.path, because it has handles and
 * UUIDs in it. http.route has none. */
#include "exporter/otlp.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/trace.h"
#include "shared/spans.h"

/* Numbers of trace.proto. */
enum { KIND_SERVER = 2, KIND_CLIENT = 3 };
static const char STATUS_ERROR[] = "\"code\":2";
enum { FLAG_SAMPLED = 1, FLAG_HAS_IS_REMOTE = 0x100, FLAG_IS_REMOTE = 0x200 };

enum { SPAN_TEXT_SIZE = SPAN_NAME_SIZE + 1 /* of the longest text of a span, with a NUL */ };

/* A list of attributes that is being written. */
struct attributes {
    struct buf *json;
    bool has_one;
};

static struct attributes attributes_begin(struct buf *json)
{
    buf_text(json, "\"attributes\":[");
    return (struct attributes){.json = json};
}

static void begin_attribute(struct attributes *attributes, const char *key)
{
    buf_printf(attributes->json, "%s{\"key\":\"%s\",\"value\":", attributes->has_one ? "," : "",
               key);
    attributes->has_one = true;
}

/* An empty text is left out. */
static void add_text(struct attributes *attributes, const char *key, const char *text)
{
    if (*text != '\0') {
        begin_attribute(attributes, key);
        buf_text(attributes->json, "{\"stringValue\":\"");
        buf_json_escaped(attributes->json, text);
        buf_text(attributes->json, "\"}}");
    }
}

static void add_integer(struct attributes *attributes, const char *key, int64_t number)
{
    begin_attribute(attributes, key);
    buf_printf(attributes->json, "{\"intValue\":\"%" PRId64 "\"}}", number);
}

static void attributes_end(const struct attributes *attributes)
{
    buf_char(attributes->json, ']');
}

/* A text of a span, of size bytes at most; out has SPAN_TEXT_SIZE. */
static const char *span_text(const char *text, size_t size, char out[static SPAN_TEXT_SIZE])
{
    size_t length = strnlen(text, size);

    memcpy(out, text, length);
    out[length] = '\0';
    return out;
}

static void write_id(struct buf *json, const char *key, const unsigned char *id, size_t size)
{
    char text[2 * TRACE_ID_SIZE + 1];

    trace_id_text(id, size, text);
    buf_printf(json, "\"%s\":\"%s\",", key, text);
}

/* --- one span --- */

static void write_request_name(struct buf *json, const char *method, const char *route)
{
    buf_json_escaped(json, *method != '\0' ? method : "HTTP");
    if (*route != '\0') {
        buf_char(json, ' ');
        buf_json_escaped(json, route);
    }
}

/* Semantic conventions for HTTP spans, server. */
static void add_request(struct attributes *attributes, const struct span *span, const char *method,
                        const char *route)
{
    char number[8], outcome[SPAN_TEXT_SIZE];

    snprintf(number, sizeof number, "%u", (unsigned)span->http_status);
    add_text(attributes, "http.request.method", *method != '\0' ? method : "_OTHER");
    add_text(attributes, "http.route", route);
    add_text(attributes, "url.scheme",
             span->scheme == SPAN_SCHEME_HTTPS  ? "https"
             : span->scheme == SPAN_SCHEME_HTTP ? "http"
                                                : "");
    add_integer(attributes, "http.response.status_code", span->http_status);
    add_text(attributes, "error.type", span->is_failed ? number : "");
    add_text(attributes, "cruddur.outcome", span_text(span->outcome, SPAN_OUTCOME_SIZE, outcome));
}

/* Semantic conventions for database client spans. db.system is the older name of db.system.name. */
static void add_statement_attributes(struct attributes *attributes, const struct span *span,
                                     const char *template)
{
    char outcome[SPAN_TEXT_SIZE], sqlstate[SPAN_TEXT_SIZE];

    span_text(span->outcome, SPAN_OUTCOME_SIZE, outcome);
    span_text(span->sqlstate, SPAN_SQLSTATE_SIZE, sqlstate);
    add_text(attributes, "db.system.name", "postgresql");
    add_text(attributes, "db.system", "postgresql");
    add_text(attributes, "db.query.summary", template);
    add_text(attributes, "db.operation.name", template);
    add_integer(attributes, "db.response.returned_rows", span->rows);
    add_text(attributes, "db.response.status_code", sqlstate);
    if (span->is_failed) {
        add_text(attributes, "error.type", *sqlstate != '\0' ? sqlstate : outcome);
    }
    add_text(attributes, "cruddur.outcome", outcome);
}

static void write_identity(struct buf *json, const struct span *span)
{
    write_id(json, "traceId", span->trace_id, TRACE_ID_SIZE);
    write_id(json, "spanId", span->id, SPAN_ID_SIZE);
    if (!trace_id_is_zero(span->parent_id, SPAN_ID_SIZE)) {
        write_id(json, "parentSpanId", span->parent_id, SPAN_ID_SIZE);
    }
    buf_printf(json, "\"flags\":%d,",
               FLAG_SAMPLED | FLAG_HAS_IS_REMOTE | (span->has_remote_parent ? FLAG_IS_REMOTE : 0));
}

static void write_span(struct buf *json, const struct span *span)
{
    bool is_statement = span->kind == SPAN_STATEMENT;
    char name[SPAN_TEXT_SIZE], method[SPAN_TEXT_SIZE];

    span_text(span->name, SPAN_NAME_SIZE, name);
    span_text(span->method, SPAN_METHOD_SIZE, method);
    buf_char(json, '{');
    write_identity(json, span);
    buf_text(json, "\"name\":\"");
    if (is_statement) {
        buf_json_escaped(json, name);
    } else {
        write_request_name(json, method, name);
    }
    buf_printf(json,
               "\",\"kind\":%d,\"startTimeUnixNano\":\"%" PRId64 "\",\"endTimeUnixNano\":\"%" PRId64
               "\",",
               is_statement ? KIND_CLIENT : KIND_SERVER, span->start_ns, span->end_ns);
    struct attributes attributes = attributes_begin(json);
    if (is_statement) {
        add_statement_attributes(&attributes, span, name);
    } else {
        add_request(&attributes, span, method, name);
    }
    attributes_end(&attributes);
    buf_printf(json, ",\"status\":{%s}}", span->is_failed ? STATUS_ERROR : "");
}

/* --- the request --- */

static void write_resource(struct buf *json, const struct otlp_resource *resource)
{
    buf_text(json, "\"resource\":{");
    struct attributes attributes = attributes_begin(json);

    add_text(&attributes, "service.name", "cruddur");
    add_text(&attributes, "service.version", resource->version);
    add_text(&attributes, "host.name", resource->host);
    add_integer(&attributes, "process.pid", resource->pid);
    add_text(&attributes, "process.executable.name", "cruddurd");
    attributes_end(&attributes);
    buf_char(json, '}');
}

void otlp_write(struct buf *json, const struct otlp_resource *resource,
                const struct span *const *spans, size_t count)
{
    buf_text(json, "{\"resourceSpans\":[{");
    write_resource(json, resource);
    buf_printf(json,
               ",\"scopeSpans\":[{\"scope\":{\"name\":\"cruddurd\",\"version\":\"%s\"},"
               "\"spans\":[",
               resource->version);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_char(json, ',');
        }
        write_span(json, spans[i]);
    }
    buf_text(json, "]}]}]}");
}

/* --- the answer --- */

/* A collector writes a number, or a string as the mapping requires. */
static int64_t rejected_spans(const struct json *partial)
{
    const char *text;
    int64_t number = 0;

    if (json_member(partial, "rejectedSpans", &text) == JSON_STRING) {
        return strtoll(text, NULL, 10);
    }
    return json_integer(partial, "rejectedSpans", &number) ? number : 0;
}

size_t otlp_rejected(const char *answer, size_t length, size_t count)
{
    struct json *document = json_parse(answer, length);
    const struct json *partial =
        document != NULL ? json_member_object(document, "partialSuccess") : NULL;
    int64_t rejected = partial != NULL ? rejected_spans(partial) : 0;

    json_free(document);
    if (rejected <= 0) {
        return 0;
    }
    return (uint64_t)rejected < count ? (size_t)rejected : count;
}
