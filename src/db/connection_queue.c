/* The queued statements, and the end of each statement: it is done, once, or it is queued again
 * for another attempt. */
#include <stddef.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/connection_private.h"
#include "db/statement.h"

static void log_statement(const struct connection *connection, const struct statement *statement,
                          const struct result *result)
{
    const char *const *names = statement->def->parameters;

    bool is_poll = statement->def == &STATEMENT_SESSION_SNAPSHOT ||
                   statement->def == &STATEMENT_SESSION_SERVER ||
                   statement->def == &STATEMENT_SESSION_COMMITTED;

    if (!log_wants(LOG_DEBUG) || is_poll /* too many */) {
        return;
    }
    struct log_line line = log_begin(LOG_DEBUG, "statement");
    log_string(&line, "template", statement->def->name);
    log_string(&line, "outcome", result->outcome);
    log_integer(&line, "rows", result->outcome != NULL);
    log_integer(&line, "bytes", (int64_t)result->body_length);
    log_milliseconds(&line, "ms", result->microseconds);
    log_string(&line, "sqlstate", result->sqlstate[0] != '\0' ? result->sqlstate : NULL);
    for (size_t i = 0; connection->settings->logs_values && names[i] != NULL; i++) {
        log_string(&line, names[i], statement->values[i]);
    }
    log_end(&line);
}

void connection_complete(struct connection *connection, struct pending *pending,
                         struct result *result)
{
    result->microseconds = clock_us() - pending->submitted_us;
    log_statement(connection, pending->statement, result);
    if (pending->statement->trace.is_recorded && connection->settings->observe != NULL) {
        connection->settings->observe(connection->settings->observer, pending->statement,
                                      pending->submitted_us, result);
    }
    pending->done(pending->context, result);
    pipeline_forget(pending);
    memory_free(pending);
}

void connection_fail(struct connection *connection, struct pending *pending, enum status status)
{
    struct result result = {.status = status};

    connection_complete(connection, pending, &result);
}

void connection_give_up(struct connection *connection, struct pending *pending)
{
    if (pending->may_be_done && connection_deadline_us(connection, pending) > clock_us()) {
        pipeline_forget(pending);
        pending_append(&connection->spent, pending);
        return;
    }
    bool was_sent = pending->sent_us != 0 && pending_expires(pending);

    connection_fail(connection, pending,
                    was_sent ? STATUS_DATABASE_TIMEOUT : STATUS_DATABASE_UNAVAILABLE);
}

void connection_fail_queue(struct connection *connection)
{
    struct pending_list failing = connection->queue;
    struct pending *pending;

    connection->queue = (struct pending_list){0};
    while ((pending = pending_take(&failing)) != NULL) {
        if (pending->may_be_done) {
            pending_insert(&connection->queue, pending);
        } else {
            connection_give_up(connection, pending);
        }
    }
}

void connection_put_back(struct connection *connection, struct pending *pending)
{
    struct pending_list one = {0};

    pipeline_forget(pending);
    pending_append(&one, pending);
    pending_put_back(&connection->queue, &one);
}

/* --- deadlines --- */

int64_t connection_deadline_us(const struct connection *connection, const struct pending *pending)
{
    return pending->asked_us + connection->settings->deadline_ms * INT64_C(1000);
}

/* A statement behind the first can have an earlier deadline; connection_proceed() ends it. */
const struct pending *connection_next_in_time(struct connection *connection)
{
    int64_t now_us = connection->queue.first != NULL ? clock_us() : 0;

    while (connection->queue.first != NULL &&
           connection_deadline_us(connection, connection->queue.first) <= now_us) {
        connection_give_up(connection, pending_take(&connection->queue));
    }
    return connection->queue.first;
}
