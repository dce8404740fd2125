/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wait.c: mproc_wait: one wait for connections, queues, events, processes and handles.
 */
#include "base/check.h"
#include "family/stir.h"
#include "family/watch.h"
#include "object/sync_test.h"

#include <apr_general.h>

#define MANY 300

static mproc_queue *make_queue(void)
{
    mproc_queue *queue = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    return queue;
}

static mproc_event *make_event(void)
{
    mproc_event *event = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    return event;
}

/* A handle of the system's own: it is ready when it has been raised. */
static mplat_handle make_handle(void)
{
    mplat_handle handle = MPLAT_NO_HANDLE;
    CU_ASSERT_EQUAL_FATAL(mplat_signal_make(&handle), MPROC_OK);
    return handle;
}

static void put(mproc_queue *queue, int number)
{
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(number), MPROC_NOWAIT), MPROC_OK);
}

static int get(mproc_queue *queue)
{
    mproc_value item;
    int rc = mproc_queue_get(queue, &item, MPROC_NOWAIT);
    return rc < 0 ? rc : (int)item.as.integer;
}

/** How many are ready; the marks must say the same. */
static int wait_for(mproc_wait_item *items, size_t count, mproc_timeout timeout)
{
    int n_marked = 0;
    int n = mproc_wait(items, count, timeout);
    for (size_t i = 0; n >= 0 && i < count; i++) {
        n_marked += items[i].is_ready ? 1 : 0;
    }
    CU_ASSERT(n < 0 || n == n_marked);
    if (n < 0) {
        printf("wait: %s ... ", mproc_last_error());
    }
    return n;
}

/* ---- arguments ------------------------------------------------------------------------------- */

static void test_wait__refuses_nonsense(void)
{
    mproc_event *event = make_event();
    mproc_wait_item items[2] = {MPROC_WAIT_ITEM(event), MPROC_WAIT_ITEM((mproc_queue *)NULL)};
    CU_ASSERT_EQUAL(mproc_wait(NULL, 1, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_wait(items, 0, MPROC_FOREVER), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_wait(items, 2, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(),
                           "wait: item 1 is NULL, or nothing that can be waited for");
    items[1] = MPROC_WAIT_ITEM((mproc_event *)NULL);
    CU_ASSERT_EQUAL(mproc_wait(items, 2, MPROC_NOWAIT), MPROC_EINVAL);
    items[1] = MPROC_WAIT_ITEM((mproc_connection *)NULL);
    CU_ASSERT_EQUAL(mproc_wait(items, 2, MPROC_NOWAIT), MPROC_EINVAL);
    items[1] = MPROC_WAIT_ITEM((mproc_process *)NULL);
    CU_ASSERT_EQUAL(mproc_wait(items, 2, MPROC_NOWAIT), MPROC_EINVAL);
    items[1] = MPROC_WAIT_ITEM(-1);
    CU_ASSERT_EQUAL(mproc_wait(items, 2, MPROC_NOWAIT), MPROC_EINVAL);
    items[1].type = (mproc_wait_type)0;
    CU_ASSERT_EQUAL(mproc_wait(items, 2, MPROC_NOWAIT), MPROC_EINVAL);
    items[1] = MPROC_WAIT_ITEM(mproc_current_process());
    CU_ASSERT_EQUAL(mproc_wait(items, 2, MPROC_NOWAIT), MPROC_ESTATE);
    mplat_handle handle = make_handle();
    items[1] = MPROC_WAIT_ITEM(handle.os);
    mplat_handle_close(handle);
    CU_ASSERT_EQUAL(mproc_wait(items, 2, MPROC_NOWAIT), MPROC_EINVAL);
    mproc_event_close(event);
}

/* ---- what is ready --------------------------------------------------------------------------- */

static void test_wait__a_queue_that_has_an_item(void)
{
    mproc_queue *queue = make_queue();
    mproc_wait_item item = MPROC_WAIT_ITEM(queue);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
    put(queue, 5);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_NOWAIT), 1); // nothing was taken
    CU_ASSERT_EQUAL(get(queue), 5);
    CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(queue), MPROC_OK);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
    mproc_queue_close(queue);
}

