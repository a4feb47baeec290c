#include "http/parameters.h"

#include <ctype.h>
#include <string.h>

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* RFC 9110 section 5.6.2. */
static size_t token_length(const char *at)
{
    size_t length = 0;

    while (isalnum((unsigned char)at[length]) ||
           (at[length] != '\0' && strchr("!#$%&'*+-.^_`|~", at[length]) != NULL)) {
        length++;
    }
    return length;
}

/* The length with both quotation marks; 0 if the closing one is missing. */
static size_t quoted_length(const char *at)
{
    for (size_t length = 1; at[length] != '\0'; length++) {
        if (at[length] == '"') {
            return length + 1;
        }
        length += at[length] == '\\' && at[length + 1] != '\0';
    }
    return 0;
}

bool parameters_next(const char **at, struct parameter *parameter)
{
    const char *rest = skip_blanks(*at);

    while (*rest == ';') { /* a semicolon without a parameter is allowed */
        const char *name = skip_blanks(rest + 1);
        size_t name_length = token_length(name);
        const char *value = name + name_length + 1;

        if (name_length > 0) {
            size_t value_length = 0;

            if (name[name_length] == '=') {
                value_length = *value == '"' ? quoted_length(value) : token_length(value);
            }
            *at = value_length > 0 ? value + value_length : name;
            *parameter = (struct parameter){name, value, name_length, value_length};
            return value_length > 0;
        }
        rest = name;
    }
    *at = rest;
    return false;
}
