/* One digit in either case. Each caller has its own rule for the length, so there is no function
 * for a whole text. */
#include "base/hex.h"

int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}
