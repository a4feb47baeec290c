/* A folder of a test's own, for files it makes. */
#ifndef CRUDDUR_TESTS_SCRATCH_H
#define CRUDDUR_TESTS_SCRATCH_H

#include <stddef.h>
#include <sys/types.h>

struct scratch {
    char dir[64];
};

void scratch_open(struct scratch *scratch);
void scratch_close(struct scratch *scratch); /* removes it with all that is in it */

/* The path of a name in it; the text lives until the next four calls. */
const char *scratch_path(const struct scratch *scratch, const char *name);

/* Writes a file, its folders made as needed, and gives its path (as above). */
const char *scratch_write(const struct scratch *scratch, const char *name, const char *bytes,
                          size_t length, mode_t mode);
const char *scratch_text(const struct scratch *scratch, const char *name, const char *text);

#endif
