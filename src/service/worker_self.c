/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_self.c: what a worker knows of itself: its place, its application's pointer, its age.
 *
 * A worker that is a process is one in all of its threads; one that is a thread is one in that thread only.
 */
#include "service/pool.h"

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/status.h"
#include "platform.h"

#include <stdio.h>

struct self {
    uint64_t pool; /**< 0: no worker */
    uint32_t index;
    void *state;
};

static struct self of_process;
static MPROC__THREAD_LOCAL struct self of_thread;

static struct self *self(void)
{
    return of_thread.pool != 0 ? &of_thread : &of_process;
}

void mproc__worker_become(uint64_t pool, uint32_t index, bool is_thread)
{
    // A copy of a process that was a worker, or of a thread that was one, is so no longer.
    of_thread.pool = 0;
    *(is_thread ? &of_thread : &of_process) = (struct self){.pool = pool, .index = index};
    if (!is_thread) {
        mplat_interrupt_ignore(); // Ctrl-C is the owner's business, with whom the workers end
    }
}

uint64_t mproc__worker_pool(void)
{
    return self()->pool;
}

int mproc_worker_index(void)
{
    return self()->pool != 0 ? (int)self()->index : -1;
}

void *mproc_worker_state(void)
{
    return self()->state;
}

int mproc_worker_set_state(void *state)
{
    if (self()->pool == 0) {
        return mproc__fail(MPROC_ESTATE, "only a pool's worker has a state");
    }
    self()->state = state;
    return MPROC_OK;
}

void mproc__pool_tell_failure(struct mproc__rule_shm *rule)
{
    uint32_t expected = 0;
    if (mproc__cas32(&rule->has_failure, &expected, 1)) {
        (void)snprintf(rule->failure, sizeof(rule->failure), "%s", mproc_last_error());
        mproc__store32_release(&rule->has_failure,
                               2); /* COMMIT: killed before, it has said nothing */
    }
}

bool mproc__worker_is_worn(uint64_t n_tasks, uint64_t max_tasks, uint64_t max_memory)
{
    if (max_tasks != 0 && n_tasks >= max_tasks) {
        return true;
    }
    return max_memory != 0 && (uint64_t)mplat_memory_now() > max_memory;
}
