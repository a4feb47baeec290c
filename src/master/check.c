/* --check connects as a worker would, with each login of the settings, and prints everything that
 * is wrong. Errors make it fail; what works but is unsafe, or too small, is a warning. Nothing is
 * written to the database. */
#include "master/check.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/routes.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/status.h"
#include "config/config.h"
#include "db/catalog.h"
#include "db/connection.h"
#include "db/dial.h"
#include "db/pending.h"
#include "db/session.h"
#include "db/statement.h"
#include "db/trial.h"
#include "helper/purger.h"
#include "helper/watcher.h"

enum {
    CHECK_MS = 60000,   /* for all addresses, each of which has its own limit */
    MIGRATION_MAX = 128 /* bytes of a migration's name */
};

#define MIGRATION_SUFFIX ".up.sql"

/* --- a login --- */

/* Warns of what works but is unsafe. name: the login, as the subject of a sentence. */
static void warn_of_login(const struct session *session, const char *name)
{
    if (trial_is_superuser(session)) {
        fprintf(stderr,
                "cruddurd: %s has superuser rights, which it does not need: make the logins of "
                "sql/roles.sql (doc/security.md)\n",
                name);
    }
    if (trial_is_unverified(session)) {
        fprintf(
            stderr,
            "cruddurd: %s connects over TCP without verifying the server's certificate and name: "
            "set sslmode=verify-full and sslrootcert in the URL (doc/security.md)\n",
            name);
    }
}

enum login {
    LOGIN_FITS,    /* the database fits its statements and lets it run them */
    LOGIN_UNFIT,   /* … does not */
    LOGIN_REFUSED, /* the server refuses it, or is too old */
    LOGIN_AWAY     /* no server answers */
};

static enum login check_login(const struct connection_settings *settings,
                              const struct catalog *catalog, const char *name)
{
    struct session_memory memory = {0};
    struct session_failure failure = {.error = {""}};
    int64_t end_us = clock_us() + CHECK_MS * INT64_C(1000);
    struct session *session = dial_open(&settings->session, catalog, &memory, end_us, &failure);
    enum login login = LOGIN_UNFIT;

    if (session == NULL) {
        login = failure.is_refused || failure.is_unfit ? LOGIN_REFUSED : LOGIN_AWAY;
    } else if (trial_may_run_all(session, end_us, &failure)) {
        login = LOGIN_FITS;
    }
    if (session != NULL) {
        warn_of_login(session, name);
    }
    if (login != LOGIN_FITS) {
        fprintf(stderr, "cruddurd: %s%s\n",
                failure.is_unfit ? "" : "database: ", failure.error.text);
    }
    session_close(session);
    return login;
}

/* Warns when the database does not say which server it is. */
static void warn_of_server(struct connection_settings settings, const struct catalog *catalog)
{
    struct session_memory memory = {0};
    struct session_failure failure = {.error = {""}};
    int64_t end_us = clock_us() + CHECK_MS * INT64_C(1000);

    settings.session.lanes = LANE_SET(LANE_PROBE);
    struct session *session = dial_open(&settings.session, catalog, &memory, end_us, &failure);
    if (session == NULL || !trial_may_run_all(session, end_us, &failure)) {
        fprintf(
            stderr,
            "cruddurd: a primary that has a successor is not noticed, as the login may not ask for "
            "its timeline: %s\n",
            failure.error.text);
    }
    session_close(session);
}

/* Runs one of cruddurd's own statements and waits for its result. */
static void run_own_statement(const struct statement_def *def, struct connection_settings settings,
                              const struct catalog *catalog, statement_done *done, void *context)
{
    settings.session.prepares = false;
    struct connection *connection = connection_new(&settings, catalog, -1, NULL);
    struct statement statement = statement_of(def);

    connection_submit(connection, &statement, done, context);
    connection_finish(connection);
    connection_free(connection);
}

/* --- how many sessions there are --- */

/* Warns when the database has fewer sessions for this role than the pool wants. */
static void take_room(void *context, const struct result *result)
{
    const struct config *config = context;
    long room = result->outcome != NULL ? strtol(result->outcome, NULL, 10) : LONG_MAX;

    if (room < config_sessions(config)) {
        fprintf(stderr,
                "cruddurd: %d workers want %d database sessions, but there are %ld for all: see "
                "--workers, CONNECTION LIMIT of role and database, and max_connections\n",
                config->workers, config_sessions(config), room);
    }
}

/* --- which migrations it has --- */

