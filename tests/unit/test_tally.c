/* Requests counted by endpoint, status and time. */
#include "worker/tally.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/routes.h"
#include "api/status.h"
#include "base/buf.h"
#include "unit.h"

static void test_every_status_has_its_place(void **state)
{
    (void)state;
    for (enum status status = STATUS_OK; status < STATUS_COUNT; status++) {
        assert_int_not_equal(tally_status(status_http(status)), 0);
    }
    assert_int_not_equal(tally_status(204), 0);
    assert_int_not_equal(tally_status(304), 0);
    assert_int_not_equal(tally_status(499), 0);
    assert_int_equal(tally_status(299), 0);
}

static void expect_written(const struct tally *tally, const char *line)
{
    struct buf text = {0};

    tally_write(tally, &text);
    expect(line, text.length > 0 && strstr(text.bytes, line) != NULL);
    buf_release(&text);
}

static void test_routes(void **state)
{
    struct tally *tally = calloc(1, sizeof *tally);

    (void)state;
    for (size_t i = 0; routes_at(i) != NULL; i++) {
        assert_int_equal(routes_number(routes_at(i)), i);
        tally_count(tally, routes_at(i), 200, 1, 0);
    }
    tally_count(tally, NULL, 404, 1, 0);
    tally_count(tally, NULL, 299, 1, 0);
    expect_written(tally,
                   "\ncruddur_requests_total{method=\"DELETE\",route=\"/api/activities/{uuid}\","
                   "status=\"200\"} 1\n");
    expect_written(tally, "\ncruddur_requests_total{method=\"-\",route=\"-\",status=\"404\"} 1\n");
    expect_written(tally, "\ncruddur_requests_total{method=\"-\",route=\"-\",status=\"0\"} 1\n");
    free(tally);
}

/* The bound of a bucket belongs to it. */
static void test_buckets(void **state)
{
    static const struct {
        int64_t us;
        const char *last_without, *first_with;
    } rows[] = {
        {0, NULL, "0.00025"},      {250, NULL, "0.00025"},    {251, "0.00025", "0.0005"},
        {1000, "0.0005", "0.001"}, {1001, "0.001", "0.0025"}, {999999, "0.5", "1"},
        {2500000, "1", "2.5"},     {2500001, "2.5", "+Inf"},  {INT64_C(1) << 40, "2.5", "+Inf"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tally *tally = calloc(1, sizeof *tally);
        char line[64];

        tally_count(tally, NULL, 200, rows[i].us, 0);
        if (rows[i].last_without != NULL) {
            snprintf(line, sizeof line, ",le=\"%s\"} 0\n", rows[i].last_without);
            expect_written(tally, line);
        }
        snprintf(line, sizeof line, ",le=\"%s\"} 1\n", rows[i].first_with);
        expect_written(tally, line);
        expect_written(tally, ",le=\"+Inf\"} 1\n");
        free(tally);
    }
}

static void test_sums(void **state)
{
    struct tally *one = calloc(1, sizeof *one), *other = calloc(1, sizeof *other);

    (void)state;
    tally_count(one, NULL, 200, 1500000, 1000000);
    tally_count(other, NULL, 200, 2000001, 1);
    tally_count(other, NULL, 503, 300, 0);
    tally_add(one, other);
    expect_written(one, ",status=\"200\"} 2\n");
    expect_written(one, ",status=\"503\"} 1\n");
    expect_written(one, "cruddur_request_seconds_count{method=\"-\",route=\"-\"} 3\n");
    expect_written(one, "cruddur_request_seconds_sum{method=\"-\",route=\"-\"} 3.500301\n");
    expect_written(one,
                   "cruddur_request_database_seconds_total{method=\"-\",route=\"-\"} 1.000001\n");
    free(one);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_its_place),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_sums),
    };

    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
