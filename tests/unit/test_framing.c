/* The parser of FastCGI records. */
#include "http/framing.h"

#include <fastcgi.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "unit.h"

enum { ID = 1 };

struct header {
    unsigned version, type, id;
    size_t content;
    unsigned padding;
};

static void add_header(struct buf *buf, struct header h)
{
    const unsigned char bytes[FCGI_HEADER_LEN] = {
        (unsigned char)h.version,        (unsigned char)h.type,
        (unsigned char)(h.id >> 8),      (unsigned char)h.id,
        (unsigned char)(h.content >> 8), (unsigned char)h.content,
        (unsigned char)h.padding,        0,
    };

    buf_append(buf, (const char *)bytes, sizeof bytes);
}

static void add_record(struct buf *buf, unsigned type, unsigned id, const char *content,
                       size_t length, unsigned padding)
{
    add_header(buf, (struct header){FCGI_VERSION_1, type, id, length, padding});
    if (length > 0) {
        buf_append(buf, content, length);
    }
    for (unsigned i = 0; i < padding; i++) {
        buf_char(buf, 'p');
    }
}

static void add_begin(struct buf *buf, unsigned id, unsigned role)
{
    const char body[8] = {(char)(role >> 8), (char)role, FCGI_KEEP_CONN};

    add_record(buf, FCGI_BEGIN_REQUEST, id, body, sizeof body, 0);
}

static void add_params(struct buf *buf, unsigned id)
{
    static const char pair[] = "\016\003REQUEST_METHODGET";

    add_record(buf, FCGI_PARAMS, id, pair, sizeof pair - 1, 5);
    add_record(buf, FCGI_PARAMS, id, "", 0, 0);
}

/* BEGIN_REQUEST and all parameters. */
static void add_start(struct buf *buf)
{
    add_begin(buf, ID, FCGI_RESPONDER);
    add_params(buf, ID);
}

/* What a connection has seen after some steps. */
struct view {
    struct framing framing;
    struct framing_step step; /* the last one */
    size_t length;            /* bytes of records of the request */
};

/* Steps over the records up to the first step that is not FRAMING_PART. The bytes are copied into
 * memory that ends with them, so that ASan finds a read beyond. */
static enum framing_kind scan(const char *bytes, size_t length, struct view *view)
{
    unsigned char *exact = malloc(length > 0 ? length : 1);
    enum framing_kind kind = FRAMING_PART;

    assert_non_null(exact);
    if (length > 0) {
        memcpy(exact, bytes, length);
    }
    *view = (struct view){0};
    while (kind == FRAMING_PART) {
        kind =
            framing_step(&view->framing, exact + view->length, length - view->length, &view->step);
        view->length += kind == FRAMING_PART || kind == FRAMING_COMPLETE ? view->step.length : 0;
    }
    free(exact);
    return kind;
}

/* Every prefix is incomplete, the whole request is complete, and bytes behind it change nothing. */
static void expect_complete(struct buf *request, size_t stdin_length)
{
    struct view view;

    for (size_t length = 0; length < request->length; length++) {
        expect_integer("prefix", scan(request->bytes, length, &view), FRAMING_INCOMPLETE);
        assert_true(view.framing.stdin_length <= stdin_length);
    }
    assert_int_equal(scan(request->bytes, request->length, &view), FRAMING_COMPLETE);
    assert_int_equal(view.length, request->length);
    assert_int_equal(view.framing.stdin_length, stdin_length);
    assert_true(view.framing.params_complete);
    size_t whole = request->length;
    buf_text(request, "whatever");
    assert_int_equal(scan(request->bytes, request->length, &view), FRAMING_COMPLETE);
    assert_int_equal(view.length, whole);
    buf_release(request);
}

static void test_without_body(void **state)
{
    struct buf request = {0};

    (void)state;
    add_start(&request);
    add_record(&request, FCGI_STDIN, ID, "", 0, 0);
    expect_complete(&request, 0);
}

