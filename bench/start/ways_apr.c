/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_apr.c: APR's process of the same program, and its thread.
 */
#include "start.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <apr_strings.h>

static int fail(const char *what, apr_status_t status)
{
    char text[100];
    apr_strerror(status, text, sizeof text);
    return bench_fail("%s: %s", what, text);
}

/* ---- apr_proc_create ---- */

static apr_status_t create_process(struct start_child *child, const char *const *argv)
{
    apr_procattr_t *attributes;
    apr_status_t status = apr_procattr_create(&attributes, child->pool);
    if (status == APR_SUCCESS) {
        status = apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV);
    }
    if (status == APR_SUCCESS) {
        status = apr_proc_create(&child->process, argv[0], argv, NULL, attributes, child->pool);
    }
    return status;
}

static int begin_process(const struct start_way *way, struct start_child *child, size_t index)
{
    (void)way;
    char *argv[START_CHILD_ARGC + 1] = {NULL};
    int rc = start_take_stamp(child, index);
    rc = rc != 0 ? rc : start_child_argv(index, argv);
    if (rc != 0) {
        return rc;
    }
    apr_status_t status = apr_pool_create(&child->pool, NULL);
    if (status != APR_SUCCESS) {
        return fail("apr_pool_create", status);
    }
    status = create_process(child, (const char *const *)argv);
    if (status != APR_SUCCESS) {
        apr_pool_destroy(child->pool);
        return fail("apr_proc_create", status);
    }
    return 0;
}

static int finish_process(const struct start_way *way, struct start_child *child)
{
    (void)way;
    int code;
    apr_exit_why_e why;
    apr_status_t status = apr_proc_wait(&child->process, &code, &why, APR_WAIT);
    apr_pool_destroy(child->pool);
    if (!APR_STATUS_IS_CHILD_DONE(status)) {
        return fail("apr_proc_wait", status);
    }
    return code == 0 ? 0 : bench_fail("the child ended with %d", code);
}

const struct start_way start_apr_process = {
    .subject = "apr_proc_create",
    .name = "apr_proc_create",
    .begin = begin_process,
    .finish = finish_process,
};

/* ---- apr_thread_create ---- */

static void *APR_THREAD_FUNC run_thread(apr_thread_t *thread, void *arg)
{
    *((struct start_child *)arg)->stamp = bench_now();
    // On Windows, apr_thread_join frees nothing of a thread that has ended without this.
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static int begin_thread(const struct start_way *way, struct start_child *child, size_t index)
{
    (void)way;
    int rc = start_take_stamp(child, index);
    if (rc != 0) {
        return rc;
    }
    apr_status_t status = apr_pool_create(&child->pool, NULL);
    if (status != APR_SUCCESS) {
        return fail("apr_pool_create", status);
    }
    status = apr_thread_create(&child->thread, NULL, run_thread, child, child->pool);
    if (status != APR_SUCCESS) {
        apr_pool_destroy(child->pool);
        return fail("apr_thread_create", status);
    }
    return 0;
}

static int finish_thread(const struct start_way *way, struct start_child *child)
{
    (void)way;
    apr_status_t result;
    apr_status_t status = apr_thread_join(&result, child->thread);
    apr_pool_destroy(child->pool);
    return status == APR_SUCCESS ? 0 : fail("apr_thread_join", status);
}

const struct start_way start_apr_thread = {
    .subject = "apr_thread_create",
    .name = "apr_thread_create",
    .begin = begin_thread,
    .finish = finish_thread,
};
