/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_zmq.c: ZeroMQ over ipc://: PUSH to PULL, one to one; and PAIR for ping-pong.
 *
 * Not several to several: PUSH deals its messages out to the consumers in turn, so none could tell from
 * a last message that nothing more will come.
 */
#include "peer.h"

#include "../support/bench.h"

#include <errno.h>
#include <zmq.h>

/* Of this process: sockets to put into the channel to a side, and to take what came to it. */
static void *context;
static void *putters[2];
static void *getters[2];

static void leave_zmq(void *const objects[2])
{
    channel_peer_drain(channel_peer_of(objects)); // lingering was seen to lose the last message
    for (int side = 0; side < 2; side++) {
        if (putters[side]) {
            zmq_close(putters[side]);
        }
        if (getters[side] && getters[side] != putters[1 - side]) {
            zmq_close(getters[side]);
        }
        putters[side] = NULL;
    }
    getters[0] = NULL;
    getters[1] = NULL;
    if (context) {
        zmq_ctx_term(context);
        context = NULL;
    }
}

static void close_zmq(void *const objects[2])
{
    leave_zmq(objects);
    channel_peer_close(objects);
}

static int open_zmq(const struct channel_way *way, size_t size, void *ret_objects[2])
{
    (void)way;
    (void)size;
    return channel_peer_open(ret_objects);
}

/* A socket at the address of the channel to `side`; NULL: errno says why not. */
static void *open_socket(void *const objects[2], enum bench_side side, int type, int depth,
                         int (*reach)(void *socket, const char *address))
{
    char address[96];
    channel_peer_address(channel_peer_of(objects), side, address, sizeof address);
    context = context ? context : zmq_ctx_new();
    void *socket = context ? zmq_socket(context, type) : NULL;
    if (socket) {
        zmq_setsockopt(socket, ZMQ_SNDHWM, &depth, sizeof depth);
        zmq_setsockopt(socket, ZMQ_RCVHWM, &depth, sizeof depth);
        if (reach(socket, address) != 0) {
            zmq_close(socket);
            socket = NULL;
        }
    }
    return socket;
}

static int send_to(void *const objects[2], enum bench_side to, void *socket, const void *data,
                   size_t size)
{
    if (!socket || zmq_send(socket, data, size, 0) < 0) {
        return errno;
    }
    channel_peer_of(objects)->put[to].n++;
    return 0;
}

static int receive_at(void *const objects[2], enum bench_side at, void *socket, void *data,
                      size_t size)
{
    if (!socket || zmq_recv(socket, data, size, 0) < 0) {
        return errno;
    }
    channel_peer_of(objects)->taken[at].n++;
    return 0;
}

static int put_zmq(void *const objects[2], enum bench_side to, const void *data, size_t size,
                   size_t count)
{
    (void)count;
    if (!putters[to]) {
        putters[to] = open_socket(objects, to, ZMQ_PUSH, (int)channel_depth(size), zmq_connect);
    }
    return send_to(objects, to, putters[to], data, size);
}

static int get_zmq(void *const objects[2], enum bench_side at, void *data, size_t size,
                   size_t *ret_count)
{
    *ret_count = 1;
    if (!getters[at]) {
        getters[at] = open_socket(objects, at, ZMQ_PULL, (int)channel_depth(size), zmq_bind);
    }
    return receive_at(objects, at, getters[at], data, size);
}

const struct channel_way channel_zmq_ways[] = {
    {"ZeroMQ", false, 0, 0, 1, 0, open_zmq, close_zmq, put_zmq, get_zmq, leave_zmq},
    {0},
};

/* ---- ping-pong ---- */

/* One PAIR at each side, which both puts and gets: the first one binds. */
static void *pair_of(void *const objects[2], enum bench_side side)
{
    if (!getters[side]) {
        getters[side] = open_socket(objects, BENCH_FIRST, ZMQ_PAIR, CHANNEL_DEPTH,
                                    side == BENCH_FIRST ? zmq_bind : zmq_connect);
        putters[1 - side] = getters[side];
    }
    return getters[side];
}

static int open_pair(const struct bench_pair_way *way, void *ret_objects[2])
{
    (void)way;
    return channel_peer_open(ret_objects);
}

static int wait_pair(void *const objects[2], enum bench_side side)
{
    static unsigned char message[CHANNEL_SMALL];
    return receive_at(objects, side, pair_of(objects, side), message, sizeof message);
}

static int post_pair(void *const objects[2], enum bench_side side)
{
    static const unsigned char message[CHANNEL_SMALL];
    void *socket = pair_of(objects, side == BENCH_FIRST ? BENCH_SECOND : BENCH_FIRST);
    return send_to(objects, side, socket, message, sizeof message);
}

const struct bench_pair_way channel_zmq_pairs[] = {
    {"ZeroMQ", false, false, 0, open_pair, close_zmq, wait_pair, post_pair, leave_zmq},
    {0},
};
