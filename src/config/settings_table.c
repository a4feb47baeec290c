/* One table drives everything about a setting: the environment, the settings file, the command
 * line, the defaults, --help and --print-settings. A field of struct config is found by its
 * offset, and its type follows from the kind. */
#include "config/settings_table.h"

#include "base/log.h"
#include "config/config.h"
#include "identity/caller.h"
#include "shared/scoreboard.h"

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

#define AT(field) .offset = offsetof(struct config, field)

/* Alphabetical by variable. The manual page lists the same; a test compares them. */
const struct setting SETTINGS[] = {
    {"AWS_COGNITO_USER_POOL_CLIENT_ID", "--cognito-client", "ID", KIND_TEXT, AT(cognito_client),
     .help = "the app client that tokens must be for"},
    {"AWS_COGNITO_USER_POOL_ID", "--cognito-pool", "ID", KIND_TEXT, AT(cognito_pool),
     .help = "the user pool that issues the tokens"},
    {"AWS_DEFAULT_REGION", "--aws-region", "REGION", KIND_TEXT, AT(aws_region),
     .help = "the user pool's region"},
    {"BACKEND_URL", "--backend-url", "ORIGIN", KIND_TEXT, AT(backend_url),
     .help = "an origin that may call from a browser, such as https://api.cruddur.com"},
    {"CONNECTION_URL", NULL, "URL", KIND_TEXT, AT(connection_url),
     .help = "the database, any libpq URL; without it the PG* variables apply"},
    {"CONNECTION_URL_FILE", "--connection-url-file", "FILE", KIND_TEXT, AT(connection_url_file),
     .help = "a file with the URL in it, read again at each connect; not readable by others"},
    {"CRUDDUR_BACKLOG", "--backlog", "N", KIND_NUMBER, AT(backlog), "1024", 1, 65535,
     .help = "connections that may wait to be accepted"},
    {"CRUDDUR_BODY_MAX", "--body-max", "BYTES", KIND_NUMBER, AT(body_max), "16384", 1024,
     BODY_MAX_LIMIT, .help = "largest request body; nginx's client_max_body_size must be equal"},
    {"CRUDDUR_COMPAT", "--compat", "none|week4", KIND_CHOICE, AT(compat), "none",
     .choices = COMPATS,
     .help = "with week4 a user's page is the array that week 4's frontend expects; home and that\n"
             "page contain the replies of each post"},
    {"CRUDDUR_CORE_DUMPS", "--core-dumps", "0|1", KIND_SWITCH, AT(core_dumps), "0",
     .help =
         "1 lets a crash leave a core, which has secrets in it: the database's password, tokens"},
    {"CRUDDUR_DEADLINE", "--deadline", "MS", KIND_NUMBER, AT(deadline), "3000", 100, 60000,
     .help = "limit for a request's statement, reconnecting included; below fastcgi_read_timeout"},
    {"CRUDDUR_DEFAULT_HANDLE", "--default-handle", "HANDLE", KIND_TEXT, AT(default_handle),
     .help = "the user of requests that name none; only with --identity handle"},
    {"CRUDDUR_DRAIN_TIMEOUT", "--drain-timeout", "MS", KIND_NUMBER, AT(drain_timeout), "5000", 100,
     600000, .help = "time for a worker to finish after TERM, before it is killed"},
    {"CRUDDUR_EXPORTER", "--exporter", "PROGRAM", KIND_TEXT, AT(exporter), EXPORTER,
     .help = "the program that sends traces, if it is not where it was installed"},
    {"CRUDDUR_FEED_STALE", "--feed-stale", "SECONDS", KIND_NUMBER, AT(feed_stale), "60", 0, 86400,
     .help =
         "how long the cached home page is served, marked as stale, while the database is away"},
    {"CRUDDUR_FEED_WATCH", "--feed-watch", "MS", KIND_NUMBER, AT(feed_watch), "20", 0, 1000,
     .help =
         "time between polls for writes made elsewhere; the home page has them after five polls\n"
         "at the latest; 0: no page is cached, every request queries the database"},
    {"CRUDDUR_FETCHER", "--fetcher", "PROGRAM", KIND_TEXT, AT(fetcher), FETCHER,
     .help = "the program that fetches keys, if it is not where it was installed"},
    {"CRUDDUR_HOOK_CONNECTION_URL_FILE", "--hook-connection-url-file", "FILE", KIND_TEXT,
     AT(hook_url_file),
     .help = "as --connection-url-file, for the hook alone: a login that may make users and\n"
             "nothing else; not readable by others"},
    {"CRUDDUR_HOOK_SECRET_FILE", "--hook-secret-file", "FILE", KIND_TEXT, AT(hook_secret_file),
     .help = "a file with the secret that the user pool's events are signed with, 32 bytes or\n"
             "more; without it the hook's route does not exist; not readable by others"},
    {"CRUDDUR_IDENTITY", "--identity", "token|handle", KIND_CHOICE, AT(identity), "token",
     .choices = IDENTITIES,
     .help =
         "how a request names its user: by a token, or (on loopback, for learning) by a handle"},
    {"CRUDDUR_ISSUER", "--issuer", "URL", KIND_TEXT, AT(issuer),
     .help = "the tokens' issuer, instead of the user pool"},
    {"CRUDDUR_JWKS_CA_FILE", "--jwks-ca-file", "FILE", KIND_TEXT, AT(jwks_ca_file),
     .help = "the certificates to trust for fetching keys; without it the system's"},
    {"CRUDDUR_JWKS_FILE", "--jwks-file", "FILE", KIND_TEXT, AT(jwks_file),
     .help = "the issuer's keys; with a URL, fetched keys are stored in this file"},
    {"CRUDDUR_JWKS_MAX_AGE", "--jwks-max-age", "SECONDS", KIND_NUMBER, AT(jwks_max_age), "86400",
     60, 31536000, .help = "how long fetched keys are used while the issuer is away"},
    {"CRUDDUR_JWKS_URL", "--jwks-url", "URL", KIND_TEXT, AT(jwks_url),
     .help = "where to fetch the issuer's keys, https only; without it only the file is used"},
    {"CRUDDUR_LISTEN", "--listen", "ADDRESS", KIND_TEXT, AT(listen),
     .help = "the socket, unix:/path or tcp:host:port; not with a socket on fd 0 or from systemd"},
    {"CRUDDUR_LISTEN_GROUP", "--listen-group", "GROUP", KIND_TEXT, AT(listen_group),
     .help = "the unix socket's group, which should be nginx's"},
    {"CRUDDUR_LISTEN_MODE", "--listen-mode", "MODE", KIND_OCTAL, AT(listen_mode), "0660", 0, 0777,
     .help = "the unix socket's permissions; a process that may connect can speak for any client"},
    {"CRUDDUR_LOG_FORMAT", "--log-format", "auto|text|json", KIND_CHOICE, AT(log_format), "auto",
     .choices = FORMATS, .help = "format of the log; auto is text on a terminal, JSON elsewhere"},
    {"CRUDDUR_LOG_LEVEL", "--log-level", "LEVEL", KIND_CHOICE, AT(log_level), "info",
     .choices = LEVELS, .help = "the least important lines to log: error, warning, info or debug"},
    {"CRUDDUR_LOG_PARAMS", "--log-params", "0|1", KIND_SWITCH, AT(log_params), "0",
     .help = "statements' values in the debug log; refused with --identity token"},
    {"CRUDDUR_MESSAGES_PER_HOUR", "--messages-per-hour", "N", KIND_NUMBER, AT(messages_per_hour),
     "600", 0, PER_HOUR_MAX,
     .help = "messages that one user may send within an hour; 0: any number"},
    {"CRUDDUR_OTLP_ENDPOINT", "--otlp-endpoint", "URL", KIND_TEXT, AT(otlp_endpoint),
     .help = "an OpenTelemetry collector that gets a span of each request and statement, such as\n"
             "http://127.0.0.1:4318; without it no trace is recorded"},
    {"CRUDDUR_OTLP_HEADERS_FILE", "--otlp-headers-file", "FILE", KIND_TEXT, AT(otlp_headers_file),
     .help =
         "a file with header lines 'Name: value' for the collector, such as a key; not readable\n"
         "by others"},
    {"CRUDDUR_OTLP_SAMPLE", "--otlp-sample", "PERCENT", KIND_NUMBER, AT(otlp_sample), "100", 0, 100,
     .help = "percentage of traces recorded, if no traceparent or X-Amzn-Trace-Id decides"},
    {"CRUDDUR_POSTS_PER_HOUR", "--posts-per-hour", "N", KIND_NUMBER, AT(posts_per_hour), "300", 0,
     PER_HOUR_MAX,
     .help = "posts and replies that one user may make within an hour; 0: any number"},
    {"CRUDDUR_PREPARE", "--prepare", "0|1", KIND_SWITCH, AT(prepare), "1",
     .help = "0 sends statements unprepared, for transaction poolers"},
    {"CRUDDUR_PRIMARY_WATCH", "--primary-watch", "MS", KIND_NUMBER, AT(primary_watch), "200", 0,
     10000,
     .help = "time between polls of all hosts, if the connection URL names several, for a primary\n"
             "that has taken over while the old one still answers; 0: no polls"},
    {"CRUDDUR_PURGE_INTERVAL", "--purge-interval", "SECONDS", KIND_NUMBER, AT(purge_interval), "5",
     0, 3600,
     .help = "time between polls for expired and deleted rows, which are then removed;\n"
             "0 leaves that to bin/db-purge"},
    {"CRUDDUR_REPEAT_WINDOW", "--repeat-window", "SECONDS", KIND_NUMBER, AT(repeat_window), "5", 0,
     60,
     .help = "a post or reply of the same author with the same text within this time is not made\n"
             "again (a double click), unless it has an Idempotency-Key; 0: always made"},
    {"CRUDDUR_REPLICA_LAG", "--replica-lag", "MS", KIND_NUMBER, AT(replica_lag), "1000", 20, 60000,
     .help = "for how long other hosts' writes may be missing in a replica's answers; writes that\n"
             "this pool has acknowledged are never missing"},
    {"CRUDDUR_REPLICA_STALE", "--replica-stale", "SECONDS", KIND_NUMBER, AT(replica_stale), "60", 0,
     86400,
     .help = "for how long other hosts' writes may be missing in a replica's answers, marked as\n"
             "stale, while the primary is away; 0: replicas do not answer then"},
    {"CRUDDUR_REPORTS_PER_HOUR", "--reports-per-hour", "N", KIND_NUMBER, AT(reports_per_hour), "20",
     0, PER_HOUR_MAX, .help = "reports that one user may make within an hour; 0: any number"},
    {"CRUDDUR_REQUEST_TIMEOUT", "--request-timeout", "MS", KIND_NUMBER, AT(request_timeout), "5000",
     100, 60000, .help = "time for a request to arrive, from its first byte to its last"},
    {"CRUDDUR_SANDBOX", "--sandbox", "auto|on|off", KIND_CHOICE, AT(sandbox), "auto",
     .choices = SANDBOXES,
     .help = "limits the system calls and files of workers; auto: as far as the kernel can; on: a\n"
             "worker does not start without it"},
    {"CRUDDUR_SETTINGS_FILE", "--settings-file", "FILE", KIND_TEXT, AT(settings_file),
     .help = "lines VARIABLE=value for any of these, read again at HUP; the environment and\n"
             "options win; not readable by others"},
    {"CRUDDUR_SLOW_TIMEOUT", "--slow-timeout", "MS", KIND_NUMBER, AT(slow_timeout), "1000", 50,
     60000,
     .help = "PostgreSQL's limit for a search, a page of followed users' posts, or growth; at\n"
             "most the statement timeout"},
    {"CRUDDUR_SQL_DIR", "--sql-dir", "DIR", KIND_TEXT, AT(sql_dir), SQL_DIR,
     .help = "the SQL templates"},
    {"CRUDDUR_STATEMENT_TIMEOUT", "--statement-timeout", "MS", KIND_NUMBER, AT(statement_timeout),
     "2000", 50, 60000, .help = "PostgreSQL's limit for a statement; below the deadline"},
    {"CRUDDUR_STREAMS", "--streams", "N", KIND_NUMBER, AT(streams), "1024", 0, STREAMS_LIMIT,
     .help = "open streams of home's events in the whole pool; more are refused; 0: none"},
    {"CRUDDUR_STUCK_TIMEOUT", "--stuck-timeout", "MS", KIND_NUMBER, AT(stuck_timeout), "4500", 1000,
     600000,
     .help =
         "time for a worker with one request, before it is replaced; below fastcgi_read_timeout"},
    {"CRUDDUR_WORKERS", "--workers", "N", KIND_NUMBER, AT(workers), "0", 0, WORKERS_MAX,
     .help = "processes, each with up to four database connections; 0: two for each processor\n"
             "that cruddurd may use, but 4 to 16"},
    {"FRONTEND_URL", "--frontend-url", "ORIGIN", KIND_TEXT, AT(frontend_url),
     .help = "as BACKEND_URL, such as https://cruddur.com"},
    {"READ_CONNECTION_URL", NULL, "URL", KIND_TEXT, AT(read_url),
     .help = "replicas for reads, any libpq URL; without it all reads go to the primary"},
    {"READ_CONNECTION_URL_FILE", "--read-connection-url-file", "FILE", KIND_TEXT, AT(read_url_file),
     .help = "a file with that URL in it, read again at each connect; not readable by others"},
};

const size_t SETTINGS_COUNT = sizeof SETTINGS / sizeof SETTINGS[0];
