/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages.c: see pages.h for the structure.
 */
#include "family/pages.h"

#include "base/check.h"
#include "base/status.h"
#include "family/layout.h"

/* The page map is committed for so many granules at a time: 128 MiB of heap, 64 KiB of map. */
#define MAP_STEP ((uint64_t)2048)

/* Free memory kept for the next one who needs it rather than given back: 32 MiB, or this part of the heap. */
#define KEEP_GRANULES ((uint64_t)512)
#define KEEP_PART ((uint64_t)4)

/* Smaller runs are always kept: they come and go all the time. */
#define LARGE_GRANULES ((uint64_t)16)

struct mproc__page_shm *mproc__page_at(uint64_t index)
{
    return index < MPROC__FIRST_PAGES
               ? (struct mproc__page_shm *)mproc__at(MPROC__PAGES_AT) + index
               : (struct mproc__page_shm *)mproc__at(MPROC__MORE_PAGES_AT) + index;
}

enum mproc__run_kind mproc__page_kind(uint64_t state)
{
    return (enum mproc__run_kind)(state & 0xff);
}

uint32_t mproc__page_order(uint64_t state)
{
    return (uint32_t)(state >> 8) & 0xff;
}

uint32_t mproc__page_class(uint64_t state)
{
    return (uint32_t)(state >> 16) & 0xff;
}

static uint64_t state_of(enum mproc__run_kind kind, uint32_t order, uint32_t class_of)
{
    return (uint64_t)kind | (uint64_t)order << 8 | (uint64_t)class_of << 16;
}

uint32_t mproc__order_for(uint64_t bytes)
{
    uint32_t order = 0;
    while (order < MPROC__ORDERS && MPROC__GRANULE << order < bytes) {
        order++;
    }
    return order;
}

uint64_t mproc__granule_offset(uint64_t index)
{
    return mproc__shm()->heap_at + (index << MPROC__GRANULE_SHIFT);
}

uint64_t mproc__granule_index(uint64_t offset)
{
    return (offset - mproc__shm()->heap_at) >> MPROC__GRANULE_SHIFT;
}

void mproc__page_link(mproc__txn *txn, uint64_t *head, uint64_t index)
{
    uint64_t next = mproc__txn_get(txn, head);
    if (next != 0) {
        uint64_t *links = &mproc__page_at(next - 1)->links;
        mproc__txn_set(txn, links, (mproc__txn_get(txn, links) & UINT32_MAX) | (index + 1) << 32);
    }
    mproc__txn_set(txn, &mproc__page_at(index)->links, next);
    mproc__txn_set(txn, head, index + 1);
}

void mproc__page_unlink(mproc__txn *txn, uint64_t *head, uint64_t index)
{
    uint64_t own = mproc__txn_get(txn, &mproc__page_at(index)->links);
    uint64_t previous = own >> 32;
    uint64_t next = own & UINT32_MAX;
    if (next != 0) {
        uint64_t *links = &mproc__page_at(next - 1)->links;
        mproc__txn_set(txn, links, (mproc__txn_get(txn, links) & UINT32_MAX) | previous << 32);
    }
    if (previous != 0) {
        uint64_t *links = &mproc__page_at(previous - 1)->links;
        mproc__txn_set(txn, links, (mproc__txn_get(txn, links) >> 32 << 32) | next);
    } else {
        mproc__txn_set(txn, head, next);
    }
    mproc__txn_set(txn, &mproc__page_at(index)->links, 0);
}

static void put_free(mproc__txn *txn, uint64_t index, uint32_t order)
{
    mproc__txn_set(txn, &mproc__page_at(index)->state, state_of(MPROC__RUN_FREE, order, 0));
    mproc__page_link(txn, &mproc__shm()->heap.free_runs[order], index);
}

/** Have memory for the entries of the first `granules` granules. */
static int commit_map(uint64_t granules)
{
    struct mproc__family_shm *shm = mproc__shm();
    uint64_t ready = shm->heap.map_ready;
    if (granules <= ready) {
        return MPROC_OK;
    }
    uint64_t end = (granules + MAP_STEP - 1) / MAP_STEP * MAP_STEP;
    uint64_t entry = sizeof(struct mproc__page_shm);
    // What is ready begins with the first entries, which are elsewhere: round down to a step.
    uint64_t from = ready / MAP_STEP * MAP_STEP;
    uint64_t page = mplat_get_facts()->page_bytes;
    uint64_t first = (MPROC__MORE_PAGES_AT + from * entry) / page * page;
    uint64_t last = (MPROC__MORE_PAGES_AT + end * entry + page - 1) / page * page;
    int rc = mplat_arena_commit(&mproc__arena, first, last - first);
    if (rc < 0) {
        return rc;
    }
    mproc__txn txn = mproc__txn_begin(&shm->journal);
    mproc__txn_set(&txn, &shm->heap.map_ready, end);
    mproc__txn_commit(&txn);
    return MPROC_OK;
}

