/* What PostgreSQL's error codes mean for a request. */
#include "db/sqlstate.h"

#include "api/status.h"
#include "unit.h"

static void test_verdicts(void **state)
{
    static const struct {
        const char *sqlstate;
        enum status status;
        enum remedy remedy;
    } rows[] = {
        {NULL, STATUS_DATABASE_UNAVAILABLE, REMEDY_RECONNECT}, /* the connection broke */
        {"08000", STATUS_DATABASE_UNAVAILABLE, REMEDY_RECONNECT},
        {"08006", STATUS_DATABASE_UNAVAILABLE, REMEDY_RECONNECT},
        {"0A000", STATUS_INTERNAL, REMEDY_RECONNECT},
        {"22021", STATUS_MALFORMED_REQUEST, REMEDY_NONE},
        {"22P02", STATUS_VALUE_REFUSED, REMEDY_NONE},
        {"22001", STATUS_VALUE_REFUSED, REMEDY_NONE},
        {"23505", STATUS_CONFLICT, REMEDY_NONE},
        {"23503", STATUS_VALUE_REFUSED, REMEDY_NONE},
        {"23514", STATUS_VALUE_REFUSED, REMEDY_NONE},
        {"25006", STATUS_DATABASE_UNAVAILABLE, REMEDY_RECONNECT}, /* a standby */
        {"25P02", STATUS_INTERNAL, REMEDY_NONE},
        {"26000", STATUS_INTERNAL, REMEDY_RECONNECT}, /* the prepared statement is gone */
        {"28P01", STATUS_INTERNAL, REMEDY_NONE},
        {"40001", STATUS_DATABASE_UNAVAILABLE, REMEDY_AGAIN},
        {"40P01", STATUS_DATABASE_UNAVAILABLE, REMEDY_AGAIN},
        {"42501", STATUS_INTERNAL, REMEDY_NONE},
        {"42601", STATUS_INTERNAL, REMEDY_NONE},
        {"42P01", STATUS_INTERNAL, REMEDY_NONE},
        {"53100", STATUS_DATABASE_UNAVAILABLE, REMEDY_NONE}, /* the disk is full */
        {"53300", STATUS_DATABASE_UNAVAILABLE, REMEDY_NONE}, /* too many connections */
        {"55P03", STATUS_DATABASE_TIMEOUT, REMEDY_NONE},
        {"55006", STATUS_INTERNAL, REMEDY_NONE},
        {"57014", STATUS_DATABASE_TIMEOUT, REMEDY_NONE},
        {"57P01", STATUS_DATABASE_UNAVAILABLE, REMEDY_RECONNECT},
        {"57P02", STATUS_DATABASE_UNAVAILABLE, REMEDY_RECONNECT},
        {"57P03", STATUS_DATABASE_UNAVAILABLE, REMEDY_RECONNECT},
        {"57P05", STATUS_DATABASE_UNAVAILABLE, REMEDY_RECONNECT},
        {"58030", STATUS_DATABASE_UNAVAILABLE, REMEDY_NONE},
        {"P0001", STATUS_INTERNAL, REMEDY_NONE},
        {"XX000", STATUS_INTERNAL, REMEDY_NONE},
        {"", STATUS_INTERNAL, REMEDY_NONE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *label = rows[i].sqlstate != NULL ? rows[i].sqlstate : "none";
        struct verdict verdict = sqlstate_verdict(rows[i].sqlstate);

        expect_text(label, status_code(verdict.status), status_code(rows[i].status));
        expect_integer(label, verdict.remedy, rows[i].remedy);
    }
}

static void test_messages_that_quote_values(void **state)
{
    static const struct {
        const char *sqlstate;
        bool quotes;
    } rows[] = {
        {"21000", true},  {"22P02", true},  {"22001", true},  {"23505", true},  {"23514", true},
        {"44000", true},  {"P0001", true},  {"20000", false}, {"24000", false}, {"40001", false},
        {"42P01", false}, {"57014", false}, {"XX000", false}, {"", false},      {NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect(rows[i].sqlstate != NULL ? rows[i].sqlstate : "none",
               sqlstate_quotes_values(rows[i].sqlstate) == rows[i].quotes);
    }
}

static void test_missing_objects(void **state)
{
    static const struct {
        const char *sqlstate;
        bool is_missing;
    } rows[] = {
        {"42703", true},  {"42883", true},  {"42P01", true}, {"42704", true}, {"42501", false},
        {"42601", false}, {"57014", false}, {"", false},     {NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect(rows[i].sqlstate != NULL ? rows[i].sqlstate : "none",
               sqlstate_is_missing_object(rows[i].sqlstate) == rows[i].is_missing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_messages_that_quote_values),
        cmocka_unit_test(test_missing_objects),
    };

    return cmocka_run_group_tests_name("sqlstate", tests, NULL, NULL);
}
