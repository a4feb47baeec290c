/* Who is told of what a process writes. */
#include "worker/service.h"

#include "base/log.h"
#include "config/config.h"
#include "home/mark.h"
#include "unit.h"

static uint64_t writes_after(const struct service *service, enum statement_id id)
{
    const struct statement statement = statement_of(id);

    service_note_result(service, &statement);
    return atomic_load(&service->cache_settings.mark->writes);
}

/* One that keeps a feed tells the others; so does one that keeps none any more, beside older ones that
 * leave. */
static void test_what_is_written_is_told(void **state)
{
    static const char *const watches[] = {"20", "0"};
    struct catalog *catalog = catalog_load(TOP_SRCDIR "/sql");

    (void)state;
    assert_non_null(catalog);
    for (size_t i = 0; i < COUNT_OF(watches); i++) {
        char *environment[] = {(char[]){"CONNECTION_URL=postgresql://app@/cruddur"}, NULL};
        char *options[] = {(char[]){"cruddurd"}, (char[]){"--feed-watch"}, (char *)watches[i],
                           NULL};
        struct config config;
        struct mark mark = {0};
        struct score score = {0};
        struct service service;

        assert_true(config_read(&config, environment, 3, options, stderr));
        service_init(&service, &config, catalog, "test",
                     &(struct service_links){.mark = &mark, .score = &score, .epoll_fd = -1});
        expect(watches[i], (service.cache != NULL) == (i == 0));
        expect_integer(watches[i], (long long)writes_after(&service, STATEMENT_ACTIVITIES_SHOW), 0);
        expect_integer(watches[i], (long long)writes_after(&service, STATEMENT_ACTIVITIES_CREATE),
                       1);
        service_release(&service);
        config_release(&config);
    }
    catalog_free(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_written_is_told)};

    log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
