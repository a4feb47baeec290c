/* Allocation that does not fail: without memory the process ends with a message, and the master
 * replaces it. Even an error response would need memory. The message is written without stdio,
 * which may allocate. */
#include "base/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *memory)
{
    static const char message[] = "cruddurd: out of memory\n";

    if (memory == NULL) {
        ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
        (void)ignored;
        _exit(EXIT_FAILURE);
    }
    return memory;
}

void *memory_alloc(size_t size)
{
    return checked(malloc(size > 0 ? size : 1));
}

void *memory_zeroed(size_t size)
{
    return checked(calloc(1, size > 0 ? size : 1));
}

void *memory_resize(void *old, size_t size)
{
    return checked(realloc(old, size > 0 ? size : 1));
}

char *memory_copy(const char *text)
{
    return checked(strdup(text));
}

void memory_free(void *memory)
{
    free(memory);
}

void memory_give_back(void)
{
    malloc_trim(0);
}
