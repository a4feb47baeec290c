/* The log's lines. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/json.h"
#include "capture.h"
#include "unit.h"

/* One line with a field of each kind. */
static void write_line(const char *value)
{
    struct log_line line = log_begin(LOG_WARNING, "request");

    log_string(&line, "route", value);
    log_string(&line, "absent", NULL);
    log_integer(&line, "status", -200);
    log_milliseconds(&line, "ms", 1234567);
    log_milliseconds(&line, "db_ms", 5);
    log_end(&line);
}

/* Writes a line with this value in this format, compares it, and checks that it is one write. */
static void expect_line(enum log_format format, const char *value, const char *wanted)
{
    struct buf text = {0};

    log_setup(LOG_INFO, format);
    capture_start();
    write_line(value);
    size_t writes = capture_stop(&text);
    assert_int_equal(writes, 1);
    expect_within(wanted, text.bytes, wanted);
    assert_ptr_equal(strchr(text.bytes, '\n'), text.bytes + text.length - 1);
    for (size_t i = 0; i + 1 < text.length; i++) {
        bool colour = format == LOG_FORMAT_TEXT && text.bytes[i] == '\033';

        expect(text.bytes, (unsigned char)text.bytes[i] >= 0x20 || colour);
    }
    buf_release(&text);
}

static void test_json(void **state)
{
    (void)state;
    expect_line(LOG_FORMAT_JSON, "/livez",
                ",\"route\":\"/livez\",\"status\":-200,\"ms\":1234.567,\"db_ms\":0.005}\n");
    expect_line(LOG_FORMAT_JSON, "a\"b\\c\nd\x7f\xff",
                ",\"route\":\"a\\\"b\\\\c\\u000ad\\u007f\\ufffd\",");
    expect_line(LOG_FORMAT_AUTO, "not a terminal", "{\"time\":\"20");
}

static void test_json_line_is_json(void **state)
{
    struct buf text = {0};
    const char *value;

    (void)state;
    log_setup(LOG_INFO, LOG_FORMAT_JSON);
    capture_start();
    write_line("Gr\xc3\xbc\xc3\x9f\xff\x01\"\\\n");
    capture_stop(&text);
    struct json *line = json_parse(text.bytes, text.length);
    assert_non_null(line);
    assert_int_equal(json_member(line, "route", &value), JSON_STRING);
    expect_text("route", value, "Gr\xc3\xbc\xc3\x9f\xef\xbf\xbd\x01\"\\\n");
    assert_int_equal(json_member(line, "level", &value), JSON_STRING);
    expect_text("level", value, "warning");
    assert_int_equal(json_member(line, "event", &value), JSON_STRING);
    expect_text("event", value, "request");
    assert_int_equal(json_member(line, "time", &value), JSON_STRING);
    assert_int_equal(strlen(value), sizeof "2026-01-01T00:00:00.000Z" - 1);
    assert_int_equal(json_member(line, "pid", &value), JSON_OTHER);
    assert_int_equal(json_member(line, "absent", &value), JSON_ABSENT);
    json_free(line);
    buf_release(&text);
}

static void test_text(void **state)
{
    (void)state;
    expect_line(LOG_FORMAT_TEXT, "/livez", "\033[33mwarning\033[0m request pid=");
    expect_line(LOG_FORMAT_TEXT, "/livez", " route=/livez status=-200 ms=1234.567 db_ms=0.005\n");
    expect_line(LOG_FORMAT_TEXT, "two words", " route=\"two words\" ");
    expect_line(LOG_FORMAT_TEXT, "", " route=\"\" ");
    expect_line(LOG_FORMAT_TEXT, "a=\"b", " route=\"a=\\\"b\" ");
    expect_line(LOG_FORMAT_TEXT, "a\n\033[2J", " route=a\\u000a\\u001b[2J ");
}

static size_t lines_logged(enum log_level threshold)
{
    struct buf text = {0};

    log_setup(threshold, LOG_FORMAT_JSON);
    capture_start();
    for (enum log_level level = LOG_ERROR; level < LOG_LEVEL_COUNT; level++) {
        log_message(level, "event", "something");
    }
    size_t writes = capture_stop(&text);
    buf_release(&text);
    return writes;
}

static void test_levels(void **state)
{
    (void)state;
    for (enum log_level level = LOG_ERROR; level < LOG_LEVEL_COUNT; level++) {
        assert_int_equal(lines_logged(level), level + 1);
        assert_true(log_wants(LOG_ERROR));
        assert_int_equal(log_wants(LOG_DEBUG), level == LOG_DEBUG);
    }
}

static void test_messages(void **state)
{
    struct buf text = {0};
    char long_text[5000];

    (void)state;
    memset(long_text, 'z', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    log_setup(LOG_INFO, LOG_FORMAT_JSON);
    capture_start();
    errno = ENOENT;
    log_errno(LOG_ERROR, "listen", "cannot listen on %s", "here");
    errno = ENOENT;
    log_errno(LOG_ERROR, "listen", "%s", long_text);
    log_message(LOG_ERROR, "listen", "%s", long_text);
    log_errno(LOG_DEBUG, "listen", "not wanted");
    size_t writes = capture_stop(&text);
    assert_int_equal(writes, 3);
    expect_within("errno", text.bytes,
                  "\"message\":\"cannot listen on here: No such file or directory\"}\n");
    expect_within("cut, but closed", text.bytes, "zzzz\"}\n");
    buf_release(&text);
}

/* Makes stderr a full pipe that no process reads. [2] becomes the original stderr. */
static void fill_stderr(int pipe_and_stderr[3])
{
    static const char filler[512];

    assert_int_equal(pipe2(pipe_and_stderr, O_CLOEXEC), 0);
    fcntl(pipe_and_stderr[1], F_SETFL, O_NONBLOCK);
    while (write(pipe_and_stderr[1], filler, sizeof filler) > 0) {
        /* more */
    }
    fcntl(pipe_and_stderr[1], F_SETFL, 0);
    pipe_and_stderr[2] = dup(STDERR_FILENO);
    dup2(pipe_and_stderr[1], STDERR_FILENO);
}

static void test_lines_that_nobody_takes_are_counted(void **state)
{
    static char bytes[1024 * 1024];
    int fds[3];

    (void)state;
    log_setup(LOG_INFO, LOG_FORMAT_JSON);
    fill_stderr(fds);
    alarm(10); /* instead of waiting for ever */
    log_message(LOG_INFO, "event", "lost");
    log_message(LOG_INFO, "event", "lost as well");
    ssize_t filled = read(fds[0], bytes, sizeof bytes);
    log_message(LOG_INFO, "event", "told");
    log_message(LOG_INFO, "event", "as ever");
    alarm(0);
    dup2(fds[2], STDERR_FILENO);
    ssize_t length = read(fds[0], bytes, sizeof bytes - 1);
    assert_true(filled > 0 && length > 0);
    bytes[length] = '\0';
    expect_within("counted", bytes, ",\"dropped\":2,\"message\":\"told\"}\n{");
    expect_not_within("lost", bytes, "lost");
    expect_not_within("once", strstr(bytes, "told"), "dropped");
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        close(fds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),     cmocka_unit_test(test_json_line_is_json),
        cmocka_unit_test(test_text),     cmocka_unit_test(test_levels),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_lines_that_nobody_takes_are_counted),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
