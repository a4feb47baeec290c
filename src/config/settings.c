/* One table drives everything about a setting: the environment, the settings file, the command
 * line, the defaults, --help and --print-settings. A field of struct config is found by its
 * offset, and its type follows from the kind: KIND_TEXT is a char * that the config owns,
 * KIND_SWITCH a bool, the other kinds an int.
 *
 * A value is checked alone here, against its bounds or choices; config.c checks the settings
 * against each other. Every mistake is reported, not only the first. A value that may hold a
 * secret is never repeated in a message. */
#include "config/settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"
#include "identity/caller.h"
#include "shared/scoreboard.h"

enum kind { KIND_TEXT, KIND_NUMBER, KIND_OCTAL, KIND_SWITCH, KIND_CHOICE };

static const char *const IDENTITIES[] = {
    [IDENTITY_TOKEN] = "token", [IDENTITY_HANDLE] = "handle", NULL};
static const char *const COMPATS[] = {[COMPAT_NONE] = "none", [COMPAT_WEEK4] = "week4", NULL};
static const char *const SANDBOXES[] = {
    [SANDBOX_AUTO] = "auto", [SANDBOX_ON] = "on", [SANDBOX_OFF] = "off", NULL};
static const char *const LEVELS[] = {[LOG_ERROR] = "error",
                                     [LOG_WARNING] = "warning",
                                     [LOG_INFO] = "info",
                                     [LOG_DEBUG] = "debug",
                                     NULL};
