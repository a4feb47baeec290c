#include "unit.h"

#include <stdlib.h>

/* CMOCKA_TEST_FILTER, a pattern with * and ?, names the tests that run; without it all do. */
__attribute__((constructor)) static void take_filter(void)
{
    const char *pattern = getenv("CMOCKA_TEST_FILTER");

    if (pattern != NULL) {
        cmocka_set_test_filter(pattern);
    }
}

void expect(const char *label, bool condition)
{
    if (!condition) {
        fail_msg("%s", label);
    }
}

void expect_integer(const char *label, long long got, long long wanted)
{
    if (got != wanted) {
        fail_msg("%s: %lld instead of %lld", label, got, wanted);
    }
}

static const char *shown(const char *text)
{
    return text != NULL ? text : "(NULL)";
}

void expect_text(const char *label, const char *got, const char *wanted)
{
    if ((got == NULL) != (wanted == NULL) || strcmp(shown(got), shown(wanted)) != 0) {
        fail_msg("%s: \"%s\" instead of \"%s\"", label, shown(got), shown(wanted));
    }
}

void expect_within(const char *label, const char *text, const char *wanted)
{
    if (text == NULL || strstr(text, wanted) == NULL) {
        fail_msg("%s: \"%s\" is not in \"%s\"", label, wanted, shown(text));
    }
}

void expect_not_within(const char *label, const char *text, const char *unwanted)
{
    if (text != NULL && strstr(text, unwanted) != NULL) {
        fail_msg("%s: \"%s\" is in \"%s\"", label, unwanted, text);
    }
}
