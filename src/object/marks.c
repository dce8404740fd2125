/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks.c: see marks.h.
 */
#include "object/marks.h"

#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/thread.h"

#define FIRST_SEGMENT 128u
#define PLACES 8u

uint64_t mproc__marks_tables(const mproc__marks *marks)
{
    return 1 + mproc__load64(&marks->shm->n_segments);
}

struct mproc__mark_shm *mproc__marks_table(const mproc__marks *marks, uint64_t table,
                                           uint32_t *ret_count)
{
    *ret_count = table == 0 ? MPROC__MARKS : FIRST_SEGMENT << (table - 1);
    return table == 0 ? marks->shm->mark
                      : mproc__block_at(mproc__block_part(marks->container, (uint32_t)(table - 1)));
}

/** A thread's i-th place of a table; the first is its slot's number, so slots rarely meet. */
static struct mproc__mark_shm *place_of(struct mproc__mark_shm *table, uint32_t count,
                                        uint64_t thread, uint32_t i)
{
    return &table[((thread >> 1) + i) % count];
}

struct mproc__mark_shm *mproc__marks_find(const mproc__marks *marks, uint64_t self,
                                          const struct mproc__mark_shm *but)
{
    uint64_t n = mproc__marks_tables(marks);
    for (uint64_t number = 0; number < n; number++) {
        uint32_t count;
        struct mproc__mark_shm *table = mproc__marks_table(marks, number, &count);
        for (uint32_t i = 0; i < PLACES; i++) {
            struct mproc__mark_shm *mark = place_of(table, count, self, i);
            if (mark != but && mproc__mark_is(mark, self)) {
                return mark;
            }
        }
    }
    return NULL;
}

/** Make a free mark, or a dead thread's, the calling thread's. */
static bool take(struct mproc__mark_shm *mark, uint64_t self, bool dead_too)
{
    uint64_t seen = mproc__load64_acquire(&mark->thread);
    bool is_to_be_had = seen == 0 || (dead_too && mproc__thread_is_dead(seen));
    if (!is_to_be_had || !mproc__cas64(&mark->thread, &seen, self)) {
        return false;
    }
    if (seen & MPROC__MARK_SLEEPER) {
        (void)mplat_wake(mproc__low32(&mark->thread), INT32_MAX);
    }
    return true;
}

static struct mproc__mark_shm *take_any(const mproc__marks *marks, uint64_t self, bool dead_too)
{
    uint64_t n = mproc__marks_tables(marks);
    for (uint64_t number = 0; number < n; number++) {
        uint32_t count;
        struct mproc__mark_shm *table = mproc__marks_table(marks, number, &count);
        for (uint32_t i = 0; i < PLACES; i++) {
            struct mproc__mark_shm *mark = place_of(table, count, self, i);
            if (take(mark, self, dead_too)) {
                return mark;
            }
        }
    }
    return NULL;
}

/** The block of a segment: it is there when the container holds it. */
static int add_block(const mproc__marks *marks, uint32_t segment)
{
    mproc__hold hold;
    uint64_t size = (uint64_t)(FIRST_SEGMENT << segment) * sizeof(struct mproc__mark_shm);
    int rc = mproc__block_create(MPROC__KIND_ROOM, size, 0, true, &hold);
    if (rc >= 0) {
        rc = mproc__block_embed(marks->container, hold.offset);
        mproc__block_release(hold);
    }
    return rc;
}

/** One more segment than have been seen, unless somebody else was quicker. */
static int grow(const mproc__marks *marks, uint64_t seen)
{
    struct mproc__marks_shm *shm = marks->shm;
    int rc = MPROC_OK;
    (void)mproc__mutex_acquire(&shm->growth, mproc__thread_self(), MPROC__NEVER, NULL);
    if (mproc__load64(&shm->n_segments) == seen) {
        // DEATH: of one who grew them may have left the block, but not the number.
        bool has_block = mproc__block_part(marks->container, (uint32_t)seen) != 0;
        rc = has_block ? MPROC_OK
             : seen == MPROC__MARKS_SEGMENTS
                 ? mproc__fail(MPROC_ENOSPC, "too many threads share one object")
                 : add_block(marks, (uint32_t)seen);
        MPROC__KILLPOINT("marks.grown");
        if (rc >= 0) {
            (void)mproc__exchange64(&shm->n_segments, seen + 1); /* COMMIT */
        }
    }
    (void)mproc__mutex_release(&shm->growth);
    return rc;
}

int mproc__marks_leave(const mproc__marks *marks, uint64_t self, struct mproc__mark_shm **ret_mark)
{
    for (;;) {
        uint64_t seen = mproc__load64(&marks->shm->n_segments);
        struct mproc__mark_shm *mark = take_any(marks, self, false);
        mark = mark != NULL ? mark : take_any(marks, self, true);
        if (mark != NULL) {
            mproc__store32_relaxed(&mark->depth, 0); // a dead thread leaves it as it was
            *ret_mark = mark;
            return MPROC_OK;
        }
        int rc = grow(marks, seen);
        if (rc < 0) {
            return rc;
        }
    }
}

void mproc__mark_erase(struct mproc__mark_shm *mark)
{
    uint64_t old = mproc__exchange64(&mark->thread, 0); /* COMMIT: it is gone */
    MPROC__KILLPOINT("marks.erased");                   /* DEATH: who sleeps looks again */
    if (old & MPROC__MARK_SLEEPER) {
        (void)mplat_wake(mproc__low32(&mark->thread), INT32_MAX);
    }
}
