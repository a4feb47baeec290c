#include "http/framing.h"

#include <fastcgi.h>
#include <stdio.h>
#include <string.h>

enum { BODY_LENGTH = 8 /* of BEGIN_REQUEST, END_REQUEST and UNKNOWN_TYPE */ };

struct record {
    unsigned type;
    unsigned id;
    const unsigned char *content;
    size_t content_length;
    size_t whole; /* header, content and padding */
};

static char limit_text[12] = "1";

void framing_set_limit(unsigned limit)
{
    snprintf(limit_text, sizeof limit_text, "%u", limit);
}

static struct record record_at(const unsigned char *bytes)
{
    struct record record = {
        .type = bytes[1],
        .id = (unsigned)bytes[2] << 8 | bytes[3],
        .content = bytes + FCGI_HEADER_LEN,
        .content_length = (size_t)bytes[4] << 8 | bytes[5],
    };

    record.whole = FCGI_HEADER_LEN + record.content_length + bytes[6];
    return record;
}

static void write_header(unsigned char *header, unsigned type, unsigned id, size_t length)
{
    header[0] = FCGI_VERSION_1;
    header[1] = (unsigned char)type;
    header[2] = (unsigned char)(id >> 8);
    header[3] = (unsigned char)id;
    header[4] = (unsigned char)(length >> 8);
    header[5] = (unsigned char)length;
    header[6] = header[7] = 0;
}

/* --- name-value pairs --- */

static size_t length_at(const unsigned char *bytes)
{
    return bytes[0] < 0x80 ? bytes[0]
                           : (size_t)(bytes[0] & 0x7f) << 24 | (size_t)bytes[1] << 16 |
                                 (size_t)bytes[2] << 8 | bytes[3];
}

static unsigned width_of(unsigned char first)
{
    return first < 0x80 ? 1 : 4;
}

/* One byte of the two lengths before a name. */
static void take_length(struct framing_pairs *pairs, unsigned char byte)
{
    pairs->lengths[pairs->have++] = byte;
    unsigned name_width = width_of(pairs->lengths[0]);

    if (pairs->have > name_width &&
        pairs->have == name_width + width_of(pairs->lengths[name_width])) {
        pairs->left = length_at(pairs->lengths) + length_at(pairs->lengths + name_width);
        pairs->have = 0;
    }
}

/* False: a pair is longer than FRAMING_PAIR_MAX. */
static bool walk_pairs(struct framing_pairs *pairs, const unsigned char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        if (pairs->left > 0) {
            size_t some = pairs->left < length - at ? pairs->left : length - at;

            pairs->left -= some;
            at += some;
        } else {
            take_length(pairs, bytes[at++]);
            if (pairs->left > FRAMING_PAIR_MAX) {
                return false;
            }
        }
    }
    return true;
}

static bool is_torn(const struct framing_pairs *pairs)
{
    return pairs->left > 0 || pairs->have > 0;
}

/* --- management records --- */

static const char MPXS_VALUE[] = "0"; /* one request at a time on a connection */

static const struct {
    const char *name;
    const char *value;
} VALUES[] = {
    {FCGI_MAX_CONNS, limit_text}, {FCGI_MAX_REQS, limit_text}, {FCGI_MPXS_CONNS, MPXS_VALUE}};

enum { VALUES_COUNT = sizeof VALUES / sizeof VALUES[0] };

static void note_name(const unsigned char *name, size_t length, bool asked[static VALUES_COUNT])
{
    for (size_t i = 0; i < VALUES_COUNT; i++) {
        if (strlen(VALUES[i].name) == length && memcmp(VALUES[i].name, name, length) == 0) {
            asked[i] = true;
        }
    }
}

/* Finds out which values the record asks for. A torn pair ends the list. */
static void read_names(const struct record *record, bool asked[static VALUES_COUNT])
{
    const unsigned char *at = record->content, *end = at + record->content_length;

    while (at < end) {
        unsigned name_width = width_of(*at);
        if ((size_t)(end - at) <= name_width ||
            (size_t)(end - at) < name_width + width_of(at[name_width])) {
            return;
        }
        size_t name_length = length_at(at), value_length = length_at(at + name_width);
        at += name_width + width_of(at[name_width]);
        if (name_length > (size_t)(end - at) || value_length > (size_t)(end - at) - name_length) {
            return;
        }
        note_name(at, name_length, asked);
        at += name_length + value_length;
    }
}

static void reply_values(const struct record *record, struct framing_step *step)
{
    bool asked[VALUES_COUNT] = {false};
    unsigned char *content = step->reply + FCGI_HEADER_LEN, *end = content;

    read_names(record, asked);
    for (size_t i = 0; i < VALUES_COUNT; i++) {
        if (asked[i]) {
            size_t name_length = strlen(VALUES[i].name), value_length = strlen(VALUES[i].value);

            *end++ = (unsigned char)name_length;
            *end++ = (unsigned char)value_length;
            memcpy(end, VALUES[i].name, name_length);
            memcpy(end + name_length, VALUES[i].value, value_length);
            end += name_length + value_length;
        }
    }
    write_header(step->reply, FCGI_GET_VALUES_RESULT, 0, (size_t)(end - content));
    step->reply_length = (size_t)(end - step->reply);
}

