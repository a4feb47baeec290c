/* Keys come from a file. With an issuer the file is written by the key fetcher, and keypage's
 * version counter says that it has changed; without an issuer it is read once. Keys that could not
 * be renewed for longer than max_age_s are not used: a key that the issuer has withdrawn must not
 * stay good for ever because the network is down. The keys are as old as the file that they were
 * read from, because each fetch writes a new one. */
#include "identity/keyring.h"

#include <stddef.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "identity/keys.h"

/* keys is replaced as a whole, so that a verification never sees half of a set. */
struct keyring {
    const struct keyring_settings *settings;
    struct keys *keys;
    int64_t fetched_s; /* of keys, s since 1970 */
    uint32_t version;  /* of keys, as in struct keypage */
};

uint32_t keyring_version(const struct keyring *keyring)
{
    return keyring->settings->link != NULL ? atomic_load(&keyring->settings->link->page->version)
                                           : 0;
}

/* A file that holds no usable key changes nothing. */
static void read_keys(struct keyring *keyring)
{
    struct buf text = {0};
    struct error error = {"it holds no usable key"};
    struct keys *keys = NULL;
    int64_t modified_s;

    keyring->version = keyring_version(keyring);
    if (file_read_dated(keyring->settings->file, &text, &modified_s, &error) && text.length > 0) {
        keys = keys_parse(text.bytes, text.length);
    }
    buf_release(&text);
    if (keys != NULL) {
        keys_free(keyring->keys);
        keyring->keys = keys;
        keyring->fetched_s = modified_s;
    } else if (keyring->settings->link == NULL || keyring->version > 0) {
        log_message(LOG_ERROR, "keys", "%s: %s", keyring->settings->file, error.text);
    }
}

struct keyring *keyring_new(const struct keyring_settings *settings)
{
    struct keyring *keyring = memory_zeroed(sizeof *keyring);

    keyring->settings = settings;
    read_keys(keyring);
    return keyring;
}

void keyring_free(struct keyring *keyring)
{
    if (keyring != NULL) {
        keys_free(keyring->keys);
        memory_free(keyring);
    }
}

/* Called for each token. The check for a new file is a load of a counter in shared memory. */
const struct keys *keyring_current(struct keyring *keyring, int64_t now_s)
{
    if (keyring->version != keyring_version(keyring)) {
        read_keys(keyring);
    }
    if (keyring->settings->link != NULL &&
        now_s - keyring->fetched_s > keyring->settings->max_age_s) {
        return NULL;
    }
    return keyring->keys;
}

bool keyring_ask(const struct keyring *keyring)
{
    if (keyring->settings->link == NULL) {
        return false;
    }
    /* Reads the version after keypage_ask(), because a fetch may have ended since keyring_current()
     * was called. */
    return keypage_ask(keyring->settings->link) || keyring->version != keyring_version(keyring);
}
