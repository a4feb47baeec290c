/* For every unit test: cmocka with the headers that it needs, and comparisons that name the failing
 * row of a table. */
#ifndef CRUDDUR_TESTS_UNIT_H
#define CRUDDUR_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* Each function ends the test if its comparison fails. The label names the row, or what is
 * compared. */
void expect(const char *label, bool condition);
void expect_integer(const char *label, long long got, long long wanted);
void expect_text(const char *label, const char *got, const char *wanted); /* NULL is a value too */
void expect_within(const char *label, const char *text, const char *wanted);
void expect_not_within(const char *label, const char *text, const char *unwanted);

#endif