static const char *const FORMATS[] = {
    [LOG_FORMAT_AUTO] = "auto", [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", NULL};

struct setting {
    const char *variable;
    const char *option; /* NULL: environment only, as a command line is readable by everyone */
    const char *shape;  /* of the value, for the help */
    enum kind kind;
    size_t offset;
    const char *initial; /* NULL: unset */
    int min, max;
    const char *const *choices;
    const char *help;
};

#define AT(field) .offset = offsetof(struct config, field)

/* Alphabetical by variable. The manual page lists the same; a test compares them. */
static const struct setting SETTINGS[] = {
    {"AWS_COGNITO_USER_POOL_CLIENT_ID", "--cognito-client", "ID", KIND_TEXT, AT(cognito_client),
     .help = "the app client that tokens must be for"},
    {"AWS_COGNITO_USER_POOL_ID", "--cognito-pool", "ID", KIND_TEXT, AT(cognito_pool),
     .help = "the user pool that issues the tokens"},
    {"AWS_DEFAULT_REGION", "--aws-region", "REGION", KIND_TEXT, AT(aws_region),
     .help = "the user pool's region"},
    {"BACKEND_URL", "--backend-url", "ORIGIN", KIND_TEXT, AT(backend_url),
     .help = "an origin that may call from a browser, such as https://api.cruddur.com"},
    {"CONNECTION_URL", NULL, "URL", KIND_TEXT, AT(connection_url),
     .help = "the database, any libpq URL; without it the PG* variables count"},
    {"CONNECTION_URL_FILE", "--connection-url-file", "FILE", KIND_TEXT, AT(connection_url_file),
     .help = "a file with the URL in it, read again at each connect; not readable by others"},
    {"CRUDDUR_BACKLOG", "--backlog", "N", KIND_NUMBER, AT(backlog), "1024", 1, 65535,
     .help = "connections that may wait to be accepted"},
    {"CRUDDUR_BODY_MAX", "--body-max", "BYTES", KIND_NUMBER, AT(body_max), "16384", 1024,
     BODY_MAX_LIMIT, .help = "largest request body; nginx's client_max_body_size is to be equal"},
    {"CRUDDUR_COMPAT", "--compat", "none|week4", KIND_CHOICE, AT(compat), "none",
     .choices = COMPATS,
     .help = "week4: a user's page is the array that week 4's frontend wants; home and that\n"
             "page contain the replies of each post"},
    {"CRUDDUR_CORE_DUMPS", "--core-dumps", "0|1", KIND_SWITCH, AT(core_dumps), "0",
     .help =
         "1 lets a crash leave a core, which has secrets in it: the database's password, tokens"},
    {"CRUDDUR_DEADLINE", "--deadline", "MS", KIND_NUMBER, AT(deadline), "3000", 100, 60000,
     .help = "for a request's statement, reconnecting included; below fastcgi_read_timeout"},
    {"CRUDDUR_DEFAULT_HANDLE", "--default-handle", "HANDLE", KIND_TEXT, AT(default_handle),
     .help = "the user of requests that name none; only with --identity handle"},
    {"CRUDDUR_DRAIN_TIMEOUT", "--drain-timeout", "MS", KIND_NUMBER, AT(drain_timeout), "5000", 100,
     600000, .help = "for a worker to finish after TERM, before it is killed"},
    {"CRUDDUR_FEED_STALE", "--feed-stale", "SECONDS", KIND_NUMBER, AT(feed_stale), "60", 0, 86400,
     .help =
         "how long the cached home page is served, marked as stale, while the database is away"},
    {"CRUDDUR_FEED_WATCH", "--feed-watch", "MS", KIND_NUMBER, AT(feed_watch), "20", 0, 1000,
     .help =
         "between polls for writes from elsewhere; they are in the home page after five of them\n"
         "at the latest; 0 caches no page, every request asks the database"},
    {"CRUDDUR_FETCHER", "--fetcher", "PROGRAM", KIND_TEXT, AT(fetcher), FETCHER,
     .help = "the program that fetches keys, when it isn't where it was installed"},
    {"CRUDDUR_HOOK_CONNECTION_URL_FILE", "--hook-connection-url-file", "FILE", KIND_TEXT,
     AT(hook_url_file),
     .help = "as --connection-url-file, for the hook alone: a login that may make users and\n"
             "nothing else; not readable by others"},
    {"CRUDDUR_HOOK_SECRET_FILE", "--hook-secret-file", "FILE", KIND_TEXT, AT(hook_secret_file),
     .help = "a file with the secret that the user pool's events are signed with, 32 bytes or\n"
             "more; without it there is no such route; not readable by others"},
    {"CRUDDUR_IDENTITY", "--identity", "token|handle", KIND_CHOICE, AT(identity), "token",
     .choices = IDENTITIES,
     .help =
         "how a request says its user: by a token, or (on loopback, to learn with) by the handle\n"
         "that it names"},
    {"CRUDDUR_ISSUER", "--issuer", "URL", KIND_TEXT, AT(issuer),
     .help = "the tokens' issuer, instead of the user pool"},
    {"CRUDDUR_JWKS_CA_FILE", "--jwks-ca-file", "FILE", KIND_TEXT, AT(jwks_ca_file),
     .help = "the certificates to trust for fetching keys; without it the system's"},
    {"CRUDDUR_JWKS_FILE", "--jwks-file", "FILE", KIND_TEXT, AT(jwks_file),
     .help = "the issuer's keys; with a URL the place to keep what was fetched"},
    {"CRUDDUR_JWKS_MAX_AGE", "--jwks-max-age", "SECONDS", KIND_NUMBER, AT(jwks_max_age), "86400",
     60, 31536000, .help = "how long fetched keys serve while the issuer is away"},
    {"CRUDDUR_JWKS_URL", "--jwks-url", "URL", KIND_TEXT, AT(jwks_url),
     .help = "where to fetch the issuer's keys, https only; none: the file is all there is"},
    {"CRUDDUR_LISTEN", "--listen", "ADDRESS", KIND_TEXT, AT(listen),
     .help = "unix:/path or tcp:host:port; not with a socket on fd 0 or from systemd"},
    {"CRUDDUR_LISTEN_GROUP", "--listen-group", "GROUP", KIND_TEXT, AT(listen_group),
     .help = "the unix socket's group, to be nginx's"},
    {"CRUDDUR_LISTEN_MODE", "--listen-mode", "MODE", KIND_OCTAL, AT(listen_mode), "0660", 0, 0777,
     .help = "the unix socket's permissions; a process that may connect can speak for any client"},
    {"CRUDDUR_LOG_FORMAT", "--log-format", "auto|text|json", KIND_CHOICE, AT(log_format), "auto",
     .choices = FORMATS, .help = "auto: text on a terminal, JSON elsewhere"},
    {"CRUDDUR_LOG_LEVEL", "--log-level", "LEVEL", KIND_CHOICE, AT(log_level), "info",
     .choices = LEVELS, .help = "error, warning, info or debug"},
    {"CRUDDUR_LOG_PARAMS", "--log-params", "0|1", KIND_SWITCH, AT(log_params), "0",
     .help = "statements' values in the debug log; refused with --identity token"},
    {"CRUDDUR_MESSAGES_PER_HOUR", "--messages-per-hour", "N", KIND_NUMBER, AT(messages_per_hour),
     "600", 0, PER_HOUR_MAX,
     .help = "messages that one user may send within an hour; 0: any number"},
    {"CRUDDUR_POSTS_PER_HOUR", "--posts-per-hour", "N", KIND_NUMBER, AT(posts_per_hour), "300", 0,
     PER_HOUR_MAX,
     .help = "posts and replies that one user may make within an hour; 0: any number"},
    {"CRUDDUR_PREPARE", "--prepare", "0|1", KIND_SWITCH, AT(prepare), "1",
     .help = "0 sends statements unprepared, for transaction poolers"},
    {"CRUDDUR_PURGE_INTERVAL", "--purge-interval", "SECONDS", KIND_NUMBER, AT(purge_interval), "5",
     0, 3600,
     .help = "between polls for what has expired or was deleted, to take it out of the database;\n"
             "0 leaves that to bin/db-purge"},
    {"CRUDDUR_REPEAT_WINDOW", "--repeat-window", "SECONDS", KIND_NUMBER, AT(repeat_window), "5", 0,
     60,
     .help = "a post or reply of the same author with the same text within this time is not made\n"
             "again (a double click), unless it has an Idempotency-Key; 0: it is"},
    {"CRUDDUR_REPORTS_PER_HOUR", "--reports-per-hour", "N", KIND_NUMBER, AT(reports_per_hour), "20",
     0, PER_HOUR_MAX, .help = "reports that one user may make within an hour; 0: any number"},
    {"CRUDDUR_REQUEST_TIMEOUT", "--request-timeout", "MS", KIND_NUMBER, AT(request_timeout), "5000",
     100, 60000, .help = "for a whole request to arrive once it has begun to"},
    {"CRUDDUR_SANDBOX", "--sandbox", "auto|on|off", KIND_CHOICE, AT(sandbox), "auto",
     .choices = SANDBOXES,
     .help = "limits the system calls and files of workers; auto: as far as the kernel can; on: a\n"
             "worker does not start without it"},
    {"CRUDDUR_SETTINGS_FILE", "--settings-file", "FILE", KIND_TEXT, AT(settings_file),
     .help = "lines VARIABLE=value for any of these, read again at HUP; the environment and\n"
             "options win; not readable by others"},
    {"CRUDDUR_SLOW_TIMEOUT", "--slow-timeout", "MS", KIND_NUMBER, AT(slow_timeout), "1000", 50,
     60000,
     .help = "PostgreSQL's limit for a search, a page of the users one follows, or growth; at\n"
             "most the statement timeout"},
    {"CRUDDUR_SQL_DIR", "--sql-dir", "DIR", KIND_TEXT, AT(sql_dir), SQL_DIR,
     .help = "the SQL templates"},
    {"CRUDDUR_STATEMENT_TIMEOUT", "--statement-timeout", "MS", KIND_NUMBER, AT(statement_timeout),
     "2000", 50, 60000, .help = "PostgreSQL's limit for a statement; below the deadline"},
    {"CRUDDUR_STREAMS", "--streams", "N", KIND_NUMBER, AT(streams), "1024", 0, STREAMS_LIMIT,
     .help = "open streams of home's events in the whole pool; more are refused; 0: none"},
    {"CRUDDUR_STUCK_TIMEOUT", "--stuck-timeout", "MS", KIND_NUMBER, AT(stuck_timeout), "4500", 1000,
     600000,
     .help = "for a worker with one request, before it is replaced; below fastcgi_read_timeout"},
    {"CRUDDUR_WORKERS", "--workers", "N", KIND_NUMBER, AT(workers), "0", 0, WORKERS_MAX,
     .help = "processes, each with up to four database connections; 0: two for each processor\n"
             "that cruddurd may use, but 4 to 16"},
    {"FRONTEND_URL", "--frontend-url", "ORIGIN", KIND_TEXT, AT(frontend_url),
     .help = "as BACKEND_URL, such as https://cruddur.com"},
};

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

enum { SETTINGS_COUNT = sizeof SETTINGS / sizeof SETTINGS[0] };

static const struct {
    const char *option;
    enum config_action action;
    const char *help;
} ACTIONS[] = {
    {"--check", ACTION_CHECK, "check settings, templates and the database's schema, then end"},
    {"--help", ACTION_HELP, "this text"},
    {"--print-settings", ACTION_PRINT_SETTINGS, "a settings file with all defaults, to edit"},
    {"--routes", ACTION_ROUTES, "the routes of the API, with their statements and codes"},
    {"--version", ACTION_VERSION, "the version"},
};

/* Read by sql/roles.sql. The daemon ignores them. */
static const char *const SCRIPTS_VARIABLES[] = {"CRUDDUR_APP_PASSWORD", "CRUDDUR_HOOK_PASSWORD",
                                                "CRUDDUR_OWNER_PASSWORD",
                                                "CRUDDUR_READER_PASSWORD"};

static const char *name_of(const struct setting *setting)
{
    return setting->option != NULL ? setting->option : setting->variable;
}

static bool set_number(const struct setting *setting, const char *value, int base, int *field)
{
    char *end;
    long number = strtol(value, &end, base);

    if (*value < '0' || *value > '9' || *end != '\0' || number < setting->min ||
        number > setting->max) {
        return false;
    }
    *field = (int)number;
    return true;
}

static bool set_choice(const struct setting *setting, const char *value, int *field)
{
    for (int i = 0; setting->choices[i] != NULL; i++) {
        if (strcmp(setting->choices[i], value) == 0) {
            *field = i;
            return true;
        }
    }
    return false;
}

static bool take_value(struct config *config, const struct setting *setting, const char *value)
{
    void *field = (char *)config + setting->offset;

    switch (setting->kind) {
    case KIND_TEXT:
        memory_free(*(char **)field);
        *(char **)field = memory_copy(value);
        return *value != '\0';
    case KIND_NUMBER:
        return set_number(setting, value, 10, field);
    case KIND_OCTAL:
        return set_number(setting, value, 8, field);
    case KIND_SWITCH:
        *(bool *)field = value[0] == '1';
        return strcmp(value, "0") == 0 || strcmp(value, "1") == 0;
    case KIND_CHOICE:
        return set_choice(setting, value, field);
    }
    return false;
}

static void describe_wrong(const struct setting *setting, const char *name, const char *value,
                           FILE *errors)
{
    /* Not the value of CONNECTION_URL: it may have a password in it. */
    fprintf(errors, "cruddurd: %s: '%s' is not %s", name, setting->option != NULL ? value : "…",
            setting->shape);
    if (setting->kind == KIND_NUMBER) {
        fprintf(errors, " from %d to %d", setting->min, setting->max);
    }
    fprintf(errors, "\n");
}

static bool take_setting(struct config *config, const struct setting *setting, const char *name,
                         const char *value, FILE *errors)
{
    if (!take_value(config, setting, value)) {
        describe_wrong(setting, name, value, errors);
        return false;
    }
    return true;
}

void settings_take_defaults(struct config *config)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (SETTINGS[i].initial != NULL) {
            take_value(config, &SETTINGS[i], SETTINGS[i].initial);
        }
    }
}

