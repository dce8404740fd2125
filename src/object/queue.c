/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c: mproc_queue: a ring, and a count of what has been dealt with.
 *
 * Layout  struct queue_shm; the messages lie in blocks that the ring holds
 * Commit  the ring's; of task_done the compare-and-swap of `done`
 * Death   the ring's; who was to tell that all is done and dies leaves the count, which joiners look at
 */
#include "mproc/queue.h"

#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/note.h"
#include "family/object.h"
#include "family/ring.h"
#include "object/message.h"
#include "object/waitable.h"

#include <stddef.h>
#include <string.h>

#define SEGMENT_BYTES ((uint64_t)64 << 10)

struct queue_shm {
    struct mproc__ring_shm ring;      /**< first: see block.c */
    MPROC__ALIGNAS(64) uint32_t done; /**< items dealt with, see mproc__ring_undone */
    uint32_t rests;                   /**< how often all of them were */
    uint32_t is_joinable;             /**< constant */
    struct mproc__bell_shm joiners;
};

static struct queue_shm *shm_of(const mproc_queue *queue)
{
    return queue->object.shm;
}

static struct mproc__ring_shm *ring_of(const mproc_queue *queue)
{
    return &shm_of(queue)->ring;
}

static int no_queue(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the queue is NULL", verb);
}

static int no_place(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: there is no place for what it returns", verb);
}

int mproc_queue_create(mproc_queue **ret_queue, const mproc_queue_options *options)
{
    static const mproc_queue_options defaults;
    struct mproc_object *object;
    options = options != NULL ? options : &defaults;
    if (ret_queue == NULL) {
        return no_queue("create");
    }
    int rc = mproc__object_create(MPROC__KIND_QUEUE, sizeof(struct queue_shm), 0, &object);
    if (rc < 0) {
        return rc;
    }
    struct queue_shm *shm = object->shm;
    shm->is_joinable = options->is_joinable;
    rc = mproc__ring_create(&shm->ring, SEGMENT_BYTES, options->max_items, true);
    if (rc < 0) {
        mproc__object_close(object);
        return rc;
    }
    *ret_queue = MPROC__CONTAINER(object, mproc_queue, object);
    return MPROC_OK;
}

/* ---- put ------------------------------------------------------------------------------------- */

static int fail_put(int rc)
{
    switch (rc) {
    case MPROC_ECLOSED:
        return mproc__fail_shortly(rc, "put: the queue has been shut down");
    case MPROC_ETIMEDOUT:
        return mproc__fail_shortly(rc, "put: timed out; the queue is full");
    default:
        return rc;
    }
}

/** Put messages one after the other, as many as there is room for; *ret_count: how many. */
static int put_some(mproc__ring_end *end, mproc__message *messages, size_t count, size_t *ret_count)
{
    int rc = MPROC_OK;
    size_t n = 0;
    while (n < count && mproc__message_put(&messages[n], end, &rc)) {
        n++;
    }
    mproc__ring_put_commit(end);
    *ret_count = n;
    return rc;
}

/** All of them, waiting for room. */
static int put_all(mproc_queue *queue, mproc__message *messages, size_t count, size_t *ret_count,
                   mproc__deadline deadline)
{
    mproc__ring_end end;
    *ret_count = 0;
    for (;;) {
        size_t n;
        int rc = mproc__ring_put_begin(ring_of(queue), deadline, &end);
        if (rc < 0) {
            return rc;
        }
        rc = put_some(&end, messages + *ret_count, count - *ret_count, &n);
        mproc__ring_put_end(&end);
        *ret_count += n;
        if (rc < 0 || *ret_count == count) {
            return rc;
        }
        if (mproc__deadline_passed(deadline)) {
            return MPROC_ETIMEDOUT;
        }
        mproc__note_begin(queue->object.offset, deadline);
        mproc__ring_await_room(&end, deadline);
        mproc__note_end();
    }
}

static int put_one(mproc_queue *queue, mproc__message *message, mproc_timeout timeout)
{
    size_t n;
    int rc = mproc__message_prepare(message);
    if (rc >= 0) {
        rc = fail_put(put_all(queue, message, 1, &n, mproc__deadline_in(timeout)));
        mproc__message_drop(message);
    }
    return rc;
}

int mproc_queue_put(mproc_queue *queue, mproc_value item, mproc_timeout timeout)
{
    mproc__message message = {.value = &item};
    return queue != NULL ? put_one(queue, &message, timeout) : no_queue("put");
}

int mproc_queue_put_bytes(mproc_queue *queue, const void *data, size_t size, mproc_timeout timeout)
{
    mproc__message message = {.bytes = {data, size}};
    if (queue == NULL) {
        return no_queue("put");
    }
    return data != NULL || size == 0 ? put_one(queue, &message, timeout)
                                     : mproc__fail(MPROC_EINVAL, "put: the bytes are NULL");
}

