/* Whatever is taken for a document has only well-formed text in it. */
#include "base/json.h"

#include "base/json_grammar.h"
#include "base/utf8.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"message", "ttl", "a", ""};
    const char *text = (const char *)data;
    struct json *document = json_parse(text, size);
    size_t members;

    if (document == NULL) {
        return 0;
    }
    MUST(utf8_valid(text, size));
    MUST(memchr(text, '\0', size) == NULL);
    MUST(json_grammar(text, size, JSON_DEPTH_MAX, &members));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *string;

        MUST((json_member(document, names[i], &string) == JSON_STRING) == (string != NULL));
        MUST(string == NULL || utf8_valid(string, strlen(string)));
    }
    json_free(document);
    return 0;
}
