/* Values of the query string. */
#include "http/query.h"

#include "incoming.h"
#include "unit.h"

static void test_values(void **state)
{
    static const struct {
        const char *uri;
        enum status status;
        const char *value; /* of "limit" */
    } rows[] = {
        {"/", STATUS_OK, NULL},
        {"/?", STATUS_OK, NULL},
        {"/?limit=5", STATUS_OK, "5"},
        {"/?limit=", STATUS_OK, ""},
        {"/?limit", STATUS_OK, ""},
        {"/?a=1&limit=5&b=2", STATUS_OK, "5"},
        {"/?&&limit=5&&", STATUS_OK, "5"},
        {"/?limit=5&", STATUS_OK, "5"},
        {"/?limit=a=b", STATUS_OK, "a=b"},
        {"/?limit=a%26b", STATUS_OK, "a&b"},
        {"/?limit=a+b%2Bc", STATUS_OK, "a b+c"},
        {"/?limit=%E2%82%AC", STATUS_OK, "\xe2\x82\xac"},
        {"/?limit=?/:@", STATUS_OK, "?/:@"},
        {"/?limits=5", STATUS_OK, NULL},
        {"/?limi=5", STATUS_OK, NULL},
        {"/?Limit=5", STATUS_OK, NULL},
        {"/?xlimit=5", STATUS_OK, NULL},
        {"/?=limit", STATUS_OK, NULL},
        {"/?a=limit=5", STATUS_OK, NULL},
        {"/?a=%zz&limit=5", STATUS_OK, "5"}, /* a parameter that is not read may have any value */
        {"/?limit=5&limit=5", STATUS_MALFORMED_REQUEST, NULL},
        {"/?limit&limit=5", STATUS_MALFORMED_REQUEST, NULL},
        {"/?limit=%", STATUS_MALFORMED_REQUEST, NULL},
        {"/?limit=%4", STATUS_MALFORMED_REQUEST, NULL},
        {"/?limit=%&b=41", STATUS_MALFORMED_REQUEST, NULL}, /* the escape ends with the value */
        {"/?limit=%00", STATUS_MALFORMED_REQUEST, NULL},
        {"/?limit=%0a", STATUS_MALFORMED_REQUEST, NULL},
        {"/?limit=%ff", STATUS_MALFORMED_REQUEST, NULL},
        {"/?limit=\x01", STATUS_MALFORMED_REQUEST, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming;
        const char *value = "untouched";
        struct request *request = incoming_get(&incoming, rows[i].uri);

        expect_integer(rows[i].uri, query_value(request, "limit", &value), rows[i].status);
        if (rows[i].status == STATUS_OK) {
            expect_text(rows[i].uri, value, rows[i].value);
        }
        incoming_close(&incoming);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values)};

    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
