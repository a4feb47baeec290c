/* Runs each stored input of the fuzz targets in tests/fuzz once. A claim that does not hold, or an
 * input that does not end, ends the process; the last line then says where the input is. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64url.h"
#include "unit.h"

#define EACH_TARGET(X)                                                                             \
    X(cors)                                                                                        \
    X(event)                                                                                       \
    X(fastcgi)                                                                                     \
    X(framing)                                                                                     \
    X(json)                                                                                        \
    X(keys)                                                                                        \
    X(login)                                                                                       \
    X(page)                                                                                        \
    X(postgresql)                                                                                  \
    X(request)                                                                                     \
    X(settings)                                                                                    \
    X(signature)                                                                                   \
    X(template)                                                                                    \
    X(token)                                                                                       \
    X(trace)

#define DECLARE(name) int fuzz_##name(const uint8_t *data, size_t size);
EACH_TARGET(DECLARE)

enum { PATIENCE_S = 300 /* for all inputs of a target */ };

static const char *current_file;
static int current_line, own_stderr;

static void say_where(int number)
{
    (void)number;
    dprintf(own_stderr, "%s:%d: base64url of the input\n", current_file, current_line);
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void run_line(int (*target)(const uint8_t *data, size_t size), const char *line)
{
    size_t length = strlen(line);
    unsigned char *text = malloc(BASE64URL_DECODED_MAX(length));

    assert_true(text != NULL && base64url_decode(line, length, text, &length));
    uint8_t *exact = malloc(length > 0 ? length : 1); /* exact, so that ASan finds a read beyond */
    assert_non_null(exact);
    memcpy(exact, text, length);
    free(text);
    target(exact, length);
    free(exact);
}

/* The logs of the tested code go to stderr, which is /dev/null meanwhile. */
static void run_all(const char *name, int (*target)(const uint8_t *data, size_t size))
{
    char path[512], *line = NULL;
    size_t size = 0;
    ssize_t length;

    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", TOP_SRCDIR, name);
    FILE *file = fopen(path, "r");
    expect(path, file != NULL);
    current_file = path;
    current_line = 0;
    own_stderr = dup(STDERR_FILENO);
    alarm(PATIENCE_S);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDERR_FILENO);
    while ((length = getline(&line, &size, file)) > 0) {
        line[length - 1] = '\0';
        current_line++;
        run_line(target, line);
    }
    alarm(0);
    dup2(own_stderr, STDERR_FILENO);
    close(own_stderr);
    close(nowhere);
    fclose(file);
    free(line);
    assert_true(current_line > 0);
}

#define DEFINE(name)                                                                               \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_all(#name, fuzz_##name);                                                               \
    }
EACH_TARGET(DEFINE)

int main(void)
{
#define ROW(name) cmocka_unit_test(test_##name),
    const struct CMUnitTest tests[] = {EACH_TARGET(ROW)};

    signal(SIGABRT, say_where);
    signal(SIGALRM, say_where);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
