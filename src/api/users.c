#include "api/users.h"

enum decision users_short(struct call *call, struct response *response, struct statement *statement)
{
    (void)response;
    *statement = statement_of(STATEMENT_USERS_SHORT);
    statement_bind(statement, "handle", call->request->capture[0]);
    return DECISION_ASK;
}
