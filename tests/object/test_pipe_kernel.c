/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pipe_kernel.c: pipes that the system's own calls can wait for: what is readable and when, by whatever
 * hands an end has gone, and whoever was killed.
 */
#include "object/native.h"
#include "object/pipe_test.h"

#include <stdlib.h>

#define LIMIT_MS 60000
#define MANY 300
#define N_SENDERS 3
#define N_RECEIVERS 2

static const mproc_pipe_options kernel = {.kernel = true};

static void make_kernel(mproc_connection **first, mproc_connection **second)
{
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(first, second, &kernel), MPROC_OK);
}

static intptr_t handle_of(const mproc_connection *connection)
{
    mproc_os_handle handle = -1;
    CHILD_CHECK(mproc_connection_handle(connection, &handle) == 0);
    return handle;
}

static bool is_readable(const mproc_connection *connection)
{
    bool is = native_poll(handle_of(connection), 0);
    CHILD_CHECK(is == native_poll_too(handle_of(connection), 0));
    return is;
}

static bool await_readable(const mproc_connection *connection)
{
    return native_poll(handle_of(connection), LIMIT_MS) && is_readable(connection);
}

/** Receive a number, after the system has said that there is one. */
static void expect_number(mproc_connection *connection, int expected)
{
    mproc_value value = {.type = MPROC_NIL};
    CU_ASSERT(await_readable(connection));
    CU_ASSERT_EQUAL(mproc_connection_recv(connection, &value, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT(value.type == MPROC_INT && value.as.integer == expected);
    mproc_value_clear(&value);
}

/* ---- one process ----------------------------------------------------------------------------- */

static void check_way(mproc_connection *from, mproc_connection *to)
{
    mproc_value value;
    CU_ASSERT(!is_readable(to) && !is_readable(from));
    CU_ASSERT_EQUAL(mproc_connection_recv(to, &value, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_connection_poll(to, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_connection_send(from, MPROC_VALUE(i), MPROC_FOREVER), MPROC_OK);
        CU_ASSERT(await_readable(to) && !is_readable(from));
    }
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_connection_poll(to, MPROC_NOWAIT), MPROC_OK);
        expect_number(to, i);
    }
    CU_ASSERT(!is_readable(to));
    CU_ASSERT_EQUAL(mproc_connection_recv(to, &value, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_connection_poll(to, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT(!is_readable(to));
}

static void test_pipe_kernel__is_readable_while_something_is_there(void)
{
    mproc_connection *first;
    mproc_connection *second;
    make_kernel(&first, &second);
    CU_ASSERT(!native_is_inherited(handle_of(first)) && !native_is_inherited(handle_of(second)));
    check_way(first, second);
    check_way(second, first);
    close_both(first, second);
}

static void test_pipe_kernel__goes_one_way(void)
{
    const mproc_pipe_options options = {.kernel = true, .is_one_way = true};
    mproc_connection *in;
    mproc_connection *out;
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&in, &out, &options), MPROC_OK);
    check_way(out, in);
    CU_ASSERT_EQUAL(mproc_connection_send(out, MPROC_VALUE(7), MPROC_NOWAIT), MPROC_OK);
    mproc_connection_close(out);
    expect_number(in, 7);
    CU_ASSERT(await_readable(in));
    mproc_value value;
    CU_ASSERT_EQUAL(mproc_connection_recv(in, &value, MPROC_NOWAIT), MPROC_ECLOSED);
    mproc_connection_close(in);
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&in, &out, &options), MPROC_OK);
    mproc_connection_close(in);
    CU_ASSERT(await_readable(out)); // to be told that nobody receives
    CU_ASSERT_EQUAL(mproc_connection_send(out, MPROC_VALUE(1), MPROC_NOWAIT), MPROC_EPEER);
    mproc_connection_close(out);
}

static void check_size(mproc_connection *from, mproc_connection *to, size_t size)
{
    size_t got = 0;
    char *sent = malloc(size + 1);
    char *received = malloc(size + 1);
    CU_ASSERT_FATAL(sent != NULL && received != NULL);
    memset(sent, (int)(size % 251), size);
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(from, sent, size, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT(await_readable(to));
    if (size > 0) {
        int rc = mproc_connection_recv_bytes_into(to, received, size - 1, &got, MPROC_NOWAIT);
        CU_ASSERT(rc == MPROC_ETOOBIG && got == size);
        CU_ASSERT(await_readable(to));
    }
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(to, received, size, &got, MPROC_NOWAIT),
                    MPROC_OK);
    CU_ASSERT(got == size && memcmp(sent, received, size) == 0);
    CU_ASSERT(!is_readable(to));
    free(sent);
    free(received);
}

