/* The rings between workers and exporter, and the batches that are taken from them. */
#include "shared/spans.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/endpoint.h"
#include "api/routes.h"
#include "api/status.h"
#include "db/statement.h"
#include "exporter/batch.h"
#include "unit.h"

static struct spans *spans;
static int spans_fd;

static int set_up(void **state)
{
    (void)state;
    spans = spans_new(&spans_fd);
    return spans != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    munmap(spans, sizeof *spans);
    close(spans_fd);
    return 0;
}

/* Writes a span with this number in `rows`. False: the span was dropped. */
static bool put(struct span_ring *ring, uint32_t number)
{
    struct span *span = span_ring_reserve(ring);

    if (span == NULL) {
        return false;
    }
    span->rows = number;
    span_ring_commit(ring);
    return true;
}

static void test_a_ring(void **state)
{
    struct span_ring *ring = &spans->rings[0];

    (void)state;
    assert_int_equal(span_ring_waiting(ring), 0);
    for (uint32_t i = 0; i < 3 * SPANS_PER_RING; i++) {
        assert_true(put(ring, i));
        assert_int_equal(span_ring_waiting(ring), 1);
        assert_int_equal(span_ring_at(ring, 0)->rows, i);
        span_ring_release(ring, 1);
    }
    assert_int_equal(counter_value(&ring->dropped), 0);
}

static void test_a_full_ring(void **state)
{
    struct span_ring *ring = &spans->rings[0];

    (void)state;
    spans_take(spans, 0);
    for (uint32_t i = 0; i < SPANS_PER_RING; i++) {
        assert_true(put(ring, i));
    }
    assert_false(put(ring, 0));
    assert_false(put(ring, 0));
    assert_int_equal(spans_dropped(spans), 2);
    assert_int_equal(span_ring_waiting(ring), SPANS_PER_RING);
    assert_int_equal(span_ring_at(ring, SPANS_PER_RING - 1)->rows, SPANS_PER_RING - 1);
    span_ring_release(ring, 1);
    assert_true(put(ring, 77));
    assert_false(put(ring, 0));
    assert_int_equal(span_ring_at(ring, 0)->rows, 1);
    assert_int_equal(span_ring_at(ring, SPANS_PER_RING - 1)->rows, 77);
}

/* A span that was reserved by a killed worker does not count, and is reserved again. */
static void test_a_span_that_was_not_finished(void **state)
{
    struct span_ring *ring = &spans->rings[0];

    (void)state;
    span_ring_reserve(ring)->rows = 1;
    assert_int_equal(span_ring_waiting(ring), 0);
    struct span *span = span_ring_reserve(ring);
    assert_int_equal(span->rows, 0);
    span_ring_commit(ring);
    assert_int_equal(span_ring_waiting(ring), 1);
}

/* A worker that an attacker controls can write any position; the exporter reads no memory but the
 * ring's. */
static void test_a_position_that_cannot_be(void **state)
{
    struct span_ring *ring = &spans->rings[0];

    (void)state;
    atomic_store(&ring->written, UINT64_MAX / 2);
    assert_int_equal(span_ring_waiting(ring), SPANS_PER_RING);
    assert_ptr_equal(span_ring_at(ring, SPANS_PER_RING), &ring->spans[0]);
    atomic_store(&ring->taken, UINT64_MAX);
    assert_int_equal(span_ring_waiting(ring), SPANS_PER_RING);
}

/* Another process writes while this one reads: this process gets all spans, in their order. */
static void test_two_processes(void **state)
{
    enum { COUNT = 200000 };
    struct span_ring *ring = &spans->rings[0];
    uint32_t expected = 0;
    int end;

    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        for (uint32_t i = 0; i < COUNT;) {
            i += put(ring, i);
        }
        _exit(0);
    }
    while (expected < COUNT) {
        size_t waiting = span_ring_waiting(ring);

        for (size_t i = 0; i < waiting; i++) {
            assert_int_equal(span_ring_at(ring, i)->rows, expected++);
        }
        span_ring_release(ring, waiting);
    }
    assert_int_equal(waitpid(pid, &end, 0), pid);
    assert_int_equal(end, 0);
}

