/* Who is calling. */
#ifndef CRUDDUR_IDENTITY_CALLER_H
#define CRUDDUR_IDENTITY_CALLER_H

enum identity_mode {
    IDENTITY_TOKEN, /* callers are who their token says */
    IDENTITY_HANDLE /* for learning, on loopback: the body's handle is believed */
};

enum caller_kind {
    CALLER_ANONYMOUS, /* said nothing about itself */
    CALLER_REFUSED,   /* sent an Authorization header that proves nothing */
    CALLER_BY_HANDLE  /* acts as whatever handle its request names */
};

struct caller {
    enum caller_kind kind;
};

/* The address of a client that came over no network, as nginx writes it for its unix sockets. */
#define LOCAL_PEER "unix:"

/* authorization is the header, NULL without one; remote_addr the client's address as the front
 * server gives it; NULL, if it doesn't, counts as a stranger's. */
struct caller caller_identify(enum identity_mode mode, const char *authorization,
                              const char *remote_addr);

#endif
