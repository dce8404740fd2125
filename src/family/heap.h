/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h: memory for blocks of any size.
 *
 * Why       Shared objects are small and many, payloads large and few.
 * Layout    Up to 32 KiB a block comes from a span, a granule cut into blocks of one size class
 *           (128, 192 ... 512, then four classes a doubling); above, it is a run of its own.
 *           Every block begins with struct mproc__block_shm and is aligned to 64.
 * Always    H1  a span's used blocks + free list + never used ones are all its blocks
 *           H2  a span is in its class's partial list iff it has a free block
 * Locks     the family lock
 * Commit    the transaction that takes a block is the one that makes it somebody's (block.c), so no
 *           block is ever lost between the heap and its holder
 */
#ifndef MPROC_FAMILY_HEAP_H
#define MPROC_FAMILY_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "family/journal.h"

/** The head of every block; guarded by the family lock, but where noted. */
struct mproc__block_shm {
    uint64_t state; /**< holders, kind << 32, magic << 48; readable without the lock by holders */
    uint64_t size;  /**< bytes asked for, after this head; constant while the block lives */
    uint64_t next;  /**< free: the next free block of the span, index + 1. Dying: offset */
    uint64_t references; /**< how many of the block's own references, which follow, are in use */
    uint64_t payload;    /**< what follows these: offset in the arena; constant while it lives */
    uint64_t bytes;      /**< all of it, head included; constant while it lives */
    uint64_t losses;     /**< how many of its holders were killed, so far; under the lock */
    uint64_t lost_pid; /**< the process of the last of these; likewise. No losses: means nothing */
};

_Static_assert(sizeof(struct mproc__block_shm) == 64, "payloads are aligned to cache lines");

/**
 * Make room for a block: afterwards mproc__heap_take succeeds, unless the lock was released.
 *
 * @param bytes     with the head
 * @param is_whole  have memory for all of it; else a large block has only its first granule's, and
 *                  who takes it calls mproc__heap_fill
 * @return 0, MPROC_ENOSPC or MPROC_ENOMEM
 */
int mproc__heap_reserve(uint64_t bytes, bool is_whole);

/** Take a block of the size reserved for. */
uint64_t mproc__heap_take(mproc__txn *txn, uint64_t bytes);

/** Give a block back together with what the transaction has collected so far; commits it. */
void mproc__heap_put(mproc__txn *txn, uint64_t offset);

/**
 * Have memory for all of a large block; by its only holder, without the lock.
 *
 * @param ret_zeroed  whether all after the head is zero
 */
int mproc__heap_fill(uint64_t offset, uint64_t bytes, bool *ret_zeroed);

/** Whether mproc__heap_trim has something to do; a hint. The block may be gone. */
bool mproc__heap_can_trim(uint64_t offset);

/** Give of a large block's payload what is not to be kept back to the system; by its only holder. */
void mproc__heap_trim(uint64_t offset);

/** Whether a block can begin at this offset, as far as the heap can tell. */
bool mproc__heap_has_block(uint64_t offset);

#endif
