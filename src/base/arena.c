/* Memory of one request. Blocks come from chunks that are released together, so nothing that
 * lives as long as the request needs a free of its own, and no error path can leak. The first
 * chunk in the list is the one with room; a block that is larger than a chunk gets a chunk for
 * itself. An arena is never shared between requests. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { CHUNK_BYTES = 4096 };

/* Chunks form a list with the newest first. used is a multiple of the strictest alignment. */
struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    size_t used;
    _Alignas(max_align_t) char bytes[];
};

/* Keeps the next block aligned as well. */
static size_t rounded_up(size_t size)
{
    const size_t unit = _Alignof(max_align_t);

    return (size + unit - 1) / unit * unit;
}

/* If the newest chunk has too little room, its rest stays unused: blocks are small beside
 * chunks. */
static struct arena_chunk *chunk_with_room(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = arena->chunk;

    if (chunk == NULL || chunk->size - chunk->used < size) {
        size_t bytes = size > CHUNK_BYTES ? size : CHUNK_BYTES;

        chunk = memory_alloc(sizeof *chunk + bytes);
        *chunk = (struct arena_chunk){.next = arena->chunk, .size = bytes};
        arena->chunk = chunk;
    }
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = rounded_up(size);
    struct arena_chunk *chunk = chunk_with_room(arena, rounded);
    char *place = chunk->bytes + chunk->used;

    chunk->used += rounded;
    return place;
}

char *arena_copy(struct arena *arena, const char *bytes, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);

    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);

    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = arena_alloc(arena, size);
    text[0] = '\0';
    vsnprintf(text, size, format, again);
    va_end(again);
    return text;
}

void arena_release(struct arena *arena)
{
    while (arena->chunk != NULL) {
        struct arena_chunk *next = arena->chunk->next;

        memory_free(arena->chunk);
        arena->chunk = next;
    }
}
