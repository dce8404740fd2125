/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bag.c: see bag.h for the structure.
 */
#include "family/bag.h"

#include "base/deadline.h"
#include "family/block.h"
#include "family/guard.h"
#include "family/member.h"
#include "family/thread.h"
#include "mproc/error.h"

/* What was written to a block's memory before is no serial by chance. */
#define FIRST_SERIAL ((uint64_t)0xba9 << 52)

static struct mproc__bag_shm *bag_shm(void)
{
    return &mproc__shm()->bag;
}

bool mproc__bag_is_wanted(uint64_t owner, uint64_t serial)
{
    mproc__family_lock();
    bool is_alive =
        mproc__block_is(owner, MPROC__KIND_HANDLE) || mproc__block_is(owner, MPROC__KIND_TICKET);
    const mplat_bagged *entry = is_alive ? mproc__block_at(owner) : NULL;
    bool is_his = entry != NULL && mproc__load64_relaxed(&entry->serial) == serial;
    mproc__family_unlock();
    return is_his;
}

/** Take out what nobody wants; whether this process can. */
static bool sweep_locked(struct mproc__bag_shm *bag)
{
    uint64_t gone = mproc__load64_acquire(&bag->n_gone);
    uint64_t n = bag->is_unswept ? UINT64_MAX : gone - bag->n_swept;
    int rc = n > 0 ? mplat_bag_sweep(&mproc__arena.bag, n, mproc__bag_is_wanted) : MPROC_OK;
    if (rc != MPROC_ENOTSUP) { // for then it is up to the others
        bag->is_unswept = rc < 0;
        mproc__store64_relaxed(&bag->n_swept, gone);
    }
    return rc != MPROC_ENOTSUP;
}

/** Take the bag's lock; false: somebody else has it, and the deadline has passed. */
static bool enter(struct mproc__bag_shm *bag, mproc__deadline deadline)
{
    int rc = mproc__mutex_acquire(&bag->lock, mproc__thread_self(), deadline, NULL);
    if (rc == MPROC_OWNER_DIED) {
        bag->is_doubtful = 1;
    }
    if (rc >= 0 && bag->is_doubtful && mplat_bag_mend(&mproc__arena.bag) >= 0) {
        bag->is_doubtful = 0;
    }
    return rc >= 0;
}

void mproc__bag_lock(void)
{
    (void)enter(bag_shm(), MPROC__NEVER);
}

void mproc__bag_unlock(void)
{
    struct mproc__bag_shm *bag = bag_shm();
    (void)mproc__mutex_release(&bag->lock);
    // For those who could not, because it was taken: they count one more gone, and then try.
    mproc__fence_after_rmw();
    if (mproc__bag_is_dirty()) {
        mproc__bag_sweep();
    }
}

int mproc__bag_put(uint64_t owner, intptr_t native)
{
    mplat_bagged *entry = mproc__block_at(owner);
    struct mproc__bag_shm *bag = bag_shm();
    const struct mproc__member_shm *root = mproc__member_at(mproc__shm()->root);
    const mplat_identity keeper = {.pid = (int64_t)mproc__load64_relaxed(&root->pid),
                                   .birth = mproc__load64_relaxed(&root->birth)};
    (void)sweep_locked(bag); // there may be no room but that of the unwanted
    bag->n_put++;
    entry->owner = owner;
    mproc__store64_relaxed(&entry->serial, FIRST_SERIAL + bag->n_put);
    int rc = mplat_bag_put(&mproc__arena.bag, entry, &keeper, native);
    if (rc < 0) {
        mproc__store64_relaxed(&entry->serial, 0);
    }
    return rc;
}

int mproc__bag_get(const mplat_bagged *entry, bool is_private, intptr_t *ret_native)
{
    int rc = mplat_bag_get(&mproc__arena.bag, entry, is_private, ret_native);
    (void)sweep_locked(bag_shm()); // what could not be taken out before, perhaps
    return rc;
}

void mproc__bag_end(mproc__txn *txn, mplat_bagged *entry)
{
    uint64_t *gone = &bag_shm()->n_gone;
    if (mproc__load64_relaxed(&entry->serial) != 0 && !mplat_bag_drop(entry)) {
        mproc__txn_set(txn, gone, *gone + 1);
        // The next block here must not pass for this one before its bytes are zeroed.
        mproc__txn_set(txn, &entry->serial, 0);
    }
}

void mproc__bag_sweep(void)
{
    struct mproc__bag_shm *bag = bag_shm();
    // Not inside of itself, and whoever has the lock will sweep: he has not released it yet.
    mproc__fence_after_rmw(); // of the family lock
    while (mproc__bag_is_dirty() && mproc__mutex_owner(&bag->lock) != mproc__thread_self() &&
           enter(bag, 0)) {
        bool is_able = sweep_locked(bag);
        (void)mproc__mutex_release(&bag->lock);
        mproc__fence_after_rmw();
        if (!is_able) {
            return;
        }
    }
}
