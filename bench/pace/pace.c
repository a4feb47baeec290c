/* An HTTP client for the questions that wrk leaves open: requests at a fixed rate, whose waits count
 * from when each was due and not from when a connection got round to it; answers of each single
 * connection; and whether a create that was acknowledged is in the very next home.
 *     pace PORT SECONDS HOME STREAM...
 * HOME is the path where fresh streams look. Prints one JSON array, a stream an object. INT ends it
 * early: nothing more is asked, and what is under way is still waited for. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "stream.h"

enum {
    STREAMS_MAX = 8,
    READERS = 4, /* that look at home after each create of a fresh stream */
    EVENTS_MAX = 64,
    GRACE_SECONDS = 5, /* for answers that are still out when the time is over */
    UUID_LENGTH = 36
};

struct member {
    struct client client;
    struct stream *stream;
    struct member *writer;  /* of a reader; NULL: it isn't one */
    struct member *readers; /* of a fresh stream's writer: READERS of them */
    int64_t due_ns;         /* of the request under way */
    bool is_busy;           /* a writer is until its readers are done */
    int readers_out;
    long answers;
    char wanted[UUID_LENGTH + 1]; /* in the home that a reader asked for */
};

static struct {
    uint16_t port;
    const char *home;
    int epoll_fd, timer_fd;
    struct stream streams[STREAMS_MAX];
    int stream_count;
    struct member *members[STREAMS_MAX];
    int64_t end_ns;
} pace;

static volatile sig_atomic_t is_told_to_end;

static void on_interrupt(int number)
{
    (void)number;
    is_told_to_end = 1;
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void finish(struct member *member)
{
    member->is_busy = false;
    if (member->writer != NULL && --member->writer->readers_out == 0) {
        member->writer->is_busy = false;
    }
}

static void ask(struct member *member, const char *path, const char *body, int64_t due_ns)
{
    member->is_busy = true;
    member->due_ns = due_ns;
    if (!client_ask(&member->client, pace.port, pace.epoll_fd, member, path, body)) {
        stream_record_broken(member->stream, due_ns, now_ns() - due_ns);
        finish(member);
    }
}

static void ask_next(struct member *member, int64_t due_ns)
{
    const char *line = stream_line(member->stream);

    member->stream->asked++;
    if (member->stream->kind == STREAM_GET) {
        ask(member, line, NULL, due_ns);
    } else {
        ask(member, "/api/activities", line, due_ns);
    }
}

/* The create was acknowledged: every home asked for from now on has it. */
static void look_at_home(struct member *writer)
{
    static const char KEY[] = "\"uuid\":\"";
    size_t length;
    const char *body = client_body(&writer->client, &length);
    const char *uuid = memmem(body, length, KEY, strlen(KEY));

    if (uuid == NULL) {
        writer->stream->bad_status++;
        return;
    }
    writer->is_busy = true;
    writer->readers_out = READERS;
    for (int i = 0; i < READERS; i++) {
        struct member *reader = &writer->readers[i];

        snprintf(reader->wanted, sizeof reader->wanted, "%s", uuid + strlen(KEY));
        ask(reader, pace.home, NULL, now_ns());
    }
}

static void whole_answer(struct member *member)
{
    struct stream *stream = member->stream;
    bool is_good = client_status(&member->client) == 200;
    size_t length;
    const char *body = client_body(&member->client, &length);

    stream->bad_status += !is_good;
    if (member->writer != NULL) {
        stream->looks++;
        stream->stale += is_good && memmem(body, length, member->wanted, UUID_LENGTH) == NULL;
        finish(member);
        return;
    }
    stream_record(stream, member->due_ns, now_ns() - member->due_ns,
                  client_status(&member->client));
    member->answers++;
    finish(member);
    if (is_good && stream->kind == STREAM_FRESH) {
        look_at_home(member);
    }
}

static void readable(struct member *member)
{
    switch (client_take(&member->client)) {
    case ARRIVAL_PARTIAL:
        return;
    case ARRIVAL_WHOLE:
        whole_answer(member);
        break;
    case ARRIVAL_BROKEN:
        if (member->is_busy) { /* else the server closed an idle connection, as it may */
            stream_record_broken(member->stream, member->due_ns, now_ns() - member->due_ns);
            finish(member);
        }
        break;
    }
    int64_t now = now_ns();
    if (member->writer == NULL && member->stream->rate == 0 && !member->is_busy &&
        now < pace.end_ns) {
        ask_next(member, now);
    }
}

static struct member *idle_member(const struct stream *stream, struct member *members)
{
    for (int i = 0; i < stream->connections; i++) {
        if (!members[i].is_busy) {
            return &members[i];
        }
    }
    return NULL;
}

/* Sends what is due where a connection is free; what finds none stays due, and its wait grows. The
 * time of the next request of all streams, or 0 when each waits for a connection. */
static int64_t send_due(void)
{
    int64_t next = 0;

    for (int i = 0; i < pace.stream_count; i++) {
        struct stream *stream = &pace.streams[i];
        struct member *idle;

        if (stream->rate == 0) {
            continue;
        }
        while (stream->due_ns < pace.end_ns && stream->due_ns <= now_ns() &&
               (idle = idle_member(stream, pace.members[i])) != NULL) {
            ask_next(idle, stream->due_ns);
            stream_schedule(stream);
        }
        if (stream->due_ns < pace.end_ns && idle_member(stream, pace.members[i]) != NULL &&
            (next == 0 || stream->due_ns < next)) {
            next = stream->due_ns;
        }
    }
    return next;
}

static void wake_at(int64_t ns)
{
    struct itimerspec when = {.it_value = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}};

    timerfd_settime(pace.timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static bool anything_out(void)
{
    for (int i = 0; i < pace.stream_count; i++) {
        for (int j = 0; j < pace.streams[i].connections; j++) {
            if (pace.members[i][j].is_busy) {
                return true;
            }
        }
        if (pace.streams[i].rate > 0 && pace.streams[i].due_ns < pace.end_ns) {
            return true;
        }
    }
    return false;
}

static void loop(void)
{
    static const int64_t GRACE_NS = (int64_t)GRACE_SECONDS * 1000000000;
    struct epoll_event events[EVENTS_MAX];

    while (now_ns() < pace.end_ns + GRACE_NS && (now_ns() < pace.end_ns || anything_out())) {
        if (is_told_to_end && now_ns() < pace.end_ns) {
            pace.end_ns = now_ns();
        }
        int64_t next = send_due();

        wake_at(next != 0 ? next : pace.end_ns + GRACE_NS);
        int count = epoll_wait(pace.epoll_fd, events, EVENTS_MAX, 100);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr != NULL) {
                readable(events[i].data.ptr);
            }
        }
    }
}

