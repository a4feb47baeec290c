/* The result for a prefix of the records is never taken back by later ones, and a reply fits its
 * buffer. */
#include "http/framing.h"

#include "fuzz.h"

struct view {
    struct framing framing;
    size_t at;   /* offset of the record that is not complete or not good */
    size_t kept; /* bytes that belong to requests */
};

static enum framing_kind scan(const uint8_t *data, size_t size, struct view *view)
{
    struct framing_step step;

    *view = (struct view){0};
    for (;;) {
        enum framing_kind kind =
            framing_step(&view->framing, data + view->at, size - view->at, &step);

        if (kind == FRAMING_INCOMPLETE || kind == FRAMING_INVALID || kind == FRAMING_NEXT) {
            return kind;
        }
        MUST(step.length >= FRAMING_HEADER && step.length <= size - view->at);
        MUST(step.reply_length <= FRAMING_REPLY_MAX);
        view->at += step.length;
        view->kept += kind == FRAMING_PART || kind == FRAMING_COMPLETE ? step.length : 0;
        if (kind == FRAMING_ABORTED) {
            view->framing = (struct framing){0};
        }
    }
}

FUZZ_TARGET(framing)
{
    struct view whole, part;
    enum framing_kind end = scan(data, size, &whole);

    for (size_t length = 0; length < size; length++) {
        enum framing_kind kind = scan(data, length, &part);

        MUST(part.at <= whole.at && part.kept <= whole.kept);
        MUST(kind != FRAMING_INVALID || (end == FRAMING_INVALID && part.at == whole.at));
        MUST(kind != FRAMING_NEXT || (end == FRAMING_NEXT && part.at == whole.at));
    }
    return 0;
}
