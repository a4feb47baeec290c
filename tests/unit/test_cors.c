/* Which origins may read answers, and the answers to their preflight requests. */
#include "http/cors.h"

#include <stdio.h>

#include "http/response.h"
#include "incoming.h"
#include "unit.h"

#define FRONTEND "https://cruddur.com"
#define BACKEND "http://localhost:4567"
#define EXPOSED                                                                                    \
    "Access-Control-Expose-Headers: Link, ETag, X-Request-Id, Retry-After, Cruddur-Since, "        \
    "Cache-Status"

static const struct cors CORS = {.origins = {FRONTEND, BACKEND}};

/* The header lines for a request with these parameters, in the request's memory. */
static const char *headers_for(const struct cors *cors, struct incoming *incoming,
                               const char *method, const char *const *parameters)
{
    struct response response = {0};

    incoming_open(incoming, method, "/api/activities/home", parameters);
    cors_apply(cors, &incoming->request, &response);
    const char *text =
        arena_copy(&incoming->arena, response.headers.bytes != NULL ? response.headers.bytes : "",
                   response.headers.length);
    response_release(&response);
    return text;
}

static void test_origins(void **state)
{
    static const struct {
        const char *text;
        bool is_one;
    } rows[] = {
        {"https://cruddur.com", true},
        {"http://localhost:3000", true},
        {"https://3000-omenking-aws.gitpod.io", true},
        {"http://127.0.0.1", true},
        {"http://[::1]:3000", true},
        {"", false},
        {"*", false},
        {"null", false},
        {"cruddur.com", false},
        {"//cruddur.com", false},
        {"https://", false},
        {"https:/cruddur.com", false},
        {"ftp://cruddur.com", false},
        {"HTTPS://cruddur.com", false},
        {"https://Cruddur.com", false},
        {"https://cruddur.com/", false},
        {"https://cruddur.com/app", false},
        {"https://cruddur.com?x", false},
        {"https://cruddur.com#x", false},
        {"https://user@cruddur.com", false},
        {"https://cruddur.com ", false},
        {" https://cruddur.com", false},
        {"https://cruddur.com,https://x.com", false},
        {"https://*.cruddur.com", false},
        {"https://cruddur.com\r\nX: y", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_integer(rows[i].text, cors_is_origin(rows[i].text), rows[i].is_one);
    }
}

static void test_allowed(void **state)
{
    static const char *const origins[] = {FRONTEND, BACKEND};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(origins); i++) {
        static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"};

        for (size_t m = 0; m < COUNT_OF(methods); m++) {
            struct incoming incoming = {0};
            char origin[64];

            snprintf(origin, sizeof origin, "HTTP_ORIGIN=%s", origins[i]);
            const char *const parameters[] = {origin, "HTTP_ACCESS_CONTROL_REQUEST_METHOD=POST",
                                              NULL};
            const char *headers = headers_for(&CORS, &incoming, methods[m], parameters);
            const char *wanted = arena_printf(
                &incoming.arena,
                "Vary: Origin\r\nAccess-Control-Allow-Origin: %s\r\n" EXPOSED "\r\n", origins[i]);
            expect_text(methods[m], headers, wanted);
            incoming_close(&incoming);
        }
    }
}

