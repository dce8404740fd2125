/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.c: see heap.h for the structure.
 */
#include "family/heap.h"

#include "base/check.h"
#include "base/status.h"
#include "family/layout.h"
#include "family/pages.h"

#include <string.h>

#define SMALL_MAX ((uint64_t)32 << 10)

/* page_shm.span: first free block (index + 1), blocks in use, blocks used ever. */
typedef struct span {
    uint32_t free, used, fresh;
} span;

static uint64_t pack(span s)
{
    return (uint64_t)s.free | (uint64_t)s.used << 16 | (uint64_t)s.fresh << 32;
}

static span unpack(uint64_t word)
{
    return (span){
        .free = (uint32_t)(word & 0xffff),
        .used = (uint32_t)(word >> 16 & 0xffff),
        .fresh = (uint32_t)(word >> 32 & 0xffff),
    };
}

static uint64_t class_bytes(uint32_t class_of)
{
    if (class_of < 7) {
        return 128 + (uint64_t)64 * class_of;
    }
    uint32_t doubling = (class_of - 7) / 4;
    return ((uint64_t)512 << doubling) + ((class_of - 7) % 4 + 1) * ((uint64_t)128 << doubling);
}

static uint32_t class_for(uint64_t bytes)
{
    uint32_t class_of = 0;
    while (class_bytes(class_of) < bytes) {
        class_of++;
    }
    return class_of;
}

static uint32_t blocks_in_span(uint32_t class_of)
{
    return (uint32_t)(MPROC__GRANULE / class_bytes(class_of));
}

static uint64_t block_offset(uint64_t index, uint32_t class_of, uint32_t block)
{
    return mproc__granule_offset(index) + block * class_bytes(class_of);
}

static int reserve_span(uint32_t class_of)
{
    struct mproc__heap_shm *heap = &mproc__shm()->heap;
    if (heap->partial[class_of] != 0) {
        return MPROC_OK;
    }
    uint64_t index;
    int rc = mproc__run_prepare(0, &index);
    if (rc < 0 || (rc = mproc__run_commit_free(index, 1)) < 0) {
        return rc;
    }
    mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
    mproc__run_take(&txn, index, MPROC__RUN_SPAN, class_of);
    mproc__txn_set(&txn, &mproc__page_at(index)->span, 0);
    mproc__page_link(&txn, &heap->partial[class_of], index);
    mproc__txn_commit(&txn);
    return MPROC_OK;
}

int mproc__heap_reserve(uint64_t bytes, bool is_whole)
{
    if (bytes <= SMALL_MAX) {
        return reserve_span(class_for(bytes));
    }
    uint64_t index;
    int rc = mproc__run_prepare(mproc__order_for(bytes), &index);
    uint64_t granules = is_whole ? (bytes + MPROC__GRANULE - 1) >> MPROC__GRANULE_SHIFT : 1;
    return rc < 0 ? rc : mproc__run_commit_free(index, granules);
}

static uint64_t take_small(mproc__txn *txn, uint32_t class_of)
{
    struct mproc__heap_shm *heap = &mproc__shm()->heap;
    uint64_t index = heap->partial[class_of] - 1;
    struct mproc__page_shm *page = mproc__page_at(index);
    span s = unpack(mproc__txn_get(txn, &page->span));
    uint32_t block;
    if (s.free != 0) {
        block = s.free - 1;
        struct mproc__block_shm *head = mproc__at(block_offset(index, class_of, block));
        s.free = (uint32_t)head->next;
    } else {
        block = s.fresh++;
    }
    s.used++;
    mproc__txn_set(txn, &page->span, pack(s));
    if (s.free == 0 && s.fresh == blocks_in_span(class_of)) {
        mproc__page_unlink(txn, &heap->partial[class_of], index);
    }
    return block_offset(index, class_of, block);
}

static void count(mproc__txn *txn, bool is_more, uint64_t bytes)
{
    struct mproc__heap_shm *heap = &mproc__shm()->heap;
    uint64_t blocks = mproc__txn_get(txn, &heap->live_blocks);
    uint64_t sum = mproc__txn_get(txn, &heap->live_bytes);
    mproc__txn_set(txn, &heap->live_blocks, is_more ? blocks + 1 : blocks - 1);
    mproc__txn_set(txn, &heap->live_bytes, is_more ? sum + bytes : sum - bytes);
}

uint64_t mproc__heap_take(mproc__txn *txn, uint64_t bytes)
{
    if (bytes <= SMALL_MAX) {
        uint32_t class_of = class_for(bytes);
        count(txn, true, class_bytes(class_of));
        return take_small(txn, class_of);
    }
    uint32_t order = mproc__order_for(bytes);
    uint64_t index = mproc__shm()->heap.free_runs[order] - 1;
    mproc__run_take(txn, index, MPROC__RUN_LARGE, 0);
    count(txn, true, bytes);
    return mproc__granule_offset(index);
}

