/* For any Origin and any method of a preflight, the answer names only an allowed origin, and has
 * one head. The input's lines are the allowed origin, the Origin, and the preflight's method. */
#include "http/cors.h"

#include "base/arena.h"
#include "fuzz.h"
#include "http/request.h"
#include "http/response.h"

FUZZ_TARGET(cors)
{
    struct arena arena = {0};
    struct buf head = {0};
    struct response response = {0};
    char *rest = arena_copy(&arena, (const char *)data, size);
    const char *allowed = take_line(&rest), *origin = take_line(&rest), *method = take_line(&rest);
    bool is_origin = cors_is_origin(allowed);
    const struct cors cors = {.origins = {is_origin ? allowed : NULL}};
    struct request request = {.arena = &arena,
                              .method = METHOD_OPTIONS,
                              .id = "id",
                              .query = "",
                              .origin = origin,
                              .preflight_method = *method != '\0' ? method : NULL};

    bool is_preflight = cors_is_preflight(&cors, &request);
    response_empty(&response);
    cors_apply(&cors, &request, &response);
    response_head(&response, &request, &head);
    bool is_allowed = is_origin && strcmp(allowed, origin) == 0;
    MUST(is_allowed || !is_preflight);
    MUST((strstr(head.bytes, "Access-Control-Allow-Origin: ") != NULL) == is_allowed);
    MUST(strstr(head.bytes, "\r\n\r\n") == head.bytes + head.length - 4);
    buf_release(&head);
    response_release(&response);
    arena_release(&arena);
    return 0;
}
