/* Small files, and those with a secret in them. */
#include "base/file.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "scratch.h"
#include "unit.h"

static struct scratch scratch;

static int open_scratch(void **state)
{
    (void)state;
    scratch_open(&scratch);
    return 0;
}

static int close_scratch(void **state)
{
    (void)state;
    scratch_close(&scratch);
    return 0;
}

/* Reads the file. wanted is its text; NULL: it cannot be read, for the reason wanted_why. */
static void expect_file(bool (*reads)(const char *, struct buf *, struct error *), const char *path,
                        const char *wanted, const char *wanted_why)
{
    struct buf text = {0};
    struct error error = {""};
    bool good = reads(path, &text, &error);

    expect(path, good == (wanted != NULL));
    if (good) {
        expect_text(path, text.bytes != NULL ? text.bytes : "", wanted);
    } else {
        expect_within(path, error.text, wanted_why);
        expect_not_within("no path in the reason", error.text, scratch.dir);
    }
    buf_release(&text);
}

static void test_plain(void **state)
{
    (void)state;
    expect_file(file_read, scratch_text(&scratch, "some", " text\n"), " text\n", NULL);
    expect_file(file_read, scratch_text(&scratch, "empty", ""), "", NULL);
    expect_file(file_read, scratch_path(&scratch, "missing"), NULL, "No such file");
    expect_file(file_read, scratch.dir, NULL, "directory");
    expect_file(file_read, scratch_write(&scratch, "nul", "a\0b", 3, 0600), NULL, "NUL");
}

static void test_dated(void **state)
{
    const char *path = scratch_text(&scratch, "dated", "text");
    const struct timespec times[] = {{.tv_sec = 1}, {.tv_sec = 1750000000}};
    struct buf text = {0};
    struct error error;
    int64_t modified_s;

    (void)state;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_true(file_read_dated(path, &text, &modified_s, &error));
    expect_text("text", text.bytes, "text");
    assert_int_equal(modified_s, 1750000000);
    assert_false(file_read_dated(scratch_path(&scratch, "missing"), &text, &modified_s, &error));
    expect_within("missing", error.text, "No such file");
    buf_release(&text);
}

static void test_size_limit(void **state)
{
    char *bytes = malloc(FILE_TEXT_MAX + 1);
    struct buf text = {0};
    struct error error;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'a', FILE_TEXT_MAX + 1);
    const char *path = scratch_write(&scratch, "large", bytes, FILE_TEXT_MAX, 0600);
    assert_true(file_read(path, &text, &error));
    assert_int_equal(text.length, FILE_TEXT_MAX);
    buf_clear(&text);
    path = scratch_write(&scratch, "large", bytes, FILE_TEXT_MAX + 1, 0600);
    assert_false(file_read(path, &text, &error));
    expect_within("too large", error.text, "256 KiB");
    buf_release(&text);
    free(bytes);
}

static void expect_permissions(bool (*reads)(const char *, struct buf *, struct error *))
{
    static const struct {
        mode_t mode;
        bool good;
    } rows[] = {
        {0600, true},  {0400, true},  {0640, true},  {0440, true},  {0700, true},
        {0604, false}, {0644, false}, {0602, false}, {0601, false}, {0620, false},
        {0660, false}, {0666, false}, {0777, false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *path = scratch_write(&scratch, "secret", "s3cret", 6, rows[i].mode);

        expect_file(reads, path, rows[i].good ? "s3cret" : NULL, "chmod 600");
        unlink(path);
    }
}

static void test_permissions(void **state)
{
    (void)state;
    expect_permissions(file_read_private);
    expect_permissions(file_read_secret);
}

static void test_private_may_be_empty(void **state)
{
    (void)state;
    expect_file(file_read_private, scratch_text(&scratch, "settings", "a=b \n\n"), "a=b", NULL);
    expect_file(file_read_private, scratch_text(&scratch, "settings", "\n \n"), "", NULL);
    expect_file(file_read_private, scratch_text(&scratch, "settings", ""), "", NULL);
    expect_file(file_read_private, scratch_path(&scratch, "missing"), NULL, "No such file");
}

static void test_secret(void **state)
{
    (void)state;
    expect_file(file_read_secret, scratch_text(&scratch, "url", " s3 cret \t\r\n\n"), " s3 cret",
                NULL);
    expect_file(file_read_secret, scratch_text(&scratch, "url", "\n \n"), NULL, "it is empty");
    expect_file(file_read_secret, scratch_text(&scratch, "url", ""), NULL, "it is empty");
    expect_file(file_read_secret, scratch_path(&scratch, "missing"), NULL, "No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_dated),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_permissions),
        cmocka_unit_test(test_private_may_be_empty),
        cmocka_unit_test(test_secret),
    };

    return cmocka_run_group_tests_name("file", tests, open_scratch, close_scratch);
}
