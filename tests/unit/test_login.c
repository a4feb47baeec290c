/* How the Lambda function logs in: from a URL, a secret, or both. */
#include "lambda/login.h"

#include <stdlib.h>

#include "db/conninfo.h"
#include "unit.h"

/* Writes the connection string, parses it, and compares the values. */
static void expect_login(const char *url, const char *secret, const char *host, const char *port,
                         const char *user, const char *password)
{
    struct buf login = {0};
    struct conninfo conninfo;
    struct error error = {.text = ""};

    expect(error.text, login_write(url, secret, &login, &error));
    expect(login.bytes, conninfo_parse(login.bytes, "test", &conninfo, &error));
    expect_text("host", conninfo_value(&conninfo, "host"), host);
    expect_text("port", conninfo_value(&conninfo, "port"), port);
    expect_text("user", conninfo_value(&conninfo, "user"), user);
    expect_text("password", conninfo_value(&conninfo, "password"), password);
    expect_text("timeout", conninfo_value(&conninfo, "tcp_user_timeout"), "3000");
    conninfo_release(&conninfo);
    buf_release(&login);
}

static void test_a_url(void **state)
{
    (void)state;
    expect_login("postgresql://u:p%20%27%5C%40@h:5433/d", NULL, "h", "5433", "u", "p '\\@");
    expect_login("host=h user=u", NULL, "h", NULL, "u", NULL);
    expect_login("postgres://u@a,b/d", NULL, "a,b", ",", "u", NULL);
}

static void test_a_secret(void **state)
{
    (void)state;
    expect_login(NULL,
                 "{\"host\":\"h\",\"port\":5433,\"username\":\"u\",\"password\":\"it's \\\\ new\"}",
                 "h", "5433", "u", "it's \\ new");
    expect_login(NULL, "{\"port\":\"5433\",\"password\":\"\"}", NULL, "5433", NULL, "");
    expect_login(NULL, "postgresql://u:p@h/d", "h", NULL, "u", "p");
}

/* Login and password come from the secret; host and port from the URL, if it has them. */
static void test_both(void **state)
{
    static const char *const secret =
        "{\"host\":\"h\",\"port\":1,\"username\":\"new\",\"password\":\"secret\",\"engine\":null}";

    (void)state;
    expect_login("postgresql://u:p@proxy:2/d", secret, "proxy", "2", "new", "secret");
    expect_login("postgresql:///d?user=u", secret, "h", "1", "new", "secret");
}

static void expect_refused(const char *url, const char *secret, const char *why)
{
    struct buf login = {0};
    struct error error = {.text = ""};

    expect(why, !login_write(url, secret, &login, &error));
    expect(error.text, strstr(error.text, why) != NULL);
    expect("no password is shown", strstr(error.text, "hush") == NULL);
    buf_release(&login);
}

static void test_what_is_no_login(void **state)
{
    (void)state;
    expect_refused("mysql://u:hush@h", NULL, "no connection string");
    expect_refused("postgresql://u:hush@@h/d", NULL, "an @ too many");
    expect_refused(NULL, "postgresql://u:hush/@h/d", "an @ too many");
    expect_refused(NULL, "", "neither a URL nor a JSON object");
    expect_refused(NULL, "hush", "neither a URL nor a JSON object");
    expect_refused(NULL, "[\"hush\"]", "neither a URL nor a JSON object");
    expect_refused(NULL, "{\"password\":\"hush\",\"password\":\"\"}", "neither");
    expect_refused(NULL, "{\"username\":\"u\",\"Password\":\"hush\"}", "has no password");
    expect_refused(NULL, "{\"password\":1}", "has no password");
    expect_refused("postgresql://h/d", "postgresql://u:hush@h/d", "must not be set");
    expect_refused(NULL, "{\"password\":\"hush\",\"port\":-5432}", "host or port is none");
    expect_refused(NULL, "{\"password\":\"hush\",\"port\":\"x\"}", "host or port is none");
    expect_refused(NULL, "{\"password\":\"hush\",\"host\":\"a@b\"}", "host or port is none");
}

static void test_verification(void **state)
{
    (void)state;
    unsetenv("PGHOST");
    setenv("PGSSLMODE", "verify-full", 1);
    assert_false(login_is_unverified("host=h"));
    assert_false(login_is_unverified("host=h sslmode=verify-full"));
    assert_true(login_is_unverified("host=h sslmode=verify-ca"));
    assert_true(login_is_unverified("host=h sslmode=disable"));
    assert_false(login_is_unverified("host=/run/postgresql sslmode=disable"));
    setenv("PGSSLMODE", "require", 1);
    assert_true(login_is_unverified("host=h"));
    unsetenv("PGSSLMODE");
    assert_true(login_is_unverified("host=h"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_url),        cmocka_unit_test(test_a_secret),
        cmocka_unit_test(test_both),         cmocka_unit_test(test_what_is_no_login),
        cmocka_unit_test(test_verification),
    };

    return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
