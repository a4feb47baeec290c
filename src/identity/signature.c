/* HMAC-SHA256 over the time, a dot and the body, in a header "t=TIME,v1=HEX". Several v1 are
 * accepted, so that the secret can be changed without a gap. All of them are compared, in constant
 * time, before the time is checked: the answer to an unsigned request must not show whether its
 * time would have been good. */
#include "identity/signature.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

enum { MAC_SIZE = 32, TIME_DIGITS_MAX = 12 };

/* The header's parts. time is digits; macs is a list "v1=…,v1=…" that is not parsed yet. */
struct parts {
    const char *time, *macs;
    size_t time_length;
};

static bool split_header(const char *header, struct parts *parts)
{
    if (strncmp(header, "t=", 2) != 0) {
        return false;
    }
    parts->time = header + 2;
    parts->time_length = strspn(parts->time, "0123456789");
    parts->macs = parts->time + parts->time_length + 1;
    return parts->time_length >= 1 && parts->time_length <= TIME_DIGITS_MAX &&
           parts->time[parts->time_length] == ',';
}

static bool make_mac(const char *secret, const struct parts *parts, const char *body,
                     size_t body_length, unsigned char mac[static MAC_SIZE])
{
    OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    size_t length = 0;

    bool good =
        context != NULL &&
        EVP_MAC_init(context, (const unsigned char *)secret, strlen(secret), digest) == 1 &&
        EVP_MAC_update(context, (const unsigned char *)parts->time, parts->time_length) == 1 &&
        EVP_MAC_update(context, (const unsigned char *)".", 1) == 1 &&
        EVP_MAC_update(context, (const unsigned char *)body, body_length) == 1 &&
        EVP_MAC_final(context, mac, &length, MAC_SIZE) == 1 && length == MAC_SIZE;
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(hmac);
    ERR_clear_error();
    return good;
}

/* "v1=" and the digits of a MAC. */
static bool read_mac(const char *text, unsigned char mac[static MAC_SIZE])
{
    if (strncmp(text, "v1=", 3) != 0) {
        return false;
    }
    text += 3;
    for (size_t i = 0; i < MAC_SIZE; i++) {
        int high = hex_value(text[2 * i]);
        int low = high >= 0 ? hex_value(text[2 * i + 1]) : -1;

        if (low < 0) {
            return false;
        }
        mac[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* Whether the list is well-formed and has the wanted MAC. */
static bool have_mac(const char *macs, const unsigned char wanted[static MAC_SIZE])
{
    unsigned char mac[MAC_SIZE];
    bool have = false;

    while (read_mac(macs, mac)) {
        have |= CRYPTO_memcmp(mac, wanted, MAC_SIZE) == 0;
        macs += 3 + 2 * MAC_SIZE;
        if (*macs == '\0') {
            return have;
        }
        if (*macs++ != ',') {
            return false;
        }
    }
    return false;
}

/* The body is the bytes as they came, before they were parsed. */
enum signature_verdict signature_verify(const char *header, const char *secret, const char *body,
                                        size_t body_length, int64_t now_s)
{
    struct parts parts;
    unsigned char wanted[MAC_SIZE];

    if (header == NULL || !split_header(header, &parts) ||
        !make_mac(secret, &parts, body, body_length, wanted) || !have_mac(parts.macs, wanted)) {
        return SIGNATURE_REFUSED;
    }
    int64_t time_s = signature_time(header);
    return time_s >= now_s - SIGNATURE_WINDOW_S && time_s <= now_s + SIGNATURE_WINDOW_S
               ? SIGNATURE_GOOD
               : SIGNATURE_EXPIRED;
}

int64_t signature_time(const char *header)
{
    return strtoll(header + 2, NULL, 10); /* behind "t=" */
}
