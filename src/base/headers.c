#include "base/headers.h"

#include <stddef.h>
#include <string.h>

/* RFC 9110, section 5.6.2. */
#define TOKEN_CHARACTERS                                                                           \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"

/* Whether line is a name and a value that is not empty and has no control character, which could
 * begin another header. */
static bool is_header(const char *line)
{
    size_t name = strspn(line, TOKEN_CHARACTERS);

    if (name == 0 || line[name] != ':') {
        return false;
    }
    line += name + 1;
    line += strspn(line, " \t");
    if (*line == '\0') {
        return false;
    }
    for (; *line != '\0'; line++) {
        if (((unsigned char)*line < 0x20 && *line != '\t') || *line == 0x7f) {
            return false;
        }
    }
    return true;
}

bool headers_read(const char *text, header_take *take, void *context, struct error *error)
{
    char line[HEADER_LINE_MAX + 1];

    for (int number = 1; *text != '\0'; number++) {
        size_t length = strcspn(text, "\n");
        bool fits = length <= HEADER_LINE_MAX;

        memcpy(line, text, fits ? length : 0);
        line[fits ? length : 0] = '\0';
        text += length + (text[length] == '\n');
        if (fits && (length == 0 || *line == '#')) {
            continue;
        }
        if (!fits || !is_header(line)) {
            return error_set(error, "line %d is not a header 'Name: value'", number);
        }
        take(context, line);
    }
    return true;
}
