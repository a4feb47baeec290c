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
    VALUES_LIMIT_MAX = 65536         /* connections that the reply to GET_VALUES gives at most */
};

/* Where the bytes of a request are while it arrives:
 * - In the socket, peeked at. That is the usual case: the request is complete, and libfcgi reads it
 *   from the socket, without a copy and without a further system call.
 * - In buffer, if the request comes in parts, if other records come with it, or if another request
 *   follows. Bytes [0, stored) are the records of the request, [next, buffer.length) are not parsed
 *   yet, and the records in between were answered or ignored. libfcgi reads the stored records from
 *   relay_fd. Peeking is not enough here, because a socket holds only some hundred writes of the
 *   peer: a request in many writes might never be complete in it.
 *
 * Once a connection has had a record that libfcgi must not see, its input is always buffered
 * (is_buffered). */
struct fastcgi {
    FCGX_Request request;
    int fd;
    struct framing framing;
    struct buf buffer;
    size_t stored, next;
    bool is_buffered;  /* see above */
    bool is_last;      /* the request had no FCGI_KEEP_CONN */
    bool closes_after; /* some bytes of the peer will stay unread */
    bool has_failed;   /* while a request was served, no FastCGI came, or a reply could not be
                          sent */
    struct buf unsent; /* what is left of the answer, from unsent_at on */
    size_t unsent_at;
    size_t discarded;
};

/* A file in memory, one for all connections of the process, because a request is written and read
 * without a wait in between. */
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

struct fastcgi *fastcgi_open(int fd, const struct buf *buffered)
{
    struct fastcgi *connection = memory_zeroed(sizeof *connection);
    struct timeval patience = {.tv_sec = 1};
    int buffer = 2 * FASTCGI_REQUEST_MAX;

    /* A read never waits, because libfcgi reads complete requests only. The timeout bounds the
     * effect of a bug. */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);

    /* The listening socket is -1, so that an EOF can never make libfcgi call accept. */
    FCGX_InitRequest(&connection->request, -1, 0);
    connection->request.ipcFd = fd;
    connection->request.keepConnection = 1; /* else FCGX_Accept_r closes the descriptor first */
    connection->fd = fd;
    if (buffered->length > 0) {
        buf_append(&connection->buffer, buffered->bytes, buffered->length);
    }
    return connection;
}

int fastcgi_fd(const struct fastcgi *connection)
{
    return connection->fd;
}

/* --- arriving --- */

/* The bytes that one call reads or peeks at. */
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

/* libfcgi skips only the padding behind a stream's content. It reads the padding of a record that
 * ends a stream, or that begins a request, as if it were records. */
static bool has_unskipped_padding(const unsigned char *record)
{
    bool is_end = record[4] == 0 && record[5] == 0;

    return (is_end || record[1] == FCGI_BEGIN_REQUEST) && record[6] > 0;
}

/* Whether the peeked bytes are exactly one whole request, which libfcgi can read unchanged. */
static bool is_one_request(struct framing *framing, size_t length)
{
    struct framing_step step;
    enum framing_kind what = FRAMING_PART;
    size_t at = 0;

    *framing = (struct framing){0};
    while (what == FRAMING_PART) {
        what = framing_step(framing, scratch + at, length - at, &step);
        if ((what == FRAMING_PART || what == FRAMING_COMPLETE) &&
            has_unskipped_padding(scratch + at)) {
            what = FRAMING_INVALID; /* is buffered, and stored without the padding */
        }
        at += what == FRAMING_PART || what == FRAMING_COMPLETE ? step.length : 0;
    }
    if (what == FRAMING_COMPLETE && at == length) {
        return true;
    }
    *framing = (struct framing){0};
    return false;
}

/* False: the connection is to be closed. A reply is short, so a peer whose socket has no room for
 * it does not read. */
static bool send_reply(const struct fastcgi *connection, const struct framing_step *step)
{
    return step->reply_length == 0 ||
           send(connection->fd, step->reply, step->reply_length, MSG_DONTWAIT | MSG_NOSIGNAL) ==
               (ssize_t)step->reply_length;
}

