/* Turns named parameters into $1, $2, … and copies everything else. To find a parameter the
 * scanner must recognise the text in which nothing is a parameter: string literals in their three
 * forms, quoted identifiers and comments. It knows no more of SQL than that, so errors of the SQL
 * itself are found by PostgreSQL and reported with the line of the template.
 *
 * The text that a shape puts before the template is one line, so that the template's line can be
 * computed from a line of the SQL. */
#include "db/template.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Reads the text once, and copies to sql what it has read. */
struct scanner {
    const char *start;
    const char *at;
    const char *const *parameters;
    bool used[TEMPLATE_PARAMETERS_MAX];
    bool has_ended; /* a semicolon was seen: only space and comments may follow */
    bool has_words;
    struct buf *sql;
    struct error *error;
};

/* Lines are counted when there is an error to report, not while scanning. */
static int line_of(const struct scanner *scanner, const char *place)
{
    int line = 1;

    for (const char *at = scanner->start; at < place; at++) {
        line += *at == '\n';
    }
    return line;
}

__attribute__((format(printf, 3, 4))) static bool fail(struct scanner *scanner, const char *place,
                                                       const char *format, ...)
{
    va_list arguments;
    char message[160];

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return error_set(scanner->error, "%d: %s", line_of(scanner, place), message);
}

/* Every byte of the template is copied by this function or is replaced, so the text keeps its
 * lines. */
static void copy_bytes(struct scanner *scanner, size_t length)
{
    buf_append(scanner->sql, scanner->at, length);
    scanner->at += length;
}

/* Does not read beyond the text, which is NUL-terminated. */
static bool starts(const struct scanner *scanner, const char *text)
{
    return strncmp(scanner->at, text, strlen(text)) == 0;
}

/* As in PostgreSQL's lexer, every byte of a character beyond ASCII is a letter. */
static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Whether another string literal follows a closed one after a line break, which is SQL's way to
 * split a long literal. If so, copies the text up to and including the second one's opening
 * quote. */
static bool continues(struct scanner *scanner)
{
    size_t space = strspn(scanner->at, " \t\r\n\f\v");

    if (scanner->at[space] != '\'' || memchr(scanner->at, '\n', space) == NULL) {
        return false;
    }
    copy_bytes(scanner, space + 1);
    return true;
}

/* 'text' or "name", where the quote is doubled inside. In E'text' a backslash escapes the next
 * character. */
static bool quoted(struct scanner *scanner, bool has_backslashes)
{
    const char *opening = scanner->at;
    char quote = *opening;

    copy_bytes(scanner, 1);
    while (*scanner->at != '\0') {
        if (has_backslashes && *scanner->at == '\\' && scanner->at[1] != '\0') {
            copy_bytes(scanner, 2);
        } else if (*scanner->at != quote) {
            copy_bytes(scanner, 1);
        } else if (scanner->at[1] == quote) {
            copy_bytes(scanner, 2);
        } else {
            copy_bytes(scanner, 1);
            if (quote == '"' || !continues(scanner)) {
                return true;
            }
        }
    }
    return fail(scanner, opening, "this %s is never closed",
                quote == '"' ? "quoted identifier" : "string literal");
}

/* Length of the $tag$ at the scanner, or 0 if there is no dollar quote. */
static size_t dollar_tag(const struct scanner *scanner)
{
    size_t length = 1;

    if (isdigit((unsigned char)scanner->at[1])) {
        return 0;
    }
    while (is_name_char(scanner->at[length])) {
        length++;
    }
    return scanner->at[length] == '$' ? length + 1 : 0;
}

static bool dollar_quoted(struct scanner *scanner, size_t tag)
{
    const char *opening = scanner->at;

    copy_bytes(scanner, tag);
    while (*scanner->at != '\0' && strncmp(scanner->at, opening, tag) != 0) {
        copy_bytes(scanner, 1);
    }
    if (*scanner->at == '\0') {
        return fail(scanner, opening, "this dollar quote is never closed");
    }
    copy_bytes(scanner, tag);
    return true;
}

static bool block_comment(struct scanner *scanner)
{
    const char *opening = scanner->at;
    int depth = 0;

    do {
        if (*scanner->at == '\0') {
            return fail(scanner, opening, "this comment is never closed");
        }
        if (starts(scanner, "/*")) {
            depth++;
            copy_bytes(scanner, 2);
        } else if (starts(scanner, "*/")) {
            depth--;
            copy_bytes(scanner, 2);
        } else {
            copy_bytes(scanner, 1);
        }
    } while (depth > 0);
    return true;
}