static void test_wait__an_event_that_is_set(void)
{
    mproc_event *event = make_event();
    mproc_wait_item item = MPROC_WAIT_ITEM(event);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
    CU_ASSERT_EQUAL(mproc_event_set(event), MPROC_OK);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
    CU_ASSERT_EQUAL(mproc_event_clear(event), MPROC_OK);
    CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
    mproc_event_close(event);
}

static void test_wait__a_connection_that_has_a_message(void)
{
    const mproc_pipe_options one_way = {.is_one_way = true};
    mproc_connection *in;
    mproc_connection *out;
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&in, &out, &one_way), MPROC_OK);
    mproc_wait_item item = MPROC_WAIT_ITEM(in);
    mproc_wait_item wrong = MPROC_WAIT_ITEM(out);
    CU_ASSERT_EQUAL(mproc_wait(&wrong, 1, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
    CU_ASSERT_EQUAL(mproc_connection_send(out, MPROC_VALUE(5), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
    mproc_value value;
    CU_ASSERT_EQUAL(mproc_connection_recv(in, &value, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
    mproc_connection_close(out); // the last of the other end
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
    CU_ASSERT_EQUAL(mproc_connection_recv(in, &value, MPROC_NOWAIT), MPROC_ECLOSED);
    mproc_connection_close(in);
}

static int await_event(const mproc_args *args)
{
    mproc_event *event;
    CHILD_CHECK(MPROC_UNPACK(args, &event) == 0);
    return -mproc_event_wait(event, LIMIT);
}

static void test_wait__a_latch_that_is_open(void)
{
    mproc_latch *latch;
    CU_ASSERT_EQUAL_FATAL(mproc_latch_create(&latch, 2), MPROC_OK);
    mproc_wait_item item = MPROC_WAIT_ITEM(latch);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 1), MPROC_OK);
    CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
    CU_ASSERT_EQUAL(mproc_latch_get_count(latch), 1);
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 1), MPROC_OK);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
    mproc_latch_close(latch);
}

static void test_wait__a_process_that_has_ended(void)
{
    mproc_event *event = make_event();
    mproc_process *child = start(await_event, MPROC_ARGS(event));
    mproc_wait_item item = MPROC_WAIT_ITEM(child);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
    CU_ASSERT_EQUAL(mproc_event_set(event), MPROC_OK);
    CU_ASSERT_EQUAL(wait_for(&item, 1, LIMIT), 1);
    CU_ASSERT_EQUAL(mproc_process_join(child, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(wait_for(&item, 1, LIMIT), 1);
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc_event_close(event);
}

static void test_wait__a_handle_of_the_systems(void)
{
    mplat_handle handle = make_handle();
    mproc_wait_item item = MPROC_WAIT_ITEM(handle.os);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(wait_for(&item, 1, BRIEF), 0);
    mplat_signal_raise(handle);
    CU_ASSERT_EQUAL(wait_for(&item, 1, MPROC_FOREVER), 1);
    mplat_handle_close(handle);
}

/** One of each, of which those in `wanted` are ready. */
static void test_wait__marks_all_that_are_ready(void)
{
    for (unsigned wanted = 0; wanted < 32; wanted++) {
        mproc_queue *queue = make_queue();
        mproc_queue *other = make_queue();
        mproc_event *event = make_event();
        mproc_event *late = make_event();
        mplat_handle handle = make_handle();
        mproc_wait_item items[] = {MPROC_WAIT_ITEM(queue), MPROC_WAIT_ITEM(handle.os),
                                   MPROC_WAIT_ITEM(other), MPROC_WAIT_ITEM(event),
                                   MPROC_WAIT_ITEM(late),  MPROC_WAIT_ITEM(queue)};
        if (wanted & 1) {
            put(queue, 1);
        }
        if (wanted & 2) {
            mplat_signal_raise(handle);
        }
        if (wanted & 4) {
            CU_ASSERT_EQUAL(mproc_queue_shutdown(other), MPROC_OK);
        }
        if (wanted & 8) {
            CU_ASSERT_EQUAL(mproc_event_set(event), MPROC_OK);
        }
        if (wanted & 16) {
            CU_ASSERT_EQUAL(mproc_event_set(late), MPROC_OK);
        }
        (void)wait_for(items, MPROC__COUNT(items), wanted != 0 ? MPROC_FOREVER : BRIEF);
        for (unsigned i = 0; i < 5; i++) {
            CU_ASSERT_EQUAL(items[i].is_ready, (wanted >> i & 1) != 0);
        }
        CU_ASSERT_EQUAL(items[5].is_ready, (wanted & 1) != 0); // the same once more
        mproc_queue_close(queue);
        mproc_queue_close(other);
        mproc_event_close(event);
        mproc_event_close(late);
        mplat_handle_close(handle);
    }
}

/* ---- asleep ---------------------------------------------------------------------------------- */

/** From here on who has slept for a slice looks again only when woken, or when somebody has died:
 * a wake that is lost hangs the test. */
static void switch_long_slices_off(void)
{
    mproc__stir_slice_ns = INT64_MAX / 4;
    mproc__long_slice_ns = INT64_MAX / 4;
}

enum deed { PUT, SHUT_DOWN, SET, SET_AND_CLEAR, END, BE_KILLED };

/** Wait until somebody has long been asleep. */
static void await_sleeper(void)
{
    int64_t deadline = mplat_now() + LIMIT;
    while (count_asleep() == 0) {
        CHILD_CHECK(mplat_now() < deadline);
    }
}

static int do_deed(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_event *event;
    int deed;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &event, &deed) == 0);
    if (deed != END && deed != BE_KILLED) {
        await_sleeper();
    }
    switch ((enum deed)deed) {
    case PUT:
        CHILD_CHECK(mproc_queue_put(queue, MPROC_VALUE(7), MPROC_NOWAIT) == 0);
        break;
    case SHUT_DOWN:
        CHILD_CHECK(mproc_queue_shutdown(queue) == 0);
        break;
    case SET_AND_CLEAR:
        CHILD_CHECK(mproc_event_set(event) == 0);
        CHILD_CHECK(mproc_event_clear(event) == 0);
        break;
    case SET:
        CHILD_CHECK(mproc_event_set(event) == 0);
        break;
    case END:
        return 0;
    case BE_KILLED:
        CHILD_CHECK(mproc_queue_put(queue, MPROC_VALUE(8), MPROC_NOWAIT) == 0);
        break;
    }
    return stay();
}

/** What makes one ready of the many that a thread sleeps on, whatever else is among them. */
static void wait_for_deed(enum deed deed, bool has_handle, bool has_child)
{
    mproc_queue *queue = make_queue();
    mproc_queue *other = make_queue();
    mproc_event *event = make_event();
    mplat_handle handle = make_handle();
    mproc_process *child = start(do_deed, MPROC_ARGS(queue, event, (int)deed));
    mproc_wait_item items[5] = {MPROC_WAIT_ITEM(other), MPROC_WAIT_ITEM(queue),
                                MPROC_WAIT_ITEM(event)};
    size_t count = 3;
    size_t wanted = deed == PUT || deed == SHUT_DOWN ? 1 : 2;
    if (has_handle) {
        items[count++] = MPROC_WAIT_ITEM(handle.os);
    }
    if (has_child) {
        wanted = deed == END || deed == BE_KILLED ? count : wanted;
        items[count++] = MPROC_WAIT_ITEM(child);
    }
    if (deed == BE_KILLED) {
        CU_ASSERT_EQUAL(wait_for(items, count, MPROC_FOREVER), 1);
        CU_ASSERT_EQUAL(get(queue), 8);
        CU_ASSERT_EQUAL(wait_for(items, count, BRIEF), 0);
        CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    }
    CU_ASSERT_EQUAL(wait_for(items, count, MPROC_FOREVER), 1);
    CU_ASSERT(items[wanted].is_ready);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    (void)end_of(child);
    mproc_queue_close(queue);
    mproc_queue_close(other);
    mproc_event_close(event);
    mplat_handle_close(handle);
}

static void test_wait__sleeps_on_objects(void)
{
    switch_long_slices_off();
    wait_for_deed(PUT, false, false);
    wait_for_deed(SHUT_DOWN, false, false);
    wait_for_deed(SET, false, false);
    wait_for_deed(SET_AND_CLEAR, false, false);
}

static void test_wait__sleeps_on_objects_and_handles(void)
{
    switch_long_slices_off();
    wait_for_deed(PUT, true, false);
    wait_for_deed(SHUT_DOWN, false, true);
    wait_for_deed(SET, true, true);
    wait_for_deed(END, true, true);
    wait_for_deed(BE_KILLED, false, true);
}

static int do_deed_to_connection(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_block *block;
    int deed;
    CHILD_CHECK(MPROC_UNPACK(args, &connection, &block, &deed) == 0);
    add_word(words_of(block)); // from here on the other end is in nobody else's hands
    await_sleeper();
    if (deed == PUT) {
        CHILD_CHECK(mproc_connection_send(connection, MPROC_VALUE(7), MPROC_NOWAIT) == 0);
        return stay();
    }
    return deed == END ? 0 : stay();
}

/** A message, or the last of the other end's holders gone, however that comes about. */
static void wait_for_connection(enum deed deed, bool has_handle)
{
    mproc_queue *queue = make_queue();
    mproc_block *block = make_words(1);
    mplat_handle handle = make_handle();
    mproc_connection *ours;
    mproc_connection *theirs;
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&ours, &theirs, NULL), MPROC_OK);
    mproc_process *child = start(do_deed_to_connection, MPROC_ARGS(theirs, block, (int)deed));
    mproc_connection_close(theirs);
    CU_ASSERT(await_word(words_of(block), 1));
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(queue), MPROC_WAIT_ITEM(ours),
                               MPROC_WAIT_ITEM(handle.os)};
    if (deed == BE_KILLED) {
        CU_ASSERT_EQUAL(wait_for(items, has_handle ? 3 : 2, BRIEF), 0);
        CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    }
    CU_ASSERT_EQUAL(wait_for(items, has_handle ? 3 : 2, MPROC_FOREVER), 1);
    CU_ASSERT(items[1].is_ready);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    (void)end_of(child);
    mproc_connection_close(ours);
    mproc_queue_close(queue);
    mproc_block_close(block);
    mplat_handle_close(handle);
}

