/* A set of keys that is taken has keys, and none of them takes a signature of zeros. */
#include "identity/keys.h"

#include "base/arena.h"
#include "base/json.h"
#include "fuzz.h"

FUZZ_TARGET(keys)
{
    static const unsigned char zeros[KEY_BITS_MAX / 8];
    static const char *const kids[] = {"", "k", "one", "kid"};
    struct arena arena = {0};
    const char *text = arena_copy(&arena, (const char *)data, size);
    struct keys *keys = keys_parse(text, size);

    for (size_t i = 0; i < sizeof kids / sizeof kids[0]; i++) {
        MUST(keys != NULL || !keys_have(keys, kids[i]));
        if (keys_have(keys, kids[i])) {
            MUST(!keys_verify(keys, kids[i], "text", 4, zeros, KEY_BITS_MIN / 8));
        }
    }
    keys_free(keys);
    arena_release(&arena);
    return 0;
}
