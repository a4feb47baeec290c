/* The list of settings, for settings.c, which reads and prints them. No other file includes this
 * header. */
#ifndef CRUDDUR_CONFIG_SETTINGS_TABLE_H
#define CRUDDUR_CONFIG_SETTINGS_TABLE_H

#include <stddef.h>

/* KIND_TEXT: a char * that the config owns; KIND_SWITCH: a bool; the others: an int. */
enum kind { KIND_TEXT, KIND_NUMBER, KIND_OCTAL, KIND_SWITCH, KIND_CHOICE };

struct setting {
    const char *variable;
    const char *option; /* NULL: environment only, as a command line is readable by everyone */
    const char *shape;  /* of the value, for the help */
    enum kind kind;
    size_t offset;
    const char *initial; /* NULL: unset */
    int min, max;
    const char *const *choices;
    const char *help;
};

extern const struct setting SETTINGS[];
extern const size_t SETTINGS_COUNT;

#endif
