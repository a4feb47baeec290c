/* A worker's keys: read from their file, and read again whenever the fetcher publishes new ones. */
#ifndef CRUDDUR_IDENTITY_KEYRING_H
#define CRUDDUR_IDENTITY_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/keypage.h"

struct keys;
struct keyring;

struct keyring_settings {
    const char *file;
    const struct keypage_link *link; /* NULL: there is no fetcher, only the file */
    int max_age_s;                   /* of fetched keys; older ones are not used */
};

/* settings must outlive the keyring. */
struct keyring *keyring_new(const struct keyring_settings *settings);
void keyring_free(struct keyring *keyring); /* NULL is allowed */

/* The keys to use now; NULL while there are none that may be used. */
const struct keys *keyring_current(struct keyring *keyring, int64_t now_s);

/* Asks for fresh keys because a token named an unknown key. Returns whether to wait for them: false
 * if there is no fetcher, or if the last fetch was a moment ago and brought none. */
bool keyring_ask(const struct keyring *keyring);

/* Changes whenever keyring_current may give other keys. */
uint32_t keyring_version(const struct keyring *keyring);

#endif
