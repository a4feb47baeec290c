/* Messages between two users, which only these two can read. */
#ifndef CRUDDUR_API_MESSAGES_H
#define CRUDDUR_API_MESSAGES_H

#include "api/endpoint.h"

handler messages_groups;  /* the caller's conversations, a list */
handler messages_list;    /* one conversation by its uuid, a list */
handler messages_list_of; /* the conversation with a user, a list */
handler messages_send;    /* message, and message_group_uuid or handle or user_receiver_handle */
handler messages_delete;  /* one of the caller's own */
handler messages_read;    /* the caller has read a conversation, up to until */

extern const struct statement_def MESSAGES_GROUPS;
extern const struct statement_def MESSAGES_LIST;
extern const struct statement_def MESSAGES_APPEND;
extern const struct statement_def MESSAGES_START;
extern const struct statement_def MESSAGES_DELETE;
extern const struct statement_def MESSAGES_READ;

#endif
