/* The settings' values: from the environment, the settings file, the command line and the defaults,
 * and --help and --print-settings. settings_table.c says which settings there are.
 *
 * A value is checked alone here, against its bounds or choices; config.c checks the settings
 * against each other. Every mistake is reported, not only the first. A value that may hold a
 * secret is never repeated in a message. */
#include "config/settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/settings_table.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

static const struct {
    const char *option;
    enum config_action action;
    const char *help;
} ACTIONS[] = {
    {"--check", ACTION_CHECK, "check settings, templates and the database's schema, then end"},
    {"--help", ACTION_HELP, "this text"},
    {"--print-settings", ACTION_PRINT_SETTINGS, "a settings file with all defaults, to edit"},
    {"--routes", ACTION_ROUTES, "the routes of the API, with their statements and codes"},
    {"--version", ACTION_VERSION, "the version"},
};

/* Read by sql/roles.sql. The daemon ignores them. */
static const char *const SCRIPTS_VARIABLES[] = {"CRUDDUR_APP_PASSWORD", "CRUDDUR_HOOK_PASSWORD",
                                                "CRUDDUR_OWNER_PASSWORD",
                                                "CRUDDUR_READER_PASSWORD"};

static const char *name_of(const struct setting *setting)
{
    return setting->option != NULL ? setting->option : setting->variable;
}

static bool set_number(const struct setting *setting, const char *value, int base, int *field)
{
    char *end;
    long number = strtol(value, &end, base);

    if (*value < '0' || *value > '9' || *end != '\0' || number < setting->min ||
        number > setting->max) {
        return false;
    }
    *field = (int)number;
    return true;
}

static bool set_choice(const struct setting *setting, const char *value, int *field)
{
    for (int i = 0; setting->choices[i] != NULL; i++) {
        if (strcmp(setting->choices[i], value) == 0) {
            *field = i;
            return true;
        }
    }
    return false;
}

static bool take_value(struct config *config, const struct setting *setting, const char *value)
{
    void *field = (char *)config + setting->offset;

    switch (setting->kind) {
    case KIND_TEXT:
        memory_free(*(char **)field);
        *(char **)field = memory_copy(value);
        return *value != '\0';
    case KIND_NUMBER:
        return set_number(setting, value, 10, field);
    case KIND_OCTAL:
        return set_number(setting, value, 8, field);
    case KIND_SWITCH:
        *(bool *)field = value[0] == '1';
        return strcmp(value, "0") == 0 || strcmp(value, "1") == 0;
    case KIND_CHOICE:
        return set_choice(setting, value, field);
    }
    return false;
}

static void describe_wrong(const struct setting *setting, const char *name, const char *value,
                           FILE *errors)
{
    /* The value of a database's URL is not printed, because it may have a password in it. */
    fprintf(errors, "cruddurd: %s: '%s' is not %s", name, setting->option != NULL ? value : "…",
            setting->shape);
    if (setting->kind == KIND_NUMBER) {
        fprintf(errors, " from %d to %d", setting->min, setting->max);
    }
    fprintf(errors, "\n");
}

static bool take_setting(struct config *config, const struct setting *setting, const char *name,
                         const char *value, FILE *errors)
{
    if (!take_value(config, setting, value)) {
        describe_wrong(setting, name, value, errors);
        return false;
    }
    return true;
}

void settings_take_defaults(struct config *config)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (SETTINGS[i].initial != NULL) {
            take_value(config, &SETTINGS[i], SETTINGS[i].initial);
        }
    }
}

/* The setting that a variable "NAME=value" of the environment is for. */
static const struct setting *setting_of_variable(const char *variable, size_t name_length)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (strlen(SETTINGS[i].variable) == name_length &&
            memcmp(SETTINGS[i].variable, variable, name_length) == 0) {
            return &SETTINGS[i];
        }
    }
    return NULL;
}

/* Whether a variable of the environment is not a setting of the daemon. */
static bool is_of_others(const char *variable, size_t name_length)
{
    for (size_t i = 0; i < sizeof SCRIPTS_VARIABLES / sizeof SCRIPTS_VARIABLES[0]; i++) {
        if (strlen(SCRIPTS_VARIABLES[i]) == name_length &&
            memcmp(SCRIPTS_VARIABLES[i], variable, name_length) == 0) {
            return true;
        }
    }
    return strncmp(variable, "CRUDDUR_", 8) != 0;
}

/* "NAME=value". An empty value leaves the setting as it is: Docker Compose passes a variable that
 * was not given in this form. A variable that isn't ours is ignored if allows_strangers. */
static bool take_variable(struct config *config, const char *variable, bool allows_strangers,
                          FILE *errors)
{
    size_t length = strcspn(variable, "=");
    const struct setting *setting = setting_of_variable(variable, length);

    if (setting != NULL && variable[length] == '=') {
        return variable[length + 1] == '\0' ||
               take_setting(config, setting, setting->variable, variable + length + 1, errors);
    }
    if (allows_strangers && is_of_others(variable, length)) {
        return true;
    }
    if (strspn(variable, NAME_CHARACTERS) < length) {
        fprintf(errors, "cruddurd: a line of the settings file is not VARIABLE=value\n");
        return false;
    }
    fprintf(errors, "cruddurd: %.*s: there is no such setting (see cruddurd --help)\n", (int)length,
            variable);
    return false;
}

