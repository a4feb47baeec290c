/* Settings are read in the order of their precedence: the defaults, the settings file, the
 * environment, the options; each overwrites what came before. The environment or the options name
 * the file, so these two are read twice. Then the values that follow from others are derived, and
 * the rules between settings are checked. At HUP all this is done again, into another struct
 * config, so that a refused setting changes nothing. */
#include "config/config.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/address.h"
#include "config/collector.h"
#include "config/settings.h"
#include "db/catalog.h"
#include "db/connection.h"
#include "db/conninfo.h"
#include "db/statement.h"
#include "http/cors.h"
#include "identity/caller.h"
#include "identity/signature.h"

/* Sets *has_hosts to whether the URL names several hosts. NULL: not wanted. */
static bool url_is_good(const char *url, const char *name, bool *has_hosts, FILE *errors)
{
    struct conninfo conninfo;
    struct error error;

    if (!conninfo_parse(url, "", &conninfo, &error)) {
        fprintf(errors, "cruddurd: %s: %s\n", name, error.text);
        return false;
    }
    if (has_hosts != NULL) {
        conninfo_complete(&conninfo);
        *has_hosts = conninfo_has_hosts(&conninfo);
    }
    conninfo_release(&conninfo);
    return true;
}

static bool url_file_is_good(const char *file, const char *name, bool *has_hosts, FILE *errors)
{
    struct buf text = {0};
    struct error error;
    bool good = file_read_secret(file, &text, &error);

    if (!good) {
        fprintf(errors, "cruddurd: %s: %s: %s\n", name, file, error.text);
    } else {
        good = url_is_good(text.bytes, name, has_hosts, errors);
    }
    buf_release(&text);
    return good;
}

