/* Writes the statements that the bench's subjects share, as a worker of cruddurd prepares them:
 *     statements SQL-DIR FOLDER
 * leaves home.sql, show.sql and create.sql in FOLDER, with $1, $2, … in the catalog's order, but for the
 * parameters that are the same for every request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/activities.h"
#include "api/routes.h"
#include "db/catalog.h"

static const struct {
    const struct statement_def *def;
    const char *file;
} SHARED[] = {
    {&ACTIVITIES_HOME, "home.sql"},
    {&ACTIVITIES_SHOW, "show.sql"},
    {&ACTIVITIES_CREATE, "create.sql"},
};

/* No limit for an author, and a write is never late. They are a create's last parameters. */
static const struct {
    const char *parameter, *value;
} CONSTANTS[] = {{"most", "0"}, {"not_after", "4611686018427387904"}};

static const char *constant(const char *parameter)
{
    for (size_t i = 0; i < sizeof CONSTANTS / sizeof CONSTANTS[0]; i++) {
        if (strcmp(CONSTANTS[i].parameter, parameter) == 0) {
            return CONSTANTS[i].value;
        }
    }
    return NULL;
}

static bool write_sql(FILE *file, const char *sql, const char *const *parameters)
{
    while (*sql != '\0') {
        char *end = NULL;
        long number = *sql == '$' ? strtol(sql + 1, &end, 10) : 0;
        const char *value = number > 0 ? constant(parameters[number - 1]) : NULL;

        if ((value != NULL ? fputs(value, file) : fputc(*sql, file)) == EOF) {
            return false;
        }
        sql = value != NULL ? end : sql + 1;
    }
    return true;
}

static bool write_statement(const struct prepared *prepared, const char *folder, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        return false;
    }
    bool good = write_sql(file, prepared->sql, prepared->def->parameters);
    good = fclose(file) == 0 && good;
    if (!good) {
        perror(path);
    }
    return good;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "Usage: statements SQL-DIR FOLDER\n");
        return 2;
    }
    struct catalog *catalog = routes_load_catalog(argv[1]);
    if (catalog == NULL) {
        return EXIT_FAILURE;
    }
    bool good = true;
    for (size_t i = 0; i < sizeof SHARED / sizeof SHARED[0]; i++) {
        good =
            write_statement(catalog_get(catalog, SHARED[i].def), argv[2], SHARED[i].file) && good;
    }
    catalog_free(catalog);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
