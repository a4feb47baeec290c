/* What every unit test includes: cmocka with what it needs, and comparisons that name the row of a
 * table which fails. */
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

/* Each ends the test unless it holds. The label is the row, or what is compared. */
void expect(const char *label, bool condition);
void expect_integer(const char *label, long long got, long long wanted);
void expect_text(const char *label, const char *got, const char *wanted); /* NULL is a value too */
void expect_within(const char *label, const char *text, const char *wanted);
void expect_not_within(const char *label, const char *text, const char *unwanted);

#endif
