/* Reads the settings' values into struct config, and prints the texts about the settings. A
 * function that takes values reports each mistake on errors and then returns false. */
#ifndef CRUDDUR_CONFIG_SETTINGS_H
#define CRUDDUR_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stdio.h>

struct config;

void settings_take_defaults(struct config *config);

/* Variables as in environ. Those of other programs are ignored, but an unknown one that begins with
 * CRUDDUR_ is a mistake. */
bool settings_take_environment(struct config *config, char **environment, FILE *errors);

/* Options "--name value" or "--name=value", and actions such as "--help". */
bool settings_take_options(struct config *config, int argc, char **argv, FILE *errors);

/* Lines "VARIABLE=value"; empty ones and comments (#) are ignored. */
bool settings_take_file(struct config *config, const char *path, FILE *errors);

/* Frees the texts among the values. */
void settings_release(struct config *config);

/* The help text, with every setting, its variable and its default. */
void settings_help(FILE *out);

/* A settings file for settings_take_file: every setting with its help and the form of its values.
 * All its lines are comments, so none sets anything; a setting with a default has it as its
 * value. */
void settings_print(FILE *out);

#endif
