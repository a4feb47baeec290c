/* The settings: ranges, precedence, contradictions, secrets. */
#include "config/config.h"
#include "config/settings.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "db/connection.h"
#include "identity/caller.h"
#include "scratch.h"
#include "unit.h"

enum { ARGUMENTS_MAX = 8 };

#define SECRET_URL "postgresql://user:s3cret@h/d"

static struct scratch scratch;

static int open_scratch(void **state)
{
    (void)state;
    scratch_open(&scratch);
    return 0;
}

static int close_scratch(void **state)
{
    (void)state;
    scratch_close(&scratch);
    return 0;
}

struct reading {
    bool good;
    struct config config;
    char *errors;
};

/* Reads settings from variables and options. Each list ends with NULL; NULL instead of a list:
 * none. */
static void read_settings(struct reading *reading, const char *const *environment,
                          const char *const *options)
{
    char *envp[ARGUMENTS_MAX] = {NULL};
    char *argv[ARGUMENTS_MAX] = {(char[]){"cruddurd"}};
    int argc = 1;
    size_t size;
    FILE *errors = open_memstream(&reading->errors, &size);

    assert_non_null(errors);
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++) {
        envp[i] = strdup(environment[i]);
    }
    for (; options != NULL && options[argc - 1] != NULL; argc++) {
        argv[argc] = strdup(options[argc - 1]);
    }
    reading->good = config_read(&reading->config, envp, argc, argv, errors);
    fclose(errors);
    for (size_t i = 0; envp[i] != NULL; i++) {
        free(envp[i]);
    }
    while (argc > 1) {
        free(argv[--argc]);
    }
}

static void forget(struct reading *reading)
{
    config_release(&reading->config);
    free(reading->errors);
}

/* The settings are refused with this error; NULL: they are accepted without an error. */
static void expect_reading(const char *const *environment, const char *const *options,
                           const char *error)
{
    struct reading reading;

    read_settings(&reading, environment, options);
    if (error == NULL) {
        expect_text("errors", reading.errors, "");
        assert_true(reading.good);
    } else {
        expect_within("errors", reading.errors, error);
        expect(error, !reading.good);
    }
    forget(&reading);
}

/* One setting, as a variable and as an option in both forms. A variable may also be empty. */
static void expect_setting(const char *variable, const char *option, const char *value, bool good)
{
    char pair[256], joined[256];

    snprintf(pair, sizeof pair, "%s=%s", variable, value);
    snprintf(joined, sizeof joined, "%s=%s", option, value);
    expect_reading((const char *const[]){pair, NULL}, NULL,
                   good || *value == '\0' ? NULL : variable);
    expect_reading(NULL, (const char *const[]){option, value, NULL}, good ? NULL : option);
    expect_reading(NULL, (const char *const[]){joined, NULL}, good ? NULL : option);
}

static void test_numbers(void **state)
{
    /* The last value inside and the first one outside of each end. The deadlines also depend on
     * one another: see test_contradictions. */
    static const struct {
        const char *variable, *option;
        const char *below, *least, *most, *above;
    } rows[] = {
        {"CRUDDUR_BACKLOG", "--backlog", "0", "1", "65535", "65536"},
        {"CRUDDUR_OTLP_SAMPLE", "--otlp-sample", "-1", "0", "100", "101"},
        {"CRUDDUR_FEED_STALE", "--feed-stale", "-1", "0", "86400", "86401"},
        {"CRUDDUR_FEED_WATCH", "--feed-watch", "-1", "0", "1000", "1001"},
        {"CRUDDUR_BODY_MAX", "--body-max", "1023", "1024", "65536", "65537"},
        {"CRUDDUR_DEADLINE", "--deadline", "99", "2001", "4499", "60001"},
        {"CRUDDUR_DRAIN_TIMEOUT", "--drain-timeout", "99", "100", "600000", "600001"},
        {"CRUDDUR_JWKS_MAX_AGE", "--jwks-max-age", "59", "60", "31536000", "31536001"},
        {"CRUDDUR_LISTEN_MODE", "--listen-mode", "-1", "0", "0777", "1000"},
        {"CRUDDUR_PRIMARY_WATCH", "--primary-watch", "-1", "0", "10000", "10001"},
        {"CRUDDUR_REPLICA_LAG", "--replica-lag", "19", "20", "60000", "60001"},
        {"CRUDDUR_REPLICA_STALE", "--replica-stale", "-1", "0", "86400", "86401"},
        {"CRUDDUR_REQUEST_TIMEOUT", "--request-timeout", "99", "100", "60000", "60001"},
        {"CRUDDUR_SLOW_TIMEOUT", "--slow-timeout", "49", "50", "60000", "60001"},
        {"CRUDDUR_STATEMENT_TIMEOUT", "--statement-timeout", "49", "50", "2999", "60001"},
        {"CRUDDUR_STREAMS", "--streams", "-1", "0", "100000", "100001"},
        {"CRUDDUR_STUCK_TIMEOUT", "--stuck-timeout", "999", "3001", "600000", "600001"},
        {"CRUDDUR_WORKERS", "--workers", "-1", "0", "64", "65"},
    };
    static const char *const never[] = {
        "",
        " ",
        "-5000",
        "+5000",
        " 5000",
        "5000 ",
        "5000x",
        "5e3",
        "0x1388",
        "5000.0",
        "five",
        "99999999999999999999",
        "\xef\xbc\x95",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_setting(rows[i].variable, rows[i].option, rows[i].below, false);
        expect_setting(rows[i].variable, rows[i].option, rows[i].least, true);
        expect_setting(rows[i].variable, rows[i].option, rows[i].most, true);
        expect_setting(rows[i].variable, rows[i].option, rows[i].above, false);
        for (size_t k = 0; k < COUNT_OF(never); k++) {
            expect_setting(rows[i].variable, rows[i].option, never[k], false);
        }
    }
}

