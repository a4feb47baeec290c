/* PostgreSQL's side of the protocol: a server in this process that answers libpq and
 * db/connection.h with the messages of the input. Each statement is done once, whatever the server
 * sends, and a result lies within its bounds.
 *
 * The input is a list of messages: a byte of flags, the type, the length of the text in two bytes,
 * and the text. The first byte of the input also has settings. The target controls the clock: it
 * moves it on instead of waiting.
 *
 * libpq needs most of the time to begin connections. So the first byte also limits how many of them
 * the server accepts; the input ends with the last one. */
#include "db/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/users.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "confirmation/confirmation.h"
#include "db/catalog.h"
#include "db/conninfo.h"
#include "db/statement.h"
#include "fuzz.h"

/* Of a message. */
enum flag {
    FLAG_WAIT = 1,   /* the client reads before the next message is sent */
    FLAG_LENGTH = 2, /* the text's first four bytes are sent as the length */
    FLAG_RAW = 4,    /* the text alone is sent, without type and length */
    FLAG_END = 8,    /* the connection ends here */
    FLAG_SUBMIT = 16 /* one more statement comes first */
};

/* Of the input's first byte. */
enum { CONNECTIONS_SHIFT = 5, CONNECTIONS_MASK = 3, UNPREPARED = 128 };

enum {
    HEADER = 4,
    STATEMENTS_MAX = 6,
    DEADLINE_MS = 3000,
    PAUSE_US = 60000, /* longer than the client waits between attempts to connect */
    PATIENCE_US = DEADLINE_MS * 1000,
    ROUNDS_MAX = 4,
    STEPS_MAX = 100,
    ALLOCATION_MAX = 65536
};

struct message {
    unsigned flags;
    uint8_t type;
    const uint8_t *text;
    size_t length;
};

static int listener = -1, peer = -1;
static int connections_left; /* that the server may still accept */
static char url[128];
static struct catalog *catalog;
static int64_t ahead_us;                 /* added to the clock */
static size_t allocation_max = SIZE_MAX; /* ALLOCATION_MAX while an input is played */

/* The linker redirects calls of clock_us to __wrap_clock_us, and so on (--wrap). */
int64_t __real_clock_us(void);
int64_t __wrap_clock_us(void);

int64_t __wrap_clock_us(void)
{
    return __real_clock_us() + ahead_us;
}

bool __real_conninfo_parse(const char *text, const char *application_name,
                           struct conninfo *conninfo, struct error *error);
bool __wrap_conninfo_parse(const char *text, const char *application_name,
                           struct conninfo *conninfo, struct error *error);
void __real_conninfo_complete(struct conninfo *conninfo);
void __wrap_conninfo_complete(struct conninfo *conninfo);

/* The URL of this target is parsed and completed once, because that takes as long as a
 * connection. */
bool __wrap_conninfo_parse(const char *text, const char *application_name,
                           struct conninfo *conninfo, struct error *error)
{
    static struct conninfo parsed;

    if (strcmp(text, url) != 0) { /* of another target, in the unit test */
        return __real_conninfo_parse(text, application_name, conninfo, error);
    }
    if (parsed.keywords[0] == NULL) {
        MUST(__real_conninfo_parse(text, application_name, &parsed, error));
        __real_conninfo_complete(&parsed);
    }
    *conninfo = (struct conninfo){0};
    for (size_t i = 0; parsed.keywords[i] != NULL; i++) {
        conninfo_set(conninfo, parsed.keywords[i], parsed.values[i]);
    }
    return true;
}

void __wrap_conninfo_complete(struct conninfo *conninfo)
{
    (void)conninfo;
}

