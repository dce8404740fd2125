/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stir.c: see stir.h for the protocol.
 */
#include "family/stir.h"

#include "base/check.h"
#include "family/layout.h"
#include "family/sleep.h"
#include "family/thread.h"

#define SLEEPERS 1u
#define ONE_STIR 2u

int64_t mproc__stir_slice_ns = (int64_t)1000 * 1000000;

static uint32_t my_number(void)
{
    return mproc__thread_index(mproc__thread_self()) % MPROC__STIRS;
}

uint32_t *mproc__stir_mine(void)
{
    return &mproc__shm()->stir[my_number()];
}

void mproc__stir_mark(uint64_t *marks)
{
    uint64_t mine = (uint64_t)1 << my_number();
    uint64_t old = mproc__load64_acquire(marks);
    while ((old & mine) == 0 && !mproc__cas64(marks, &old, old | mine)) {
    }
}

void mproc__stir(uint32_t *stir)
{
    uint32_t old = mproc__load32_relaxed(stir);
    while (!mproc__cas32(stir, &old, (old & ~SLEEPERS) + ONE_STIR)) {
    }
    MPROC__KILLPOINT("stir.stirred"); /* DEATH: the sleeper looks again */
    if (old & SLEEPERS) {
        (void)mplat_wake(stir, INT32_MAX);
    }
}

void mproc__stir_marked(uint64_t *marks)
{
    uint64_t left = mproc__load64_relaxed(marks) != 0 ? mproc__exchange64(marks, 0) : 0;
    MPROC__KILLPOINT("stir.taken"); /* DEATH: those who left the marks look again */
    for (uint32_t i = 0; left != 0; i++, left >>= 1) {
        if (left & 1) {
            mproc__stir(&mproc__shm()->stir[i]);
        }
    }
}

void mproc__stir_await(uint32_t *stir, uint32_t seen, mproc__deadline deadline)
{
    int64_t slice = mproc__stir_slice_ns > mproc__slice_ns ? mproc__stir_slice_ns : mproc__slice_ns;
    if (!mproc__spin(stir, seen) &&
        ((seen & SLEEPERS) != 0 || mproc__cas32(stir, &seen, seen | SLEEPERS))) {
        (void)mproc__sleep(stir, seen | SLEEPERS, mproc__deadline_slice(deadline, slice), NULL);
    }
}
