#include "api/search.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "api/rules.h"
#include "base/buf.h"
#include "http/query.h"

/* Parts of a term that count: each is looked for in thousands of rows. */
enum { PARTS_MAX = 32 };

/* A term's parts, as sql/activities/search.sql wants them. */
struct term {
    const char *handle; /* without its '@'; NULL: none */
    struct buf words;   /* each of these with a blank behind every part */
    struct buf others;
    struct buf tags;
    struct buf text;
    const char *start; /* the last word when it may be the start of one, else NULL */
    bool is_quoted;    /* a quotation mark is open */
    bool was_or;       /* the word before this one joins what stands on both its sides */
};

static bool is_quoting(const char *word)
{
    return strchr(word, '"') != NULL;
}

static void add(struct buf *list, const char *word)
{
    buf_text(list, word);
    buf_text(list, " ");
}

static void take_word(struct term *term, const char *word)
{
    bool is_or = strcasecmp(word, "or") == 0;

    /* What was last is so no longer. */
    buf_clear(&term->others);
    if (term->words.length > 0) {
        buf_text(&term->others, term->words.bytes);
    }
    add(&term->words, word);
    term->start = term->is_quoted || is_quoting(word) || word[0] == '-' || is_or || term->was_or
                      ? NULL
                      : word;
    term->was_or = is_or;
    for (const char *at = word; (at = strchr(at, '"')) != NULL; at++) {
        term->is_quoted = !term->is_quoted;
    }
}

static void take_part(struct term *term, const char *part)
{
    if (!term->is_quoted && part[0] == '@' && part[1] != '\0' && term->handle == NULL) {
        term->handle = part + 1;
        return;
    }
    add(&term->text, part);
    if (!term->is_quoted && part[0] == '#' && part[1] != '\0') {
        add(&term->tags, part);
    } else {
        take_word(term, part);
    }
}

/* What stands behind the last part that counts is passed over; then that part is a whole one. */
static void cut(struct term *term, struct arena *arena, const char *text)
{
    int parts = 0;

    while (*text != '\0') {
        size_t blank = rule_blank_length(text), length = 0;

        if (blank > 0) {
            text += blank;
            continue;
        }
        while (text[length] != '\0' && rule_blank_length(text + length) == 0) {
            length++;
        }
        if (parts++ == PARTS_MAX) {
            term->start = NULL;
            return;
        }
        take_part(term, arena_copy(arena, text, length));
        text += length;
    }
}

static const char *value_of(struct arena *arena, const struct buf *list)
{
    return list->length > 0 ? arena_copy(arena, list->bytes, list->length - 1) : NULL;
}

static void bind_term(struct statement *statement, struct arena *arena, const char *text)
{
    struct term term = {0};

    cut(&term, arena, text);
    statement_bind(statement, "handle", term.handle);
    statement_bind(statement, "words", value_of(arena, &term.words));
    statement_bind(statement, "start", term.start);
    statement_bind(statement, "others", value_of(arena, &term.others));
    statement_bind(statement, "tags", value_of(arena, &term.tags));
    statement_bind(statement, "text", value_of(arena, &term.text));
    buf_release(&term.words);
    buf_release(&term.others);
    buf_release(&term.tags);
    buf_release(&term.text);
}

enum decision search_trends(struct call *call, struct response *response,
                            struct statement *statement)
{
    (void)call;
    (void)response;
    *statement = statement_of(STATEMENT_ACTIVITIES_TRENDS);
    return DECISION_ASK;
}

enum decision search_activities(struct call *call, struct response *response,
                                struct statement *statement)
{
    struct broken broken = {0};
    const char *term;

    if (query_text(call->request, "term", &term) != STATUS_OK) {
        broken_add(&broken, STATUS_MALFORMED_REQUEST);
    } else {
        rule_search_term(term, &broken);
    }
    if (call->page.after_us != NULL) {
        broken_add(&broken, STATUS_CURSOR_INVALID); /* there is one page */
    }
    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(STATEMENT_ACTIVITIES_SEARCH);
    statement_bind(statement, "limit", call->page.limit);
    bind_term(statement, call->request->arena, term);
    return DECISION_ASK;
}
