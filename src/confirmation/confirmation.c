/* The event goes to the database as it came. PostgreSQL's privileges allow the logins that run this
 * statement nothing but the function confirm_user. */
#include "confirmation/confirmation.h"

#include <stddef.h>
#include <string.h>

#include "base/json.h"

const struct statement_def CONFIRMATION_STATEMENT = {
    .name = "hooks/confirm",
    .parameters = {"uuid", "event", "pool", "signed_at", "not_after"},
    .lane = LANE_HOOK,
};

/* Cognito sends a confirmed new password to the same trigger. */
bool confirmation_is_for_database(const struct json *event)
{
    const char *trigger;

    return json_member(event, "triggerSource", &trigger) != JSON_STRING ||
           strcmp(trigger, "PostConfirmation_ConfirmSignUp") == 0;
}

struct statement confirmation_statement(const char *uuid, const char *event, const char *pool,
                                        const char *signed_at)
{
    struct statement statement = statement_of(&CONFIRMATION_STATEMENT);

    statement_bind(&statement, "uuid", uuid);
    statement_bind(&statement, "event", event);
    statement_bind(&statement, "pool", pool);
    statement_bind(&statement, "signed_at", signed_at);
    return statement;
}
