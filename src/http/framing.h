/* Looks at FastCGI records (FastCGI Specification 1.0, section 3.3) that wait in a socket, without
 * taking them: libfcgi reads them only once they are all there, so a slow peer holds up nobody. */
#ifndef CRUDDUR_HTTP_FRAMING_H
#define CRUDDUR_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

enum framing {
    FRAMING_INCOMPLETE, /* well-formed so far, more must come */
    FRAMING_COMPLETE,   /* one whole request */
    FRAMING_INVALID     /* nothing that a front server sends to a responder: hang up */
};

struct framing_view {
    bool params_complete; /* the request can be answered, though perhaps not served */
    size_t stdin_length;  /* bytes of body seen so far */
    size_t length;        /* bytes up to the end of the request; with FRAMING_COMPLETE only */
};

/* Management records are refused: GET_VALUES with five equal names overruns a buffer of libfcgi
 * 2.4.2. So are all ids but the one of BEGIN_REQUEST, other roles than responder, and padding or
 * name-value pairs are left to libfcgi. */
enum framing framing_scan(const unsigned char *bytes, size_t length, struct framing_view *view);

/* The other way round, an answer: records of standard output, then its end. */
enum { FRAMING_HEADER = 8, FRAMING_CONTENT_MAX = 65535, FRAMING_END = 24 };

/* The header of a record with length bytes of output, FRAMING_CONTENT_MAX at most. */
void framing_output(unsigned char header[static FRAMING_HEADER], unsigned id, size_t length);

/* The end of the output and of the request. */
void framing_end(unsigned char end[static FRAMING_END], unsigned id);

#endif
