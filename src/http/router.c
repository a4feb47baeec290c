#include "http/router.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/ids.h"
#include "base/memory.h"

struct route {
    enum method method;
    const char *pattern;
    const void *target;
};

struct router {
    struct route *routes;
    size_t count;
};

struct router *router_new(void)
{
    return memory_zeroed(sizeof(struct router));
}

void router_free(struct router *router)
{
    if (router != NULL) {
        memory_free(router->routes);
        memory_free(router);
    }
}

void router_add(struct router *router, enum method method, const char *pattern, const void *target)
{
    router->routes = memory_resize(router->routes, (router->count + 1) * sizeof *router->routes);
    router->routes[router->count++] = (struct route){method, pattern, target};
}

enum fit { FIT_NONE, FIT_LITERAL, FIT_CAPTURE };

/* Whether a segment of a pattern is "{uuid}" or another name that ends so, as "{group_uuid}". */
static bool is_uuid_capture(const char *pattern, size_t length)
{
    return length >= 6 && pattern[0] == '{' && memcmp(pattern + length - 5, "uuid}", 5) == 0;
}

static enum fit fit_segment(const char *pattern, size_t length, const char *segment,
                            const char **captured)
{
    if (is_uuid_capture(pattern, length)) {
        *captured = segment;
        return uuid_is_valid(segment) ? FIT_CAPTURE : FIT_NONE;
    }
    if (length == 9 && memcmp(pattern, "@{handle}", 9) == 0) {
        *captured = segment + 1;
        return segment[0] == '@' && segment[1] != '\0' ? FIT_CAPTURE : FIT_NONE;
    }
    return strlen(segment) == length && memcmp(pattern, segment, length) == 0 ? FIT_LITERAL
                                                                              : FIT_NONE;
}

/* How many segments of path the pattern matches literally, or -1 when it doesn't match. */
static int fit_path(const char *pattern, const struct path *path, const char **captures)
{
    int literal = 0;
    size_t captured = 0;

    for (size_t i = 0; i < path->count; i++) {
        const char *found = NULL;

        if (*pattern != '/') {
            return -1;
        }
        size_t length = strcspn(++pattern, "/");
        switch (fit_segment(pattern, length, path->segment[i], &found)) {
        case FIT_NONE:
            return -1;
        case FIT_LITERAL:
            literal++;
            break;
        case FIT_CAPTURE:
            captures[captured++] = found;
            break;
        }
        pattern += length;
    }
    return *pattern == '\0' ? literal : -1;
}

/* The pattern that fits the path best, its captures set in request; NULL when none fits. */
static const char *best_pattern(const struct router *router, struct request *request)
{
    const char *best = NULL;
    int best_literal = -1;

    if (request->path.count > PATH_SEGMENTS_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < router->count; i++) {
        const char *captures[CAPTURES_MAX] = {NULL};
        int literal = fit_path(router->routes[i].pattern, &request->path, captures);

        if (literal > best_literal) {
            best = router->routes[i].pattern;
            best_literal = literal;
            memcpy(request->capture, captures, sizeof captures);
        }
    }
    return best;
}

enum status router_find(const struct router *router, struct request *request, struct match *match)
{
    enum method wanted = request->method == METHOD_HEAD ? METHOD_GET : request->method;

    *match = (struct match){.pattern = best_pattern(router, request)};
    if (request->method == METHOD_COUNT) {
        return STATUS_NOT_IMPLEMENTED;
    }
    if (match->pattern == NULL) {
        return STATUS_NOT_FOUND;
    }
    match->allowed = 1U << METHOD_OPTIONS;
    for (size_t i = 0; i < router->count; i++) {
        const struct route *route = &router->routes[i];

        if (strcmp(route->pattern, match->pattern) != 0) {
            continue;
        }
        match->allowed |= 1U << route->method;
        if (route->method == METHOD_GET) {
            match->allowed |= 1U << METHOD_HEAD;
        }
        if (route->method == wanted) {
            match->target = route->target;
        }
    }
    return match->target != NULL ? STATUS_OK : STATUS_METHOD_NOT_ALLOWED;
}

const char *router_path(const struct request *request, const char *pattern)
{
    struct arena *arena = request->arena;
    const char *path = "";
    size_t captured = 0;

    while (*pattern != '\0') {
        size_t length = strcspn(pattern, "{");

        path = arena_printf(arena, "%s%.*s", path, (int)length, pattern);
        pattern += length;
        if (*pattern == '{') {
            path = arena_printf(arena, "%s%s", path,
                                percent_encode(arena, request->capture[captured++]));
            pattern += strcspn(pattern, "}") + 1;
        }
    }
    return path;
}

const char *router_allow(struct arena *arena, unsigned allowed)
{
    const char *list = "";

    for (enum method method = METHOD_GET; method < METHOD_COUNT; method++) {
        if (allowed & 1U << method) {
            list =
                arena_printf(arena, "%s%s%s", list, *list != '\0' ? ", " : "", method_name(method));
        }
    }
    return list;
}
