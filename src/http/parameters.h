/* The parameters behind a media type or a media range: ;name=value, ;name="quoted value" (RFC 9110
 * sections 5.6.4 and 5.6.6). */
#ifndef CRUDDUR_HTTP_PARAMETERS_H
#define CRUDDUR_HTTP_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>

/* Both parts point into the field's text. A quoted value has its quotation marks and escapes. */
struct parameter {
    const char *name, *value;
    size_t name_length, value_length;
};

/* Takes the next parameter and moves *at behind it. False: there is none, and *at is behind the
 * blanks. If *at is then neither the list's next comma nor the end of the text, the text is
 * ill-formed. */
bool parameters_next(const char **at, struct parameter *parameter);

#endif
