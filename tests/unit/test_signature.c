/* Signed bodies. The MACs were made with Python's hmac. */
#include "identity/signature.h"

#include <stdio.h>

#include "unit.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define BODY "{\"a\":1}"
#define GOOD "f05f2539e3ae1c49aec5f8cfdad75ef6b06480b133973ffbb7ec9e18827af177"
#define OTHER                                                                                      \
    "98152140964bc1dd9e229a65ba29b7dce4ffd3045b8aa348bbc1f4fe28710e51" /* another secret's */
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define NO_DIGITS "f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0fg"

static const int64_t NOW = INT64_C(1700000000);

static enum signature_verdict verify(const char *header, int64_t now_s)
{
    return signature_verify(header, SECRET, BODY, strlen(BODY), now_s);
}

static void test_good(void **state)
{
    (void)state;
    assert_int_equal(verify("t=1700000000,v1=" GOOD, NOW), SIGNATURE_GOOD);
}

static void test_secrets_and_bodies(void **state)
{
    static const struct {
        const char *secret;
        const char *body;
        size_t length;
        const char *mac;
    } rows[] = {
        {SECRET, "", 0, "6d033471ca61b72c721ec8c18ea70b31ea9ee2c7aab01ae0fa01bc68c1579648"},
        {SECRET, "a\0b", 3, "52687857c6facb6c6ee16e233a668bd61ebed8cc27733383160b1a1f660b1062"},
        /* Longer than a block of the hash. */
        {SECRET SECRET SECRET SECRET SECRET, BODY, 7,
         "6ac20c71a800c33b948e0a730d8d3b68e15c9e6f663819f2f1d639e4a7bc7ccb"},
        {"another secret of thirty-two byte", BODY, 7, OTHER},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char header[128];

        snprintf(header, sizeof header, "t=1700000000,v1=%s", rows[i].mac);
        expect_integer(header,
                       signature_verify(header, rows[i].secret, rows[i].body, rows[i].length, NOW),
                       SIGNATURE_GOOD);
        expect_integer(header, verify(header, NOW), SIGNATURE_REFUSED);
    }
}

/* Both ends belong to the window. A time outside of it has another verdict than a wrong MAC. */
static void test_window(void **state)
{
    static const struct {
        int64_t offset_s;
        enum signature_verdict verdict;
    } rows[] = {
        {-SIGNATURE_WINDOW_S - 1, SIGNATURE_EXPIRED},
        {-SIGNATURE_WINDOW_S, SIGNATURE_GOOD},
        {SIGNATURE_WINDOW_S, SIGNATURE_GOOD},
        {SIGNATURE_WINDOW_S + 1, SIGNATURE_EXPIRED},
    };

    (void)state;
    assert_int_equal(SIGNATURE_WINDOW_S, 300);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_integer("good", verify("t=1700000000,v1=" GOOD, NOW + rows[i].offset_s),
                       rows[i].verdict);
        expect_integer("forged", verify("t=1700000000,v1=" ZEROS, NOW + rows[i].offset_s),
                       SIGNATURE_REFUSED);
    }
    assert_int_equal(
        verify("t=0,v1=fe634c5f311de478670195e2b9a019604dffbbe66ba63f24dec2295d21072dc3", NOW),
        SIGNATURE_EXPIRED);
    assert_int_equal(
        verify("t=999999999999,v1=0d138b0f68b1b6b7750838d9e72d19a5e544775da68f2f1e39ad887cbdcdff29",
               NOW),
        SIGNATURE_EXPIRED);
}