/* The socket is an abstract one, so that a process leaves no file behind however it ends. */
static void set_up(void)
{
    const struct statement_def *const statements[] = {&USERS_SHORT, &CONFIRMATION_STATEMENT, NULL};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *name = address.sun_path + 1; /* behind the zero that makes it abstract */

    log_setup(LOG_ERROR, LOG_FORMAT_JSON);
    catalog = catalog_load(FUZZ_SQL_DIR, statements);
    MUST(catalog != NULL);
    int length =
        snprintf(name, sizeof address.sun_path - 1, "cruddur-fuzz-%d/.s.PGSQL.5432", (int)getpid());
    snprintf(url, sizeof url,
             "postgresql://u:p@/d?host=%%40cruddur-fuzz-%d&sslmode=disable&gssencmode=disable",
             (int)getpid());
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    MUST(bind(listener, (struct sockaddr *)&address,
              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0);
    MUST(listen(listener, 8) == 0);
}

/* --- the server --- */

static void hang_up(void)
{
    if (peer >= 0) {
        close(peer);
        peer = -1;
    }
}

/* Accepts a new connection, if the one before has ended. False: there is none. To poll first is
 * faster, since accept makes a socket before it looks for a connection. */
static bool take_connection(void)
{
    struct pollfd waiting = {.fd = listener, .events = POLLIN};

    if (peer >= 0 || poll(&waiting, 1, 0) <= 0) {
        return false;
    }
    peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    connections_left -= peer >= 0;
    return peer >= 0;
}

/* Reads and ignores what the client has sent. False: nothing. */
static bool read_all(void)
{
    static char said[65536];

    if (peer < 0) {
        return false;
    }
    ssize_t length = recv(peer, said, sizeof said, MSG_DONTWAIT);
    if (length == 0 || (length < 0 && errno != EAGAIN)) {
        hang_up();
    }
    return length > 0;
}

/* The bytes that are sent next, in one call. */
static struct buf outgoing;

static void send_all(void)
{
    if (peer >= 0 && outgoing.length > 0 &&
        send(peer, outgoing.bytes, outgoing.length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
        errno != EAGAIN) {
        hang_up();
    }
    buf_clear(&outgoing);
}

static void add_message(const struct message *message)
{
    size_t length = message->length + 4;
    const uint8_t head[] = {message->type, 0, 0, (uint8_t)(length >> 8), (uint8_t)length};

    if ((message->flags & FLAG_RAW) == 0) {
        buf_append(&outgoing, (const char *)head,
                   (message->flags & FLAG_LENGTH) != 0 ? 1 : sizeof head);
    }
    buf_append(&outgoing, (const char *)message->text, message->length);
    if ((message->flags & FLAG_END) != 0) {
        send_all();
        hang_up();
    }
}

static bool next_message(const uint8_t **data, size_t *size, struct message *message)
{
    if (*size < HEADER) {
        return false;
    }
    const uint8_t *at = *data;
    size_t claimed = (size_t)at[2] | (size_t)at[3] << 8, rest = *size - HEADER;

    *message = (struct message){
        .flags = at[0],
        .type = at[1],
        .text = at + HEADER,
        .length = claimed < rest ? claimed : rest,
    };
    *data += HEADER + message->length;
    *size = rest - message->length;
    return true;
}

/* --- the client --- */

struct client {
    struct connection *connection;
    struct statement statements[STATEMENTS_MAX];
    int done[STATEMENTS_MAX];
    int submitted;
};

static void touch(const char *text)
{
    MUST(text == NULL || strlen(text) < SIZE_MAX);
}

static void take_result(void *context, const struct result *result)
{
    int *done = context;

    *done += 1;
    MUST(*done == 1);
    MUST(strlen(result->sqlstate) <= 5);
    touch(result->outcome);
    touch(result->next_key);
    touch(result->seen);
    MUST(result->body == NULL || result->body[result->body_length] == '\0');
}

static void submit(struct client *client)
{
    if (client->submitted == STATEMENTS_MAX) {
        return;
    }
    struct statement *statement = &client->statements[client->submitted];

    if (client->submitted % 2 == 0) {
        *statement = statement_of(&USERS_SHORT);
        statement_bind(statement, "handle", "ada");
    } else {
        *statement =
            confirmation_statement("0d6a1f8e-52c1-4b8e-9f27-3a1c5d0b8e64", "{}", NULL, NULL);
    }
    connection_submit(client->connection, statement, take_result, &client->done[client->submitted]);
    client->submitted++;
}

static bool is_done(const struct client *client)
{
    for (int i = 0; i < client->submitted; i++) {
        if (client->done[i] == 0) {
            return false;
        }
    }
    return true;
}

/* Lets the client proceed, and its server read. If there is no connection, the clock moves on so
 * that the client makes one. False: the connection has ended, and it was the input's last. */
static bool proceed(struct client *client)
{
    bool goes_on = true;

    for (int i = 0; i < ROUNDS_MAX && goes_on; i++) {
        connection_proceed(client->connection, true);
        goes_on = read_all();
        goes_on = take_connection() || goes_on;
        if (peer < 0 && connections_left <= 0) {
            return false;
        }
    }
    if (peer < 0) {
        ahead_us += PAUSE_US;
        connection_proceed(client->connection, false);
        take_connection();
    }
    return true;
}

static void play(struct client *client, const uint8_t *data, size_t size)
{
    struct message message;

    while (next_message(&data, &size, &message)) {
        if ((message.flags & FLAG_SUBMIT) != 0) {
            submit(client);
        }
        add_message(&message);
        if ((message.flags & FLAG_WAIT) != 0) {
            send_all();
            if (!proceed(client)) {
                return;
            }
        }
    }
    send_all();
    proceed(client);
}

/* Plays a silent server that closes each connection, until all statements are done. */
static void end(struct client *client)
{
    for (int i = 0; i < STEPS_MAX && !is_done(client); i++) {
        ahead_us += PATIENCE_US;
        connection_proceed(client->connection, false);
        take_connection();
        hang_up();
        connection_proceed(client->connection, true);
    }
    MUST(is_done(client));
}

FUZZ_TARGET(postgresql)
{
    struct client client = {.submitted = 0};
    unsigned first = size > 0 ? data[0] : 0;

    connections_left = 1 + (int)(first >> CONNECTIONS_SHIFT & CONNECTIONS_MASK);
    if (catalog == NULL) {
        set_up();
    }
    const struct connection_settings settings = {
        .session = {.url = url,
                    .application_name = "fuzz",
                    .statement_timeout_ms = 1000,
                    .prepares = (first & UNPREPARED) == 0,
                    .lanes = LANE_SET(LANE_READ) | LANE_SET(LANE_HOOK),
                    .counts = &(struct session_counts){.open = 0}},
        .deadline_ms = DEADLINE_MS,
        .units_max = CONNECTION_UNITS_MAX,
    };
    client.connection = connection_new(&settings, catalog, -1, NULL);
    submit(&client);
    submit(&client);
    allocation_max = ALLOCATION_MAX;
    proceed(&client);
    play(&client, data, size);
    end(&client);
    allocation_max = SIZE_MAX;
    connection_free(client.connection);
    take_connection();
    hang_up();
    return 0;
}

/* libpq compares its keywords with each other thousands of times for a connection. ASan's strcmp,
 * which also tells libFuzzer what was compared, takes five times as long as this one, whose reads
 * are checked, too. */
#ifdef FUZZ_SANITIZED
int strcmp(const char *one, const char *other)
{
    while (*one == *other && *one != '\0') {
        one++;
        other++;
    }
    return (unsigned char)*one - (unsigned char)*other;
}

/* The server may claim that a message has a gigabyte, or a row 65535 columns. libpq allocates as
 * much at once, and ASan takes longer for that than for all else. */
void *__interceptor_malloc(size_t size);
void *__interceptor_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    return size <= allocation_max ? __interceptor_malloc(size) : NULL;
}

void *realloc(void *memory, size_t size)
{
    return size <= allocation_max ? __interceptor_realloc(memory, size) : NULL;
}
#endif

/* libpq itself leaks rows that no CommandComplete followed. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpq.so";
}

/* --- changes to an input, message by message --- */

#ifndef FUZZ_CORPUS

enum { MESSAGES_MAX = 128, TEXT_MAX = 1024 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static const uint8_t TYPES[] = "123ACDEGHKNRSTVWZcdnstvX";

static size_t read_messages(const uint8_t *data, size_t size, struct message *messages)
{
    size_t count = 0;

    while (count < MESSAGES_MAX && next_message(&data, &size, &messages[count])) {
        count++;
    }
    return count;
}

static size_t write_messages(const struct message *messages, size_t count, uint8_t *data,
                             size_t max_size)
{
    size_t used = 0;

    for (size_t i = 0; i < count && used + HEADER + messages[i].length <= max_size; i++) {
        const uint8_t head[HEADER] = {(uint8_t)messages[i].flags, messages[i].type,
                                      (uint8_t)messages[i].length,
                                      (uint8_t)(messages[i].length >> 8)};

        memcpy(data + used, head, HEADER);
        memcpy(data + used + HEADER, messages[i].text, messages[i].length);
        used += HEADER + messages[i].length;
    }
    return used;
}

static void change_text(struct message *message)
{
    static uint8_t text[TEXT_MAX];
    size_t length = message->length < TEXT_MAX ? message->length : TEXT_MAX;

    memcpy(text, message->text, length);
    message->length = LLVMFuzzerMutate(text, length, TEXT_MAX);
    message->text = text;
}

/* Puts a copy of a message before another one. */
static size_t insert_copy(struct message *messages, size_t count, size_t from, size_t to)
{
    struct message copy = messages[from];

    if (count == MESSAGES_MAX) {
        return count;
    }
    memmove(messages + to + 1, messages + to, (count - to) * sizeof messages[0]);
    messages[to] = copy;
    return count + 1;
}

static size_t change(struct message *messages, size_t count, unsigned seed)
{
    size_t one = seed / 16 % count, other = seed / 4096 % count;
    struct message kept = messages[one];

    switch (seed % 16) {
    case 0:
        memmove(messages + one, messages + one + 1, (count - one - 1) * sizeof messages[0]);
        return count - 1;
    case 1:
    case 2:
        return insert_copy(messages, count, one, other);
    case 3:
        messages[one] = messages[other];
        messages[other] = kept;
        return count;
    case 4:
    case 5:
        messages[one].flags ^= 1U << (seed / 65536 % 8);
        return count;
    case 6:
    case 7:
        messages[one].type = TYPES[seed / 65536 % (sizeof TYPES - 1)];
        return count;
    default:
        change_text(&messages[one]);
        return count;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    struct message messages[MESSAGES_MAX];
    size_t count = read_messages(data, size, messages);

    if (count == 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    uint8_t *before = malloc(size);
    MUST(before != NULL);
    memcpy(before, data, size); /* write_messages reads the texts from this copy */
    count = read_messages(before, size, messages);
    count = change(messages, count, seed);
    size_t length = write_messages(messages, count, data, max_size);
    free(before);
    return length;
}

#endif
