/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c: mproc_queue: a ring with Python's manners.
 *
 * Layout  struct mproc__queue_shm; the messages lie in blocks that the ring holds
 * Commit  the ring's
 * Death   the ring's
 */
#include "object/queue.h"

#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/note.h"
#include "family/ring_part.h"
#include "family/zone.h"
#include "object/waitable.h"

#include <stddef.h>
#include <string.h>

#define SEGMENT_BYTES ((uint64_t)64 << 10)

int mproc__queue_is_null(const char *verb)
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
        return mproc__queue_is_null("create");
    }
    int rc = mproc__object_create(MPROC__KIND_QUEUE, sizeof(struct mproc__queue_shm), 0, &object);
    if (rc < 0) {
        return rc;
    }
    struct mproc__queue_shm *shm = object->shm;
    shm->is_joinable = options->is_joinable;
    shm->ring.max_bytes = options->max_bytes;
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

int mproc__queue_put(mproc_queue *queue, mproc__message *messages, size_t count, size_t *ret_count,
                     mproc__deadline deadline)
{
    mproc__ring_end end;
    *ret_count = 0;
    for (;;) {
        size_t n;
        int rc = mproc__ring_put_begin(mproc__queue_ring(queue), deadline, &end);
        if (rc < 0) {
            return fail_put(rc);
        }
        rc = put_some(&end, messages + *ret_count, count - *ret_count, &n);
        mproc__ring_put_end(&end);
        *ret_count += n;
        if (rc < 0) {
            mproc__ring_pass_room_on(mproc__queue_ring(queue)); // it is still there
        }
        if (rc < 0 || *ret_count == count) {
            return rc;
        }
        if (mproc__deadline_passed(deadline)) {
            return fail_put(MPROC_ETIMEDOUT);
        }
        mproc__note_begin(queue->object.offset, deadline);
        mproc__ring_await_room(&end, deadline);
        mproc__note_end();
    }
}

static int put_one(mproc_queue *queue, mproc__message *message, mproc_timeout timeout)
{
    size_t n;
    message->limit = mproc__queue_ring(queue)->max_bytes;
    int rc = mproc__message_prepare(message);
    if (rc >= 0) {
        rc = mproc__queue_put(queue, message, 1, &n, mproc__deadline_in(timeout));
        mproc__message_drop(message);
    }
    return rc;
}

int mproc_queue_put(mproc_queue *queue, mproc_value item, mproc_timeout timeout)
{
    mproc__message message = {.value = &item};
    return queue != NULL ? put_one(queue, &message, timeout) : mproc__queue_is_null("put");
}