/** Add one run at the top, of this order or smaller. */
static int extend(uint32_t order)
{
    struct mproc__heap_shm *heap = &mproc__shm()->heap;
    // A run lies at a multiple of its length: fill up with smaller ones until top is one.
    uint64_t top = heap->top;
    uint32_t step = 0;
    while (step < order && (top >> step & 1) == 0) {
        step++;
    }
    uint64_t new_top = top + ((uint64_t)1 << step);
    if (order >= MPROC__ORDERS || new_top > heap->granules) {
        return mproc__fail(MPROC_ENOSPC, "the arena's address range of %llu MiB is used up",
                           (unsigned long long)(mproc__shm()->size >> 20));
    }
    int rc = commit_map(new_top);
    if (rc < 0) {
        return rc;
    }
    mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
    mproc__txn_set(&txn, &heap->top, new_top);
    put_free(&txn, top, step);
    mproc__txn_commit(&txn);
    mproc__run_merge(top);
    return MPROC_OK;
}

/** The order of the smallest free run that holds one of `order`; MPROC__ORDERS: none. */
static uint32_t find_free(uint32_t order)
{
    while (order < MPROC__ORDERS && mproc__shm()->heap.free_runs[order] == 0) {
        order++;
    }
    return order;
}

int mproc__run_prepare(uint32_t order, uint64_t *ret_index)
{
    struct mproc__heap_shm *heap = &mproc__shm()->heap;
    uint32_t found;
    while ((found = find_free(order)) >= MPROC__ORDERS) {
        int rc = extend(order);
        if (rc < 0) {
            return rc;
        }
    }
    for (; found > order; found--) {
        uint64_t index = heap->free_runs[found] - 1;
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__page_unlink(&txn, &heap->free_runs[found], index);
        put_free(&txn, index + ((uint64_t)1 << (found - 1)), found - 1);
        put_free(&txn, index, found - 1);
        mproc__txn_commit(&txn);
    }
    *ret_index = heap->free_runs[order] - 1;
    return MPROC_OK;
}

static enum mproc__memory memory_of(uint64_t index)
{
    return (enum mproc__memory)mproc__load64_relaxed(&mproc__page_at(index)->committed);
}

uint64_t mproc__run_find_ready(uint64_t index, uint64_t end, uint64_t count)
{
    while (end > index && count > 0) {
        end--;
        count -= memory_of(end) == MPROC__MEMORY_READY ? 1 : 0;
    }
    return end;
}

uint64_t mproc__run_count_ready(uint64_t index, uint32_t order)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < (uint64_t)1 << order; i++) {
        count += memory_of(index + i) == MPROC__MEMORY_READY ? 1 : 0;
    }
    return count;
}

void mproc__run_take(mproc__txn *txn, uint64_t index, enum mproc__run_kind kind, uint32_t class_of)
{
    struct mproc__heap_shm *heap = &mproc__shm()->heap;
    uint64_t *state = &mproc__page_at(index)->state;
    uint32_t order = mproc__page_order(*state);
    MPROC__CHECK(mproc__page_kind(*state) == MPROC__RUN_FREE);
    mproc__page_unlink(txn, &heap->free_runs[order], index);
    mproc__txn_set(txn, state, state_of(kind, order, class_of));
    mproc__txn_set(txn, &heap->kept,
                   mproc__txn_get(txn, &heap->kept) - mproc__run_count_ready(index, order));
}

/** Forget that a run has memory. */
static void disown(uint64_t index, uint32_t order)
{
    for (uint64_t i = index; i < index + ((uint64_t)1 << order); i++) {
        if (memory_of(i) == MPROC__MEMORY_READY) {
            mproc__store64_release(&mproc__page_at(i)->committed, MPROC__MEMORY_UNSURE);
        }
    }
}