static void test_wait__sleeps_on_connections(void)
{
    switch_long_slices_off();
    wait_for_connection(PUT, false);
    wait_for_connection(END, false);
    wait_for_connection(BE_KILLED, false);
    wait_for_connection(PUT, true);
    wait_for_connection(BE_KILLED, true);
}

static int count_down(const mproc_args *args)
{
    mproc_latch *latch;
    mproc_event *event;
    bool is_loss;
    CHILD_CHECK(MPROC_UNPACK(args, &latch, &event, &is_loss) == 0);
    CHILD_CHECK(mproc_event_set(event) == 0);
    await_sleeper();
    if (!is_loss) {
        CHILD_CHECK(mproc_latch_count_down(latch, 1) == 0);
    }
    return stay();
}

/** The last one counts, or is killed before it has. */
static void wait_for_latch(bool is_loss)
{
    mproc_queue *queue = make_queue();
    mproc_event *event = make_event();
    mproc_latch *latch;
    CU_ASSERT_EQUAL_FATAL(mproc_latch_create(&latch, 1), MPROC_OK);
    mproc_process *child = start(count_down, MPROC_ARGS(latch, event, is_loss));
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(queue), MPROC_WAIT_ITEM(latch)};
    CU_ASSERT_EQUAL(mproc_event_wait(event, LIMIT), MPROC_OK);
    if (is_loss) {
        CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    }
    CU_ASSERT_EQUAL(wait_for(items, 2, MPROC_FOREVER), 1);
    CU_ASSERT(items[1].is_ready);
    CU_ASSERT_EQUAL(mproc_latch_wait(latch, MPROC_NOWAIT), is_loss ? MPROC_EBROKEN : MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    (void)end_of(child);
    mproc_latch_close(latch);
    mproc_event_close(event);
    mproc_queue_close(queue);
}