static void test_several(void **state)
{
    static const struct {
        const char *header;
        enum signature_verdict verdict;
    } rows[] = {
        {"t=1700000000,v1=" OTHER ",v1=" GOOD, SIGNATURE_GOOD},
        {"t=1700000000,v1=" GOOD ",v1=" OTHER, SIGNATURE_GOOD},
        {"t=1700000000,v1=" OTHER ",v1=" ZEROS ",v1=" GOOD, SIGNATURE_GOOD},
        {"t=1700000000,v1=" OTHER ",v1=" ZEROS, SIGNATURE_REFUSED},
        {"t=1700000000,v1=" GOOD ",v1=", SIGNATURE_REFUSED},
        {"t=1700000000,v1=" GOOD ",v1=x", SIGNATURE_REFUSED},
        {"t=1700000000,v1=" GOOD ",v1=" NO_DIGITS, SIGNATURE_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_integer(rows[i].header, verify(rows[i].header, NOW), rows[i].verdict);
    }
}

static void test_malformed(void **state)
{
    static const char *const headers[] = {
        NULL,
        "",
        "t",
        "t=",
        "t=,",
        "t=1700000000",
        "t=1700000000,",
        "t=1700000000,v1",
        "t=1700000000,v1=",
        "t=1700000000,v1=f",
        "t=1700000000,v1=" ZEROS,
        "t=1700000000,v1=" OTHER,
        "t=1700000000,v1=" GOOD "0",
        "t=1700000000,v1=" GOOD " ",
        "t=1700000000,v1=" GOOD ",",
        "t=1700000000,v1=" GOOD ",v0=" GOOD,
        "t=1700000000,v1=" GOOD ";v1=" GOOD,
        "t=1700000000,v1= " GOOD,
        "t=1700000000, v1=" GOOD,
        "t=1700000000;v1=" GOOD,
        "t=1700000000,v0=" GOOD,
        "t=1700000000,V1=" GOOD,
        "T=1700000000,v1=" GOOD,
        " t=1700000000,v1=" GOOD,
        "x=1700000000,v1=" GOOD,
        "v1=" GOOD,
        "v1=" GOOD ",t=1700000000",
        "t=1700000001,v1=" GOOD,
        "t=+1700000000,v1=" GOOD,
        "t=01700000000,v1=" GOOD,
        "t=1700000000.0,v1=" GOOD,
        "t=1700000000,v1=05f2539e3ae1c49aec5f8cfdad75ef6b06480b133973ffbb7ec9e18827af177",
        "t=1700000000,v1=g05f2539e3ae1c49aec5f8cfdad75ef6b06480b133973ffbb7ec9e18827af177",
        /* The MACs are right, but the times are not valid. */
        "t=,v1=986022a4d5f14f28ec45925707cfebf0c470e357ae57675813e02340f21b8d67",
        "t=0001700000000,v1=59581f15e00e9b3ff78a75d136512097996bca7f18f3d2ada342840b0d7d5c13",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        expect_integer(headers[i] != NULL ? headers[i] : "none", verify(headers[i], NOW),
                       SIGNATURE_REFUSED);
    }
    expect_integer("upper case",
                   verify("t=1700000000,v1=F05F2539E3AE1C49AEC5F8CFDAD75EF6B06480B1"
                          "33973FFBB7EC9E18827AF177",
                          NOW),
                   SIGNATURE_GOOD);
}

/* A change of any bit of the MAC or of the body makes the MAC wrong. */
static void test_every_bit_counts(void **state)
{
    static const char digits[] = "0123456789abcdef";

    (void)state;
    for (size_t i = 0; i < strlen(GOOD); i++) {
        for (unsigned bit = 1; bit < 16; bit <<= 1) {
            char header[] = "t=1700000000,v1=" GOOD;
            char *digit = header + strlen("t=1700000000,v1=") + i;

            *digit = digits[(unsigned)(strchr(digits, *digit) - digits) ^ bit];
            expect_integer(header, verify(header, NOW), SIGNATURE_REFUSED);
        }
    }
    for (size_t i = 0; i < 8 * strlen(BODY); i++) {
        char body[] = BODY;

        body[i / 8] = (char)(body[i / 8] ^ 1 << i % 8);
        expect_integer(body,
                       signature_verify("t=1700000000,v1=" GOOD, SECRET, body, strlen(BODY), NOW),
                       SIGNATURE_REFUSED);
    }
    expect_integer("cut", signature_verify("t=1700000000,v1=" GOOD, SECRET, BODY, 6, NOW),
                   SIGNATURE_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),      cmocka_unit_test(test_secrets_and_bodies),
        cmocka_unit_test(test_window),    cmocka_unit_test(test_several),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_every_bit_counts),
    };

    return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