static void test_body_in_several_records(void **state)
{
    struct buf request = {0};

    (void)state;
    add_start(&request);
    add_record(&request, FCGI_STDIN, ID, "hello", 5, 0);
    add_record(&request, FCGI_STDIN, ID, "w", 1, 7);
    add_record(&request, FCGI_STDIN, ID, "orld", 4, 255);
    add_record(&request, FCGI_STDIN, ID, "", 0, 8);
    expect_complete(&request, 10);
}

static void test_params_in_several_records(void **state)
{
    struct buf request = {0};

    (void)state;
    add_begin(&request, ID, FCGI_RESPONDER);
    add_record(&request, FCGI_PARAMS, ID, "\016\003REQUEST", 9, 0);
    add_record(&request, FCGI_PARAMS, ID, "_METHODGET", 10, 3);
    add_record(&request, FCGI_PARAMS, ID, "", 0, 1);
    add_record(&request, FCGI_STDIN, ID, "", 0, 0);
    expect_complete(&request, 0);
}

static void test_any_id_but_none(void **state)
{
    static const unsigned ids[] = {1, 255, 256, 65535};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct buf request = {0};

        add_begin(&request, ids[i], FCGI_RESPONDER);
        add_params(&request, ids[i]);
        add_record(&request, FCGI_STDIN, ids[i], "", 0, 0);
        expect_complete(&request, 0);
    }
}

static void test_largest_record(void **state)
{
    static char content[65535];
    struct buf request = {0};
    struct view view;

    (void)state;
    memset(content, 'x', sizeof content);
    add_start(&request);
    add_record(&request, FCGI_STDIN, ID, content, sizeof content, 255);
    assert_int_equal(scan(request.bytes, request.length - 1, &view), FRAMING_INCOMPLETE);
    assert_int_equal(view.framing.stdin_length, 0);
    assert_int_equal(scan(request.bytes, request.length, &view), FRAMING_INCOMPLETE);
    assert_int_equal(view.framing.stdin_length, sizeof content);
    add_record(&request, FCGI_STDIN, ID, "", 0, 0);
    assert_int_equal(scan(request.bytes, request.length, &view), FRAMING_COMPLETE);
    buf_release(&request);
}

static void test_when_params_are_complete(void **state)
{
    struct buf request = {0};
    struct view view;

    (void)state;
    add_start(&request);
    assert_int_equal(scan(request.bytes, request.length - 1, &view), FRAMING_INCOMPLETE);
    assert_false(view.framing.params_complete);
    assert_int_equal(scan(request.bytes, request.length, &view), FRAMING_INCOMPLETE);
    assert_true(view.framing.params_complete);
    buf_release(&request);
}

/* After the records in before, a record is refused as soon as its header has arrived. */
static void expect_invalid(const char *label, const struct buf *before, struct header header)
{
    struct buf request = {0};
    struct view view;

    if (before->length > 0) {
        buf_append(&request, before->bytes, before->length);
    }
    add_header(&request, header);
    expect_integer(label, scan(request.bytes, request.length, &view), FRAMING_INVALID);
    buf_release(&request);
}

static void test_violations_at_the_start(void **state)
{
    static const struct {
        const char *label;
        struct header header;
    } rows[] = {
        {"version 0", {0, FCGI_BEGIN_REQUEST, ID, 8, 0}},
        {"version 2", {2, FCGI_BEGIN_REQUEST, ID, 8, 0}},
        {"begin with 7 bytes", {1, FCGI_BEGIN_REQUEST, ID, 7, 0}},
        {"begin with 9 bytes", {1, FCGI_BEGIN_REQUEST, ID, 9, 0}},
        {"begin with none", {1, FCGI_BEGIN_REQUEST, ID, 0, 0}},
    };
    static const struct buf nothing;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_invalid(rows[i].label, &nothing, rows[i].header);
    }
}

