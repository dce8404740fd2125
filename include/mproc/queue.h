/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/queue.h: queues between the processes of a family, and their threads.
 *
 * Any number of producers put items in, any number of consumers take them out, each item once, in the
 * order in which they were put. An item is a value, with any objects of the family in it.
 *
 *     mproc_queue *queue;
 *     mproc_queue_create(&queue, NULL);
 *     mproc_process_start(&child, work, MPROC_ARGS(queue), NULL);
 *     mproc_queue_put(queue, MPROC_VALUE("hello"), MPROC_FOREVER);
 *     ...
 *     mproc_value item;
 *     mproc_queue_get(queue, &item, MPROC_FOREVER);
 *     printf("%s\n", item.as.string.data);
 *     mproc_value_clear(&item);
 *
 * What has been put is there: put writes it to the queue itself before it returns, there is no thread
 * that would do so later. So a process may end right after it, and joining a process never waits for
 * those who are to read what it wrote. Whoever is killed at whatever instruction: each item whose put
 * returned is taken out by somebody once, and nobody waits for the dead. An item that its taker had not
 * dealt with when it was killed is gone with it, unless it was taken on lease: mproc_queue_get_leased.
 *
 * A queue that is in an item of its own, through others or not, lives until that item is taken out.
 */
#ifndef MPROC_QUEUE_H
#define MPROC_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/timeout.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/** A queue: this process's handle of it. */
typedef struct mproc_queue mproc_queue;

/** What is special about a queue; zero: nothing. */
typedef struct mproc_queue_options {
    /**
     * How many items it takes; 0: as many as there is memory for, in the arena, up to some 67 million.
     * Python: maxsize
     */
    size_t max_items;
    /**
     * How many bytes its items may have together; 0: as many as there is memory for. Those of bytes
     * count as they are, others as large as mproc_value_encode makes them.
     */
    size_t max_bytes;
    /**
     * Whether mproc_queue_task_done and mproc_queue_join are used, with up to some 67 million items that
     * have been put and are not done. Python: JoinableQueue
     */
    bool is_joinable;
} mproc_queue_options;

/**
 * Create an empty queue.
 *
 * Python: multiprocessing.Queue(maxsize), SimpleQueue(), JoinableQueue(maxsize)
 *
 * @param ret_queue  the new queue; close it with mproc_queue_close
 * @param options    NULL: all defaults
 * @return 0, MPROC_EINVAL, MPROC_ENOMEM or MPROC_ENOSPC
 * @owner  the caller, until mproc_queue_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_queue_create(mproc_queue **ret_queue,
                                                 const mproc_queue_options *options);

/**
 * Put an item at the end of the queue.
 *
 * Python: Queue.put(item, block, timeout), put_nowait(item) with MPROC_NOWAIT
 *
 * @param item     copied; its owner stays the caller. Objects in it are held by the queue until somebody
 *                 takes the item out
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return 0; MPROC_ETIMEDOUT (the queue is full; Python: queue.Full); MPROC_ECLOSED; MPROC_ENOMEM or
 *         MPROC_ENOSPC (the arena is full); MPROC_ETOOBIG (larger than max_bytes, nested too deep, or a
 *         part of 4 GiB and more); MPROC_EINVAL. If it is not 0, the item is not in the queue.
 * @blocking  while the queue is full; also with MPROC_NOWAIT for other puts under way, some hundred
 *            nanoseconds each, unless a process is stopped in one
 * @safety any thread of any member process
 * @death  killed in it, the item is in the queue or not
 */
MPROC_API int mproc_queue_put(mproc_queue *queue, mproc_value item, mproc_timeout timeout);

/** As mproc_queue_put of an MPROC_BYTES item. `data` may be NULL if size is 0. */
MPROC_API int mproc_queue_put_bytes(mproc_queue *queue, const void *data, size_t size,
                                    mproc_timeout timeout);

/**
 * Put several items, in their order, others' perhaps between them: faster than one by one.
 *
 * @param ret_count  how many are in the queue now: the first ones; may be NULL
 * @return as mproc_queue_put, of the first item that is not in the queue
 */
MPROC_API int mproc_queue_put_many(mproc_queue *queue, const mproc_value *items, size_t count,
                                   size_t *ret_count, mproc_timeout timeout);

/**
 * Take the first item out of the queue.
 *
 * Python: Queue.get(block, timeout), get_nowait() with MPROC_NOWAIT
 *
 * @param ret_item  owns its data; free it with mproc_value_clear
 * @return 0; MPROC_ETIMEDOUT (the queue is empty; Python: queue.Empty); MPROC_ECLOSED (and it has been
 *         closed); MPROC_ENOMEM (the item is still in the queue); MPROC_ECORRUPT (somebody has written
 *         over it); MPROC_EINVAL for NULL
 * @blocking  while the queue is empty; for other gets under way, as mproc_queue_put for puts
 * @safety any thread of any member process
 * @death  killed in it, the item is still in the queue, or gone with the process
 */