static void test_wait__sleeps_on_latches(void)
{
    switch_long_slices_off();
    wait_for_latch(false);
    wait_for_latch(true);
}

struct raiser {
    mplat_handle handle;
    apr_thread_t *thread;
};

static void *APR_THREAD_FUNC raise_it(apr_thread_t *thread, void *arg)
{
    const struct raiser *raiser = arg;
    await_sleeper();
    mplat_signal_raise(raiser->handle);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

/** Objects and handles, of which one is raised by another thread when all have long been waited for. */
static void wait_for_raised(size_t n_handles, size_t n_queues)
{
    apr_pool_t *pool = NULL;
    apr_status_t unused;
    mproc_wait_item *items = calloc(n_handles + n_queues, sizeof(*items));
    CU_ASSERT_PTR_NOT_NULL_FATAL(items);
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (size_t i = 0; i < n_handles; i++) {
        items[i] = MPROC_WAIT_ITEM(make_handle().os);
    }
    for (size_t i = 0; i < n_queues; i++) {
        items[n_handles + i] = MPROC_WAIT_ITEM(make_queue());
    }
    size_t place = testlib_random() % n_handles;
    struct raiser raiser = {.handle = {items[place].as.native}};
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&raiser.thread, NULL, raise_it, &raiser, pool),
                          APR_SUCCESS);
    CU_ASSERT_EQUAL(wait_for(items, n_handles + n_queues, MPROC_FOREVER), 1);
    CU_ASSERT(items[place].is_ready);
    (void)apr_thread_join(&unused, raiser.thread);
    for (size_t i = 0; i < n_handles; i++) {
        mplat_handle_close((mplat_handle){items[i].as.native});
    }
    for (size_t i = 0; i < n_queues; i++) {
        mproc_queue_close(items[n_handles + i].as.queue);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    free(items);
}

