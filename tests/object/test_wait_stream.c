/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wait_stream.c: mproc_wait for connections to strangers. The other ends are threads, or a child.
 */
#include "object/listener_test.h"

#include "base/check.h"
#include "family/stir.h"
#include "family/watch.h"
#include "object/wire.h"

static const char *const addresses[] = {NULL,
                                        "tcp:127.0.0.1:0"}; /* NULL: of the system's own kind */

/* A message of three bytes, as it travels over TCP; and the next one. */
static const char two_messages[] = "\0\0\0\3one\0\0\0\3two";
#define ONE_MESSAGE 7
#define TWO_MESSAGES 14

static void write_bytes(const pair *p, const char *data, size_t size)
{
    CHILD_CHECK(write_raw(p->raw, data, size) == 0);
}

static void send_text(mproc_connection *connection, const char *text)
{
    CHILD_CHECK(mproc_connection_send_bytes(connection, text, strlen(text), LIMIT) == 0);
}

/** Receive what has been seen to be there. */
static void expect_text(mproc_connection *connection, const char *text)
{
    char buffer[16];
    size_t size = 0;
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(connection, buffer, 16, &size, MPROC_NOWAIT),
                    MPROC_OK);
    CU_ASSERT(size == strlen(text) && memcmp(buffer, text, size) == 0);
}

static int wait_for(mproc_wait_item *items, size_t count, mproc_timeout timeout)
{
    int n = mproc_wait(items, count, timeout);
    if (n < 0) {
        printf("wait: %s ... ", mproc_last_error());
    }
    return n;
}

/** From here on who sleeps looks again only when woken: a wake that is lost hangs the test. */
static void switch_long_slices_off(void)
{
    mproc__stir_slice_ns = INT64_MAX / 4;
    mproc__long_slice_ns = INT64_MAX / 4;
}

/** Wait until a thread of this process is about to sleep, or does. */
static void await_sleeper(void)
{
    int64_t deadline = mplat_now() + LIMIT;
    mproc_wait_info info = {0};
    while (info.pid != mplat_pid()) {
        size_t count;
        CHILD_CHECK(mproc_list_waits(&info, 1, &count) == 0 && mplat_now() < deadline);
    }
}

/** Another thread, which does something when somebody sleeps. */
typedef struct deed {
    void (*fn)(struct deed *deed);
    pair *p;
    mproc_wait_item item; /* what it is done to, where that is none of the pair's */
    mproc_event *stop;
    size_t n_items;
    int rc;
    apr_thread_t *thread;
} deed;

static void *APR_THREAD_FUNC run_deed(apr_thread_t *thread, void *arg)
{
    deed *me = arg;
    me->fn(me);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void begin_deed(deed *me)
{
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&me->thread, NULL, run_deed, me, test_pool()),
                          APR_SUCCESS);
}

static void end_deed(deed *me)
{
    apr_status_t unused;
    (void)apr_thread_join(&unused, me->thread);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void test_wait_stream__whole_messages(void)
{
    for (size_t i = 0; i < MPROC__COUNT(addresses); i++) {
        mproc_value value;
        pair p = make_pair(addresses[i]);
        mproc_wait_item item = MPROC_WAIT_ITEM(p.ours);
        mproc_wait_item twice[] = {item, item};
        CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
        CU_ASSERT_EQUAL(wait_for(twice, 2, BRIEF), 0);
        CU_ASSERT(!item.is_ready && !twice[1].is_ready);
        send_text(p.theirs, "one");
        send_text(p.theirs, "two");
        CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
        CU_ASSERT(item.is_ready);
        CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_NOWAIT), 1); // nothing was taken
        CU_ASSERT_EQUAL(wait_for(twice, 2, MPROC_FOREVER), 2);
        expect_text(p.ours, "one");
        CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1); // maybe taken in with the first
        expect_text(p.ours, "two");
        CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
        send_text(p.theirs, "");
        CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
        expect_text(p.ours, "");
        mproc_connection_close(p.theirs);
        p.theirs = NULL;
        CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
        CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_NOWAIT), 1);
        CU_ASSERT_EQUAL(mproc_connection_recv(p.ours, &value, MPROC_NOWAIT), MPROC_ECLOSED);
        drop_pair(&p);
    }
}

