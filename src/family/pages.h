/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages.h: the heap's address range, in runs of granules.
 *
 * Why       Blocks need contiguous memory of any size, given back to the system when large.
 * Layout    The heap is cut into granules of 64 KiB; the page map has one entry for each. A run is
 *           2^order granules at a multiple of its length (a buddy system): what a request does not
 *           need of it costs addresses, not memory, for memory is taken granule by granule.
 * Always    P1  granules [0, top) are covered by runs without gap or overlap; the entry of a run's
 *               first granule tells its kind and order, its other entries are "inside"
 *           P2  a free run is in the list of its order, exactly once, and nothing else is
 *           P3  committed is MPROC__MEMORY_READY only where the system has given the memory, and
 *               MPROC__MEMORY_NONE only where what it gives is zero
 *           P4  heap_shm.kept is the number of granules in free runs that are ready
 * Locks     the family lock; but `committed` belongs to the run's holder while it is not free
 * Commit    each split, merge, growth, take and put is one transaction; a kill between two of them
 *           leaves a heap that is whole, only cut differently
 */
#ifndef MPROC_FAMILY_PAGES_H
#define MPROC_FAMILY_PAGES_H

#include <stdint.h>

#include "family/journal.h"

enum mproc__run_kind {
    MPROC__RUN_INSIDE = 0,
    MPROC__RUN_FREE = 1,
    MPROC__RUN_SPAN = 2, /**< one granule, cut into blocks of one size class */
    MPROC__RUN_LARGE = 3 /**< one block */
};

/** page_shm.committed */
enum mproc__memory {
    MPROC__MEMORY_NONE = 0,
    MPROC__MEMORY_READY = 1,
    /** Perhaps there, and then not zero: who gave it back was killed at it, or nobody has given it back. */
    MPROC__MEMORY_UNSURE = 2
};

struct mproc__page_shm {
    uint64_t state;     /**< kind, order << 8, size class << 16 */
    uint64_t links;     /**< previous << 32 | next in the list it is in, index + 1; 0: none */
    uint64_t span;      /**< heap.c's, for MPROC__RUN_SPAN */
    uint64_t committed; /**< enum mproc__memory: whether this granule has memory */
};

/** The entry of a granule. */
struct mproc__page_shm *mproc__page_at(uint64_t index);

/** The parts of page_shm.state. */
enum mproc__run_kind mproc__page_kind(uint64_t state);
uint32_t mproc__page_order(uint64_t state);
uint32_t mproc__page_class(uint64_t state);

/** The order of the smallest run that holds `bytes`. */
uint32_t mproc__order_for(uint64_t bytes);

/** Offset of a granule's first byte, and the granule an offset of the heap lies in. */
uint64_t mproc__granule_offset(uint64_t index);
uint64_t mproc__granule_index(uint64_t offset);

/**
 * Bring a free run of this order about, by splitting or by growth. The caller holds the lock, and no
 * transaction is under way.
 *
 * @param ret_index  its first granule; still free
 * @return 0, MPROC_ENOSPC or MPROC_ENOMEM (no memory for the page map)
 */
int mproc__run_prepare(uint32_t order, uint64_t *ret_index);

/** Make a free run a span or a large block. */
void mproc__run_take(mproc__txn *txn, uint64_t index, enum mproc__run_kind kind, uint32_t class_of);

/** Make a run free; commit, then call mproc__run_merge. */
void mproc__run_put(mproc__txn *txn, uint64_t index);

/** Join a free run with its free neighbours, as far as it goes. */
void mproc__run_merge(uint64_t index);

/**
 * Have memory for granules [index, index + count). By the run's holder.
 *
 * @param ret_fresh  whether all of it was just taken from the system, hence is zero
 */
int mproc__run_commit(uint64_t index, uint64_t count, int *ret_fresh);

/** Have memory for the first `count` granules of a free run; as mproc__run_prepare. */
int mproc__run_commit_free(uint64_t index, uint64_t count);

/** Give the memory of granules back. By the run's holder. */
void mproc__run_discard(uint64_t index, uint64_t count);

/** How many granules of a run have memory. */
uint64_t mproc__run_count_ready(uint64_t index, uint32_t order);

/** Where the last `count` granules of [index, end) that have memory begin; index: there are no more. */
uint64_t mproc__run_find_ready(uint64_t index, uint64_t end, uint64_t count);

/** How many of `count` more granules would be more free memory lying about than is good. */
uint64_t mproc__run_surplus(uint64_t count);

/** List handling for spans: put a page at the head of a list, or take it out. */
void mproc__page_link(mproc__txn *txn, uint64_t *head, uint64_t index);
void mproc__page_unlink(mproc__txn *txn, uint64_t *head, uint64_t index);

#endif