/* The setting that a variable "NAME=value" of the environment is for. */
static const struct setting *setting_of_variable(const char *variable, size_t name_length)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (strlen(SETTINGS[i].variable) == name_length &&
            memcmp(SETTINGS[i].variable, variable, name_length) == 0) {
            return &SETTINGS[i];
        }
    }
    return NULL;
}

/* Whether a variable of the environment is not a setting of the daemon. */
static bool is_of_others(const char *variable, size_t name_length)
{
    for (size_t i = 0; i < sizeof SCRIPTS_VARIABLES / sizeof SCRIPTS_VARIABLES[0]; i++) {
        if (strlen(SCRIPTS_VARIABLES[i]) == name_length &&
            memcmp(SCRIPTS_VARIABLES[i], variable, name_length) == 0) {
            return true;
        }
    }
    return strncmp(variable, "CRUDDUR_", 8) != 0;
}

/* "NAME=value". An empty value leaves the setting as it is: Docker Compose passes a variable that
 * was not given in this form. A name that isn't ours is passed over when strangers are allowed. */
static bool take_variable(struct config *config, const char *variable, bool allows_strangers,
                          FILE *errors)
{
    size_t length = strcspn(variable, "=");
    const struct setting *setting = setting_of_variable(variable, length);

    if (setting != NULL && variable[length] == '=') {
        return variable[length + 1] == '\0' ||
               take_setting(config, setting, setting->variable, variable + length + 1, errors);
    }
    if (allows_strangers && is_of_others(variable, length)) {
        return true;
    }
    if (strspn(variable, NAME_CHARACTERS) < length) {
        fprintf(errors, "cruddurd: a line of the settings file is not VARIABLE=value\n");
        return false;
    }
    fprintf(errors, "cruddurd: %.*s: there is no such setting (see cruddurd --help)\n", (int)length,
            variable);
    return false;
}