static void test_words(void **state)
{
    static const struct {
        const char *variable, *option;
        const char *good[5];
        const char *bad[5];
    } rows[] = {
        {"CRUDDUR_IDENTITY", "--identity", {"token", "handle"}, {"", "Token", "tokens", "0"}},
        {"CRUDDUR_LOG_FORMAT", "--log-format", {"auto", "text", "json"}, {"", "JSON", "xml"}},
        {"CRUDDUR_LOG_LEVEL",
         "--log-level",
         {"error", "warning", "info", "debug"},
         {"", "INFO", "warn", "trace"}},
        {"CRUDDUR_LOG_PARAMS", "--log-params", {"0"}, {"", "2", "yes", "true", "00"}},
        {"CRUDDUR_PREPARE", "--prepare", {"0", "1"}, {"", "2", "on", "01"}},
        {"CRUDDUR_LISTEN", "--listen", {"unix:/run/x", "tcp:h:1"}, {""}},
        {"CRUDDUR_LISTEN_GROUP", "--listen-group", {NULL}, {""}},
        {"CRUDDUR_SQL_DIR", "--sql-dir", {"/any where"}, {""}},
        {"CRUDDUR_SETTINGS_FILE", "--settings-file", {NULL}, {""}},
        {"CONNECTION_URL_FILE", "--connection-url-file", {NULL}, {""}},
        {"READ_CONNECTION_URL_FILE", "--read-connection-url-file", {NULL}, {""}},
        {"CRUDDUR_HOOK_SECRET_FILE", "--hook-secret-file", {NULL}, {""}},
        {"CRUDDUR_HOOK_CONNECTION_URL_FILE", "--hook-connection-url-file", {NULL}, {""}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k < COUNT_OF(rows[i].good) && rows[i].good[k] != NULL; k++) {
            expect_setting(rows[i].variable, rows[i].option, rows[i].good[k], true);
        }
        for (size_t k = 0; k < COUNT_OF(rows[i].bad) && rows[i].bad[k] != NULL; k++) {
            expect_setting(rows[i].variable, rows[i].option, rows[i].bad[k], false);
        }
    }
}

static void test_defaults(void **state)
{
    struct reading reading;

    (void)state;
    read_settings(&reading, NULL, NULL);
    const struct config *config = &reading.config;
    assert_true(reading.good);
    expect_text("errors", reading.errors, "");
    assert_int_equal(config->action, ACTION_SERVE);
    assert_null(config->connection_url);
    assert_null(config->connection_url_file);
    assert_null(config->listen);
    assert_null(config->listen_group);
    assert_null(config->settings_file);
    assert_null(config->hook_secret_file);
    assert_int_equal(config->hook_secret_fd, 0);
    expect_text("sql_dir", config->sql_dir, SQL_DIR);
    assert_int_equal(config->listen_mode, 0660);
    assert_int_equal(config->backlog, 1024);
    assert_in_range(config->workers, 4, 16);
    assert_int_equal(config->body_max, 16384);
    assert_int_equal(config->statement_timeout, 2000);
    assert_int_equal(config->deadline, 3000);
    assert_int_equal(config->request_timeout, 5000);
    assert_int_equal(config->drain_timeout, 5000);
    assert_int_equal(config->stuck_timeout, 4500);
    assert_int_equal(config->identity, IDENTITY_TOKEN);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_int_equal(config->log_format, LOG_FORMAT_AUTO);
    assert_false(config->log_params);
    assert_true(config->prepare);
    forget(&reading);
}

static void expect_workers(const char *const *environment, const char *const *options, int workers)
{
    struct reading reading;

    read_settings(&reading, environment, options);
    expect(reading.errors, reading.good);
    assert_int_equal(reading.config.workers, workers);
    forget(&reading);
}

