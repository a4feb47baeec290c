/* FNV-1a with 64 bits, for tables and comparisons within a pool. It is quick for short texts. It is no defence
 * against texts that are made so that their hashes are equal. */
#ifndef CRUDDUR_BASE_HASH_H
#define CRUDDUR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* The hash of all bytes so far; it begins as HASH_START. */
static inline uint64_t hash_add(uint64_t hash, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

#endif
