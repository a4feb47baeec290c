/* Signed bodies. The input's lines are a header, the time in a signed header, the text after its
 * MAC, and the body. The header of the input is refused, as the fuzzer does not know the secret.
 * One with the right MAC is good only within the window, and only if the rest of it is well-
 * formed. */
#include "identity/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/arena.h"
#include "base/hex.h"
#include "fuzz.h"

#define SECRET "a secret of the tests: 32 bytes."
#define NOW INT64_C(1700000000)

static const char *mac_of(struct arena *arena, const char *signed_text)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char *text = arena_copy(arena, "", 0);

    MUST(HMAC(EVP_sha256(), SECRET, (int)strlen(SECRET), (const unsigned char *)signed_text,
              strlen(signed_text), mac, &length) != NULL);
    for (unsigned i = 0; i < length; i++) {
        text = arena_printf(arena, "%s%02x", text, mac[i]);
    }
    return text;
}

static void must_be_within(enum signature_verdict verdict, const char *header)
{
    if (verdict != SIGNATURE_REFUSED) {
        int64_t time_s = signature_time(header);
        bool is_within = time_s >= NOW - SIGNATURE_WINDOW_S && time_s <= NOW + SIGNATURE_WINDOW_S;

        MUST((verdict == SIGNATURE_GOOD) == is_within);
    }
}

FUZZ_TARGET(signature)
{
    struct arena arena = {0};
    char *rest = arena_copy(&arena, (const char *)data, size);
    const char *header = take_line(&rest), *time = take_line(&rest), *more = take_line(&rest);
    const char *signed_text = arena_printf(&arena, "%s.%s", time, rest);

    MUST(signature_verify(header, SECRET, rest, strlen(rest), NOW) == SIGNATURE_REFUSED);
    header = arena_printf(&arena, "t=%s,v1=%s%s", time, mac_of(&arena, signed_text), more);
    must_be_within(signature_verify(header, SECRET, rest, strlen(rest), NOW), header);
    MUST(signature_verify(header, SECRET SECRET, rest, strlen(rest), NOW) == SIGNATURE_REFUSED);
    arena_release(&arena);
    return 0;
}
