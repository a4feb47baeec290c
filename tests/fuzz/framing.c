/* What a prefix of the bytes says is never taken back by the rest of them. */
#include "http/framing.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct framing_view view, part;
    enum framing whole = framing_scan(data, size, &view);

    MUST(view.length <= size && view.stdin_length <= size);
    MUST((whole == FRAMING_COMPLETE) == (view.length > 0));
    for (size_t length = 0; length < size; length++) {
        switch (framing_scan(data, length, &part)) {
        case FRAMING_INVALID:
            MUST(whole == FRAMING_INVALID);
            break;
        case FRAMING_COMPLETE:
            MUST(whole == FRAMING_COMPLETE && part.length == view.length);
            break;
        case FRAMING_INCOMPLETE:
            MUST(whole != FRAMING_COMPLETE || length < view.length);
            break;
        }
        MUST(part.stdin_length <= view.stdin_length);
        MUST(view.params_complete || !part.params_complete);
    }
    return 0;
}
