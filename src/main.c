/* cruddurd: command line → settings → supervise, or answer one CGI request. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/route_table.h"
#include "base/log.h"
#include "config/config.h"
#include "config/hardening.h"
#include "config/settings.h"
#include "master/check.h"
#include "master/listen.h"
#include "master/supervisor.h"
#include "master/upgrade.h"
#include "worker/cgi.h"

enum { EXIT_USAGE = 2 };

/* Whether this process was started as a CGI program (RFC 3875). */
static bool is_cgi_program(const struct config *config)
{
    return config->listen == NULL && getenv("REQUEST_METHOD") != NULL && !listen_is_handed_over();
}

static int run_action(struct config *config, int argc, char **argv)
{
    switch (config->action) {
    case ACTION_HELP:
        settings_help(stdout);
        return EXIT_SUCCESS;
    case ACTION_PRINT_SETTINGS:
        settings_print(stdout);
        return EXIT_SUCCESS;
    case ACTION_ROUTES:
        route_table_print(stdout);
        return EXIT_SUCCESS;
    case ACTION_VERSION:
        puts("cruddurd " PACKAGE_VERSION);
        return EXIT_SUCCESS;
    case ACTION_CHECK:
        return check_run(config);
    case ACTION_SERVE:
        break;
    }
    if (upgrade_is_trial()) {
        return upgrade_stand_trial(config);
    }
    if (!upgrade_is_inherited() && is_cgi_program(config)) {
        return cgi_serve(config, environ);
    }
    int status = supervise(config, environ, argc, argv);
    *config = (struct config){0}; /* supervise() has taken it over */
    return status;
}

int main(int argc, char **argv)
{
    struct config config;
    int status = EXIT_USAGE;

    if (config_read(&config, environ, argc, argv, stderr)) {
        log_setup((enum log_level)config.log_level, (enum log_format)config.log_format);
        hardening_hide_secrets(environ);
        hardening_apply(config.core_dumps);
        status = run_action(&config, argc, argv);
    }
    config_release(&config);
    return status;
}
