/* Memory of one request. */
#include "base/arena.h"

#include "unit.h"

static void test_aligned_and_apart(void **state)
{
    struct arena arena = {0};
    unsigned char *blocks[200];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = arena_alloc(&arena, i);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)i, i);
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        for (size_t k = 0; k < i; k++) {
            assert_int_equal(blocks[i][k], (unsigned char)i);
        }
    }
    arena_release(&arena);
    assert_null(arena.chunk);
}

/* Fills every chunk to its last byte. One byte more would overwrite malloc's own data. */
static void test_chunks_filled_up(void **state)
{
    struct arena arena = {0};

    (void)state;
    for (int i = 0; i < 3000; i++) {
        memset(arena_alloc(&arena, _Alignof(max_align_t)), 0xff, _Alignof(max_align_t));
    }
    arena_release(&arena);
}

static void test_larger_than_a_chunk(void **state)
{
    static const size_t sizes[] = {4095, 4096, 4097, 100000};
    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        memset(arena_alloc(&arena, sizes[i]), 1, sizes[i]);
    }
    arena_release(&arena);
}

static void test_copy_and_printf(void **state)
{
    struct arena arena = {0};
    char long_text[9000];

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    expect_text("cut", arena_copy(&arena, "abcdef", 3), "abc");
    expect_text("nothing", arena_copy(&arena, "abcdef", 0), "");
    expect_text("printed", arena_printf(&arena, "%d-%s", 7, "days"), "7-days");
    expect_text("printed empty", arena_printf(&arena, "%s", ""), "");
    expect_text("printed long", arena_printf(&arena, "%s", long_text), long_text);
    arena_release(&arena);
}

static void test_used_again_after_release(void **state)
{
    struct arena arena = {0};

    (void)state;
    arena_release(&arena);
    assert_null(arena.chunk);
    for (int round = 0; round < 3; round++) {
        memset(arena_alloc(&arena, 100000), 1, 100000);
        memset(arena_alloc(&arena, 10), 1, 10);
        arena_release(&arena);
        assert_null(arena.chunk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned_and_apart),        cmocka_unit_test(test_chunks_filled_up),
        cmocka_unit_test(test_larger_than_a_chunk),      cmocka_unit_test(test_copy_and_printf),
        cmocka_unit_test(test_used_again_after_release),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
