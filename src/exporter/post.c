#include "exporter/post.h"

#include <curl/curl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/headers.h"
#include "base/memory.h"

struct post {
    CURL *curl;
    struct curl_slist *headers;
    struct buf answer;
    long http;
    int retry_after_s;
    char why[CURL_ERROR_SIZE]; /* of curl */
    char reason[CURL_ERROR_SIZE + 32];
};

static void add_header(void *context, const char *line)
{
    struct post *post = context;
    struct curl_slist *longer = curl_slist_append(post->headers, line);

    post->headers = longer != NULL ? longer : post->headers;
}

static bool read_headers(struct post *post, const char *file, struct error *error)
{
    struct buf text = {0};

    add_header(post, "Content-Type: application/json");
    add_header(post, "Expect:"); /* no round trip before a long body */
    if (*file == '\0') {
        return true;
    }
    bool good = file_read_private(file, &text, error) &&
                headers_read(text.bytes != NULL ? text.bytes : "", add_header, post, error);
    buf_wipe(&text);
    return good;
}

static size_t keep_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct post *post = context;
    size_t length = size * count;

    if (post->answer.length + length > POST_ANSWER_MAX) {
        return 0; /* ends the transfer */
    }
    buf_append(&post->answer, bytes, length);
    return length;
}

static void set_post_options(struct post *post, const char *url)
{
    CURL *curl = post->curl;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)POST_CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "OTel-OTLP-Exporter-cruddurd/" PACKAGE_VERSION);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, post->headers);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, post->why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, post);
}

struct post *post_new(const char *url, const char *headers_file, struct error *error)
{
    struct post *post = memory_zeroed(sizeof *post);

    post->curl = curl_easy_init();
    if (post->curl == NULL) {
        error_set(error, "curl_easy_init failed");
    }
    if (post->curl == NULL || !read_headers(post, headers_file, error)) {
        post_free(post);
        return NULL;
    }
    set_post_options(post, url);
    return post;
}

void post_free(struct post *post)
{
    curl_easy_cleanup(post->curl);
    curl_slist_free_all(post->headers);
    buf_release(&post->answer);
    memory_free(post);
}

/* A status counts even if the answer was cut off behind it. */
static enum post_outcome post_outcome_of(long http)
{
    switch (http) {
    case 0:
    case 429:
    case 502:
    case 503:
    case 504:
        return POST_LATER;
    default:
        return http >= 200 && http < 300 ? POST_TAKEN : POST_REFUSED;
    }
}

enum post_outcome post_send(struct post *post, const struct buf *json, int timeout_ms)
{
    curl_off_t retry_after_s = 0;

    buf_clear(&post->answer);
    post->why[0] = '\0';
    post->http = 0;
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDS, json->bytes);
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)json->length);
    curl_easy_setopt(post->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    CURLcode code = curl_easy_perform(post->curl);
    curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, &post->http);
    curl_easy_getinfo(post->curl, CURLINFO_RETRY_AFTER, &retry_after_s);
    post->retry_after_s =
        retry_after_s < POST_RETRY_AFTER_MAX_S ? (int)retry_after_s : POST_RETRY_AFTER_MAX_S;
    if (post->http > 0) {
        snprintf(post->reason, sizeof post->reason, "status %ld", post->http);
    } else {
        snprintf(post->reason, sizeof post->reason, "no answer: %s",
                 post->why[0] != '\0' ? post->why : curl_easy_strerror(code));
    }
    return post_outcome_of(post->http);
}

const char *post_reason(const struct post *post)
{
    return post->reason;
}

const struct buf *post_answer(const struct post *post)
{
    return &post->answer;
}

int post_retry_after_s(const struct post *post)
{
    return post->retry_after_s;
}
