/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wait_threads.c: threads of one process that wait for several queues at once, so that ThreadSanitizer
 * sees them: what an item stands for is plain memory that its producer writes before it puts the item. POSIX
 * only.
 */
#include "base/atomic.h"
#include "base/compiler.h"
#include "family/check.h"
#include "family/sleep.h"
#include "mproc/mproc.h"

#include <pthread.h>
#include <sched.h>

#define N_PRODUCERS 3
#define N_CONSUMERS 4
#define N_THREADS (N_PRODUCERS + N_CONSUMERS)
#define N_QUEUES 3
#define N_ITEMS (N_QUEUES + 2)

static mproc_queue *queues[N_QUEUES];
static mproc_event *stop;
static mplat_handle handle; /* never ready: some wait for it as well, which takes a lookout */
static uint64_t
    *slots; /* one for each item: its number and 1, from before the put until after the get */
static uint64_t n_each;

struct worker {
    pthread_t thread;
    uint64_t number;
    uint64_t n;
};

static void produce(struct worker *self)
{
    uint64_t first = self->number * n_each;
    for (uint64_t i = first; i < first + n_each; i++) {
        slots[i] = i + 1;
        CHILD_CHECK(mproc_queue_put(queues[i % N_QUEUES], MPROC_VALUE(i), MPROC_FOREVER) == 0);
        self->n++;
    }
}

static void take(struct worker *self, mproc_queue *queue)
{
    mproc_value item;
    int rc = mproc_queue_get(queue, &item, MPROC_NOWAIT);
    if (rc == MPROC_ETIMEDOUT) {
        return; // another one was quicker
    }
    CHILD_CHECK(rc == 0);
    uint64_t number = (uint64_t)item.as.integer;
    CHILD_CHECK(slots[number] == number + 1);
    slots[number] = 0;
    self->n++;
}

/** Until the event is set, which comes after the last item has been taken. */
static void consume(struct worker *self)
{
    mproc_wait_item items[N_ITEMS] = {MPROC_WAIT_ITEM(stop)};
    for (size_t i = 0; i < N_QUEUES; i++) {
        items[1 + i] = MPROC_WAIT_ITEM(queues[(i + self->number) % N_QUEUES]);
    }
    items[N_ITEMS - 1] = MPROC_WAIT_ITEM(handle.os);
    size_t count = self->number % 4 == 0 ? N_ITEMS : N_ITEMS - 1;
    while (mproc_wait(items, count, MPROC_FOREVER) > 0 && !items[0].is_ready) {
        for (size_t i = 0; i < N_QUEUES; i++) {
            if (items[1 + i].is_ready) {
                take(self, items[1 + i].as.queue);
            }
        }
    }
    CHILD_CHECK(items[0].is_ready);
}

static void *work(void *arg)
{
    struct worker *self = arg;
    if (self->number < N_PRODUCERS) {
        produce(self);
    } else {
        consume(self);
    }
    return NULL;
}

static void run_threads(void)
{
    struct worker workers[N_THREADS];
    uint64_t n_taken = 0;
    for (size_t i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.number = i};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < N_PRODUCERS; i++) {
        CU_ASSERT_EQUAL(pthread_join(workers[i].thread, NULL), 0);
    }
    for (size_t i = 0; i < N_QUEUES; i++) {
        while (!mproc_queue_is_empty(queues[i])) {
            (void)sched_yield();
        }
    }
    CU_ASSERT_EQUAL(mproc_event_set(stop), 0);
    for (size_t i = N_PRODUCERS; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(workers[i].thread, NULL), 0);
        n_taken += workers[i].n;
    }
    CU_ASSERT_EQUAL(n_taken, N_PRODUCERS * n_each);
    for (uint64_t i = 0; i < N_PRODUCERS * n_each; i++) {
        CU_ASSERT_EQUAL(slots[i], 0);
    }
}

static void test_wait__threads_watch_the_same_things(void)
{
    const check_figures before = check_read();
    const mproc_queue_options options = {.max_items = 16};
    int64_t slice = mproc__slice_ns;
    mproc__slice_ns = INT64_MAX / 4; // nothing rests on slices as long as nobody dies
    n_each = (uint64_t)testlib_count(3000, 100000);
    slots = calloc((size_t)(N_PRODUCERS * n_each), sizeof(*slots));
    CU_ASSERT_PTR_NOT_NULL_FATAL(slots);
    for (size_t i = 0; i < N_QUEUES; i++) {
        CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queues[i], &options), 0);
    }
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&stop), 0);
    CU_ASSERT_EQUAL_FATAL(mplat_signal_make(&handle), 0);
    run_threads();
    mplat_handle_close(handle);
    mproc_event_close(stop);
    for (size_t i = 0; i < N_QUEUES; i++) {
        mproc_queue_close(queues[i]);
    }
    free(slots);
    mproc__slice_ns = slice;
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    check_enter(N_THREADS * 4);
}

static const testlib_case cases[] = {
    {"threads_watch_the_same_things", test_wait__threads_watch_the_same_things},
};

TESTLIB_MAIN_CHILD("object.wait_threads", cases, child)