static void write_each_byte(deed *me)
{
    for (size_t i = 1; i < TWO_MESSAGES; i++) {
        await_sleeper();
        write_bytes(me->p, two_messages + i, 1);
    }
}

static void test_wait_stream__messages_in_parts(void)
{
    switch_long_slices_off();
    pair p = make_raw_pair();
    mproc_value value;
    mproc_event *event = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(p.ours), MPROC_WAIT_ITEM(event)};
    write_bytes(&p, two_messages, 1);
    CU_ASSERT_EQUAL(wait_for(items, 1, BRIEF), 0);
    CU_ASSERT_EQUAL(wait_for(items, 2, BRIEF), 0);
    deed writer = {.fn = write_each_byte, .p = &p};
    begin_deed(&writer);
    CU_ASSERT_EQUAL(wait_for(items, 2, MPROC_FOREVER), 1);
    CU_ASSERT(items[0].is_ready && !items[1].is_ready);
    expect_text(p.ours, "one");
    CU_ASSERT_EQUAL(wait_for(items, 1, MPROC_FOREVER), 1);
    expect_text(p.ours, "two");
    end_deed(&writer);
    write_bytes(&p, two_messages, ONE_MESSAGE + 3); // one and a part, then the end
    mplat_stream_close(p.raw);
    p.raw = NULL;
    CU_ASSERT_EQUAL(wait_for(items, 2, MPROC_FOREVER), 1);
    expect_text(p.ours, "one");
    CU_ASSERT_EQUAL(wait_for(items, 2, MPROC_FOREVER), 1);
    CU_ASSERT_EQUAL(mproc_connection_recv(p.ours, &value, MPROC_NOWAIT), MPROC_EPEER);
    drop_pair(&p);
    mproc_event_close(event);
}

static void send_large(deed *me)
{
    static const char zeroes[3000000];
    await_sleeper();
    me->rc = mproc_connection_send_bytes(me->p->theirs, zeroes, sizeof(zeroes), LIMIT);
}

static void test_wait_stream__large_messages(void)
{
    switch_long_slices_off();
    for (size_t i = 0; i < MPROC__COUNT(addresses); i++) {
        size_t size = 0;
        mproc_value bytes = MPROC_NIL_VALUE;
        pair p = make_pair(addresses[i]);
        deed sender = {.fn = send_large, .p = &p};
        mproc_wait_item item = MPROC_WAIT_ITEM(p.ours);
        begin_deed(&sender);
        CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
        CU_ASSERT_EQUAL(mproc_connection_recv_bytes(p.ours, &bytes, SIZE_MAX, &size, MPROC_NOWAIT),
                        MPROC_OK);
        CU_ASSERT_EQUAL(size, 3000000);
        mproc_value_clear(&bytes);
        end_deed(&sender);
        CU_ASSERT_EQUAL(sender.rc, MPROC_OK);
        drop_pair(&p);
    }
}

/* ---- among others ---------------------------------------------------------------------------- */

static void make_ready(deed *me)
{
    await_sleeper();
    switch (me->item.type) {
    case MPROC_WAIT_QUEUE:
        CHILD_CHECK(mproc_queue_put(me->item.as.queue, MPROC_VALUE(7), MPROC_NOWAIT) == 0);
        break;
    case MPROC_WAIT_EVENT:
        CHILD_CHECK(mproc_event_set(me->item.as.event) == 0);
        break;
    case MPROC_WAIT_PROCESS:
        CHILD_CHECK(mproc_process_kill(me->item.as.process) == 0);
        break;
    case MPROC_WAIT_CONNECTION:
        send_text(me->item.as.connection, "x");
        break;
    default:
        mplat_signal_raise((mplat_handle){me->item.as.native});
        break;
    }
}

