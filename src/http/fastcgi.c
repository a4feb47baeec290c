#include "http/fastcgi.h"

#include <errno.h>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "http/framing.h"

enum {
    DISCARDED_MAX = 4 * 1024 * 1024, /* bytes that are read after an answer that closes */
    VALUES_LIMIT_MAX = 65536         /* connections, as GET_VALUES is told */
};

/* Where the bytes of a request are while it arrives:
 * - in the socket, peeked at. That is the usual case: the request is there as a whole, and libfcgi reads it from the
 *   socket, which costs no copy and no system call more.
 * - in taken, when it comes in parts, when other records stand beside it, or when another request follows. Of these
 *   bytes [0, kept) are the records of the request, and [next, taken.length) are not looked at yet. What is neither
 *   was answered or ignored. libfcgi then reads the kept ones from relay_fd. A socket holds only some hundred
 *   buffers, one for each write of the peer: what is only peeked at may never be whole. */
struct fastcgi {
    FCGX_Request request;
    int fd;
    struct framing framing;
    struct buf taken;
    size_t kept, next;
    bool takes;        /* the connection has had records that libfcgi may not see */
    bool is_last;      /* the peer doesn't want to keep the connection */
    bool closes_after; /* something of what the peer sent will stay unread */
    bool has_failed;   /* what came while a request was served is no FastCGI */
    struct buf unsent; /* of the answer, from unsent_at on */
    size_t unsent_at;
    size_t discarded;
};

/* A file in memory, of the process: a request is written and read without a wait between. */
static int relay_fd = -1;

void fastcgi_setup(void)
{
    static const int taken[] = {SIGTERM, SIGUSR1, SIGPIPE};
    struct sigaction saved[3];

    /* FCGX_Init installs handlers of its own for these. */
    for (size_t i = 0; i < 3; i++) {
        sigaction(taken[i], NULL, &saved[i]);
    }
    FCGX_Init();
    for (size_t i = 0; i < 3; i++) {
        sigaction(taken[i], &saved[i], NULL);
    }
    struct rlimit descriptors;
    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
        framing_set_limit(descriptors.rlim_cur < VALUES_LIMIT_MAX ? (unsigned)descriptors.rlim_cur
                                                                  : VALUES_LIMIT_MAX);
    }
}

struct fastcgi *fastcgi_open(int fd, const struct buf *arrived)
{
    struct fastcgi *connection = memory_zeroed(sizeof *connection);
    struct timeval patience = {.tv_sec = 1};
    int buffer = 2 * FASTCGI_REQUEST_MAX;

    /* Never waited for, as every request is there before it is read: this only bounds a bug. */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);

    /* A listening socket of -1: an EOF can never make libfcgi fall into accept. */
    FCGX_InitRequest(&connection->request, -1, 0);
    connection->request.ipcFd = fd;
    connection->request.keepConnection = 1; /* else FCGX_Accept_r closes the descriptor first */
    connection->fd = fd;
    if (arrived->length > 0) {
        buf_append(&connection->taken, arrived->bytes, arrived->length);
    }
    return connection;
}

int fastcgi_fd(const struct fastcgi *connection)
{
    return connection->fd;
}

/* --- arriving --- */

/* Room for what one look finds in a socket. */
static unsigned char scratch[FASTCGI_REQUEST_MAX];

