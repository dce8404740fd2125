/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool_storm.h: what the storms of kills in pools share.
 */
#ifndef TESTS_STRESS_POOL_STORM_H
#define TESTS_STRESS_POOL_STORM_H

#include "stress/storm.h"

#include "mproc/future.h"
#include "mproc/pool_map.h"
#include "service/submit.h"

#define N_WORKERS 4
#define WINDOW 64 /* tasks under way */

static inline mproc_pool *make_pool(void)
{
    mproc_pool *pool = NULL;
    const mproc_pool_options options = {.processes = N_WORKERS};
    CU_ASSERT_EQUAL_FATAL(mproc_pool_create(&pool, &options), MPROC_OK);
    return pool;
}

/** Kill one of the workers, if the one that chance has chosen is there. */
static inline bool kill_one_of(mproc_pool *pool)
{
    mproc__client *client;
    mplat_identity who;
    CU_ASSERT_EQUAL_FATAL(mproc__client_of(pool, &client), MPROC_OK);
    const struct mproc__worker_shm *worker =
        &mproc__client_tasks(client)->workers[testlib_random() % N_WORKERS];
    uint64_t member = mproc__load64_acquire(&worker->member);
    bool is_there =
        member != 0 && mproc__member_identity(member, &who) >= 0 && who.pid != 0 && who.birth != 0;
    return is_there && mplat_process_signal(&who, MPLAT_KILL) >= 0;
}

static inline void check_stock(const belongings *before)
{
    belongings after = take_stock();
    // The C library keeps stacks and heaps of threads, a varying number of them.
    if (after.n_maps < before->n_maps + (HAS_SANITIZER ? 90 : 9)) {
        after.n_maps = before->n_maps;
    }
    check_belongings(before, &after);
}

/* In the word of each task: how often it was begun, and how often it came to its end. */
#define BEGUN 1u
#define ENDED 0x10000u

/** Be busy for so many nanoseconds, with a note before and after it. */
static inline void be_busy(uint32_t *note, int64_t busy)
{
    (void)mproc__add32(note, BEGUN);
    for (int64_t end = busy > 0 ? mplat_now() + busy : 0; busy > 0 && mplat_now() < end;) {
    }
    (void)mproc__add32(note, ENDED);
}

/** A task whose status that is was run as it should: not more than once, unless it is to be run again. */
static inline bool is_right(uint32_t note, int status, bool is_repeated)
{
    if (status == MPROC_OK) {
        return note >= ENDED && (is_repeated || note == BEGUN + ENDED);
    }
    return status == MPROC_EWORKERDIED && !is_repeated && note % ENDED <= BEGUN &&
           note / ENDED <= 1;
}

/* ---- a storm of single tasks ------------------------------------------------------------------ */

/** The task `index`: its word is the window's. */
static inline int work(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    uint32_t index;
    int64_t busy;
    int rc = MPROC_UNPACK(args, &block, &index, &busy);
    if (rc < 0) {
        return rc;
    }
    be_busy((uint32_t *)mproc_block_data(block) + index % WINDOW, busy);
    *result = MPROC_VALUE(index);
    return MPROC_OK;
}

struct storm {
    mproc_pool *pool;
    mproc_block *block;
    mproc_future *window[WINDOW];
    uint32_t n_submitted, n_harvested;
    uint32_t n_reported;
    int64_t most_ns; /* that a task is busy */
};

/** Every third one is run again when its worker dies. */
static inline bool is_repeated(uint32_t index)
{
    return index % 3 == 0;
}

static inline void submit_next(struct storm *storm)
{
    const mproc_task_options repeated = {.retries = INT32_MAX};
    uint32_t index = storm->n_submitted++;
    ((uint32_t *)mproc_block_data(storm->block))[index % WINDOW] = 0;
    int64_t busy = (int64_t)(testlib_random() % (uint32_t)(storm->most_ns + 1));
    int rc = mproc_pool_apply_async(storm->pool, work, MPROC_ARGS(storm->block, index, busy),
                                    is_repeated(index) ? &repeated : NULL,
                                    &storm->window[index % WINDOW]);
    if (rc < 0) {
        printf("submit: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
}

static inline void harvest_next(struct storm *storm)
{
    uint32_t index = storm->n_harvested++;
    mproc_value result = {0};
    mproc_future *future = storm->window[index % WINDOW];
    int rc = mproc_future_get(future, &result, LIMIT);
    uint32_t note = ((uint32_t *)mproc_block_data(storm->block))[index % WINDOW];
    if (!is_right(note, rc, is_repeated(index))) {
        printf("task %u, begun and ended %#x: %d, %s ... ", index, note, rc, mproc_last_error());
        CU_FAIL("a task has not ended once");
    }
    CU_ASSERT(rc < 0 || (result.type == MPROC_INT && result.as.integer == index));
    storm->n_reported += rc < 0 ? 1 : 0;
    mproc_future_close(future);
}

static inline struct storm make_storm(int64_t most_ns)
{
    struct storm storm = {.pool = make_pool(), .most_ns = most_ns};
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&storm.block, WINDOW * sizeof(uint32_t)), MPROC_OK);
    memset(mproc_block_data(storm.block), 0, WINDOW * sizeof(uint32_t));
    return storm;
}

/** One more task, and the outcome of another one. */
static inline void step(struct storm *storm)
{
    if (storm->n_submitted - storm->n_harvested == WINDOW) {
        harvest_next(storm);
    }
    submit_next(storm);
}

static inline void end_storm(struct storm *storm)
{
    while (storm->n_harvested < storm->n_submitted) {
        harvest_next(storm);
    }
    mproc_pool_close(storm->pool);
    mproc_block_close(storm->block);
}

/** What a process keeps once it has had a pool: stacks of threads, room in its ledger. */
static inline belongings take_stock_after_one(void)
{
    struct storm storm = make_storm(1000);
    for (int i = 0; i < 4 * WINDOW; i++) {
        step(&storm);
    }
    (void)kill_one_of(storm.pool);
    end_storm(&storm);
    return take_stock();
}

#endif