static void test_pipe_kernel__takes_messages_of_any_size(void)
{
    static const size_t sizes[] = {0, 1, 8192, 8193, 100000, (size_t)1 << 20, (size_t)5 << 20};
    mproc_connection *first;
    mproc_connection *second;
    make_kernel(&first, &second);
    for (size_t i = 0; i < MPROC__COUNT(sizes); i++) {
        check_size(first, second, sizes[i]);
    }
    close_both(first, second);
}

static void test_pipe_kernel__can_be_full(void)
{
    static char bytes[5000];
    mproc_connection *first;
    mproc_connection *second;
    size_t size;
    int sent = 0;
    make_kernel(&first, &second);
    while (mproc_connection_send_bytes(first, bytes, sizeof(bytes), MPROC_NOWAIT) == MPROC_OK) {
        sent++;
    }
    for (int i = 0; i < 1000; i++) { // each looks whether anybody receives
        CU_ASSERT_EQUAL(mproc_connection_send_bytes(first, bytes, sizeof(bytes), MPROC_NOWAIT),
                        MPROC_ETIMEDOUT);
    }
    CU_ASSERT(sent > 10);
    while (sent-- > 0) {
        CU_ASSERT(await_readable(second));
        CU_ASSERT_EQUAL(
            mproc_connection_recv_bytes_into(second, bytes, sizeof(bytes), &size, MPROC_NOWAIT),
            MPROC_OK);
    }
    CU_ASSERT(!is_readable(second));
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(first, bytes, 1, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT(await_readable(second));
    mproc_connection_close(second);
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(first, bytes, 1, MPROC_NOWAIT), MPROC_EPEER);
    mproc_connection_close(first);
}

static void test_pipe_kernel__can_be_waited_for_with_others(void)
{
    mproc_connection *first;
    mproc_connection *second;
    mproc_event *event;
    make_kernel(&first, &second);
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(second), MPROC_WAIT_ITEM(event)};
    CU_ASSERT_EQUAL(mproc_wait(items, 2, BRIEF), 0);
    CU_ASSERT_EQUAL(mproc_connection_send(first, MPROC_VALUE(5), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_wait(items, 2, LIMIT), 1);
    CU_ASSERT(items[0].is_ready && !items[1].is_ready);
    expect_number(second, 5);
    mproc_connection_close(first);
    CU_ASSERT_EQUAL(mproc_wait(items, 2, LIMIT), 1);
    CU_ASSERT(items[0].is_ready);
    mproc_connection_close(second);
    mproc_event_close(event);
}

/* ---- ends in messages ------------------------------------------------------------------------ */

/** The first item of a list, as long as the value is. */
static mproc_connection *connection_in(const mproc_value *value)
{
    CU_ASSERT_FATAL(value->type == MPROC_LIST && value->as.list.count > 0);
    return (mproc_connection *)value->as.list.items[0].as.object;
}

static void check_received(mproc_connection *received, mproc_connection *other)
{
    CU_ASSERT(!is_readable(received));
    CU_ASSERT_EQUAL(mproc_connection_send(received, MPROC_VALUE(1), MPROC_NOWAIT), MPROC_OK);
    expect_number(other, 1);
    CU_ASSERT_EQUAL(mproc_connection_send(other, MPROC_VALUE(2), MPROC_NOWAIT), MPROC_OK);
    expect_number(received, 2);
}

/** An end goes through a pipe, and nobody has it meanwhile. */
static void test_pipe_kernel__ends_go_through_pipes(void)
{
    mproc_arena_stats before = settled_stats();
    size_t n_handles = native_count();
    for (int i = 0; i < 3; i++) {
        mproc_connection *first;
        mproc_connection *second;
        mproc_connection *in;
        mproc_connection *out;
        mproc_value value;
        make_kernel(&first, &second);
        make_kernel(&in, &out);
        CU_ASSERT_EQUAL(mproc_connection_send(out, MPROC_LIST(second, "it"), LIMIT), MPROC_OK);
        if (i > 0) {
            mproc_connection_close(second);
        }
        CU_ASSERT(!is_readable(first));
        if (i < 2) {
            CU_ASSERT(await_readable(in));
            CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(in, &value, MPROC_NOWAIT), MPROC_OK);
            check_received(connection_in(&value), first);
            mproc_value_clear(&value);
        }
        close_both(in, out);
        if (i > 0) {
            CU_ASSERT(await_readable(first));
            expect_end(first);
        } else {
            CU_ASSERT(!is_readable(first));
            mproc_connection_close(second);
        }
        mproc_connection_close(first);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
    CU_ASSERT_EQUAL(native_count(), n_handles);
}