static struct member *make_members(struct stream *stream)
{
    struct member *members = calloc((size_t)stream->connections, sizeof *members);

    for (int i = 0; members != NULL && i < stream->connections; i++) {
        members[i].stream = stream;
        client_init(&members[i].client);
        if (stream->kind != STREAM_FRESH) {
            continue;
        }
        members[i].readers = calloc(READERS, sizeof *members);
        if (members[i].readers == NULL) {
            return NULL;
        }
        for (int j = 0; j < READERS; j++) {
            members[i].readers[j].stream = stream;
            members[i].readers[j].writer = &members[i];
            client_init(&members[i].readers[j].client);
        }
    }
    return members;
}

static void free_members(struct member *members, int count)
{
    for (int i = 0; i < count; i++) {
        for (int j = 0; members[i].readers != NULL && j < READERS; j++) {
            client_release(&members[i].readers[j].client);
        }
        free(members[i].readers);
        client_release(&members[i].client);
    }
    free(members);
}

/* Closed loops begin at once, all connections together. */
static void begin(int64_t start)
{
    for (int i = 0; i < pace.stream_count; i++) {
        struct stream *stream = &pace.streams[i];

        stream->due_ns = start;
        if (stream->rate > 0) {
            stream_schedule(stream);
            continue;
        }
        for (int j = 0; j < stream->connections; j++) {
            ask_next(&pace.members[i][j], now_ns());
        }
    }
}

static void report(double seconds)
{
    for (int i = 0; i < pace.stream_count; i++) {
        const struct member *members = pace.members[i];
        long least = members[0].answers, most = 0, unanswered = 0;
        int starved = 0;

        for (int j = 0; j < pace.streams[i].connections; j++) {
            least = members[j].answers < least ? members[j].answers : least;
            most = members[j].answers > most ? members[j].answers : most;
            starved += members[j].answers == 0;
            unanswered += members[j].is_busy;
        }
        while (pace.streams[i].rate > 0 && pace.streams[i].due_ns < pace.end_ns) {
            unanswered++; /* due, and no connection was ever free for it */
            stream_schedule(&pace.streams[i]);
        }
        fputs(i == 0 ? "[" : ",\n", stdout);
        stream_report(&pace.streams[i], stdout, seconds, least, most, starved, unanswered);
    }
    puts("]");
}

static bool set_up(int argc, char **argv)
{
    struct sigaction interrupt = {.sa_handler = on_interrupt};
    struct epoll_event timer = {.events = EPOLLIN, .data.ptr = NULL};

    pace.port = (uint16_t)strtoul(argv[1], NULL, 10);
    pace.home = argv[3];
    pace.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    pace.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (epoll_ctl(pace.epoll_fd, EPOLL_CTL_ADD, pace.timer_fd, &timer) != 0 ||
        sigaction(SIGINT, &interrupt, NULL) != 0) {
        perror("pace");
        return false;
    }
    for (int i = 4; i < argc; i++) {
        int at = pace.stream_count++;

        if (!stream_parse(&pace.streams[at], argv[i], (uint64_t)at * 7919 + 104729)) {
            return false;
        }
        pace.members[at] = make_members(&pace.streams[at]);
        if (pace.members[at] == NULL) {
            perror("pace");
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 4 + STREAMS_MAX) {
        fprintf(stderr, "Usage: pace PORT SECONDS HOME STREAM...\n");
        return 2;
    }
    double seconds = strtod(argv[2], NULL);
    if (!set_up(argc, argv)) {
        return EXIT_FAILURE;
    }
    int64_t start = now_ns();
    pace.end_ns = start + (int64_t)(seconds * 1e9);
    begin(start);
    loop();
    report((double)(pace.end_ns - start) / 1e9);
    for (int i = 0; i < pace.stream_count; i++) {
        free_members(pace.members[i], pace.streams[i].connections);
        stream_release(&pace.streams[i]);
    }
    close(pace.timer_fd);
    close(pace.epoll_fd);
    return EXIT_SUCCESS;
}
