#include "http/request.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "http/parameters.h"

static const char *const METHODS[METHOD_COUNT] = {
    [METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD",     [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT", [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS",
};

const char *method_name(enum method method)
{
    return method < METHOD_COUNT ? METHODS[method] : "-";
}

static enum method method_from_name(const char *name)
{
    enum method method = METHOD_GET;

    while (method < METHOD_COUNT && (name == NULL || strcmp(METHODS[method], name) != 0)) {
        method++;
    }
    return method;
}

const char *request_parameter(char **envp, const char *name)
{
    size_t length = strlen(name);

    for (; *envp != NULL; envp++) {
        if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=') {
            return *envp + length + 1;
        }
    }
    return NULL;
}

/* The CGI parameters that a struct request is made of. */
#define PARAMETERS(X)                                                                              \
    X(REQUEST_METHOD)                                                                              \
    X(REQUEST_URI)                                                                                 \
    X(REMOTE_ADDR)                                                                                 \
    X(CONTENT_TYPE)                                                                                \
    X(CONTENT_LENGTH)                                                                              \
    X(HTTP_ACCEPT)                                                                                 \
    X(HTTP_ACCESS_CONTROL_REQUEST_METHOD)                                                          \
    X(HTTP_AUTHORIZATION)                                                                          \
    X(HTTP_CONTENT_ENCODING)                                                                       \
    X(HTTP_IDEMPOTENCY_KEY)                                                                        \
    X(HTTP_IF_NONE_MATCH)                                                                          \
    X(HTTP_LAST_EVENT_ID)                                                                          \
    X(HTTP_ORIGIN)                                                                                 \
    X(HTTP_TRACEPARENT)                                                                            \
    X(HTTP_X_CRUDDUR_SIGNATURE)                                                                    \
    X(HTTP_X_REQUEST_ID)

#define NUMBER(name) name,
#define NAME(name) {#name, sizeof #name - 1},

enum cgi_parameter { PARAMETERS(NUMBER) PARAMETER_COUNT };

static const struct {
    const char *name;
    size_t length; /* bytes */
} NAMES[PARAMETER_COUNT] = {PARAMETERS(NAME)};

/* Finds the values in one pass over envp; those of parameters that were not sent stay NULL. The first one
 * counts if a name comes twice, as with request_parameter(). */
static void find_values(char **envp, const char *values[PARAMETER_COUNT])
{
    for (; *envp != NULL; envp++) {
        const char *equals = strchr(*envp, '=');
        size_t length = equals != NULL ? (size_t)(equals - *envp) : 0;

        for (enum cgi_parameter i = 0; i < PARAMETER_COUNT; i++) {
            if (length == NAMES[i].length && values[i] == NULL &&
                memcmp(*envp, NAMES[i].name, length) == 0) {
                values[i] = equals + 1;
            }
        }
    }
}

static bool is_line_blank(char c)
{
    return c >= '\t' && c <= '\r';
}

static const char *decode_percent(struct arena *arena, const char *text, size_t length,
                                  bool plus_is_space, bool takes_lines)
{
    char *decoded = arena_alloc(arena, length + 1);
    size_t count = 0;

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (c == '%') {
            int high = length - i > 2 ? hex_value(text[i + 1]) : -1;
            int low = length - i > 2 ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return NULL;
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (takes_lines && is_line_blank(c)) {
            c = ' ';
        }
        if ((unsigned char)c < 0x20 || c == 0x7f) {
            return NULL;
        }
        decoded[count++] = c;
    }
    decoded[count] = '\0';
    return utf8_valid(decoded, count) ? decoded : NULL;
}

const char *percent_decode(struct arena *arena, const char *text, size_t length, bool plus_is_space)
{
    return decode_percent(arena, text, length, plus_is_space, false);
}

const char *percent_decode_text(struct arena *arena, const char *text, size_t length)
{
    return decode_percent(arena, text, length, true, true);
}

const char *percent_encode(struct arena *arena, const char *text)
{
    char *encoded = arena_alloc(arena, 3 * strlen(text) + 1);
    char *end = encoded;

    for (; *text != '\0'; text++) {
        if (isalnum((unsigned char)*text) || strchr("-._~", *text) != NULL) {
            *end++ = *text;
        } else {
            end += sprintf(end, "%%%02X", (unsigned char)*text);
        }
    }
    *end = '\0';
    return encoded;
}

/* A path with too many segments gets a count over PATH_SEGMENTS_MAX, so that it matches no
 * route. */
static enum status split_path(struct request *request, const char *path, size_t length)
{
    const char *end = path + length;

    if (length == 0 || *path != '/') {
        return STATUS_MALFORMED_REQUEST;
    }
    while (path < end) {
        const char *start = path + 1; /* behind the slash */
        const char *slash = memchr(start, '/', (size_t)(end - start));
        path = slash != NULL ? slash : end;

        const char *segment = percent_decode(request->arena, start, (size_t)(path - start), false);
        if (segment == NULL) {
            return STATUS_MALFORMED_REQUEST;
        }
        if (request->path.count < PATH_SEGMENTS_MAX) {
            request->path.segment[request->path.count] = segment;
        }
        request->path.count++;
    }
    return STATUS_OK;
}

static enum status take_uri(struct request *request, const char *uri)
{
    if (uri == NULL) {
        return STATUS_MALFORMED_REQUEST;
    }
    if (strlen(uri) > URI_MAX) {
        return STATUS_URI_TOO_LONG;
    }
    size_t path_length = strcspn(uri, "?");
    request->query = uri[path_length] == '?' ? uri + path_length + 1 : "";
    return split_path(request, uri, path_length);
}

/* RFC 9110 section 8.6: digits only. An absent or empty value is no body. */
static long long content_length(const char *text)
{
    if (text == NULL || *text == '\0') {
        return 0;
    }
    size_t digits = strspn(text, "0123456789");
    return digits <= 18 && text[digits] == '\0' ? strtoll(text, NULL, 10) : -1;
}

static void take_request_id(struct request *request, const char *sent)
{
    if (sent != NULL && request_id_is_valid(sent)) {
        memcpy(request->id, sent, strlen(sent) + 1);
    } else {
        uuid_make(request->id);
    }
}

enum status request_init(struct request *request, struct arena *arena, char **envp)
{
    const char *values[PARAMETER_COUNT] = {NULL};

    find_values(envp, values);
    *request = (struct request){
        .arena = arena,
        .method = method_from_name(values[REQUEST_METHOD]),
        .query = "",
        .accept = values[HTTP_ACCEPT],
        .content_type = values[CONTENT_TYPE],
        .content_encoding = values[HTTP_CONTENT_ENCODING],
        .authorization = values[HTTP_AUTHORIZATION],
        .idempotency_key = values[HTTP_IDEMPOTENCY_KEY],
        .signature = values[HTTP_X_CRUDDUR_SIGNATURE],
        .if_none_match = values[HTTP_IF_NONE_MATCH],
        .last_event_id = values[HTTP_LAST_EVENT_ID],
        .origin = values[HTTP_ORIGIN],
        .preflight_method = values[HTTP_ACCESS_CONTROL_REQUEST_METHOD],
        .remote_addr = values[REMOTE_ADDR],
        .content_length = content_length(values[CONTENT_LENGTH]),
        .body = "",
    };
    take_request_id(request, values[HTTP_X_REQUEST_ID]);
    const char *traceparent = values[HTTP_TRACEPARENT];
    if (traceparent != NULL && traceparent_is_valid(traceparent)) {
        memcpy(request->traceparent, traceparent, TRACEPARENT_LENGTH + 1);
    }
    enum status status = take_uri(request, values[REQUEST_URI]);
    return request->content_length < 0 ? STATUS_MALFORMED_REQUEST : status;
}

enum { WEIGHT_MAX = 1000 };

/* The thousandths of "0.25"; RFC 9110 section 12.4.2. A text that is no weight counts as 1. */
static int weight_of(const char *text, size_t length)
{
    int weight = 0, place = WEIGHT_MAX;

    if (length == 0 || text[0] != '0' || (length > 1 && text[1] != '.')) {
        return WEIGHT_MAX;
    }
    for (size_t i = 2; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return WEIGHT_MAX;
        }
        place /= 10;
        weight += (text[i] - '0') * place;
    }
    return weight;
}

/* The weight in the parameters of a media range; *at moves to the list's next comma or its end. */
static int take_weight(const char **at)
{
    struct parameter parameter;
    int weight = WEIGHT_MAX;

    while (parameters_next(at, &parameter)) {
        if (parameter.name_length == 1 && (*parameter.name == 'q' || *parameter.name == 'Q')) {
            weight = weight_of(parameter.value, parameter.value_length);
        }
    }
    *at += strcspn(*at, ",");
    return weight;
}

int request_weight(const struct request *request, const char *media_type)
{
    const char *at = request->accept != NULL ? request->accept : "";
    size_t length = strlen(media_type);
    int weight = 0;

    while (*at != '\0') {
        at += strspn(at, " \t,");
        size_t range_length = strcspn(at, " \t;,");
        bool is_it = range_length == length && strncasecmp(at, media_type, length) == 0;

        at += range_length;
        int own_weight = take_weight(&at);
        if (is_it && own_weight > weight) {
            weight = own_weight;
        }
    }
    return weight;
}
