/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard.c: see guard.h.
 */
#include "family/guard.h"

#include "family/bag.h"
#include "family/block.h"
#include "family/layout.h"
#include "family/thread.h"
#include "mproc/error.h"

void mproc__family_lock(void)
{
    struct mproc__family_shm *shm = mproc__shm();
    int rc = mproc__mutex_acquire(&shm->lock, mproc__thread_self(), MPROC__NEVER, NULL);
    if (rc == MPROC_OWNER_DIED) {
        mproc__journal_recover(&shm->journal);
    }
    // Also what a dead owner left there; nobody should have to wait for the next release for it.
    mproc__graveyard_empty();
}

void mproc__family_unlock(void)
{
    mproc__graveyard_empty();
    (void)mproc__mutex_release(&mproc__shm()->lock);
    if (mproc__bag_is_dirty()) {
        mproc__bag_sweep();
    }
}

void mproc__family_settle(void)
{
    mproc__family_lock();
    mproc__family_unlock();
}
