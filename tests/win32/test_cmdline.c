/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cmdline.c: what is joined, the system takes apart to the same arguments.
 */
#include "mproc/error.h"
#include "support/testlib.h"
#include "win32/cmdline.h"

#include <windows.h>

#include <shellapi.h>

static void check(const wchar_t *const *arguments, size_t count)
{
    wchar_t *line = NULL;
    int parsed_count = 0;
    CU_ASSERT_EQUAL_FATAL(mproc__cmdline_join(arguments, count, &line), 0);
    wchar_t **parsed = CommandLineToArgvW(line, &parsed_count);
    CU_ASSERT_PTR_NOT_NULL_FATAL(parsed);
    CU_ASSERT_EQUAL_FATAL((size_t)parsed_count, count);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(wcscmp(parsed[i], arguments[i]), 0);
    }
    (void)LocalFree(parsed);
    free(line);
}

static void test_cmdline__hard_arguments(void)
{
    static const wchar_t *const hard[] = {
        L"C:\\Program Files\\a b\\",
        L"",
        L"plain",
        L"two words",
        L"\"",
        L"a\"b",
        L"\\",
        L"end\\",
        L"end\\\\",
        L"\\\"",
        L"\\\\\"x\\",
        L"tab\there",
        L"\"quoted\"",
        L"%PATH%&|^",
        L"line\nbreak",
    };
    check(hard, sizeof(hard) / sizeof(hard[0]));
    for (size_t i = 1; i < sizeof(hard) / sizeof(hard[0]); i++) {
        const wchar_t *const two[] = {L"program", hard[i]};
        check(two, 2);
    }
    check(hard, 1);
}

/** All arguments of up to five of the characters that mean something. */
static void test_cmdline__every_short_argument(void)
{
    static const wchar_t letters[] = L"\\\" a";
    for (unsigned n = 0; n < 1024; n++) {
        wchar_t text[6];
        for (unsigned i = 0; i < 5; i++) {
            text[i] = letters[n >> 2 * i & 3];
        }
        text[5] = L'\0';
        for (unsigned from = 0; from < 5; from++) {
            const wchar_t *const three[] = {L"program", text + from, L"last"};
            check(three, 3);
        }
    }
}

static void test_cmdline__limits(void)
{
    static wchar_t long_one[MPROC__CMDLINE_MAX];
    wchar_t *line = NULL;
    // program in quotes, a blank, two quotes, the end
    const size_t fits = MPROC__CMDLINE_MAX - sizeof("\"p\" \"\"");
    wmemset(long_one, L'x', fits);
    const wchar_t *const two[] = {L"p", long_one};
    CU_ASSERT_EQUAL(mproc__cmdline_join(two, 2, &line), 0);
    CU_ASSERT_EQUAL(wcslen(line) + 1, MPROC__CMDLINE_MAX);
    free(line);
    line = NULL;
    long_one[fits] = L'x';
    CU_ASSERT_EQUAL(mproc__cmdline_join(two, 2, &line), MPROC_ETOOBIG);
    const wchar_t *const quote[] = {L"a\"b"};
    CU_ASSERT_EQUAL(mproc__cmdline_join(quote, 1, &line), MPROC_EINVAL);
    CU_ASSERT_PTR_NULL(line);
}

static const testlib_case cases[] = {
    {"hard_arguments", test_cmdline__hard_arguments},
    {"every_short_argument", test_cmdline__every_short_argument},
    {"limits", test_cmdline__limits},
};
TESTLIB_MAIN("win32.cmdline", cases)
