#include "http/framing.h"

#include <fastcgi.h>
#include <string.h>

enum { BEGIN_BODY_LENGTH = 8 };

struct record {
    unsigned type;
    unsigned id;
    const unsigned char *content;
    size_t content_length;
    size_t whole; /* header, content and padding */
};

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

/* Whether the header alone shows that the record has no place here. */
static bool is_out_of_place(const struct record *record, unsigned id,
                            const struct framing_view *view)
{
    if (id == 0) {
        return record->type != FCGI_BEGIN_REQUEST || record->id == 0 ||
               record->content_length != BEGIN_BODY_LENGTH;
    }
    return record->id != id || record->type != (view->params_complete ? FCGI_STDIN : FCGI_PARAMS);
}

static bool is_responder(const struct record *begin)
{
    return begin->content[0] == 0 && begin->content[1] == FCGI_RESPONDER;
}

enum framing framing_scan(const unsigned char *bytes, size_t length, struct framing_view *view)
{
    size_t at = 0;
    unsigned id = 0; /* of the request; 0 before BEGIN_REQUEST */

    *view = (struct framing_view){0};
    for (;;) {
        if (at < length && bytes[at] != FCGI_VERSION_1) {
            return FRAMING_INVALID;
        }
        if (length - at < FCGI_HEADER_LEN) {
            return FRAMING_INCOMPLETE;
        }
        struct record record = record_at(bytes + at);
        if (is_out_of_place(&record, id, view)) {
            return FRAMING_INVALID;
        }
        if (length - at < record.whole) {
            return FRAMING_INCOMPLETE;
        }
        at += record.whole;
        if (id == 0) {
            if (!is_responder(&record)) {
                return FRAMING_INVALID;
            }
            id = record.id;
        } else if (!view->params_complete) {
            view->params_complete = record.content_length == 0;
        } else if (record.content_length == 0) {
            view->length = at;
            return FRAMING_COMPLETE;
        } else {
            view->stdin_length += record.content_length;
        }
    }
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
