/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue_lease.c: items that come back when who took them dies.
 */
#include "object/sync_test.h"

#include <string.h>

static mproc_queue *make(size_t max_items)
{
    mproc_queue *queue = NULL;
    const mproc_queue_options options = {.max_items = max_items, .is_joinable = true};
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, &options), MPROC_OK);
    return queue;
}

static void put(mproc_queue *queue, int from, int to)
{
    for (int i = from; i < to; i++) {
        CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(i), MPROC_NOWAIT), MPROC_OK);
    }
}

/** The number that is got; below 0: a status. */
static int get(mproc_queue *queue, mproc_timeout timeout)
{
    mproc_value item;
    int rc = mproc_queue_get(queue, &item, timeout);
    return rc < 0 ? rc : (int)item.as.integer;
}

static int lease(mproc_queue *queue, mproc_lease *ret_lease, mproc_timeout timeout)
{
    mproc_value item;
    int rc = mproc_queue_get_leased(queue, &item, ret_lease, timeout);
    return rc < 0 ? rc : (int)item.as.integer;
}

/* ---- one process ----------------------------------------------------------------------------- */

static void test_queue_lease__is_acknowledged(void)
{
    mproc_block_close(make_words(1)); // what is there when everything has been used once
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    mproc_lease leases[4];
    put(queue, 0, 3);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(lease(queue, &leases[i], MPROC_NOWAIT), i);
        CU_ASSERT_EQUAL(leases[i].returns, 0);
    }
    CU_ASSERT_EQUAL(lease(queue, &leases[3], MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(lease(queue, &leases[3], BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT(mproc_queue_is_empty(queue));
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(mproc_lease_acknowledge(&leases[i]), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_lease_acknowledge(&leases[i]), MPROC_ESTATE);
        CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    }
    CU_ASSERT_EQUAL(mproc_queue_task_done(queue), MPROC_OK); // of the third one
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lease_acknowledge(&leases[2]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_task_done(queue), MPROC_ESTATE);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_queue_lease__comes_back_in_order(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    mproc_lease leases[4];
    put(queue, 0, 6);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(lease(queue, &leases[i], MPROC_NOWAIT), i);
    }
    CU_ASSERT_EQUAL(mproc_lease_return(&leases[2]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lease_return(&leases[2]), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_lease_return(&leases[0]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lease_return(&leases[3]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 5);
    CU_ASSERT_EQUAL(lease(queue, &leases[0], MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(leases[0].returns, 1);
    CU_ASSERT_EQUAL(mproc_lease_return(&leases[0]), MPROC_OK);
    CU_ASSERT_EQUAL(lease(queue, &leases[0], MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(leases[0].returns, 2);
    CU_ASSERT_EQUAL(get(queue, MPROC_NOWAIT), 2);
    CU_ASSERT_EQUAL(mproc_lease_return(&leases[1]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lease_return(&leases[0]), MPROC_OK);
    mproc_value items[6];
    size_t n;
    CU_ASSERT_EQUAL(mproc_queue_get_many(queue, items, 6, &n, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(n, 5);
    CU_ASSERT(items[0].as.integer == 0 && items[1].as.integer == 1 && items[2].as.integer == 3);
    CU_ASSERT(items[3].as.integer == 4 && items[4].as.integer == 5);
    CU_ASSERT_EQUAL(get(queue, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** Of every sort, by every way to take it. */
static void test_queue_lease__holds_anything(void)
{
    static unsigned char data[60000];
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    mproc_lock *lock = NULL;
    mproc_lease leases[4];
    mproc_value item;
    memset(data, 7, sizeof(data));
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_LIST(lock, "text"), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 60000, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 100, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 0, MPROC_NOWAIT), MPROC_OK);
    mproc_lock_close(lock);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            CU_ASSERT_EQUAL_FATAL(mproc_queue_get_leased(queue, &item, &leases[i], MPROC_NOWAIT),
                                  MPROC_OK);
            mproc_lock *same;
            const char *text;
            bool is_right = i == 0
                                ? MPROC_UNPACK_LIST(&item, &same, &text) == 0 &&
                                      mproc_lock_acquire(same, MPROC_NOWAIT) == 0 &&
                                      mproc_lock_release(same) == 0
                                : item.as.bytes.size == (i == 1   ? 60000u
                                                         : i == 2 ? 100u
                                                                  : 0u) &&
                                      memcmp(item.as.bytes.data != NULL ? item.as.bytes.data : data,
                                             data, item.as.bytes.size) == 0;
            CU_ASSERT(is_right);
            mproc_value_clear(&item);
        }
        for (int i = 0; i < 4; i++) {
            CU_ASSERT_EQUAL(mproc_lease_return(&leases[i]), MPROC_OK);
        }
    }
    size_t size;
    CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, data, 1, &size, MPROC_NOWAIT), MPROC_ETYPE);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_OK);
    mproc_value_clear(&item);
    CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, data, 1, &size, MPROC_NOWAIT), MPROC_ETOOBIG);
    CU_ASSERT_EQUAL(size, 60000);
    CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, data, 60000, &size, MPROC_NOWAIT), MPROC_OK);
    mproc_loan loan;
    CU_ASSERT_EQUAL_FATAL(mproc_queue_peek(queue, &loan, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT(loan.size == 100 && memcmp(loan.data, data, 100) == 0);
    mproc_loan_release(&loan);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 1);
    mproc_queue_close(queue); // with one that has come back
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** A lease lives on without the queue's handle, and goes with the queue. */
static void test_queue_lease__outlives_the_handle(void)
{
    mproc_arena_stats before = settled_stats();
    for (int i = 0; i < 2; i++) {
        mproc_queue *queue = make(0);
        mproc_lease a;
        put(queue, 0, 1);
        CU_ASSERT_EQUAL(lease(queue, &a, MPROC_NOWAIT), 0);
        mproc_queue_close(queue);
        CU_ASSERT_EQUAL(i == 0 ? mproc_lease_acknowledge(&a) : mproc_lease_return(&a), MPROC_OK);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_queue_lease__refuses_nonsense(void)
{
    mproc_queue *queue = make(0);
    mproc_value item;
    mproc_lease a = {.block = 0};
    CU_ASSERT_EQUAL(mproc_queue_get_leased(NULL, &item, &a, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_get_leased(queue, NULL, &a, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_get_leased(queue, &item, NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_lease_acknowledge(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_lease_return(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_lease_acknowledge(&a), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_lease_return(&a), MPROC_ESTATE);
    put(queue, 0, 1);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(queue), MPROC_OK);
    CU_ASSERT_EQUAL(lease(queue, &a, MPROC_FOREVER), 0);
    CU_ASSERT_EQUAL(get(queue, MPROC_FOREVER), MPROC_ECLOSED);
    CU_ASSERT_EQUAL(mproc_lease_return(&a), MPROC_OK);
    CU_ASSERT_EQUAL(get(queue, MPROC_FOREVER), 0);
    CU_ASSERT_EQUAL(get(queue, MPROC_FOREVER), MPROC_ECLOSED);
    mproc_queue_close(queue);
}

/* ---- processes ------------------------------------------------------------------------------- */

/** Take some on lease, acknowledge the first one, and end, or wait to be killed. */
static int take_some(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_event *event;
    bool is_to_end;
    int n;
    mproc_lease a;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &event, &is_to_end, &n) == 0);
    for (int i = 0; i < n; i++) {
        CHILD_CHECK(lease(queue, &a, LIMIT) == i);
        CHILD_CHECK(i > 0 || mproc_lease_acknowledge(&a) == 0);
    }
    CHILD_CHECK(mproc_event_set(event) == 0);
    return is_to_end ? 0 : stay();
}

static void check_taker(bool is_to_end)
{
    enum { N = 200 };
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    mproc_event *event = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    put(queue, 0, N + 5);
    mproc_process *child = start(take_some, MPROC_ARGS(queue, event, is_to_end, (int)N));
    CU_ASSERT_EQUAL(mproc_event_wait(event, LIMIT), MPROC_OK);
    CU_ASSERT(is_to_end || mproc_queue_size(queue) == 5);
    CU_ASSERT(is_to_end || mproc_process_kill(child) == MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), is_to_end ? 0 : CODE_KILLED);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), N + 4);
    for (int i = 1; i < N + 5; i++) {
        CU_ASSERT_EQUAL(get(queue, MPROC_NOWAIT), i);
        CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mproc_queue_task_done(queue), MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_FOREVER), MPROC_OK);
    mproc_event_close(event);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_queue_lease__outlives_its_process(void)
{
    check_taker(false);
    check_taker(true);
}

/** The last one to hold the queue is a lease, whose holder dies. */
static void test_queue_lease__goes_with_the_queue(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    mproc_event *event = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    put(queue, 0, 5);
    mproc_process *child = start(take_some, MPROC_ARGS(queue, event, false, 3));
    CU_ASSERT_EQUAL(mproc_event_wait(event, LIMIT), MPROC_OK);
    mproc_queue_close(queue);
    mproc_event_close(event);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static int stay_with(const mproc_args *args)
{
    mproc_event *event;
    CHILD_CHECK(MPROC_UNPACK(args, &event) == 0 && mproc_event_set(event) == 0);
    return stay();
}

/** A copy made by fork has what its original has; what that does with its leases counts, and once. */
static void test_queue_lease__is_shared_with_a_copy(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    mproc_event *event = NULL;
    mproc_lease leases[2];
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    put(queue, 0, 2);
    CU_ASSERT_EQUAL(lease(queue, &leases[0], MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(lease(queue, &leases[1], MPROC_NOWAIT), 1);
    mproc_process *child = start(stay_with, MPROC_ARGS(event));
    CU_ASSERT_EQUAL(mproc_event_wait(event, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lease_acknowledge(&leases[0]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lease_return(&leases[1]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 1);
    CU_ASSERT_EQUAL(lease(queue, &leases[1], MPROC_NOWAIT), 1);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 0);
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_lease_acknowledge(&leases[1]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_OK);
    mproc_event_close(event);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** Wait for an item at an empty queue. */
static int wait_for_one(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_lease a;
    CHILD_CHECK(MPROC_UNPACK(args, &queue) == 0);
    CHILD_CHECK(lease(queue, &a, LIMIT) == 0 && a.returns == 1);
    CHILD_CHECK(mproc_lease_acknowledge(&a) == 0);
    return 0;
}

/** Killed while somebody sleeps at the queue, and nobody asks how it ended. */
static void test_queue_lease__comes_to_who_sleeps(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    mproc_event *event = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    put(queue, 0, 2);
    mproc_process *taker = start(take_some, MPROC_ARGS(queue, event, false, 2));
    CU_ASSERT_EQUAL(mproc_event_wait(event, LIMIT), MPROC_OK);
    CU_ASSERT(mproc_queue_is_empty(queue));
    CU_ASSERT_EQUAL(mproc_process_kill(taker), MPROC_OK);
    CU_ASSERT_EQUAL(get(queue, LIMIT), 1);
    CU_ASSERT_EQUAL(mproc_queue_task_done(queue), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(taker), CODE_KILLED);
    mproc_event_close(event);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_queue_lease__is_given_to_who_sleeps(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    mproc_lease a;
    put(queue, 0, 1);
    CU_ASSERT_EQUAL(lease(queue, &a, MPROC_NOWAIT), 0);
    mproc_process *sleeper = start(wait_for_one, MPROC_ARGS(queue));
    CU_ASSERT(await_asleep(1));
    CU_ASSERT_EQUAL(mproc_lease_return(&a), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(sleeper), 0);
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_OK);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

enum { N_ITEMS = 40, N_WORKERS = 6, N_STUCK = 4, STUCK = N_ITEMS, STUCK_AT };

/** Work off a queue on lease; who is the first to come to some items waits with them to be killed. */
static int work(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_block *block;
    int self;
    mproc_lease a;
    int number;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &block, &self) == 0);
    while ((number = lease(queue, &a, LIMIT)) >= 0) {
        if (number % (N_ITEMS / N_STUCK) == 3 && a.returns == 0) {
            set_word(&words_of(block)[STUCK_AT + self], 1);
            add_word(&words_of(block)[STUCK]);
            return stay();
        }
        add_word(&words_of(block)[number]);
        CHILD_CHECK(mproc_lease_acknowledge(&a) == 0);
    }
    return number == MPROC_ECLOSED ? 0 : 1;
}

/** Workers die; join comes to an end all the same, and all has been done once. */
static void test_queue_lease__lets_join_end(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    mproc_block *block = make_words(STUCK_AT + N_WORKERS);
    const uint32_t *is_stuck = words_of(block) + STUCK_AT;
    mproc_process *workers[N_WORKERS];
    put(queue, 0, N_ITEMS);
    for (int i = 0; i < N_WORKERS; i++) {
        workers[i] = start(work, MPROC_ARGS(queue, block, i));
    }
    CU_ASSERT(await_word(&words_of(block)[STUCK], N_STUCK));
    CU_ASSERT_EQUAL(mproc_queue_join(queue, BRIEF), MPROC_ETIMEDOUT);
    for (int i = 0; i < N_WORKERS; i++) {
        CU_ASSERT(is_stuck[i] == 0 || mproc_process_kill(workers[i]) == 0);
    }
    CU_ASSERT_EQUAL(mproc_queue_join(queue, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(queue), MPROC_OK);
    for (int i = 0; i < N_WORKERS; i++) {
        CU_ASSERT_EQUAL(end_of(workers[i]), is_stuck[i] != 0 ? CODE_KILLED : 0);
    }
    for (int i = 0; i < N_ITEMS; i++) {
        CU_ASSERT_EQUAL(words_of(block)[i], 1);
    }
    mproc_block_close(block);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"is_acknowledged", test_queue_lease__is_acknowledged},
    {"comes_back_in_order", test_queue_lease__comes_back_in_order},
    {"holds_anything", test_queue_lease__holds_anything},
    {"outlives_the_handle", test_queue_lease__outlives_the_handle},
    {"refuses_nonsense", test_queue_lease__refuses_nonsense},
    {"outlives_its_process", test_queue_lease__outlives_its_process},
    {"goes_with_the_queue", test_queue_lease__goes_with_the_queue},
    {"is_shared_with_a_copy", test_queue_lease__is_shared_with_a_copy},
    {"comes_to_who_sleeps", test_queue_lease__comes_to_who_sleeps},
    {"is_given_to_who_sleeps", test_queue_lease__is_given_to_who_sleeps},
    {"lets_join_end", test_queue_lease__lets_join_end},
};

PROCESS_TEST_MAIN("object.queue_lease", cases)
