/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.h: the arena's fixed part, and how offsets become addresses.
 *
 * Layout    offset 0          struct mproc__family_shm
 *           MEMBERS_AT        the first member slots; the others at MORE_MEMBERS_AT (member.c)
 *           PAGES_AT          the page map's first entries; the others at MORE_PAGES_AT (pages.c)
 *           THREADS_AT        thread slots (thread.c)
 *           heap_at           the heap itself, in granules of 64 KiB
 *           What every process touches in its first moments lies in the first 64 KiB: a new process
 *           then meets one page fault, for which the system maps all of it, in place of a dozen.
 * Always    Everything is addressed by its offset from the arena's base, for members map it at
 *           different addresses. Offset 0 is the header's own, so as a reference it means "none".
 * Locks     family_shm.lock guards the page map, the heap, all blocks' headers, the members and
 *           their ledgers, and family_shm.journal, by which their changes become atomic. Thread
 *           slots need no lock: the life token of each is one.
 */
#ifndef MPROC_FAMILY_LAYOUT_H
#define MPROC_FAMILY_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "family/journal.h"
#include "family/mutex.h"
#include "platform.h"

#define MPROC__MAGIC 0x31636f72706d0001u /* "mproc1" and the layout's version */

#define MPROC__MAX_THREADS 65535u
#define MPROC__MAX_MEMBERS 16383u

#define MPROC__WATCHES 3u

#define MPROC__FIRST_MEMBERS 64u
#define MPROC__FIRST_PAGES 128u
#define MPROC__FIRST_BYTES 0x10000u

#define MPROC__MEMBERS_AT 0x1000u
#define MPROC__PAGES_AT 0x9000u
#define MPROC__THREADS_AT 0xa000u
#define MPROC__MORE_MEMBERS_AT 0x80a000u
#define MPROC__MORE_PAGES_AT 0x100a000u

#define MPROC__GRANULE_SHIFT 16
#define MPROC__GRANULE ((uint64_t)1 << MPROC__GRANULE_SHIFT)

#define MPROC__ORDERS 40
#define MPROC__CLASSES 31

/** The heap's words; all guarded by the family lock, written through the journal. */
struct mproc__heap_shm {
    uint64_t granules;                 /**< how many there can be; constant */
    uint64_t top;                      /**< granules handed out so far, free or not */
    uint64_t map_ready;                /**< granules whose entries in the page map are committed */
    uint64_t free_runs[MPROC__ORDERS]; /**< first free run of 2^order granules: index + 1 */
    uint64_t partial[MPROC__CLASSES];  /**< first span of a class with a free block: index + 1 */
    uint64_t kept;                     /**< committed granules in free runs */
    uint64_t graveyard; /**< first block that nobody holds and is yet to be freed: offset */
    uint64_t live_blocks;
    uint64_t live_bytes;
};

struct mproc__family_shm {
    uint64_t magic;
    uint64_t size;    /**< of the arena; constant */
    uint64_t heap_at; /**< constant */
    uint64_t root;    /**< id of the member that founded the family; constant */

    MPROC__ALIGNAS(64) struct mproc__mutex_shm lock;
    MPROC__ALIGNAS(64) uint32_t n_threads; /**< formatted thread slots; grows by thread.c only */
    uint32_t thread_hint;                  /**< where a free one may be; a guess */
    mplat_life thread_growth;              /**< held by who formats the next batch */
    uint64_t looked_at; /**< when somebody who does not sleep last looked for the dead */
    MPROC__ALIGNAS(64) uint64_t alarms; /**< grows with each thread found dead */
    uint64_t looks;                     /**< grows with each look of a watch for the dead */
    mplat_life watch[MPROC__WATCHES];   /**< held by who watch over the sleepers, see watch.h */

    MPROC__ALIGNAS(64) uint64_t n_members; /**< formatted member slots; journal */
    uint64_t free_member;                  /**< first free member slot: index + 1; journal */
    uint64_t used_members;                 /**< journal */
    uint32_t orphanings; /**< grows with each orphan that may be about; 0: a sweep has found none */
    uint32_t vigilance;  /**< looks to come at which it is asked which processes are gone */
    uint64_t reserved[4];

    MPROC__ALIGNAS(64) struct mproc__heap_shm heap;
    MPROC__ALIGNAS(64) struct mproc__journal_shm journal;
};

_Static_assert(sizeof(struct mproc__family_shm) <= MPROC__MEMBERS_AT, "the header overlaps");
_Static_assert(sizeof(struct mproc__mutex_shm) == 8, "a lock is one word");

/** The arena as this process has it; set once by family.c, before anything else is called. */
extern mplat_arena mproc__arena;

static inline struct mproc__family_shm *mproc__shm(void)
{
    return (struct mproc__family_shm *)(void *)mproc__arena.base;
}

static inline void *mproc__at(uint64_t offset)
{
    return mproc__arena.base + offset;
}

static inline uint64_t mproc__offset_of(const void *address)
{
    return (uint64_t)((const char *)address - mproc__arena.base);
}

#endif
