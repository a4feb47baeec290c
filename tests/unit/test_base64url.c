/* RFC 4648 section 5, without padding. */
#include "base/base64url.h"

#include "unit.h"

static const struct {
    const char *bytes;
    const char *text;
} VECTORS[] = {
    {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
    {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(VECTORS); i++) {
        size_t length = strlen(VECTORS[i].bytes), decoded;
        char text[16];
        unsigned char bytes[16];

        base64url_encode((const unsigned char *)VECTORS[i].bytes, length, text);
        expect_text(VECTORS[i].bytes, text, VECTORS[i].text);
        expect(text, base64url_decode(text, strlen(text), bytes, &decoded));
        assert_int_equal(decoded, length);
        assert_memory_equal(bytes, VECTORS[i].bytes, length);
    }
}

static void test_every_length_fits_its_size(void **state)
{
    (void)state;
    for (size_t length = 0; length <= 64; length++) {
        unsigned char bytes[64];
        char text[BASE64URL_TEXT_SIZE(64)];
        unsigned char back[BASE64URL_DECODED_MAX(BASE64URL_TEXT_SIZE(64))];
        size_t decoded;

        for (size_t i = 0; i < length; i++) {
            bytes[i] = (unsigned char)(i * 37 + length);
        }
        base64url_encode(bytes, length, text);
        assert_true(strlen(text) < BASE64URL_TEXT_SIZE(length));
        assert_true(base64url_decode(text, strlen(text), back, &decoded));
        assert_true(decoded <= BASE64URL_DECODED_MAX(strlen(text)));
        assert_int_equal(decoded, length);
        assert_memory_equal(back, bytes, length);
    }
}

static void test_refused(void **state)
{
    static const char *const rows[] = {
        "A",       /* six bits are no byte */
        "Zm9vY",   /* the same at the end */
        "Zg==",    /* padding */
        "Zm8=",    /* likewise */
        "Zh",      /* a stray bit behind "f" */
        "Zm9",     /* and behind "fo" */
        "Zm 9v",   /* space */
        "Zm9v\n",  /* a newline */
        "+/+/",    /* plain base64's alphabet */
        "Zm9\xc3", /* not ASCII */
        "Zm.9",    /* a token's dot */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned char bytes[16];
        size_t decoded;

        expect(rows[i], !base64url_decode(rows[i], strlen(rows[i]), bytes, &decoded));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_every_length_fits_its_size),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("base64url", tests, NULL, NULL);
}