void mproc__run_put(mproc__txn *txn, uint64_t index)
{
    struct mproc__heap_shm *heap = &mproc__shm()->heap;
    uint32_t order = mproc__page_order(mproc__page_at(index)->state);
    uint64_t ready = mproc__run_count_ready(index, order);
    if (ready >= LARGE_GRANULES && mproc__run_surplus(ready) > 0) {
        // There is no time to give it back here, and it will be taken again before what is kept. But it must not
        // count: else the limit would be reached for good, and all memory that is freed from then on would be given
        // back, and taken anew, at each use.
        disown(index, order);
        ready = 0;
    }
    put_free(txn, index, order);
    mproc__txn_set(txn, &heap->kept, mproc__txn_get(txn, &heap->kept) + ready);
}

void mproc__run_merge(uint64_t index)
{
    struct mproc__heap_shm *heap = &mproc__shm()->heap;
    uint32_t order = mproc__page_order(mproc__page_at(index)->state);
    while (order + 1 < MPROC__ORDERS) {
        uint64_t buddy = index ^ (uint64_t)1 << order;
        if (buddy + ((uint64_t)1 << order) > heap->top ||
            mproc__page_at(buddy)->state != state_of(MPROC__RUN_FREE, order, 0)) {
            return;
        }
        uint64_t low = index < buddy ? index : buddy;
        uint64_t high = index < buddy ? buddy : index;
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__page_unlink(&txn, &heap->free_runs[order], low);
        mproc__page_unlink(&txn, &heap->free_runs[order], high);
        mproc__txn_set(&txn, &mproc__page_at(high)->state, state_of(MPROC__RUN_INSIDE, 0, 0));
        put_free(&txn, low, order + 1);
        mproc__txn_commit(&txn);
        index = low;
        order++;
    }
}

int mproc__run_commit(uint64_t index, uint64_t count, int *ret_fresh)
{
    int is_fresh = 1;
    for (uint64_t i = 0; i < count;) {
        uint64_t n = 0;
        for (; i + n < count && memory_of(index + i + n) != MPROC__MEMORY_READY; n++) {
            is_fresh &= memory_of(index + i + n) == MPROC__MEMORY_NONE;
        }
        if (n == 0) {
            is_fresh = 0;
            i++;
            continue;
        }
        int rc = mplat_arena_commit(&mproc__arena, mproc__granule_offset(index + i),
                                    n << MPROC__GRANULE_SHIFT);
        if (rc < 0) {
            return rc;
        }
        for (uint64_t j = 0; j < n; j++) {
            mproc__store64_relaxed(&mproc__page_at(index + i + j)->committed, MPROC__MEMORY_READY);
        }
        i += n;
    }
    *ret_fresh = is_fresh;
    return MPROC_OK;
}

int mproc__run_commit_free(uint64_t index, uint64_t count)
{
    uint64_t *kept = &mproc__shm()->heap.kept;
    for (uint64_t i = index; i < index + count; i++) {
        if (memory_of(i) == MPROC__MEMORY_READY) {
            continue;
        }
        int rc = mplat_arena_commit(&mproc__arena, mproc__granule_offset(i), MPROC__GRANULE);
        if (rc < 0) {
            return rc;
        }
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__txn_set(&txn, &mproc__page_at(i)->committed, MPROC__MEMORY_READY);
        mproc__txn_set(&txn, kept, *kept + 1);
        mproc__txn_commit(&txn);
    }
    return MPROC_OK;
}

static void mark(uint64_t index, uint64_t count, enum mproc__memory memory)
{
    for (uint64_t i = index; i < index + count; i++) {
        mproc__store64_release(&mproc__page_at(i)->committed, memory);
    }
}

void mproc__run_discard(uint64_t index, uint64_t count)
{
    mark(index, count, MPROC__MEMORY_UNSURE);
    MPROC__KILLPOINT("pages.unsure");
    mplat_arena_discard(&mproc__arena, mproc__granule_offset(index), count << MPROC__GRANULE_SHIFT);
    MPROC__KILLPOINT("pages.discarded");
    /* DEATH: before the marks below, the memory may be there or not, and its content is unknown. */
    mark(index, count, MPROC__MEMORY_NONE);
}

uint64_t mproc__run_surplus(uint64_t count)
{
    const struct mproc__heap_shm *heap = &mproc__shm()->heap;
    uint64_t part = mproc__load64_relaxed(&heap->top) / KEEP_PART;
    uint64_t most = part > KEEP_GRANULES ? part : KEEP_GRANULES;
    uint64_t sum = mproc__load64_relaxed(&heap->kept) + count;
    uint64_t surplus = sum > most ? sum - most : 0;
    return surplus < count ? surplus : count;
}
