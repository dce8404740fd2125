/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_test.h: for tests of what the library says on stderr: files to catch that.
 */
#ifndef TESTS_OBJECT_REPORT_TEST_H
#define TESTS_OBJECT_REPORT_TEST_H

#include "object/sync_test.h"

#include <apr_env.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

/** A file for a child's standard error. */
typedef struct report {
    apr_pool_t *pool;
    const char *path;
    char *text; /**< what was read last, terminated */
} report;

#define REPORT_SIZE 16384

static inline report make_report(const char *name)
{
    const char *base;
    report made = {NULL, NULL, NULL};
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&made.pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_temp_dir_get(&base, made.pool), APR_SUCCESS);
    made.path = apr_psprintf(made.pool, "%s/mproc-%s-%ld-%ld", base, name,
                             (long)mproc_process_pid(NULL), (long)(mplat_now() % 1000000000));
    made.text = apr_pcalloc(made.pool, REPORT_SIZE);
    return made;
}

/** Read all of it so far, without carriage returns. */
static inline const char *read_report(const report *from)
{
    size_t length = 0;
    FILE *file = fopen(from->path, "rb");
    for (int c; file != NULL && (c = fgetc(file)) != EOF && length < REPORT_SIZE - 1;) {
        if (c != '\r') {
            from->text[length++] = (char)c;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    from->text[length] = '\0';
    return from->text;
}

/** How often a text is in it by now. */
static inline size_t count_in_report(const report *from, const char *wanted)
{
    size_t count = 0;
    for (const char *at = read_report(from); (at = strstr(at, wanted)) != NULL; at++) {
        count++;
    }
    return count;
}

static inline void close_report(report *made)
{
    (void)apr_file_remove(made->path, made->pool);
    apr_pool_destroy(made->pool);
    apr_terminate();
}

#endif