/* So many are made ready at a time: parcels wait until the ring is theirs. */
#define BATCH 64

int mproc_queue_put_many(mproc_queue *queue, const mproc_value *items, size_t count,
                         size_t *ret_count, mproc_timeout timeout)
{
    size_t unused = 0;
    ret_count = ret_count != NULL ? ret_count : &unused;
    *ret_count = 0;
    if (queue == NULL || (items == NULL && count > 0)) {
        return no_queue("put_many");
    }
    mproc__deadline deadline = mproc__deadline_in(timeout);
    int rc = MPROC_OK;
    while (rc >= 0 && *ret_count < count) {
        mproc__message messages[BATCH];
        size_t n_ready = 0;
        size_t n_put = 0;
        while (n_ready < BATCH && *ret_count + n_ready < count && rc >= 0) {
            messages[n_ready] = (mproc__message){.value = &items[*ret_count + n_ready]};
            rc = mproc__message_prepare(&messages[n_ready]);
            n_ready += rc >= 0 ? 1 : 0;
        }
        int put_rc = put_all(queue, messages, n_ready, &n_put, deadline);
        rc = put_rc < 0 ? fail_put(put_rc) : rc;
        for (size_t i = n_put; i < n_ready; i++) {
            mproc__message_drop(&messages[i]);
        }
        *ret_count += n_put;
    }
    return rc;
}

/* ---- get ------------------------------------------------------------------------------------- */

static int fail_get(int rc)
{
    switch (rc) {
    case MPROC_ECLOSED:
        return mproc__fail_shortly(rc, "get: the queue is empty and has been shut down");
    case MPROC_ETIMEDOUT:
        return mproc__fail_shortly(rc, "get: timed out; the queue is empty");
    default:
        return rc;
    }
}

/** What is done with the first message: below 0, it stays. */
typedef int (*open_fn)(const mproc__ring_item *item, void *arg);

/** Have up to `count` messages opened. */
static int get_some(mproc__ring_end *end, open_fn open, void *arg, size_t count, size_t *ret_count)
{
    size_t n = 0;
    int rc = MPROC_OK;
    mproc__ring_item item;
    while (n < count && (rc = mproc__ring_get_next(end, &item)) > 0 &&
           (rc = open(&item, arg)) >= 0) {
        mproc__ring_get_consume(end, &item);
        n++;
    }
    *ret_count = n;
    return n > 0 ? MPROC_OK : rc;
}

static int get_all(mproc_queue *queue, open_fn open, void *arg, size_t count, size_t *ret_count,
                   mproc_timeout timeout)
{
    mproc__deadline deadline = mproc__deadline_in(timeout);
    mproc__ring_end end;
    *ret_count = 0;
    for (;;) {
        int rc = mproc__ring_get_begin(ring_of(queue), deadline, &end);
        if (rc < 0) {
            return rc;
        }
        rc = get_some(&end, open, arg, count, ret_count);
        mproc__ring_get_end(&end);
        if (rc < 0 || *ret_count > 0) {
            return rc;
        }
        if (mproc__deadline_passed(deadline)) {
            return MPROC_ETIMEDOUT;
        }
        mproc__note_begin(queue->object.offset, deadline);
        mproc__ring_await_item(&end, deadline);
        mproc__note_end();
    }
}

/** Where values go, one after the other. */
static int open_value(const mproc__ring_item *item, void *arg)
{
    mproc_value **next = arg;
    int rc = mproc__message_open(item, *next);
    *next += rc >= 0 ? 1 : 0;
    return rc;
}

int mproc_queue_get(mproc_queue *queue, mproc_value *ret_item, mproc_timeout timeout)
{
    size_t n;
    if (queue == NULL || ret_item == NULL) {
        return queue == NULL ? no_queue("get") : no_place("get");
    }
    return fail_get(get_all(queue, open_value, &ret_item, 1, &n, timeout));
}

int mproc_queue_get_many(mproc_queue *queue, mproc_value *ret_items, size_t count,
                         size_t *ret_count, mproc_timeout timeout)
{
    if (queue == NULL || ret_items == NULL || ret_count == NULL || count == 0) {
        return queue == NULL ? no_queue("get_many") : no_place("get_many");
    }
    return fail_get(get_all(queue, open_value, &ret_items, count, ret_count, timeout));
}

struct buffer {
    void *data;
    size_t capacity, size;
};

static int open_bytes(const mproc__ring_item *item, void *arg)
{
    struct buffer *buffer = arg;
    if (item->kind != MPROC__RECORD_BYTES) {
        return mproc__fail(MPROC_ETYPE, "get_bytes: the first item is not bytes");
    }
    buffer->size = (size_t)item->size;
    if (item->size > buffer->capacity) {
        return mproc__fail(MPROC_ETOOBIG, "get_bytes: the first item has %zu bytes, the buffer %zu",
                           buffer->size, buffer->capacity);
    }
    if (item->size > 0) {
        memcpy(buffer->data, item->data, buffer->size);
    }
    return MPROC_OK;
}

