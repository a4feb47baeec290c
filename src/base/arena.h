/* Memory that lives as long as one request: allocated piecemeal, freed all at once. */
#ifndef CRUDDUR_BASE_ARENA_H
#define CRUDDUR_BASE_ARENA_H

#include <stddef.h>

struct arena {
    struct arena_chunk *chunk; /* newest first */
};

/* None of these returns NULL: a process that gets no memory reports that and ends (the master
 * starts another). Memory is aligned for any type and not cleared. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_copy(struct arena *arena, const char *bytes, size_t length); /* adds a NUL */
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Frees all memory of the arena. */
void arena_release(struct arena *arena);

#endif
