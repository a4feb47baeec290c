/* A stream of requests of one kind: what is asked, when each is due, and how long each took. */
#ifndef CRUDDUR_BENCH_STREAM_H
#define CRUDDUR_BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum stream_kind {
    STREAM_GET,
    STREAM_POST,
    STREAM_FRESH /* a POST, and after its answer home, by several readers at once, must have it */
};

struct stream {
    const char *name;
    enum stream_kind kind;
    double rate;     /* requests per second; 0: a connection asks again once it has its answer */
    int connections; /* readers of a fresh stream not counted */
    char **lines;    /* paths or bodies, taken in turn */
    size_t line_count, next_line;
    uint64_t random;
    int64_t due_ns;      /* of the next request; only with a rate */
    uint32_t *waits_us;  /* of every answer */
    size_t answer_count; /* of waits_us */
    size_t waits_room;
    long asked, bad_status, broken;
    long looks, stale; /* answers of home to readers of a fresh stream, and those too old */
    FILE *trace;       /* a line for each answer; NULL: not wanted */
};

/* "NAME,RATE,CONNECTIONS,get|post|fresh,FILE[,TRACE]"; the file has a path or a body on each line. TRACE
 * is written, a line for each answer: when the request was due and how long it took, in us of the
 * monotonic clock, and the status, 0 for a broken connection. The specification is cut up in place.
 * False: it is wrong, and stderr says why. */
bool stream_parse(struct stream *stream, char *specification, uint64_t seed);
void stream_release(struct stream *stream);

const char *stream_line(struct stream *stream);

/* Moves due_ns on by a random gap; the gaps have an exponential distribution, as independent clients
 * make them, and are the same in each run. */
void stream_schedule(struct stream *stream);

void stream_record(struct stream *stream, int64_t due_ns, int64_t wait_ns, int status);

/* A request that ended without an answer. */
void stream_record_broken(struct stream *stream, int64_t due_ns, int64_t wait_ns);

/* As a JSON object; least and most: answers of a connection, starved: connections without any. */
void stream_report(struct stream *stream, FILE *out, double seconds, long least, long most,
                   int starved, long unanswered);

#endif
