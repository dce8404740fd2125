/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_stranger.c: a process killed at every instruction of passing on a connection to a stranger that it
 * has been passed itself. The victim is a copy of the test by fork.
 *
 * However far it has come, one of these has the connection, and receives whole what the stranger sends: who
 * finds it in a queue; who passed it to the victim, if that has not used it yet; or nobody any more.
 */
#include "family/layout.h"
#include "family/ops.h"
#include "mproc/mproc.h"
#include "stress/stepkill.h"
#include "stress/survivor.h"
#include "support/testlib.h"

#include "base/compiler.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static mproc_listener *listener;
static mproc_connection *ours, *stranger;
static mproc_queue *before, *behind; /* the victim's way */

static void put(mproc_queue *queue, mproc_connection *connection)
{
    CHILD_CHECK(mproc_queue_put(queue, MPROC_LIST(connection), MPROC_NOWAIT) == 0);
}

/** What is in a queue, and the value that it is of; NULL: nothing. */
static mproc_connection *get(mproc_queue *queue, mproc_value *ret_value)
{
    mproc_connection *connection = NULL;
    if (mproc_queue_get(queue, ret_value, MPROC_NOWAIT) == 0) {
        CHILD_CHECK(MPROC_UNPACK_LIST(ret_value, &connection) == 0);
    }
    return connection;
}

/** One message has been received and one has been read ahead. */
static void make(void)
{
    char byte;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(mproc_listener_create(&listener, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(
        mproc_client_connect(&stranger, mproc_listener_address(listener), NULL, SURVIVOR_LIMIT), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_listener_accept(listener, &ours, SURVIVOR_LIMIT), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&before, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&behind, NULL), 0);
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(stranger, "1", 1, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(stranger, "2", 1, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(ours, &byte, 1, &size, MPROC_NOWAIT), 0);
    put(before, ours);
}

static void make_done(void)
{
    mproc_value value;
    make();
    mproc_connection *connection = get(before, &value);
    CU_ASSERT_PTR_NOT_NULL_FATAL(connection);
    put(behind, connection);
    mproc_value_clear(&value);
}

static bool receives(mproc_connection *connection, char expected)
{
    char byte = 0;
    size_t size = 0;
    int rc = mproc_connection_recv_bytes_into(connection, &byte, 1, &size, MPROC_NOWAIT);
    CU_ASSERT(rc == MPROC_ESTATE || (rc == 0 && size == 1 && byte == expected));
    return rc == 0;
}

/** How many of the ends are good, of which it is one at most. */
static void after(bool is_done)
{
    mproc_value value = {.type = MPROC_NIL};
    mproc_connection *first = get(before, &value);
    mproc_connection *connection = first != NULL ? first : get(behind, &value);
    CU_ASSERT(!is_done || (first == NULL && connection != NULL));
    int sent = mproc_connection_send_bytes(stranger, "3", 1, MPROC_NOWAIT);
    if (connection != NULL && receives(connection, '2')) {
        CU_ASSERT_EQUAL(sent, 0);
        CU_ASSERT(!receives(ours, 0));
        CU_ASSERT(receives(connection, '3'));
    } else {
        CU_ASSERT(!is_done);
        CU_ASSERT_PTR_NULL(connection); // what is in a queue is good
        // Who was to take it may have closed it before it was killed: only then the stranger cannot send.
        CU_ASSERT(receives(ours, '2') ? sent == 0 && receives(ours, '3')
                                      : sent == 0 || sent == MPROC_EPEER);
    }
    mproc_value_clear(&value);
}

static void unmake(void)
{
    char byte;
    mproc_queue_close(before);
    mproc_queue_close(behind);
    mproc_connection_close(ours);
    CU_ASSERT_EQUAL(mproc_connection_poll(stranger, SURVIVOR_LIMIT), 0);
    CU_ASSERT(mproc_connection_recv_bytes_into(stranger, &byte, 1, &(size_t){0}, MPROC_NOWAIT) < 0);
    mproc_connection_close(stranger);
    mproc_listener_close(listener);
    ssize_t n = recv((int)mproc__arena.bag.out.os, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    CU_ASSERT(n < 0 && errno == EAGAIN);
}

/* ---- what the victim does -------------------------------------------------------------------- */

static void pass_on(uint64_t shared)
{
    mproc_value value;
    (void)shared;
    mproc_connection *connection = get(before, &value);
    CHILD_CHECK(connection != NULL);
    put(behind, connection);
    mproc_value_clear(&value);
}

static void take(uint64_t shared)
{
    mproc_value value;
    char byte;
    size_t size;
    (void)shared;
    mproc_connection *connection = get(behind, &value);
    CHILD_CHECK(connection != NULL);
    CHILD_CHECK(mproc_connection_recv_bytes_into(connection, &byte, 1, &size, MPROC_NOWAIT) == 0);
    mproc_value_clear(&value);
}

/** It has gone with the victim, or is still in the queue, or came back. */
static void after_taking(bool is_done)
{
    if (is_done) {
        CU_ASSERT_EQUAL(mproc_queue_size(behind), 0);
        CU_ASSERT(!receives(ours, 0));
    } else {
        after(false);
    }
}

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"pass a stranger on", NULL, pass_on, PART(make, NULL, after, unmake)},
    {"take a stranger", NULL, take, PART(make_done, NULL, after_taking, unmake)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_stranger", 1000);
}