int mproc_queue_get_bytes(mproc_queue *queue, void *buffer, size_t capacity, size_t *ret_size,
                          mproc_timeout timeout)
{
    size_t n;
    struct buffer place = {buffer, capacity, 0};
    if (queue == NULL || ret_size == NULL || (buffer == NULL && capacity > 0)) {
        return queue == NULL ? no_queue("get_bytes") : no_place("get_bytes");
    }
    int rc = get_all(queue, open_bytes, &place, 1, &n, timeout);
    *ret_size = place.size;
    return fail_get(rc);
}

/* ---- state ----------------------------------------------------------------------------------- */

size_t mproc_queue_size(const mproc_queue *queue)
{
    return queue != NULL ? (size_t)mproc__ring_count(ring_of(queue)) : 0;
}

bool mproc_queue_is_empty(const mproc_queue *queue)
{
    return mproc_queue_size(queue) == 0;
}

bool mproc_queue_is_full(const mproc_queue *queue)
{
    return queue != NULL && mproc_queue_size(queue) >= ring_of(queue)->max_items;
}

bool mproc_queue_is_shut_down(const mproc_queue *queue)
{
    return queue != NULL && mproc__ring_is_closed(ring_of(queue));
}

int mproc_queue_shutdown(mproc_queue *queue)
{
    int rc = queue != NULL ? mproc__ring_close(ring_of(queue)) : no_queue("shutdown");
    return rc == MPROC_ECLOSED
               ? mproc__fail_shortly(MPROC_ESTATE, "shutdown: the queue is shut down already")
               : rc;
}

/* ---- joinable queues ------------------------------------------------------------------------- */

static int check_joinable(const mproc_queue *queue, const char *verb)
{
    if (queue == NULL) {
        return no_queue(verb);
    }
    return shm_of(queue)->is_joinable
               ? MPROC_OK
               : mproc__fail(MPROC_ESTATE, "%s: the queue is not joinable, see its options", verb);
}

int mproc_queue_task_done(mproc_queue *queue)
{
    int rc = check_joinable(queue, "task_done");
    if (rc < 0) {
        return rc;
    }
    struct queue_shm *shm = shm_of(queue);
    uint32_t notes = mproc__bell_notes(&shm->joiners);
    uint32_t done = mproc__load32_relaxed(&shm->done);
    do {
        if (mproc__ring_undone(&shm->ring, done) == 0) {
            return mproc__fail_shortly(MPROC_ESTATE,
                                       "task_done: called more often than items were put");
        }
    } while (!mproc__cas32(&shm->done, &done, done + 1)); /* COMMIT */
    MPROC__KILLPOINT("queue.done");                       /* DEATH: joiners look again */
    if (mproc__ring_undone(&shm->ring, done + 1) == 0) {
        (void)mproc__add32(&shm->rests, 1);
        mproc__bell_ring(&shm->joiners, &shm->rests, INT32_MAX, notes);
    }
    return MPROC_OK;
}

int mproc_queue_join(mproc_queue *queue, mproc_timeout timeout)
{
    int rc = check_joinable(queue, "join");
    rc = rc < 0 ? rc : mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    struct queue_shm *shm = shm_of(queue);
    mproc__deadline deadline = mproc__deadline_in(timeout);
    uint32_t before = mproc__load32_acquire(&shm->rests);
    for (;;) {
        uint32_t rests = mproc__load32_acquire(&shm->rests);
        if (rests != before ||
            mproc__ring_undone(&shm->ring, mproc__load32_acquire(&shm->done)) == 0) {
            return MPROC_OK;
        }
        if (mproc__deadline_passed(deadline)) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT, "join: timed out; not all is done");
        }
        mproc__note_begin(queue->object.offset, deadline);
        mproc__bell_await(&shm->joiners, &shm->rests, rests, deadline);
        mproc__note_end();
    }
}

/* ---- for who waits for other things, too ------------------------------------------------------ */

static uint32_t look(const struct mproc_object *object)
{
    (void)object;
    return 0; // an item that has come and gone again was another one's
}

static bool is_ready(const struct mproc_object *object, uint32_t before)
{
    const mproc_queue *queue = (const mproc_queue *)(const void *)object;
    (void)before;
    return mproc_queue_size(queue) > 0 || mproc_queue_is_shut_down(queue);
}

static void watch(struct mproc_object *object)
{
    mproc__bell_watch(&ring_of((const mproc_queue *)(const void *)object)->getters);
}

const struct mproc__waitable mproc__queue_waitable = {
    .look = look, .is_ready = is_ready, .watch = watch};
