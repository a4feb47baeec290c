/* The statements, read from their template files. */
#include "db/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/activities.h"
#include "api/health.h"
#include "api/routes.h"
#include "api/users.h"
#include "base/file.h"
#include "base/log.h"
#include "capture.h"
#include "scratch.h"
#include "unit.h"

static struct scratch scratch;
static struct catalog *shipped; /* the templates of this source tree */

static int load_shipped(void **state)
{
    (void)state;
    log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
    shipped = routes_load_catalog(TOP_SRCDIR "/sql");
    return shipped != NULL ? 0 : -1;
}

static int free_shipped(void **state)
{
    (void)state;
    catalog_free(shipped);
    return 0;
}

static const char *file_of(const struct statement_def *def)
{
    static char name[128];

    snprintf(name, sizeof name, "%s.sql", def->name);
    return name;
}

/* Copies the shipped templates into a folder of the test's own. */
static int copy_shipped(void **state)
{
    (void)state;
    scratch_open(&scratch);
    for (size_t i = 0; i < catalog_count(shipped); i++) {
        const struct statement_def *def = catalog_at(shipped, i)->def;

        struct buf text = {0};
        char path[512];
        struct error error;

        snprintf(path, sizeof path, "%s/sql/%s", TOP_SRCDIR, file_of(def));
        assert_true(file_read(path, &text, &error));
        scratch_text(&scratch, file_of(def), text.bytes);
        buf_release(&text);
    }
    return 0;
}

static int remove_copy(void **state)
{
    (void)state;
    scratch_close(&scratch);
    return 0;
}

static void test_shipped_templates(void **state)
{
    (void)state;
    for (size_t i = 0; i < catalog_count(shipped); i++) {
        const struct statement_def *def = catalog_at(shipped, i)->def;

        const struct prepared *prepared = catalog_get(shipped, def);
        const char *const *names = def->parameters;
        size_t count = 0;

        for (; names[count] != NULL; count++) {
            char number[24];

            snprintf(number, sizeof number, "$%zu", count + 1);
            expect_within(prepared->def->name, prepared->sql, number);
        }
        expect_integer(prepared->def->name, (long long)prepared->parameters, (long long)count);
    }
}

static void test_from_another_folder(void **state)
{
    struct catalog *catalog = routes_load_catalog(scratch.dir);

    (void)state;
    assert_non_null(catalog);
    for (size_t i = 0; i < catalog_count(shipped); i++) {
        const struct statement_def *def = catalog_at(shipped, i)->def;

        expect_text(file_of(def), catalog_get(catalog, def)->sql, catalog_get(shipped, def)->sql);
    }
    catalog_free(catalog);
    catalog_free(NULL);
}

/* Loading fails and logs one line with each of these texts. */
static void expect_refused(const char *const *wanted, size_t lines)
{
    struct buf said = {0};

    capture_start();
    struct catalog *catalog = routes_load_catalog(scratch.dir);
    size_t writes = capture_stop(&said);
    assert_null(catalog);
    assert_int_equal(writes, lines);
    for (size_t i = 0; i < lines; i++) {
        expect_within("said", said.bytes, wanted[i]);
    }
    buf_release(&said);
}

static void test_missing_file(void **state)
{
    static const char *const wanted[] = {"/activities/home.sql: No such file"};

    (void)state;
    unlink(scratch_path(&scratch, file_of(&ACTIVITIES_HOME)));
    expect_refused(wanted, 1);
}

static void test_every_wrong_file_is_named(void **state)
{
    static const char *const wanted[] = {"/activities/home.sql:2: ", "/activities/show.sql:1: ",
                                         "/users/short.sql: it has a NUL byte"};

    (void)state;
    scratch_text(&scratch, file_of(&ACTIVITIES_HOME), "select\n%(nobody)s");
    scratch_text(&scratch, file_of(&ACTIVITIES_SHOW), "");
    scratch_write(&scratch, file_of(&USERS_SHORT), "select %(handle)s\0", 18, 0600);
    expect_refused(wanted, 3);
}

static void test_no_folder(void **state)
{
    struct buf said = {0};

    (void)state;
    capture_start();
    struct catalog *catalog = routes_load_catalog("/nowhere");
    size_t writes = capture_stop(&said);
    assert_null(catalog);
    assert_int_equal(writes, catalog_count(shipped));
    buf_release(&said);
}

