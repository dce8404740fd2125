/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.h: a queue as its own files see it.
 */
#ifndef MPROC_OBJECT_QUEUE_H
#define MPROC_OBJECT_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "family/object.h"
#include "family/ring.h"
#include "mproc/queue.h"
#include "object/message.h"

struct mproc__queue_shm {
    struct mproc__ring_shm ring;      /**< first: see block.c */
    MPROC__ALIGNAS(64) uint32_t done; /**< items dealt with, but for ... */
    uint32_t rests;                   /**< how often all of them were */
    uint32_t is_joinable;             /**< constant */
    uint64_t acknowledged;            /**< ... these, that had been taken on lease; journal */
    struct mproc__bell_shm joiners;
};

static inline struct mproc__queue_shm *mproc__queue_shm_of(const mproc_queue *queue)
{
    return queue->object.shm;
}

static inline struct mproc__ring_shm *mproc__queue_ring(const mproc_queue *queue)
{
    return &mproc__queue_shm_of(queue)->ring;
}

/** How many items have been put and not been dealt with. */
uint32_t mproc__queue_undone(const struct mproc__queue_shm *shm);

/** Put what has been made ready, waiting for room; says so if it fails. As mproc_queue_put_many. */
int mproc__queue_put(mproc_queue *queue, mproc__message *messages, size_t count, size_t *ret_count,
                     mproc__deadline deadline);

/**
 * What is done with the first message, while the end is ours: it takes it out, by
 * mproc__ring_get_consume or _take. Below 0: it stays. 1: no more of them in this go.
 */
typedef int (*mproc__queue_take_fn)(mproc__ring_end *end, const mproc__ring_item *item, void *arg);

/** Have up to `count` messages taken, waiting for one; says so if it fails. As mproc_queue_get_many. */
int mproc__queue_get(mproc_queue *queue, mproc__queue_take_fn take, void *arg, size_t count,
                     size_t *ret_count, mproc__deadline deadline);

int mproc__queue_is_null(const char *verb);

#endif
