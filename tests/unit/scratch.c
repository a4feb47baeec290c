#include "scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

void scratch_open(struct scratch *scratch)
{
    snprintf(scratch->dir, sizeof scratch->dir, "/tmp/cruddur-unit-XXXXXX");
    assert_non_null(mkdtemp(scratch->dir));
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

void scratch_close(struct scratch *scratch)
{
    nftw(scratch->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const struct scratch *scratch, const char *name)
{
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", scratch->dir, name);
    return path;
}

static void make_folders(const char *path)
{
    char folder[256];

    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        mkdir(folder, 0700);
    }
}

const char *scratch_write(const struct scratch *scratch, const char *name, const char *bytes,
                          size_t length, mode_t mode)
{
    const char *path = scratch_path(scratch, name);

    make_folders(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

const char *scratch_text(const struct scratch *scratch, const char *name, const char *text)
{
    return scratch_write(scratch, name, text, strlen(text), 0600);
}
