/* Connection strings to libpq's keywords. */
#include "db/conninfo.h"

#include <stdlib.h>

#include "unit.h"

enum { KEYWORDS_MAX = 12 };

/* The value of a keyword; NULL if it is not set. Also checks that it is not there twice. */
static const char *value_of(const struct conninfo *conninfo, const char *keyword)
{
    const char *value = NULL;

    for (size_t i = 0; conninfo->keywords[i] != NULL; i++) {
        if (strcmp(conninfo->keywords[i], keyword) == 0) {
            expect(keyword, value == NULL);
            value = conninfo->values[i];
        }
    }
    return value;
}

struct pair {
    const char *keyword;
    const char *value; /* NULL: not set */
};

static void test_parsed(void **state)
{
    static const struct {
        const char *url;
        struct pair pairs[KEYWORDS_MAX];
    } rows[] = {
        {"postgresql://u:p@h:5433/d",
         {{"user", "u"}, {"password", "p"}, {"host", "h"}, {"port", "5433"}, {"dbname", "d"}}},
        {"postgres://h/d", {{"host", "h"}, {"dbname", "d"}, {"user", NULL}, {"port", NULL}}},
        {"postgresql://u%2Fcruddur:p%40%3A%2F@h/cruddur%2Fx",
         {{"user", "u/cruddur"}, {"password", "p@:/"}, {"dbname", "cruddur/x"}}},
        {"postgresql://a:1,b:2,c:3/d", {{"host", "a,b,c"}, {"port", "1,2,3"}}},
        {"host=a,b hostaddr=10.0.0.1,10.0.0.2 port=5432",
         {{"host", "a,b"}, {"hostaddr", "10.0.0.1,10.0.0.2"}, {"port", "5432"}}},
        {"postgresql://a,b/d?target_session_attrs=read-write",
         {{"host", "a,b"}, {"target_session_attrs", "read-write"}}},
        {"postgresql:///d?host=/var/run/postgresql",
         {{"host", "/var/run/postgresql"}, {"dbname", "d"}}},
        {"postgresql://%2Fvar%2Frun%2Fpostgresql/d", {{"host", "/var/run/postgresql"}}},
        {"postgresql://[::1]:5433/d", {{"host", "::1"}, {"port", "5433"}}},
        {"host=h user='a b' password='it\\'s'",
         {{"host", "h"}, {"user", "a b"}, {"password", "it's"}}},
        {"postgresql://h/d?sslmode=verify-full&connect_timeout=7",
         {{"sslmode", "verify-full"}, {"connect_timeout", "7"}}},
        {"postgresql://u@h/d?application_name=a@b", {{"host", "h"}, {"dbname", "d"}}},
        {"postgresql://%40abstract/d%40e", {{"host", "@abstract"}, {"dbname", "d@e"}}},
        {"host=h dbname='a://b@c'", {{"host", "h"}, {"dbname", "a://b@c"}}},
        {"postgresql://", {{"host", NULL}, {"dbname", NULL}}},
        {"", {{"host", NULL}, {"dbname", NULL}}}, /* libpq's own defaults and PG* variables */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct conninfo conninfo;
        struct error error = {""};

        expect(rows[i].url, conninfo_parse(rows[i].url, "app", &conninfo, &error));
        for (const struct pair *pair = rows[i].pairs; pair->keyword != NULL; pair++) {
            expect_text(pair->keyword, value_of(&conninfo, pair->keyword), pair->value);
        }
        expect_text(rows[i].url, value_of(&conninfo, "application_name"), "app");
        expect_text(rows[i].url, value_of(&conninfo, "client_encoding"), "UTF8");
        conninfo_release(&conninfo);
    }
}

static void expect_keep_alive(const char *url, const struct pair *pairs)
{
    struct conninfo conninfo;
    struct error error;

    assert_true(conninfo_parse(url, "app", &conninfo, &error));
    for (; pairs->keyword != NULL; pairs++) {
        expect_text(pairs->keyword, value_of(&conninfo, pairs->keyword), pairs->value);
    }
    conninfo_release(&conninfo);
}

static void test_defaults_where_the_url_is_silent(void **state)
{
    static const struct pair defaults[] = {{"tcp_user_timeout", "3000"},
                                           {"keepalives_idle", "1"},
                                           {"keepalives_interval", "1"},
                                           {"keepalives_count", "3"},
                                           {NULL, NULL}};
    static const struct pair own[] = {{"tcp_user_timeout", "9000"},
                                      {"keepalives_idle", "60"},
                                      {"keepalives_interval", "1"},
                                      {"keepalives_count", "9"},
                                      {NULL, NULL}};

    (void)state;
    expect_keep_alive("postgresql://h/d", defaults);
    expect_keep_alive(
        "postgresql://h/d?tcp_user_timeout=9000&keepalives_idle=60&keepalives_count=9", own);
    expect_keep_alive("host=h tcp_user_timeout=9000 keepalives_idle=60 keepalives_count=9", own);
}

