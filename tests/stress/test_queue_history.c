/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue_history.c: what 3 producers and 3 consumers do with a queue at the same time, as if it had been done one
 * after the other.
 *
 * Each notes when it called and when the call returned. Of a queue from which all has been taken that is
 * linearizable if and only if
 *
 *   1. each item was put, and taken once, and not before its put was called;
 *   2. of two items, the put of one of which returned before the put of the other one was called, the other one
 *      was not taken, and returned, before the first one's get was called;
 *   3. a get that found the queue empty has an instant at which it may have been so: no item was in it for
 *      certain all the time, nor did one follow the other so (T. Henzinger, A. Sezgin, V. Vafeiadis:
 *      Aspect-oriented linearizability proofs, 2013).
 */
#include "object/sync_test.h"

#include <string.h>

enum { PRODUCERS = 3, CONSUMERS = 3, EACH = 12, ITEMS = PRODUCERS * EACH, MOST_EMPTY = 64 };

struct span {
    int64_t called, returned;
};

/** What one consumer has seen. */
struct taken {
    uint32_t item[EACH];
    struct span when[EACH];
    uint32_t n_empty;
    struct span empty[MOST_EMPTY];
};

struct history {
    struct span put[ITEMS];
    struct taken taken[CONSUMERS];
};

static int produce(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_barrier *barrier;
    mproc_block *block;
    uint32_t me;
    long n;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &barrier, &block, &me, &n) == 0);
    struct history *history = mproc_block_data(block);
    for (long i = 0; i < n; i++) {
        CHILD_CHECK(mproc_barrier_wait(barrier, LIMIT) >= 0); // all begin
        for (uint32_t k = 0; k < EACH; k++) {
            uint32_t item = me * EACH + k;
            history->put[item].called = mplat_now();
            CHILD_CHECK(mproc_queue_put(queue, MPROC_VALUE(item), LIMIT) == 0);
            history->put[item].returned = mplat_now();
        }
        CHILD_CHECK(mproc_barrier_wait(barrier, LIMIT) >= 0); // all have ended
        CHILD_CHECK(mproc_barrier_wait(barrier, LIMIT) >= 0); // it has been looked at
    }
    return 0;
}

/** Take one item; every other time without waiting, and then perhaps none. */
static void take(mproc_queue *queue, struct taken *taken, uint32_t *n, bool may_be_empty)
{
    mproc_value value;
    struct span when = {.called = mplat_now()};
    int rc = mproc_queue_get(queue, &value, may_be_empty ? MPROC_NOWAIT : LIMIT);
    when.returned = mplat_now();
    if (rc == MPROC_ETIMEDOUT && may_be_empty) {
        taken->empty[taken->n_empty++] = when;
        return;
    }
    CHILD_CHECK(rc == 0 && value.type == MPROC_INT);
    taken->item[*n] = (uint32_t)value.as.integer;
    taken->when[(*n)++] = when;
}

static int consume(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_barrier *barrier;
    mproc_block *block;
    uint32_t me;
    long count;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &barrier, &block, &me, &count) == 0);
    struct taken *taken = &((struct history *)mproc_block_data(block))->taken[me];
    for (long i = 0; i < count; i++) {
        uint32_t n = 0;
        taken->n_empty = 0;
        CHILD_CHECK(mproc_barrier_wait(barrier, LIMIT) >= 0);
        for (uint32_t turn = 0; n < EACH; turn++) {
            take(queue, taken, &n, turn % 2 == 0 && taken->n_empty < MOST_EMPTY);
        }
        CHILD_CHECK(mproc_barrier_wait(barrier, LIMIT) >= 0);
        CHILD_CHECK(mproc_barrier_wait(barrier, LIMIT) >= 0);
    }
    return 0;
}

/* ---- what must not be ------------------------------------------------------------------------ */

/** When each item was taken; false: not each of them once. */
static bool find_gets(const struct history *history, struct span *ret_get)
{
    bool is_taken[ITEMS] = {false};
    for (uint32_t c = 0; c < CONSUMERS; c++) {
        for (uint32_t i = 0; i < EACH; i++) {
            uint32_t item = history->taken[c].item[i];
            if (item >= ITEMS || is_taken[item]) {
                return false;
            }
            is_taken[item] = true;
            ret_get[item] = history->taken[c].when[i];
        }
    }
    return true;
}