static void test_wait__a_handle_among_objects(void)
{
    switch_long_slices_off();
    wait_for_raised(1, 1);
    wait_for_raised(64, 3);
    wait_for_raised(150, 100);
}

/** With handles alone nobody sleeps on a word, so that they are raised before. */
static void test_wait__hundreds_of_handles(void)
{
    static mproc_wait_item items[MANY];
    static mplat_handle handles[MANY];
    for (size_t i = 0; i < MANY; i++) {
        handles[i] = make_handle();
        items[i] = MPROC_WAIT_ITEM(handles[i].os);
    }
    CU_ASSERT_EQUAL(wait_for(items, MANY, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(wait_for(items, MANY, BRIEF), 0);
    for (size_t i = 0; i < MANY; i += 7) {
        mplat_signal_raise(handles[i]);
    }
    CU_ASSERT_EQUAL(wait_for(items, MANY, MPROC_FOREVER), MANY / 7 + 1);
    for (size_t i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL(items[i].is_ready, i % 7 == 0);
        mplat_handle_close(handles[i]);
    }
}

static int put_into(const mproc_args *args)
{
    mproc_queue *queue;
    CHILD_CHECK(MPROC_UNPACK(args, &queue) == 0);
    await_sleeper();
    return -mproc_queue_put(queue, MPROC_VALUE(1), MPROC_NOWAIT);
}

static void test_wait__hundreds_of_queues(void)
{
    static mproc_wait_item items[MANY];
    static mproc_queue *queues[MANY];
    for (size_t i = 0; i < MANY; i++) {
        queues[i] = make_queue();
        items[i] = MPROC_WAIT_ITEM(queues[i]);
    }
    size_t place = testlib_random() % MANY;
    mproc_process *child = start(put_into, MPROC_ARGS(queues[place]));
    CU_ASSERT_EQUAL(wait_for(items, MANY, LIMIT), 1);
    CU_ASSERT(items[place].is_ready);
    for (size_t i = 0; i < MANY; i += 2) {
        put(queues[i], 1);
    }
    CU_ASSERT_EQUAL(wait_for(items, MANY, MPROC_NOWAIT), MANY / 2 + (int)(place % 2));
    CU_ASSERT_EQUAL(end_of(child), 0);
    for (size_t i = 0; i < MANY; i++) {
        mproc_queue_close(queues[i]);
    }
}

static void test_wait__hundreds_of_processes(void)
{
    static mproc_process *children[1000];
    static mproc_wait_item items[1001];
    size_t count = (size_t)testlib_count(70, 1000);
    mproc_event *event = make_event();
    mproc_queue *queue = make_queue();
    for (size_t i = 0; i < count; i++) {
        children[i] = start(await_event, MPROC_ARGS(event));
        items[i] = MPROC_WAIT_ITEM(children[i]);
    }
    items[count] = MPROC_WAIT_ITEM(queue);
    CU_ASSERT_EQUAL(wait_for(items, count, BRIEF), 0);
    CU_ASSERT_EQUAL(wait_for(items, count + 1, BRIEF), 0);
    CU_ASSERT_EQUAL(mproc_event_set(event), MPROC_OK);
    // Those that have ended are left out of the next wait: first with the queue, then without.
    for (size_t left = count; left > 0;) {
        bool is_mixed = left > count / 2;
        items[left] = MPROC_WAIT_ITEM(queue);
        CU_ASSERT_FATAL(wait_for(items, left + is_mixed, LIMIT) > 0);
        for (size_t i = left; i > 0; i--) {
            if (items[i - 1].is_ready) {
                items[i - 1] = items[--left];
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    mproc_queue_close(queue);
    mproc_event_close(event);
}

/* ---- together with others -------------------------------------------------------------------- */

static int answer(const mproc_args *args)
{
    mproc_queue *questions;
    mproc_queue *answers;
    mproc_event *stop;
    CHILD_CHECK(MPROC_UNPACK(args, &questions, &answers, &stop) == 0);
    switch_slices_off();
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(stop), MPROC_WAIT_ITEM(questions)};
    for (;;) {
        CHILD_CHECK(mproc_wait(items, 2, MPROC_FOREVER) > 0);
        if (items[0].is_ready) {
            return 0;
        }
        int number = get(questions);
        CHILD_CHECK(number >= 0);
        CHILD_CHECK(mproc_queue_put(answers, MPROC_VALUE(number), MPROC_FOREVER) == 0);
    }
}

/** Each put is one wake: with slices off, one that is lost hangs the test. */
static void test_wait__loses_no_wake(void)
{
    int count = (int)testlib_count(3000, 300000);
    int64_t slice = mproc__slice_ns;
    mproc_queue *questions = make_queue();
    mproc_queue *answers = make_queue();
    mproc_queue *nothing = make_queue();
    mproc_event *stop = make_event();
    switch_slices_off();
    mproc_process *child = start(answer, MPROC_ARGS(questions, answers, stop));
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(nothing), MPROC_WAIT_ITEM(answers),
                               MPROC_WAIT_ITEM(child)};
    for (int i = 0; i < count; i++) {
        size_t n_items = i % 100 == 0 ? 3 : 2; // now and then with a handle among them
        put(questions, i);
        CU_ASSERT_EQUAL_FATAL(wait_for(items, n_items, MPROC_FOREVER), 1);
        CU_ASSERT_EQUAL(get(answers), i);
    }
    CU_ASSERT_EQUAL(mproc_event_set(stop), MPROC_OK);
    CU_ASSERT_EQUAL(wait_for(items, 3, MPROC_FOREVER), 1);
    CU_ASSERT(items[2].is_ready);
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc__slice_ns = slice;
    mproc_queue_close(questions);
    mproc_queue_close(answers);
    mproc_queue_close(nothing);
    mproc_event_close(stop);
}

static int get_one(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_value item;
    CHILD_CHECK(MPROC_UNPACK(args, &queue) == 0);
    CHILD_CHECK(mproc_queue_get(queue, &item, LIMIT) == 0);
    return (int)item.as.integer;
}

static int wait_for_both(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_event *event;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &event) == 0);
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(event), MPROC_WAIT_ITEM(queue)};
    int n = mproc_wait(items, 2, LIMIT);
    return n == 1 ? items[0].is_ready ? 10 : 11 : n;
}

