/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pipe_end.c: when an end of a pipe is gone, and how the other one learns of it.
 */
#include "object/pipe_test.h"

/* ---- the end --------------------------------------------------------------------------------- */

/** An end that came in a value can be closed before the value. */
static void test_pipe__a_values_end_can_be_closed(void)
{
    mproc_connection *first;
    mproc_connection *second;
    mproc_connection *received;
    mproc_value value;
    make(&first, &second);
    CU_ASSERT_EQUAL(mproc_connection_send(first, MPROC_LIST(first, "text"), LIMIT), MPROC_OK);
    mproc_connection_close(first);
    CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(second, &value, LIMIT), MPROC_OK);
    received = (mproc_connection *)value.as.list.items[0].as.object;
    CU_ASSERT_EQUAL(mproc_connection_poll(second, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    mproc_connection_close(received);
    expect_end(second);
    CU_ASSERT_EQUAL(strcmp(value.as.list.items[1].as.string.data, "text"), 0);
    mproc_value_clear(&value);
    mproc_connection_close(second);
}

static void test_pipe__ends_behind_what_was_sent(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_connection *first;
    mproc_connection *second;
    mproc_connection *again = NULL;
    mproc_value value;
    make(&first, &second);
    CU_ASSERT_EQUAL_FATAL(mproc_connection_attach(&again, first), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_send(first, MPROC_VALUE(1), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_send(first, MPROC_LIST(second, 2), MPROC_NOWAIT), MPROC_OK);
    mproc_connection_close(first);
    CU_ASSERT_EQUAL(mproc_connection_send(second, MPROC_VALUE(1), MPROC_NOWAIT), MPROC_OK);
    mproc_connection_close(again);
    CU_ASSERT_EQUAL(mproc_connection_send(second, MPROC_VALUE(1), MPROC_NOWAIT), MPROC_EPEER);
    CU_ASSERT_EQUAL(mproc_connection_recv(second, &value, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(value.as.integer, 1);
    CU_ASSERT_EQUAL(mproc_connection_recv(second, &value, MPROC_NOWAIT), MPROC_OK);
    mproc_value_clear(&value);
    expect_end(second);
    mproc_connection_close(second);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** An end that is on its way is not gone; it is when nobody can receive it any more. */
static void test_pipe__ends_go_through_pipes(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_connection *carrier[2];
    mproc_connection *first;
    mproc_connection *second;
    mproc_connection *received;
    mproc_value value;
    make(&carrier[0], &carrier[1]);
    make(&first, &second);
    CU_ASSERT_EQUAL(mproc_connection_send(carrier[0], MPROC_LIST(second), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_send(carrier[0], MPROC_LIST(second), MPROC_NOWAIT), MPROC_OK);
    mproc_connection_close(second);
    CU_ASSERT_EQUAL(mproc_connection_send(first, MPROC_VALUE(7), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(carrier[1], &value, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(MPROC_UNPACK_LIST(&value, &received), MPROC_OK);
    mproc_value seven;
    CU_ASSERT_EQUAL(mproc_connection_recv(received, &seven, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(seven.as.integer, 7);
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(mproc_connection_poll(first, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    close_both(carrier[0], carrier[1]); // with the second one in it
    expect_end(first);
    mproc_connection_close(first);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- processes ------------------------------------------------------------------------------- */

/** In a child: wait until somebody else of the family has long been asleep. */
static void await_sleeper(void)
{
    mproc_block *block;
    int64_t limit = mplat_now() + LIMIT;
    CHILD_CHECK(mproc_block_create(&block, sizeof(uint32_t)) == 0);
    while (count_asleep() == 0) {
        CHILD_CHECK(mplat_now() < limit);
        (void)mplat_wait(mproc_block_data(block), 0, mplat_now() + mproc_milliseconds(2), NULL,
                         NULL);
    }
    mproc_block_close(block);
}

/** Be killed as soon as somebody sleeps. */
static int be_killed(const mproc_args *args)
{
    mproc_connection *connection;
    CHILD_CHECK(MPROC_UNPACK(args, &connection) == 0);
    await_sleeper();
    const mplat_identity self = mplat_self();
    CHILD_CHECK(mplat_process_signal(&self, MPLAT_KILL) == 0);
    return stay();
}

static void test_pipe__who_sleeps_learns_of_a_kill(void)
{
    mproc_arena_stats before = settled_stats();
    for (int i = 0; i < 3; i++) {
        mproc_connection *ours;
        mproc_connection *theirs;
        mproc_value value;
        make(&ours, &theirs);
        mproc_process *child = start(be_killed, MPROC_ARGS(theirs));
        mproc_connection_close(theirs);
        if (i == 0) {
            CU_ASSERT_EQUAL(mproc_connection_recv(ours, &value, LIMIT), MPROC_ECLOSED);
        } else if (i == 1) {
            CU_ASSERT_EQUAL(mproc_connection_poll(ours, LIMIT), MPROC_OK);
        } else {
            int rc;
            while ((rc = mproc_connection_send_bytes(ours, "bytes", 5, LIMIT)) == MPROC_OK) {
            }
            CU_ASSERT_EQUAL(rc, MPROC_EPEER);
        }
        expect_end(ours);
        CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
        mproc_connection_close(ours);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** Close the end that was an argument, and stay. */
static int close_and_stay(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_connection *again;
    CHILD_CHECK(MPROC_UNPACK(args, &connection) == 0);
    CHILD_CHECK(mproc_connection_attach(&again, connection) == 0);
    mproc_connection_close(connection);
    CHILD_CHECK(mproc_connection_send(again, MPROC_VALUE(1), LIMIT) == 0);
    mproc_connection_close(again);
    (void)stay();
    return 0;
}

static void test_pipe__an_arguments_end_can_be_closed(void)
{
    mproc_connection *ours;
    mproc_connection *theirs;
    mproc_value value;
    make(&ours, &theirs);
    mproc_process *child = start(close_and_stay, MPROC_ARGS(theirs));
    mproc_connection_close(theirs);
    CU_ASSERT_EQUAL(mproc_connection_recv(ours, &value, LIMIT), MPROC_OK);
    expect_end(ours);
    CU_ASSERT_EQUAL(mproc_process_is_alive(child), 1);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    mproc_connection_close(ours);
}

static int keep_it(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &connection, &block) == 0);
    add_word(words_of(block));
    return stay();
}

/** ... and who asks again and again, and never sleeps. */
static void test_pipe__who_asks_learns_of_a_kill(void)
{
    mproc_connection *ours;
    mproc_connection *theirs;
    mproc_block *block = make_words(1);
    make(&ours, &theirs);
    mproc_process *child = start(keep_it, MPROC_ARGS(theirs, block));
    mproc_connection_close(theirs);
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(mproc_connection_poll(ours, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    int64_t limit = mplat_now() + LIMIT;
    while (mproc_connection_poll(ours, MPROC_NOWAIT) == MPROC_ETIMEDOUT && mplat_now() < limit) {
    }
    expect_end(ours);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    mproc_connection_close(ours);
    mproc_block_close(block);
}

/** Both ends are the child's, and one is in a message of another pipe, which nobody else has. */
static int keep_all(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_connection *carrier[2];
    CHILD_CHECK(MPROC_UNPACK(args, &connection) == 0);
    CHILD_CHECK(mproc_pipe_create(&carrier[0], &carrier[1], NULL) == 0);
    CHILD_CHECK(mproc_connection_send(carrier[0], MPROC_LIST(connection), LIMIT) == 0);
    mproc_connection_close(connection);
    await_sleeper();
    mplat_process_leave(77); // as good as killed
    return 1;
}

static void test_pipe__an_end_on_its_way_goes_with_it(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_connection *ours;
    mproc_connection *theirs;
    make(&ours, &theirs);
    mproc_process *child = start(keep_all, MPROC_ARGS(theirs));
    mproc_connection_close(theirs);
    expect_end(ours);
    CU_ASSERT_EQUAL(end_of(child), 77);
    mproc_connection_close(ours);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** Killed at its start: the end is in the start block, or in the process's hands already. */
static void test_pipe__an_end_in_a_start_goes_with_it(void)
{
    mproc_arena_stats before = settled_stats();
    for (int i = 0; i < 10; i++) {
        mproc_connection *ours;
        mproc_connection *theirs;
        int code = 0;
        make(&ours, &theirs);
        mproc_process *child = start(echo, MPROC_ARGS(theirs));
        mproc_connection_close(theirs);
        CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
        expect_end(ours);
        int rc = mproc_process_join(child, LIMIT);
        CU_ASSERT(rc == MPROC_OK || rc == MPROC_ESTART);
        CU_ASSERT_EQUAL(mproc_process_exit_code(child, &code), MPROC_OK);
        CU_ASSERT_EQUAL(code, CODE_KILLED);
        CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
        mproc_connection_close(ours);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"a_values_end_can_be_closed", test_pipe__a_values_end_can_be_closed},
    {"ends_behind_what_was_sent", test_pipe__ends_behind_what_was_sent},
    {"ends_go_through_pipes", test_pipe__ends_go_through_pipes},
    {"who_sleeps_learns_of_a_kill", test_pipe__who_sleeps_learns_of_a_kill},
    {"an_arguments_end_can_be_closed", test_pipe__an_arguments_end_can_be_closed},
    {"who_asks_learns_of_a_kill", test_pipe__who_asks_learns_of_a_kill},
    {"an_end_on_its_way_goes_with_it", test_pipe__an_end_on_its_way_goes_with_it},
    {"an_end_in_a_start_goes_with_it", test_pipe__an_end_in_a_start_goes_with_it},
};

PROCESS_TEST_MAIN("object.pipe_end", cases)
