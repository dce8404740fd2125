/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h: messages of any size from many producers to many consumers, in the order of their commits.
 *
 * Why       Queues and pipes are made of them.
 * Layout    struct mproc__ring_shm lies in an object's payload. The messages lie in a segment, a block
 *           of its own: records, each of one word (kind and size) and its bytes, in a ring. If a ring
 *           may grow, a full segment gets a successor, and goes when it has been read to its end.
 *           What is large, or contains objects, is a parcel: a block of its own, named by its record.
 * Position  Producers' and consumers' places are one word each: bit 0 says that the ring is closed, bit 1
 *           changes when getters are to look again, bits 2 to 27 count messages, the rest counts words of
 *           8 bytes; all of it wraps around.
 *           So how many messages are under way is always exact.
 * Bytes     How many bytes they have, all that were ever put or got, stands beside each place, and what it
 *           will be there before the place moves, see struct mproc__ring_sum. Only if that is limited.
 * Always    R1  records between head and tail are complete; those are the ring's messages
 *           R2  a segment holds the positions [start, end); its successor, if any, starts at its end
 *           R3  a parcel is held by the ring if its record is between head and tail, or by put.parcel if
 *               put.parcel_at is the tail: then its producer has died or is about to commit it; and
 *               it is no longer if get.taken_at is the head's position + 1. So is any message that was
 *               taken on lease
 * Locks     put.mutex: tail, and the bytes beyond it; get.mutex: head. Never both at once.
 * Commit    of a message: the store of the tail; of its receipt: the store of the head, or, for a
 *           parcel, the transaction that drops it
 * Death     Before its commit a message is nothing, and its place is written over; after it, it is
 *           there. Who takes a mutex from a dead owner drops the parcel that was not committed, or
 *           skips the record whose parcel is gone.
 * Leases    A message that was taken on lease (lease.h) and has come back is in a list, before all others.
 * Waking    one sleeper for each message, see bell.h
 */
#ifndef MPROC_FAMILY_RING_H
#define MPROC_FAMILY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/deadline.h"
#include "family/bell.h"
#include "family/block.h"
#include "family/mutex.h"

/** What a record is. */
enum mproc__record {
    MPROC__RECORD_PAD = 0, /**< nothing: the rest of the segment is skipped */
    MPROC__RECORD_BYTES,   /**< bytes as they are */
    MPROC__RECORD_VALUE,   /**< an encoded value */
    MPROC__RECORD_PARCEL   /**< struct mproc__parcel; behind it nothing */
};

/** Larger messages are parcels: one copy more would cost more than a block does. */
#define MPROC__RING_LARGEST_RECORD ((uint64_t)8192)

/** The smallest segment: one in which there is room for any record, wherever the last one ended. */
#define MPROC__RING_SMALLEST (4 * MPROC__RING_LARGEST_RECORD)

/** A message that lies elsewhere. */
struct mproc__parcel {
    uint64_t offset; /**< of the block; the record is one of the holds on it */
    uint32_t kind;   /**< what is in it: MPROC__RECORD_BYTES or _VALUE */
    uint32_t reserved;
};

/** The sum of the sizes of all messages up to a place. Whoever dies, one of the two is right. */
struct mproc__ring_sum {
    uint64_t now;
    uint64_t next;    /**< what it is when the place is at ... */
    uint64_t next_at; /**< in words; or MPROC__RING_NOWHERE */
};

#define MPROC__RING_NOWHERE UINT64_MAX

/* What one side writes all the time shares a cache line with nothing that the other one needs. */
struct mproc__ring_shm {
    uint64_t max_items; /**< constant */
    uint64_t max_bytes; /**< constant, by who makes the ring; 0: no limit, and no sums are kept */
    uint32_t may_grow;  /**< constant */
    struct mproc__bell_shm getters; /**< for those who sleep on the tail */
    struct mproc__bell_shm putters; /**< ... on the head */
    uint64_t reserved;

    struct {
        struct mproc__mutex_shm mutex;
        uint64_t head_seen; /**< the head, some time ago */
        uint64_t segment;   /**< offset of the last one */
        uint64_t parcel;    /**< see R3 */
        uint64_t parcel_at;
        uint64_t reserved[3];
    } put;
    uint64_t tail;
    struct mproc__ring_sum put_sum;
    uint64_t got_seen;       /**< the sum at the head, when head_seen was looked at */
    uint64_t behind_tail[3]; /**< reserved */

