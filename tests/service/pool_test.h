/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool_test.h: what the tests of pools share.
 */
#ifndef TESTS_SERVICE_POOL_TEST_H
#define TESTS_SERVICE_POOL_TEST_H

#include "object/sync_test.h"

#include "family/object.h"
#include "mproc/future.h"
#include "mproc/pool.h"

static inline mproc_pool *make_pool_with(mproc_pool_options options, int processes)
{
    mproc_pool *pool = NULL;
    options.processes = processes;
    int rc = mproc_pool_create(&pool, &options);
    if (rc < 0) {
        printf("create: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
    return pool;
}

static inline mproc_pool *make_pool(int processes)
{
    return make_pool_with((mproc_pool_options){0}, processes);
}

static inline mproc_future *submit_with(mproc_pool *pool, mproc_task_fn function,
                                        const mproc_args *args, mproc_task_options options)
{
    mproc_future *future = NULL;
    int rc = mproc_pool_apply_async(pool, function, args, &options, &future);
    if (rc < 0) {
        printf("submit: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
    return future;
}

static inline mproc_future *submit(mproc_pool *pool, mproc_task_fn function, const mproc_args *args)
{
    return submit_with(pool, function, args, (mproc_task_options){0});
}

/** The status of a task, whose result is an integer; and its future is closed. */
static inline int outcome_of(mproc_future *future, int64_t *ret_integer)
{
    mproc_value result = {0};
    int rc = mproc_future_get(future, &result, LIMIT);
    CU_ASSERT(mproc_future_ready(future));
    if (rc >= 0 && ret_integer != NULL) {
        CU_ASSERT_EQUAL(result.type, MPROC_INT);
        *ret_integer = result.as.integer;
    }
    if (rc >= 0) {
        mproc_value_clear(&result);
    }
    mproc_future_close(future);
    return rc;
}

/** The result of a task that is to succeed. */
static inline int64_t result_of(mproc_future *future)
{
    int64_t integer = INT64_MIN;
    int rc = outcome_of(future, &integer);
    if (rc < 0) {
        printf("task: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL(rc, MPROC_OK);
    return integer;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static inline int task_add(const mproc_args *args, mproc_value *result)
{
    int64_t a;
    int64_t b;
    int rc = MPROC_UNPACK(args, &a, &b);
    if (rc >= 0) {
        *result = MPROC_VALUE(a + b);
    }
    return rc;
}

static inline int task_pid(const mproc_args *args, mproc_value *result)
{
    (void)args;
    *result = MPROC_VALUE(mproc_process_pid(NULL));
    return MPROC_OK;
}

/** Count in word 0 of a block, and stay until word 1 is not 0. */
static inline int task_meet(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int rc = MPROC_UNPACK(args, &block);
    if (rc >= 0) {
        add_word(words_of(block));
        (void)await_word(words_of(block) + 1, 1);
        *result = MPROC_VALUE(mproc_process_pid(NULL));
    }
    return rc;
}

/** Count in word 0 of a block. */
static inline int task_count(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int rc = MPROC_UNPACK(args, &block);
    if (rc >= 0) {
        add_word(words_of(block));
        *result = MPROC_VALUE(mproc_process_pid(NULL));
    }
    return rc;
}

/** Count in word 0 of a block, and end the worker by exit(code). */
static inline int task_exit(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int code;
    (void)result;
    int rc = MPROC_UNPACK(args, &block, &code);
    if (rc >= 0) {
        add_word(words_of(block));
        exit(code);
    }
    return rc;
}

#endif