static int be_there(const mproc_args *args)
{
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    add_word(words_of(block));
    return stay();
}

/** One of each kind, of which another thread makes one ready when all are slept on. */
static void wait_for_one_of_each(mproc_process *child, size_t wanted)
{
    mproc_queue *queue = NULL;
    mproc_event *event = NULL;
    mproc_connection *pipe[2] = {NULL, NULL};
    mplat_handle handle = MPLAT_NO_HANDLE;
    pair p = make_pair(NULL);
    pair tcp = make_pair("tcp:127.0.0.1:0");
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&pipe[0], &pipe[1], NULL), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mplat_signal_make(&handle), MPROC_OK);
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(p.ours),    MPROC_WAIT_ITEM(queue),
                               MPROC_WAIT_ITEM(handle.os), MPROC_WAIT_ITEM(tcp.ours),
                               MPROC_WAIT_ITEM(event),     MPROC_WAIT_ITEM(pipe[0]),
                               MPROC_WAIT_ITEM(child),     MPROC_WAIT_ITEM(tcp.theirs)};
    deed maker = {.fn = make_ready, .item = items[wanted]};
    if (items[wanted].type == MPROC_WAIT_CONNECTION) {
        maker.item.as.connection = wanted == 0   ? p.theirs
                                   : wanted == 3 ? tcp.theirs
                                   : wanted == 5 ? pipe[1]
                                                 : tcp.ours;
    }
    begin_deed(&maker);
    CU_ASSERT_EQUAL(wait_for(items, MPROC__COUNT(items), MPROC_FOREVER), 1);
    CU_ASSERT(items[wanted].is_ready);
    end_deed(&maker);
    mproc_queue_close(queue);
    mproc_event_close(event);
    mproc_connection_close(pipe[0]);
    mproc_connection_close(pipe[1]);
    mplat_handle_close(handle);
    drop_pair(&p);
    drop_pair(&tcp);
}

static void test_wait_stream__among_others(void)
{
    static const size_t order[] = {0, 1, 2, 3, 4, 5, 7, 6}; // the child last
    switch_long_slices_off();
    mproc_block *block = make_words(1);
    mproc_process *child = start(be_there, MPROC_ARGS(block));
    CU_ASSERT(await_word(words_of(block), 1)); // whoever is killed before has not started
    for (size_t i = 0; i < MPROC__COUNT(order); i++) {
        wait_for_one_of_each(child, order[i]);
    }
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    mproc_block_close(block);
}

static void test_wait_stream__many_connections(void)
{
    enum { MANY = 70 }; // more than one system call takes on some systems
    static pair pairs[MANY];
    mproc_wait_item items[MANY];
    switch_long_slices_off();
    for (size_t i = 0; i < MANY; i++) {
        pairs[i] = make_pair(addresses[i % 2]);
        items[i] = MPROC_WAIT_ITEM(pairs[i].ours);
    }
    CU_ASSERT_EQUAL(wait_for(items, MANY, BRIEF), 0);
    for (size_t i = 0; i < 5; i++) {
        size_t place = testlib_random() % MANY;
        deed sender = {.fn = make_ready, .item = MPROC_WAIT_ITEM(pairs[place].theirs)};
        begin_deed(&sender);
        CU_ASSERT_EQUAL(wait_for(items, MANY, MPROC_FOREVER), 1);
        CU_ASSERT(items[place].is_ready);
        end_deed(&sender);
        expect_text(pairs[place].ours, "x");
    }
    for (size_t i = 0; i < MANY; i++) {
        drop_pair(&pairs[i]);
    }
}

/* ---- several threads ------------------------------------------------------------------------- */

static void receive_one(deed *me)
{
    char buffer[16];
    size_t size;
    me->rc = mproc_connection_recv_bytes_into(me->p->ours, buffer, 16, &size, LIMIT);
}