static void test_option_over_variable_over_file(void **state)
{
    const char *path = scratch_text(&scratch, "settings", "CRUDDUR_WORKERS=7\n");
    char file[300];
    const char *const in_file[] = {file, NULL};
    const char *const both[] = {file, "CRUDDUR_WORKERS=8", NULL};
    const char *const option[] = {"--workers", "9", NULL};
    const char *const file_option[] = {"--settings-file", path, NULL};

    (void)state;
    snprintf(file, sizeof file, "CRUDDUR_SETTINGS_FILE=%s", path);
    expect_workers(in_file, NULL, 7);
    expect_workers(NULL, file_option, 7);
    expect_workers(both, NULL, 8);
    expect_workers(both, option, 9);
    expect_workers(in_file, option, 9);
    expect_workers(NULL, (const char *const[]){"--workers", "5", "--workers=6", NULL}, 6);
}

/* With all processors that this process may use, and with one of them. */
static void test_workers_by_processors(void **state)
{
    cpu_set_t all, one;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    int wanted = 2 * CPU_COUNT(&all);
    expect_workers(NULL, NULL, wanted < 4 ? 4 : wanted > 16 ? 16 : wanted);
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    expect_workers(NULL, (const char *const[]){"--workers", "0", NULL}, 4);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

static void test_settings_file(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {"", NULL},
        {"\n\n# words\n  # more = words\n\t\n", NULL},
        {"CRUDDUR_WORKERS=7\n\n  CRUDDUR_BACKLOG=5\n# end", NULL},
        {"CONNECTION_URL=" SECRET_URL "\n", NULL},
        {"CRUDDUR_WORKERS=65\n", "CRUDDUR_WORKERS"},
        {"CRUDDUR_WORKERS=7 # seven\n", "CRUDDUR_WORKERS"},
        {"CRUDDUR_WORKER=7\n", "CRUDDUR_WORKER: there is no such setting"},
        {"PATH=/bin\n", "PATH: there is no such setting"},
        {"CRUDDUR_WORKERS\n", "CRUDDUR_WORKERS"},
        {"=7\n", "no such setting"},
        {"CRUDDUR_WORKERS = 7\n", "not VARIABLE=value"},
        {"CRUDDUR_DEADLINE=100\n", "--statement-timeout must be below --deadline"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *path = scratch_text(&scratch, "settings", rows[i].text);

        expect_reading(NULL, (const char *const[]){"--settings-file", path, NULL}, rows[i].error);
    }
    const char *open = scratch_write(&scratch, "open", "CRUDDUR_WORKERS=7", 17, 0644);
    expect_reading(NULL, (const char *const[]){"--settings-file", open, NULL}, "chmod 600");
}

/* Docker Compose writes a variable that was not given as VARIABLE=. Such a line of the settings
 * file is unset too. */
static void test_empty_is_unset(void **state)
{
    static const char *const variables[] = {"FRONTEND_URL=",
                                            "CONNECTION_URL=",
                                            "CONNECTION_URL_FILE=",
                                            "CRUDDUR_LISTEN_MODE=",
                                            "CRUDDUR_PREPARE=",
                                            "CRUDDUR_IDENTITY=",
                                            NULL};
    const char *path =
        scratch_text(&scratch, "settings", "FRONTEND_URL=\nCRUDDUR_WORKERS=\nCRUDDUR_BACKLOG=7\n");
    struct reading reading;

    (void)state;
    read_settings(&reading, variables, (const char *const[]){"--settings-file", path, NULL});
    expect_text("errors", reading.errors, "");
    assert_true(reading.good);
    assert_null(reading.config.frontend_url);
    assert_null(reading.config.connection_url);
    assert_int_equal(reading.config.backlog, 7);
    assert_int_equal(reading.config.listen_mode, 0660);
    assert_true(reading.config.prepare);
    forget(&reading);
    expect_reading((const char *const[]){"CRUDDUR_NOTHING=", NULL}, NULL,
                   "CRUDDUR_NOTHING: there is no such setting");
    expect_reading(NULL, (const char *const[]){"--frontend-url", "", NULL}, "--frontend-url");
    expect_reading(NULL, (const char *const[]){"--workers=", NULL}, "--workers");
}

static void test_missing_files(void **state)
{
    (void)state;
    expect_reading((const char *const[]){"CRUDDUR_SETTINGS_FILE=/nowhere", NULL}, NULL,
                   "--settings-file: /nowhere: No such file");
    expect_reading(NULL, (const char *const[]){"--connection-url-file=/nowhere", NULL},
                   "--connection-url-file: /nowhere: No such file");
    expect_reading(NULL,
                   (const char *const[]){"--hook-secret-file=/nowhere",
                                         "--hook-connection-url-file=/nowhere", NULL},
                   "--hook-connection-url-file: /nowhere: No such file");
    expect_reading(NULL, (const char *const[]){"--hook-connection-url-file=/nowhere", NULL},
                   "goes only with --hook-secret-file");
    expect_reading(NULL, (const char *const[]){"--hook-secret-file=/nowhere", NULL},
                   "--hook-secret-file: /nowhere: No such file");
}

static void test_unknown_names(void **state)
{
    static const char *const variables[] = {"CRUDDUR_WORKER=4", "CRUDDUR_=1", "CRUDDUR_WORKERSX=1",
                                            "CRUDDUR_LISTEN_", "CRUDDUR_CHECK=1"};
    static const char *const options[] = {"--worker",  "--Workers=4", "--connection-url=x",
                                          "--check=1", "--help=1",    "--"};
    static const char *const arguments[] = {"-w", "workers", ""};
    static const char *const strangers[] = {"PATH=/bin", "CRUDDURX=1", "cruddur_workers=0",
                                            "PGHOST=h",  "=C:=C",      "BASH_FUNC_x%%=() {\n}",
                                            NULL};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        expect_reading((const char *const[]){variables[i], NULL}, NULL, "there is no such setting");
    }
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        expect_reading(NULL, (const char *const[]){options[i], NULL}, "there is no such option");
    }
    for (size_t i = 0; i < COUNT_OF(arguments); i++) {
        expect_reading(NULL, (const char *const[]){"--check", arguments[i], NULL},
                       "argument 2 is no option");
    }
    expect_reading(strangers, NULL, NULL);
}