static void test_pipe_kernel__ends_lie_in_containers(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_connection *first;
    mproc_connection *second;
    mproc_connection *again;
    mproc_dict *dict;
    mproc_value value;
    mproc_value copy;
    make_kernel(&first, &second);
    CU_ASSERT_EQUAL_FATAL(mproc_dict_create(&dict), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_dict_set(dict, MPROC_VALUE("end"), MPROC_LIST(second)), MPROC_OK);
    mproc_connection_close(second);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(mproc_dict_get(dict, MPROC_VALUE("end"), &value), MPROC_OK);
        CU_ASSERT_EQUAL_FATAL(mproc_value_copy(&copy, &value), MPROC_OK);
        CU_ASSERT_EQUAL_FATAL(mproc_connection_attach(&again, connection_in(&copy)), MPROC_OK);
        mproc_value_clear(&value);
        check_received(connection_in(&copy), first);
        mproc_value_clear(&copy);
        check_received(again, first);
        mproc_connection_close(again);
        CU_ASSERT(!is_readable(first));
    }
    mproc_dict_close(dict);
    CU_ASSERT(await_readable(first));
    expect_end(first);
    mproc_connection_close(first);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- children -------------------------------------------------------------------------------- */

/** Send back what comes, waiting by the system's means only. */
static int echo_polling(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_value value;
    int rc;
    CHILD_CHECK(MPROC_UNPACK(args, &connection) == 0);
    while (native_poll(handle_of(connection), LIMIT_MS) &&
           (rc = mproc_connection_recv(connection, &value, MPROC_NOWAIT)) != MPROC_ECLOSED) {
        CHILD_CHECK(rc == 0 || rc == MPROC_ETIMEDOUT);
        CHILD_CHECK(rc < 0 || mproc_connection_send(connection, value, LIMIT) == 0);
        if (rc == 0) {
            mproc_value_clear(&value);
        }
    }
    return 0;
}

static void test_pipe_kernel__children_have_ends(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_connection *ours;
    mproc_connection *theirs;
    make_kernel(&ours, &theirs);
    mproc_process *child = start(echo_polling, MPROC_ARGS(theirs));
    mproc_connection_close(theirs);
    for (int i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL(mproc_connection_send(ours, MPROC_VALUE(i), LIMIT), MPROC_OK);
        expect_number(ours, i);
    }
    if (method_is("fork")) {
        CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK); // it has ours, too
        CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    } else {
        mproc_connection_close(ours);
        ours = NULL;
        CU_ASSERT_EQUAL(end_of(child), 0);
    }
    mproc_connection_close(ours);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static int say_and_stay(const mproc_args *args)
{
    mproc_connection *connection;
    CHILD_CHECK(MPROC_UNPACK(args, &connection) == 0);
    CHILD_CHECK(mproc_connection_send(connection, MPROC_VALUE(1), LIMIT) == 0);
    return stay();
}

