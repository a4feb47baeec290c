/* Spans as an ExportTraceServiceRequest in JSON (OpenTelemetry Protocol 1.x, OTLP/HTTP), named by
 * the semantic conventions for HTTP and for databases, and the collector's answer. */
#ifndef CRUDDUR_EXPORTER_OTLP_H
#define CRUDDUR_EXPORTER_OTLP_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct span;

/* What all spans of a pool have in common. */
struct otlp_resource {
    const char *version;
    const char *host;
    int64_t pid; /* the master's */
};

/* Appends the request. */
void otlp_write(struct buf *json, const struct otlp_resource *resource,
                const struct span *const *spans, size_t count);

/* How many spans a collector that answered with 200 did not take (partialSuccess.rejectedSpans), at
 * most count; 0 if the answer does not say. */
size_t otlp_rejected(const char *answer, size_t length, size_t count);

#endif