static void write_two(deed *me)
{
    await_sleeper();
    write_bytes(me->p, two_messages, TWO_MESSAGES);
}

/** Who receives takes in more than its own message: who waits must be told of that. */
static void test_wait_stream__beside_receivers(void)
{
    switch_long_slices_off();
    pair p = make_raw_pair();
    for (int i = 0; i < 10; i++) {
        size_t size = 0;
        char buffer[16];
        mproc_wait_item item = MPROC_WAIT_ITEM(p.ours);
        deed receiver = {.fn = receive_one, .p = &p};
        deed writer = {.fn = write_two, .p = &p};
        begin_deed(&receiver);
        begin_deed(&writer);
        int rc;
        do { // either may get the first one
            CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
            rc = mproc_connection_recv_bytes_into(p.ours, buffer, 16, &size, MPROC_NOWAIT);
        } while (rc == MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(rc, MPROC_OK);
        end_deed(&writer);
        end_deed(&receiver);
        CU_ASSERT_EQUAL(receiver.rc, MPROC_OK);
    }
    drop_pair(&p);
}

/** Wait until somebody is receiving, or nobody is. */
static void await_receiver(const pair *p, bool is_there)
{
    int64_t deadline = mplat_now() + LIMIT;
    while ((mproc__mutex_owner(&mproc__wire_of(p->ours)->shm->receiving) != 0) != is_there) {
        CHILD_CHECK(mplat_now() < deadline);
    }
}

/** One message for who receives, and one when he is done: who waits was none of the system's till then. */
static void write_one_and_one(deed *me)
{
    await_sleeper();
    write_bytes(me->p, two_messages, ONE_MESSAGE);
    await_receiver(me->p, false);
    write_bytes(me->p, two_messages + ONE_MESSAGE, TWO_MESSAGES - ONE_MESSAGE);
}

static void test_wait_stream__after_receivers(void)
{
    switch_long_slices_off();
    pair p = make_raw_pair();
    mproc_wait_item item = MPROC_WAIT_ITEM(p.ours);
    for (int i = 0; i < 5; i++) {
        deed receiver = {.fn = receive_one, .p = &p};
        deed writer = {.fn = write_one_and_one, .p = &p};
        begin_deed(&receiver);
        await_receiver(&p, true);
        CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_NOWAIT), 0);
        begin_deed(&writer);
        CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
        expect_text(p.ours, "two");
        end_deed(&writer);
        end_deed(&receiver);
        CU_ASSERT_EQUAL(receiver.rc, MPROC_OK);
    }
    drop_pair(&p);
}

static void wait_too(deed *me)
{
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(me->p->ours), MPROC_WAIT_ITEM(me->stop)};
    me->rc = wait_for(items, me->n_items, MPROC_FOREVER);
}

/** All of those who wait are told; nobody takes anything. */
static void test_wait_stream__several_waiters(void)
{
    switch_long_slices_off();
    mproc_event *stop = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&stop), MPROC_OK);
    for (size_t n = 0; n < 6; n++) {
        deed waiters[3];
        pair p = make_pair(addresses[n % 2]);
        for (size_t i = 0; i < 3; i++) {
            waiters[i] = (deed){.fn = wait_too, .p = &p, .stop = stop, .n_items = 1 + (n + i) % 2};
            begin_deed(&waiters[i]);
        }
        await_sleeper();
        send_text(p.theirs, "x");
        for (size_t i = 0; i < 3; i++) {
            end_deed(&waiters[i]);
            CU_ASSERT_EQUAL(waiters[i].rc, 1);
        }
        expect_text(p.ours, "x");
        drop_pair(&p);
    }
    mproc_event_close(stop);
}

static void close_ours(deed *me)
{
    await_sleeper();
    mproc_connection_close(me->p->ours);
}

