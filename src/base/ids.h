/* Identifiers: UUIDs for rows, request ids for following one request through the logs. */
#ifndef CRUDDUR_BASE_IDS_H
#define CRUDDUR_BASE_IDS_H

#include <stdbool.h>

enum { UUID_TEXT_SIZE = 37, REQUEST_ID_MAX = 64, TRACEPARENT_LENGTH = 55 };

/* A new random (version 4) UUID, lower case. */
void uuid_make(char text[static UUID_TEXT_SIZE]);

/* The UUID (version 5) of this text: always the same for the same text, and another for any
 * other. */
void uuid_derive(const char *text, char uuid[static UUID_TEXT_SIZE]);

/* The 8-4-4-4-12 form, either case. */
bool uuid_is_valid(const char *text);

/* 1–64 characters of [A-Za-z0-9._-]: safe to log and to send back. */
bool request_id_is_valid(const char *text);

/* A W3C traceparent, version 00: 00-<32 hex>-<16 hex>-<2 hex>, ids not all zero. */
bool traceparent_is_valid(const char *text);

#endif
