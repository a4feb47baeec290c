/* The log names callers by a digest of their subject: lines of one caller can be found together,
 * and the log does not identify a person by itself. A reader that has the list of subjects can
 * compute the digests. */
#include "identity/pseudonym.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <string.h>

/* The pseudonym is empty if there is no SHA-256, as in a build of OpenSSL without it: the log must
 * not have the subject instead. */
void pseudonym_make(char pseudonym[static PSEUDONYM_SIZE], const char *subject)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t length = 0;

    if (EVP_Digest(subject, strlen(subject), digest, NULL, EVP_sha256(), NULL) == 1) {
        for (; length < PSEUDONYM_SIZE - 1; length++) {
            pseudonym[length] =
                digits[length % 2 == 0 ? digest[length / 2] >> 4 : digest[length / 2] & 15];
        }
    }
    pseudonym[length] = '\0';
    ERR_clear_error();
}