static void test_every_fault_is_named(void **state)
{
    static const char *const environment[] = {"CRUDDUR_WORKERS=65", "CRUDDUR_NONSENSE=1", NULL};
    static const char *const options[] = {"--body-max=1", "--nonsense", "--backlog", NULL};
    struct reading reading;

    (void)state;
    read_settings(&reading, environment, options);
    assert_false(reading.good);
    expect_within("1", reading.errors, "CRUDDUR_WORKERS: '65' is not N from 0 to 64\n");
    expect_within("2", reading.errors, "CRUDDUR_NONSENSE: ");
    expect_within("3", reading.errors, "--body-max: '1' is not BYTES from 1024 to 65536\n");
    expect_within("4", reading.errors, "--nonsense: ");
    expect_within("5", reading.errors, "--backlog needs a value: N\n");
    forget(&reading);
}

static void test_contradictions(void **state)
{
    static const struct {
        const char *options[6];
        const char *error;
    } rows[] = {
        {{"--statement-timeout=2999", "--deadline=3000"}, NULL},
        {{"--statement-timeout=3000", "--deadline=3000"}, "below --deadline"},
        {{"--statement-timeout=3001", "--deadline=3000"}, "below --deadline"},
        {{"--deadline=4499", "--stuck-timeout=4500"}, NULL},
        {{"--deadline=4500", "--stuck-timeout=4500"}, "below --stuck-timeout"},
        {{"--log-params=1", "--identity=handle"}, NULL},
        {{"--log-params=1", "--identity=token"}, "--log-params"},
        {{"--log-params=1"}, "--log-params"},
        {{"--default-handle=bayko", "--identity=handle"}, NULL},
        {{"--default-handle=bayko"}, "--default-handle"},
        {{"--issuer=https://i", "--cognito-client=c", "--jwks-file=/k"}, NULL},
        {{"--issuer=https://i", "--jwks-file=/k"}, "CLIENT_ID"},
        {{"--issuer=https://i", "--cognito-client=c"}, "--jwks-file"},
        {{"--jwks-file=/k"}, "issuer"},
        {{"--jwks-url=https://i/k"}, "issuer"},
        {{"--aws-region=eu-west-1"}, NULL}, /* other programs read this variable too */
        {{"--aws-region=eu-west-1", "--cognito-pool=p", "--cognito-client=c", "--jwks-file=/k"},
         NULL},
        {{"--aws-region=eu-west-1", "--cognito-pool=p", "--cognito-client=c"}, "--jwks-file"},
        {{"--frontend-url=https://cruddur.com", "--backend-url=http://localhost:4567"}, NULL},
        {{"--frontend-url=*"}, "--frontend-url"},
        {{"--backend-url=https://cruddur.com/"}, "--backend-url"},
        {{"--listen-group=g", "--listen=unix:/x"}, NULL},
        {{"--listen-group=g"}, "--listen-group"},
        {{"--listen-group=g", "--listen=tcp:127.0.0.1:9000"}, "--listen-group"},
        {{"--issuer=i", "--cognito-client=c", "--jwks-file=f", "--jwks-url=https://x/keys"}, NULL},
        {{"--issuer=i", "--cognito-client=c", "--jwks-file=f", "--jwks-url=http://x/keys"},
         "https"},
        {{"--issuer=i", "--cognito-client=c", "--jwks-file=f", "--jwks-url=file:///x"}, "https"},
        {{"--otlp-endpoint=http://127.0.0.1:4318"}, NULL},
        {{"--otlp-endpoint=http://[::1]:4318/"}, NULL},
        {{"--otlp-endpoint=https://api.honeycomb.io"}, NULL},
        {{"--otlp-endpoint=HTTPS://collector.example/some/path"}, NULL},
        {{"--otlp-endpoint=collector:4318"}, "must be a URL"},
        {{"--otlp-endpoint=grpc://collector:4317"}, "must be a URL"},
        {{"--otlp-endpoint=http://"}, "must be a URL"},
        {{"--otlp-endpoint=https:///v1"}, "must be a URL"},
        {{"--otlp-endpoint=https://user:key@collector"}, "must be a URL"},
        {{"--otlp-endpoint=https://collector?key=k"}, "must be a URL"},
        {{"--otlp-endpoint=https://collector#k"}, "must be a URL"},
        {{"--otlp-endpoint=https://collector /"}, "must be a URL"},
        {{"--otlp-headers-file=/nowhere"}, "goes only with --otlp-endpoint"},
        {{"--otlp-endpoint=https://c", "--otlp-headers-file=/nowhere"}, "No such file"},
        {{"--otlp-endpoint=http://c:4318", "--otlp-headers-file=/nowhere"}, "sent in clear"},
        {{"--otlp-endpoint=http://10.0.0.1", "--otlp-headers-file=/nowhere"}, "sent in clear"},
        {{"--otlp-endpoint=http://localhost.example", "--otlp-headers-file=/nowhere"},
         "sent in clear"},
        {{"--otlp-endpoint=http://127.0.0.1/x", "--otlp-headers-file=/nowhere"}, "No such file"},
        {{"--otlp-endpoint=http://[::1]", "--otlp-headers-file=/nowhere"}, "No such file"},
        {{"--otlp-endpoint=http://localhost:4318", "--otlp-headers-file=/nowhere"}, "No such file"},
        {{"--identity=handle", "--listen=unix:/x"}, NULL},
        {{"--identity=handle", "--listen=tcp:127.0.0.1:9000"}, NULL},
        {{"--identity=handle", "--listen=tcp:[::1]:9000"}, NULL},
        {{"--identity=handle", "--listen=tcp:localhost:9000"}, NULL},
        {{"--identity=handle", "--listen=tcp:10.0.0.1:9000"}, "loopback"},
        {{"--identity=handle", "--listen=tcp:0.0.0.0:9000"}, "loopback"},
        {{"--identity=handle", "--listen=tcp:[::]:9000"}, "loopback"},
        {{"--identity=handle", "--listen=tcp:127.1.2.3:9000"}, NULL},
        {{"--identity=handle", "--listen=tcp:[::ffff:127.0.0.1]:9000"}, NULL},
        {{"--identity=handle", "--listen=tcp:[::ffff:10.0.0.1]:9000"}, "loopback"},
        {{"--identity=handle", "--listen=tcp:localhost.example.org:9000"},
         NULL}, /* checked by its address, later */
        {{"--identity=token", "--listen=tcp:0.0.0.0:9000"}, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_reading(NULL, rows[i].options, rows[i].error);
    }
}

static void test_url_file(void **state)
{
    const char *path = scratch_text(&scratch, "url", SECRET_URL "\n");
    const char *const option[] = {"--connection-url-file", path, NULL};
    static const char *const url[] = {"CONNECTION_URL=" SECRET_URL, NULL};

    (void)state;
    expect_reading(NULL, option, NULL);
    expect_reading(url, NULL, NULL);
    expect_reading(url, option, "contradict");
    expect_reading((const char *const[]){"CONNECTION_URL=nonsense", NULL}, NULL,
                   "CONNECTION_URL: it is no connection string");
    expect_reading((const char *const[]){"READ_CONNECTION_URL=nonsense", NULL}, NULL,
                   "READ_CONNECTION_URL: it is no connection string");
    expect_reading((const char *const[]){"READ_CONNECTION_URL=" SECRET_URL, NULL}, option, NULL);
    expect_reading((const char *const[]){"READ_CONNECTION_URL=" SECRET_URL, NULL},
                   (const char *const[]){"--read-connection-url-file", path, NULL}, "contradict");
    expect_reading((const char *const[]){"READ_CONNECTION_URL=" SECRET_URL, NULL},
                   (const char *const[]){"--prepare=0", NULL}, "--prepare 1");
    path = scratch_text(&scratch, "nonsense", "nonsense");
    expect_reading(NULL, (const char *const[]){"--connection-url-file", path, NULL},
                   "--connection-url-file: it is no connection string");
    path = scratch_write(&scratch, "open", SECRET_URL, sizeof SECRET_URL - 1, 0604);
    expect_reading(NULL, (const char *const[]){"--connection-url-file", path, NULL}, "chmod 600");
    path = scratch_text(&scratch, "empty", "\n");
    expect_reading(NULL, (const char *const[]){"--connection-url-file", path, NULL}, "it is empty");
    expect_reading(NULL, (const char *const[]){"--read-connection-url-file", path, NULL},
                   "it is empty");
}

/* These settings are refused, and no error has the password in it. */
static void expect_kept(const char *variable, const char *option, const char *settings)
{
    const char *path = scratch_text(&scratch, "settings", settings != NULL ? settings : "");
    struct reading reading;

    read_settings(&reading, (const char *const[]){variable, NULL},
                  (const char *const[]){"--settings-file", path, option, NULL});
    assert_false(reading.good);
    expect("something is said", reading.errors[0] != '\0');
    expect_not_within("errors", reading.errors, "s3cret");
    forget(&reading);
}

static void test_the_url_is_never_printed(void **state)
{
    (void)state;
    expect_kept("CONNECTION_URL=" SECRET_URL, "--connection-url-file=/nowhere", NULL);
    expect_kept("CONNECTION_URL=postgresql://user:s3cret@h:port/d", NULL, NULL);
    expect_kept("CONNECTION_URL=s3cret", NULL, NULL);
    expect_kept("READ_CONNECTION_URL=s3cret", NULL, NULL);
    expect_kept("READ_CONNECTION_URL=" SECRET_URL, "--workers=65", NULL);
    expect_kept("CONNECTION_URL=" SECRET_URL, "--workers=65", NULL);
    expect_kept("CRUDDUR_CONNECTION_URL=" SECRET_URL, NULL, NULL);
    expect_kept(NULL, NULL, "CRUDDUR_CONNECTION_URL=" SECRET_URL "\n");
    expect_kept(NULL, "--workers=65", "CONNECTION_URL=" SECRET_URL "\n");
}

static void test_a_misplaced_url_is_not_printed_either(void **state)
{
    (void)state;
    expect_kept(NULL, "--connection-url=" SECRET_URL, NULL);
    expect_kept(NULL, SECRET_URL, NULL);
    expect_kept(NULL, NULL, "CONNECTION_URL " SECRET_URL "\n");
    expect_kept(NULL, NULL, "CONNECTION_URL: " SECRET_URL "?sslmode=require\n");
    expect_kept(NULL, NULL, SECRET_URL "\n");
}

static void test_hook_secret(void **state)
{
    static const char secret[] = "0123456789abcdef0123456789s3cret";
    static const struct {
        const char *text;
        mode_t mode;
        const char *error;
    } rows[] = {
        {"0123456789abcdef0123456789s3cret", 0600, NULL},
        {"0123456789abcdef0123456789s3cret \n\n", 0640, NULL},
        {"123456789abcdef0123456789s3cret\n", 0600, "fewer than 32 bytes"},
        {"", 0600, "it is empty"},
        {"0123456789abcdef0123456789s3cret", 0604, "chmod 600"},
        {"0123456789abcdef0123456789s3cret", 0620, "chmod 600"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *path =
            scratch_write(&scratch, "hook", rows[i].text, strlen(rows[i].text), rows[i].mode);
        struct reading reading;

        read_settings(&reading, NULL, (const char *const[]){"--hook-secret-file", path, NULL});
        expect(rows[i].text, reading.good == (rows[i].error == NULL));
        struct buf kept = {0};
        expect("kept", (reading.config.hook_secret_fd > 0) == reading.good);
        if (reading.good) {
            assert_true(config_hook_secret(&reading.config, &kept));
            expect_text("secret", kept.bytes, secret);
        }
        buf_release(&kept);
        expect_within("errors", reading.errors, rows[i].error != NULL ? rows[i].error : "");
        expect_not_within("errors", reading.errors, "s3cret");
        forget(&reading);
        unlink(path);
    }
}

static void test_otlp_headers(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *error;
    } rows[] = {
        {"x-honeycomb-team: s3cret\n", 0600, NULL},
        {"", 0640, NULL},
        {"s3cret\n", 0600, "line 1 is not a header"},
        {"x-honeycomb-team: s3cret\n", 0604, "chmod 600"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *path =
            scratch_write(&scratch, "headers", rows[i].text, strlen(rows[i].text), rows[i].mode);
        struct reading reading;

        read_settings(&reading, NULL,
                      (const char *const[]){"--otlp-endpoint=https://collector",
                                            "--otlp-headers-file", path, NULL});
        expect(rows[i].text, reading.good == (rows[i].error == NULL));
        expect_within("errors", reading.errors, rows[i].error != NULL ? rows[i].error : "");
        expect_not_within("errors", reading.errors, "s3cret");
        forget(&reading);
        unlink(path);
    }
}

static void test_actions(void **state)
{
    static const struct {
        const char *option;
        enum config_action action;
    } rows[] = {{"--help", ACTION_HELP},
                {"--print-settings", ACTION_PRINT_SETTINGS},
                {"--routes", ACTION_ROUTES},
                {"--version", ACTION_VERSION},
                {"--check", ACTION_CHECK}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reading reading;

        read_settings(&reading, NULL, (const char *const[]){rows[i].option, NULL});
        expect(rows[i].option, reading.good);
        expect_integer(rows[i].option, reading.config.action, rows[i].action);
        forget(&reading);
    }
    /* --help works although other settings contradict each other, --check does not. */
    expect_reading(NULL, (const char *const[]){"--help", "--log-params=1", NULL}, NULL);
    expect_reading(NULL, (const char *const[]){"--check", "--log-params=1", NULL}, "--log-params");
}

static void test_connection_settings(void **state)
{
    const char *path = scratch_text(&scratch, "url", SECRET_URL);
    struct reading reading;

    (void)state;
    read_settings(&reading, NULL, NULL);
    struct connection_settings settings = config_connection(&reading.config, "app");
    expect_text("neither", settings.session.url, "");
    assert_null(settings.session.url_file);
    expect_text("name", settings.session.application_name, "app");
    assert_int_equal(settings.session.statement_timeout_ms, 2000);
    assert_int_equal(settings.deadline_ms, 3000);
    assert_true(settings.session.prepares);
    assert_false(settings.logs_values);
    forget(&reading);

    read_settings(
        &reading, (const char *const[]){"CONNECTION_URL=" SECRET_URL, NULL},
        (const char *const[]){"--identity=handle", "--log-params=1", "--prepare=0", NULL});
    settings = config_connection(&reading.config, "app");
    expect_text("the URL", settings.session.url, SECRET_URL);
    assert_null(settings.session.url_file);
    assert_false(settings.session.prepares);
    assert_true(settings.logs_values);
    forget(&reading);

    read_settings(&reading, NULL, (const char *const[]){"--connection-url-file", path, NULL});
    settings = config_connection(&reading.config, "app");
    assert_null(settings.session.url);
    expect_text("the file", settings.session.url_file, path);
    forget(&reading);
}

/* The caller frees the text. */
static char *help_text(void)
{
    char *help;
    size_t size;
    FILE *out = open_memstream(&help, &size);

    assert_non_null(out);
    settings_help(out);
    fclose(out);
    return help;
}

/* Fails for a new setting that has no row here. */
static void test_help_lists_every_setting(void **state)
{
    static const char *const settings[] = {
        "--cognito-client ID   AWS_COGNITO_USER_POOL_CLIENT_ID\n",
        "--cognito-pool ID   AWS_COGNITO_USER_POOL_ID\n",
        "--aws-region REGION   AWS_DEFAULT_REGION\n",
        "--backend-url ORIGIN   BACKEND_URL\n",
        "--frontend-url ORIGIN   FRONTEND_URL\n",
        "CONNECTION_URL URL\n",
        "--connection-url-file FILE   CONNECTION_URL_FILE\n",
        "--backlog N   CRUDDUR_BACKLOG   [1024]\n",
        "--body-max BYTES   CRUDDUR_BODY_MAX   [16384]\n",
        "--compat none|week4   CRUDDUR_COMPAT   [none]\n",
        "--core-dumps 0|1   CRUDDUR_CORE_DUMPS   [0]\n",
        "--deadline MS   CRUDDUR_DEADLINE   [3000]\n",
        "--default-handle HANDLE   CRUDDUR_DEFAULT_HANDLE\n",
        "--drain-timeout MS   CRUDDUR_DRAIN_TIMEOUT   [5000]\n",
        "--exporter PROGRAM   CRUDDUR_EXPORTER   [" EXPORTER "]\n",
        "--fetcher PROGRAM   CRUDDUR_FETCHER   [" FETCHER "]\n",
        "--hook-connection-url-file FILE   CRUDDUR_HOOK_CONNECTION_URL_FILE\n",
        "--hook-secret-file FILE   CRUDDUR_HOOK_SECRET_FILE\n",
        "--identity token|handle   CRUDDUR_IDENTITY   [token]\n",
        "--issuer URL   CRUDDUR_ISSUER\n",
        "--jwks-ca-file FILE   CRUDDUR_JWKS_CA_FILE\n",
        "--jwks-file FILE   CRUDDUR_JWKS_FILE\n",
        "--jwks-max-age SECONDS   CRUDDUR_JWKS_MAX_AGE   [86400]\n",
        "--jwks-url URL   CRUDDUR_JWKS_URL\n",
        "--listen ADDRESS   CRUDDUR_LISTEN\n",
        "--feed-stale SECONDS   CRUDDUR_FEED_STALE   [60]\n",
        "--feed-watch MS   CRUDDUR_FEED_WATCH   [20]\n",
        "--listen-group GROUP   CRUDDUR_LISTEN_GROUP\n",
        "--listen-mode MODE   CRUDDUR_LISTEN_MODE   [0660]\n",
        "--log-format auto|text|json   CRUDDUR_LOG_FORMAT   [auto]\n",
        "--log-level LEVEL   CRUDDUR_LOG_LEVEL   [info]\n",
        "--log-params 0|1   CRUDDUR_LOG_PARAMS   [0]\n",
        "--messages-per-hour N   CRUDDUR_MESSAGES_PER_HOUR   [600]\n",
        "--otlp-endpoint URL   CRUDDUR_OTLP_ENDPOINT\n",
        "--otlp-headers-file FILE   CRUDDUR_OTLP_HEADERS_FILE\n",
        "--otlp-sample PERCENT   CRUDDUR_OTLP_SAMPLE   [100]\n",
        "--posts-per-hour N   CRUDDUR_POSTS_PER_HOUR   [300]\n",
        "--prepare 0|1   CRUDDUR_PREPARE   [1]\n",
        "--primary-watch MS   CRUDDUR_PRIMARY_WATCH   [200]\n",
        "--purge-interval SECONDS   CRUDDUR_PURGE_INTERVAL   [5]\n",
        "--read-connection-url-file FILE   READ_CONNECTION_URL_FILE\n",
        "READ_CONNECTION_URL URL\n",
        "--replica-lag MS   CRUDDUR_REPLICA_LAG   [1000]\n",
        "--replica-stale SECONDS   CRUDDUR_REPLICA_STALE   [60]\n",
        "--repeat-window SECONDS   CRUDDUR_REPEAT_WINDOW   [5]\n",
        "--reports-per-hour N   CRUDDUR_REPORTS_PER_HOUR   [20]\n",
        "--request-timeout MS   CRUDDUR_REQUEST_TIMEOUT   [5000]\n",
        "--sandbox auto|on|off   CRUDDUR_SANDBOX   [auto]\n",
        "--settings-file FILE   CRUDDUR_SETTINGS_FILE\n",
        "--slow-timeout MS   CRUDDUR_SLOW_TIMEOUT   [1000]\n",
        "--sql-dir DIR   CRUDDUR_SQL_DIR   [" SQL_DIR "]\n",
        "--statement-timeout MS   CRUDDUR_STATEMENT_TIMEOUT   [2000]\n",
        "--streams N   CRUDDUR_STREAMS   [1024]\n",
        "--stuck-timeout MS   CRUDDUR_STUCK_TIMEOUT   [4500]\n",
        "--workers N   CRUDDUR_WORKERS   [0]\n",
    };
    char *help = help_text();
    size_t variables = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        expect_within("help", help, settings[i]);
    }
    for (const char *at = help; (at = strstr(at, "CRUDDUR_")) != NULL; at++) {
        variables++;
    }
    assert_int_equal(variables, COUNT_OF(settings) - 9);
    free(help);
}

/* Checks one setting's section of the manual page: its heading, and its default if it has one. */
static void expect_in_manual(const char *manual, const char *option, const char *variable,
                             const char *initial)
{
    struct arena arena = {0};
    const char *opening = arena_printf(&arena, "\n.It Fl %s Ar ", option + 1);
    const char *heading = strstr(manual, opening);

    expect(opening, heading != NULL);
    const char *end = strchr(heading + 1, '\n');
    const char *next = strstr(end, "\n.It ");
    size_t length = next != NULL ? (size_t)(next - heading) : strlen(heading);
    const char *section = arena_copy(&arena, heading, length);
    expect_within(option, section, arena_printf(&arena, " , Ev %s\n", variable));
    bool is_path = strcmp(option, "--sql-dir") == 0 || strcmp(option, "--fetcher") == 0 ||
                   strcmp(option, "--exporter") == 0;
    if (*initial != '\0' && !is_path) {
        expect_within(option, section, arena_printf(&arena, "\nDefault: %s.", initial));
    }
    arena_release(&arena);
}

static void test_manual_lists_the_same(void **state)
{
    char *help = help_text();
    struct buf manual = {0};
    struct error error;
    int settings = 0;

    (void)state;
    assert_true(file_read(TOP_SRCDIR "/man/cruddurd.8", &manual, &error));
    for (const char *line = help; line != NULL; line = strchr(line, '\n')) {
        char option[32], shape[32], variable[64], initial[256] = "";

        line += *line == '\n';
        if (sscanf(line, "  %31s %31s   %63[A-Z_]   [%255[^]]]", option, shape, variable,
                   initial) >= 3 &&
            strncmp(option, "--", 2) == 0) {
            expect_in_manual(manual.bytes, option, variable, initial);
            settings++;
        }
    }
    assert_int_equal(settings, 54);
    expect_within("manual", manual.bytes, "\n.It Ev CONNECTION_URL\n");
    buf_release(&manual);
    free(help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_option_over_variable_over_file),
        cmocka_unit_test(test_workers_by_processors),
        cmocka_unit_test(test_settings_file),
        cmocka_unit_test(test_empty_is_unset),
        cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_every_fault_is_named),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_url_file),
        cmocka_unit_test(test_the_url_is_never_printed),
        cmocka_unit_test(test_a_misplaced_url_is_not_printed_either),
        cmocka_unit_test(test_hook_secret),
        cmocka_unit_test(test_otlp_headers),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_connection_settings),
        cmocka_unit_test(test_help_lists_every_setting),
        cmocka_unit_test(test_manual_lists_the_same),
    };

    return cmocka_run_group_tests_name("config", tests, open_scratch, close_scratch);
}
