/* Keeps secrets within the processes that need them. */
#ifndef CRUDDUR_CONFIG_HARDENING_H
#define CRUDDUR_CONFIG_HARDENING_H

#include <stdbool.h>

/* Moves the values of variables that have secrets in them (CONNECTION_URL, PGPASSWORD, those of the
 * scripts) to memory that no other user can read, and overwrites them where /proc/PID/environ shows
 * them. getenv() still finds them. */
void hardening_hide_secrets(char **environment);

/* Applies to this process and its children: exec gains no rights. Unless a core is allowed, none is
 * written, and no process of the same user can read this one's memory. */
void hardening_apply(bool allows_core);

/* The environment for a program that needs no secret: only the variables that say where things are.
 * The caller frees the array, and not the texts. */
char **hardening_plain_environment(char **environment);

#endif
