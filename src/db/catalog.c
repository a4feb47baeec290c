#include "db/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

static const struct {
    const char *name;
    enum shape shape;
    const char *parameters[TEMPLATE_PARAMETERS_MAX + 1];
    enum lane lane;
    unsigned more_lanes; /* set of lanes that run it, too */
    bool may_share;
    bool takes_turns;
} STATEMENTS[STATEMENT_COUNT] = {
    [STATEMENT_SESSION_BEGIN] = {"session/begin", SHAPE_PLAIN, {"statement_timeout", "is_local"}},
    [STATEMENT_SESSION_ROOM] = {"session/room", SHAPE_OUTCOME, {NULL}, LANE_WATCH},
    [STATEMENT_SESSION_SCHEMA] = {"session/schema", SHAPE_OUTCOME, {NULL}, LANE_WATCH},
    [STATEMENT_SESSION_SNAPSHOT] = {"session/snapshot", SHAPE_OUTCOME, {NULL}, LANE_WATCH},
    [STATEMENT_SESSION_INTRODUCE] = {"session/introduce",
                                     SHAPE_PLAIN,
                                     {"lost", "patience_ms"},
                                     LANE_WRITE,
                                     LANE_SET(LANE_HOOK)},
    [STATEMENT_HEALTH_READY] = {"health/ready", SHAPE_OUTCOME, {NULL}},
    [STATEMENT_ACTIVITIES_HOME] = {"activities/home",
                                   SHAPE_OUTCOME,
                                   {"limit", "after_us", "after_uuid", "week4"}},
    [STATEMENT_ACTIVITIES_SINCE] = {"activities/since",
                                    SHAPE_OUTCOME,
                                    {"since", "limit", "after_us", "after_uuid", "week4"}},
    [STATEMENT_ACTIVITIES_SEARCH] = {"activities/search",
                                     SHAPE_ARRAY,
                                     {"term", "limit"},
                                     .lane = LANE_SLOW},
    [STATEMENT_ACTIVITIES_TRENDS] = {"activities/trends", SHAPE_ARRAY, {NULL}},
    [STATEMENT_ACTIVITIES_SHOW] = {"activities/show",
                                   SHAPE_OUTCOME,
                                   {"uuid", "handle", "newest", "sub", "viewer", "limit",
                                    "after_us", "after_uuid"}},
    [STATEMENT_ACTIVITIES_CREATE] = {"activities/create",
                                     SHAPE_OUTCOME,
                                     {"uuid", "sub", "handle", "message", "ttl", "most", "window_s",
                                      "not_after"},
                                     .lane = LANE_WRITE,
                                     .may_share = true},
    [STATEMENT_ACTIVITIES_REPLY] = {"activities/reply",
                                    SHAPE_OUTCOME,
                                    {"uuid", "sub", "handle", "message", "parent", "most",
                                     "window_s", "not_after"},
                                    .lane = LANE_WRITE},
    [STATEMENT_ACTIVITIES_DELETE] = {"activities/delete",
                                     SHAPE_OUTCOME,
                                     {"uuid", "sub", "handle", "not_after"},
                                     .lane = LANE_WRITE,
                                     .takes_turns = true},
    [STATEMENT_USERS_SHORT] = {"users/short", SHAPE_OBJECT, {"handle"}},
    [STATEMENT_USERS_SUGGESTED] = {"users/suggested", SHAPE_ARRAY, {"sub", "viewer"}},
    [STATEMENT_USERS_FEED] = {"users/feed",
                              SHAPE_OUTCOME,
                              {"handle", "week4", "sub", "viewer", "limit", "after_us",
                               "after_uuid"}},
    [STATEMENT_USERS_TIMELINE] = {"users/timeline",
                                  SHAPE_OUTCOME,
                                  {"handle", "week4", "replies", "reposts", "sub", "viewer",
                                   "limit", "after_us", "after_uuid"}},
    [STATEMENT_USERS_UPDATE] = {"users/update",
                                SHAPE_OUTCOME,
                                {"sub", "handle", "display_name", "bio", "not_after"},
                                .lane = LANE_WRITE},
    [STATEMENT_HOOKS_CONFIRM] = {"hooks/confirm",
                                 SHAPE_OUTCOME,
                                 {"uuid", "event", "pool", "signed_at", "not_after"},
                                 .lane = LANE_HOOK},
    [STATEMENT_MESSAGES_GROUPS] = {"messages/groups",
                                   SHAPE_OUTCOME,
                                   {"sub", "handle", "limit", "after_us", "after_uuid", "view",
                                    "since"}},
    [STATEMENT_MESSAGES_LIST] = {"messages/list",
                                 SHAPE_OUTCOME,
                                 {"sub", "handle", "group", "other", "limit", "after_us",
                                  "after_uuid", "since_us", "since_uuid"}},
    [STATEMENT_MESSAGES_APPEND] = {"messages/append",
                                   SHAPE_OUTCOME,
                                   {"uuid", "sub", "handle", "group", "message", "most",
                                    "not_after"},
                                   .lane = LANE_WRITE},
    [STATEMENT_MESSAGES_START] = {"messages/start",
                                  SHAPE_OUTCOME,
                                  {"uuid", "sub", "handle", "group", "other", "message", "most",
                                   "not_after"},
                                  .lane = LANE_WRITE},
    [STATEMENT_SOCIAL_LIKE] = {"social/like",
                               SHAPE_OUTCOME,
                               {"uuid", "on", "sub", "handle", "not_after"},
                               .lane = LANE_WRITE},
    [STATEMENT_SOCIAL_REPOST] = {"social/repost",
                                 SHAPE_OUTCOME,
                                 {"uuid", "on", "sub", "handle", "not_after"},
                                 .lane = LANE_WRITE},
    [STATEMENT_SOCIAL_FOLLOW] = {"social/follow",
                                 SHAPE_OUTCOME,
                                 {"followed", "on", "most", "sub", "handle", "not_after"},
                                 .lane = LANE_WRITE},
    [STATEMENT_SOCIAL_FOLLOWING] = {"social/following",
                                    SHAPE_OUTCOME,
                                    {"sub", "handle", "limit", "after_us", "after_uuid", "view"},
                                    .lane = LANE_SLOW},
    [STATEMENT_SOCIAL_FOLLOWING_SINCE] = {"social/following_since",
                                          SHAPE_OUTCOME,
                                          {"sub", "handle", "since", "limit", "after_us",
                                           "after_uuid"},
                                          .lane = LANE_SLOW},
    [STATEMENT_ACTIVITIES_KEEP] = {"activities/keep",
                                   SHAPE_OUTCOME,
                                   {"uuid", "ttl", "sub", "handle", "not_after"},
                                   .lane = LANE_WRITE,
                                   .takes_turns = true},
    [STATEMENT_SOCIAL_NOTIFICATIONS] = {"social/notifications",
                                        SHAPE_OUTCOME,
                                        {"sub", "handle", "limit", "after_us", "after_uuid",
                                         "since_us", "since_uuid"}},
    [STATEMENT_SOCIAL_UNREAD] = {"social/unread", SHAPE_OUTCOME, {"sub", "handle"}},
    [STATEMENT_SOCIAL_READ] = {"social/read",
                               SHAPE_OUTCOME,
                               {"until_us", "sub", "handle", "not_after"},
                               .lane = LANE_WRITE},
    [STATEMENT_METRICS_GROWTH] = {"metrics/growth", SHAPE_OUTCOME, {"zone"}, LANE_SLOW},
    [STATEMENT_METRICS_PURGE] = {"metrics/purge", SHAPE_OUTCOME, {NULL}},
    [STATEMENT_METRICS_STEP] = {"metrics/step", SHAPE_OUTCOME, {NULL}, LANE_PURGE},
};

