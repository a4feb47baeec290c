/* A catalog belongs to a generation of workers: it is read before they are forked, shared by
 * copy-on-write, and freed with the generation at the next reload. SQL on disk can therefore
 * change under a running pool without an effect before HUP. Numbers of statements are positions
 * in one catalog and mean nothing in another one. */
#include "db/catalog.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

static const struct statement_def *const OWN[] = {
    &STATEMENT_SESSION_BEGIN, &STATEMENT_SESSION_SERVER,    &STATEMENT_SESSION_INTRODUCE,
    &STATEMENT_SESSION_ROOM,  &STATEMENT_SESSION_SCHEMA,    &STATEMENT_SESSION_SNAPSHOT,
    &STATEMENT_METRICS_STEP,  &STATEMENT_SESSION_COMMITTED,
};

/* entries[number] belongs to defs[number]. The definitions are constants of other files; the texts
 * are owned here. */
struct catalog {
    size_t count;
    const struct statement_def *defs[CATALOG_MAX]; /* dense: catalog_get searches it */
    struct {
        struct prepared prepared;
        struct buf file;
        struct buf sql;
        int lines_before;
    } entries[CATALOG_MAX];
};

static size_t count_names(const char *const *names)
{
    size_t count = 0;

    while (names[count] != NULL) {
        count++;
    }
    return count;
}

static struct prepared prepared_of(const struct statement_def *def, size_t number, const char *sql)
{
    size_t not_after = statement_find(def, "not_after");

    return (struct prepared){
        .def = def,
        .number = number,
        .sql = sql,
        .parameters = count_names(def->parameters),
        .expires = not_after < TEMPLATE_PARAMETERS_MAX,
        .not_after = not_after,
    };
}

/* catalog_load() goes on after an error, so that one run names every wrong file. */
static bool load_entry(struct catalog *catalog, size_t number, const char *dir)
{
    const struct statement_def *def = catalog->defs[number];
    struct buf *file = &catalog->entries[number].file;
    struct buf *sql = &catalog->entries[number].sql;
    struct buf text = {0};
    struct error error;

    buf_printf(file, "%s/%s.sql", dir, def->name);
    bool good = file_read(file->bytes, &text, &error);
    if (!good) {
        log_message(LOG_ERROR, "template", "%s: %s", file->bytes, error.text);
    } else {
        good = template_compile(text.bytes != NULL ? text.bytes : "", def->shape, def->parameters,
                                sql, &catalog->entries[number].lines_before, &error);
        if (!good) {
            log_message(LOG_ERROR, "template", "%s:%s", file->bytes, error.text);
        }
    }
    buf_release(&text);
    catalog->entries[number].prepared = prepared_of(def, number, sql->bytes);
    return good;
}

static void add_statement(struct catalog *catalog, const struct statement_def *def)
{
    if (catalog->count == CATALOG_MAX) {
        log_message(LOG_ERROR, "bug", "the catalog has no room for %s", def->name);
        abort();
    }
    catalog->defs[catalog->count++] = def;
}

struct catalog *catalog_load(const char *dir, const struct statement_def *const *defs)
{
    struct catalog *catalog = memory_zeroed(sizeof *catalog);
    bool good = true;

    for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++) {
        add_statement(catalog, OWN[i]);
    }
    for (size_t i = 0; defs[i] != NULL; i++) {
        add_statement(catalog, defs[i]);
    }
    for (size_t number = 0; number < catalog->count; number++) {
        good = load_entry(catalog, number, dir) && good;
    }
    if (!good) {
        catalog_free(catalog);
        return NULL;
    }
    return catalog;
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL) {
        return;
    }
    for (size_t number = 0; number < catalog->count; number++) {
        buf_release(&catalog->entries[number].file);
        buf_release(&catalog->entries[number].sql);
    }
    memory_free(catalog);
}

/* A linear search through some forty pointers takes about as long as a hash table would. */
static size_t number_in(const struct catalog *catalog, const struct statement_def *def)
{
    for (size_t number = 0; number < catalog->count; number++) {
        if (catalog->defs[number] == def) {
            return number;
        }
    }
    log_message(LOG_ERROR, "bug", "no route names the statement %s", def->name);
    abort();
}

const struct prepared *catalog_get(const struct catalog *catalog, const struct statement_def *def)
{
    return &catalog->entries[number_in(catalog, def)].prepared;
}

size_t catalog_count(const struct catalog *catalog)
{
    return catalog->count;
}

const struct prepared *catalog_at(const struct catalog *catalog, size_t number)
{
    return &catalog->entries[number].prepared;
}

/* PostgreSQL counts characters from the beginning of the statement that it was sent. The line of
 * the wrapping before the template is subtracted. */
const char *catalog_place(const struct catalog *catalog, const struct statement_def *def,
                          int position)
{
    static char place[512];
    const size_t number = number_in(catalog, def);
    const char *at = catalog->entries[number].sql.bytes;
    int line = 1;

    /* Characters, not bytes: skip the continuation bytes of UTF-8. */
    for (int left = position - 1; left > 0 && *at != '\0'; at++) {
        left -= (at[1] & 0xc0) != 0x80;
        line += *at == '\n';
    }
    line -= catalog->entries[number].lines_before;
    snprintf(place, sizeof place, "%s:%d", catalog->entries[number].file.bytes,
             line > 0 ? line : 1);
    return place;
}
