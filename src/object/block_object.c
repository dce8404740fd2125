/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block_object.c: mproc_block, the plainest shared object, and what all objects' handles share.
 */
#include "mproc/arena.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/object.h"
#include "family/pages.h"
#include "mproc/value.h"

#include <stdbool.h>

struct mproc_block {
    struct mproc_object object;
};

struct mproc_object mproc__object_init(uint32_t kind, const struct mproc__hold *hold)
{
    return (struct mproc_object){.kind = kind,
                                 .ledger = hold->entry,
                                 .offset = hold->offset,
                                 .epoch = mproc__handle_epoch()};
}

void mproc__object_fini(const struct mproc_object *object)
{
    if (object->epoch == mproc__handle_epoch() && mproc__family_enter() >= 0) {
        mproc__block_release((mproc__hold){object->offset, object->ledger});
    }
}

/** A handle for a hold; the hold is given back if there is no memory for it. */
static int wrap(mproc__hold hold, mproc_block **ret_block)
{
    mproc_block *block = mproc__malloc(sizeof(*block));
    if (block == NULL) {
        mproc__block_release(hold);
        return mproc__fail(MPROC_ENOMEM, "no memory for a block's handle");
    }
    block->object = mproc__object_init(MPROC__KIND_BLOCK, &hold);
    *ret_block = block;
    return MPROC_OK;
}

int mproc_block_create(mproc_block **ret_block, size_t size_bytes)
{
    if (ret_block == NULL || size_bytes == 0) {
        return mproc__fail(MPROC_EINVAL, "a block needs a size of at least one byte");
    }
    mproc__hold hold;
    int rc = mproc__family_enter();
    if (rc < 0 || (rc = mproc__block_create(MPROC__KIND_BLOCK, size_bytes, 0, true, &hold)) < 0) {
        return rc;
    }
    return wrap(hold, ret_block);
}

int mproc_block_attach(mproc_block **ret_block, const mproc_block *block)
{
    if (ret_block == NULL || block == NULL) {
        return mproc__fail(MPROC_EINVAL, "there is no block to attach");
    }
    mproc__hold hold;
    int rc = mproc__family_enter();
    if (rc < 0 || (rc = mproc__block_attach(block->object.offset, &hold)) < 0) {
        return rc;
    }
    return wrap(hold, ret_block);
}

void *mproc_block_data(const mproc_block *block)
{
    return block != NULL ? mproc__block_at(block->object.offset) : NULL;
}

size_t mproc_block_size(const mproc_block *block)
{
    return block != NULL ? (size_t)mproc__block_size(block->object.offset) : 0;
}

void mproc_block_close(mproc_block *block)
{
    if (block != NULL) {
        mproc__object_fini(&block->object);
        mproc__free(block);
    }
}

mproc_value mproc_value_block(mproc_block *block)
{
    mproc_value value = {.type = block != NULL ? MPROC_OBJECT : MPROC_NIL};
    if (block != NULL) {
        value.as.object = &block->object;
    }
    return value;
}

int mproc__object_attach(uint64_t offset, struct mproc_object **ret_object)
{
    if (!mproc__block_is(offset, MPROC__KIND_BLOCK)) {
        return mproc__fail(MPROC_ECORRUPT, "there is no shared object at reference %#llx",
                           (unsigned long long)offset);
    }
    mproc__hold hold;
    mproc_block *block = NULL;
    int rc = mproc__family_enter();
    if (rc < 0 || (rc = mproc__block_attach(offset, &hold)) < 0 || (rc = wrap(hold, &block)) < 0) {
        return rc;
    }
    *ret_object = &block->object;
    return MPROC_OK;
}

void mproc__object_close(struct mproc_object *object)
{
    if (object != NULL) {
        MPROC__CHECK(object->kind == MPROC__KIND_BLOCK);
        mproc_block_close(MPROC__CONTAINER(object, mproc_block, object));
    }
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
