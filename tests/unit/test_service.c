/* The effects of a write on the cached pages of a pool. */
#include "worker/service.h"

#include "api/activities.h"
#include "api/routes.h"
#include "base/log.h"
#include "config/config.h"
#include "home/mark.h"
#include "unit.h"

/* The counter of writes at the time of the result. */
struct taken {
    const struct mark *mark;
    uint64_t writes;
};

static void take(void *context, const struct result *result, const struct cache_info *info)
{
    struct taken *taken = context;

    assert_int_equal(result->status, STATUS_DATABASE_UNAVAILABLE);
    assert_null(info);
    taken->writes = atomic_load(&taken->mark->writes);
}

/* Submits a statement, and returns the counter of writes. There is no database, but for the service
 * a write may have reached one. */
static uint64_t writes_after(struct service *service, const struct statement_def *def)
{
    const struct statement statement = statement_of(def);
    struct taken taken = {.mark = service->cache_settings.mark};
    struct submission submission = {
        .statement = &statement, .requester = "", .done = take, .context = &taken};

    service_submit(service, &submission);
    service_finish(service);
    return taken.writes;
}

/* A worker with a cache counts its writes for the other workers. A worker without one counts them
 * too: workers of an older generation may still have a cache. */
static void test_writes_are_counted_before_their_result(void **state)
{
    static const char *const watches[] = {"20", "0"};
    struct catalog *catalog = routes_load_catalog(TOP_SRCDIR "/sql");

    (void)state;
    assert_non_null(catalog);
    for (size_t i = 0; i < COUNT_OF(watches); i++) {
        char *environment[] = {
            (char[]){"CONNECTION_URL=postgresql://app@/cruddur?host=/nonexistent"}, NULL};
        char *options[] = {(char[]){"cruddurd"}, (char[]){"--deadline"},
                           (char[]){"100"},      (char[]){"--statement-timeout"},
                           (char[]){"50"},       (char[]){"--feed-watch"},
                           (char *)watches[i],   NULL};
        struct config config;
        struct mark mark = {0};
        struct score score = {0};
        struct service service;

        assert_true(config_read(&config, environment, 7, options, stderr));
        service_init(&service, &config, catalog, "test",
                     &(struct service_links){.mark = &mark, .score = &score, .epoll_fd = -1});
        expect(watches[i], (service.cache != NULL) == (i == 0));
        expect_integer(watches[i], (long long)writes_after(&service, &ACTIVITIES_SHOW), 0);
        expect_integer(watches[i], (long long)writes_after(&service, &ACTIVITIES_CREATE), 1);
        service_release(&service);
        config_release(&config);
    }
    catalog_free(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_are_counted_before_their_result)};

    log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
