/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_listener_pass.c: connections to strangers that other members are given: whole messages, by one process at a
 * time, wherever they are when it comes to its end.
 */
#include "base/check.h"
#include "object/listener_test.h"

static const char *const addresses[] = {NULL, "tcp:127.0.0.1:0"};

static void send_text(mproc_connection *connection, const char *text)
{
    CU_ASSERT_EQUAL(mproc_connection_send(connection, MPROC_VALUE(text), LIMIT), MPROC_OK);
}

static bool receives(mproc_connection *connection, const char *text)
{
    mproc_value value = MPROC_NIL_VALUE;
    int rc = mproc_connection_recv(connection, &value, LIMIT);
    bool is_it = rc >= 0 && value.type == MPROC_STRING && strcmp(value.as.string.data, text) == 0;
    if (!is_it) {
        printf("recv: %d %s ... ", rc, rc < 0 ? mproc_last_error() : "another one");
    }
    mproc_value_clear(&value);
    return is_it;
}

/** Nothing can be done with it here. */
static bool is_elsewhere(mproc_connection *connection)
{
    mproc_value value;
    mproc_os_handle handle;
    mproc_wait_item item = {.type = MPROC_WAIT_CONNECTION, .as.connection = connection};
    return mproc_connection_send(connection, MPROC_VALUE(1), LIMIT) == MPROC_ESTATE &&
           mproc_connection_recv(connection, &value, LIMIT) == MPROC_ESTATE &&
           mproc_connection_poll(connection, LIMIT) == MPROC_ESTATE &&
           mproc_connection_handle(connection, &handle) == MPROC_ESTATE &&
           mproc_wait(&item, 1, LIMIT) == MPROC_ESTATE;
}

static mproc_queue *make_queue(size_t max_items)
{
    mproc_queue *queue = NULL;
    const mproc_queue_options options = {.max_items = max_items};
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, &options), MPROC_OK);
    return queue;
}

static void put(mproc_queue *queue, mproc_connection *connection)
{
    CU_ASSERT_EQUAL_FATAL(mproc_queue_put(queue, MPROC_LIST(connection), LIMIT), MPROC_OK);
}

/* ---- in arguments ---------------------------------------------------------------------------- */

/** Send back what comes, until the end; how many. */
static int echo(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_value value;
    int n = 0;
    CHILD_CHECK(MPROC_UNPACK(args, &connection) == 0);
    while (mproc_connection_recv(connection, &value, LIMIT) >= 0) {
        CHILD_CHECK(mproc_connection_send(connection, value, LIMIT) == 0);
        mproc_value_clear(&value);
        n++;
    }
    return n;
}

static void test_listener_pass__goes_on_in_a_child(void)
{
    for (size_t i = 0; i < MPROC__COUNT(addresses); i++) {
        pair p = make_pair(addresses[i]);
        send_text(p.theirs, "first");
        send_text(p.theirs, "read ahead");
        send_text(p.theirs, "too");
        CU_ASSERT(receives(p.ours, "first"));
        CU_ASSERT_EQUAL(mproc_connection_poll(p.ours, LIMIT), MPROC_OK); // one is whole already
        mproc_process *child = start(echo, MPROC_ARGS(p.ours));
        CU_ASSERT(receives(p.theirs, "read ahead"));
        CU_ASSERT(receives(p.theirs, "too"));
        CU_ASSERT(is_elsewhere(p.ours));
        send_text(p.theirs, "more");
        CU_ASSERT(receives(p.theirs, "more"));
        mproc_connection_close(p.theirs);
        CU_ASSERT_EQUAL(end_of(child), 3);
        CU_ASSERT(is_elsewhere(p.ours)); // it has ended there
        p.theirs = NULL;
        drop_pair(&p);
    }
}

static void test_listener_pass__ends_with_who_has_it(void)
{
    for (size_t i = 0; i < MPROC__COUNT(addresses); i++) {
        mproc_value value;
        pair p = make_pair(addresses[i]);
        mproc_process *child = start(echo, MPROC_ARGS(p.ours));
        mproc_connection_close(p.ours); // which does not end it
        p.ours = NULL;
        send_text(p.theirs, "x");
        CU_ASSERT(receives(p.theirs, "x"));
        CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
        CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
        int rc = mproc_connection_recv(p.theirs, &value, LIMIT);
        CU_ASSERT(rc == MPROC_ECLOSED || rc == MPROC_EPEER);
        drop_pair(&p);
    }
}

static int pass_on(const mproc_args *args)
{
    mproc_connection *connection;
    CHILD_CHECK(MPROC_UNPACK(args, &connection) == 0);
    mproc_process *child;
    int code = -1;
    CHILD_CHECK(mproc_process_start(&child, echo, MPROC_ARGS(connection), NULL) == 0);
    mproc_connection_close(connection);
    CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
    CHILD_CHECK(mproc_process_exit_code(child, &code) == 0);
    CHILD_CHECK(mproc_process_close(child) == 0);
    return code;
}