/* Moves the record at next, which belongs to the request, behind the stored ones. */
static void store_record(struct fastcgi *connection, size_t length)
{
    char *bytes = connection->buffer.bytes;

    if (connection->stored < connection->next) {
        memmove(bytes + connection->stored, bytes + connection->next, length);
    }
    connection->next += length;
    unsigned char *record = (unsigned char *)bytes + connection->stored;
    if (has_unskipped_padding(record)) {
        length -= record[6];
        record[6] = 0;
    }
    connection->stored += length;
}

static void forget_request(struct fastcgi *connection)
{
    connection->framing = (struct framing){0};
    connection->stored = 0;
}

/* Removes the records that were answered or ignored from the buffer. */
static void close_gap(struct fastcgi *connection)
{
    struct buf *buffer = &connection->buffer;
    size_t rest = buffer->length - connection->next;

    if (connection->stored + rest == 0) {
        buf_release(buffer);
    } else if (connection->stored < connection->next) {
        memmove(buffer->bytes + connection->stored, buffer->bytes + connection->next, rest);
        buffer->length = connection->stored + rest;
    }
    connection->next = connection->stored;
}

/* Parses the record at next. */
static enum framing_kind next_step(struct fastcgi *connection, struct framing_step *step)
{
    const struct buf *buffer = &connection->buffer;
    const unsigned char *bytes = (const unsigned char *)buffer->bytes;

    return framing_step(&connection->framing, bytes != NULL ? bytes + connection->next : scratch,
                        buffer->length - connection->next, step);
}

/* Answers or ignores a record that libfcgi must not see. FASTCGI_PARTIAL: parsing goes on. */
static enum fastcgi_state handle_aside(struct fastcgi *connection, const struct framing_step *step)
{
    connection->next += step->length;
    connection->is_buffered = true;
    if (!send_reply(connection, step)) {
        return FASTCGI_GONE;
    }
    return step->closes ? FASTCGI_REFUSED : FASTCGI_PARTIAL;
}

/* Parses what is in the buffer. FASTCGI_PARTIAL: the request is not complete. */
static enum fastcgi_state parse_buffer(struct fastcgi *connection, size_t body_max)
{
    struct framing_step step;
    enum fastcgi_state state = FASTCGI_PARTIAL;

    while (state == FASTCGI_PARTIAL) {
        switch (next_step(connection, &step)) {
        case FRAMING_INCOMPLETE:
            return FASTCGI_PARTIAL;
        case FRAMING_COMPLETE:
            store_record(connection, step.length);
            return FASTCGI_READY;
        case FRAMING_PART:
            store_record(connection, step.length);
            if (connection->framing.stdin_length > body_max) {
                state = FASTCGI_OVERSIZE;
            }
            break;
        case FRAMING_ABORTED:
            forget_request(connection);
            state = handle_aside(connection, &step);
            break;
        case FRAMING_ASIDE:
            state = handle_aside(connection, &step);
            break;
        case FRAMING_NEXT:
        case FRAMING_INVALID:
            return FASTCGI_REFUSED;
        }
    }
    return state;
}

/* Reads from the socket into the buffer. False: nothing was read, and *state is the connection's
 * state. */
static bool read_more(struct fastcgi *connection, enum fastcgi_state *state)
{
    close_gap(connection);
    if (connection->buffer.length >= FASTCGI_REQUEST_MAX) {
        *state = FASTCGI_REFUSED;
        return false;
    }
    ssize_t got = receive(connection->fd, FASTCGI_REQUEST_MAX - connection->buffer.length, 0);
    if (got <= 0) {
        *state = state_of(got);
        if (*state == FASTCGI_IDLE && connection->buffer.length > 0) {
            *state = FASTCGI_PARTIAL;
        }
        return false;
    }
    buf_append(&connection->buffer, (const char *)scratch, (size_t)got);
    return true;
}

/* Reads a request that comes in parts, or with other records. */
static enum fastcgi_state read_and_parse(struct fastcgi *connection, size_t body_max)
{
    enum fastcgi_state state;

    do {
        state = parse_buffer(connection, body_max);
        if (state != FASTCGI_PARTIAL) {
            return state;
        }
    } while (read_more(connection, &state));
    return state;
}

enum fastcgi_state fastcgi_poll(struct fastcgi *connection, size_t body_max, bool *answerable)
{
    enum fastcgi_state state;