bool settings_take_environment(struct config *config, char **environment, FILE *errors)
{
    bool good = true;

    for (; *environment != NULL; environment++) {
        good = take_variable(config, *environment, true, errors) && good;
    }
    return good;
}

bool settings_take_file(struct config *config, const char *path, FILE *errors)
{
    struct buf text = {0};
    struct error error;
    char *rest = NULL;
    bool good = file_read_secret(path, &text, &error);

    if (!good) {
        fprintf(errors, "cruddurd: --settings-file: %s: %s\n", path, error.text);
    }
    char *lines = good && text.length > 0 ? text.bytes : NULL;
    for (char *line = lines ? strtok_r(lines, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        line += strspn(line, " \t");
        if (*line != '\0' && *line != '#') {
            good = take_variable(config, line, false, errors) && good;
        }
    }
    buf_release(&text);
    return good;
}

static bool take_action(struct config *config, const char *option)
{
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++) {
        if (strcmp(ACTIONS[i].option, option) == 0) {
            config->action = ACTIONS[i].action;
            return true;
        }
    }
    return false;
}

static const struct setting *setting_of_option(const char *option, size_t length)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (SETTINGS[i].option != NULL && strlen(SETTINGS[i].option) == length &&
            memcmp(SETTINGS[i].option, option, length) == 0) {
            return &SETTINGS[i];
        }
    }
    return NULL;
}