MPROC_API MPROC_NODISCARD int mproc_queue_get(mproc_queue *queue, mproc_value *ret_item,
                                              mproc_timeout timeout);

/**
 * Take the first item out of the queue, which must be MPROC_BYTES, into memory of the caller's.
 *
 * @param buffer,capacity  where the bytes go
 * @param ret_size         how many they are; also with MPROC_ETOOBIG
 * @return as mproc_queue_get; MPROC_ETOOBIG (it does not fit) and MPROC_ETYPE (it is none): it is still
 *         in the queue
 */
MPROC_API MPROC_NODISCARD int mproc_queue_get_bytes(mproc_queue *queue, void *buffer,
                                                    size_t capacity, size_t *ret_size,
                                                    mproc_timeout timeout);

/**
 * Take up to `count` items out of the queue: waits for one, and takes what else is there.
 *
 * @param ret_items  clear each with mproc_value_clear; small ones that are bytes share their memory, which is
 *                   free when the last of them is cleared
 * @param ret_count  how many they are; 0 if a status below 0 is returned
 * @return as mproc_queue_get
 */
MPROC_API MPROC_NODISCARD int mproc_queue_get_many(mproc_queue *queue, mproc_value *ret_items,
                                                   size_t count, size_t *ret_count,
                                                   mproc_timeout timeout);

/** An item that was taken out and comes back if this process dies. Zero: none. */
typedef struct mproc_lease {
    size_t returns; /**< how often it was taken on lease before, and came back */
    uint64_t block; /**< private, as the rest */
    uint32_t entry, epoch;
} mproc_lease;

/**
 * Take the first item out of the queue on lease, for work that must be done whoever is killed at it: if
 * this process ends without mproc_lease_acknowledge, the item comes back to the front of the queue, and
 * somebody else gets it. So each item is dealt with at least once, and once if nobody dies.
 *
 *     while (mproc_queue_get_leased(queue, &item, &lease, MPROC_FOREVER) == 0) {
 *         work(&item);
 *         mproc_value_clear(&item);
 *         mproc_lease_acknowledge(&lease);
 *     }
 *
 * Items that have come back are got before all others, the one put first before the others. max_items
 * and max_bytes do not count them. After mproc_queue_shutdown they come back all the same, but nobody
 * waits for them: MPROC_ECLOSED says that none is there just now.
 *
 * @param ret_item   owns its data; free it with mproc_value_clear, before or after the lease's end
 * @param ret_lease  to be ended by mproc_lease_acknowledge or mproc_lease_return; any number at once
 * @return as mproc_queue_get; MPROC_ENOSPC (the arena is full): it is still in the queue
 * @blocking, @safety  as mproc_queue_get; any thread of the process may end the lease
 * @death  the item comes back when the process is gone, with all its threads, which is proved and not
 *         guessed from time; a copy made by fork meanwhile has the lease, too, and is waited for
 */
MPROC_API MPROC_NODISCARD int mproc_queue_get_leased(mproc_queue *queue, mproc_value *ret_item,
                                                     mproc_lease *ret_lease, mproc_timeout timeout);

/**
 * The item has been dealt with. In a joinable queue this is its mproc_queue_task_done, too.
 *
 * @param lease  zero afterwards
 * @return 0; MPROC_ESTATE (the lease has ended); MPROC_EINVAL for NULL
 * @safety any thread of the process that got it, also after the queue's handle was closed
 * @death  killed in it, the lease has ended or the item comes back
 */
MPROC_API int mproc_lease_acknowledge(mproc_lease *lease);

/**
 * Put the item back to the front of the queue: somebody else is to deal with it. As
 * mproc_lease_acknowledge, but that nothing is done.
 *
 * @blocking for puts under way, as mproc_queue_put with MPROC_NOWAIT
 */
MPROC_API int mproc_lease_return(mproc_lease *lease);

/** Bytes of an item that lie in the family's memory, where this process may read and write them. */
typedef struct mproc_loan {
    void *data;     /**< aligned to 64 bytes */
    size_t size;    /**< bytes */
    uint64_t block; /**< private, as the rest */
    uint32_t entry, epoch;
} mproc_loan;