/* The position that PostgreSQL would report for the first occurrence of `word` in sql: in
 * characters, from 1. */
static int position_of(const char *sql, const char *word)
{
    const char *place = strstr(sql, word);
    int position = 1;

    assert_non_null(place);
    for (const char *at = sql; at < place; at++) {
        position += ((unsigned char)*at & 0xc0) != 0x80;
    }
    return position;
}

static void expect_place(const struct catalog *catalog, const struct statement_def *def,
                         int position, int line)
{
    char wanted[256];

    snprintf(wanted, sizeof wanted, "%s/%s:%d", scratch.dir, file_of(def), line);
    expect_text("place", catalog_place(catalog, def, position), wanted);
}

static void test_places(void **state)
{
    static const char text[] = "-- \xf0\x9f\x98\x80 Gr\xc3\xbc\xc3\x9f"
                               "e \xe2\x82\xac\n"
                               "select '\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc',\n"
                               "    wrong_\xc3\xbc, %(handle)s\n"
                               "from nowhere where %(sub)s = %(viewer)s";

    (void)state;
    scratch_text(&scratch, file_of(&USERS_SHORT), text);
    struct catalog *catalog = routes_load_catalog(scratch.dir);
    assert_non_null(catalog);
    const char *sql = catalog_get(catalog, &USERS_SHORT)->sql;
    expect_place(catalog, &USERS_SHORT, position_of(sql, "-- "), 1);
    expect_place(catalog, &USERS_SHORT, position_of(sql, "select '\xc3\xbc"), 2);
    expect_place(catalog, &USERS_SHORT, position_of(sql, ",\n    wrong"), 2);
    expect_place(catalog, &USERS_SHORT, position_of(sql, "    wrong"), 3);
    expect_place(catalog, &USERS_SHORT, position_of(sql, "\nfrom"), 3);
    expect_place(catalog, &USERS_SHORT, position_of(sql, "from nowhere"), 4);
    /* No position, one in the wrapping before the template, one beyond the end. */
    expect_place(catalog, &USERS_SHORT, 0, 1);
    expect_place(catalog, &USERS_SHORT, 1, 1);
    expect_place(catalog, &USERS_SHORT, 100000, 5);
    catalog_free(catalog);
}

static void test_place_in_a_template_without_wrapping(void **state)
{
    (void)state;
    scratch_text(&scratch, file_of(&HEALTH_READY), "select\n'\xe2\x82\xac',\nwrong");
    struct catalog *catalog = routes_load_catalog(scratch.dir);
    assert_non_null(catalog);
    const char *sql = catalog_get(catalog, &HEALTH_READY)->sql;
    expect_place(catalog, &HEALTH_READY, 1, 1);
    expect_place(catalog, &HEALTH_READY, position_of(sql, "'\xe2\x82\xac"), 2);
    expect_place(catalog, &HEALTH_READY, position_of(sql, "wrong"), 3);
    catalog_free(catalog);
}

static void test_binding(void **state)
{
    struct statement statement = statement_of(&ACTIVITIES_HOME);
    const char *const *names = ACTIVITIES_HOME.parameters;

    (void)state;
    for (size_t i = 0; i < TEMPLATE_PARAMETERS_MAX; i++) {
        assert_null(statement.values[i]);
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        statement_bind(&statement, names[i], names[i]);
        expect_text(names[i], statement.values[i], names[i]);
    }
    statement_bind(&statement, names[0], NULL);
    assert_null(statement.values[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped_templates),
        cmocka_unit_test_setup_teardown(test_from_another_folder, copy_shipped, remove_copy),
        cmocka_unit_test_setup_teardown(test_missing_file, copy_shipped, remove_copy),
        cmocka_unit_test_setup_teardown(test_every_wrong_file_is_named, copy_shipped, remove_copy),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test_setup_teardown(test_places, copy_shipped, remove_copy),
        cmocka_unit_test_setup_teardown(test_place_in_a_template_without_wrapping, copy_shipped,
                                        remove_copy),
        cmocka_unit_test(test_binding),
    };

    return cmocka_run_group_tests_name("catalog", tests, load_shipped, free_shipped);
}
