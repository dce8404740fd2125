/* SPDX-License-Identifier: Apache-2.0 */
/*
 * survivor.c: see survivor.h.
 */
#include "stress/survivor.h"

#include "base/atomic.h"
#include "base/compiler.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/ops.h"
#include "family/sleep.h"
#include "family/stir.h"
#include "family/thread.h"
#include "family/watch.h"
#include "support/testlib.h"

#include <pthread.h>
#include <sched.h>

#define MOST 8

const size_t ops_dead_slot = SIZE_MAX;
const size_t ops_grow = SIZE_MAX;
const size_t ops_takeover = SIZE_MAX;
const size_t ops_recover = SIZE_MAX;

static struct survivor {
    pthread_t thread;
    int (*fn)(void);
    int rc;
    uint32_t is_done;
    uint64_t id; /* 0: none */
} all[MOST];

uint32_t survivor_stop;
uint64_t *survivor_locks[2];

void survivor_setup(void)
{
    mproc__slice_ns = 2000000;
    mproc__long_slice_ns = INT64_MAX / 4;
    mproc__stir_slice_ns = INT64_MAX / 4;
}

static void *live(void *arg)
{
    struct survivor *self = arg;
    CHILD_CHECK(mproc__family_enter() == 0);
    mproc__store64_release(&self->id, mproc__thread_self());
    self->rc = self->fn();
    mproc__store64_release(&self->id, 0);
    mproc__store32_release(&self->is_done, 1);
    (void)mplat_wake(&self->is_done, 1);
    return NULL;
}

void survivor_start(int i, int (*fn)(void))
{
    all[i] = (struct survivor){.fn = fn};
    CU_ASSERT_EQUAL_FATAL(pthread_create(&all[i].thread, NULL, live, &all[i]), 0);
}

int survivor_end(int i)
{
    int64_t limit = mplat_now() + SURVIVOR_LIMIT;
    while (mproc__load32_acquire(&all[i].is_done) == 0 && mplat_now() < limit) {
        (void)mplat_wait(&all[i].is_done, 0, limit, NULL, NULL);
    }
    if (mproc__load32_acquire(&all[i].is_done) == 0) {
        CU_FAIL_FATAL("a survivor hangs");
    }
    CU_ASSERT_EQUAL(pthread_join(all[i].thread, NULL), 0);
    return all[i].rc;
}

bool survivor_is(uint64_t thread)
{
    bool is_one = false;
    for (int i = 0; i < MOST && thread != 0; i++) {
        is_one = is_one || mproc__load64_acquire(&all[i].id) == thread;
    }
    return is_one;
}

/** Whether a thread sleeps on a word for its own sake, not on a lock on its way there. */
static bool is_at_home(const struct mproc__thread_shm *slot)
{
    uint64_t bed = mproc__load64_acquire(&slot->asleep);
    bool is_home = bed != 0 && bed != mproc__offset_of(mproc__low32(&mproc__shm()->lock.word));
    for (size_t i = 0; i < MPROC__COUNT(survivor_locks); i++) {
        is_home = is_home && (survivor_locks[i] == NULL ||
                              bed != mproc__offset_of(mproc__low32(survivor_locks[i])));
    }
    return is_home;
}

/** The dead do not count: one that has been killed asleep keeps its note until it is buried. */
static uint32_t count_asleep(void)
{
    uint32_t n_slots;
    uint32_t count = 0;
    const struct mproc__thread_shm *slots = mproc__thread_slots(&n_slots);
    for (int i = 0; i < MOST; i++) {
        uint64_t place = mproc__load64_acquire(&all[i].id) >> 1 & 0xffff;
        count += place != 0 && is_at_home(&slots[place - 1]) ? 1 : 0;
    }
    return count;
}

void survivor_await_asleep(uint32_t count)
{
    int64_t limit = mplat_now() + SURVIVOR_LIMIT;
    bool is_in_time = true;
    while (count_asleep() != count && is_in_time) {
        (void)sched_yield();
        is_in_time = mplat_now() < limit;
    }
    CU_ASSERT_FATAL(is_in_time);
}

static void *die(void *arg)
{
    const struct survivor *self = arg;
    CHILD_CHECK(mproc__family_enter() == 0);
    CHILD_CHECK(self->fn() >= 0);
    mproc__thread_forget(); // or it would leave in good order
    return NULL;
}

void survivor_die(int (*fn)(void))
{
    struct survivor self = {.fn = fn};
    CU_ASSERT_EQUAL_FATAL(pthread_create(&self.thread, NULL, die, &self), 0);
    CU_ASSERT_EQUAL(pthread_join(self.thread, NULL), 0);
}
