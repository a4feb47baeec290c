/* Parses FastCGI records (FastCGI Specification 1.0, section 3.3) one after the other before
 * libfcgi reads them, so that libfcgi gets complete requests only, and no management record.
 *
 * A connection is between two requests (struct framing is all zero), within one (id is set), or has
 * received a complete one (is_complete) and not yet answered it. Only framing_step() changes the
 * state; the code that ends a request zeroes it. */
#ifndef CRUDDUR_HTTP_FRAMING_H
#define CRUDDUR_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

enum {
    FRAMING_HEADER = 8,
    FRAMING_CONTENT_MAX = 65535,
    FRAMING_END = 24,
    FRAMING_REPLY_MAX = 128,
    FRAMING_PAIR_MAX = 128 * 1024 /* bytes of a parameter's name and value */
};

enum framing_kind {
    FRAMING_INCOMPLETE, /* not yet a whole record */
    FRAMING_PART,       /* a record of the request; more of its records must follow */
    FRAMING_COMPLETE,   /* the last record of the request */
    FRAMING_ASIDE,      /* a record of no request: not for libfcgi */
    FRAMING_ABORTED,    /* ABORT_REQUEST for the request: like ASIDE, and the request ends */
    FRAMING_NEXT,       /* the first record of another request with the same id as the complete one:
                           parse it again after the complete one's answer */
    FRAMING_INVALID     /* no front server sends this to a responder: close the connection */
};

/* The position within the name-value pairs (section 3.4) at which the parameters seen so far
 * end. */
struct framing_pairs {
    size_t left;   /* bytes of a name and value that must follow */
    unsigned have; /* bytes in lengths */
    unsigned char lengths[8];
};

struct framing {
    unsigned id;           /* of the request; 0 between two requests */
    bool keeps_connection; /* the peer set FCGI_KEEP_CONN */
    bool params_complete;
    bool is_complete;
    size_t stdin_length; /* bytes of body seen so far */
    struct framing_pairs pairs;
};

struct framing_step {
    size_t length; /* of the record, with header and padding; not for INCOMPLETE and INVALID */
    size_t reply_length; /* bytes of the reply; 0: the record is ignored */
    unsigned char reply[FRAMING_REPLY_MAX];
    bool closes; /* the peer doesn't want to keep the connection: close it after the reply */
};

/* Looks at the record at bytes[0]. Only one request is taken at a time (FCGI_MPXS_CONNS is 0):
 * other requests are refused with CANT_MPX_CONN, other roles than responder with UNKNOWN_ROLE, and
 * further records of a request that is refused, aborted or answered are ignored. A torn or
 * oversized name-value pair is INVALID, because libfcgi allocates as many bytes as a length says
 * before it reads them. */
enum framing_kind framing_step(struct framing *framing, const unsigned char *bytes, size_t length,
                               struct framing_step *step);

/* Sets the number of simultaneous connections and of requests that the reply to GET_VALUES
 * gives. */
void framing_set_limit(unsigned limit);

/* An answer consists of records of standard output and the records that end it. */

/* The header of a record with length bytes of output, FRAMING_CONTENT_MAX at most. */
void framing_output(unsigned char header[static FRAMING_HEADER], unsigned id, size_t length);

/* The end of the output and of the request. */
void framing_end(unsigned char end[static FRAMING_END], unsigned id);

#endif