static void test_foreign(void **state)
{
    static const char *const rows[] = {
        NULL,
        "HTTP_ORIGIN=",
        "HTTP_ORIGIN=null",
        "HTTP_ORIGIN=*",
        "HTTP_ORIGIN=http://cruddur.com",
        "HTTP_ORIGIN=https://cruddur.com:443",
        "HTTP_ORIGIN=https://cruddur.com:8443",
        "HTTP_ORIGIN=https://cruddur.com.evil.example",
        "HTTP_ORIGIN=https://evilcruddur.com",
        "HTTP_ORIGIN=https://evil.cruddur.com",
        "HTTP_ORIGIN=https://cruddur.co",
        "HTTP_ORIGIN=https://cruddur.com/",
        "HTTP_ORIGIN=https://CRUDDUR.com",
        "HTTP_ORIGIN=https://cruddur.com ",
        "HTTP_ORIGIN= https://cruddur.com",
        "HTTP_ORIGIN=https://cruddur.com, https://cruddur.com",
        "HTTP_ORIGIN=http://localhost:45678",
        "HTTP_ORIGIN=http://localhost",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static const char *const methods[] = {"GET", "OPTIONS"};

        for (size_t m = 0; m < COUNT_OF(methods); m++) {
            struct incoming incoming = {0};
            const char *const parameters[] = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD=POST", rows[i],
                                              NULL};

            expect_text(rows[i] != NULL ? rows[i] : "no origin",
                        headers_for(&CORS, &incoming, methods[m], parameters), "Vary: Origin\r\n");
            incoming_close(&incoming);
        }
    }
}

static void test_preflight(void **state)
{
    static const char *const with[] = {"HTTP_ORIGIN=" FRONTEND,
                                       "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT", NULL};
    static const char *const without[] = {"HTTP_ORIGIN=" FRONTEND, NULL};
    static const char *const wanted[] = {
        "Vary: Origin\r\n",
        "Access-Control-Allow-Origin: " FRONTEND "\r\n",
        "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n",
        "Access-Control-Allow-Headers: Content-Type, Authorization, Idempotency-Key, ",
        "Access-Control-Max-Age: 600\r\n",
    };
    struct incoming incoming = {0};
    const char *headers = headers_for(&CORS, &incoming, "OPTIONS", with);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        expect_within("preflight", headers, wanted[i]);
    }
    /* The token travels in a header, never in a cookie. */
    expect_not_within("preflight", headers, "Allow-Credentials");
    incoming_close(&incoming);
    headers = headers_for(&CORS, &incoming, "OPTIONS", without);
    expect_within("OPTIONS alone", headers, "Access-Control-Allow-Origin: " FRONTEND "\r\n");
    expect_not_within("OPTIONS alone", headers, "Allow-Methods");
    incoming_close(&incoming);
}

static void test_which_is_a_preflight(void **state)
{
    static const char asks[] = "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT";
    static const struct {
        const char *label, *method;
        const char *parameters[3];
        bool is_one;
    } rows[] = {
        {"one", "OPTIONS", {"HTTP_ORIGIN=" FRONTEND, asks}, true},
        {"the other origin's", "OPTIONS", {"HTTP_ORIGIN=" BACKEND, asks}, true},
        {"another method", "GET", {"HTTP_ORIGIN=" FRONTEND, asks}, false},
        {"no question", "OPTIONS", {"HTTP_ORIGIN=" FRONTEND}, false},
        {"no origin", "OPTIONS", {asks}, false},
        {"a foreign origin's", "OPTIONS", {"HTTP_ORIGIN=null", asks}, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming = {0};

        incoming_open(&incoming, rows[i].method, "/", rows[i].parameters);
        expect_integer(rows[i].label, cors_is_preflight(&CORS, &incoming.request), rows[i].is_one);
        incoming_close(&incoming);
    }
}

static void test_unconfigured(void **state)
{
    static const char *const parameters[] = {"HTTP_ORIGIN=" FRONTEND, NULL};
    static const struct cors none, second = {.origins = {NULL, FRONTEND}};
    struct incoming incoming = {0};

    (void)state;
    expect_text("none", headers_for(&none, &incoming, "GET", parameters), "");
    incoming_close(&incoming);
    expect_within("the second", headers_for(&second, &incoming, "GET", parameters),
                  "Access-Control-Allow-Origin: " FRONTEND "\r\n");
    incoming_close(&incoming);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_preflight),
        cmocka_unit_test(test_which_is_a_preflight),
        cmocka_unit_test(test_unconfigured),
    };

    return cmocka_run_group_tests_name("cors", tests, NULL, NULL);
}
