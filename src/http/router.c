#include "http/router.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/ids.h"
#include "base/memory.h"

enum kind { LITERAL, CAPTURE_UUID, CAPTURE_HANDLE };

/* A segment of a pattern. */
struct segment {
    enum kind kind;
    const char *text; /* in the pattern, not terminated */
    size_t length;    /* bytes */
};

struct route {
    enum method method;
    const char *pattern;
    const void *target;
    size_t segment_count; /* a count over PATH_SEGMENTS_MAX fits no path */
    struct segment segments[PATH_SEGMENTS_MAX];
};

struct router {
    struct route *routes;
    size_t count;
};

/* A segment of a request's path. Its properties are computed once, because each path is compared
 * with every pattern. */
struct candidate {
    const char *text;
    size_t length; /* bytes */
    bool is_uuid, is_handle;
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

/* "{uuid}" or another name that ends in "uuid}", such as "{group_uuid}", captures a UUID. */
static enum kind kind_of(const char *text, size_t length)
{
    if (length >= 6 && text[0] == '{' && memcmp(text + length - 5, "uuid}", 5) == 0) {
        return CAPTURE_UUID;
    }
    return length == 9 && memcmp(text, "@{handle}", 9) == 0 ? CAPTURE_HANDLE : LITERAL;
}

static void split_pattern(struct route *route)
{
    const char *at = route->pattern;

    while (*at == '/') {
        size_t length = strcspn(++at, "/");

        if (route->segment_count < PATH_SEGMENTS_MAX) {
            route->segments[route->segment_count] =
                (struct segment){kind_of(at, length), at, length};
        }
        route->segment_count++;
        at += length;
    }
}

void router_add(struct router *router, enum method method, const char *pattern, const void *target)
{
    router->routes = memory_resize(router->routes, (router->count + 1) * sizeof *router->routes);
    struct route *route = &router->routes[router->count++];

    *route = (struct route){.method = method, .pattern = pattern, .target = target};
    split_pattern(route);
}

static bool fits(const struct segment *segment, const struct candidate *candidate)
{
    switch (segment->kind) {
    case CAPTURE_UUID:
        return candidate->is_uuid;
    case CAPTURE_HANDLE:
        return candidate->is_handle;
    case LITERAL:
        break;
    }
    return segment->length == candidate->length &&
           memcmp(segment->text, candidate->text, segment->length) == 0;
}

/* The number of segments that the route has literally, or -1 if the route does not fit the path. */
static int fit_route(const struct route *route, const struct candidate *path, size_t count)
{
    int literal = 0;

    if (route->segment_count != count) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (!fits(&route->segments[i], &path[i])) {
            return -1;
        }
        literal += route->segments[i].kind == LITERAL;
    }
    return literal;
}

static void capture(struct request *request, const struct route *route,
                    const struct candidate *path)
{
    size_t captured = 0;

    for (size_t i = 0; i < route->segment_count; i++) {
        if (route->segments[i].kind != LITERAL) {
            bool is_handle = route->segments[i].kind == CAPTURE_HANDLE;

            request->capture[captured++] = path[i].text + is_handle; /* behind the "@" */
        }
    }
}

/* The pattern that fits the path best, its captures set in request; NULL when none fits. */
static const char *best_pattern(const struct router *router, struct request *request)
{
    struct candidate path[PATH_SEGMENTS_MAX];
    const struct route *best = NULL;
    int best_literal = -1;

    if (request->path.count > PATH_SEGMENTS_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < request->path.count; i++) {
        const char *text = request->path.segment[i];

        path[i] = (struct candidate){text, strlen(text), uuid_is_valid(text),
                                     text[0] == '@' && text[1] != '\0'};
    }
    for (size_t i = 0; i < router->count; i++) {
        int literal = fit_route(&router->routes[i], path, request->path.count);

        if (literal > best_literal) {
            best = &router->routes[i];
            best_literal = literal;
        }
    }
    if (best == NULL) {
        return NULL;
    }
    capture(request, best, path);
    return best->pattern;
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
