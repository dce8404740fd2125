/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/arena.h: memory that every process of the family sees.
 *
 * A block is a piece of the family's arena. It is shared, not copied: a child that gets it as an
 * argument works on the same bytes, whatever the start method, and a block of any size travels as a
 * reference of a few bytes. It lives until its last holder has closed it or died.
 *
 *     mproc_block *image;
 *     mproc_block_create(&image, 64 << 20);
 *     fill(mproc_block_data(image), mproc_block_size(image));
 *     mproc_process_start(&child, work, MPROC_ARGS(image), NULL);
 */
#ifndef MPROC_ARENA_H
#define MPROC_ARENA_H

#include <stddef.h>

#include "mproc/export.h"

MPROC_BEGIN_DECLS

/** A block of shared memory: this process's hold on it. */
typedef struct mproc_block mproc_block;

/**
 * Create a block of zeroed memory in the family's arena.
 *
 * Python: multiprocessing.heap.BufferWrapper(size); like shared_memory.SharedMemory(create=True),
 * but without a name, so nothing can be left behind.
 *
 * @param ret_block   the new block; the caller holds one reference
 * @param size_bytes  at least 1; what it takes is reserved at once: a success means that every byte
 *                    can be written
 * @return 0, MPROC_EINVAL (size 0), MPROC_ENOMEM (the system gives no more memory) or MPROC_ENOSPC
 *         (the arena's address range is used up)
 * @owner  the caller, until mproc_block_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind; a dead holder's reference is
 *         given back by the family
 */
MPROC_API MPROC_NODISCARD int mproc_block_create(mproc_block **ret_block, size_t size_bytes);

/**
 * Take one more hold on a block, e.g. on one that belongs to the arguments of the running function
 * and must outlive them.
 *
 * @param ret_block  a handle of its own; close it with mproc_block_close
 * @param block      an open block
 * @return 0, MPROC_EINVAL or MPROC_ENOMEM
 * @safety any thread
 */
MPROC_API MPROC_NODISCARD int mproc_block_attach(mproc_block **ret_block, const mproc_block *block);

/**
 * The bytes of a block, aligned to 64.
 *
 * @return valid in this process until the block is closed. Other processes see the same bytes at
 *         other addresses: store offsets in it, never pointers. NULL for NULL.
 * @safety any thread; ordering accesses is the callers' business
 */
MPROC_API void *mproc_block_data(const mproc_block *block);

/** The size that was asked for, in bytes; 0 for NULL. */
MPROC_API size_t mproc_block_size(const mproc_block *block);

/**
 * Give up this hold. The memory is freed when the last holder of the family has done so; large
 * blocks go back to the system at once.
 *
 * @param block  NULL is fine. Not one that was unpacked from arguments: those keep it, see
 *               mproc_block_attach
 */
MPROC_API void mproc_block_close(mproc_block *block);

/** What the family's arena holds just now, for tests and monitoring. */
typedef struct mproc_arena_stats {
    size_t reserved_bytes;  /**< address range; costs nothing by itself */
    size_t committed_bytes; /**< memory taken from the system */
    size_t live_blocks;     /**< blocks that somebody holds, the library's own among them */
    size_t live_bytes;      /**< their sizes, rounded to what they occupy */
    size_t members;         /**< processes in the family, those starting and not yet joined too */
} mproc_arena_stats;

/**
 * Read the arena's figures.
 *
 * @return 0 or a negative status
 * @safety any thread of any member process
 */
MPROC_API int mproc_arena_get_stats(mproc_arena_stats *ret_stats);

MPROC_END_DECLS

#endif
