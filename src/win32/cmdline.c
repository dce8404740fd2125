/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmdline.c: quoting by the rules of CommandLineToArgvW.
 *
 * They are: a quoted argument ends at the next quote; backslashes mean themselves, but for those
 * right before a quote, where each pair is one and an odd one makes the quote a character. So
 * backslashes are doubled before every quote we write and before the closing one, nowhere else. The
 * program's name knows no backslash rule: it ends at the next quote.
 */
#include "win32/cmdline.h"

#include "base/status.h"

#include <stdlib.h>

/** At worst all of an argument is doubled; two quotes and a blank go with it. */
static size_t room_for(const wchar_t *argument)
{
    return 2 * wcslen(argument) + 3;
}

static wchar_t *put_backslashes(wchar_t *end, size_t count)
{
    while (count-- > 0) {
        *end++ = L'\\';
    }
    return end;
}

static wchar_t *put_quoted(wchar_t *end, const wchar_t *argument)
{
    size_t backslashes = 0;
    *end++ = L'"';
    for (const wchar_t *c = argument; *c != L'\0'; c++) {
        if (*c == L'"') {
            end = put_backslashes(end, backslashes + 1);
        }
        backslashes = *c == L'\\' ? backslashes + 1 : 0;
        *end++ = *c;
    }
    end = put_backslashes(end, backslashes);
    *end++ = L'"';
    return end;
}

static wchar_t *put_program(wchar_t *end, const wchar_t *program)
{
    size_t length = wcslen(program);
    *end++ = L'"';
    wmemcpy(end, program, length);
    end[length] = L'"';
    return end + length + 1;
}

int mproc__cmdline_join(const wchar_t *const *arguments, size_t count, wchar_t **ret_line)
{
    size_t room = 1;
    for (size_t i = 0; i < count; i++) {
        room += room_for(arguments[i]);
    }
    if (wcschr(arguments[0], L'"') != NULL) {
        return mproc__fail(MPROC_EINVAL, "the name of a program holds a quote");
    }
    wchar_t *line = malloc(room * sizeof(*line));
    if (line == NULL) {
        return mproc__fail(MPROC_ENOMEM, "out of memory for a command line");
    }
    wchar_t *end = put_program(line, arguments[0]);
    for (size_t i = 1; i < count; i++) {
        *end++ = L' ';
        end = put_quoted(end, arguments[i]);
    }
    *end++ = L'\0';
    if (end - line > MPROC__CMDLINE_MAX) {
        free(line);
        return mproc__fail(MPROC_ETOOBIG, "the command line is longer than %d", MPROC__CMDLINE_MAX);
    }
    *ret_line = line;
    return 0;
}
