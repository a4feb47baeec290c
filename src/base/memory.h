/* Allocation that cannot fail: a process that gets no memory reports that and ends with status 1.
 * The master replaces a worker that ended so. */
#ifndef CRUDDUR_BASE_MEMORY_H
#define CRUDDUR_BASE_MEMORY_H

#include <stddef.h>

void *memory_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *memory_zeroed(size_t size) __attribute__((malloc, returns_nonnull));
void *memory_resize(void *old, size_t size) __attribute__((returns_nonnull));
char *memory_copy(const char *text) __attribute__((malloc, returns_nonnull));
void memory_free(void *memory); /* NULL is allowed */

/* Returns free memory to the system, wherever in the heap it is. Takes about 0.1 ms per MB. */
void memory_give_back(void);

#endif
