/* What keeps secrets with the processes that need them. */
#ifndef CRUDDUR_CONFIG_HARDENING_H
#define CRUDDUR_CONFIG_HARDENING_H

#include <stdbool.h>

/* Moves the values of variables that have secrets in them (CONNECTION_URL, PGPASSWORD, those of the
 * scripts) to memory of the process, which no other user reads, and overwrites them where
 * /proc/PID/environ shows them. getenv() goes on finding them. */
void hardening_hide_secrets(char **environment);

/* For this process and its children: no rights are won by exec, and unless a core is allowed there
 * is none and no process of the same user looks into this one's memory. */
void hardening_apply(bool allows_core);

/* What a program that needs no secret is started with: the variables of environ that say where
 * things are. The array is the caller's to free, the texts are not. */
char **hardening_plain_environment(char **environment);

#endif