bool settings_take_environment(struct config *config, char **environment, FILE *errors)
{
    bool good = true;

    for (; *environment != NULL; environment++) {
        good = take_variable(config, *environment, true, errors) && good;
    }
    return good;
}

bool settings_take_file(struct config *config, const char *path, FILE *errors)
{
    struct buf text = {0};
    struct error error;
    char *rest = NULL;
    bool good = file_read_private(path, &text, &error);

    if (!good) {
        fprintf(errors, "cruddurd: --settings-file: %s: %s\n", path, error.text);
    }
    char *lines = good && text.length > 0 ? text.bytes : NULL;
    for (char *line = lines ? strtok_r(lines, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        line += strspn(line, " \t");
        if (*line != '\0' && *line != '#') {
            good = take_variable(config, line, false, errors) && good;
        }
    }
    buf_release(&text);
    return good;
}

static bool take_action(struct config *config, const char *option)
{
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++) {
        if (strcmp(ACTIONS[i].option, option) == 0) {
            config->action = ACTIONS[i].action;
            return true;
        }
    }
    return false;
}

static const struct setting *setting_of_option(const char *option, size_t length)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (SETTINGS[i].option != NULL && strlen(SETTINGS[i].option) == length &&
            memcmp(SETTINGS[i].option, option, length) == 0) {
            return &SETTINGS[i];
        }
    }
    return NULL;
}

/* Never quotes a value: it may be a URL that was given as an argument by mistake. */
static void complain_of_argument(const char *argument, int number, FILE *errors)
{
    if (strncmp(argument, "--", 2) == 0) {
        fprintf(errors, "cruddurd: %.*s: there is no such option (see cruddurd --help)\n",
                (int)strcspn(argument, "="), argument);
    } else {
        fprintf(errors, "cruddurd: argument %d is no option (see cruddurd --help)\n", number);
    }
}

bool settings_take_options(struct config *config, int argc, char **argv, FILE *errors)
{
    bool good = true;

    for (int i = 1; i < argc; i++) {
        size_t length = strcspn(argv[i], "=");
        const struct setting *setting = setting_of_option(argv[i], length);

        if (setting == NULL) {
            if (!take_action(config, argv[i])) {
                complain_of_argument(argv[i], i, errors);
                good = false;
            }
        } else if (argv[i][length] == '=') {
            good = take_setting(config, setting, setting->option, argv[i] + length + 1, errors) &&
                   good;
        } else if (i + 1 < argc) {
            i++;
            good = take_setting(config, setting, setting->option, argv[i], errors) && good;
        } else {
            fprintf(errors, "cruddurd: %s needs a value: %s\n", setting->option, setting->shape);
            good = false;
        }
    }
    return good;
}

void settings_release(struct config *config)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (SETTINGS[i].kind == KIND_TEXT) {
            memory_free(*(char **)((char *)config + SETTINGS[i].offset));
        }
    }
}

static void print_help_lines(FILE *out, const char *prefix, const char *help)
{
    for (const char *line = help; *line != '\0'; line += *line == '\n') {
        size_t length = strcspn(line, "\n");

        fprintf(out, "%s%.*s\n", prefix, (int)length, line);
        line += length;
    }
}

void settings_help(FILE *out)
{
    fprintf(out,
            "Usage: cruddurd [OPTION]...\n"
            "Serves Cruddur's API over FastCGI from a pool of workers. The listening socket is\n"
            "--listen's, or handed over on fd 0 (spawn-fcgi) or by systemd. With REQUEST_METHOD\n"
            "and REQUEST_URI in the environment it answers that one CGI request instead.\n\n");
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++) {
        fprintf(out, "  %-17s %s\n", ACTIONS[i].option, ACTIONS[i].help);
    }
    fprintf(out,
            "\nSettings, each with its environment variable and default; the option wins:\n\n");
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *setting = &SETTINGS[i];

        fprintf(out, "  %s %s", name_of(setting), setting->shape);
        if (setting->option != NULL) {
            fprintf(out, "   %s", setting->variable);
        }
        if (setting->initial != NULL) {
            fprintf(out, "   [%s]", setting->initial);
        }
        fprintf(out, "\n");
        print_help_lines(out, "        ", setting->help);
    }
    fprintf(out, "\nSignals: TERM finishes and ends, HUP reads settings and templates again and\n"
                 "replaces the workers one by one, executing the program anew when another one is\n"
                 "installed; QUIT ends at once.\n"
                 "Exit status: 0 done, 1 failure, 2 a wrong setting.\n");
}

/* What a value of the setting looks like. */
static void print_values(FILE *out, const struct setting *setting)
{
    fprintf(out, "# %s", setting->shape);
    if (setting->kind == KIND_NUMBER) {
        fprintf(out, ", %d to %d", setting->min, setting->max);
    }
    fprintf(out, "\n");
}

void settings_print(FILE *out)
{
    fprintf(
        out,
        "# Settings of cruddurd, read at the start and at HUP (systemctl reload cruddurd). See\n"
        "# cruddurd(8). The environment and options win over this file.\n");
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *setting = &SETTINGS[i];

        if (setting->offset == offsetof(struct config, settings_file)) {
            continue;
        }
        fprintf(out, "\n");
        print_help_lines(out, "# ", setting->help);
        print_values(out, setting);
        fprintf(out, "#%s=%s\n", setting->variable,
                setting->initial != NULL ? setting->initial : "");
    }
}