/* Stores the name of the last migration among the files; false: there are none to compare with. */
static bool find_last_migration(const char *sql_dir, char name[static MIGRATION_MAX])
{
    struct buf path = {0};

    buf_printf(&path, "%s/migrations", sql_dir);
    DIR *folder = opendir(path.bytes);
    buf_release(&path);
    name[0] = '\0';
    for (const struct dirent *entry = folder != NULL ? readdir(folder) : NULL; entry != NULL;
         entry = readdir(folder)) {
        const char *suffix = strstr(entry->d_name, MIGRATION_SUFFIX);

        if (suffix != NULL && strcmp(suffix, MIGRATION_SUFFIX) == 0 &&
            strcmp(entry->d_name, name) > 0) {
            snprintf(name, MIGRATION_MAX, "%.*s", (int)(suffix - entry->d_name), entry->d_name);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return name[0] != '\0';
}

struct applied {
    bool is_known;
    char name[MIGRATION_MAX]; /* "": none */
};

static void take_applied(void *context, const struct result *result)
{
    struct applied *applied = context;

    applied->is_known = result->status == STATUS_OK;
    snprintf(applied->name, sizeof applied->name, "%s",
             result->outcome != NULL ? result->outcome : "");
}

/* Whether the last migration of the database is the last one of the files. Prints both if not. */
static bool migrations_fit(const char *sql_dir, const struct connection_settings *settings,
                           const struct catalog *catalog)
{
    struct applied applied = {.is_known = false};
    char last[MIGRATION_MAX];

    if (!find_last_migration(sql_dir, last)) {
        return true;
    }
    run_own_statement(&STATEMENT_SESSION_SCHEMA, *settings, catalog, take_applied, &applied);
    if (applied.is_known && strcmp(applied.name, last) == 0) {
        return true;
    }
    if (!applied.is_known) {
        fprintf(stderr,
                "cruddurd: not fit: the migrations that the database has cannot be read, and %s is "
                "the last one here: run db-migrate\n",
                last);
    } else if (atoi(applied.name) < atoi(last)) {
        fprintf(stderr,
                "cruddurd: not fit: the database is at migration %s, behind %s: run db-migrate\n",
                *applied.name != '\0' ? applied.name : "0", last);
    } else {
        fprintf(stderr,
                "cruddurd: not fit: the database is at migration %s, ahead of %s, the last one "
                "here: install the cruddurd that has it, or go back by that one's db-rollback\n",
                applied.name, last);
    }
    return false;
}

/* A replica that is away is no error: the primary runs the reads meanwhile. */
static bool check_replica(const struct config *config, struct connection_settings settings,
                          const struct catalog *catalog)
{
    if (!config_has_replicas(config)) {
        return true;
    }
    config_use_replicas(config, &settings);
    settings.session.lanes = LANE_SET(LANE_READ) | LANE_SET(LANE_SLOW) | LANE_SET(LANE_PROBE);
    enum login login = check_login(&settings, catalog, "the login of the replica");
    return login == LOGIN_FITS || login == LOGIN_AWAY;
}

int check_run(const struct config *config)
{
    struct catalog *catalog = routes_load_catalog(config->sql_dir);
    struct connection_settings database = config_connection(config, "cruddurd --check");
    struct connection_settings hook = database;

    if (catalog == NULL) {
        return EXIT_FAILURE;
    }
    if (watcher_is_wanted(config)) {
        database.session.lanes |= LANE_SET(LANE_WATCH);
    }
    if (purger_is_wanted(config)) {
        database.session.lanes |= LANE_SET(LANE_PURGE);
    }
    hook.session.lanes = LANE_SET(LANE_HOOK);
    config_use_hook_login(config, &hook);
    enum login login = check_login(&database, catalog, "the login of the service");
    bool good = login == LOGIN_FITS;
    if (login == LOGIN_FITS || login == LOGIN_UNFIT) {
        good = migrations_fit(config->sql_dir, &database, catalog) && good;
    }
    if (good && config->hook_secret_fd != 0) {
        good = check_login(&hook, catalog, "the login of the hook") == LOGIN_FITS;
    }
    good = good && check_replica(config, database, catalog);
    if (good) {
        printf("settings, templates and schema fit\n");
    }
    if (good && config->prepare) { /* behind a pooler the sessions are the pooler's */
        warn_of_server(database, catalog);
        run_own_statement(&STATEMENT_SESSION_ROOM, database, catalog, take_room, (void *)config);
    }
    catalog_free(catalog);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
