/* A folder of its own for each test, for the files that the test makes. */
#ifndef CRUDDUR_TESTS_SCRATCH_H
#define CRUDDUR_TESTS_SCRATCH_H

#include <stddef.h>
#include <sys/types.h>

struct scratch {
    char dir[64];
};

void scratch_open(struct scratch *scratch);
void scratch_close(struct scratch *scratch); /* removes the folder with its files */

/* The path of a file in the folder. The fourth call after this one overwrites the text. */
const char *scratch_path(const struct scratch *scratch, const char *name);

/* Writes a file, makes its folders as needed, and returns its path (as above). */
const char *scratch_write(const struct scratch *scratch, const char *name, const char *bytes,
                          size_t length, mode_t mode);
const char *scratch_text(const struct scratch *scratch, const char *name, const char *text);

#endif
