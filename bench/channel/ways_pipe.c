/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_pipe.c: mproc's pipes: bytes, values. For every system, as ways_mproc.c.
 */
#include "channel.h"

#include "../support/bench.h"

#include <mproc/connection.h>
#include <mproc/error.h>
#include <mproc/value.h>

#include <string.h>

/* channel_way.option and bench_pair_way.option: poll() and its like can wait for it. */
enum { PLAIN, KERNEL };

/* One duplex pipe: its first end is side 0's. */
static void close_ends(void *const objects[2])
{
    mproc_connection_close(objects[0]);
    mproc_connection_close(objects[1]);
}

static int open_ends(const struct channel_way *way, size_t size, void *ret_objects[2])
{
    mproc_connection *ends[2];
    const mproc_pipe_options options = {.kernel = way->option == KERNEL};
    (void)size;
    int rc = mproc_pipe_create(&ends[0], &ends[1], &options);
    if (rc < 0) {
        return bench_fail("%s: %s (%s)", way->subject, mproc_strerror(rc), mproc_last_error());
    }
    ret_objects[0] = ends[0];
    ret_objects[1] = ends[1];
    return 0;
}

/* ---- bytes ---- */

static int send_bytes(void *const objects[2], enum bench_side to, const void *data, size_t size,
                      size_t count)
{
    (void)count;
    return mproc_connection_send_bytes(objects[1 - to], data, size, MPROC_FOREVER);
}

static int receive_bytes(void *const objects[2], enum bench_side at, void *data, size_t size,
                         size_t *ret_count)
{
    size_t unused;
    *ret_count = 1;
    return mproc_connection_recv_bytes_into(objects[at], data, size, &unused, MPROC_FOREVER);
}

CHANNEL_PAIR(bytes, open_ends, send_bytes, receive_bytes)

/* ---- an integer ---- */

static int send_int(void *const objects[2], enum bench_side to, const void *data, size_t size,
                    size_t count)
{
    int64_t number;
    (void)count;
    memcpy(&number, data, size);
    return mproc_connection_send(objects[1 - to], MPROC_VALUE(number), MPROC_FOREVER);
}

static int receive_int(void *const objects[2], enum bench_side at, void *data, size_t size,
                       size_t *ret_count)
{
    mproc_value value;
    int rc = mproc_connection_recv(objects[at], &value, MPROC_FOREVER);
    if (rc == 0) {
        memcpy(data, &value.as.integer, size);
        mproc_value_clear(&value);
    }
    *ret_count = 1;
    return rc;
}

const struct channel_way channel_pipe_ways[] = {
    {"mproc Pipe", true, PLAIN, 0, 1, SIZE_MAX, open_ends, close_ends, send_bytes, receive_bytes,
     NULL},
    {"mproc Pipe, value", true, PLAIN, CHANNEL_INT, 1, SIZE_MAX, open_ends, close_ends, send_int,
     receive_int, NULL},
    {"mproc Pipe, kernel", true, KERNEL, CHANNEL_SMALL, 1, SIZE_MAX, open_ends, close_ends,
     send_bytes, receive_bytes, NULL},
    {0},
};

const struct bench_pair_way channel_pipe_pairs[] = {
    {"mproc Pipe", true, false, PLAIN, open_bytes_pair, close_ends, wait_bytes, post_bytes, NULL},
    {"mproc Pipe, kernel", true, false, KERNEL, open_bytes_pair, close_ends, wait_bytes, post_bytes,
     NULL},
    {0},
};
