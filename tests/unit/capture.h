/* Captures what is written to stderr between capture_start() and capture_stop(). */
#ifndef CRUDDUR_TESTS_CAPTURE_H
#define CRUDDUR_TESTS_CAPTURE_H

#include <stddef.h>

#include "base/buf.h"

/* No assertion may fail before capture_stop(): cmocka's message would be captured as well. */
void capture_start(void);

/* Appends all that was written to text. Returns the number of writes. */
size_t capture_stop(struct buf *text);

#endif
