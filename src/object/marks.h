/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks.h: marks that threads leave on an object they share, each in a cache line of its own.
 *
 * Why       So many threads can say that they are there without a word that all of them change.
 * Layout    struct mproc__marks_shm lies in the object's payload, with a few marks; more come in blocks
 *           that the object's block holds, each twice as large as the one before. A thread looks for a
 *           mark at a few places of each, which follow from its id.
 * Always    M1  a mark's thread alone changes what else is in it
 * Locks     growth, for more marks; it may be taken while one is waited for
 * Commit    the compare-and-swap of the thread; the exchange with 0
 * Death     Ids are never given twice: a dead thread's mark is taken away by whoever finds it.
 */
#ifndef MPROC_OBJECT_MARKS_H
#define MPROC_OBJECT_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "family/mutex.h"
#include "family/object.h"

#define MPROC__MARKS 16u
#define MPROC__MARKS_SEGMENTS 10u /* the last one has a place for every thread there can be */

#define MPROC__MARK_SLEEPER ((uint64_t)1)

struct mproc__mark_shm {
    uint64_t thread; /**< its id; bit 0: somebody may sleep on it. 0: nobody's */
    uint64_t
        awaited; /**< what it waits for, or a former thread has waited for; the object's business */
    uint32_t depth; /**< how often it has come again */
    uint32_t reserved[11];
};

_Static_assert(sizeof(struct mproc__mark_shm) == 64, "neighbours do not share cache lines");

struct mproc__marks_shm {
    uint64_t n_segments; /**< blocks with more marks that may be used; under growth */
    struct mproc__mutex_shm growth;
    uint64_t reserved[6];
    struct mproc__mark_shm mark[MPROC__MARKS];
};

_Static_assert(sizeof(struct mproc__marks_shm) == 64 + MPROC__MARKS * 64, "marks are aligned");

/** Marks of this process's view. */
typedef struct mproc__marks {
    struct mproc__marks_shm *shm;
    uint64_t container; /**< reference of the block that they are in, which holds nothing else */
} mproc__marks;

/** The first place where a thread looks, for who has no time. */
static inline struct mproc__mark_shm *mproc__mark_home(struct mproc__marks_shm *shm,
                                                       uint64_t thread)
{
    return &shm->mark[(thread >> 1) % MPROC__MARKS];
}

/** Whether a mark is this thread's; by that thread. */
static inline bool mproc__mark_is(const struct mproc__mark_shm *mark, uint64_t thread)
{
    return (mproc__load64_relaxed(&mark->thread) & ~MPROC__MARK_SLEEPER) == thread;
}

/** The calling thread's mark, other than `but`; NULL: it has none. */
struct mproc__mark_shm *mproc__marks_find(const mproc__marks *marks, uint64_t self,
                                          const struct mproc__mark_shm *but);

/**
 * Leave a mark for the calling thread, which has entered the family.
 *
 * @return 0, MPROC_ENOMEM or MPROC_ENOSPC
 */
int mproc__marks_leave(const mproc__marks *marks, uint64_t self, struct mproc__mark_shm **ret_mark);

/** Take a mark away again, and wake who sleeps on it. */
void mproc__mark_erase(struct mproc__mark_shm *mark);

/** How many tables there are just now, and the marks of one. */
uint64_t mproc__marks_tables(const mproc__marks *marks);
struct mproc__mark_shm *mproc__marks_table(const mproc__marks *marks, uint64_t table,
                                           uint32_t *ret_count);

#endif
