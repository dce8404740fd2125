/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring_part.h: positions, segments and records, for ring_put.c and ring_get.c.
 */
#ifndef MPROC_FAMILY_RING_PART_H
#define MPROC_FAMILY_RING_PART_H

#include "family/ring.h"

/* A position, see ring.h. */
#define MPROC__RING_CLOSED ((uint64_t)1)
#define MPROC__RING_CALL ((uint64_t)2)
#define MPROC__RING_ITEM ((uint64_t)4)
#define MPROC__RING_ITEMS_MASK ((uint64_t)0xffffffc)
#define MPROC__RING_WORDS_SHIFT 28
#define MPROC__RING_WORDS_MASK (UINT64_MAX >> MPROC__RING_WORDS_SHIFT)

/* Fewer than what a position can tell. */
#define MPROC__RING_MOST_ITEMS (MPROC__RING_ITEMS_MASK / MPROC__RING_ITEM - 1)

/* A record's first word: its size, and above that its kind. */
#define MPROC__RING_KIND_SHIFT 40
#define MPROC__RING_SIZE_MASK (((uint64_t)1 << MPROC__RING_KIND_SHIFT) - 1)

/* A segment that has no successor. */
#define MPROC__RING_NO_END UINT64_MAX

struct mproc__segment_head {
    uint64_t start;       /**< its first position, in words; constant */
    uint64_t mask;        /**< its size in words, less one; constant */
    uint64_t end;         /**< where its successor begins; journal */
    uint64_t next;        /**< which is here, held by this word; journal */
    uint64_t has_parcels; /**< one has been put into it */
    uint64_t reserved[3];
};

_Static_assert(sizeof(struct mproc__segment_head) == 64, "records are aligned");

static inline uint64_t mproc__ring_words_of(uint64_t position)
{
    return position >> MPROC__RING_WORDS_SHIFT;
}

/** How far a position, in words, is behind another one. */
static inline uint64_t mproc__ring_distance(uint64_t to, uint64_t from)
{
    return (to - from) & MPROC__RING_WORDS_MASK;
}

static inline uint64_t mproc__ring_items(uint64_t tail, uint64_t head)
{
    return (((tail & MPROC__RING_ITEMS_MASK) - (head & MPROC__RING_ITEMS_MASK)) &
            MPROC__RING_ITEMS_MASK) /
           MPROC__RING_ITEM;
}

static inline uint64_t mproc__ring_advance(uint64_t position, uint64_t words, uint64_t items)
{
    uint64_t moved = (position & ~MPROC__RING_ITEMS_MASK) + (words << MPROC__RING_WORDS_SHIFT);
    return moved | ((position + items * MPROC__RING_ITEM) & MPROC__RING_ITEMS_MASK);
}

static inline bool mproc__ring_is_same(uint64_t a, uint64_t b)
{
    return ((a ^ b) & ~(MPROC__RING_CLOSED | MPROC__RING_CALL)) == 0;
}

static inline struct mproc__segment_head *mproc__ring_segment_at(uint64_t offset)
{
    return mproc__block_at(offset);
}

static inline void mproc__ring_use_segment(mproc__ring_end *end,
                                           const struct mproc__segment_head *segment)
{
    end->bytes = (unsigned char *)(uintptr_t)(segment + 1);
    end->start = segment->start;
    end->mask = segment->mask;
}

/** An end at a position; its sum and notes are the caller's. */
static inline void mproc__ring_begin(mproc__ring_end *ret_end, struct mproc__ring_shm *ring,
                                     uint64_t position, const struct mproc__segment_head *segment)
{
    // Field by field: compilers clear a struct of this size by an instruction that takes longer than the rest.
    ret_end->ring = ring;
    ret_end->position = ret_end->committed = ret_end->begun = position;
    ret_end->other = ret_end->words = ret_end->lease = 0;
    mproc__ring_use_segment(ret_end, segment);
}

/** The place of the record at the end's position, and how many words lie behind it. */
static inline uint64_t *mproc__ring_record_at(const mproc__ring_end *end, uint64_t *ret_left)
{
    uint64_t index =
        mproc__ring_distance(mproc__ring_words_of(end->position), end->start) & end->mask;
    *ret_left = end->mask + 1 - index;
    return (uint64_t *)(void *)end->bytes + index;
}

static inline uint64_t mproc__ring_words_for(uint64_t size)
{
    return 1 + (size + 7) / 8;
}

/**
 * What a thread has put, or got, since it last had to wait for the other side, and whether it then lets
 * things gather before it looks again. Two who follow each other from message to message spend their time
 * with passing cache lines to and fro; a few messages later, one look finds all of them. Tried now and then,
 * and kept up as long as it pays: who waits for single messages does not wait longer for them.
 */
struct mproc__gathering {
    uint64_t n;
    uint64_t n_without; /**< what n was when it did not pause */
    int64_t pause_ns;   /**< 0: it does not */
    uint32_t failures;  /**< trials that did not pay, one after the other */
    uint32_t skips;     /**< waits until the next trial */
};

extern MPROC__THREAD_LOCAL struct mproc__gathering mproc__gathering_puts, mproc__gathering_gets;

/** It has put or got n. Who does both waits for answers: these do not gather. */
static inline void mproc__gathering_count(struct mproc__gathering *these,
                                          struct mproc__gathering *others, uint64_t n)
{
    these->n += n;
    others->n = 0;
}

/** The sum at a place, and the place it belongs to. */
uint64_t mproc__ring_sum_at(const uint64_t *place, const struct mproc__ring_sum *sum,
                            uint64_t *ret_place);

static inline bool mproc__ring_has_pending(const struct mproc__ring_shm *ring)
{
    return ring->put.parcel != 0 && ring->put.parcel_at == mproc__ring_words_of(ring->tail);
}

/**
 * Take one of a ring's mutexes. Without a deadline it is waited for nothing but others' calls, which are
 * short. As mproc__mutex_acquire, or what mproc__family_enter returns.
 */
int mproc__ring_lock(struct mproc__mutex_shm *mutex, mproc__deadline deadline);

#endif
