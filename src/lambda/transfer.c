/* The version of curl is never queried, because curl_version() makes OpenLDAP look up the name of
 * the host, which may take seconds. */
#include "lambda/transfer.h"

#include <curl/curl.h>

#include "base/memory.h"

enum { CONNECT_TIMEOUT_MS = 1000 };

struct transfer {
    CURL *curl;
    struct buf *answer;
    size_t answer_max;
    bool was_cut;
    long status;
    char why[CURL_ERROR_SIZE];
};

struct transfer *transfer_new(void)
{
    struct transfer *transfer = memory_zeroed(sizeof *transfer);

    transfer->curl = curl_easy_init();
    if (transfer->curl == NULL) {
        memory_free(transfer);
        return NULL;
    }
    return transfer;
}

void transfer_free(struct transfer *transfer)
{
    if (transfer != NULL) {
        curl_easy_cleanup(transfer->curl);
        memory_free(transfer);
    }
}

/* Bytes beyond answer_max are read and discarded, so that the connection can be used again. */
static size_t append_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t length = size * count;
    size_t room = transfer->answer_max - transfer->answer->length;

    transfer->was_cut |= length > room;
    buf_append(transfer->answer, bytes, length > room ? room : length);
    return length;
}

static void set_body(CURL *curl, const struct transfer_request *request)
{
    if (request->body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    }
}

static void set_signature(CURL *curl, const struct transfer_signature *signature)
{
    struct buf scheme = {0};

    if (signature != NULL) {
        buf_printf(&scheme, "aws:amz:%s:%s", signature->region, signature->service);
        curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, scheme.bytes);
        curl_easy_setopt(curl, CURLOPT_USERNAME, signature->key_id);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, signature->secret_key);
        buf_release(&scheme);
    }
}

/* Sets all options anew for each request; the connection stays with the handle. */
static void set_transfer_options(struct transfer *transfer, const struct transfer_request *request,
                                 struct curl_slist *headers)
{
    CURL *curl = transfer->curl;

    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "cruddur-confirm/" PACKAGE_VERSION);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    if (request->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
    }
    set_body(curl, request);
    set_signature(curl, request->signature);
}

/* NULL: out of memory. An empty Expect spares a round trip before a long body. It is not used in a
 * signed request, because curl would sign it though it does not send it. */
static struct curl_slist *make_headers(const char *const *lines, bool is_signed)
{
    struct curl_slist *headers =
        curl_slist_append(NULL, is_signed ? "Accept: application/json" : "Expect:");

    for (size_t i = 0; headers != NULL && lines != NULL && lines[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(headers, lines[i]);

        if (longer == NULL) {
            curl_slist_free_all(headers);
        }
        headers = longer;
    }
    return headers;
}

bool transfer_run(struct transfer *transfer, const struct transfer_request *request,
                  struct buf *answer, struct error *error)
{
    struct curl_slist *headers = make_headers(request->headers, request->signature != NULL);

    if (headers == NULL) {
        return error_set(error, "out of memory");
    }
    buf_clear(answer);
    transfer->answer = answer;
    transfer->answer_max = request->answer_max;
    transfer->was_cut = false;
    transfer->status = 0;
    transfer->why[0] = '\0';
    set_transfer_options(transfer, request, headers);
    CURLcode code = curl_easy_perform(transfer->curl);
    curl_slist_free_all(headers);
    if (code != CURLE_OK) {
        return error_set(error, "%s",
                         transfer->why[0] != '\0' ? transfer->why : curl_easy_strerror(code));
    }
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &transfer->status);
    return true;
}

long transfer_status(const struct transfer *transfer)
{
    return transfer->status;
}

const char *transfer_header(const struct transfer *transfer, const char *name)
{
    struct curl_header *header;

    return curl_easy_header(transfer->curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK
               ? header->value
               : NULL;
}

bool transfer_was_cut(const struct transfer *transfer)
{
    return transfer->was_cut;
}