/* Never quotes a value: it may be a URL that was given as an argument by mistake. */
static void complain_of_argument(const char *argument, int number, FILE *errors)
{
    if (strncmp(argument, "--", 2) == 0) {
        fprintf(errors, "cruddurd: %.*s: there is no such option (see cruddurd --help)\n",
                (int)strcspn(argument, "="), argument);
    } else {
        fprintf(errors, "cruddurd: argument %d is no option (see cruddurd --help)\n", number);
    }
}

bool settings_take_options(struct config *config, int argc, char **argv, FILE *errors)
{
    bool good = true;

    for (int i = 1; i < argc; i++) {
        size_t length = strcspn(argv[i], "=");
        const struct setting *setting = setting_of_option(argv[i], length);

        if (setting == NULL) {
            if (!take_action(config, argv[i])) {
                complain_of_argument(argv[i], i, errors);
                good = false;
            }
        } else if (argv[i][length] == '=') {
            good = take_setting(config, setting, setting->option, argv[i] + length + 1, errors) &&
                   good;
        } else if (i + 1 < argc) {
            i++;
            good = take_setting(config, setting, setting->option, argv[i], errors) && good;
        } else {
            fprintf(errors, "cruddurd: %s needs a value: %s\n", setting->option, setting->shape);
            good = false;
        }
    }
    return good;
}

void settings_release(struct config *config)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (SETTINGS[i].kind == KIND_TEXT) {
            memory_free(*(char **)((char *)config + SETTINGS[i].offset));
        }
    }
}

static void print_help_lines(FILE *out, const char *prefix, const char *help)
{
    for (const char *line = help; *line != '\0'; line += *line == '\n') {
        size_t length = strcspn(line, "\n");

        fprintf(out, "%s%.*s\n", prefix, (int)length, line);
        line += length;
    }
}

void settings_help(FILE *out)
{
    fprintf(out,
            "Usage: cruddurd [OPTION]...\n"
            "Serves Cruddur's API over FastCGI from a pool of workers. The listening socket is\n"
            "--listen's, or handed over on fd 0 (spawn-fcgi) or by systemd. With REQUEST_METHOD\n"
            "and REQUEST_URI in the environment it answers that one CGI request instead.\n\n");
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++) {
        fprintf(out, "  %-17s %s\n", ACTIONS[i].option, ACTIONS[i].help);
    }
    fprintf(out,
            "\nSettings, each with its environment variable and default; the option wins:\n\n");
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *setting = &SETTINGS[i];

        fprintf(out, "  %s %s", name_of(setting), setting->shape);
        if (setting->option != NULL) {
            fprintf(out, "   %s", setting->variable);
        }
        if (setting->initial != NULL) {
            fprintf(out, "   [%s]", setting->initial);
        }
        fprintf(out, "\n");
        print_help_lines(out, "        ", setting->help);
    }
    fprintf(out, "\nSignals: TERM finishes and ends, HUP reads settings and templates again and\n"
                 "replaces the workers one by one, executing the program anew when another one is\n"
                 "installed; QUIT ends at once.\n"
                 "Exit status: 0 done, 1 failure, 2 a wrong setting.\n");
}

void settings_print(FILE *out)
{
    fprintf(
        out,
        "# Settings of cruddurd, read at the start and at HUP (systemctl reload cruddurd). See\n"
        "# cruddurd(8). The environment and options win over this file.\n");
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *setting = &SETTINGS[i];

        if (setting->offset == offsetof(struct config, settings_file)) {
            continue;
        }
        fprintf(out, "\n");
        print_help_lines(out, "# ", setting->help);
        fprintf(out, "#%s=%s\n", setting->variable,
                setting->initial != NULL ? setting->initial : "");
    }
}
