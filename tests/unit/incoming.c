#include "incoming.h"

#include "unit.h"

static void add(struct incoming *incoming, const char *name, const char *value)
{
    size_t i = 0;

    while (incoming->envp[i] != NULL) {
        i++;
    }
    assert_true(i < INCOMING_PARAMETERS_MAX);
    incoming->envp[i] = arena_printf(&incoming->arena, "%s%s", name, value);
}

enum status incoming_open(struct incoming *incoming, const char *method, const char *uri,
                          const char *const *more)
{
    *incoming = (struct incoming){0};
    if (method != NULL) {
        add(incoming, "REQUEST_METHOD=", method);
    }
    if (uri != NULL) {
        add(incoming, "REQUEST_URI=", uri);
    }
    for (; more != NULL && *more != NULL; more++) {
        add(incoming, "", *more);
    }
    return request_init(&incoming->request, &incoming->arena, incoming->envp);
}

struct request *incoming_get(struct incoming *incoming, const char *uri)
{
    expect_integer(uri, incoming_open(incoming, "GET", uri, NULL), STATUS_OK);
    return &incoming->request;
}

struct request *incoming_post(struct incoming *incoming, const char *uri, const char *body)
{
    static const char *const json[] = {"CONTENT_TYPE=application/json", NULL};

    expect_integer(uri, incoming_open(incoming, "POST", uri, json), STATUS_OK);
    incoming->request.body = body;
    incoming->request.body_length = strlen(body);
    incoming->request.content_length = (long long)strlen(body);
    return &incoming->request;
}

void incoming_close(struct incoming *incoming)
{
    arena_release(&incoming->arena);
}