/** Who waits for many takes no wake from who gets, and both kinds may be several, and be killed. */
static void test_wait__beside_others(void)
{
    mproc_queue *queue = make_queue();
    mproc_event *event = make_event();
    mproc_process *getters[2];
    mproc_process *waiters[3];
    for (size_t i = 0; i < 3; i++) {
        waiters[i] = start(wait_for_both, MPROC_ARGS(queue, event));
    }
    CU_ASSERT(await_asleep(3));
    for (size_t i = 0; i < 2; i++) {
        getters[i] = start(get_one, MPROC_ARGS(queue));
    }
    CU_ASSERT(await_asleep(5));
    CU_ASSERT_EQUAL(mproc_process_kill(waiters[0]), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(waiters[0]), CODE_KILLED);
    CU_ASSERT_EQUAL(mproc_queue_put_many(queue, MPROC_VALUES(3, 3, 3), 3, NULL, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(end_of(getters[0]), 3);
    CU_ASSERT_EQUAL(end_of(getters[1]), 3);
    CU_ASSERT_EQUAL(end_of(waiters[1]), 11);
    CU_ASSERT_EQUAL(end_of(waiters[2]), 11);
    CU_ASSERT_EQUAL(get(queue), 3);
    for (size_t i = 0; i < 2; i++) {
        waiters[i] = start(wait_for_both, MPROC_ARGS(queue, event));
    }
    CU_ASSERT(await_asleep(2));
    CU_ASSERT_EQUAL(mproc_event_set(event), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(waiters[0]), 10);
    CU_ASSERT_EQUAL(end_of(waiters[1]), 10);
    mproc_queue_close(queue);
    mproc_event_close(event);
}

#if defined(MPROC_KILLPOINTS) && !defined(_WIN32)
static void stop_at_marks(const char *instant)
{
    if (strcmp(instant, "stir.taken") == 0) {
        mproc__killpoint_fn = NULL;
        (void)raise(SIGSTOP);
    }
}

static int put_and_stop(const mproc_args *args)
{
    mproc_queue *queue;
    CHILD_CHECK(MPROC_UNPACK(args, &queue) == 0);
    await_sleeper();
    mproc__killpoint_fn = stop_at_marks;
    return -mproc_queue_put(queue, MPROC_VALUE(1), MPROC_NOWAIT);
}
#endif

/** One who is stopped between the item and the wake holds nobody up for long. */
static void test_wait__is_not_held_up(void)
{
#if defined(MPROC_KILLPOINTS) && !defined(_WIN32)
    int64_t slice = mproc__stir_slice_ns;
    int64_t long_slice = mproc__long_slice_ns;
    mproc_queue *queue = make_queue();
    mproc_event *event = make_event();
    mproc__stir_slice_ns = mproc_milliseconds(50);
    mproc__long_slice_ns = INT64_MAX / 4;
    mproc_process *child = start(put_and_stop, MPROC_ARGS(queue));
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(event), MPROC_WAIT_ITEM(queue)};
    CU_ASSERT_EQUAL(wait_for(items, 2, MPROC_FOREVER), 1);
    CU_ASSERT_EQUAL(get(queue), 1);
    CU_ASSERT_EQUAL(kill((pid_t)mproc_process_pid(child), SIGCONT), 0);
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc__stir_slice_ns = slice;
    mproc__long_slice_ns = long_slice;
    mproc_queue_close(queue);
    mproc_event_close(event);
#else
    testlib_skip("it takes MPROC_KILLPOINTS, and SIGSTOP");
#endif
}

/** What one waits for is to be seen by others: the first object stands for all. */
static void test_wait__is_listed(void)
{
    mproc_wait_info info;
    size_t count = 0;
    mproc_queue *queue = make_queue();
    mproc_event *event = make_event();
    mproc_process *child = start(wait_for_both, MPROC_ARGS(queue, event));
    CU_ASSERT(await_asleep(1));
    CU_ASSERT_EQUAL(mproc_list_waits(&info, 1, &count), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT_EQUAL(info.pid, mproc_process_pid(child));
    CU_ASSERT_STRING_EQUAL(info.kind, "an event");
    CU_ASSERT_EQUAL(mproc_event_set(event), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), 10);
    mproc_queue_close(queue);
    mproc_event_close(event);
}

/* ---- signals --------------------------------------------------------------------------------- */

#ifndef _WIN32
static volatile sig_atomic_t n_signals;

static void count_signal(int number)
{
    (void)number;
    n_signals++;
}

static int send_signals(const mproc_args *args)
{
    mproc_queue *queue;
    long long pid;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &pid) == 0);
    for (int i = 0; i < 3; i++) {
        await_sleeper();
        CHILD_CHECK(kill((pid_t)pid, SIGUSR1) == 0);
    }
    return -mproc_queue_put(queue, MPROC_VALUE(1), MPROC_NOWAIT);
}
#endif