/**
 * Make an item of bytes in place: write it where it will be read, and have it put without a copy. Worth
 * it from some 100 KiB on.
 *
 *     mproc_loan loan;
 *     mproc_queue_reserve(queue, size, &loan);
 *     render(loan.data, loan.size);
 *     mproc_queue_commit(queue, &loan, MPROC_FOREVER);
 *
 * @param size      bytes; any number
 * @param ret_loan  what was in the memory before is still there. Give it back with mproc_queue_commit or
 *                  mproc_loan_release
 * @return 0; MPROC_ETOOBIG (larger than max_bytes); MPROC_ENOMEM or MPROC_ENOSPC (the arena is full);
 *         MPROC_EINVAL for NULL
 * @safety any thread of any member process; any number of loans at once. A loan is the process's that
 *         made it: a copy made by fork must leave it alone
 * @death  a loan goes with its process
 */
MPROC_API MPROC_NODISCARD int mproc_queue_reserve(mproc_queue *queue, size_t size,
                                                  mproc_loan *ret_loan);

/**
 * Put a loan's bytes at the end of the queue, without a copy. They are no longer the caller's then.
 *
 * @param queue  any, also another than the one it was made for, or taken from
 * @param loan   of mproc_queue_reserve, or of mproc_queue_peek to pass it on; all zero afterwards
 * @return as mproc_queue_put, MPROC_ESTATE (it was given back already); if it is not 0, the loan is still
 *         the caller's
 * @blocking, @safety, @death  as mproc_queue_put
 */
MPROC_API MPROC_NODISCARD int mproc_queue_commit(mproc_queue *queue, mproc_loan *loan,
                                                 mproc_timeout timeout);

/**
 * Take the first item out of the queue, which must be MPROC_BYTES, and read it where it lies. From some
 * 100 KiB on that is worth it: nothing is copied. A smaller one may be.
 *
 * @param ret_loan  nobody else's; to be given back with mproc_loan_release
 * @return as mproc_queue_get; MPROC_ETYPE (it is not bytes), MPROC_ENOSPC (the arena is full): it is still
 *         in the queue
 * @blocking, @safety  as mproc_queue_get
 * @death  killed with a loan, the item is gone with the process, and its memory given back
 */
MPROC_API MPROC_NODISCARD int mproc_queue_peek(mproc_queue *queue, mproc_loan *ret_loan,
                                               mproc_timeout timeout);

/** Give a loan back: what was to be put is not, what was taken out is freed. NULL or zero is fine. */
MPROC_API void mproc_loan_release(mproc_loan *loan);

/** How many items are in it just now; 0 for NULL. Python: Queue.qsize(), on every system */
MPROC_API size_t mproc_queue_size(const mproc_queue *queue);

/** Whether nothing is in it just now; true for NULL. Python: Queue.empty() */
MPROC_API bool mproc_queue_is_empty(const mproc_queue *queue);

/** Whether it has as many items or bytes just now as it takes; false for NULL. Python: Queue.full() */
MPROC_API bool mproc_queue_is_full(const mproc_queue *queue);

/** Whether it has been shut down; false for NULL. */
MPROC_API bool mproc_queue_is_shut_down(const mproc_queue *queue);

/**
 * Refuse further items: from here on put fails with MPROC_ECLOSED, and get, too, when the queue is
 * empty. Who waits in one of them is woken.
 *
 * Python: queue.Queue.shutdown(), since 3.13
 *
 * @return 0; MPROC_ESTATE (it is shut down already); MPROC_EINVAL for NULL
 * @death  killed in it, the queue is shut down or not
 */
MPROC_API int mproc_queue_shutdown(mproc_queue *queue);

/**
 * Say that an item which was taken out has been dealt with. An item whose taker is killed before it does
 * so is never done, and mproc_queue_join waits for it: take items on lease where that may happen.
 *
 * Python: JoinableQueue.task_done()
 *
 * @return 0; MPROC_ESTATE (more often than items were put, Python: ValueError; or not a joinable queue);
 *         MPROC_EINVAL for NULL
 */
MPROC_API int mproc_queue_task_done(mproc_queue *queue);

/**
 * Wait until for each item that was put mproc_queue_task_done has been called.
 *
 * Python: JoinableQueue.join()
 *
 * @return 0; MPROC_ETIMEDOUT; MPROC_ESTATE (not a joinable queue); MPROC_EINVAL for NULL
 */
MPROC_API MPROC_NODISCARD int mproc_queue_join(mproc_queue *queue, mproc_timeout timeout);

/** Take one more hold on a queue, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_queue_attach(mproc_queue **ret_queue, const mproc_queue *queue);

/**
 * Give up this process's hold on the queue, as mproc_lock_close. Items stay for the others; the last
 * one's close frees them.
 */
MPROC_API void mproc_queue_close(mproc_queue *queue);

MPROC_END_DECLS

#endif
