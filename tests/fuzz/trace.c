/* Any text is a header with ids in it or none, and ids that were read are written as the same
 * text. */
#include "base/trace.h"

#include "base/arena.h"
#include "base/ids.h"
#include "fuzz.h"

static void must_be_zero(const struct trace_parent *parent)
{
    MUST(trace_id_is_zero(parent->id, TRACE_ID_SIZE));
    MUST(trace_id_is_zero(parent->span_id, SPAN_ID_SIZE));
    MUST(parent->decision == TRACE_UNDECIDED);
}

static void look_at_w3c(const char *text, struct arena *arena)
{
    char id[2 * TRACE_ID_SIZE + 1], span_id[2 * SPAN_ID_SIZE + 1];
    struct trace_parent parent;

    if (!trace_read_w3c(text, &parent)) {
        MUST(!traceparent_is_valid(text));
        must_be_zero(&parent);
        return;
    }
    trace_id_text(parent.id, TRACE_ID_SIZE, id);
    trace_id_text(parent.span_id, SPAN_ID_SIZE, span_id);
    MUST(strcmp(arena_printf(arena, "00-%s-%s-%s", id, span_id, text + 53), text) == 0);
    MUST(parent.decision != TRACE_UNDECIDED);
}

static void look_at_amazon(const char *text)
{
    struct trace_parent parent;

    if (!trace_read_amazon(text, &parent)) {
        must_be_zero(&parent);
        return;
    }
    MUST(strstr(text, "Root=1-") != NULL);
    MUST(!trace_id_is_zero(parent.id, TRACE_ID_SIZE));
    MUST(trace_id_is_zero(parent.span_id, SPAN_ID_SIZE) || strstr(text, "Parent=") != NULL);
}

FUZZ_TARGET(trace)
{
    struct arena arena = {0};
    const char *text = arena_copy(&arena, (const char *)data, size);

    look_at_w3c(text, &arena);
    look_at_amazon(text);
    arena_release(&arena);
    return 0;
}