static void test_violations_among_params(void **state)
{
    static const struct {
        const char *label;
        struct header header;
    } rows[] = {
        {"version", {0, FCGI_PARAMS, ID, 4, 0}},
        {"a second begin", {1, FCGI_BEGIN_REQUEST, ID, 8, 0}},
        {"body before the end of params", {1, FCGI_STDIN, ID, 4, 0}},
        {"end of body", {1, FCGI_STDIN, ID, 0, 0}},
        {"data", {1, FCGI_DATA, ID, 4, 0}},
    };
    struct buf begun = {0};

    (void)state;
    add_begin(&begun, ID, FCGI_RESPONDER);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_invalid(rows[i].label, &begun, rows[i].header);
    }
    buf_release(&begun);
}

static void test_violations_in_the_body(void **state)
{
    static const struct {
        const char *label;
        struct header header;
    } rows[] = {
        {"version", {9, FCGI_STDIN, ID, 4, 0}},
        {"params again", {1, FCGI_PARAMS, ID, 4, 0}},
        {"end of params again", {1, FCGI_PARAMS, ID, 0, 0}},
        {"data", {1, FCGI_DATA, ID, 4, 0}},
        {"a second begin", {1, FCGI_BEGIN_REQUEST, ID, 8, 0}},
    };
    struct buf started = {0};

    (void)state;
    add_start(&started);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_invalid(rows[i].label, &started, rows[i].header);
    }
    add_record(&started, FCGI_STDIN, ID, "some", 4, 2);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_invalid(rows[i].label, &started, rows[i].header);
    }
    buf_release(&started);
}

/* After the records in before, a complete record is put aside. It is answered with a record of this
 * type and id; type 0: it is not answered. */
static void expect_aside(const char *label, const struct buf *before, const struct buf *record,
                         unsigned type, unsigned id)
{
    struct buf all = {0};
    struct view view;

    if (before->length > 0) {
        buf_append(&all, before->bytes, before->length);
    }
    buf_append(&all, record->bytes, record->length);
    expect_integer(label, scan(all.bytes, all.length, &view), FRAMING_ASIDE);
    expect_integer(label, (long long)view.step.length, (long long)record->length);
    if (type == 0) {
        expect_integer(label, (long long)view.step.reply_length, 0);
    } else {
        expect_integer(label, view.step.reply[1], type);
        expect_integer(label, view.step.reply[2] << 8 | view.step.reply[3], id);
        expect_integer(label, view.step.reply_length % 8 == 0 || type == FCGI_GET_VALUES_RESULT, 1);
    }
    expect_integer(label, scan(all.bytes, all.length - 1, &view), FRAMING_INCOMPLETE);
    buf_release(&all);
}

static void test_asides(void **state)
{
    static const struct {
        const char *label;
        unsigned type, id, answer, answer_id;
    } rows[] = {
        {"values", FCGI_GET_VALUES, 0, FCGI_GET_VALUES_RESULT, 0},
        {"begin without an id", FCGI_BEGIN_REQUEST, 0, FCGI_UNKNOWN_TYPE, 0},
        {"params without an id", FCGI_PARAMS, 0, FCGI_UNKNOWN_TYPE, 0},
        {"type 0", 0, ID, FCGI_UNKNOWN_TYPE, 0},
        {"type 12", FCGI_MAXTYPE + 1, ID, FCGI_UNKNOWN_TYPE, 0},
        {"type 255", 255, 0, FCGI_UNKNOWN_TYPE, 0},
        {"params of another", FCGI_PARAMS, ID + 1, 0, 0},
        {"the id's high byte", FCGI_STDIN, ID + 256, 0, 0},
        {"an abort of another", FCGI_ABORT_REQUEST, ID + 1, 0, 0},
    };
    struct buf before[3] = {{0}, {0}, {0}};

    (void)state;
    add_begin(&before[1], ID, FCGI_RESPONDER);
    add_start(&before[2]);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t j = 0; j < COUNT_OF(before); j++) {
            struct buf record = {0};

            add_record(&record, rows[i].type, rows[i].id, "12345678", 8, 5);
            expect_aside(rows[i].label, &before[j], &record, rows[i].answer, rows[i].answer_id);
            buf_release(&record);
        }
    }
    for (size_t j = 1; j < COUNT_OF(before); j++) {
        struct buf record = {0};

        add_begin(&record, ID + 1, FCGI_RESPONDER);
        expect_aside("a second request", &before[j], &record, FCGI_END_REQUEST, ID + 1);
        buf_release(&record);
        buf_release(&before[j]);
    }
}

