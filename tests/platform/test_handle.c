/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_handle.c: files as a child's standard streams, and the current directory.
 */
#include "platform/child.h"

#define FILE_NAME "platform_handle_\xc3\xbc.tmp" /* a name beyond ASCII */

enum { PRINT, COPY_STDIN, COUNT_STDIN };

/* ---- roles ----------------------------------------------------------------------------------- */

static int print(unsigned me)
{
    printf("out %u\n", me);
    fprintf(stderr, "err %u\n", me);
    return 0;
}

static int copy_stdin(unsigned me)
{
    char line[64] = "";
    CHILD_CHECK(fgets(line, sizeof(line), stdin) != NULL);
    printf("%u read %s", me, line);
    return 0;
}

static int count_stdin(unsigned me)
{
    (void)me;
    int count = 0;
    while (getchar() != EOF) {
        count++;
    }
    return count;
}

/* ---- children with files for streams --------------------------------------------------------- */

/** Run a child whose streams are the files named; NULL: not set. */
static int32_t run_with(unsigned role, const char *in, const char *out, const char *err)
{
    mplat_child child;
    mplat_start start = child_start_of(role, 1);
    CU_ASSERT_EQUAL(in == NULL ? 0 : mplat_file_open(in, false, &start.stdio[0]), 0);
    CU_ASSERT_EQUAL(out == NULL ? 0 : mplat_file_open(out, true, &start.stdio[1]), 0);
    CU_ASSERT_EQUAL(err == NULL ? 0 : mplat_file_open(err, true, &start.stdio[2]), 0);
    int rc = mplat_process_spawn(&start, &child);
    for (int i = 0; i < 3; i++) {
        mplat_handle_close(start.stdio[i]);
    }
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return child_join(&child);
}

/** What a file holds, up to the end of its first line. */
static void read_line(const char *path, char *ret_line, size_t size)
{
    FILE *file = fopen(path, "r");
    ret_line[0] = '\0';
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fgets(ret_line, (int)size, file);
    (void)fclose(file);
    ret_line[strcspn(ret_line, "\r\n")] = '\0';
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void test_handle__none_can_be_closed(void)
{
    mplat_handle_close(MPLAT_NO_HANDLE);
    CU_PASS("did not crash");
}

static void test_handle__missing_file_is_not_found(void)
{
    mplat_handle handle = {7};
    CU_ASSERT_EQUAL(mplat_file_open("no_such_folder/file", false, &handle), MPROC_ENOENT);
    CU_ASSERT_EQUAL(mplat_file_open("no_such_folder/file", true, &handle), MPROC_ENOENT);
    CU_ASSERT_EQUAL(handle.os, 7);
    CU_ASSERT(strstr(mproc_last_error(), "no_such_folder/file") != NULL);
}

static void test_handle__output_goes_to_files(void)
{
    char line[64];
    child_found();
    for (int i = 0; i < 2; i++) { // the second time they are truncated
        CU_ASSERT_EQUAL(run_with(PRINT, NULL, "platform_handle_out.tmp", "platform_handle_err.tmp"),
                        0);
    }
    read_line("platform_handle_out.tmp", line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "out 1");
    read_line("platform_handle_err.tmp", line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "err 1");
    CU_ASSERT_EQUAL(run_with(COUNT_STDIN, "platform_handle_out.tmp", NULL, NULL),
                    (int32_t)strlen("out 1\n"));
    (void)remove("platform_handle_out.tmp");
    (void)remove("platform_handle_err.tmp");
    child_end();
}

static void test_handle__input_comes_from_a_file(void)
{
    char line[64];
    child_found();
    CU_ASSERT_EQUAL(run_with(PRINT, NULL, FILE_NAME, NULL), 0);
    CU_ASSERT_EQUAL(run_with(COPY_STDIN, FILE_NAME, "platform_handle_copy.tmp", NULL), 0);
    read_line("platform_handle_copy.tmp", line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "1 read out 1");
    (void)remove("platform_handle_copy.tmp");
    (void)remove(FILE_NAME);
    child_end();
}

static void test_handle__input_is_empty_by_default(void)
{
    child_found();
    CU_ASSERT_EQUAL(run_with(COUNT_STDIN, NULL, NULL, NULL), 0);
    child_end();
}

static void test_handle__directory_is_told_whole_or_not(void)
{
    char path[1024] = "";
    char small[3] = "ab";
    CU_ASSERT_EQUAL(mplat_directory(path, sizeof(path)), 0);
    CU_ASSERT(strlen(path) >= 1);
    CU_ASSERT(strchr(path, '/') != NULL || strchr(path, '\\') != NULL);
    if (strlen(path) >= sizeof(small)) {
        CU_ASSERT_EQUAL(mplat_directory(small, sizeof(small)), MPROC_ETOOBIG);
        CU_ASSERT_STRING_EQUAL(small, "ab");
    }
}

static void child_fn(int argc, char **argv)
{
    static const child_role roles[] = {print, copy_stdin, count_stdin};
    child_run(argc, argv, roles, sizeof(roles) / sizeof(roles[0]));
}

static const testlib_case cases[] = {
    {"none_can_be_closed", test_handle__none_can_be_closed},
    {"missing_file_is_not_found", test_handle__missing_file_is_not_found},
    {"output_goes_to_files", test_handle__output_goes_to_files},
    {"input_comes_from_a_file", test_handle__input_comes_from_a_file},
    {"input_is_empty_by_default", test_handle__input_is_empty_by_default},
    {"directory_is_told_whole_or_not", test_handle__directory_is_told_whole_or_not},
};
TESTLIB_MAIN_CHILD("platform.handle", cases, child_fn)
