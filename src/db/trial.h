/* What --check and a reload find out about a session: whether the database fits the statements. */
#ifndef CRUDDUR_DB_TRIAL_H
#define CRUDDUR_DB_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/failure.h"

struct session;

/* Whether the schema fits every statement of the session's lanes and the database lets this role
 * run it. Each refusal is added to failure. Behind a pooler, where statements are not prepared,
 * rights are not checked. */
MUST_CHECK bool trial_may_run_all(struct session *session, int64_t deadline_us,
                                  struct session_failure *failure);

/* Whether the role has superuser rights. */
bool trial_is_superuser(const struct session *session);

/* Whether the connection goes over TCP and the server's certificate and name are not verified
 * (sslmode is not verify-full). */
bool trial_is_unverified(const struct session *session);

#endif
