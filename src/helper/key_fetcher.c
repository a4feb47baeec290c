/* The key fetcher is a program of its own, since it parses what the network sends: it gets no
 * secret, no listening socket, and of the shared memory only the key page. */
#include "helper/key_fetcher.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/hardening.h"

bool key_fetcher_prepare(struct key_fetcher *fetcher)
{
    return keypage_open(&fetcher->link) == 0;
}

static void execute_fetcher(void *context)
{
    const struct key_fetcher *fetcher = context;
    const struct config *config = fetcher->config;
    char page[16], woken[16];

    snprintf(page, sizeof page, "%d", fetcher->link.page_fd);
    snprintf(woken, sizeof woken, "%d", fetcher->link.woken_fd);
    fcntl(fetcher->link.page_fd, F_SETFD, 0);
    fcntl(fetcher->link.woken_fd, F_SETFD, 0);
    /* It parses what the network sends, and so gets no secret. */
    char **environment = hardening_plain_environment(environ);
    execle(config->fetcher, "cruddur-fetch-keys", config->jwks_url, config->jwks_file,
           config->jwks_ca_file != NULL ? config->jwks_ca_file : "", page, woken, (char *)NULL,
           environment);
    memory_free(environment);
    log_errno(LOG_ERROR, "keys", "%s", config->fetcher);
}

bool key_fetcher_is_wanted(const struct config *config)
{
    return config->jwks_url != NULL;
}

void key_fetcher_ensure(struct key_fetcher *fetcher, const struct config *config)
{
    if (key_fetcher_is_wanted(config)) {
        fetcher->config = config;
        helper_ensure(&fetcher->helper, "cruddur-fetch", execute_fetcher, fetcher);
    }
}
