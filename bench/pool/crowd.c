/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd.c: a batch that threads of this process work on, and how its end is known: see pool.h.
 */
#include "pool.h"

#include "../support/bench.h"

#include <semaphore.h>
#include <stdatomic.h>

static const struct pool_batch *current;
static atomic_size_t left;
static sem_t all_done;

int pool_crowd_open(void)
{
    return sem_init(&all_done, 0, 0) == 0 ? 0 : bench_fail("sem_init");
}

void pool_crowd_close(void)
{
    (void)sem_destroy(&all_done);
}

void pool_crowd_begin(const struct pool_batch *batch)
{
    current = batch;
    atomic_store_explicit(&left, batch->count, memory_order_release);
}

void pool_crowd_do(size_t index)
{
    pool_run_task(current, index);
    if (atomic_fetch_sub_explicit(&left, 1, memory_order_acq_rel) == 1) {
        (void)sem_post(&all_done);
    }
}

void pool_crowd_await(void)
{
    while (sem_wait(&all_done) != 0) {
    }
}
