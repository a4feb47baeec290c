/* Plain CGI (RFC 3875): one request from the environment and standard input, then the end. */
#ifndef CRUDDUR_WORKER_CGI_H
#define CRUDDUR_WORKER_CGI_H

struct config;

/* Answers on standard output. Returns the process's exit status. */
int cgi_serve(const struct config *config, char **environment);

#endif