static void test_listener_pass__goes_from_hand_to_hand(void)
{
    pair p = make_pair(NULL);
    mproc_process *child = start(pass_on, MPROC_ARGS(p.ours));
    mproc_connection_close(p.ours);
    p.ours = NULL;
    send_text(p.theirs, "through");
    CU_ASSERT(receives(p.theirs, "through"));
    mproc_connection_close(p.theirs);
    p.theirs = NULL;
    CU_ASSERT_EQUAL(end_of(child), 1);
    drop_pair(&p);
}

/* ---- half a message -------------------------------------------------------------------------- */

static int expect_text(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &connection, &block) == 0);
    CHILD_CHECK(mproc_connection_poll(connection, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    add_word(words_of(block));
    CHILD_CHECK(receives(connection, "0123456789"));
    return 0;
}

static void test_listener_pass__takes_half_a_message_along(void)
{
    // Four bytes of size, then ten characters as MessagePack has them: cut in each place.
    static const char message[] = "\0\0\0\x0b\xaa"
                                  "0123456789";
    const size_t cuts[] = {2, 4, 9};
    for (size_t i = 0; i < MPROC__COUNT(cuts); i++) {
        size_t cut = cuts[i];
        mproc_block *block = make_words(1);
        pair p = make_raw_pair();
        mplat_handle handle;
        size_t index;
        CU_ASSERT_EQUAL(mproc_connection_poll(p.ours, MPROC_NOWAIT), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mproc_connection_handle(p.ours, &handle.os), MPROC_OK);
        CU_ASSERT_EQUAL(write_raw(p.raw, message, cut), MPROC_OK);
        CU_ASSERT_EQUAL(mplat_sentinel_wait(&handle, 1, mplat_now() + LIMIT, &index), 0);
        CU_ASSERT_EQUAL(mproc_connection_poll(p.ours, MPROC_NOWAIT), MPROC_ETIMEDOUT);
        mproc_process *child = start(expect_text, MPROC_ARGS(p.ours, block));
        CU_ASSERT(await_word(words_of(block), 1));
        CU_ASSERT_EQUAL(write_raw(p.raw, message + cut, sizeof(message) - 1 - cut), MPROC_OK);
        CU_ASSERT_EQUAL(end_of(child), 0);
        mproc_block_close(block);
        drop_pair(&p);
    }
}

/** Much of a large one. */
static void test_listener_pass__takes_what_is_large_along(void)
{
    static unsigned char message[200004] = {0, 3, 0x0d, 0x40}; // 200,000, and so many zeros
    pair p = make_raw_pair();
    mproc_value value;
    size_t size = 0;
    mproc_connection *again;
    mproc_queue *queue = make_queue(0);
    CU_ASSERT_EQUAL(write_raw(p.raw, message, 100000), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_poll(p.ours, BRIEF), MPROC_ETIMEDOUT);
    put(queue, p.ours);
    CU_ASSERT_EQUAL(write_raw(p.raw, message + 100000, 100004), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &value, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(MPROC_UNPACK_LIST(&value, &again), MPROC_OK);
    mproc_value bytes = MPROC_NIL_VALUE;
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes(again, &bytes, SIZE_MAX, &size, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(size, 200000);
    CU_ASSERT(is_elsewhere(p.ours));
    mproc_value_clear(&bytes);
    mproc_value_clear(&value);
    mproc_queue_close(queue);
    drop_pair(&p);
}

/* ---- nobody takes it ------------------------------------------------------------------------- */

static void test_listener_pass__comes_back_if_not_sent(void)
{
    pair p = make_pair(NULL);
    mproc_queue *queue = make_queue(1);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(1), LIMIT), MPROC_OK);
    send_text(p.theirs, "one");
    send_text(p.theirs, "two");
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_LIST(p.ours), MPROC_NOWAIT), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mproc_connection_poll(p.ours, LIMIT), MPROC_OK);
    }
    CU_ASSERT(receives(p.ours, "one"));
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_LIST(p.ours, p.ours), LIMIT), MPROC_ESTATE);
    CU_ASSERT(receives(p.ours, "two"));
    mproc_queue_close(queue);
    drop_pair(&p);
}

