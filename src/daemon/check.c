#include "daemon/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

int check_run(const struct config *config)
{
    struct catalog *catalog = catalog_load(config->sql_dir);
    struct connection_settings database = config_connection(config, "cruddurd --check");
    struct session_failure failure = {.text = ""};

    if (catalog == NULL) {
        return EXIT_FAILURE;
    }
    struct session *session = session_open(&database.session, catalog, 0,
                                           clock_us() + config->deadline * INT64_C(1000), &failure);
    if (session == NULL ||
        !session_may_run_all(session, clock_us() + config->deadline * INT64_C(1000), &failure)) {
        fprintf(stderr, "cruddurd: %s%s\n", failure.is_unfit ? "" : "database: ", failure.text);
    } else {
        printf("settings, templates and schema fit\n");
    }
    int status = failure.text[0] == '\0' ? EXIT_SUCCESS : EXIT_FAILURE;
    session_close(session);
    catalog_free(catalog);
    return status;
}
