/* UUIDs, request ids, traceparents. */
#include "base/ids.h"

#include "unit.h"

struct row {
    const char *text;
    bool valid;
};

static void check(const struct row *rows, size_t count, bool (*is_valid)(const char *))
{
    for (size_t i = 0; i < count; i++) {
        expect(rows[i].text, is_valid(rows[i].text) == rows[i].valid);
    }
}

static void test_uuid(void **state)
{
    static const struct row rows[] = {
        {"5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a418", true},
        {"5A3E8B7C-1F94-4D60-8B2A-C6D7E9F0A418", true},
        {"00000000-0000-0000-0000-000000000000", true},
        {"", false},
        {"5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a41", false},
        {"5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a4188", false},
        {"5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a418 ", false},
        {"5a3e8b7c1f944d608b2ac6d7e9f0a418", false},
        {"{a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a41}", false},
        {"5a3e8b7cg1f94-4d60-8b2a-c6d7e9f0a418", false},
        {"5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a41g", false},
        {"5a3e8b7-c1f94-4d60-8b2a-c6d7e9f0a418", false},
        {"+a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a418", false},
    };

    (void)state;
    check(rows, COUNT_OF(rows), uuid_is_valid);
}

static void test_uuids_made(void **state)
{
    char first[UUID_TEXT_SIZE], second[UUID_TEXT_SIZE];

    (void)state;
    uuid_make(first);
    uuid_make(second);
    expect(first, uuid_is_valid(first));
    assert_string_not_equal(first, second);
    assert_int_equal(first[14], '4');               /* the version */
    assert_non_null(strchr("89ab", first[19]));     /* the variant */
    assert_int_equal(strcspn(first, "ABCDEF"), 36); /* lower case */
}

static void test_request_id(void **state)
{
    static const struct row rows[] = {
        {"a", true},
        {"0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ.", true}, /* 64 */
        {"0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ._", false},
        {"", false},
        {"a b", false},
        {"a\n", false},
        {"a\"", false},
        {"a/b", false},
        {"\xc3\xbc", false},
    };

    (void)state;
    check(rows, COUNT_OF(rows), request_id_is_valid);
}

static void test_traceparent(void **state)
{
    static const struct row rows[] = {
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true},
        {"", false},
        {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
        {"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false},
        {"00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01", false},
        {"00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331\n01", false},
    };

    (void)state;
    check(rows, COUNT_OF(rows), traceparent_is_valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_uuids_made),
        cmocka_unit_test(test_request_id),
        cmocka_unit_test(test_traceparent),
    };

    return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}