static void put_small(mproc__txn *txn, uint64_t offset, uint64_t index, uint32_t class_of)
{
    struct mproc__heap_shm *heap = &mproc__shm()->heap;
    struct mproc__page_shm *page = mproc__page_at(index);
    struct mproc__block_shm *head = mproc__at(offset);
    span s = unpack(page->span);
    bool was_full = s.free == 0 && s.fresh == blocks_in_span(class_of);
    mproc__txn_set(txn, &head->state, 0);
    mproc__txn_set(txn, &head->next, s.free);
    s.free = (uint32_t)((offset - mproc__granule_offset(index)) / class_bytes(class_of)) + 1;
    s.used--;
    mproc__txn_set(txn, &page->span, pack(s));
    if (was_full) {
        mproc__page_link(txn, &heap->partial[class_of], index);
    }
    count(txn, false, class_bytes(class_of));
    // An empty span goes back, but for the last one of its class: the next block may come soon.
    bool is_spare = s.used == 0 && (mproc__txn_get(txn, &page->links) != 0);
    if (is_spare) {
        mproc__page_unlink(txn, &heap->partial[class_of], index);
        mproc__run_put(txn, index);
    }
    mproc__txn_commit(txn);
    if (is_spare) {
        mproc__run_merge(index);
    }
}

void mproc__heap_put(mproc__txn *txn, uint64_t offset)
{
    uint64_t index = mproc__granule_index(offset);
    uint64_t state = mproc__page_at(index)->state;
    if (mproc__page_kind(state) == MPROC__RUN_SPAN) {
        put_small(txn, offset, index, mproc__page_class(state));
        return;
    }
    struct mproc__block_shm *head = mproc__at(offset);
    MPROC__CHECK(mproc__page_kind(state) == MPROC__RUN_LARGE);
    mproc__txn_set(txn, &head->state, 0);
    count(txn, false, head->bytes);
    mproc__run_put(txn, index);
    mproc__txn_commit(txn);
    mproc__run_merge(index);
}

int mproc__heap_fill(uint64_t offset, uint64_t bytes, bool *ret_zeroed)
{
    *ret_zeroed = false;
    if (bytes <= SMALL_MAX) {
        return MPROC_OK;
    }
    // The first granule has been committed when the block was reserved, maybe long before.
    uint64_t granules = (bytes + MPROC__GRANULE - 1) >> MPROC__GRANULE_SHIFT;
    uint64_t index = mproc__granule_index(offset);
    int is_fresh = 1;
    int rc = mproc__run_commit(index + 1, granules - 1, &is_fresh);
    if (rc >= 0 && is_fresh) {
        // Only the first granule can hold something old: clear that, and all of it is zero.
        char *data = (char *)mproc__at(offset) + sizeof(struct mproc__block_shm);
        uint64_t first = bytes < MPROC__GRANULE ? bytes : MPROC__GRANULE;
        memset(data, 0, first - sizeof(struct mproc__block_shm));
        *ret_zeroed = true;
    }
    return rc;
}

/** The granules that a large block is to do without when it is about to be freed, its last ones; their number. */
static uint64_t trimmable(uint64_t offset, uint64_t *ret_first)
{
    uint64_t index = mproc__granule_index(offset);
    uint64_t state = mproc__load64_relaxed(&mproc__page_at(index)->state);
    if (mproc__page_kind(state) != MPROC__RUN_LARGE) {
        return 0;
    }
    // Head and references stay: they are read until the block is free.
    const struct mproc__block_shm *head = mproc__at(offset);
    uint64_t payload = mproc__load64_relaxed(&head->payload);
    uint32_t order = mproc__page_order(state);
    uint64_t end = index + ((uint64_t)1 << order);
    uint64_t surplus = mproc__run_surplus(mproc__run_count_ready(index, order));
    *ret_first = mproc__run_find_ready(mproc__granule_index(payload) + 1, end, surplus);
    return *ret_first < end ? end - *ret_first : 0;
}

bool mproc__heap_can_trim(uint64_t offset)
{
    uint64_t first;
    return trimmable(offset, &first) != 0;
}

void mproc__heap_trim(uint64_t offset)
{
    uint64_t first;
    uint64_t count = trimmable(offset, &first);
    if (count != 0) {
        mproc__run_discard(first, count);
    }
}

bool mproc__heap_has_block(uint64_t offset)
{
    struct mproc__family_shm *shm = mproc__shm();
    if (offset < shm->heap_at || offset % 64 != 0 || offset >= shm->size) {
        return false;
    }
    uint64_t index = mproc__granule_index(offset);
    if (index >= mproc__load64_acquire(&shm->heap.top)) {
        return false;
    }
    uint64_t state = mproc__load64_acquire(&mproc__page_at(index)->state);
    uint64_t inside = offset - mproc__granule_offset(index);
    if (mproc__page_kind(state) == MPROC__RUN_SPAN) {
        // One that was never used holds whatever its granule held before.
        uint64_t bytes = class_bytes(mproc__page_class(state));
        span s = unpack(mproc__load64_acquire(&mproc__page_at(index)->span));
        return inside % bytes == 0 && inside / bytes < s.fresh;
    }
    return mproc__page_kind(state) == MPROC__RUN_LARGE && inside == 0;
}
