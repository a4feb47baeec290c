#include "stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool read_lines(struct stream *stream, const char *name)
{
    FILE *file = fopen(name, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;

    if (file == NULL) {
        perror(name);
        return false;
    }
    while ((length = getline(&line, &room, file)) > 0) {
        char **more = realloc(stream->lines, (stream->line_count + 1) * sizeof *more);
        if (more == NULL) {
            break;
        }
        line[strcspn(line, "\n")] = '\0';
        stream->lines = more;
        stream->lines[stream->line_count] = strdup(line);
        stream->line_count += stream->lines[stream->line_count] != NULL;
    }
    free(line);
    fclose(file);
    if (stream->line_count == 0) {
        fprintf(stderr, "%s: nothing in it\n", name);
    }
    return stream->line_count > 0;
}

/* Line by line, so that a reader has every answer at once. */
static bool open_trace(struct stream *stream, const char *name)
{
    stream->trace = fopen(name, "we");
    if (stream->trace == NULL || setvbuf(stream->trace, NULL, _IOLBF, 0) != 0) {
        perror(name);
        return false;
    }
    return true;
}

bool stream_parse(struct stream *stream, char *specification, uint64_t seed)
{
    static const char *const KINDS[] = {"get", "post", "fresh"};
    char *fields[5] = {NULL};
    char *rest = specification;

    *stream = (struct stream){.random = seed};
    for (size_t i = 0; i < 5; i++) {
        fields[i] = strsep(&rest, ",");
        if (fields[i] == NULL) {
            fprintf(stderr, "a stream is NAME,RATE,CONNECTIONS,get|post|fresh,FILE[,TRACE]\n");
            return false;
        }
    }
    if (rest != NULL && !open_trace(stream, rest)) {
        return false;
    }
    stream->name = fields[0];
    stream->rate = strtod(fields[1], NULL);
    stream->connections = (int)strtol(fields[2], NULL, 10);
    for (int kind = STREAM_GET; kind <= STREAM_FRESH; kind++) {
        if (strcmp(fields[3], KINDS[kind]) == 0) {
            stream->kind = (enum stream_kind)kind;
            return stream->connections > 0 && stream->rate >= 0 && read_lines(stream, fields[4]);
        }
    }
    fprintf(stderr, "no kind of stream: %s\n", fields[3]);
    return false;
}

void stream_release(struct stream *stream)
{
    for (size_t i = 0; i < stream->line_count; i++) {
        free(stream->lines[i]);
    }
    free(stream->lines);
    free(stream->waits_us);
    if (stream->trace != NULL) {
        fclose(stream->trace);
    }
}

const char *stream_line(struct stream *stream)
{
    return stream->lines[stream->next_line++ % stream->line_count];
}

/* xorshift64*: in (0, 1]. */
static double next_random(struct stream *stream)
{
    uint64_t x = stream->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    stream->random = x;
    return ((double)((x * UINT64_C(2685821657736338717)) >> 11) + 1) / 9007199254740992.0;
}

void stream_schedule(struct stream *stream)
{
    stream->due_ns += (int64_t)(-log(next_random(stream)) / stream->rate * 1e9);
}

static void trace(struct stream *stream, int64_t due_ns, int64_t wait_ns, int status)
{
    if (stream->trace != NULL) {
        fprintf(stream->trace, "%lld %lld %d\n", (long long)(due_ns / 1000),
                (long long)(wait_ns / 1000), status);
    }
}

void stream_record_broken(struct stream *stream, int64_t due_ns, int64_t wait_ns)
{
    stream->broken++;
    trace(stream, due_ns, wait_ns, 0);
}

void stream_record(struct stream *stream, int64_t due_ns, int64_t wait_ns, int status)
{
    trace(stream, due_ns, wait_ns, status);
    if (stream->answer_count == stream->waits_room) {
        size_t room = stream->waits_room * 2 + 4096;
        uint32_t *more = realloc(stream->waits_us, room * sizeof *more);
        if (more == NULL) {
            perror("pace");
            exit(EXIT_FAILURE);
        }
        stream->waits_us = more;
        stream->waits_room = room;
    }
    stream->waits_us[stream->answer_count++] = (uint32_t)(wait_ns / 1000);
}

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

static unsigned percentile(const struct stream *stream, double share)
{
    if (stream->answer_count == 0) {
        return 0;
    }
    return stream->waits_us[(size_t)((double)(stream->answer_count - 1) * share)];
}

void stream_report(struct stream *stream, FILE *out, double seconds, long least, long most,
                   int starved, long unanswered)
{
    qsort(stream->waits_us, stream->answer_count, sizeof *stream->waits_us, compare);
    fprintf(
        out,
        "{\"name\":\"%s\",\"asked\":%ld,\"answers\":%zu,\"per_second\":%.1f,\"bad_status\":%ld,"
        "\"broken\":%ld,\"unanswered\":%ld,\"looks\":%ld,\"stale\":%ld,\"p50_us\":%u,\"p99_us\":%u,"
        "\"worst_us\":%u,\"connections\":%d,\"starved\":%d,\"least\":%ld,\"most\":%ld}",
        stream->name, stream->asked, stream->answer_count, (double)stream->answer_count / seconds,
        stream->bad_status, stream->broken, unanswered, stream->looks, stream->stale,
        percentile(stream, 0.5), percentile(stream, 0.99), percentile(stream, 1.0),
        stream->connections, starved, least, most);
}
