/* cruddur-confirm: the Cognito post-confirmation trigger as a function of AWS Lambda. It is a
 * custom runtime: it asks the Runtime API for one invocation after the other. In the bundle it is
 * called bootstrap.
 *
 * It ends only if it cannot start (the reason is reported to Lambda), or if the Runtime API does
 * not work any more; Lambda then starts another one. */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "lambda/database.h"
#include "lambda/environment.h"
#include "lambda/invocation.h"
#include "lambda/runtime.h"

enum {
    OPEN_MS = 3000 /* for the secret and the first session; Lambda starts a function in 10 s */
};

static void serve_invocations(const struct environment *environment, struct database *database,
                              struct runtime *runtime)
{
    struct invocation invocation;

    while (runtime_next(runtime, &invocation)) {
        if (invocation_handle(&invocation, environment, database, runtime) == RUNTIME_BROKEN) {
            return;
        }
    }
}

static void report_start(struct runtime *runtime, const char *text)
{
    log_message(LOG_ERROR, "start", "%s", text);
    if (runtime_fail_init(runtime, "settings_invalid", text) == RUNTIME_BROKEN) {
        log_message(LOG_ERROR, "start", "the Runtime API did not take the reason");
    }
}

/* Runs the function once the settings are read. is_good: they are right; if not, error says why. */
static void run_function(const struct environment *environment, struct runtime *runtime,
                         bool is_good, struct error *error)
{
    struct database *database = is_good ? database_new(environment, error) : NULL;

    if (database == NULL) {
        report_start(runtime, error->text);
        return;
    }
    if (environment->user_pool == NULL) {
        log_message(LOG_WARNING, "start",
                    "AWS_COGNITO_USER_POOL_ID is not set: events of any user pool count");
    }
    database_open(database, OPEN_MS);
    serve_invocations(environment, database, runtime);
    database_free(database);
}

int main(void)
{
    struct environment environment;
    struct runtime *runtime = NULL;
    struct error error = {.text = "out of memory"};

    log_setup(LOG_INFO, LOG_FORMAT_JSON);
    bool is_good = environment_read(&environment, &error);
    if (environment.runtime_api == NULL) {
        fprintf(stderr, "cruddur-confirm: AWS_LAMBDA_RUNTIME_API is not set.\n"
                        "AWS Lambda starts it; there is nothing to start by hand.\n");
        environment_release(&environment);
        return 2;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        runtime = runtime_new(environment.runtime_api);
    }
    if (runtime != NULL) {
        run_function(&environment, runtime, is_good, &error);
    } else {
        log_message(LOG_ERROR, "start", "out of memory");
    }
    runtime_free(runtime);
    environment_release(&environment);
    curl_global_cleanup();
    return EXIT_FAILURE; /* every end is a failure */
}
