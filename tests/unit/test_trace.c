/* The contents of traceparent and X-Amzn-Trace-Id, and ids that are generated here. */
#include "base/trace.h"

#include <stdlib.h>

#include "unit.h"

#define ROOT "1-5759e988-bd862e3fe1be46a994272793"
#define TRACE "5759e988bd862e3fe1be46a994272793"
#define PARENT "53995c3f42cd8ad8"
#define NONE "0000000000000000"

struct row {
    const char *text;
    const char *trace; /* NULL: it is not valid */
    const char *parent;
    enum trace_decision decision;
};

static void check(const struct row *rows, size_t count,
                  bool (*read)(const char *, struct trace_parent *))
{
    for (size_t i = 0; i < count; i++) {
        struct trace_parent parent = {.id = "garbage", .span_id = "more", .decision = 2};
        char trace[2 * TRACE_ID_SIZE + 1], span[2 * SPAN_ID_SIZE + 1];

        expect(rows[i].text, read(rows[i].text, &parent) == (rows[i].trace != NULL));
        trace_id_text(parent.id, TRACE_ID_SIZE, trace);
        trace_id_text(parent.span_id, SPAN_ID_SIZE, span);
        expect_text(rows[i].text, trace, rows[i].trace != NULL ? rows[i].trace : NONE NONE);
        expect_text(rows[i].text, span, rows[i].trace != NULL ? rows[i].parent : NONE);
        expect_integer(rows[i].text, parent.decision, rows[i].decision);
    }
}

static void test_w3c(void **state)
{
    static const struct row rows[] = {
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
         "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", TRACE_SAMPLED},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
         "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", TRACE_NOT_SAMPLED},
        /* Other flags do not affect the sampling. */
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03",
         "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", TRACE_SAMPLED},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe",
         "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", TRACE_NOT_SAMPLED},
        {"", NULL, NULL, TRACE_UNDECIDED},
        {"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", NULL, NULL, TRACE_UNDECIDED},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", NULL, NULL, TRACE_UNDECIDED},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", NULL, NULL, TRACE_UNDECIDED},
        {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", NULL, NULL, TRACE_UNDECIDED},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-", NULL, NULL, TRACE_UNDECIDED},
    };

    (void)state;
    check(rows, COUNT_OF(rows), trace_read_w3c);
}

static void test_amazon(void **state)
{
    static const struct row rows[] = {
        {"Root=" ROOT ";Parent=" PARENT ";Sampled=1", TRACE, PARENT, TRACE_SAMPLED},
        {"Root=" ROOT ";Parent=" PARENT ";Sampled=0", TRACE, PARENT, TRACE_NOT_SAMPLED},
        {"Root=" ROOT ";Parent=" PARENT ";Sampled=?", TRACE, PARENT, TRACE_UNDECIDED},
        {"Root=" ROOT, TRACE, NONE, TRACE_UNDECIDED},
        {"Root=" ROOT ";", TRACE, NONE, TRACE_UNDECIDED},
        {"Root=" ROOT ";Sampled=1", TRACE, NONE, TRACE_SAMPLED},
        {"Sampled=1; Parent=" PARENT "; Root=" ROOT, TRACE, PARENT, TRACE_SAMPLED},
        /* As a load balancer writes it, and as others extend it. */
        {"Self=1-67891234-12456789abcdef0123456789;Root=" ROOT, TRACE, NONE, TRACE_UNDECIDED},
        {"Root=" ROOT ";Lineage=a87bd80c:1|68fd508a:5;CalledFrom=app", TRACE, NONE,
         TRACE_UNDECIDED},
        {"", NULL, NULL, TRACE_UNDECIDED},
        {";", NULL, NULL, TRACE_UNDECIDED},
        {"Root=", NULL, NULL, TRACE_UNDECIDED},
        {"Sampled=1", NULL, NULL, TRACE_UNDECIDED},
        {"Parent=" PARENT ";Sampled=1", NULL, NULL, TRACE_UNDECIDED},
        {"root=" ROOT, NULL, NULL, TRACE_UNDECIDED},
        {"Root =" ROOT, NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT " ", NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT "0", NULL, NULL, TRACE_UNDECIDED},
        {"Root=1-5759e988-bd862e3fe1be46a99427279", NULL, NULL, TRACE_UNDECIDED},
        {"Root=2-5759e988-bd862e3fe1be46a994272793", NULL, NULL, TRACE_UNDECIDED},
        {"Root=1_5759e988-bd862e3fe1be46a994272793", NULL, NULL, TRACE_UNDECIDED},
        {"Root=1-5759e988_bd862e3fe1be46a994272793", NULL, NULL, TRACE_UNDECIDED},
        {"Root=1-5759E988-bd862e3fe1be46a994272793", NULL, NULL, TRACE_UNDECIDED},
        {"Root=1-5759g988-bd862e3fe1be46a994272793", NULL, NULL, TRACE_UNDECIDED},
        {"Root=1-00000000-000000000000000000000000", NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT ";Root=" ROOT, NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT ";Parent=" PARENT ";Parent=" PARENT, NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT ";Sampled=1;Sampled=1", NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT ";Parent=53995c3f42cd8ad", NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT ";Parent=53995c3f42cd8ad88", NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT ";Parent=53995C3F42CD8AD8", NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT ";Parent=" NONE, NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT ";Parent=", NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT ";Sampled=2", NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT ";Sampled=", NULL, NULL, TRACE_UNDECIDED},
        {"Root=" ROOT ";Sampled=10", NULL, NULL, TRACE_UNDECIDED},
    };

    (void)state;
    check(rows, COUNT_OF(rows), trace_read_amazon);
}

