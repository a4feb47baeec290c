#include "http/response.h"

#include "http/request.h"

void response_json(struct response *response, const char *body, size_t length)
{
    response->http = 200;
    response->content_type = "application/json";
    response->body = body;
    response->body_length = length;
}

void response_empty(struct response *response)
{
    response->http = 204;
    response->content_type = NULL;
    response->body = "";
    response->body_length = 0;
}

void response_not_modified(struct response *response)
{
    response_empty(response);
    response->http = 304;
}

void response_header(struct response *response, const char *name, const char *value)
{
    buf_printf(&response->headers, "%s: %s\r\n", name, value);
}

void response_head(const struct response *response, const struct request *request, struct buf *head)
{
    buf_printf(head, "Status: %d %s\r\n", response->http, status_reason(response->http));
    if (response->content_type != NULL) {
        buf_printf(head, "Content-Type: %s\r\nContent-Length: %zu\r\n", response->content_type,
                   response->body_length);
    }
    buf_printf(head,
               "X-Request-Id: %s\r\n"
               "X-Content-Type-Options: nosniff\r\n"
               "Cache-Control: %s\r\n",
               request->id, response->cache_control != NULL ? response->cache_control : "no-store");
    if (response->headers.length > 0) {
        buf_append(head, response->headers.bytes, response->headers.length);
    }
    buf_text(head, "\r\n");
}

void response_clear(struct response *response)
{
    buf_clear(&response->headers);
    *response = (struct response){.headers = response->headers};
}

void response_release(struct response *response)
{
    buf_release(&response->headers);
    *response = (struct response){0};
}
