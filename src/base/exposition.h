/* Prometheus's text format, version 0.0.4. */
#ifndef CRUDDUR_BASE_EXPOSITION_H
#define CRUDDUR_BASE_EXPOSITION_H

#include <stdint.h>

#include "base/buf.h"

/* The lines before the values of a metric. */
void exposition_begin(struct buf *text, const char *name, const char *type, const char *help);

/* A metric with one value. */
void exposition_one(struct buf *text, const char *name, const char *type, const char *help,
                    uint64_t value);

/* One of several values of a metric. */
void exposition_labelled(struct buf *text, const char *name, const char *label,
                         const char *label_value, uint64_t value);

/* Microseconds as seconds, and the line's end. */
void exposition_seconds(struct buf *text, uint64_t microseconds);

#endif
