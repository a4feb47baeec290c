#include "daemon/check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "daemon/purger.h"
#include "daemon/watcher.h"

enum { CHECK_MS = 60000 }; /* for all addresses, each of which has its own limit */

/* Whether the database is there, fits the statements of one login and lets it run them. */
static bool check_login(const struct connection_settings *settings, const struct catalog *catalog,
                        struct session_failure *failure)
{
    struct session_memory memory = {0};
    int64_t end_us = clock_us() + CHECK_MS * INT64_C(1000);
    struct session *session = session_open(&settings->session, catalog, &memory, end_us, failure);
    bool good = session != NULL && session_may_run_all(session, end_us, failure);

    session_close(session);
    return good;
}

/* Says so when the database has fewer sessions for this role than the pool wants. */
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

/* Behind a pooler the sessions are the pooler's. */
static void check_room(const struct config *config, const struct catalog *catalog,
                       struct connection_settings settings)
{
    settings.session.prepares = false; /* it is asked once */
    struct connection *connection = connection_new(&settings, catalog, -1);
    struct statement statement = statement_of(STATEMENT_SESSION_ROOM);

    connection_submit(connection, &statement, take_room, (void *)config);
    connection_finish(connection);
    connection_free(connection);
}

int check_run(const struct config *config)
{
    struct catalog *catalog = catalog_load(config->sql_dir);
    struct connection_settings database = config_connection(config, "cruddurd --check");
    struct connection_settings hook = database;
    struct session_failure failure = {.text = ""};

    if (catalog == NULL) {
        return EXIT_FAILURE;
    }
    if (watcher_is_wanted(config)) {
        database.session.lanes |= LANE_WATCH;
    }
    if (purger_is_wanted(config)) {
        database.session.lanes |= LANE_PURGE;
    }
    hook.session.lanes = LANE_HOOK;
    config_use_hook_login(config, &hook);
    bool good = check_login(&database, catalog, &failure) &&
                (config->hook_secret_fd == 0 || check_login(&hook, catalog, &failure));
    if (good) {
        printf("settings, templates and schema fit\n");
    } else {
        fprintf(stderr, "cruddurd: %s%s\n", failure.is_unfit ? "" : "database: ", failure.text);
    }
    if (good && config->prepare) {
        check_room(config, catalog, database);
    }
    catalog_free(catalog);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