struct catalog {
    struct {
        struct prepared prepared;
        struct buf file;
        struct buf sql;
        int lines_before;
    } entries[STATEMENT_COUNT];
};

struct statement statement_of(enum statement_id id)
{
    return (struct statement){.id = id};
}

/* Where a parameter stands among the values; TEMPLATE_PARAMETERS_MAX: the statement has none of that
 * name. */
static size_t find_parameter(enum statement_id id, const char *parameter)
{
    const char *const *names = STATEMENTS[id].parameters;

    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], parameter) == 0) {
            return i;
        }
    }
    return TEMPLATE_PARAMETERS_MAX;
}

static size_t place_of(enum statement_id id, const char *parameter)
{
    size_t place = find_parameter(id, parameter);

    if (place < TEMPLATE_PARAMETERS_MAX) {
        return place;
    }
    log_message(LOG_ERROR, "bug", "%s has no parameter %s", STATEMENTS[id].name, parameter);
    abort();
}

void statement_bind(struct statement *statement, const char *parameter, const char *value)
{
    statement->values[place_of(statement->id, parameter)] = value;
}

const char *statement_value(const struct statement *statement, const char *parameter)
{
    return statement->values[place_of(statement->id, parameter)];
}

const char *const *catalog_parameters(enum statement_id id)
{
    return STATEMENTS[id].parameters;
}

