/* Why something failed, as text, while a process starts or a session connects. There is no
 * status code there: the reader of the text is a person. On the path of a request it is enum
 * status (base/status.h), and errno only inside a function that has just made a system call.
 * These are all the ways there are. */
#ifndef CRUDDUR_BASE_ERROR_H
#define CRUDDUR_BASE_ERROR_H

#include <stdbool.h>

/* A result that the caller has to look at. */
#define MUST_CHECK __attribute__((warn_unused_result))

struct error {
    char text[4096]; /* without the path or name that it is about: the caller knows that */
};

/* Sets the text, which is cut to its size. Gives false, for the caller to return. */
bool error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
