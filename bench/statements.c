/* Writes the statements that the bench's subjects share, as a worker of cruddurd prepares them:
 *     statements SQL-DIR FOLDER
 * leaves home.sql, show.sql and create.sql in FOLDER. Their $1, $2, … are the parameters that SHARED
 * names, in that order; the others have the value that they have in the bench's requests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/activities.h"
#include "api/routes.h"
#include "db/catalog.h"

enum { PARAMETERS_MAX = 8 };

struct shared {
    const struct statement_def *def;
    const char *file;
    const char *parameters[PARAMETERS_MAX]; /* up to a NULL, as all others */
    const struct {
        const char *parameter, *value;
    } constants[PARAMETERS_MAX];
};

/* Requests are anonymous, a page is the first one; no author has a limit, and no write is late. */
static const struct shared SHARED[] = {
    {&ACTIVITIES_HOME,
     "home.sql",
     {"limit", "after_us", "after_uuid"},
     {{"sub", "null::text"}, {"viewer", "null::text"}, {"week4", "false"}}},
    {&ACTIVITIES_SHOW,
     "show.sql",
     {"uuid", "handle", "sub", "viewer"},
     {{"newest", "false"},
      {"limit", "50"},
      {"after_us", "null::bigint"},
      {"after_uuid", "null::uuid"}}},
    {&ACTIVITIES_CREATE,
     "create.sql",
     {"uuid", "sub", "handle", "message", "ttl"},
     {{"most", "0"}, {"not_after", "4611686018427387904"}, {"window_s", "0"}}},
};

/* Prints what stands for a parameter. False: SHARED lacks it, or the file is full. */
static bool write_parameter(FILE *file, const struct shared *shared, const char *parameter)
{
    for (int i = 0; i < PARAMETERS_MAX && shared->parameters[i] != NULL; i++) {
        if (strcmp(shared->parameters[i], parameter) == 0) {
            return fprintf(file, "$%d", i + 1) > 0;
        }
    }
    for (int i = 0; i < PARAMETERS_MAX && shared->constants[i].parameter != NULL; i++) {
        if (strcmp(shared->constants[i].parameter, parameter) == 0) {
            return fputs(shared->constants[i].value, file) != EOF;
        }
    }
    fprintf(stderr, "%s: what is its parameter %s?\n", shared->file, parameter);
    return false;
}

static bool write_sql(FILE *file, const char *sql, const struct shared *shared)
{
    while (*sql != '\0') {
        char *end = NULL;
        long number = *sql == '$' ? strtol(sql + 1, &end, 10) : 0;

        if (number > 0 ? !write_parameter(file, shared, shared->def->parameters[number - 1])
                       : fputc(*sql, file) == EOF) {
            return false;
        }
        sql = number > 0 ? end : sql + 1;
    }
    return true;
}

static bool write_statement(const struct prepared *prepared, const char *folder,
                            const struct shared *shared)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, shared->file);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        return false;
    }
    bool good = write_sql(file, prepared->sql, shared);
    good = fclose(file) == 0 && good;
    if (!good) {
        fprintf(stderr, "%s: not written\n", path);
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
        good = write_statement(catalog_get(catalog, SHARED[i].def), argv[2], &SHARED[i]) && good;
    }
    catalog_free(catalog);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
