/* Both headers come from clients. A parser here reads the text once and takes digits only where the
 * grammar has them, so a text is either a whole header or refused. */
#include "base/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hex.h"
#include "base/ids.h"

enum {
    EPOCH_DIGITS = 8,   /* of X-Amzn-Trace-Id's Root: 1-<epoch>-<unique> */
    UNIQUE_DIGITS = 24, /* both together are an id of TRACE_ID_SIZE bytes */
    ROOT_LENGTH = 2 + EPOCH_DIGITS + 1 + UNIQUE_DIGITS,
    CHOICE_BYTES = 7 /* at the id's end; they are random according to the W3C */
};

/* Bytes from exactly 2 * size lower-case digits; false if there are others. */
static bool read_hex(const char *digits, unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char high = digits[2 * i], low = high != '\0' ? digits[2 * i + 1] : '\0';

        if (hex_value(high) < 0 || hex_value(low) < 0 || (high >= 'A' && high <= 'F') ||
            (low >= 'A' && low <= 'F')) {
            return false;
        }
        bytes[i] = (unsigned char)(hex_value(high) << 4 | hex_value(low));
    }
    return true;
}

bool trace_id_is_zero(const unsigned char *id, size_t size)
{
    while (size > 0 && id[size - 1] == 0) {
        size--;
    }
    return size == 0;
}

void trace_id_text(const unsigned char *id, size_t size, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        *text++ = digits[id[i] >> 4];
        *text++ = digits[id[i] & 15];
    }
    *text = '\0';
}

/* --- headers --- */

bool trace_read_w3c(const char *text, struct trace_parent *parent)
{
    unsigned char flags;

    *parent = (struct trace_parent){.decision = TRACE_UNDECIDED};
    if (!traceparent_is_valid(text) || !read_hex(text + 3, parent->id, TRACE_ID_SIZE) ||
        !read_hex(text + 36, parent->span_id, SPAN_ID_SIZE) || !read_hex(text + 53, &flags, 1)) {
        return false;
    }
    parent->decision = (flags & 1) != 0 ? TRACE_SAMPLED : TRACE_NOT_SAMPLED;
    return true;
}

static bool read_root(const char *value, size_t length, struct trace_parent *parent)
{
    return length == ROOT_LENGTH && value[0] == '1' && value[1] == '-' &&
           read_hex(value + 2, parent->id, EPOCH_DIGITS / 2) && value[2 + EPOCH_DIGITS] == '-' &&
           read_hex(value + 2 + EPOCH_DIGITS + 1, parent->id + EPOCH_DIGITS / 2,
                    UNIQUE_DIGITS / 2) &&
           !trace_id_is_zero(parent->id, TRACE_ID_SIZE);
}

static bool read_parent_id(const char *value, size_t length, struct trace_parent *parent)
{
    return length == 2 * SPAN_ID_SIZE && read_hex(value, parent->span_id, SPAN_ID_SIZE) &&
           !trace_id_is_zero(parent->span_id, SPAN_ID_SIZE);
}

static bool read_sampled(const char *value, size_t length, struct trace_parent *parent)
{
    if (length != 1 || strchr("01?", *value) == NULL) {
        return false;
    }
    parent->decision = *value == '1'   ? TRACE_SAMPLED
                       : *value == '0' ? TRACE_NOT_SAMPLED
                                       : TRACE_UNDECIDED;
    return true;
}

/* A second field with the same name is an error, as two readers could take different ones. */
static bool read_field(const char *field, size_t length, bool seen[static 3],
                       struct trace_parent *parent)
{
    static const struct {
        const char *name;
        bool (*read)(const char *value, size_t length, struct trace_parent *parent);
    } fields[3] = {{"Root=", read_root}, {"Parent=", read_parent_id}, {"Sampled=", read_sampled}};

    for (size_t i = 0; i < 3; i++) {
        size_t name_length = strlen(fields[i].name);

        if (length >= name_length && memcmp(field, fields[i].name, name_length) == 0) {
            bool is_first = !seen[i];

            seen[i] = true;
            return is_first && fields[i].read(field + name_length, length - name_length, parent);
        }
    }
    return true; /* other fields: Self, Lineage and those that a client adds */
}

bool trace_read_amazon(const char *text, struct trace_parent *parent)
{
    bool seen[3] = {false}, good = true;

    *parent = (struct trace_parent){.decision = TRACE_UNDECIDED};
    while (good && *text != '\0') {
        text += strspn(text, " ;");
        size_t length = strcspn(text, ";");

        good = read_field(text, length, seen, parent);
        text += length;
    }
    if (!good || !seen[0]) {
        *parent = (struct trace_parent){.decision = TRACE_UNDECIDED};
    }
    return good && seen[0];
}

/* --- ids of our own --- */

/* getrandom(2) gives up to 256 bytes as a whole, or fails while the kernel has none yet. */
static void refill(struct trace_ids *ids)
{
    while (getrandom(ids->bytes, sizeof ids->bytes, 0) != (ssize_t)sizeof ids->bytes) {
        if (errno != EINTR) {
            abort();
        }
    }
    ids->left = sizeof ids->bytes;
}

void trace_ids_take(struct trace_ids *ids, unsigned char *id, size_t size)
{
    do {
        if (ids->left < size) {
            refill(ids);
        }
        ids->left -= size;
        memcpy(id, ids->bytes + ids->left, size);
    } while (trace_id_is_zero(id, size));
}

bool trace_is_chosen(const unsigned char id[static TRACE_ID_SIZE], int percent)
{
    uint64_t number = 0;

    for (size_t i = TRACE_ID_SIZE - CHOICE_BYTES; i < TRACE_ID_SIZE; i++) {
        number = number << 8 | id[i];
    }
    return number < (UINT64_C(1) << 8 * CHOICE_BYTES) / 100 * (uint64_t)percent || percent >= 100;
}
