/* Plain CGI (RFC 3875): one request from the environment and standard input, then the end. */
#ifndef CRUDDUR_DAEMON_CGI_H
#define CRUDDUR_DAEMON_CGI_H

#include <stdbool.h>

#include "daemon/config.h"

/* Whether this process was started as a CGI program. */
bool cgi_is_meant(const struct config *config);

/* Answers on standard output. The process's exit status. */
int cgi_serve(const struct config *config, char **environment);

#endif