static void test_roles(void **state)
{
    static const unsigned roles[] = {0, FCGI_AUTHORIZER, FCGI_FILTER, 4, 256, 257, 65535};
    static const struct buf nothing;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        struct buf request = {0};

        add_begin(&request, ID, roles[i]);
        expect_aside("role", &nothing, &request, FCGI_END_REQUEST, ID);
        buf_release(&request);
    }
}

static void test_abort(void **state)
{
    struct buf request = {0};
    struct view view;

    (void)state;
    add_start(&request);
    add_record(&request, FCGI_ABORT_REQUEST, ID, "", 0, 0);
    assert_int_equal(scan(request.bytes, request.length, &view), FRAMING_ABORTED);
    assert_int_equal(view.step.reply[1], FCGI_END_REQUEST);
    assert_false(view.step.closes);
    buf_release(&request);
}

/* Pairs that end exactly where the parameters end, and pairs that do not or cannot. */
static void test_pairs(void **state)
{
    static const struct {
        const char *pairs;
        size_t length;
        bool is_good;
    } rows[] = {
        {"", 0, true},
        {"\0\0", 2, true},
        {"\1\0a", 3, true},
        {"\200\0\0\1\200\0\0\1ab", 10, true},
        {"\1", 1, false},
        {"\1\1a", 3, false},
        {"\200\0", 2, false},
        {"\1\200\0\0", 4, false},
        {"\1\0a\2\0b", 6, false},
        {"\377\377\377\377\0x", 6, false},
        {"\1\377\377\377\377x", 6, false},
        {"\200\2\0\0\200\2\0\0", 8, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t cut = 0; cut <= rows[i].length; cut++) {
            struct buf request = {0};
            struct view view;

            add_begin(&request, ID, FCGI_RESPONDER);
            if (cut > 0) {
                add_record(&request, FCGI_PARAMS, ID, rows[i].pairs, cut, 0);
            }
            if (cut < rows[i].length) {
                add_record(&request, FCGI_PARAMS, ID, rows[i].pairs + cut, rows[i].length - cut, 1);
            }
            add_record(&request, FCGI_PARAMS, ID, "", 0, 0);
            expect_integer(rows[i].pairs, scan(request.bytes, request.length, &view),
                           rows[i].is_good ? FRAMING_INCOMPLETE : FRAMING_INVALID);
            buf_release(&request);
        }
    }
}

static void test_one_byte_can_be_enough(void **state)
{
    struct view view;

    (void)state;
    assert_int_equal(scan("", 0, &view), FRAMING_INCOMPLETE);
    assert_int_equal(scan("\x01", 1, &view), FRAMING_INCOMPLETE);
    for (unsigned byte = 0; byte <= 255; byte++) {
        const char bytes[] = {(char)byte};

        expect_integer("first byte", scan(bytes, 1, &view),
                       byte == FCGI_VERSION_1 ? FRAMING_INCOMPLETE : FRAMING_INVALID);
    }
    assert_int_equal(scan("GET / HTTP/1.1\r\n\r\n", 18, &view), FRAMING_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_body),
        cmocka_unit_test(test_body_in_several_records),
        cmocka_unit_test(test_params_in_several_records),
        cmocka_unit_test(test_any_id_but_none),
        cmocka_unit_test(test_largest_record),
        cmocka_unit_test(test_when_params_are_complete),
        cmocka_unit_test(test_violations_at_the_start),
        cmocka_unit_test(test_violations_among_params),
        cmocka_unit_test(test_violations_in_the_body),
        cmocka_unit_test(test_asides),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_one_byte_can_be_enough),
    };

    return cmocka_run_group_tests_name("framing", tests, NULL, NULL);
}
