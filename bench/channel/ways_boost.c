/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_boost.c: Boost.Interprocess message_queue.
 */
#include "channel.h"

#include "../support/bench.h"
#include "boost_queue.h"

static void close_boost(void *const objects[2])
{
    boost_queue_destroy(objects[0]);
    boost_queue_destroy(objects[1]);
}

static int open_boost(const struct channel_way *way, size_t size, void *ret_objects[2])
{
    if (size > CHANNEL_LARGE) {
        return bench_skip("%s: it would take memory for the most there can be", way->subject);
    }
    for (int side = 0; side < 2; side++) {
        ret_objects[side] = boost_queue_create(channel_depth(size), size);
    }
    if (!ret_objects[0] || !ret_objects[1]) {
        close_boost(ret_objects);
        return bench_skip("%s: the queue cannot be made", way->subject);
    }
    return 0;
}

static int put_boost(void *const objects[2], enum bench_side to, const void *data, size_t size,
                     size_t count)
{
    (void)count;
    return boost_queue_put(objects[to], data, size);
}

static int get_boost(void *const objects[2], enum bench_side at, void *data, size_t size,
                     size_t *ret_count)
{
    *ret_count = 1;
    return boost_queue_get(objects[at], data, size);
}

CHANNEL_PAIR(boost, open_boost, put_boost, get_boost)

const struct channel_way channel_boost_ways[] = {
    {"Boost message_queue", false, 0, 0, 1, SIZE_MAX, open_boost, close_boost, put_boost, get_boost,
     NULL},
    {0},
};

const struct bench_pair_way channel_boost_pairs[] = {
    {"Boost message_queue", false, false, 0, open_boost_pair, close_boost, wait_boost, post_boost,
     NULL},
    {0},
};
