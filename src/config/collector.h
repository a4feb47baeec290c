/* The settings of traces. */
#ifndef CRUDDUR_CONFIG_COLLECTOR_H
#define CRUDDUR_CONFIG_COLLECTOR_H

#include <stdbool.h>
#include <stdio.h>

struct config;

/* Whether the endpoint is a valid URL, and the headers file can be read, has only header lines, and
 * is sent to this host or over TLS only. The fault is reported on errors. */
bool collector_is_good(const struct config *config, FILE *errors);

#endif
