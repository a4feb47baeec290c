/* How the settings' values get into struct config, and the texts about the settings. What is wrong
 * is named on errors, and false returned. */
#ifndef CRUDDUR_CONFIG_SETTINGS_H
#define CRUDDUR_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stdio.h>

struct config;

void settings_take_defaults(struct config *config);

/* Variables as of environ; others' are passed over, but none may begin with CRUDDUR_. */
bool settings_take_environment(struct config *config, char **environment, FILE *errors);

/* Options "--name value" or "--name=value", and what to do, such as "--help". */
bool settings_take_options(struct config *config, int argc, char **argv, FILE *errors);

/* Lines "VARIABLE=value"; empty ones and comments (#) are passed over. */
bool settings_take_file(struct config *config, const char *path, FILE *errors);

/* Frees the texts among the values. */
void settings_release(struct config *config);

/* The help text, with every setting, its variable and its default. */
void settings_help(FILE *out);

/* A settings file for settings_take_file: every setting with its help and the form of its values as
 * a comment. No line of it sets anything; those with a default have that as their value. */
void settings_print(FILE *out);

#endif