static bool is_in_order(const struct history *history, const struct span *get)
{
    for (uint32_t a = 0; a < ITEMS; a++) {
        if (get[a].returned < history->put[a].called) {
            return false;
        }
        for (uint32_t b = 0; b < ITEMS; b++) {
            if (history->put[a].returned < history->put[b].called &&
                get[b].returned < get[a].called) {
                return false;
            }
        }
    }
    return true;
}

/** Whether there is an instant in a get that found nothing at which no item was in the queue for certain. */
static bool may_have_been_empty(const struct history *history, const struct span *get,
                                const struct span *empty)
{
    int64_t at = empty->called;
    for (bool has_moved = true; has_moved;) {
        has_moved = false;
        for (uint32_t a = 0; a < ITEMS; a++) {
            if (history->put[a].returned < at && at < get[a].called) {
                at = get[a].called; // it was there until then, at least
                has_moved = true;
            }
        }
    }
    return at <= empty->returned;
}

static bool is_linearizable(const struct history *history)
{
    struct span get[ITEMS];
    bool is = find_gets(history, get) && is_in_order(history, get);
    for (uint32_t c = 0; c < CONSUMERS && is; c++) {
        for (uint32_t i = 0; i < history->taken[c].n_empty && is; i++) {
            is = may_have_been_empty(history, get, &history->taken[c].empty[i]);
        }
    }
    return is;
}

/** The test itself can fail. */
static void test_queue_history__finds_faults(void)
{
    struct history good = {.put = {{0, 0}}};
    for (uint32_t i = 0; i < ITEMS; i++) {
        good.put[i] = (struct span){10 * i + 1, 10 * i + 3};
        good.taken[i % CONSUMERS].item[i / CONSUMERS] = i;
        good.taken[i % CONSUMERS].when[i / CONSUMERS] = (struct span){10 * i + 2, 10 * i + 5};
    }
    good.taken[0].n_empty = 1;
    good.taken[0].empty[0] = (struct span){6, 8};
    CU_ASSERT(is_linearizable(&good));
    struct history bad = good;
    bad.taken[1].item[0] = 0; // twice
    CU_ASSERT(!is_linearizable(&bad));
    bad = good;
    bad.taken[0].when[0] = (struct span){200, 201}; // after those that were put later
    CU_ASSERT(!is_linearizable(&bad));
    bad = good;
    bad.taken[0].when[0].called = -5;
    bad.taken[0].when[0].returned = 0; // before it was put
    CU_ASSERT(!is_linearizable(&bad));
    bad = good;
    bad.put[0] = (struct span){-5, -3};
    bad.taken[0].when[0] = (struct span){9, 10}; // it was there while the queue was found empty
    CU_ASSERT(!is_linearizable(&bad));
}

static void test_queue_history__is_linearizable(void)
{
    mproc_queue *queue = NULL;
    mproc_barrier *barrier = NULL;
    mproc_block *block = NULL;
    mproc_process *all[PRODUCERS + CONSUMERS];
    long n = testlib_count(500, 100000);
    size_t n_wrong = 0;
    size_t n_empty = 0;
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_barrier_create(&barrier, PRODUCERS + CONSUMERS + 1, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, sizeof(struct history)), 0);
    const struct history *history = mproc_block_data(block);
    for (uint32_t i = 0; i < MPROC__COUNT(all); i++) {
        all[i] = start(i < PRODUCERS ? produce : consume,
                       MPROC_ARGS(queue, barrier, block, i < PRODUCERS ? i : i - PRODUCERS, n));
    }
    for (long i = 0; i < n; i++) {
        CU_ASSERT_FATAL(mproc_barrier_wait(barrier, LIMIT) >= 0);
        CU_ASSERT_FATAL(mproc_barrier_wait(barrier, LIMIT) >= 0);
        n_wrong += is_linearizable(history) ? 0 : 1;
        n_empty += history->taken[0].n_empty;
        CU_ASSERT_FATAL(mproc_barrier_wait(barrier, LIMIT) >= 0);
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 0);
    printf("%ld histories, %zu found it empty ... ", n, n_empty);
    for (uint32_t i = 0; i < MPROC__COUNT(all); i++) {
        CU_ASSERT_EQUAL(end_of(all[i]), 0);
    }
    mproc_block_close(block);
    mproc_barrier_close(barrier);
    mproc_queue_close(queue);
}

static const testlib_case cases[] = {
    {"finds_faults", test_queue_history__finds_faults},
    {"is_linearizable", test_queue_history__is_linearizable},
};

PROCESS_TEST_MAIN("stress.queue_history", cases)