    struct {
        struct mproc__mutex_shm mutex;
        uint64_t tail_seen; /**< the tail, some time ago */
        uint64_t segment;   /**< offset of the first one, which this word holds */
        uint64_t taken_at;  /**< see R3 */
        uint64_t taken_words;
        uint64_t returned;   /**< first message that has come back, see lease.h; journal */
        uint64_t n_returned; /**< how many have; journal */
        uint64_t reserved;
    } get;
    uint64_t head;
    struct mproc__ring_sum got_sum;
    uint64_t behind_head[4]; /**< reserved */
};

_Static_assert(sizeof(struct mproc__ring_shm) == 320, "five cache lines");

/** One end of a ring while its mutex is held. */
typedef struct mproc__ring_end {
    struct mproc__ring_shm *ring;
    uint64_t position;    /**< tail or head, as it will be */
    uint64_t committed;   /**< the same, as it is */
    uint64_t begun;       /**< the same, as it was */
    uint64_t other;       /**< the other end's, as it was when there was nothing, or no room */
    unsigned char *bytes; /**< of the segment */
    uint64_t start;       /**< the segment's first position */
    uint64_t mask;        /**< its size in words, less one */
    uint64_t words;       /**< of the record that is looked at */
    uint64_t sum;         /**< at `position` */
    uint64_t lease;       /**< the message that is looked at has come back; 0: it is in the ring */
    uint32_t notes;       /**< of the bell that is rung at the end, see bell.h */
} mproc__ring_end;

/** A message that is looked at. */
typedef struct mproc__ring_item {
    const void *data;
    uint64_t size;
    enum mproc__record kind; /**< never PAD or PARCEL: data and size are the parcel's contents */
    uint64_t parcel;         /**< offset of its block; 0: it is none */
} mproc__ring_item;

/**
 * Give a zeroed ring its first segment.
 *
 * @param size       bytes of it; a power of two, from MPROC__RING_SMALLEST on
 * @param max_items  how many messages it takes; 0: as there is room
 * @param may_grow   whether there is more room when the segment is full
 * @return 0, MPROC_ENOMEM or MPROC_ENOSPC
 */
int mproc__ring_create(struct mproc__ring_shm *ring, uint64_t size, uint64_t max_items,
                       bool may_grow);

/** How many messages are in it just now, but for those that have come back. */
uint64_t mproc__ring_count(const struct mproc__ring_shm *ring);

/** How many messages that were taken out have come back. */
static inline uint64_t mproc__ring_count_returned(const struct mproc__ring_shm *ring)
{
    return mproc__load64_acquire(&ring->get.n_returned);
}

/** Have a getter look again: a message has come back, in a transaction before this call. */
void mproc__ring_call(struct mproc__ring_shm *ring);

/** How many bytes they have, if that is limited; else 0. */
uint64_t mproc__ring_bytes(const struct mproc__ring_shm *ring);

/** Of the messages that were ever put: how many more than `count`, which wraps around. */
uint32_t mproc__ring_undone(const struct mproc__ring_shm *ring, uint32_t count);

bool mproc__ring_is_closed(const struct mproc__ring_shm *ring);

/** Refuse further messages, and wake all. 0, or MPROC_ECLOSED: it is closed already. */
int mproc__ring_close(struct mproc__ring_shm *ring);

/*
 * Nobody will put, or get, any more: no thread that could, is left, which the family lock's holder knows.
 * The others find the ring closed: getters when it is empty, putters by their own means. Twice is no harm.
 */
void mproc__ring_lose_putters(struct mproc__ring_shm *ring);
void mproc__ring_lose_getters(struct mproc__ring_shm *ring);

/* ---- putting ---- */

/** Take the putting end. 0, MPROC_ETIMEDOUT, MPROC_ECLOSED, or what mproc__family_enter returns. */
int mproc__ring_put_begin(struct mproc__ring_shm *ring, mproc__deadline deadline,
                          mproc__ring_end *ret_end);

/**
 * Make room for one more message of up to MPROC__RING_LARGEST_RECORD bytes. It is no larger than
 * max_bytes.
 *
 * @param ret_place  `size` bytes, to be written before the commit
 * @return true; false: it is full, or with *ret_status < 0 there is no memory for it to grow
 */