static void test_listener_pass__comes_back_if_never_received(void)
{
    for (size_t i = 0; i < MPROC__COUNT(addresses); i++) {
        pair p = make_pair(addresses[i]);
        mproc_queue *queue = make_queue(0);
        send_text(p.theirs, "one");
        CU_ASSERT_EQUAL(mproc_connection_poll(p.ours, LIMIT), MPROC_OK);
        put(queue, p.ours);
        CU_ASSERT(is_elsewhere(p.ours));
        mproc_queue_close(queue);
        CU_ASSERT(receives(p.ours, "one"));
        send_text(p.ours, "two");
        CU_ASSERT(receives(p.theirs, "two"));
        drop_pair(&p);
    }
}

/** Nor does the stranger see the end before. */
static void test_listener_pass__goes_with_the_message(void)
{
    mproc_value value;
    pair p = make_pair(NULL);
    mproc_queue *queue = make_queue(0);
    put(queue, p.ours);
    mproc_connection_close(p.ours);
    p.ours = NULL;
    send_text(p.theirs, "x");
    CU_ASSERT_EQUAL(mproc_connection_poll(p.theirs, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    mproc_queue_close(queue);
    int rc = mproc_connection_recv(p.theirs, &value, LIMIT);
    CU_ASSERT(rc == MPROC_ECLOSED || rc == MPROC_EPEER);
    drop_pair(&p);
}

/* Gets it, and uses it or not. */
static int get_one(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_block *block;
    bool is_used;
    mproc_value value;
    mproc_connection *connection;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &block, &is_used) == 0);
    CHILD_CHECK(mproc_queue_get(queue, &value, LIMIT) == 0);
    CHILD_CHECK(MPROC_UNPACK_LIST(&value, &connection) == 0);
    CHILD_CHECK(!is_used || mproc_connection_poll(connection, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    add_word(words_of(block));
    return stay();
}

static void kill_receiver(bool is_used)
{
    pair p = make_pair(NULL);
    mproc_block *block = make_words(1);
    mproc_queue *queue = make_queue(0);
    put(queue, p.ours);
    mproc_process *child = start(get_one, MPROC_ARGS(queue, block, is_used));
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT(is_elsewhere(p.ours));
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    if (is_used) {
        CU_ASSERT(is_elsewhere(p.ours)); // what it has taken in is gone with it
    } else {
        send_text(p.theirs, "still there");
        CU_ASSERT(receives(p.ours, "still there"));
    }
    mproc_queue_close(queue);
    mproc_block_close(block);
    drop_pair(&p);
}

static void test_listener_pass__outlives_a_receiver_that_is_killed(void)
{
    kill_receiver(false);
    kill_receiver(true);
}

/* Gives back what it was given. */
static int give_back(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_queue *queue;
    CHILD_CHECK(MPROC_UNPACK(args, &connection, &queue) == 0);
    CHILD_CHECK(receives(connection, "one"));
    return -mproc_queue_put(queue, MPROC_LIST(connection), LIMIT);
}

static void test_listener_pass__comes_back_as_another_handle(void)
{
    pair p = make_pair(NULL);
    mproc_value value;
    mproc_connection *again;
    mproc_queue *queue = make_queue(0);
    send_text(p.theirs, "one");
    send_text(p.theirs, "two");
    CU_ASSERT_EQUAL(end_of(start(give_back, MPROC_ARGS(p.ours, queue))), 0);
    CU_ASSERT(is_elsewhere(p.ours));
    CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &value, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(MPROC_UNPACK_LIST(&value, &again), MPROC_OK);
    CU_ASSERT(receives(again, "two"));
    CU_ASSERT(is_elsewhere(p.ours));
    mproc_connection_close(p.ours);
    p.ours = NULL;
    send_text(again, "three");
    CU_ASSERT(receives(p.theirs, "three"));
    mproc_value_clear(&value);
    mproc_queue_close(queue);
    drop_pair(&p);
}

/** Several who have received it: the first one to use it has it. */
static void test_listener_pass__is_its_first_users(void)
{
    pair p = make_pair(NULL);
    mproc_dict *dict = NULL;
    mproc_value value;
    mproc_connection *again;
    CU_ASSERT_EQUAL_FATAL(mproc_dict_create(&dict), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_dict_set(dict, MPROC_VALUE(1), MPROC_LIST(p.ours)), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_dict_get(dict, MPROC_VALUE(1), &value), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(MPROC_UNPACK_LIST(&value, &again), MPROC_OK);
    send_text(p.theirs, "one");
    CU_ASSERT(is_elsewhere(p.ours));
    CU_ASSERT(receives(again, "one"));
    mproc_value_clear(&value);
    // It is still in the dict, but its turn is over.
    CU_ASSERT_EQUAL_FATAL(mproc_dict_get(dict, MPROC_VALUE(1), &value), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(MPROC_UNPACK_LIST(&value, &again), MPROC_OK);
    CU_ASSERT(is_elsewhere(again));
    mproc_value_clear(&value);
    mproc_dict_close(dict);
    drop_pair(&p);
}

/* ---- threads --------------------------------------------------------------------------------- */

/** A thread that waits. */
typedef struct waiter {
    mproc_connection *connection;
    bool is_alone; /* nothing else is waited for: nobody else can receive meanwhile */
    int rc;
    apr_thread_t *thread;
} waiter;

static void *APR_THREAD_FUNC run_waiter(apr_thread_t *thread, void *arg)
{
    waiter *me = arg;
    mproc_event *never = NULL;
    me->rc = mproc_event_create(&never);
    if (me->rc >= 0) {
        mproc_wait_item items[] = {
            {.type = MPROC_WAIT_CONNECTION, .as.connection = me->connection},
            {.type = MPROC_WAIT_EVENT, .as.event = never},
        };
        me->rc = mproc_wait(items, me->is_alone ? 1 : 2, LIMIT);
    }
    mproc_event_close(never);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void start_waiter(waiter *me)
{
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&me->thread, NULL, run_waiter, me, test_pool()),
                          APR_SUCCESS);
    size_t count = 0;
    int64_t deadline = mplat_now() + LIMIT;
    while (count == 0 && mplat_now() < deadline) {
        CU_ASSERT_EQUAL(mproc_list_waits(NULL, 0, &count), MPROC_OK);
        apr_thread_yield();
    }
    CU_ASSERT_EQUAL(count, 1);
}

static int join_waiter(waiter *me)
{
    apr_status_t unused;
    (void)apr_thread_join(&unused, me->thread);
    return me->rc;
}

static void test_listener_pass__ends_waits(void)
{
    pair p = make_pair(NULL);
    mproc_queue *queue = make_queue(0);
    waiter me = {.connection = p.ours};
    start_waiter(&me);
    put(queue, p.ours);
    CU_ASSERT_EQUAL(join_waiter(&me), MPROC_ESTATE);
    mproc_queue_close(queue);
    drop_pair(&p);
}

static void test_listener_pass__refuses_what_is_in_use(void)
{
    pair p = make_pair(NULL);
    mproc_queue *queue = make_queue(0);
    waiter me = {.connection = p.ours, .is_alone = true};
    start_waiter(&me);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_LIST(p.ours), LIMIT), MPROC_ESTATE);
    send_text(p.theirs, "x");
    CU_ASSERT_EQUAL(join_waiter(&me), 1);
    put(queue, p.ours);
    mproc_queue_close(queue);
    CU_ASSERT(receives(p.ours, "x"));
    drop_pair(&p);
}

/* ---- nothing is left ------------------------------------------------------------------------- */

static void test_listener_pass__leaks_nothing(void)
{
    pair p = make_pair(NULL);
    mproc_arena_stats before = settled_stats();
    for (int i = 0; i < 20; i++) {
        mproc_value value;
        mproc_connection *more[2];
        mproc_queue *queue = make_queue(0);
        dialer client;
        dial(&client, mproc_listener_address(p.listener), &(mproc_client_options){0});
        CU_ASSERT_EQUAL(mproc_listener_accept(p.listener, &more[0], LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(dialed(&client), MPROC_OK);
        more[1] = client.connection;
        put(queue, more[0]);
        put(queue, more[1]);
        CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &value, LIMIT), MPROC_OK);
        mproc_value_clear(&value);
        mproc_queue_close(queue);
        mproc_connection_close(more[0]);
        mproc_connection_close(more[1]);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
    drop_pair(&p);
}

static const testlib_case cases[] = {
    {"goes_on_in_a_child", test_listener_pass__goes_on_in_a_child},
    {"ends_with_who_has_it", test_listener_pass__ends_with_who_has_it},
    {"goes_from_hand_to_hand", test_listener_pass__goes_from_hand_to_hand},
    {"takes_half_a_message_along", test_listener_pass__takes_half_a_message_along},
    {"takes_what_is_large_along", test_listener_pass__takes_what_is_large_along},
    {"comes_back_if_not_sent", test_listener_pass__comes_back_if_not_sent},
    {"comes_back_if_never_received", test_listener_pass__comes_back_if_never_received},
    {"goes_with_the_message", test_listener_pass__goes_with_the_message},
    {"outlives_a_receiver_that_is_killed", test_listener_pass__outlives_a_receiver_that_is_killed},
    {"comes_back_as_another_handle", test_listener_pass__comes_back_as_another_handle},
    {"is_its_first_users", test_listener_pass__is_its_first_users},
    {"ends_waits", test_listener_pass__ends_waits},
    {"refuses_what_is_in_use", test_listener_pass__refuses_what_is_in_use},
    {"leaks_nothing", test_listener_pass__leaks_nothing},
};
PROCESS_TEST_MAIN("object.listener_pass", cases)
