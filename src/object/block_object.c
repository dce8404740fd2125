/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block_object.c: mproc_block, the plainest shared object, and the arena's figures.
 */
#include "mproc/arena.h"

#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/object.h"
#include "family/pages.h"
#include "mproc/value.h"

#include <stddef.h>

int mproc_block_create(mproc_block **ret_block, size_t size_bytes)
{
    if (ret_block == NULL || size_bytes == 0) {
        return mproc__fail(MPROC_EINVAL, "a block needs a size of at least one byte");
    }
    struct mproc_object *object;
    int rc = mproc__object_create(MPROC__KIND_BLOCK, size_bytes, 0, &object);
    if (rc >= 0) {
        *ret_block = MPROC__CONTAINER(object, mproc_block, object);
    }
    return rc;
}

void *mproc_block_data(const mproc_block *block)
{
    return block != NULL ? block->object.shm : NULL;
}

size_t mproc_block_size(const mproc_block *block)
{
    return block != NULL ? (size_t)mproc__block_size(block->object.offset) : 0;
}

/** Granules with memory; a reading that others may change meanwhile. */
static uint64_t committed_granules(void)
{
    uint64_t count = 0;
    uint64_t top = mproc__shm()->heap.top;
    for (uint64_t i = 0; i < top; i++) {
        count += mproc__load64_relaxed(&mproc__page_at(i)->committed) != MPROC__MEMORY_NONE ? 1 : 0;
    }
    return count;
}

int mproc_arena_get_stats(mproc_arena_stats *ret_stats)
{
    if (ret_stats == NULL) {
        return mproc__fail(MPROC_EINVAL, "there is no place for the figures");
    }
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    const struct mproc__family_shm *shm = mproc__shm();
    mproc__family_lock();
    *ret_stats = (mproc_arena_stats){
        .reserved_bytes = (size_t)shm->size,
        .committed_bytes = (size_t)(committed_granules() << MPROC__GRANULE_SHIFT),
        .live_blocks = (size_t)shm->heap.live_blocks,
        .live_bytes = (size_t)shm->heap.live_bytes,
        .members = (size_t)shm->used_members,
    };
    mproc__family_unlock();
    return MPROC_OK;
}
