/* A confirmed sign-up: the event of Cognito's PostConfirmation trigger, and the statement that
 * makes a user of it. The hook of the API and the Lambda function take events by these rules.
 * The rules for the values in an event are the database's: confirm_user in sql/schema.sql. */
#ifndef CRUDDUR_CONFIRMATION_CONFIRMATION_H
#define CRUDDUR_CONFIRMATION_CONFIRMATION_H

#include <stdbool.h>

#include "db/statement.h"

struct json;

extern const struct statement_def CONFIRMATION_STATEMENT;

/* Whether the event is for the database: a sign-up, or one whose triggerSource is missing or no
 * string, which the database refuses. An event of any other trigger is answered with itself, since
 * the answer to a trigger must be its event. */
bool confirmation_is_for_database(const struct json *event);

/* The statement for such an event. uuid: for a new user. pool: the user pool that the event must be
 * of; NULL: any. signed_at: when it was signed, in seconds since 1970; NULL: it is not signed, and
 * is accepted at any time. All must live until the statement is done. */
struct statement confirmation_statement(const char *uuid, const char *event, const char *pool,
                                        const char *signed_at);

#endif
