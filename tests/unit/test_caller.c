/* The caller of a request. */
#include "identity/caller.h"

#include "unit.h"

static void test_who(void **state)
{
    static const struct {
        enum identity_mode mode;
        const char *authorization;
        const char *remote_addr;
        enum caller_kind kind;
    } rows[] = {
        {IDENTITY_HANDLE, NULL, "127.0.0.1", CALLER_BY_HANDLE},
        {IDENTITY_HANDLE, NULL, "127.255.0.9", CALLER_BY_HANDLE},
        {IDENTITY_HANDLE, NULL, "::1", CALLER_BY_HANDLE},
        {IDENTITY_HANDLE, NULL, "unix:", CALLER_BY_HANDLE},
        {IDENTITY_HANDLE, NULL, LOCAL_PEER, CALLER_BY_HANDLE},
        {IDENTITY_HANDLE, NULL, "10.0.0.1", CALLER_ANONYMOUS},
        {IDENTITY_HANDLE, NULL, "1.127.0.0", CALLER_ANONYMOUS},
        {IDENTITY_HANDLE, NULL, "::2", CALLER_ANONYMOUS},
        {IDENTITY_HANDLE, NULL, "::1:0", CALLER_ANONYMOUS},
        {IDENTITY_HANDLE, NULL, "2001:db8::1", CALLER_ANONYMOUS},
        {IDENTITY_HANDLE, NULL, "", CALLER_ANONYMOUS},
        {IDENTITY_HANDLE, NULL, "unix:/x", CALLER_ANONYMOUS},
        {IDENTITY_HANDLE, NULL, NULL, CALLER_ANONYMOUS},
        /* A caller that sends the header is not accepted by its handle. */
        {IDENTITY_HANDLE, "Bearer x", "127.0.0.1", CALLER_REFUSED},
        {IDENTITY_HANDLE, "", NULL, CALLER_REFUSED},
        {IDENTITY_TOKEN, NULL, "127.0.0.1", CALLER_ANONYMOUS},
        {IDENTITY_TOKEN, NULL, LOCAL_PEER, CALLER_ANONYMOUS},
        {IDENTITY_TOKEN, "Bearer null", "127.0.0.1", CALLER_REFUSED},
        {IDENTITY_TOKEN, "Bearer x", "10.0.0.1", CALLER_REFUSED},
    };

    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct identity identity = {.mode = rows[i].mode}; /* no issuer: no token is good */
        struct caller caller =
            caller_identify(&identity, rows[i].authorization, rows[i].remote_addr, true, &arena);

        expect_integer(rows[i].remote_addr != NULL ? rows[i].remote_addr : "none", caller.kind,
                       rows[i].kind);
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_who)};

    return cmocka_run_group_tests_name("caller", tests, NULL, NULL);
}