    *answerable = false;
    if (!connection->is_buffered && connection->buffer.length == 0) {
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
    state = read_and_parse(connection, body_max);
    *answerable = connection->framing.params_complete;
    return state;
}

enum fastcgi_interrupt fastcgi_poll_abort(struct fastcgi *connection)
{
    struct framing_step step;
    enum fastcgi_state state = FASTCGI_PARTIAL;

    do {
        enum framing_kind what;

        while ((what = next_step(connection, &step)) == FRAMING_ASIDE) {
            if (handle_aside(connection, &step) == FASTCGI_GONE) {
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
            return FASTCGI_UNINTERRUPTED;
        }
    } while (read_more(connection, &state));
    return FASTCGI_UNINTERRUPTED;
}

bool fastcgi_has_more(const struct fastcgi *connection)
{
    return connection->buffer.length > connection->next;
}

void fastcgi_buffered(const struct fastcgi *connection, struct buf *buffered)
{
    const struct buf *buffer = &connection->buffer;

    if (connection->stored > 0) {
        buf_append(buffered, buffer->bytes, connection->stored);
    }
    if (buffer->length > connection->next) {
        buf_append(buffered, buffer->bytes + connection->next, buffer->length - connection->next);
    }
}

/* --- reading --- */

/* Writes the stored records to relay_fd, where libfcgi reads them. */
static bool relay(const struct fastcgi *connection)
{
    if (relay_fd < 0) {
        relay_fd = memfd_create("cruddur request", MFD_CLOEXEC);
    }
    return relay_fd >= 0 && ftruncate(relay_fd, 0) == 0 &&
           pwrite(relay_fd, connection->buffer.bytes, connection->stored, 0) ==
               (ssize_t)connection->stored &&
           lseek(relay_fd, 0, SEEK_SET) == 0;
}

char **fastcgi_begin(struct fastcgi *connection)
{
    FCGX_Request *request = &connection->request;
    bool is_relayed = connection->stored > 0;

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
    /* FCGX_Accept_r has closed the descriptor. */
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

/* Sends everything with one system call, and queues what the socket does not take. */
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

static void queue_output(struct fastcgi *connection, unsigned id, const char *bytes, size_t length)
{
    unsigned char header[FRAMING_HEADER];

    for (size_t at = 0, some; at < length; at += some) {
        some = length - at < FRAMING_CONTENT_MAX ? length - at : FRAMING_CONTENT_MAX;
        framing_output(header, id, some);
        buf_append(&connection->unsent, (const char *)header, sizeof header);
        buf_append(&connection->unsent, bytes + at, some);
    }
}

/* Releases libfcgi's memory of the request. The socket stays open, and the bytes that follow the
 * request stay in the buffer. */
static void end_request(struct fastcgi *connection)
{
    FCGX_Free(&connection->request, 0);
    connection->is_last = !connection->framing.keeps_connection;
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
        queue_output(connection, id, head, head_length);
        queue_output(connection, id, body, body_length);
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

enum fastcgi_sent fastcgi_begin_stream(struct fastcgi *connection, const char *head,
                                       size_t head_length, const char *part, size_t part_length)
{
    unsigned char header[FRAMING_HEADER];

    /* The framing is kept, because its id identifies an ABORT_REQUEST for this request. */
    FCGX_Free(&connection->request, 0);
    connection->stored = 0;
    close_gap(connection);
    framing_output(header, connection->framing.id, head_length + part_length);
    struct iovec parts[] = {{header, sizeof header},
                            {(void *)(uintptr_t)head, head_length},
                            {(void *)(uintptr_t)part, part_length}};
    return send_at_once(connection, parts, sizeof parts / sizeof parts[0]);
}

enum fastcgi_sent fastcgi_send_part(struct fastcgi *connection, const char *part, size_t length)
{
    unsigned char header[FRAMING_HEADER];

    framing_output(header, connection->framing.id, length);
    struct iovec parts[] = {{header, sizeof header}, {(void *)(uintptr_t)part, length}};
    return send_at_once(connection, parts, sizeof parts / sizeof parts[0]);
}

bool fastcgi_is_reusable(const struct fastcgi *connection)
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
    buf_release(&connection->buffer);
    buf_release(&connection->unsent);
    memory_free(connection);
}