/* %(name)s becomes $n, %% becomes %; any other percent sign is an error. */
static bool percent(struct scanner *scanner)
{
    const char *name = scanner->at + 2;
    size_t length = 0;

    if (scanner->at[1] == '%') {
        scanner->at++;
        copy_bytes(scanner, 1);
        return true;
    }
    if (scanner->at[1] == '(') {
        while (is_name_char(name[length])) {
            length++;
        }
    }
    if (length == 0 || name[length] != ')' || name[length + 1] != 's' ||
        is_name_char(name[length + 2]) ||
        (scanner->at > scanner->start && is_name_char(scanner->at[-1]))) {
        return fail(scanner, scanner->at,
                    "a percent sign is written %%%%, a parameter %%(name)s on its own");
    }
    for (size_t i = 0; scanner->parameters[i] != NULL; i++) {
        if (strlen(scanner->parameters[i]) == length &&
            memcmp(scanner->parameters[i], name, length) == 0) {
            scanner->used[i] = true;
            buf_printf(scanner->sql, "$%zu", i + 1);
            scanner->at = name + length + 2;
            return true;
        }
    }
    return fail(scanner, scanner->at, "there is no parameter %%(%.*s)s here",
                length > 40 ? 40 : (int)length, name);
}

/* A word is copied as a whole, so that an E before a quote counts only if it is a word of its
 * own. */
static bool word(struct scanner *scanner)
{
    const char *start = scanner->at;
    size_t length = 0;

    while (is_name_char(start[length]) || (length > 0 && start[length] == '$')) {
        length++;
    }
    copy_bytes(scanner, length);
    if (*scanner->at == '\'') {
        return quoted(scanner, length == 1 && (*start == 'e' || *start == 'E'));
    }
    return true;
}

enum passed { PASSED_NOTHING, PASSED, PASSED_WRONG };

/* What PostgreSQL's lexer treats as white space. It may also follow the semicolon. */
static enum passed space_or_comment(struct scanner *scanner)
{
    if (isspace((unsigned char)*scanner->at)) {
        copy_bytes(scanner, 1);
        return PASSED;
    }
    if (starts(scanner, "--")) {
        copy_bytes(scanner, strcspn(scanner->at, "\n"));
        return PASSED;
    }
    if (starts(scanner, "/*")) {
        return block_comment(scanner) ? PASSED : PASSED_WRONG;
    }
    return PASSED_NOTHING;
}

/* One step: a literal, a parameter, a word or a single character. Operators need no special case:
 * no operator contains a quote, and a percent sign in an operator is written twice. */
static bool token(struct scanner *scanner)
{
    enum passed passed = space_or_comment(scanner);
    char c = *scanner->at;

    if (passed != PASSED_NOTHING) {
        return passed == PASSED;
    }
    if (c == ';') {
        scanner->has_ended = true;
        scanner->at++;
        return true;
    }
    if (scanner->has_ended) {
        return fail(scanner, scanner->at, "a template is one statement, but this is a second one");
    }
    scanner->has_words = true;
    if (c == '\'' || c == '"') {
        return quoted(scanner, false);
    }
    if (c == '%') {
        return percent(scanner);
    }
    if (c == '$' && isdigit((unsigned char)scanner->at[1])) {
        return fail(scanner, scanner->at, "parameters have names here: %%(name)s, not $1");
    }
    if (c == '$' && dollar_tag(scanner) > 0) {
        return dollar_quoted(scanner, dollar_tag(scanner));
    }
    if (is_name_char(c)) {
        return word(scanner);
    }
    copy_bytes(scanner, 1);
    return true;
}

/* A parameter that the template does not use is a mistake in the definition or in the template,
 * and PostgreSQL could not know its type. */
static bool all_used(struct scanner *scanner)
{
    for (size_t i = 0; scanner->parameters[i] != NULL; i++) {
        if (!scanner->used[i]) {
            return fail(scanner, scanner->at, "the parameter %%(%s)s is never used",
                        scanner->parameters[i]);
        }
    }
    return true;
}

/* Appends one line, so that the template's own lines begin with the next one. */
static void before(enum shape shape, struct buf *sql)
{
    switch (shape) {
    case SHAPE_OBJECT:
        buf_text(sql, "select 'ok' as outcome, row_to_json(object_row) as body,"
                      " null as next_key from (\n");
        break;
    case SHAPE_ARRAY:
        buf_text(sql, "select 'ok' as outcome, coalesce(json_agg(array_row), '[]') as body,"
                      " null as next_key from (\n");
        break;
    case SHAPE_OUTCOME:
    case SHAPE_PLAIN:
        break;
    }
}

static void after(enum shape shape, struct buf *sql)
{
    /* The newline ends a comment on the template's last line. */
    switch (shape) {
    case SHAPE_OBJECT:
        buf_text(sql, "\n) as object_row");
        break;
    case SHAPE_ARRAY:
        buf_text(sql, "\n) as array_row");
        break;
    case SHAPE_OUTCOME:
    case SHAPE_PLAIN:
        break;
    }
}

bool template_compile(const char *text, enum shape shape, const char *const *parameters,
                      struct buf *sql, int *lines_before, struct error *error)
{
    struct scanner scanner = {
        .start = text, .at = text, .parameters = parameters, .sql = sql, .error = error};

    *error = (struct error){0};
    before(shape, sql);
    *lines_before = sql->length > 0 ? 1 : 0;
    while (*scanner.at != '\0') {
        if (!token(&scanner)) {
            return false;
        }
    }
    if (!scanner.has_words) {
        return fail(&scanner, text, "there is no statement in it");
    }
    after(shape, sql);
    return all_used(&scanner);
}
