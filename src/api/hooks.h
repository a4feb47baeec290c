/* Requests from other services. */
#ifndef CRUDDUR_API_HOOKS_H
#define CRUDDUR_API_HOOKS_H

#include "api/endpoint.h"

/* Cognito's PostConfirmation trigger: a confirmed sign-up becomes a user. Answers with the
 * event, as a trigger must. */
handler hooks_post_confirmation;

#endif
