/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe_test.h: what the tests of pipes share.
 */
#ifndef TESTS_OBJECT_PIPE_TEST_H
#define TESTS_OBJECT_PIPE_TEST_H

#include "object/sync_test.h"

static inline void make(mproc_connection **first, mproc_connection **second)
{
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(first, second, NULL), MPROC_OK);
}

static inline void close_both(mproc_connection *first, mproc_connection *second)
{
    mproc_connection_close(first);
    mproc_connection_close(second);
}

static inline void expect_end(mproc_connection *connection)
{
    mproc_value value;
    CU_ASSERT_EQUAL(mproc_connection_poll(connection, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_recv(connection, &value, LIMIT), MPROC_ECLOSED);
    CU_ASSERT_EQUAL(mproc_connection_recv(connection, &value, MPROC_NOWAIT), MPROC_ECLOSED);
    CU_ASSERT_EQUAL(mproc_connection_send(connection, MPROC_VALUE(1), LIMIT), MPROC_EPEER);
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(connection, "", 0, MPROC_NOWAIT), MPROC_EPEER);
}

/** Send back what comes, until it is nil. */
static inline int echo(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_value value;
    bool is_last = false;
    CHILD_CHECK(MPROC_UNPACK(args, &connection) == 0);
    while (!is_last) {
        CHILD_CHECK(mproc_connection_recv(connection, &value, LIMIT) == 0);
        is_last = value.type == MPROC_NIL;
        CHILD_CHECK(mproc_connection_send(connection, value, LIMIT) == 0);
        mproc_value_clear(&value);
    }
    return 0; // without closing anything
}

#endif
