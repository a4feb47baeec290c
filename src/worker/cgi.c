#include "worker/cgi.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/endpoint.h"
#include "api/routes.h"
#include "api/status.h"
#include "base/arena.h"
#include "config/config.h"
#include "db/catalog.h"
#include "worker/exchange.h"
#include "worker/service.h"

/* Reads as much of the announced body as arrives, but not more than one byte over the limit. */
static void read_body(struct exchange *exchange, size_t max, struct exchange_input *input)
{
    const char *announced = getenv("CONTENT_LENGTH");
    unsigned long long wanted = announced != NULL ? strtoull(announced, NULL, 10) : 0;
    size_t size = wanted > max ? max + 1 : (size_t)wanted;
    char *body = arena_alloc(&exchange->arena, size + 1);

    input->body_length = size > 0 ? fread(body, 1, size, stdin) : 0;
    body[input->body_length] = '\0';
    input->body = body;
}

static void print_answer(void *context, const struct result *result, const struct cache_info *info)
{
    struct exchange *exchange = context;
    const char *head, *body;
    size_t head_length, body_length;

    if (result != NULL) {
        exchange_result(exchange, result, info);
    }
    exchange_answer(exchange, &head, &head_length, &body, &body_length);
    fwrite(head, 1, head_length, stdout);
    fwrite(body, 1, body_length, stdout);
    exchange_report(exchange);
}

int cgi_serve(const struct config *config, char **environment)
{
    struct catalog *catalog = routes_load_catalog(config->sql_dir);
    struct exchange_input input = {.status = STATUS_OK, .is_local = true};
    struct exchange exchange = {0};
    const struct service_links links = {.epoll_fd = -1};
    struct service service;

    if (catalog == NULL) {
        printf(
            "Status: 500 Internal Server Error\r\nContent-Type: application/json\r\n\r\n[\"%s\"]",
            status_code(STATUS_INTERNAL));
        return EXIT_FAILURE;
    }
    service_init(&service, config, catalog, "cruddurd cgi", &links);
    read_body(&exchange, (size_t)config->body_max, &input);
    enum decision decision = exchange_begin(&exchange, &service, environment, &input);
    if (decision == DECISION_ASK) {
        exchange.submission = (struct submission){
            .statement = &exchange.statement,
            .requester = exchange_requester(&exchange),
            .done = print_answer,
            .context = &exchange,
        };
        service_submit(&service, &exchange.submission);
        service_finish(&service);
    } else {
        if (decision == DECISION_STREAM) {
            exchange_refuse_stream(&exchange);
        }
        print_answer(&exchange, NULL, NULL);
    }
    exchange_release(&exchange);
    service_release(&service);
    catalog_free(catalog);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
