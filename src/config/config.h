/* The settings of cruddurd: from the settings file, from environment variables, which win over the
 * file, and from command-line options, which win over both (settings.c); and the values that follow
 * from them. */
#ifndef CRUDDUR_CONFIG_CONFIG_H
#define CRUDDUR_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdio.h>

struct buf;
struct connection_settings;
struct keypage_link;
struct keyring_settings;

enum {
    PER_HOUR_MAX = 100000,
    WORKERS_AUTO_MIN = 4,
    WORKERS_AUTO_MAX = 16,
    BODY_MAX_LIMIT = 65536, /* bytes */
    STREAMS_LIMIT = 100000
};

enum config_action {
    ACTION_SERVE,
    ACTION_CHECK,
    ACTION_HELP,
    ACTION_PRINT_SETTINGS,
    ACTION_ROUTES,
    ACTION_VERSION
};

enum compat { COMPAT_NONE, COMPAT_WEEK4 };

/* The sandbox of workers. AUTO: as far as the kernel supports it. */
enum sandbox { SANDBOX_AUTO, SANDBOX_ON, SANDBOX_OFF };

struct config {
    enum config_action action;
    char *connection_url; /* NULL: from the file; both NULL: libpq's PG* variables */
    char *connection_url_file;
    char *read_url; /* of replicas; NULL: from the file; both NULL: there are none */
    char *read_url_file;
    char *listen; /* unix:/path or tcp:host:port; NULL: a socket that is handed over */
    char *listen_group;
    char *sql_dir;
    char *settings_file;
    char *aws_region; /* this and the next two: the Cognito user pool */
    char *cognito_pool;
    char *cognito_client;
    char *issuer;    /* of tokens; NULL: there is none */
    char *jwks_url;  /* from where the issuer's keys are fetched; NULL: they are not */
    char *jwks_file; /* the issuer's keys; with jwks_url the file that the fetcher writes */
    char *jwks_ca_file;
    char *frontend_url; /* origins, for CORS */
    char *backend_url;
    char *default_handle;
    char *hook_secret_file;
    char *hook_url_file; /* the hook's login; NULL: the hook uses the service's */
    /* A file in memory that has the hook's secret, so that no process has it in its own memory; 0:
     * there is no hook. */
    int hook_secret_fd;
    int feed_stale;                                          /* s */
    int feed_watch;                                          /* ms; 0: nothing is cached */
    int posts_per_hour, messages_per_hour, reports_per_hour; /* of one user; 0: any number */
    int primary_watch;                                       /* ms; 0: no polls of other hosts */
    int replica_lag;                                         /* ms */
    int replica_stale;                                       /* s */
    int purge_interval;                                      /* s; 0: this pool purges nothing */
    int repeat_window;                                       /* s; 0: none */
    int streams;   /* that may be open in the pool at a time; 0: none, as when nothing is cached */
    char *fetcher; /* this and the next: the programs */
    char *exporter;
    char *otlp_endpoint; /* of a collector, without /v1/traces; NULL: no trace is recorded */
    char *otlp_headers_file;
    int otlp_sample; /* percent of the traces that no client has decided on */
    int listen_mode; /* permission bits */
    int backlog;     /* connections */
    int workers;
    int body_max;          /* bytes */
    int statement_timeout; /* this and the following: ms */
    int slow_timeout;      /* PostgreSQL's limit for a statement of LANE_SLOW */
    int deadline;
    int request_timeout;
    int drain_timeout;
    int stuck_timeout;
    int jwks_max_age; /* seconds */
    int identity;     /* enum identity_mode */
    int compat;       /* enum compat */
    int sandbox;      /* enum sandbox */
    int log_level;    /* enum log_level */
    int log_format;   /* enum log_format */
    bool log_params;
    bool core_dumps;
    bool prepare;
    bool has_hosts; /* the database's URL names several */
};

/* Reads options, environment (as in environ) and, if they name one, the settings file. False: a
 * setting is unknown, wrong or contradicts another; every such setting was reported on errors. Call
 * config_release in either case. */
bool config_read(struct config *config, char **environment, int argc, char **argv, FILE *errors);
void config_release(struct config *config);

/* Appends the hook's secret. Overwrite it after use (buf_wipe). False: it cannot be read, which was
 * logged. */
bool config_hook_secret(const struct config *config, struct buf *secret);

/* The settings of the keyring. link: NULL without a key fetcher. */
struct keyring_settings config_keyring(const struct config *config,
                                       const struct keypage_link *link);

/* The number of sessions that the pool opens with the service's login: for each worker one for
 * reads, one for writes, one for slow reads, and one for the hook unless that has a login of its
 * own; one for the watcher, one for the purger, and one for the prober, or two with replicas,
 * because their URL may name the primary as well. */
int config_sessions(const struct config *config);

/* The settings of a database connection. application_name is borrowed. */
struct connection_settings config_connection(const struct config *config,
                                             const char *application_name);

/* Whether reads may go to replicas. */
bool config_has_replicas(const struct config *config);

/* Changes settings to those of a connection to replicas. */
void config_use_replicas(const struct config *config, struct connection_settings *settings);

/* Changes settings to the hook's login, if that has one of its own. */
void config_use_hook_login(const struct config *config, struct connection_settings *settings);

#endif
