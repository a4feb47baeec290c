#include "identity/caller.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* 127.0.0.0/8, ::1, or no network at all. */
static bool is_local(const char *remote_addr)
{
    return remote_addr != NULL &&
           (strncmp(remote_addr, "127.", 4) == 0 || strcmp(remote_addr, "::1") == 0 ||
            strcmp(remote_addr, LOCAL_PEER) == 0);
}

struct caller caller_identify(enum identity_mode mode, const char *authorization,
                              const char *remote_addr)
{
    if (authorization != NULL) {
        return (struct caller){CALLER_REFUSED};
    }
    if (mode == IDENTITY_HANDLE && is_local(remote_addr)) {
        return (struct caller){CALLER_BY_HANDLE};
    }
    return (struct caller){CALLER_ANONYMOUS};
}
