/* Every fuzz target includes this: its entry point, and claims that must hold. */
#ifndef CRUDDUR_TESTS_FUZZ_H
#define CRUDDUR_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The head of the function that gets the inputs. libFuzzer calls it by a fixed name; the unit test
 * test_corpus links all targets, each by the name of its file. */
#ifdef FUZZ_CORPUS
#define FUZZ_TARGET(name) FUZZ_FUNCTION(fuzz_##name)
#else
#define FUZZ_TARGET(name) FUZZ_FUNCTION(LLVMFuzzerTestOneInput)
#endif
#define FUZZ_FUNCTION(function)                                                                    \
    int function(const uint8_t *data, size_t size);                                                \
    int function(const uint8_t *data, size_t size)

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Cuts the first line off the text at rest. The last line need not end. */
static inline char *take_line(char **rest)
{
    char *line = *rest;
    char *end = strchr(line, '\n');

    if (end != NULL) {
        *end = '\0';
    }
    *rest = end != NULL ? end + 1 : line + strlen(line);
    return line;
}

#endif