static void test_attach(void **state)
{
    (void)state;
    put(&spans->rings[3], 5);
    struct spans *other = spans_attach(spans_fd);
    assert_non_null(other);
    assert_int_equal(span_ring_at(&other->rings[3], 0)->rows, 5);
    munmap(other, sizeof *other);

    spans->layout++;
    errno = 0;
    assert_null(spans_attach(spans_fd));
    assert_int_equal(errno, EINVAL);
    assert_null(spans_attach(-1));
}

/* No process can shorten the memory that it shares with the others. */
static void test_a_length_that_is_another(void **state)
{
    int shorter = memfd_create("shorter", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(ftruncate(spans_fd, sizeof *spans - 1), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(shorter, sizeof *spans - 1), 0);
    assert_null(spans_attach(shorter));
    assert_int_equal(errno, EINVAL);
    close(shorter);
}

/* --- batches --- */

static void test_a_batch_of_several_rings(void **state)
{
    struct batch *batch = calloc(1, sizeof *batch);

    (void)state;
    batch_collect(batch, spans);
    assert_int_equal(batch->count, 0);
    spans_take(spans, 0);
    spans_take(spans, 5);
    put(&spans->rings[0], 1);
    put(&spans->rings[5], 2);
    put(&spans->rings[5], 3);
    put(&spans->rings[6], 4); /* no worker uses this ring */
    batch_collect(batch, spans);
    assert_int_equal(batch->count, 3);
    assert_int_equal(batch->spans[0]->rows + batch->spans[1]->rows + batch->spans[2]->rows, 6);
    batch_collect(batch, spans); /* the same spans again */
    assert_int_equal(batch->count, 3);
    put(&spans->rings[0], 9);
    batch_release(batch, spans);
    batch_collect(batch, spans);
    assert_int_equal(batch->count, 1);
    assert_int_equal(batch->spans[0]->rows, 9);
    free(batch);
}

/* A busy ring does not keep the spans of other rings waiting for ever. */
static void test_a_full_batch(void **state)
{
    struct batch *batch = calloc(1, sizeof *batch);
    bool has_second = false;

    (void)state;
    spans_take(spans, 1);
    put(&spans->rings[1], 1);
    for (int round = 0; round < 2; round++) {
        while (put(&spans->rings[0], 0)) {
        }
        batch_collect(batch, spans);
        assert_int_equal(batch->count, BATCH_MAX);
        for (size_t i = 0; i < batch->count; i++) {
            has_second = has_second || batch->spans[i]->rows == 1;
        }
        batch_release(batch, spans);
    }
    assert_true(has_second);
    free(batch);
}

/* No name is too long for its field in a span. */
static void test_names_fit(void **state)
{
    (void)state;
    for (size_t i = 0; routes_at(i) != NULL; i++) {
        const struct endpoint *endpoint = routes_at(i);

        expect(endpoint->pattern, strlen(endpoint->pattern) < SPAN_NAME_SIZE);
        expect(endpoint->pattern, strlen(method_name(endpoint->method)) < SPAN_METHOD_SIZE);
        for (size_t j = 0; j < ENDPOINT_STATEMENTS_MAX && endpoint->statements[j] != NULL; j++) {
            expect(endpoint->pattern, strlen(endpoint->statements[j]->name) < SPAN_NAME_SIZE);
        }
    }
    for (enum status status = STATUS_OK; status < STATUS_COUNT; status++) {
        expect(status_code(status), strlen(status_code(status)) < SPAN_OUTCOME_SIZE);
    }
    assert_true(strlen(method_name(METHOD_OPTIONS)) < SPAN_METHOD_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_span_that_was_not_finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_position_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_processes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attach, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_length_that_is_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_batch_of_several_rings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_batch, set_up, tear_down),
        cmocka_unit_test(test_names_fit),
    };

    return cmocka_run_group_tests_name("spans", tests, NULL, NULL);
}