static void test_wait_stream__close_wakes(void)
{
    switch_long_slices_off();
    mproc_event *event = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    for (size_t n = 0; n < 6; n++) {
        pair p = make_pair(addresses[n % 2]);
        deed closer = {.fn = close_ours, .p = &p};
        mproc_wait_item items[] = {MPROC_WAIT_ITEM(p.ours), MPROC_WAIT_ITEM(event)};
        begin_deed(&closer);
        CU_ASSERT_EQUAL(mproc_wait(items, 1 + n / 2 % 2, MPROC_FOREVER), MPROC_ESTATE);
        CU_ASSERT_STRING_EQUAL(mproc_last_error(), "another thread has closed the connection");
        end_deed(&closer);
        p.ours = NULL;
        drop_pair(&p);
    }
    mproc_event_close(event);
}

/* ---- other processes ------------------------------------------------------------------------- */

static int wait_for_parents(const mproc_args *args)
{
    mproc_connection *connection;
    CHILD_CHECK(MPROC_UNPACK(args, &connection) == 0);
    mproc_wait_item item = MPROC_WAIT_ITEM(connection);
    CHILD_CHECK(mproc_wait(&item, 1, MPROC_NOWAIT) == 0);
    send_text(connection, "here");
    return mproc_wait(&item, 1, MPROC_FOREVER);
}

static void test_wait_stream__one_that_was_passed(void)
{
    for (size_t i = 0; i < 2; i++) {
        pair p = make_pair(addresses[i]);
        mproc_process *child = start_with(wait_for_parents, MPROC_ARGS(p.ours), &with_threads);
        CU_ASSERT_EQUAL(mproc_connection_poll(p.theirs, LIMIT), MPROC_OK);
        expect_text(p.theirs, "here");
        send_text(p.theirs, "x");
        CU_ASSERT_EQUAL(end_of(child), 1);
        drop_pair(&p);
    }
}

static int connect_and_stay(const mproc_args *args)
{
    const char *address;
    mproc_connection *connection;
    CHILD_CHECK(MPROC_UNPACK(args, &address) == 0);
    CHILD_CHECK(mproc_client_connect(&connection, address, NULL, LIMIT) == 0);
    send_text(connection, "one");
    return stay();
}

static void test_wait_stream__death_ends_it(void)
{
    switch_long_slices_off();
    for (size_t i = 0; i < MPROC__COUNT(addresses); i++) {
        mproc_value value;
        mproc_connection *ours = NULL;
        mproc_listener *listener = listen_with(&(mproc_listener_options){.address = addresses[i]});
        mproc_process *child =
            start_with(connect_and_stay, MPROC_ARGS(mproc_listener_address(listener)), NULL);
        CU_ASSERT_EQUAL_FATAL(mproc_listener_accept(listener, &ours, LIMIT), MPROC_OK);
        mproc_wait_item item = MPROC_WAIT_ITEM(ours);
        CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
        expect_text(ours, "one");
        CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
        deed killer = {.fn = make_ready, .item = MPROC_WAIT_ITEM(child)};
        begin_deed(&killer);
        CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
        int rc = mproc_connection_recv(ours, &value, MPROC_NOWAIT);
        CU_ASSERT(rc == MPROC_ECLOSED || rc == MPROC_EPEER);
        end_deed(&killer);
        CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
        mproc_connection_close(ours);
        mproc_listener_close(listener);
    }
}

static const testlib_case cases[] = {
    {"death_ends_it", test_wait_stream__death_ends_it},
    {"one_that_was_passed", test_wait_stream__one_that_was_passed},
    {"whole_messages", test_wait_stream__whole_messages},
    {"messages_in_parts", test_wait_stream__messages_in_parts},
    {"large_messages", test_wait_stream__large_messages},
    {"among_others", test_wait_stream__among_others},
    {"many_connections", test_wait_stream__many_connections},
    {"beside_receivers", test_wait_stream__beside_receivers},
    {"after_receivers", test_wait_stream__after_receivers},
    {"several_waiters", test_wait_stream__several_waiters},
    {"close_wakes", test_wait_stream__close_wakes},
};

PROCESS_TEST_MAIN("object.wait_stream", cases)
