/* Whole small files. */
#ifndef CRUDDUR_BASE_FILE_H
#define CRUDDUR_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { FILE_TEXT_MAX = 256 * 1024 /* bytes */ };

/* Appends a file's bytes. */
MUST_CHECK bool file_read(const char *path, struct buf *text, struct error *error);

/* The same, and sets *modified_s to when the file was written, s since 1970. */
MUST_CHECK bool file_read_dated(const char *path, struct buf *text, int64_t *modified_s,
                                struct error *error);

/* As file_read for a file that may have a secret in it: refused when others than its owner and
 * group can read it or others than its owner can write it. White space at the end is left out. */
MUST_CHECK bool file_read_private(const char *path, struct buf *text, struct error *error);

/* The same for a file that is a secret, such as the URL of a database: refused also when nothing is
 * in it, as for a moment while it is written again. */
MUST_CHECK bool file_read_secret(const char *path, struct buf *text, struct error *error);

#endif
