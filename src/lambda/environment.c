#include "lambda/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Other names that begin with OWN_PREFIX are refused, because a misspelt setting would have no
 * effect and give no message. */
static const char *const OWN_SETTINGS[] = {"CRUDDUR_DEADLINE", "CRUDDUR_SQL_DIR"};
#define OWN_PREFIX "CRUDDUR_"

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && *value != '\0' ? value : NULL;
}

static const char *first_set(const char *name, const char *other_name)
{
    const char *value = variable(name);

    return value != NULL ? value : variable(other_name);
}

static bool is_known(const char *assignment)
{
    size_t length = strcspn(assignment, "=");

    for (size_t i = 0; i < sizeof OWN_SETTINGS / sizeof OWN_SETTINGS[0]; i++) {
        if (strlen(OWN_SETTINGS[i]) == length &&
            strncmp(assignment, OWN_SETTINGS[i], length) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_names(struct error *error)
{
    for (char **at = environ; *at != NULL; at++) {
        if (strncmp(*at, OWN_PREFIX, sizeof OWN_PREFIX - 1) == 0 && !is_known(*at)) {
            return error_set(error, "%.*s is no setting of the function", (int)strcspn(*at, "="),
                             *at);
        }
    }
    return true;
}

static const char *task_root(void)
{
    const char *root = variable("LAMBDA_TASK_ROOT");

    return root != NULL ? root : "/var/task";
}

/* Sets a variable to the path of a file in the bundle, if the variable is not set. */
static void set_file(const char *name, const char *file)
{
    struct buf path = {0};

    buf_printf(&path, "%s/ca/%s", task_root(), file);
    if (variable(name) == NULL && access(path.bytes, R_OK) == 0) {
        setenv(name, path.bytes, 1);
    }
    buf_release(&path);
}

/* libpq itself reads PGSSLMODE and PGSSLROOTCERT. RDS has certificate authorities of its own, which
 * no public list has. */
static void set_defaults(void)
{
    if (variable("PGSSLMODE") == NULL) {
        setenv("PGSSLMODE", "verify-full", 1);
    }
    set_file("PGSSLROOTCERT", "database.pem");
    set_file("PGSSLROOTCERT", "public.pem");
    set_file("AWS_CA_BUNDLE", "public.pem");
}

static bool read_deadline(const char *name, int *deadline_ms, struct error *error)
{
    const char *value = variable(name);
    size_t digits = value != NULL ? strspn(value, "0123456789") : 0;

    *deadline_ms = ENVIRONMENT_DEADLINE_MS;
    if (value == NULL) {
        return true;
    }
    if (digits > 0 && digits <= 6 && value[digits] == '\0') {
        *deadline_ms = atoi(value);
        if (*deadline_ms >= ENVIRONMENT_DEADLINE_MIN_MS &&
            *deadline_ms <= ENVIRONMENT_DEADLINE_MAX_MS) {
            return true;
        }
    }
    return error_set(error, "%s must be a number of milliseconds from %d to %d", name,
                     ENVIRONMENT_DEADLINE_MIN_MS, ENVIRONMENT_DEADLINE_MAX_MS);
}

static bool variables_agree(const struct environment *environment, struct error *error)
{
    if (environment->connection_url == NULL && environment->secret_arn == NULL) {
        return error_set(error, "CONNECTION_URL or DATABASE_SECRET_ARN must be set");
    }
    if (environment->secret_arn != NULL &&
        (environment->key_id == NULL || environment->secret_key == NULL)) {
        return error_set(error, "DATABASE_SECRET_ARN needs AWS_ACCESS_KEY_ID and "
                                "AWS_SECRET_ACCESS_KEY, which Lambda sets");
    }
    return true;
}

bool environment_read(struct environment *environment, struct error *error)
{
    const char *sql_dir = variable("CRUDDUR_SQL_DIR");

    set_defaults();
    *environment = (struct environment){
        .runtime_api = variable("AWS_LAMBDA_RUNTIME_API"),
        .connection_url = variable("CONNECTION_URL"),
        .secret_arn = variable("DATABASE_SECRET_ARN"),
        .user_pool = variable("AWS_COGNITO_USER_POOL_ID"),
        .ca_bundle = variable("AWS_CA_BUNDLE"),
        .endpoint = first_set("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"),
        .key_id = variable("AWS_ACCESS_KEY_ID"),
        .secret_key = variable("AWS_SECRET_ACCESS_KEY"),
        .session_token = variable("AWS_SESSION_TOKEN"),
    };
    if (sql_dir != NULL) {
        buf_text(&environment->sql_dir, sql_dir);
    } else {
        buf_printf(&environment->sql_dir, "%s/sql", task_root());
    }
    return check_names(error) &&
           read_deadline("CRUDDUR_DEADLINE", &environment->deadline_ms, error) &&
           variables_agree(environment, error);
}

void environment_release(struct environment *environment)
{
    buf_release(&environment->sql_dir);
}