/** They are handled in the thread that waits, which then goes on waiting. */
static void test_wait__goes_on_after_signals(void)
{
#ifndef _WIN32
    struct sigaction before;
    struct sigaction counting = {.sa_handler = count_signal};
    CU_ASSERT_EQUAL_FATAL(sigaction(SIGUSR1, &counting, &before), 0);
    mplat_handle handle = make_handle();
    for (size_t n_items = 1; n_items <= 2; n_items++) {
        mproc_queue *queue = make_queue();
        n_signals = 0;
        mproc_process *child = start(send_signals, MPROC_ARGS(queue, (long long)mplat_pid()));
        mproc_wait_item items[] = {MPROC_WAIT_ITEM(queue), MPROC_WAIT_ITEM(handle.os)};
        CU_ASSERT_EQUAL(wait_for(items, n_items, LIMIT), 1);
        CU_ASSERT(n_signals > 0); // several of them at once are one
        CU_ASSERT_EQUAL(end_of(child), 0);
        mproc_queue_close(queue);
    }
    mplat_handle_close(handle);
    CU_ASSERT_EQUAL(sigaction(SIGUSR1, &before, NULL), 0);
#else
    testlib_skip("there are no signals on this system");
#endif
}

/* ---- nothing is left ------------------------------------------------------------------------- */

