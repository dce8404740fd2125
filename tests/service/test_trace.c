/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_trace.c: traces of tasks as files.
 */
#include "service/trace.h"

#include "base/compiler.h"
#include "mproc/error.h"
#include "support/testlib.h"

#include <apr_general.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "test_service_trace.json"

static const mproc__task_trace TASK = {
    .name = "cube",
    .id = 7,
    .n_items = 3,
    .submitted = 1000,
    .started = 2500,
    .ended = 9500,
    .returned = 12001,
    .client_pid = 10,
    .worker_pid = 11,
    .client_thread = 1,
    .worker_thread = 2,
    .status = -3,
};

#define TASK_LINES                                                                             \
    "{\"name\":\"submit\",\"cat\":\"client\",\"ph\":\"X\",\"pid\":10,\"tid\":1,\"ts\":1.000,"  \
    "\"dur\":1},\n"                                                                            \
    "{\"name\":\"submit\",\"cat\":\"submit\",\"ph\":\"s\",\"id\":7,\"pid\":10,\"tid\":1,"      \
    "\"ts\":1.000},\n"                                                                         \
    "{\"name\":\"submit\",\"cat\":\"submit\",\"ph\":\"f\",\"bp\":\"e\",\"id\":7,\"pid\":11,"   \
    "\"tid\":2,\"ts\":2.500},\n"                                                               \
    "{\"name\":\"cube\",\"cat\":\"task\",\"ph\":\"X\",\"pid\":11,\"tid\":2,\"ts\":2.500,"      \
    "\"dur\":7.000,\"args\":{\"task\":7,\"items\":3,\"status\":-3}},\n"                        \
    "{\"name\":\"result\",\"cat\":\"client\",\"ph\":\"X\",\"pid\":10,\"tid\":1,\"ts\":12.001," \
    "\"dur\":1},\n"                                                                            \
    "{\"name\":\"result\",\"cat\":\"result\",\"ph\":\"s\",\"id\":7,\"pid\":11,\"tid\":2,"      \
    "\"ts\":9.500},\n"                                                                         \
    "{\"name\":\"result\",\"cat\":\"result\",\"ph\":\"f\",\"bp\":\"e\",\"id\":7,\"pid\":10,"   \
    "\"tid\":1,\"ts\":12.001},\n"

/** What is in the file, NUL at its end; the caller frees it. */
static char *read_all(void)
{
    FILE *file = fopen(PATH, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(fread(text, 1, (size_t)size, file), (size_t)size);
    (void)fclose(file);
    return text;
}

static void check(const char *expected)
{
    char *text = read_all();
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
}

static mproc__tracer *open_it(bool is_new)
{
    mproc__tracer *tracer = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc__tracer_open(PATH, is_new, &tracer), MPROC_OK);
    return tracer;
}

static void test_trace__has_tasks(void)
{
    (void)remove(PATH);
    mproc__tracer *tracer = open_it(false);
    mproc__tracer_name(tracer, 11, 0, "PoolWorker-1");
    mproc__tracer_name(tracer, 11, 2, "main");
    mproc__tracer_task(tracer, &TASK);
    mproc__tracer_close(tracer);
    check("[\n"
          "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":11,\"tid\":0,"
          "\"args\":{\"name\":\"PoolWorker-1\"}},\n"
          "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":11,\"tid\":2,"
          "\"args\":{\"name\":\"main\"}},\n" TASK_LINES);
}

static void test_trace__begins_anew_or_goes_on(void)
{
    mproc__tracer *first = open_it(true);
    mproc__tracer *second = open_it(false);
    mproc__tracer_task(second, &TASK);
    mproc__tracer_flush(second);
    check("[\n" TASK_LINES);
    mproc__tracer_task(first, &TASK);
    mproc__tracer_close(first);
    mproc__tracer_close(second);
    check("[\n" TASK_LINES TASK_LINES);
    mproc__tracer_close(open_it(true));
    check("[\n");
}

static void check_name(const char *name, const char *quoted)
{
    char expected[512];
    mproc__tracer *tracer = open_it(true);
    mproc__tracer_name(tracer, 1, 0, name);
    mproc__tracer_close(tracer);
    (void)snprintf(expected, sizeof(expected),
                   "[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"tid\":0,"
                   "\"args\":{\"name\":\"%s\"}},\n",
                   quoted);
    check(expected);
}

static void test_trace__quotes_names(void)
{
    check_name("", "");
    check_name("a \"quoted\" \\ name\n", "a \\\"quoted\\\" \\\\ name\\u000a");
    check_name("W\xc3\xbcrfel", "W\xc3\xbcrfel");
    check_name("W\xc3\xbcrfel \xc3\xbc", "W\xc3\xbcrfel \xc3\xbc");
    char name[300]; // as many as fit, none in two
    char quoted[300] = "";
    for (size_t i = 0; i + 2 < sizeof(name); i += 2) {
        memcpy(name + i, "\xc3\xbc", 3);
    }
    memcpy(quoted, name, 122);
    check_name(name, quoted);
    memset(name, 'x', sizeof(name) - 1);
    name[1] = '\xc3';
    name[2] = '\xbc';
    name[sizeof(name) - 1] = '\0';
    memcpy(quoted, name, 122);
    check_name(name, quoted);
}

/** More than is kept in memory. */
static void test_trace__is_long(void)
{
    mproc__tracer *tracer = open_it(true);
    for (int i = 0; i < 1000; i++) {
        mproc__tracer_task(tracer, &TASK);
    }
    mproc__tracer_close(tracer);
    char *text = read_all();
    size_t size = strlen(TASK_LINES);
    CU_ASSERT_EQUAL_FATAL(strlen(text), 2 + 1000 * size);
    for (size_t i = 0; i < 1000; i++) {
        CU_ASSERT_NSTRING_EQUAL(text + 2 + i * size, TASK_LINES, size);
    }
    free(text);
}

static void test_trace__leaves_out_what_never_ran(void)
{
    mproc__tracer *tracer = open_it(true);
    mproc__task_trace task = TASK;
    task.started = 0;
    mproc__tracer_task(tracer, &task);
    mproc__tracer_close(tracer);
    check("[\n");
}

static void test_trace__fails(void)
{
    mproc__tracer *tracer = NULL;
    CU_ASSERT_EQUAL(mproc__tracer_open("no such folder/trace.json", true, &tracer), MPROC_ENOENT);
    CU_ASSERT_PTR_NULL(tracer);
    CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "no such folder/trace.json"));
    mproc__tracer_task(tracer, &TASK); // nobody traces
    mproc__tracer_name(tracer, 1, 0, "name");
    mproc__tracer_flush(tracer);
    mproc__tracer_close(tracer);
}

static const testlib_case cases[] = {
    {"has_tasks", test_trace__has_tasks},
    {"begins_anew_or_goes_on", test_trace__begins_anew_or_goes_on},
    {"quotes_names", test_trace__quotes_names},
    {"is_long", test_trace__is_long},
    {"leaves_out_what_never_ran", test_trace__leaves_out_what_never_ran},
    {"fails", test_trace__fails},
};

int main(int argc, char **argv)
{
    if (apr_initialize() != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    int rc = testlib_main(argc, argv, "service.trace", cases, MPROC__COUNT(cases));
    (void)remove(PATH);
    return rc;
}
