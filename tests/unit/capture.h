/* What goes to stderr meanwhile, write by write. */
#ifndef CRUDDUR_TESTS_CAPTURE_H
#define CRUDDUR_TESTS_CAPTURE_H

#include <stddef.h>

#include "base/buf.h"

/* Nothing in between may fail: cmocka's own words would be captured as well. */
void capture_start(void);

/* Appends to text all that was written; the number of writes. */
size_t capture_stop(struct buf *text);

#endif