static void test_wait__leaves_nothing_behind(void)
{
    mproc_arena_stats before = settled_stats();
    wait_for_deed(SET, true, true); // a start by fork is not refused after it
    wait_for_deed(PUT, true, true);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"refuses_nonsense", test_wait__refuses_nonsense},
    {"a_queue_that_has_an_item", test_wait__a_queue_that_has_an_item},
    {"a_connection_that_has_a_message", test_wait__a_connection_that_has_a_message},
    {"an_event_that_is_set", test_wait__an_event_that_is_set},
    {"a_latch_that_is_open", test_wait__a_latch_that_is_open},
    {"a_process_that_has_ended", test_wait__a_process_that_has_ended},
    {"a_handle_of_the_systems", test_wait__a_handle_of_the_systems},
    {"marks_all_that_are_ready", test_wait__marks_all_that_are_ready},
    {"sleeps_on_objects", test_wait__sleeps_on_objects},
    {"sleeps_on_objects_and_handles", test_wait__sleeps_on_objects_and_handles},
    {"sleeps_on_connections", test_wait__sleeps_on_connections},
    {"sleeps_on_latches", test_wait__sleeps_on_latches},
    {"a_handle_among_objects", test_wait__a_handle_among_objects},
    {"hundreds_of_handles", test_wait__hundreds_of_handles},
    {"hundreds_of_queues", test_wait__hundreds_of_queues},
    {"hundreds_of_processes", test_wait__hundreds_of_processes},
    {"loses_no_wake", test_wait__loses_no_wake},
    {"beside_others", test_wait__beside_others},
    {"is_not_held_up", test_wait__is_not_held_up},
    {"is_listed", test_wait__is_listed},
    {"goes_on_after_signals", test_wait__goes_on_after_signals},
    {"leaves_nothing_behind", test_wait__leaves_nothing_behind},
};

PROCESS_TEST_MAIN("object.wait", cases)