/* A reply with a body of eight bytes, all zero except the first and the fifth. */
static void reply_short(struct framing_step *step, unsigned type, unsigned id, unsigned char first,
                        unsigned char fifth)
{
    memset(step->reply, 0, FCGI_HEADER_LEN + BODY_LENGTH);
    write_header(step->reply, type, id, BODY_LENGTH);
    step->reply[FCGI_HEADER_LEN] = first;
    step->reply[FCGI_HEADER_LEN + 4] = fifth;
    step->reply_length = FCGI_HEADER_LEN + BODY_LENGTH;
}

static void reply_unknown_type(const struct record *record, struct framing_step *step)
{
    reply_short(step, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, (unsigned char)record->type, 0);
}

static void reply_end(const struct record *record, struct framing_step *step, unsigned char how)
{
    reply_short(step, FCGI_END_REQUEST, record->id, 0, how);
}

/* --- requests --- */

static bool keeps_connection(const struct record *begin)
{
    return (begin->content[2] & FCGI_KEEP_CONN) != 0;
}

static enum framing_kind begin(struct framing *framing, const struct record *record,
                               struct framing_step *step)
{
    if (framing->id == record->id) {
        return framing->is_complete ? FRAMING_NEXT : FRAMING_INVALID;
    }
    if (framing->id != 0) {
        reply_end(record, step, FCGI_CANT_MPX_CONN);
        return FRAMING_ASIDE;
    }
    if (record->content[0] != 0 || record->content[1] != FCGI_RESPONDER) {
        reply_end(record, step, FCGI_UNKNOWN_ROLE);
        step->closes = !keeps_connection(record);
        return FRAMING_ASIDE;
    }
    *framing = (struct framing){.id = record->id, .keeps_connection = keeps_connection(record)};
    return FRAMING_PART;
}

static enum framing_kind abort_request(struct framing *framing, const struct record *record,
                                       struct framing_step *step)
{
    reply_end(record, step, FCGI_REQUEST_COMPLETE);
    step->closes = !framing->keeps_connection;
    return FRAMING_ABORTED;
}

static enum framing_kind take_params(struct framing *framing, const struct record *record)
{
    if (record->content_length == 0) {
        framing->params_complete = true;
        return is_torn(&framing->pairs) ? FRAMING_INVALID : FRAMING_PART;
    }
    return walk_pairs(&framing->pairs, record->content, record->content_length) ? FRAMING_PART
                                                                                : FRAMING_INVALID;
}

static enum framing_kind take_stdin(struct framing *framing, const struct record *record)
{
    framing->stdin_length += record->content_length;
    framing->is_complete = record->content_length == 0;
    return framing->is_complete ? FRAMING_COMPLETE : FRAMING_PART;
}

static bool is_management(const struct record *record)
{
    return record->id == FCGI_NULL_REQUEST_ID || record->type == 0 || record->type > FCGI_MAXTYPE;
}

/* Whether the header alone shows that the record has no place in the request. */
static bool is_out_of_place(const struct framing *framing, const struct record *record)
{
    if (is_management(record)) {
        return false;
    }
    if (record->type == FCGI_BEGIN_REQUEST) {
        return record->content_length != BODY_LENGTH ||
               (framing->id == record->id && !framing->is_complete);
    }
    if (record->id != framing->id || record->type == FCGI_ABORT_REQUEST) {
        return false;
    }
    return framing->is_complete ||
           record->type != (framing->params_complete ? FCGI_STDIN : FCGI_PARAMS);
}

static enum framing_kind take_record(struct framing *framing, const struct record *record,
                                     struct framing_step *step)
{
    if (is_management(record)) {
        if (record->type == FCGI_GET_VALUES) {
            reply_values(record, step);
        } else {
            reply_unknown_type(record, step);
        }
        return FRAMING_ASIDE;
    }
    if (record->type == FCGI_BEGIN_REQUEST) {
        return begin(framing, record, step);
    }
    if (record->id != framing->id) {
        return FRAMING_ASIDE;
    }
    switch (record->type) {
    case FCGI_ABORT_REQUEST:
        return abort_request(framing, record, step);
    case FCGI_PARAMS:
        return take_params(framing, record);
    default:
        return take_stdin(framing, record);
    }
}

enum framing_kind framing_step(struct framing *framing, const unsigned char *bytes, size_t length,
                               struct framing_step *step)
{
    step->reply_length = 0;
    step->closes = false;
    if (length > 0 && bytes[0] != FCGI_VERSION_1) {
        return FRAMING_INVALID;
    }
    if (length < FCGI_HEADER_LEN) {
        return FRAMING_INCOMPLETE;
    }
    struct record record = record_at(bytes);
    if (is_out_of_place(framing, &record)) {
        return FRAMING_INVALID;
    }
    if (length < record.whole) {
        return FRAMING_INCOMPLETE;
    }
    step->length = record.whole;
    return take_record(framing, &record, step);
}

void framing_output(unsigned char header[static FRAMING_HEADER], unsigned id, size_t length)
{
    write_header(header, FCGI_STDOUT, id, length);
}

void framing_end(unsigned char end[static FRAMING_END], unsigned id)
{
    memset(end, 0, FRAMING_END); /* application status 0, FCGI_REQUEST_COMPLETE */
    write_header(end, FCGI_STDOUT, id, 0);
    write_header(end + FRAMING_HEADER, FCGI_END_REQUEST, id, FRAMING_HEADER);
}