static void test_ours_in_any_case(void **state)
{
    static const struct pair pairs[] = {
        {"application_name", "app"}, {"client_encoding", "UTF8"}, {NULL, NULL}};

    (void)state;
    expect_keep_alive("postgresql://h/d?application_name=x&client_encoding=latin1", pairs);
}

/* libpq's order: the string, its service, the environment, its own defaults. */
static void test_completed(void **state)
{
    static const struct {
        const char *url;
        struct pair environment[4];
        struct pair pairs[KEYWORDS_MAX];
    } rows[] = {
        {"", {{NULL, NULL}}, {{"host", NULL}, {"hostaddr", NULL}, {"port", "5432"}}},
        {"", {{"PGHOST", "a,b"}, {"PGPORT", "6000"}}, {{"host", "a,b"}, {"port", "6000"}}},
        {"postgresql://h/d",
         {{"PGHOST", "a"}, {"PGPORT", "6000"}, {"PGCONNECT_TIMEOUT", "7"}},
         {{"host", "h"}, {"port", "6000"}, {"connect_timeout", "7"}}},
        {"host=h port=1 connect_timeout=3 sslmode=require",
         {{"PGHOSTADDR", "10.0.0.1"}, {"PGPORT", "6000"}, {"PGCONNECT_TIMEOUT", "7"}},
         {{"host", "h"},
          {"hostaddr", "10.0.0.1"},
          {"port", "1"},
          {"connect_timeout", "3"},
          {"sslmode", "require"}}},
        {"", {{"PGSSLMODE", "verify-full"}}, {{"sslmode", NULL}}}, /* libpq adds it itself */
        {"service=nowhere", {{"PGHOST", "a"}}, {{"service", "nowhere"}, {"host", NULL}}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct conninfo conninfo;
        struct error error;

        for (const struct pair *set = rows[i].environment; set->keyword != NULL; set++) {
            setenv(set->keyword, set->value, 1);
        }
        assert_true(conninfo_parse(rows[i].url, "app", &conninfo, &error));
        conninfo_complete(&conninfo);
        for (const struct pair *pair = rows[i].pairs; pair->keyword != NULL; pair++) {
            expect_text(pair->keyword, value_of(&conninfo, pair->keyword), pair->value);
        }
        for (const struct pair *set = rows[i].environment; set->keyword != NULL; set++) {
            unsetenv(set->keyword);
        }
        conninfo_release(&conninfo);
    }
}

static void test_bad_string_keeps_its_password(void **state)
{
    static const char *const rows[] = {
        "postgresql://user:s3cret@h:port:5/d",
        /* Characters that should have been encoded: the rest is taken for host and port. */
        "postgresql://user:pass@s3cret@h/d",
        "postgresql://user:s3cret/x@h/d",
        "postgresql://user:/s3cret@h/d",
        "postgresql://user:x@s3/cret@h/d",
        "postgresql://user:12/s3cret@h/d",
        "postgresql://user:s3cret@@h/d",
        "postgres://user:@s3cret@h,i/d?host=j",
        "postgresql://h/d?nonsense=1&password=s3cret",
        "postgresql://user:s3cret@h/d?nonsense=1",
        "postgresql://user:s3cret%zz@h/d",
        "postgresql://user:s3cret%00@h/d",
        "postgresql://user:s3cret@[::1/d",
        "mysql://user:s3cret@h/d",
        "https://user:s3cret@h/d",
        "user:s3cret@h",
        "password=s3cret nonsense=1",
        "password='s3cret",
        "s3cret",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct conninfo conninfo;
        struct error error = {""};

        expect(rows[i], !conninfo_parse(rows[i], "app", &conninfo, &error));
        expect(rows[i], error.text[0] != '\0');
        expect_not_within(rows[i], error.text, "s3cret");
        expect_not_within(rows[i], error.text, "user");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_completed),
        cmocka_unit_test(test_parsed),
        cmocka_unit_test(test_defaults_where_the_url_is_silent),
        cmocka_unit_test(test_ours_in_any_case),
        cmocka_unit_test(test_bad_string_keeps_its_password),
    };

    return cmocka_run_group_tests_name("conninfo", tests, NULL, NULL);
}