bool mproc__ring_put_reserve(mproc__ring_end *end, uint64_t size, enum mproc__record kind,
                             void **ret_place, int *ret_status);

/** Put and commit a parcel; `hold` is the ring's then. As above. */
bool mproc__ring_put_parcel(mproc__ring_end *end, mproc__hold hold, enum mproc__record kind,
                            int *ret_status);

/** Move a place whose bytes are counted; or say beforehand what the sum will be there. */
void mproc__ring_move(uint64_t *place, uint64_t to, struct mproc__ring_sum *sum,
                      uint64_t sum_there);
void mproc__ring_announce(uint64_t to, struct mproc__ring_sum *sum, uint64_t sum_there);

/** Let everything reserved be messages: once for several of them. */
static inline void mproc__ring_put_commit(mproc__ring_end *end)
{
    struct mproc__ring_shm *ring = end->ring;
    if (ring->max_bytes != 0) {
        mproc__ring_move(&ring->tail, end->position, &ring->put_sum, end->sum);
    } else {
        mproc__store64_release(&ring->tail, end->position); /* COMMIT */
    }
    end->committed = end->position;
}

/** How many messages are in it; if they are fewer than `most`, there may be fewer still: it looks no closer then. */
uint64_t mproc__ring_put_count(mproc__ring_end *end, uint64_t most);

/** Give the end back. What is not committed is forgotten. */
void mproc__ring_put_end(mproc__ring_end *end);

/** After the end was given back: who was woken and leaves room as it is has another one woken. */
void mproc__ring_pass_room_on(struct mproc__ring_shm *ring);

/** After the end was given back: until there may be room, or time is up. */
void mproc__ring_await_room(const mproc__ring_end *seen, mproc__deadline deadline);

/* ---- getting ---- */

/** Take the getting end. 0, MPROC_ETIMEDOUT, or what mproc__family_enter returns. */
int mproc__ring_get_begin(struct mproc__ring_shm *ring, mproc__deadline deadline,
                          mproc__ring_end *ret_end);

/**
 * Look at the next message. It stays where it is until it is consumed and the end given back.
 *
 * @return 1; 0: there is none; MPROC_ECLOSED: and there will be none; MPROC_ECORRUPT
 */
int mproc__ring_get_next(mproc__ring_end *end, mproc__ring_item *ret_item);

/** Take the message that was looked at out of the ring. A parcel is dropped. */
void mproc__ring_get_consume(mproc__ring_end *end, const mproc__ring_item *item);

/**
 * The same of a parcel, which in place of being dropped becomes the calling process's.
 *
 * @return 0; MPROC_ENOMEM or MPROC_ENOSPC: it stays
 */
int mproc__ring_get_take(mproc__ring_end *end, const mproc__ring_item *item, mproc__hold *ret_hold);

/**
 * The same of any message, which becomes that of a lease of the calling process's without one.
 *
 * @return 0; MPROC_ENOMEM or MPROC_ENOSPC: it stays
 */
int mproc__ring_get_lease(mproc__ring_end *end, const mproc__ring_item *item, uint64_t lease);

/** Give the end back. */
void mproc__ring_get_end(mproc__ring_end *end);

/** After the end was given back: who was woken and leaves the message where it is has another one woken. */
void mproc__ring_pass_on(struct mproc__ring_shm *ring);

/** By a getter that found nothing: pause for a moment, if that pays, so that it finds several. */
void mproc__ring_let_gather(void);

/** After the end was given back: until there may be a message, or time is up. */
void mproc__ring_await_item(const mproc__ring_end *seen, mproc__deadline deadline);

/* ---- what it holds ---- */

/** A walk over the blocks that a ring holds. Begin with zero. */
typedef struct mproc__ring_walk {
    bool has_begun;
    uint64_t lease;             /**< the next one that has come back */
    uint64_t segment, position; /**< go on here */
} mproc__ring_walk;

/** The next block that a ring, which nobody uses meanwhile, holds; 0: no more. */
uint64_t mproc__ring_walk_next(struct mproc__ring_shm *ring, mproc__ring_walk *walk);

/** Have the first of them dropped, of a ring that nobody will use again; false: there is none. */
bool mproc__ring_drop_one(struct mproc__ring_shm *ring, mproc__txn *txn);

#endif
