/* A text with HTTP header lines, "Name: value", as an operator writes it into a file. */
#ifndef CRUDDUR_BASE_HEADERS_H
#define CRUDDUR_BASE_HEADERS_H

#include "base/error.h"

enum { HEADER_LINE_MAX = 8192 /* bytes */ };

/* Gets a line without its line end; the text lives until the function returns. */
typedef void header_take(void *context, const char *line);

/* Calls take for each line. Empty lines and lines that begin with '#' are ignored. False: a line is
 * no header. The error has the number of the line and not its text, which may be a secret. */
MUST_CHECK bool headers_read(const char *text, header_take *take, void *context,
                             struct error *error);

#endif
