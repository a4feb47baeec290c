#include "worker/tally.h"

#include "api/endpoint.h"
#include "api/routes.h"
#include "base/buf.h"
#include "base/counter.h"
#include "base/exposition.h"
#include "http/request.h"

_Static_assert((int)TALLY_ENDPOINTS == (int)ROUTES_MAX + 1, "each endpoint has a row");

static const short STATUSES[TALLY_STATUSES] = {
    0,   200, 204, 304, 400, 401, 403, 404, 405, 408, 409, 410, 413,
    414, 415, 422, 429, 431, 499, 500, 501, 502, 503, 504, 505,
};

/* Upper bounds of the buckets, and how they are written. The last bucket has no bound. */
static const struct {
    int64_t us;
    const char *seconds;
} BOUNDS[TALLY_BUCKETS] = {
    {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"},    {5000, "0.005"},
    {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},     {250000, "0.25"},
    {500000, "0.5"},  {1000000, "1"},   {2500000, "2.5"}, {INT64_MAX, "+Inf"},
};

size_t tally_status(int http)
{
    for (size_t i = 1; i < TALLY_STATUSES; i++) {
        if (STATUSES[i] == http) {
            return i;
        }
    }
    return 0;
}

static size_t bucket_of(int64_t took_us)
{
    size_t bucket = 0;

    while (took_us > BOUNDS[bucket].us) {
        bucket++;
    }
    return bucket;
}

void tally_count(struct tally *tally, const struct endpoint *endpoint, int http, int64_t took_us,
                 int64_t database_us)
{
    struct tally_row *row =
        &tally->rows[endpoint != NULL ? routes_number(endpoint) : TALLY_ENDPOINTS - 1];

    counter_add(&row->statuses[tally_status(http)], 1);
    counter_add(&row->buckets[bucket_of(took_us)], 1);
    counter_add(&row->took_us, (uint64_t)took_us);
    counter_add(&row->database_us, (uint64_t)database_us);
}

static void add_counters(counter *sum, const counter *more, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        counter_add(&sum[i], counter_value(&more[i]));
    }
}

void tally_add(struct tally *sum, const struct tally *more)
{
    for (size_t i = 0; i < TALLY_ENDPOINTS; i++) {
        struct tally_row *to = &sum->rows[i];
        const struct tally_row *from = &more->rows[i];

        add_counters(to->statuses, from->statuses, TALLY_STATUSES);
        add_counters(to->buckets, from->buckets, TALLY_BUCKETS);
        add_counters(&to->took_us, &from->took_us, 1);
        add_counters(&to->database_us, &from->database_us, 1);
    }
}

/* --- text --- */

static const struct endpoint *endpoint_at(size_t number)
{
    return number < TALLY_ENDPOINTS - 1 ? routes_at(number) : NULL;
}

static void write_labels(struct buf *text, const char *name, size_t number)
{
    const struct endpoint *endpoint = endpoint_at(number);

    buf_printf(text, "%s{method=\"%s\",route=\"%s\"", name,
               endpoint != NULL ? method_name(endpoint->method) : "-",
               endpoint != NULL ? endpoint->pattern : "-");
}

static void write_requests(const struct tally *tally, struct buf *text)
{
    exposition_begin(text, "cruddur_requests_total", "counter",
                     "Requests answered. HEAD counts as GET; \"-\" is whatever reached no route.");
    for (size_t i = 0; i < TALLY_ENDPOINTS; i++) {
        for (size_t j = 0; j < TALLY_STATUSES; j++) {
            uint64_t count = counter_value(&tally->rows[i].statuses[j]);

            if (count > 0) {
                write_labels(text, "cruddur_requests_total", i);
                buf_printf(text, ",status=\"%d\"} %llu\n", STATUSES[j], (unsigned long long)count);
            }
        }
    }
}

static void write_histogram(const struct tally_row *row, size_t number, struct buf *text)
{
    uint64_t count = 0;

    for (size_t i = 0; i < TALLY_BUCKETS; i++) {
        count += counter_value(&row->buckets[i]);
        write_labels(text, "cruddur_request_seconds_bucket", number);
        buf_printf(text, ",le=\"%s\"} %llu\n", BOUNDS[i].seconds, (unsigned long long)count);
    }
    write_labels(text, "cruddur_request_seconds_sum", number);
    buf_text(text, "} ");
    exposition_seconds(text, counter_value(&row->took_us));
    write_labels(text, "cruddur_request_seconds_count", number);
    buf_printf(text, "} %llu\n", (unsigned long long)count);
}

static bool was_asked(const struct tally_row *row)
{
    for (size_t i = 0; i < TALLY_BUCKETS; i++) {
        if (counter_value(&row->buckets[i]) > 0) {
            return true;
        }
    }
    return false;
}

void tally_write(const struct tally *tally, struct buf *text)
{
    write_requests(tally, text);
    exposition_begin(text, "cruddur_request_seconds", "histogram",
                     "From the whole request to its answer.");
    for (size_t i = 0; i < TALLY_ENDPOINTS; i++) {
        if (was_asked(&tally->rows[i])) {
            write_histogram(&tally->rows[i], i, text);
        }
    }
    exposition_begin(text, "cruddur_request_database_seconds_total", "counter",
                     "Of that, waited for the database.");
    for (size_t i = 0; i < TALLY_ENDPOINTS; i++) {
        if (was_asked(&tally->rows[i])) {
            write_labels(text, "cruddur_request_database_seconds_total", i);
            buf_text(text, "} ");
            exposition_seconds(text, counter_value(&tally->rows[i].database_us));
        }
    }
}
