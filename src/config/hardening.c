/* A secret can leave a process in three ways that do not need a bug in the process:
 * /proc/PID/environ, a core file, and a debugger of the same user. The first way is closed by
 * overwriting the variables where the kernel shows them, the other two by making the process not
 * dumpable. None of this protects from root. Besides, no program that the process executes can gain
 * rights (PR_SET_NO_NEW_PRIVS). */
#include "config/hardening.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/memory.h"

static const char *const SECRETS[] = {"CONNECTION_URL=",
                                      "READ_CONNECTION_URL=",
                                      "PROD_CONNECTION_URL=",
                                      "PGPASSWORD=",
                                      "CRUDDUR_APP_PASSWORD=",
                                      "CRUDDUR_HOOK_PASSWORD=",
                                      "CRUDDUR_OWNER_PASSWORD=",
                                      "CRUDDUR_READER_PASSWORD=",
                                      NULL};

/* The beginnings of the variables that hardening_plain_environment() keeps. Sanitizers have their
 * options in variables, too. */
static const char *const PLAIN[] = {"ASAN_OPTIONS=",
                                    "HOME=",
                                    "LANG=",
                                    "LC_",
                                    "LD_LIBRARY_PATH=",
                                    "LOCALDOMAIN=",
                                    "LSAN_OPTIONS=",
                                    "OPENSSL_CONF=",
                                    "PATH=",
                                    "RES_OPTIONS=",
                                    "SSL_CERT_DIR=",
                                    "SSL_CERT_FILE=",
                                    "TZ=",
                                    "UBSAN_OPTIONS=",
                                    NULL};

static bool begins_with_any(const char *variable, const char *const *beginnings)
{
    for (; *beginnings != NULL; beginnings++) {
        if (strncmp(variable, *beginnings, strlen(*beginnings)) == 0) {
            return true;
        }
    }
    return false;
}

void hardening_hide_secrets(char **environment)
{
    for (; *environment != NULL; environment++) {
        if (begins_with_any(*environment, SECRETS)) {
            char *shown = *environment;

            *environment = memory_copy(shown); /* for as long as the process lives */
            explicit_bzero(shown, strlen(shown));
        }
    }
}

void hardening_apply(bool allows_core)
{
    const struct rlimit none = {0};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        log_errno(LOG_WARNING, "supervisor", "no_new_privs");
    }
    if (allows_core) {
        return;
    }
    /* The limit has no effect where cores are piped to a program (core(5)), but PR_SET_DUMPABLE
     * has. */
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        log_errno(LOG_WARNING, "supervisor", "no core");
    }
}

char **hardening_plain_environment(char **environment)
{
    size_t count = 0;

    while (environment[count] != NULL) {
        count++;
    }
    char **plain = memory_zeroed((count + 1) * sizeof *plain);
    for (char **end = plain; *environment != NULL; environment++) {
        if (begins_with_any(*environment, PLAIN)) {
            *end++ = *environment;
        }
    }
    return plain;
}
