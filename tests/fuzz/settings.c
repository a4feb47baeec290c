/* The input's first byte chooses whether its lines are environment variables, options, a settings
 * file, or options and variables together. A value that is taken is within its bounds, and there is
 * an error text if and only if a value is refused. */
#include "config/settings.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "config/config.h"
#include "fuzz.h"
#include "shared/scoreboard.h"

enum { LINES_MAX = 64, FILE_PATH_SIZE = 32 };

enum way { WAY_ENVIRONMENT, WAY_OPTIONS, WAY_FILE, WAY_ALL, WAYS };

static size_t split(char *text, char **lines)
{
    size_t count = 0;
    char *rest;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL && count < LINES_MAX;
         line = strtok_r(NULL, "\n", &rest)) {
        lines[count++] = line;
    }
    lines[count] = NULL;
    return count;
}

/* A file in memory, which has a name while this process lives. */
static int make_file(char path[FILE_PATH_SIZE])
{
    int fd = memfd_create("settings", MFD_CLOEXEC);

    MUST(fd >= 0 && fchmod(fd, 0600) == 0);
    snprintf(path, FILE_PATH_SIZE, "/proc/self/fd/%d", fd);
    return fd;
}

static void write_file(int fd, const uint8_t *data, size_t size)
{
    MUST(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
}

/* Takes all of them, as at a start. */
static bool take_all(struct config *config, char **lines, int count, FILE *errors)
{
    settings_release(config);
    *config = (struct config){0};
    return config_read(config, lines + 1, count + 1, lines, errors);
}

/* The error text is empty if and only if the lines are taken. */
static void take(enum way way, const char *path, char **lines, int count)
{
    struct config config = {0};
    char *said = NULL;
    size_t length = 0;
    FILE *errors = open_memstream(&said, &length);

    MUST(errors != NULL);
    settings_take_defaults(&config);
    bool good = way == WAY_ENVIRONMENT ? settings_take_environment(&config, lines + 1, errors)
                : way == WAY_OPTIONS   ? settings_take_options(&config, count + 1, lines, errors)
                : way == WAY_FILE      ? settings_take_file(&config, path, errors)
                                       : take_all(&config, lines, count, errors);
    fclose(errors);
    MUST(good == (length == 0));
    if (good) {
        MUST(config.workers >= 0 && config.workers <= WORKERS_MAX);
        MUST(config.body_max >= 1024 && config.body_max <= BODY_MAX_LIMIT);
        MUST(config.posts_per_hour >= 0 && config.posts_per_hour <= PER_HOUR_MAX);
        MUST(config.listen_mode >= 0 && config.listen_mode <= 0777);
    }
    config_release(&config);
    free(said);
}

FUZZ_TARGET(settings)
{
    static char path[FILE_PATH_SIZE];
    static int fd;
    struct arena arena = {0};
    char program[] = "cruddurd";
    char *lines[LINES_MAX + 2] = {program};

    if (path[0] == '\0') {
        fd = make_file(path);
    }
    if (size == 0) {
        return 0;
    }
    enum way way = data[0] % WAYS;
    int count = (int)split(arena_copy(&arena, (const char *)data + 1, size - 1), lines + 1);
    if (way == WAY_FILE) {
        write_file(fd, data + 1, size - 1);
    }
    take(way, path, lines, count);
    arena_release(&arena);
    return 0;
}