static ssize_t receive(int fd, size_t size, int flags)
{
    ssize_t got;

    do {
        got = recv(fd, scratch, size, flags | MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    return got;
}

static enum fastcgi_state state_of(ssize_t got)
{
    bool is_empty = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);

    return is_empty ? FASTCGI_IDLE : FASTCGI_GONE;
}

/* The record that ends a stream, when it has padding: libfcgi does not skip that, and takes it for records. */
static bool is_padded_end(const unsigned char *record)
{
    return record[4] == 0 && record[5] == 0 && record[6] > 0;
}

/* Whether the peeked bytes are one whole request that libfcgi reads as it is, and nothing else. */
static bool is_one_request(struct framing *framing, size_t length)
{
    struct framing_step step;
    enum framing_kind what = FRAMING_PART;
    size_t at = 0;

    *framing = (struct framing){0};
    while (what == FRAMING_PART) {
        what = framing_step(framing, scratch + at, length - at, &step);
        if ((what == FRAMING_PART || what == FRAMING_COMPLETE) && is_padded_end(scratch + at)) {
            what =
                FRAMING_INVALID; /* to be taken out of the socket, and kept without the padding */
        }
        at += what == FRAMING_PART || what == FRAMING_COMPLETE ? step.length : 0;
    }
    if (what == FRAMING_COMPLETE && at == length) {
        return true;
    }
    *framing = (struct framing){0};
    return false;
}

/* Replies are short: a peer that leaves no room for one doesn't read. */
static bool send_reply(const struct fastcgi *connection, const struct framing_step *step)
{
    return step->reply_length == 0 ||
           send(connection->fd, step->reply, step->reply_length, MSG_DONTWAIT | MSG_NOSIGNAL) ==
               (ssize_t)step->reply_length;
}

/* The record at next belongs to the request: puts it behind the kept ones. */
static void keep_record(struct fastcgi *connection, size_t length)
{
    char *bytes = connection->taken.bytes;

    if (connection->kept < connection->next) {
        memmove(bytes + connection->kept, bytes + connection->next, length);
    }
    connection->next += length;
    if (is_padded_end((const unsigned char *)bytes + connection->kept)) {
        bytes[connection->kept + 6] = 0;
        length = FRAMING_HEADER;
    }
    connection->kept += length;
}

static void forget_request(struct fastcgi *connection)
{
    connection->framing = (struct framing){0};
    connection->kept = 0;
}

/* Makes room behind what was answered or ignored. */
static void close_gap(struct fastcgi *connection)
{
    struct buf *taken = &connection->taken;
    size_t rest = taken->length - connection->next;

    if (connection->kept + rest == 0) {
        buf_release(taken);
    } else if (connection->kept < connection->next) {
        memmove(taken->bytes + connection->kept, taken->bytes + connection->next, rest);
        taken->length = connection->kept + rest;
    }
    connection->next = connection->kept;
}

/* The next record of taken. */
static enum framing_kind step_on(struct fastcgi *connection, struct framing_step *step)
{
    const struct buf *taken = &connection->taken;
    const unsigned char *bytes = (const unsigned char *)taken->bytes;

    return framing_step(&connection->framing, bytes != NULL ? bytes + connection->next : scratch,
                        taken->length - connection->next, step);
}

/* Answers or ignores what is no part of a request. FASTCGI_PARTIAL: goes on. */
static enum fastcgi_state put_aside(struct fastcgi *connection, const struct framing_step *step)
{
    connection->next += step->length;
    connection->takes = true;
    if (!send_reply(connection, step)) {
        return FASTCGI_GONE;
    }
    return step->closes ? FASTCGI_REFUSED : FASTCGI_PARTIAL;
}

/* Looks at what is in taken. FASTCGI_PARTIAL: more must come. */
static enum fastcgi_state look_at_taken(struct fastcgi *connection, size_t body_max)
{
    struct framing_step step;
    enum fastcgi_state state = FASTCGI_PARTIAL;

    while (state == FASTCGI_PARTIAL) {
        switch (step_on(connection, &step)) {
        case FRAMING_INCOMPLETE:
            return FASTCGI_PARTIAL;
        case FRAMING_COMPLETE:
            keep_record(connection, step.length);
            return FASTCGI_READY;
        case FRAMING_PART:
            keep_record(connection, step.length);
            if (connection->framing.stdin_length > body_max) {
                state = FASTCGI_OVERSIZE;
            }
            break;
        case FRAMING_ABORTED:
            forget_request(connection);
            state = put_aside(connection, &step);
            break;
        case FRAMING_ASIDE:
            state = put_aside(connection, &step);
            break;
        case FRAMING_NEXT:
        case FRAMING_INVALID:
            return FASTCGI_REFUSED;
        }
    }
    return state;
}

/* Moves what has come from the socket into taken. False, with the state, when there is nothing to go on with. */
static bool take(struct fastcgi *connection, enum fastcgi_state *state)
{
    close_gap(connection);
    if (connection->taken.length >= FASTCGI_REQUEST_MAX) {
        *state = FASTCGI_REFUSED;
        return false;
    }
    ssize_t got = receive(connection->fd, FASTCGI_REQUEST_MAX - connection->taken.length, 0);
    if (got <= 0) {
        *state = state_of(got);
        if (*state == FASTCGI_IDLE && connection->taken.length > 0) {
            *state = FASTCGI_PARTIAL;
        }
        return false;
    }
    buf_append(&connection->taken, (const char *)scratch, (size_t)got);
    return true;
}

/* A request that comes in parts, or with something beside it. */
static enum fastcgi_state look_and_take(struct fastcgi *connection, size_t body_max)
{
    enum fastcgi_state state;

    do {
        state = look_at_taken(connection, body_max);
        if (state != FASTCGI_PARTIAL) {
            return state;
        }
    } while (take(connection, &state));
    return state;
}

enum fastcgi_state fastcgi_look(struct fastcgi *connection, size_t body_max, bool *answerable)
{
    enum fastcgi_state state;

    *answerable = false;
    if (!connection->takes && connection->taken.length == 0) {
        ssize_t got = receive(connection->fd, sizeof scratch, MSG_PEEK);

        if (got <= 0) {
            return state_of(got);
        }
        if (scratch[0] != FCGI_VERSION_1) {
            return FASTCGI_FOREIGN;
        }
        if (is_one_request(&connection->framing, (size_t)got)) {
            connection->closes_after = connection->framing.stdin_length > body_max;
            return FASTCGI_READY;
        }
    }
    state = look_and_take(connection, body_max);
    *answerable = connection->framing.params_complete;
    return state;
}

enum fastcgi_interruption fastcgi_look_aside(struct fastcgi *connection)
{
    struct framing_step step;
    enum fastcgi_state state = FASTCGI_PARTIAL;

    do {
        enum framing_kind what;

        while ((what = step_on(connection, &step)) == FRAMING_ASIDE) {
            if (put_aside(connection, &step) == FASTCGI_GONE) {
                connection->has_failed = true;
            }
        }
        if (what == FRAMING_ABORTED) {
            connection->next += step.length;
            return FASTCGI_ABORTED;
        }
        if (what == FRAMING_INVALID) {
            connection->has_failed = true;
        }
        if (what != FRAMING_INCOMPLETE || connection->has_failed) {
            return FASTCGI_UNDISTURBED;
        }
    } while (take(connection, &state));
    return FASTCGI_UNDISTURBED;
}

bool fastcgi_has_more(const struct fastcgi *connection)
{
    return connection->taken.length > connection->next;
}

void fastcgi_arrived(const struct fastcgi *connection, struct buf *arrived)
{
    const struct buf *taken = &connection->taken;

    if (connection->kept > 0) {
        buf_append(arrived, taken->bytes, connection->kept);
    }
    if (taken->length > connection->next) {
        buf_append(arrived, taken->bytes + connection->next, taken->length - connection->next);
    }
}

/* --- reading --- */

/* Puts the kept records where libfcgi can read them. */
static bool relay(const struct fastcgi *connection)
{
    if (relay_fd < 0) {
        relay_fd = memfd_create("cruddur request", MFD_CLOEXEC);
    }
    return relay_fd >= 0 && ftruncate(relay_fd, 0) == 0 &&
           pwrite(relay_fd, connection->taken.bytes, connection->kept, 0) ==
               (ssize_t)connection->kept &&
           lseek(relay_fd, 0, SEEK_SET) == 0;
}

char **fastcgi_begin(struct fastcgi *connection)
{
    FCGX_Request *request = &connection->request;
    bool is_relayed = connection->kept > 0;

    if (is_relayed && !relay(connection)) {
        return NULL;
    }
    request->ipcFd = is_relayed ? relay_fd : connection->fd;
    request->keepConnection = 1;
    /* Without this a failing FCGX_Accept_r would linger in close for 2 s. */
    request->detached = 1;
    if (FCGX_Accept_r(request) == 0) {
        return request->envp;
    }
    /* It has closed the descriptor. */
    *(is_relayed ? &relay_fd : &connection->fd) = -1;
    return NULL;
}

const char *fastcgi_body(struct fastcgi *connection, struct arena *arena, size_t max,
                         size_t *length)
{
    size_t sent = connection->framing.stdin_length;

    max = sent < max ? sent : max;
    char *body = arena_alloc(arena, max + 1);
    int got = FCGX_GetStr(body, (int)max, connection->request.in);

    *length = got > 0 ? (size_t)got : 0;
    FCGX_GetChar(connection->request.in); /* takes the end of the body out of the socket */
    body[*length] = '\0';
    return body;
}

void fastcgi_give_up(struct fastcgi *connection)
{
    connection->closes_after = true;
}

enum fastcgi_sent fastcgi_send_rest(struct fastcgi *connection)
{
    struct buf *unsent = &connection->unsent;

    while (connection->unsent_at < unsent->length) {
        ssize_t sent = send(connection->fd, unsent->bytes + connection->unsent_at,
                            unsent->length - connection->unsent_at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR) {
            return errno == EAGAIN || errno == EWOULDBLOCK ? FASTCGI_UNSENT : FASTCGI_BROKEN;
        }
        connection->unsent_at += sent > 0 ? (size_t)sent : 0;
    }
    buf_release(unsent);
    connection->unsent_at = 0;
    return FASTCGI_SENT;
}

/* The usual case: everything in one record and one system call. */
static enum fastcgi_sent send_at_once(struct fastcgi *connection, struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(connection->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        return FASTCGI_BROKEN;
    }
    size_t passed = sent > 0 ? (size_t)sent : 0;
    for (size_t i = 0; i < count; i++) {
        size_t skip = passed < parts[i].iov_len ? passed : parts[i].iov_len;

        if (skip < parts[i].iov_len) {
            buf_append(&connection->unsent, (const char *)parts[i].iov_base + skip,
                       parts[i].iov_len - skip);
        }
        passed -= skip;
    }
    return connection->unsent.length > 0 ? FASTCGI_UNSENT : FASTCGI_SENT;
}

static void keep(struct fastcgi *connection, unsigned id, const char *bytes, size_t length)
{
    unsigned char header[FRAMING_HEADER];

    for (size_t at = 0, some; at < length; at += some) {
        some = length - at < FRAMING_CONTENT_MAX ? length - at : FRAMING_CONTENT_MAX;
        framing_output(header, id, some);
        buf_append(&connection->unsent, (const char *)header, sizeof header);
        buf_append(&connection->unsent, bytes + at, some);
    }
}

/* libfcgi is done with this request; the socket stays, and so does what has come after the request. */
static void end_request(struct fastcgi *connection)
{
    FCGX_Free(&connection->request, 0);
    connection->is_last = !connection->framing.is_kept;
    forget_request(connection);
    close_gap(connection);
}

enum fastcgi_sent fastcgi_answer(struct fastcgi *connection, const char *head, size_t head_length,
                                 const char *body, size_t body_length)
{
    unsigned id = connection->framing.id;
    unsigned char header[FRAMING_HEADER], end[FRAMING_END];

    end_request(connection);
    framing_end(end, id);
    if (head_length + body_length > FRAMING_CONTENT_MAX) {
        keep(connection, id, head, head_length);
        keep(connection, id, body, body_length);
        buf_append(&connection->unsent, (const char *)end, sizeof end);
        return fastcgi_send_rest(connection);
    }
    framing_output(header, id, head_length + body_length);
    struct iovec parts[] = {{header, sizeof header},
                            {(void *)(uintptr_t)head, head_length},
                            {(void *)(uintptr_t)body, body_length},
                            {end, sizeof end}};
    return send_at_once(connection, parts, sizeof parts / sizeof parts[0]);
}

bool fastcgi_is_kept(const struct fastcgi *connection)
{
    return !connection->is_last && !connection->closes_after && !connection->has_failed;
}

bool fastcgi_may_have_unread(const struct fastcgi *connection)
{
    return connection->closes_after || connection->has_failed;
}

enum fastcgi_sent fastcgi_end(struct fastcgi *connection)
{
    unsigned char end[FRAMING_END];

    framing_end(end, connection->framing.id);
    end_request(connection);
    struct iovec part = {end, sizeof end};
    return send_at_once(connection, &part, 1);
}

bool fastcgi_begin_closing(struct fastcgi *connection)
{
    return shutdown(connection->fd, SHUT_WR) == 0 && fastcgi_discard(connection);
}

bool fastcgi_discard(struct fastcgi *connection)
{
    ssize_t got;

    while ((got = receive(connection->fd, sizeof scratch, 0)) > 0) {
        connection->discarded += (size_t)got;
        if (connection->discarded > DISCARDED_MAX) {
            return false;
        }
    }
    return state_of(got) == FASTCGI_IDLE;
}

void fastcgi_close(struct fastcgi *connection)
{
    FCGX_Free(&connection->request, 0);
    if (connection->fd >= 0) {
        close(connection->fd);
    }
    buf_release(&connection->taken);
    buf_release(&connection->unsent);
    memory_free(connection);
}