int mproc_queue_put_bytes(mproc_queue *queue, const void *data, size_t size, mproc_timeout timeout)
{
    mproc__message message = {.bytes = {data, size}};
    if (queue == NULL) {
        return mproc__queue_is_null("put");
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
        return mproc__queue_is_null("put_many");
    }
    mproc__deadline deadline = mproc__deadline_in(timeout);
    int rc = MPROC_OK;
    while (rc >= 0 && *ret_count < count) {
        mproc__message messages[BATCH];
        size_t n_ready = 0;
        size_t n_put = 0;
        while (n_ready < BATCH && *ret_count + n_ready < count && rc >= 0) {
            messages[n_ready] = (mproc__message){.value = &items[*ret_count + n_ready],
                                                 .limit = mproc__queue_ring(queue)->max_bytes};
            rc = mproc__message_prepare(&messages[n_ready]);
            n_ready += rc >= 0 ? 1 : 0;
        }
        int put_rc = mproc__queue_put(queue, messages, n_ready, &n_put, deadline);
        rc = put_rc < 0 ? put_rc : rc;
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

/** Have up to `count` messages taken. */
static int get_some(mproc__ring_end *end, mproc__queue_take_fn take, void *arg, size_t count,
                    size_t *ret_count)
{
    size_t n = 0;
    int rc = MPROC_OK;
    mproc__ring_item item;
    while (n < count && (rc = mproc__ring_get_next(end, &item)) > 0 &&
           (rc = take(end, &item, arg)) >= 0) {
        n++;
        count = rc == 0 ? count : n;
    }
    *ret_count = n;
    return n > 0 ? MPROC_OK : rc;
}

int mproc__queue_get(mproc_queue *queue, mproc__queue_take_fn take, void *arg, size_t count,
                     size_t *ret_count, mproc__deadline deadline)
{
    mproc__ring_end end;
    *ret_count = 0;
    for (;;) {
        int rc = mproc__ring_get_begin(mproc__queue_ring(queue), deadline, &end);
        if (rc < 0) {
            return fail_get(rc);
        }
        rc = get_some(&end, take, arg, count, ret_count);
        mproc__ring_get_end(&end);
        if (rc < 0 && rc != MPROC_ECLOSED) {
            mproc__ring_pass_on(mproc__queue_ring(queue)); // it is still there
        }
        if (rc < 0 || *ret_count > 0) {
            return fail_get(rc);
        }
        if (mproc__deadline_passed(deadline)) {
            return fail_get(MPROC_ETIMEDOUT);
        }
        mproc__note_begin(queue->object.offset, deadline);
        mproc__ring_await_item(&end, deadline);
        mproc__note_end();
    }
}

/** Where values go, one after the other. */
struct values {
    mproc_value *next;
    size_t left;        /**< how many more may come */
    mproc__zone *chunk; /**< memory that several of them share; NULL: none yet */
    mproc__luggage luggage;
};

/* Small ones of those that are got together have one piece of memory, which goes with the last one. */
#define CHUNK ((size_t)16 << 10)
#define MOST_IN_CHUNK 512

/** Make a value of a small item that is bytes, in memory shared with others. MPROC_ESTATE: it has none. */
static int open_in_chunk(struct values *values, const mproc__ring_end *end,
                         const mproc__ring_item *item)
{
    size_t size = (size_t)item->size;
    if (values->chunk == NULL || mproc__zone_bytes_left(values->chunk) < size) {
        uint64_t n = mproc__ring_items(end->ring->get.tail_seen, end->position);
        n = n < values->left ? n : values->left;
        const mproc__zone_needs needs = {.bytes = n * size < CHUNK ? n * size : CHUNK};
        mproc__zone *chunk;
        if (n < 2 || mproc__zone_create(&chunk, &needs) < 0) {
            return MPROC_ESTATE;
        }
        mproc__zone_free(values->chunk);
        values->chunk = chunk;
    }
    char *place = mproc__zone_take_bytes(values->chunk, size);
    memcpy(place, item->data, size);
    mproc__zone_share(values->chunk);
    *values->next = (mproc_value){.type = MPROC_BYTES, .owned = values->chunk};
    values->next->as.bytes = mproc_bytes_of(place, size);
    return MPROC_OK;
}

static int take_value(mproc__ring_end *end, const mproc__ring_item *item, void *arg)
{
    struct values *values = arg;
    int rc;
    if (mproc__luggage_is(item)) {
        mproc_value value;
        void *place;
        rc = mproc__message_make_room(item->size, &value, &place);
        if (rc < 0) {
            return rc;
        }
        rc = mproc__luggage_take(end, item, place, &values->luggage);
        if (rc < 0) {
            mproc_value_clear(&value);
            return rc;
        }
        *values->next = value;
        rc = 1; // the others have to wait until it is copied
    } else {
        bool may_share = item->parcel == 0 && item->kind == MPROC__RECORD_BYTES &&
                         item->size - 1 < MOST_IN_CHUNK;
        rc = may_share ? open_in_chunk(values, end, item) : MPROC_ESTATE;
        rc = rc < 0 ? mproc__message_open(item, values->next) : rc;
        if (rc < 0) {
            return rc;
        }
        mproc__ring_get_consume(end, item);
    }
    values->next++;
    values->left--;
    return rc;
}

int mproc_queue_get(mproc_queue *queue, mproc_value *ret_item, mproc_timeout timeout)
{
    size_t n;
    if (queue == NULL || ret_item == NULL) {
        return queue == NULL ? mproc__queue_is_null("get") : no_place("get");
    }
    struct values values = {.next = ret_item, .left = 1};
    int rc = mproc__queue_get(queue, take_value, &values, 1, &n, mproc__deadline_in(timeout));
    mproc__luggage_unpack(&values.luggage);
    return rc;
}

int mproc_queue_get_many(mproc_queue *queue, mproc_value *ret_items, size_t count,
                         size_t *ret_count, mproc_timeout timeout)
{
    if (queue == NULL || ret_items == NULL || ret_count == NULL || count == 0) {
        return queue == NULL ? mproc__queue_is_null("get_many") : no_place("get_many");
    }
    struct values values = {.next = ret_items, .left = count};
    mproc__deadline deadline = mproc__deadline_in(timeout);
    int rc;
    bool has_more;
    *ret_count = 0;
    do {
        size_t n;
        rc = mproc__queue_get(queue, take_value, &values, count - *ret_count, &n, deadline);
        has_more = values.luggage.parcel.offset != 0;
        mproc__luggage_unpack(&values.luggage);
        *ret_count += n;
        deadline = 0; // for the others there is no waiting
    } while (has_more && *ret_count < count);
    mproc__zone_free(values.chunk);
    return *ret_count > 0 ? MPROC_OK : rc;
}

struct buffer {
    void *data;
    size_t capacity, size;
    mproc__luggage luggage;
};

static int take_bytes(mproc__ring_end *end, const mproc__ring_item *item, void *arg)
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
    if (mproc__luggage_is(item)) {
        int rc = mproc__luggage_take(end, item, buffer->data, &buffer->luggage);
        return rc < 0 ? rc : 1;
    }
    if (item->size > 0) {
        memcpy(buffer->data, item->data, buffer->size);
    }
    mproc__ring_get_consume(end, item);
    return MPROC_OK;
}

int mproc_queue_get_bytes(mproc_queue *queue, void *buffer, size_t capacity, size_t *ret_size,
                          mproc_timeout timeout)
{
    size_t n;
    struct buffer place = {.data = buffer, .capacity = capacity};
    if (queue == NULL || ret_size == NULL || (buffer == NULL && capacity > 0)) {
        return queue == NULL ? mproc__queue_is_null("get_bytes") : no_place("get_bytes");
    }
    int rc = mproc__queue_get(queue, take_bytes, &place, 1, &n, mproc__deadline_in(timeout));
    mproc__luggage_unpack(&place.luggage);
    *ret_size = place.size;
    return rc;
}

/* ---- state ----------------------------------------------------------------------------------- */

size_t mproc_queue_size(const mproc_queue *queue)
{
    if (queue == NULL) {
        return 0;
    }
    const struct mproc__ring_shm *ring = mproc__queue_ring(queue);
    return (size_t)(mproc__ring_count(ring) + mproc__ring_count_returned(ring));
}

bool mproc_queue_is_empty(const mproc_queue *queue)
{
    return mproc_queue_size(queue) == 0;
}

bool mproc_queue_is_full(const mproc_queue *queue)
{
    if (queue == NULL) {
        return false;
    }
    const struct mproc__ring_shm *ring = mproc__queue_ring(queue);
    return mproc__ring_count(ring) >= ring->max_items ||
           (ring->max_bytes != 0 && mproc__ring_bytes(ring) >= ring->max_bytes);
}

bool mproc_queue_is_shut_down(const mproc_queue *queue)
{
    return queue != NULL && mproc__ring_is_closed(mproc__queue_ring(queue));
}

int mproc_queue_shutdown(mproc_queue *queue)
{
    int rc = queue != NULL ? mproc__ring_close(mproc__queue_ring(queue))
                           : mproc__queue_is_null("shutdown");
    return rc == MPROC_ECLOSED
               ? mproc__fail_shortly(MPROC_ESTATE, "shutdown: the queue is shut down already")
               : rc;
}

/* ---- for who waits for other things, too ------------------------------------------------------ */

static uint32_t look(const struct mproc_object *object)
{
    (void)object;
    return 0; // an item that has come and gone again was another one's
}

static bool is_ready(const struct mproc_object *object, uint32_t before)
{
    const struct mproc__queue_shm *shm = object->shm;
    (void)before;
    return mproc__ring_count(&shm->ring) > 0 || mproc__ring_count_returned(&shm->ring) > 0 ||
           mproc__ring_is_closed(&shm->ring);
}

static void watch(struct mproc_object *object)
{
    struct mproc__queue_shm *shm = object->shm;
    mproc__bell_watch(&shm->ring.getters);
}

const struct mproc__waitable mproc__queue_waitable = {
    .look = look, .is_ready = is_ready, .watch = watch};