/** Who waits in the system's call learns at once that the other end was killed, and nobody needs to look. */
static void test_pipe_kernel__a_kill_is_readable(void)
{
    mproc_arena_stats before = settled_stats();
    for (int i = 0; i < 4; i++) {
        mproc_connection *ours;
        mproc_connection *theirs;
        mproc_value value;
        make_kernel(&ours, &theirs);
        mproc_process *child = start(say_and_stay, MPROC_ARGS(theirs));
        mproc_connection_close(theirs);
        expect_number(ours, 1);
        CU_ASSERT(!is_readable(ours));
        if (i == 1) { // what it has not received does not hide the end
            CU_ASSERT_EQUAL(mproc_connection_send(ours, MPROC_VALUE(1), LIMIT), MPROC_OK);
        }
        CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
        CU_ASSERT(await_readable(ours));
        if (i == 2) {
            CU_ASSERT_EQUAL(mproc_connection_poll(ours, MPROC_NOWAIT), MPROC_OK);
        }
        CU_ASSERT_EQUAL(mproc_connection_recv(ours, &value, i < 3 ? MPROC_NOWAIT : LIMIT),
                        MPROC_ECLOSED);
        CU_ASSERT(is_readable(ours));
        CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
        expect_end(ours);
        mproc_connection_close(ours);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_pipe_kernel__who_sleeps_learns_of_a_kill(void)
{
    mproc_connection *ours;
    mproc_connection *theirs;
    make_kernel(&ours, &theirs);
    mproc_process *child = start(say_and_stay, MPROC_ARGS(theirs));
    mproc_connection_close(theirs);
    expect_number(ours, 1);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    mproc_wait_item item = MPROC_WAIT_ITEM(ours);
    CU_ASSERT_EQUAL(mproc_wait(&item, 1, LIMIT), 1);
    expect_end(ours);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    mproc_connection_close(ours);
}

/** Killed at its start: the end is in the start block, or in the process's hands already. */
static void test_pipe_kernel__an_end_in_a_start_goes_with_it(void)
{
    mproc_arena_stats before = settled_stats();
    for (int i = 0; i < 10; i++) {
        mproc_connection *ours;
        mproc_connection *theirs;
        make_kernel(&ours, &theirs);
        mproc_process *child = start(say_and_stay, MPROC_ARGS(theirs));
        mproc_connection_close(theirs);
        CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
        (void)mproc_process_join(child, LIMIT); // which notices
        mproc_value value;
        int rc = MPROC_OK;
        while (rc != MPROC_ECLOSED && await_readable(ours)) {
            rc = mproc_connection_recv(ours, &value, MPROC_NOWAIT);
        }
        CU_ASSERT_EQUAL(rc, MPROC_ECLOSED);
        CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
        mproc_connection_close(ours);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- many ------------------------------------------------------------------------------------ */

static int send_many(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &connection, &block) == 0);
    meet(block, N_SENDERS + N_RECEIVERS);
    for (int i = 0; i < MANY; i++) {
        CHILD_CHECK(mproc_connection_send(connection, MPROC_VALUE(i), LIMIT) == 0);
    }
    return 0;
}

/** Receive until nil, waiting by the system's means only; it is left to the others, too. */
static int receive_many(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_connection *back;
    mproc_block *block;
    mproc_value value = MPROC_VALUE(1);
    CHILD_CHECK(MPROC_UNPACK(args, &connection, &back, &block) == 0);
    meet(block, N_SENDERS + N_RECEIVERS);
    while (value.type != MPROC_NIL) {
        CHILD_CHECK(native_poll(handle_of(connection), LIMIT_MS));
        int rc = mproc_connection_recv(connection, &value, MPROC_NOWAIT);
        CHILD_CHECK(rc == 0 || rc == MPROC_ETIMEDOUT); // another one was quicker
        if (rc == 0 && value.type != MPROC_NIL) {
            CHILD_CHECK(value.as.integer >= 0 && value.as.integer < MANY);
            (void)mproc__add32(words_of(block) + 1, 1);
            (void)mproc__add32(words_of(block) + 2, (uint32_t)value.as.integer);
        }
    }
    CHILD_CHECK(mproc_connection_send(back, (mproc_value){.type = MPROC_NIL}, LIMIT) == 0);
    return 0;
}

static void test_pipe_kernel__many_use_the_same_end(void)
{
    mproc_connection *here;
    mproc_connection *there;
    mproc_process *children[N_SENDERS + N_RECEIVERS];
    mproc_block *block = make_words(3);
    make_kernel(&here, &there);
    for (int i = 0; i < N_RECEIVERS; i++) {
        children[i] = start(receive_many, MPROC_ARGS(there, here, block));
    }
    for (int i = 0; i < N_SENDERS; i++) {
        children[N_RECEIVERS + i] = start(send_many, MPROC_ARGS(here, block));
    }
    for (int i = 0; i < N_SENDERS; i++) {
        CU_ASSERT_EQUAL(end_of(children[N_RECEIVERS + i]), 0);
    }
    CU_ASSERT_EQUAL(mproc_connection_send(here, (mproc_value){.type = MPROC_NIL}, LIMIT), MPROC_OK);
    for (int i = 0; i < N_RECEIVERS; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    CU_ASSERT_EQUAL(words_of(block)[1], N_SENDERS * MANY);
    CU_ASSERT_EQUAL(words_of(block)[2], N_SENDERS * (MANY * (MANY - 1) / 2));
    CU_ASSERT(await_readable(there)); // the last nil
    mproc_value value;
    CU_ASSERT_EQUAL(mproc_connection_recv(there, &value, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT(!is_readable(there) && !is_readable(here));
    close_both(here, there);
    mproc_block_close(block);
}

/* ---- kills ----------------------------------------------------------------------------------- */

#define LARGEST 20000u

struct numbered {
    uint32_t sender, number, size;
};

/** Send for ever: who and the how manieth, and bytes that follow from these. */
static int send_for_ever(const mproc_args *args)
{
    static unsigned char message[LARGEST];
    mproc_connection *connection;
    uint32_t me;
    CHILD_CHECK(MPROC_UNPACK(args, &connection, &me) == 0);
    for (struct numbered head = {.sender = me};; head.number++) {
        head.size = sizeof(head) + (head.number * 7919 + me) % (LARGEST - sizeof(head));
        memset(message, (int)(head.number % 256), head.size);
        memcpy(message, &head, sizeof(head));
        CHILD_CHECK(mproc_connection_send_bytes(connection, message, head.size, LIMIT) == 0);
    }
}

/** Receive one, waiting by the system's means only, and check it; false: nobody sends any more. */
static bool receive_numbered(mproc_connection *connection, uint32_t *next)
{
    static unsigned char message[LARGEST];
    struct numbered head;
    size_t size;
    int rc = MPROC_ETIMEDOUT;
    while (rc == MPROC_ETIMEDOUT && native_poll(handle_of(connection), LIMIT_MS)) {
        rc = mproc_connection_recv_bytes_into(connection, message, LARGEST, &size, MPROC_NOWAIT);
    }
    CU_ASSERT_FATAL(rc == MPROC_OK || rc == MPROC_ECLOSED);
    if (rc == MPROC_OK) {
        memcpy(&head, message, sizeof(head));
        CU_ASSERT_FATAL(size == head.size && head.sender < N_SENDERS);
        CU_ASSERT_EQUAL(head.number, next[head.sender]++);
        CU_ASSERT(size == sizeof(head) || message[size - 1] == head.number % 256);
    }
    return rc == MPROC_OK;
}

/** What was sent is received, whole and in order, and then the end: whoever is killed in a send, and when. */
static void test_pipe_kernel__messages_stay_whole(void)
{
    mproc_block_close(make_words(1)); // a first hold takes memory for all later ones
    mproc_arena_stats before = settled_stats();
    for (long round = testlib_count(5, 200); round > 0; round--) {
        mproc_connection *ours;
        mproc_connection *theirs;
        mproc_process *children[N_SENDERS];
        uint32_t next[N_SENDERS] = {0};
        make_kernel(&ours, &theirs);
        for (uint32_t i = 0; i < N_SENDERS; i++) {
            children[i] = start(send_for_ever, MPROC_ARGS(theirs, i));
        }
        mproc_connection_close(theirs);
        for (int i = 0; i < N_SENDERS; i++) {
            for (uint32_t n = testlib_random() % 100; n > 0 || next[i] == 0; n -= n > 0 ? 1 : 0) {
                CU_ASSERT(receive_numbered(ours, next));
            }
            CU_ASSERT_EQUAL(mproc_process_kill(children[i]), MPROC_OK);
        }
        while (receive_numbered(ours, next)) {
        }
        for (int i = 0; i < N_SENDERS; i++) {
            CU_ASSERT_EQUAL(end_of(children[i]), CODE_KILLED);
        }
        expect_end(ours);
        mproc_connection_close(ours);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"is_readable_while_something_is_there",
     test_pipe_kernel__is_readable_while_something_is_there},
    {"goes_one_way", test_pipe_kernel__goes_one_way},
    {"takes_messages_of_any_size", test_pipe_kernel__takes_messages_of_any_size},
    {"can_be_full", test_pipe_kernel__can_be_full},
    {"can_be_waited_for_with_others", test_pipe_kernel__can_be_waited_for_with_others},
    {"ends_go_through_pipes", test_pipe_kernel__ends_go_through_pipes},
    {"ends_lie_in_containers", test_pipe_kernel__ends_lie_in_containers},
    {"children_have_ends", test_pipe_kernel__children_have_ends},
    {"a_kill_is_readable", test_pipe_kernel__a_kill_is_readable},
    {"who_sleeps_learns_of_a_kill", test_pipe_kernel__who_sleeps_learns_of_a_kill},
    {"an_end_in_a_start_goes_with_it", test_pipe_kernel__an_end_in_a_start_goes_with_it},
    {"many_use_the_same_end", test_pipe_kernel__many_use_the_same_end},
    {"messages_stay_whole", test_pipe_kernel__messages_stay_whole},
};

PROCESS_TEST_MAIN("object.pipe_kernel", cases)
