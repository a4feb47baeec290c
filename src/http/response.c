#include "http/response.h"

#include "http/request.h"

void response_json(struct response *response, const char *body, size_t length)
{
    response_text(response, "application/json", body, length);
}

void response_text(struct response *response, const char *content_type, const char *body,
                   size_t length)
{
    response->http = 200;
    response->content_type = content_type;
    response->body = body;
    response->body_length = length;
}

void response_stream(struct response *response, const char *content_type)
{
    response_text(response, content_type, "", 0);
    response->is_stream = true;
    response_header(response, "X-Accel-Buffering", "no");
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

const char *response_reason(int http)
{
    static const struct {
        int http;
        const char *reason;
    } REASONS[] = {
        {200, "OK"},
        {304, "Not Modified"},
        {204, "No Content"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < sizeof REASONS / sizeof REASONS[0]; i++) {
        if (REASONS[i].http == http) {
            return REASONS[i].reason;
        }
    }
    return "Unknown";
}

static void add_line(struct buf *head, const char *begin, const char *value)
{
    buf_text(head, begin);
    buf_text(head, value);
    buf_text(head, "\r\n");
}

void response_header(struct response *response, const char *name, const char *value)
{
    buf_text(&response->headers, name);
    add_line(&response->headers, ": ", value);
}

void response_head(const struct response *response, const struct request *request, struct buf *head)
{
    buf_text(head, "Status: ");
    buf_integer(head, response->http);
    buf_char(head, ' ');
    buf_text(head, response_reason(response->http));
    if (response->content_type != NULL) {
        buf_text(head, "\r\nContent-Type: ");
        buf_text(head, response->content_type);
    }
    if (response->content_type != NULL && !response->is_stream) {
        buf_text(head, "\r\nContent-Length: ");
        buf_integer(head, (int64_t)response->body_length);
    }
    add_line(head, "\r\nX-Request-Id: ", request->id);
    add_line(head, "X-Content-Type-Options: nosniff\r\nCache-Control: ",
             response->cache_control != NULL ? response->cache_control : "no-store");
    if (response->headers.length > 0) {
        buf_append(head, response->headers.bytes, response->headers.length);
    }
    buf_text(head, "\r\n");
}

void response_release(struct response *response)
{
    buf_release(&response->headers);
    *response = (struct response){0};
}
