/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_mproc.c: mproc's own queues: bytes, several at a time, values.
 */
#include "channel.h"

#include "../support/bench.h"

#include <mproc/error.h>
#include <mproc/queue.h>
#include <mproc/value.h>

#include <string.h>

static void close_queues(void *const objects[2])
{
    mproc_queue_close(objects[0]);
    mproc_queue_close(objects[1]);
}

static int open_queues(const struct channel_way *way, size_t size, void *ret_objects[2])
{
    const mproc_queue_options options = {.max_items = channel_depth(size)};
    mproc_queue *queues[2] = {NULL, NULL};
    int rc = mproc_queue_create(&queues[0], &options);
    rc = rc < 0 ? rc : mproc_queue_create(&queues[1], &options);
    ret_objects[0] = queues[0];
    ret_objects[1] = queues[1];
    if (rc < 0) {
        close_queues(ret_objects);
        return bench_fail("%s: %s (%s)", way->subject, mproc_strerror(rc), mproc_last_error());
    }
    return 0;
}

/* ---- bytes ---- */

static int put_bytes(void *const objects[2], enum bench_side to, const void *data, size_t size,
                     size_t count)
{
    (void)count;
    return mproc_queue_put_bytes(objects[to], data, size, MPROC_FOREVER);
}

static int get_bytes(void *const objects[2], enum bench_side at, void *data, size_t size,
                     size_t *ret_count)
{
    size_t unused;
    *ret_count = 1;
    return mproc_queue_get_bytes(objects[at], data, size, &unused, MPROC_FOREVER);
}

CHANNEL_PAIR(bytes, open_queues, put_bytes, get_bytes)

/* ---- many at a time ---- */

static int put_many(void *const objects[2], enum bench_side to, const void *data, size_t size,
                    size_t count)
{
    mproc_value values[CHANNEL_BATCH];
    for (size_t i = 0; i < count; i++) {
        values[i].type = MPROC_BYTES;
        values[i].as.bytes = mproc_bytes_of((const unsigned char *)data + i * size, size);
    }
    return mproc_queue_put_many(objects[to], values, count, NULL, MPROC_FOREVER);
}

static int get_many(void *const objects[2], enum bench_side at, void *data, size_t size,
                    size_t *ret_count)
{
    mproc_value values[CHANNEL_BATCH];
    int rc = mproc_queue_get_many(objects[at], values, CHANNEL_BATCH, ret_count, MPROC_FOREVER);
    for (size_t i = 0; i < *ret_count; i++) {
        memcpy((unsigned char *)data + i * size, values[i].as.bytes.data, size);
        mproc_value_clear(&values[i]);
    }
    return rc;
}

/* ---- in place: written where it is read; the only copy stands for the writing ---- */

static int put_in_place(void *const objects[2], enum bench_side to, const void *data, size_t size,
                        size_t count)
{
    mproc_loan loan;
    int rc = mproc_queue_reserve(objects[to], size, &loan);
    (void)count;
    if (rc == 0) {
        memcpy(loan.data, data, size);
        rc = mproc_queue_commit(objects[to], &loan, MPROC_FOREVER);
    }
    return rc;
}

static int get_in_place(void *const objects[2], enum bench_side at, void *data, size_t size,
                        size_t *ret_count)
{
    mproc_loan loan;
    int rc = mproc_queue_peek(objects[at], &loan, MPROC_FOREVER);
    if (rc == 0) {
        memcpy(data, loan.data, size < sizeof(uint64_t) ? size : sizeof(uint64_t));
        mproc_loan_release(&loan);
    }
    *ret_count = 1;
    return rc;
}

/* ---- an integer ---- */

static int put_int(void *const objects[2], enum bench_side to, const void *data, size_t size,
                   size_t count)
{
    int64_t number;
    (void)count;
    memcpy(&number, data, size);
    return mproc_queue_put(objects[to], MPROC_VALUE(number), MPROC_FOREVER);
}

static int get_int(void *const objects[2], enum bench_side at, void *data, size_t size,
                   size_t *ret_count)
{
    mproc_value value;
    int rc = mproc_queue_get(objects[at], &value, MPROC_FOREVER);
    if (rc == 0) {
        memcpy(data, &value.as.integer, size);
        mproc_value_clear(&value);
    }
    *ret_count = 1;
    return rc;
}

const struct channel_way channel_mproc_ways[] = {
    {"mproc", true, 0, 0, 1, SIZE_MAX, open_queues, close_queues, put_bytes, get_bytes, NULL},
    {"mproc, 64 at a time", true, 0, CHANNEL_SMALL, CHANNEL_BATCH, SIZE_MAX, open_queues,
     close_queues, put_many, get_many, NULL},
    {"mproc, in place", true, 0, CHANNEL_LARGE, 1, SIZE_MAX, open_queues, close_queues,
     put_in_place, get_in_place, NULL},
    {"mproc, in place", true, 0, CHANNEL_HUGE, 1, SIZE_MAX, open_queues, close_queues, put_in_place,
     get_in_place, NULL},
    {"mproc value", true, 0, CHANNEL_INT, 1, SIZE_MAX, open_queues, close_queues, put_int, get_int,
     NULL},
    {0},
};

const struct bench_pair_way channel_mproc_pairs[] = {
    {"mproc", true, false, 0, open_bytes_pair, close_queues, wait_bytes, post_bytes, NULL},
    {0},
};
