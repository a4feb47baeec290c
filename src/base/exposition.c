/* Prometheus's text format, version 0.0.4. Nothing is escaped, because names, labels and help texts
 * are constants of ours. */
#include "base/exposition.h"

void exposition_begin(struct buf *text, const char *name, const char *type, const char *help)
{
    buf_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void exposition_one(struct buf *text, const char *name, const char *type, const char *help,
                    uint64_t value)
{
    exposition_begin(text, name, type, help);
    buf_printf(text, "%s %llu\n", name, (unsigned long long)value);
}

void exposition_labelled(struct buf *text, const char *name, const char *label,
                         const char *label_value, uint64_t value)
{
    buf_printf(text, "%s{%s=\"%s\"} %llu\n", name, label, label_value, (unsigned long long)value);
}

/* Prometheus's unit is the second; the counters are in microseconds. */
void exposition_seconds(struct buf *text, uint64_t microseconds)
{
    buf_printf(text, "%llu.%06llu\n", (unsigned long long)(microseconds / 1000000),
               (unsigned long long)(microseconds % 1000000));
}
