/* Writes the statements that the bench's subjects share, as a worker of cruddurd prepares them:
 *     statements SQL-DIR FOLDER
 * leaves home.sql, show.sql and create.sql in FOLDER, with $1, $2, … in the catalog's order. */
#include <stdio.h>
#include <stdlib.h>

#include "db/catalog.h"

static const struct {
    enum statement_id id;
    const char *file;
} SHARED[] = {
    {STATEMENT_ACTIVITIES_HOME, "home.sql"},
    {STATEMENT_ACTIVITIES_SHOW, "show.sql"},
    {STATEMENT_ACTIVITIES_CREATE, "create.sql"},
};

static bool write_statement(const struct prepared *prepared, const char *folder, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        return false;
    }
    bool good = fputs(prepared->sql, file) >= 0;
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
    struct catalog *catalog = catalog_load(argv[1]);
    if (catalog == NULL) {
        return EXIT_FAILURE;
    }
    bool good = true;
    for (size_t i = 0; i < sizeof SHARED / sizeof SHARED[0]; i++) {
        good = write_statement(catalog_get(catalog, SHARED[i].id), argv[2], SHARED[i].file) && good;
    }
    catalog_free(catalog);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
