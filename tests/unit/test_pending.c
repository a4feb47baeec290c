/* Lists of submitted statements. */
#include "db/pipeline.h"

#include "unit.h"

enum { COUNT = 5 };

/* Statement i was submitted at i. */
static void make(struct pending pendings[static COUNT])
{
    for (int i = 0; i < COUNT; i++) {
        pendings[i] = (struct pending){.submitted_us = i};
    }
}

/* Takes all statements out of the list. Returns their numbers as digits, in their order. */
static const char *numbers(struct pending_list *list)
{
    static char text[COUNT + 1];
    size_t length = 0;
    struct pending *pending;

    expect_integer("last", list->last != NULL, list->first != NULL);
    while ((pending = pending_take(list)) != NULL) {
        text[length++] = (char)('0' + pending->submitted_us);
        expect("next", pending->next == NULL);
    }
    text[length] = '\0';
    expect_integer("count", list->count, 0);
    expect("last", list->last == NULL);
    return text;
}

static void test_in_order_of_arrival(void **state)
{
    static const struct {
        const char *list, *more, *all;
    } rows[] = {
        {"", "", ""},           {"", "012", "012"},     {"012", "", "012"},
        {"34", "012", "01234"}, {"012", "34", "01234"}, {"024", "13", "01234"},
        {"34", "1", "134"},     {"1", "4320", "01234"}, {"0", "4", "04"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pending pendings[COUNT];
        struct pending_list list = {0}, more = {0};

        make(pendings);
        for (const char *c = rows[i].list; *c != '\0'; c++) {
            pending_append(&list, &pendings[*c - '0']);
        }
        for (const char *c = rows[i].more; *c != '\0'; c++) {
            pending_append(&more, &pendings[*c - '0']);
        }
        pending_put_back(&list, &more);
        expect("empty afterwards", more.first == NULL && more.last == NULL && more.count == 0);
        expect_text(rows[i].more, numbers(&list), rows[i].all);
    }
}

static void test_taken_from_anywhere(void **state)
{
    static const char *const left[COUNT] = {"1234", "0234", "0134", "0124", "0123"};

    (void)state;
    for (int removed = 0; removed < COUNT; removed++) {
        struct pending pendings[COUNT];
        struct pending_list list = {0};

        make(pendings);
        for (int i = 0; i < COUNT; i++) {
            pending_append(&list, &pendings[i]);
        }
        pending_remove(&list, &pendings[removed]);
        pending_append(&list, &pendings[removed]);
        pending_remove(&list, &pendings[removed]);
        expect_text("left", numbers(&list), left[removed]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order_of_arrival),
        cmocka_unit_test(test_taken_from_anywhere),
    };

    return cmocka_run_group_tests_name("pending", tests, NULL, NULL);
}
