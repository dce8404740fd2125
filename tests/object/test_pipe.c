/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pipe.c: mproc_pipe and mproc_connection between threads and processes.
 */
#include "object/sync_test.h"

#include <stdlib.h>

static void make(mproc_connection **first, mproc_connection **second)
{
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(first, second, NULL), MPROC_OK);
}

static void close_both(mproc_connection *first, mproc_connection *second)
{
    mproc_connection_close(first);
    mproc_connection_close(second);
}

/* ---- one process ----------------------------------------------------------------------------- */

static void check_way(mproc_connection *from, mproc_connection *to)
{
    mproc_value value;
    mproc_value expected = MPROC_LIST(3, 3.5, "3");
    CU_ASSERT_EQUAL(mproc_connection_poll(to, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_connection_recv(to, &value, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_connection_send(from, MPROC_VALUE(1), MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_send(from, expected, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(from, "two", 3, BRIEF), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_poll(to, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(to, &value, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT(value.type == MPROC_INT && value.as.integer == 1);
    CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(to, &value, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT(mproc_value_equal(&value, &expected));
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(to, &value, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT(value.type == MPROC_BYTES && value.as.bytes.size == 3);
    CU_ASSERT_EQUAL(memcmp(value.as.bytes.data, "two", 3), 0);
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(mproc_connection_poll(to, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_connection_recv(to, &value, BRIEF), MPROC_ETIMEDOUT);
}

static void test_pipe__goes_both_ways(void)
{
    mproc_connection *first;
    mproc_connection *second;
    make(&first, &second);
    CU_ASSERT(mproc_connection_is_readable(first) && mproc_connection_is_writable(first));
    CU_ASSERT(mproc_connection_is_readable(second) && mproc_connection_is_writable(second));
    check_way(first, second);
    check_way(second, first);
    close_both(first, second);
}

static const testlib_case cases[] = {
    {"goes_both_ways", test_pipe__goes_both_ways},
};

PROCESS_TEST_MAIN("object.pipe", cases)
