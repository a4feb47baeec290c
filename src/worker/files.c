/* The files of a worker's sandbox, by Landlock. Reading is allowed
 *
 * - below the folders of the system (the resolver's configuration, certificates, libraries that the
 *   resolver loads);
 * - in the folder of each file with a database's URL or with the issuer's keys. The rule is for the
 *   folder, because a change replaces the file;
 * - in the folder of each file that the URL or libpq's environment names.
 *
 * Nothing may be written, created or executed. A unix socket needs no right, because Landlock does
 * not treat connecting as access to a file. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "config/config.h"
#include "db/conninfo.h"
#include "worker/sandbox.h"

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

/* FILE_RIGHTS are all rights of Landlock's first version. Its second version added moving a file
 * between folders, which a process with a ruleset may do only if a rule allows it. The third added
 * truncate(2), which takes a path and so needs none of the other rights. ioctl(2), added later,
 * needs a descriptor, and so one of these rights. */
enum {
    TRUNCATE_VERSION = 3,
    FILE_RIGHTS = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
    READ_RIGHTS = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR
};

/* /dev for null and urandom; /proc and /sys for what the C library reads about the machine. */
static const char *const SYSTEM[] = {
    "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sys", "/usr", "/var/lib/ca-certificates",
    NULL};

/* Environment variables that name a file or a folder. */
static const char *const VARIABLES[] = {"PGPASSFILE",
                                        "PGSERVICEFILE",
                                        "PGSYSCONFDIR",
                                        "PGSSLCERT",
                                        "PGSSLKEY",
                                        "PGSSLROOTCERT",
                                        "PGSSLCRL",
                                        "PGSSLCRLDIR",
                                        "SSL_CERT_FILE",
                                        "SSL_CERT_DIR",
                                        "OPENSSL_CONF",
                                        "RESOLV_HOST_CONF",
                                        NULL};

/* Keywords of the URL that name a file or a folder. */
static const char *const KEYWORDS[] = {"passfile", "sslcert",   "sslkey",      "sslrootcert",
                                       "sslcrl",   "sslcrldir", "servicefile", NULL};

/* Files and folders in the home folder that libpq reads (libpq-connect). */
static const char *const AT_HOME[] = {".pgpass", ".postgresql", ".pg_service.conf", NULL};

/* A path that does not exist gets no rule: a file that is created there later is not readable. */
static void allow(int ruleset, const char *path)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = READ_RIGHTS};
    struct stat about;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0) {
        return;
    }
    if (fstat(rule.parent_fd, &about) == 0 && !S_ISDIR(about.st_mode)) {
        rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
    }
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

/* Allows the folder of the path as it is written, and that of the file if the path is a symbolic
 * link: the kernel judges by the file. */
static void allow_folder_of(int ruleset, const char *path)
{
    if (path != NULL) {
        char *copy = memory_copy(path), *file = realpath(path, NULL);

        allow(ruleset, dirname(copy));
        if (file != NULL) {
            allow(ruleset, dirname(file));
        }
        memory_free(copy);
        free(file);
    }
}

/* Allows the folder of a file that a setting of libpq or OpenSSL names. A name without a slash is a
 * file in the current folder, or a word (sslrootcert=system), or empty. Then only the name itself
 * is allowed, because the current folder may be the root. */
static void allow_named(int ruleset, const char *name)
{
    if (name != NULL && strchr(name, '/') != NULL) {
        allow_folder_of(ruleset, name);
    } else if (name != NULL) {
        allow(ruleset, name);
    }
}

/* Allows the files that the URL of a database names. A URL that cannot be read or parsed names
 * none: connecting then fails with the reason. */
static void allow_files_of_url(int ruleset, const char *url, const char *url_file)
{
    struct conninfo conninfo;
    struct buf text = {0};
    struct error error;

    if (url != NULL) {
        buf_text(&text, url);
    } else if (url_file == NULL || !file_read_secret(url_file, &text, &error)) {
        buf_release(&text);
        return;
    }
    if (conninfo_parse(text.bytes, "", &conninfo, &error)) {
        for (size_t i = 0; KEYWORDS[i] != NULL; i++) {
            allow_named(ruleset, conninfo_value(&conninfo, KEYWORDS[i]));
        }
        conninfo_release(&conninfo);
    }
    buf_release(&text);
}

static void allow_home(int ruleset)
{
    const struct passwd *user = getpwuid(geteuid());
    const char *home = getenv("HOME");
    char path[4096];

    home = home != NULL && *home != '\0' ? home : user != NULL ? user->pw_dir : NULL;
    for (size_t i = 0; home != NULL && AT_HOME[i] != NULL; i++) {
        snprintf(path, sizeof path, "%s/%s", home, AT_HOME[i]);
        allow(ruleset, path);
    }
}

static void allow_all(int ruleset, const struct config *config)
{
    for (size_t i = 0; SYSTEM[i] != NULL; i++) {
        allow(ruleset, SYSTEM[i]);
    }
    for (size_t i = 0; VARIABLES[i] != NULL; i++) {
        allow_named(ruleset, getenv(VARIABLES[i]));
    }
    allow_home(ruleset);
    allow_folder_of(ruleset, config->connection_url_file);
    allow_folder_of(ruleset, config->read_url_file);
    allow_folder_of(ruleset, config->hook_url_file);
    allow_folder_of(ruleset, config->jwks_file);
    allow_files_of_url(ruleset, config->connection_url, config->connection_url_file);
    allow_files_of_url(ruleset, config->read_url, config->read_url_file);
    allow_files_of_url(ruleset, NULL, config->hook_url_file);
}

static enum sandbox_result failed(const char *what, struct error *error)
{
    bool is_missing = errno == ENOSYS || errno == EOPNOTSUPP;

    error_set(error, "%s: %s", what, strerror(errno));
    return is_missing ? SANDBOX_UNSUPPORTED : SANDBOX_FAILED;
}

/* The rights that are refused where no rule grants them. */
static uint64_t handled_rights(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return version >= TRUNCATE_VERSION ? FILE_RIGHTS | LANDLOCK_ACCESS_FS_TRUNCATE : FILE_RIGHTS;
}

enum sandbox_result files_restrict(const struct config *config, struct error *error)
{
    const struct landlock_ruleset_attr handled = {.handled_access_fs = handled_rights()};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
    enum sandbox_result result = SANDBOX_DONE;

    if (ruleset < 0) {
        return failed("Landlock", error);
    }
    allow_all(ruleset, config);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        result = failed("Landlock", error);
    }
    close(ruleset);
    return result;
}
