/* A document that is taken has only well-formed text in it. */
#include "base/json.h"

#include "base/json_grammar.h"
#include "base/utf8.h"
#include "fuzz.h"

FUZZ_TARGET(json)
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
        int64_t number;

        MUST((json_member(document, names[i], &string) == JSON_STRING) == (string != NULL));
        MUST(string == NULL || utf8_valid(string, strlen(string)));
        MUST(!json_integer(document, names[i], &number) || string == NULL);
        MUST(json_member_object(document, names[i]) == NULL || string == NULL);
        for (size_t at = 0; at < json_array_size(document, names[i]); at++) {
            (void)json_array_object(document, names[i], at);
        }
    }
    json_free(document);
    return 0;
}
