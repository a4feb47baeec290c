/* Files of settings, templates and secrets are small and read as a whole. A limit on their size
 * keeps a wrong path, such as a device, from filling the memory. Blocks on the stack are
 * overwritten, as the file may be a secret. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* block is overwritten by its caller: it may have a secret in it. */
static bool read_blocks(int fd, char *block, size_t size, struct buf *text, struct error *error)
{
    ssize_t got;

    while ((got = read(fd, block, size)) != 0) {
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_set(error, "%s", strerror(errno));
        }
        if (text->length + (size_t)got > FILE_TEXT_MAX) {
            return error_set(error, "it is larger than 256 KiB");
        }
        buf_append(text, block, (size_t)got);
    }
    if (text->length > 0 && memchr(text->bytes, '\0', text->length) != NULL) {
        return error_set(error, "it has a NUL byte");
    }
    return true;
}

static bool read_all(int fd, struct buf *text, struct error *error)
{
    char block[4096];
    bool good = read_blocks(fd, block, sizeof block, text, error);

    explicit_bzero(block, sizeof block);
    return good;
}

/* Group read is allowed: a secret may belong to root and the service's group. */
static bool is_private(const struct stat *about)
{
    return (about->st_mode & (S_IRWXO | S_IWGRP)) == 0;
}

/* about is that of the file that is read, even if another one replaces it meanwhile. */
static bool read_path(const char *path, bool is_secret, struct buf *text, struct stat *about,
                      struct error *error)
{
    bool good = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return error_set(error, "%s", strerror(errno));
    }
    if (fstat(fd, about) != 0) {
        error_set(error, "%s", strerror(errno));
    } else if (is_secret && !is_private(about)) {
        error_set(error, "others can read it or more than its owner can write it (chmod 600)");
    } else {
        good = read_all(fd, text, error);
    }
    close(fd);
    return good;
}

bool file_read(const char *path, struct buf *text, struct error *error)
{
    struct stat about;

    return read_path(path, false, text, &about, error);
}

bool file_read_dated(const char *path, struct buf *text, int64_t *modified_s, struct error *error)
{
    struct stat about;
    bool good = read_path(path, false, text, &about, error);

    *modified_s = good ? about.st_mtime : 0;
    return good;
}

bool file_read_private(const char *path, struct buf *text, struct error *error)
{
    struct stat about;

    if (!read_path(path, true, text, &about, error)) {
        return false;
    }
    while (text->length > 0 && strchr(" \t\r\n", text->bytes[text->length - 1]) != NULL) {
        text->bytes[--text->length] = '\0';
    }
    return true;
}

bool file_read_secret(const char *path, struct buf *text, struct error *error)
{
    return file_read_private(path, text, error) &&
           (text->length > 0 || error_set(error, "it is empty"));
}
