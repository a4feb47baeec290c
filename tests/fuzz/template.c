/* A template compiles, or its error names a line that the template has. */
#include "db/template.h"

#include "fuzz.h"

static int lines_of(const char *text)
{
    int lines = 1;

    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

FUZZ_TARGET(template)
{
    static const char *const parameters[] = {"limit", "uuid", "handle", NULL};
    char *text = malloc(size + 1);
    struct buf sql = {0};
    struct error error;
    int lines_before;

    MUST(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    enum shape shape = size > 0 ? data[0] % (SHAPE_PLAIN + 1) : SHAPE_PLAIN;
    bool good = template_compile(text, shape, parameters, &sql, &lines_before, &error);
    if (good) {
        MUST(lines_of(sql.bytes) >= lines_of(text) + lines_before);
    } else {
        char *message;
        long line = strtol(error.text, &message, 10);

        MUST(line >= 1 && line <= lines_of(text));
        MUST(strncmp(message, ": ", 2) == 0 && message[2] != '\0');
    }
    buf_release(&sql);
    free(text);
    return 0;
}