static size_t count_names(const char *const *names)
{
    size_t count = 0;

    while (names[count] != NULL) {
        count++;
    }
    return count;
}

static bool load_entry(struct catalog *catalog, enum statement_id id, const char *dir)
{
    struct buf *file = &catalog->entries[id].file;
    struct buf *sql = &catalog->entries[id].sql;
    struct buf text = {0};
    struct template_error error;
    const char *why;

    buf_printf(file, "%s/%s.sql", dir, STATEMENTS[id].name);
    bool good = file_read(file->bytes, &text, &why);
    if (!good) {
        log_message(LOG_ERROR, "template", "%s: %s", file->bytes, why);
    } else {
        good = template_compile(text.bytes != NULL ? text.bytes : "", STATEMENTS[id].shape,
                                STATEMENTS[id].parameters, sql, &catalog->entries[id].lines_before,
                                &error);
        if (!good) {
            log_message(LOG_ERROR, "template", "%s:%d: %s", file->bytes, error.line, error.message);
        }
    }
    buf_release(&text);
    catalog->entries[id].prepared = (struct prepared){
        .name = STATEMENTS[id].name,
        .sql = sql->bytes,
        .parameters = count_names(STATEMENTS[id].parameters),
        .shape = STATEMENTS[id].shape,
        .lane = STATEMENTS[id].lane,
        .lanes = LANE_SET(STATEMENTS[id].lane) | STATEMENTS[id].more_lanes,
        .may_share = STATEMENTS[id].may_share,
        .takes_turns = STATEMENTS[id].takes_turns,
        .not_after = find_parameter(id, "not_after"),
    };
    catalog->entries[id].prepared.expires =
        catalog->entries[id].prepared.not_after < TEMPLATE_PARAMETERS_MAX;
    return good;
}

struct catalog *catalog_load(const char *dir)
{
    struct catalog *catalog = memory_zeroed(sizeof *catalog);
    bool good = true;

    for (enum statement_id id = 0; id < STATEMENT_COUNT; id++) {
        good = load_entry(catalog, id, dir) && good;
    }
    if (!good) {
        catalog_free(catalog);
        return NULL;
    }
    return catalog;
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL) {
        return;
    }
    for (enum statement_id id = 0; id < STATEMENT_COUNT; id++) {
        buf_release(&catalog->entries[id].file);
        buf_release(&catalog->entries[id].sql);
    }
    memory_free(catalog);
}

const struct prepared *catalog_get(const struct catalog *catalog, enum statement_id id)
{
    return &catalog->entries[id].prepared;
}

const char *catalog_place(const struct catalog *catalog, enum statement_id id, int position)
{
    static char place[512];
    const char *at = catalog->entries[id].sql.bytes;
    int line = 1;

    /* Characters, not bytes: skip the continuation bytes of UTF-8. */
    for (int left = position - 1; left > 0 && *at != '\0'; at++) {
        left -= (at[1] & 0xc0) != 0x80;
        line += *at == '\n';
    }
    line -= catalog->entries[id].lines_before;
    snprintf(place, sizeof place, "%s:%d", catalog->entries[id].file.bytes, line > 0 ? line : 1);
    return place;
}
