/* The reason of a failure as text, while a process starts or a session connects. It has no status
 * code, because a person reads it. On the path of a request the reason is an enum status
 * (base/status.h), and it is errno only inside a function that has just made a system call. There
 * are no other ways. */
#ifndef CRUDDUR_BASE_ERROR_H
#define CRUDDUR_BASE_ERROR_H

#include <stdbool.h>

/* A result that the caller has to look at. */
#define MUST_CHECK __attribute__((warn_unused_result))

struct error {
    char text[4096]; /* without the path or name that it is about: the caller knows that */
};

/* Sets the text, which is cut to its size. Always returns false, which the caller can return in
 * turn. */
bool error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