/* Returns a file in memory with the text, sealed so that no process can change it, or -1. */
static int keep_secret(const struct buf *text)
{
    int file = memfd_create("hook-secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int fd = file >= 0 ? fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;

    if (file >= 0) {
        close(file);
    }
    if (fd >= 0 &&
        (write(fd, text->bytes, text->length) != (ssize_t)text->length ||
         fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Reads the hook's secret from its file and keeps it in hook_secret_fd. */
static bool take_hook_secret(struct config *config, FILE *errors)
{
    struct buf text = {0};
    struct error error = {"it has fewer than 32 bytes"};

    if (config->hook_secret_file == NULL) {
        return true;
    }
    bool good = file_read_secret(config->hook_secret_file, &text, &error) &&
                text.length >= SIGNATURE_SECRET_MIN;
    if (good) {
        config->hook_secret_fd = keep_secret(&text);
        good = config->hook_secret_fd > 0;
        error_set(&error, "no memory for it");
    }
    if (!good) {
        fprintf(errors, "cruddurd: --hook-secret-file: %s: %s\n", config->hook_secret_file,
                error.text);
    }
    buf_wipe(&text);
    return good;
}

static bool origin_is_good(const char *origin, const char *name, FILE *errors)
{
    if (origin == NULL || cors_is_origin(origin)) {
        return true;
    }
    fprintf(errors, "cruddurd: %s: '%s' is not an origin such as https://cruddur.com\n", name,
            origin);
    return false;
}

static char *joined(const char *start, const char *middle, const char *end)
{
    struct buf text = {0};

    buf_printf(&text, "%s%s%s", start, middle, end);
    return text.bytes;
}

/* Two for each processor, so that half of the workers may each wait for a slow statement while the
 * others go on. The maximum leaves PostgreSQL, with its usual limit, connections for others. */
static int workers_for_processors(void)
{
    cpu_set_t mine;
    int count = sched_getaffinity(0, sizeof mine, &mine) == 0 ? 2 * CPU_COUNT(&mine) : 0;

    return count < WORKERS_AUTO_MIN ? WORKERS_AUTO_MIN
                                    : (count > WORKERS_AUTO_MAX ? WORKERS_AUTO_MAX : count);
}

/* Sets the values that follow from other settings, such as a user pool's issuer and the URL of its
 * keys. */
static void derive(struct config *config)
{
    if (config->slow_timeout > config->statement_timeout) {
        config->slow_timeout = config->statement_timeout;
    }
    if (config->workers == 0) {
        config->workers = workers_for_processors();
    }
    if (config->feed_watch == 0) {
        config->streams = 0;
    }
    if (config->issuer == NULL && config->cognito_pool != NULL && config->aws_region != NULL) {
        char *host = joined("https://cognito-idp.", config->aws_region, ".amazonaws.com/");

        config->issuer = joined(host, config->cognito_pool, "");
        memory_free(host);
        if (config->jwks_url == NULL) {
            config->jwks_url = joined(config->issuer, "/.well-known/jwks.json", "");
        }
    }
}

/* Whether an address outside loopback is given. A host name is checked when the socket is open
 * (listen.h). */
static bool listens_beyond_loopback(const char *listen)
{
    return listen != NULL && strncmp(listen, "tcp:", 4) == 0 &&
           address_reach(listen + 4) == REACH_NETWORK;
}

/* Checks the settings against each other; each one alone is valid already. */
static bool settings_agree(const struct config *config, FILE *errors)
{
    bool has_keys = config->jwks_url != NULL || config->jwks_file != NULL;
    bool is_unix = config->listen != NULL && strncmp(config->listen, "unix:", 5) == 0;
    bool trusts_handles = config->identity == IDENTITY_HANDLE;
    const struct {
        bool is_broken;
        const char *rule;
    } rules[] = {
        {config->connection_url != NULL && config->connection_url_file != NULL,
         "CONNECTION_URL and --connection-url-file contradict each other"},
        {config->read_url != NULL && config->read_url_file != NULL,
         "READ_CONNECTION_URL and --read-connection-url-file contradict each other"},
        {config_has_replicas(config) && !config->prepare,
         "READ_CONNECTION_URL goes only with --prepare 1"},
        {trusts_handles && listens_beyond_loopback(config->listen),
         "--identity handle listens on loopback or a unix socket only"},
        {config->hook_url_file != NULL && config->hook_secret_file == NULL,
         "--hook-connection-url-file goes only with --hook-secret-file"},
        {config->listen_group != NULL && !is_unix,
         "--listen-group goes only with --listen unix:/path"},
        {config->otlp_headers_file != NULL && config->otlp_endpoint == NULL,
         "--otlp-headers-file goes only with --otlp-endpoint"},
        {config->statement_timeout >= config->deadline,
         "--statement-timeout must be below --deadline"},
        {config->deadline >= config->stuck_timeout, "--deadline must be below --stuck-timeout"},
        {config->log_params && !trusts_handles, "--log-params 1 goes only with --identity handle"},
        {config->default_handle != NULL && !trusts_handles,
         "--default-handle goes only with --identity handle"},
        {config->jwks_url != NULL && strncasecmp(config->jwks_url, "https://", 8) != 0,
         "--jwks-url must begin with https://, as keys that are fetched in clear can be forged"},
        {config->issuer != NULL && config->cognito_client == NULL,
         "tokens need AWS_COGNITO_USER_POOL_CLIENT_ID too"},
        {config->issuer != NULL && config->jwks_file == NULL,
         "tokens need --jwks-file, to read the keys from or to keep them in"},
        {config->issuer == NULL && has_keys,
         "keys without an issuer: give --issuer, or AWS_DEFAULT_REGION and "
         "AWS_COGNITO_USER_POOL_ID"},
    };
    bool good = true;

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].is_broken) {
            fprintf(errors, "cruddurd: %s\n", rules[i].rule);
            good = false;
        }
    }
    return good;
}

static bool database_is_good(struct config *config, FILE *errors)
{
    if (config->hook_url_file != NULL &&
        !url_file_is_good(config->hook_url_file, "--hook-connection-url-file", NULL, errors)) {
        return false;
    }
    if (config->read_url_file != NULL &&
        !url_file_is_good(config->read_url_file, "--read-connection-url-file", NULL, errors)) {
        return false;
    }
    if (config->read_url != NULL &&
        !url_is_good(config->read_url, "READ_CONNECTION_URL", NULL, errors)) {
        return false;
    }
    if (config->connection_url_file != NULL) {
        return url_file_is_good(config->connection_url_file, "--connection-url-file",
                                &config->has_hosts, errors);
    }
    return url_is_good(config->connection_url != NULL ? config->connection_url : "",
                       "CONNECTION_URL", &config->has_hosts, errors);
}

/* Runs all checks, so that every error is reported. */
static bool is_consistent(struct config *config, FILE *errors)
{
    bool good = settings_agree(config, errors);

    good = database_is_good(config, errors) && good;
    good = collector_is_good(config, errors) && good;
    good = origin_is_good(config->frontend_url, "--frontend-url", errors) && good;
    return origin_is_good(config->backend_url, "--backend-url", errors) && good;
}

bool config_read(struct config *config, char **environment, int argc, char **argv, FILE *errors)
{
    *config = (struct config){.action = ACTION_SERVE};
    settings_take_defaults(config);
    bool good = settings_take_environment(config, environment, errors);
    good = settings_take_options(config, argc, argv, errors) && good;
    if (config->action != ACTION_SERVE && config->action != ACTION_CHECK) {
        return good;
    }
    if (good && config->settings_file != NULL) {
        /* The environment and the options win over the file, so they are read once more. */
        good = settings_take_file(config, config->settings_file, errors);
        good = settings_take_environment(config, environment, errors) && good;
        good = settings_take_options(config, argc, argv, errors) && good;
    }
    if (!good) {
        return false;
    }
    derive(config);
    good = take_hook_secret(config, errors);
    return is_consistent(config, errors) && good;
}

bool config_hook_secret(const struct config *config, struct buf *secret)
{
    char block[512];
    ssize_t got;
    off_t at = 0;

    while ((got = pread(config->hook_secret_fd, block, sizeof block, at)) > 0) {
        buf_append(secret, block, (size_t)got);
        at += got;
    }
    explicit_bzero(block, sizeof block);
    if (secret->length < SIGNATURE_SECRET_MIN) {
        log_errno(LOG_ERROR, "hook", "the secret");
        return false;
    }
    return true;
}

void config_release(struct config *config)
{
    settings_release(config);
    if (config->hook_secret_fd > 0) {
        close(config->hook_secret_fd);
    }
    *config = (struct config){0};
}

int config_sessions(const struct config *config)
{
    bool has_hook = config->hook_secret_fd > 0 && config->hook_url_file == NULL;
    bool has_replicas = config_has_replicas(config);
    int probes = has_replicas + (has_replicas || (config->primary_watch > 0 && config->has_hosts));

    return (3 + has_hook) * config->workers + (config->feed_watch > 0) +
           (config->purge_interval > 0) + probes;
}

struct connection_settings config_connection(const struct config *config,
                                             const char *application_name)
{
    return (struct connection_settings){
        .session =
            {
                .url = config->connection_url_file != NULL ? NULL
                       : config->connection_url != NULL    ? config->connection_url
                                                           : "",
                .url_file = config->connection_url_file,
                .application_name = application_name,
                .statement_timeout_ms = config->statement_timeout,
                .prepares = config->prepare,
                .lanes = LANE_SET(LANE_READ) | LANE_SET(LANE_WRITE) | LANE_SET(LANE_SLOW),
            },
        .deadline_ms = config->deadline,
        .units_max = config->prepare ? CONNECTION_UNITS_MAX : CONNECTION_UNPREPARED_UNITS_MAX,
        .logs_values = config->log_params,
    };
}

void config_use_hook_login(const struct config *config, struct connection_settings *settings)
{
    if (config->hook_url_file != NULL) {
        settings->session.url = NULL;
        settings->session.url_file = config->hook_url_file;
    }
}

bool config_has_replicas(const struct config *config)
{
    return config->read_url != NULL || config->read_url_file != NULL;
}

void config_use_replicas(const struct config *config, struct connection_settings *settings)
{
    settings->session.url = config->read_url;
    settings->session.url_file = config->read_url_file;
}

struct keyring_settings config_keyring(const struct config *config, const struct keypage_link *link)
{
    return (struct keyring_settings){
        .file = config->jwks_file,
        .link = config->jwks_url != NULL ? link : NULL,
        .max_age_s = config->jwks_max_age,
    };
}
