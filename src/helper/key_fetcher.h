/* The pool's one process that fetches the issuer's keys (cruddur-fetch-keys), as the master sees
 * it. */
#ifndef CRUDDUR_HELPER_KEY_FETCHER_H
#define CRUDDUR_HELPER_KEY_FETCHER_H

#include <stdbool.h>

#include "helper/helper.h"
#include "shared/keypage.h"

struct config;

struct key_fetcher {
    struct helper helper;
    struct keypage_link link;
    const struct config *config; /* of its last start */
};

/* Call this before the workers are forked. False: errno says why. */
bool key_fetcher_prepare(struct key_fetcher *fetcher);

/* Whether the settings want it. */
bool key_fetcher_is_wanted(const struct config *config);

/* Starts it if it is wanted and does not run. */
void key_fetcher_ensure(struct key_fetcher *fetcher, const struct config *config);

#endif