/* No parser reads beyond the end of a text that is cut off. */
static void test_every_prefix(void **state)
{
    static const char whole[] = "Root=" ROOT ";Parent=" PARENT ";Sampled=1";

    (void)state;
    for (size_t length = 0; length < sizeof whole; length++) {
        char *cut = malloc(length + 1);
        struct trace_parent parent;

        memcpy(cut, whole, length);
        cut[length] = '\0';
        bool is_one = trace_read_amazon(cut, &parent);
        expect(cut, is_one == (length == sizeof "Root=" ROOT - 1 || length == sizeof "Root=" ROOT ||
                               (length > sizeof "Root=" ROOT && strstr(cut, ";Parent=") == NULL &&
                                strchr(cut + 6, '=') == NULL) ||
                               length == sizeof "Root=" ROOT ";Parent=" PARENT - 1 ||
                               length == sizeof "Root=" ROOT ";Parent=" PARENT ||
                               (length > sizeof "Root=" ROOT ";Parent=" PARENT &&
                                strstr(cut, ";Sampled=") == NULL) ||
                               length == sizeof whole - 1));
        free(cut);
    }
}

static void test_ids(void **state)
{
    struct trace_ids ids = {0};
    unsigned char made[1000][TRACE_ID_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(made); i++) {
        trace_ids_take(&ids, made[i], i % 2 ? TRACE_ID_SIZE : SPAN_ID_SIZE);
        expect("not zero", !trace_id_is_zero(made[i], SPAN_ID_SIZE));
        for (size_t j = 0; j < i; j++) {
            expect("new", memcmp(made[i], made[j], SPAN_ID_SIZE) != 0);
        }
    }
}

static void test_zero(void **state)
{
    static const unsigned char zero[SPAN_ID_SIZE] = {0}, first[SPAN_ID_SIZE] = {1},
                               last[SPAN_ID_SIZE] = {[SPAN_ID_SIZE - 1] = 1};

    (void)state;
    assert_true(trace_id_is_zero(zero, sizeof zero));
    assert_false(trace_id_is_zero(first, sizeof first));
    assert_false(trace_id_is_zero(last, sizeof last));
}

/* The last seven bytes decide, which are random in a W3C id. */
static void test_choice(void **state)
{
    static const unsigned char low[TRACE_ID_SIZE] = {0xff, 0xff, 0xff, 0xff, 0xff,
                                                     0xff, 0xff, 0xff, 0xff};
    unsigned char half[TRACE_ID_SIZE] = {[9] = 0x7f}, high[TRACE_ID_SIZE];

    (void)state;
    memset(high, 0xff, sizeof high);
    assert_false(trace_is_chosen(low, 0));
    assert_true(trace_is_chosen(low, 1));
    assert_true(trace_is_chosen(half, 50));
    half[9] = 0x81;
    assert_false(trace_is_chosen(half, 50));
    assert_false(trace_is_chosen(high, 99));
    assert_true(trace_is_chosen(high, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_w3c),          cmocka_unit_test(test_amazon),
        cmocka_unit_test(test_every_prefix), cmocka_unit_test(test_ids),
        cmocka_unit_test(test_zero),         cmocka_unit_test(test_choice),
    };

    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
