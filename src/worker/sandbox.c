#include "worker/sandbox.h"

#include "base/log.h"
#include "config/config.h"

/* True unless the layer is missing and --sandbox on requires it. */
static bool is_good_enough(enum sandbox_result result, bool is_required, const char *layer,
                           const struct error *error)
{
    if (result == SANDBOX_DONE) {
        return true;
    }
    /* Without --sandbox on, a kernel that lacks the layer is logged at debug level only. */
    bool is_news = is_required || result == SANDBOX_FAILED;

    log_message(is_required ? LOG_ERROR
                : is_news   ? LOG_WARNING
                            : LOG_DEBUG,
                "worker", "sandbox: %s: %s", layer, error->text);
    return !is_required;
}

/* Files first, because the list of allowed system calls does not have Landlock's own. */
bool sandbox_enter(const struct config *config, struct score *score)
{
    bool is_required = config->sandbox == SANDBOX_ON;
    struct error error;

    if (config->sandbox == SANDBOX_OFF) {
        return true;
    }
    enum sandbox_result result = files_restrict(config, &error);
    if (!is_good_enough(result, is_required, "files", &error)) {
        return false;
    }
    result = syscalls_restrict(score, &error);
    return is_good_enough(result, is_required, "system calls", &error);
}
