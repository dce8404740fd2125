/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_nng.c: nng over ipc://: push0 to pull0, one to one; and pair0 for ping-pong.
 */
#include "peer.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <errno.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

#define DIAL_NS ((int64_t)5000000000)

/* Of this process: sockets to put into the channel to a side, and to take what came to it. */
struct end {
    nng_socket socket;
    bool is_open;
};
static struct end putters[2];
static struct end getters[2];

static void close_end(struct end *end)
{
    if (end->is_open) {
        nng_close(end->socket);
        end->is_open = false;
    }
}

/* Closing forgets what has not been sent yet. */
static void leave_nng(void *const objects[2])
{
    channel_peer_drain(channel_peer_of(objects));
    for (int side = 0; side < 2; side++) {
        close_end(&putters[side]);
        close_end(&getters[side]);
    }
}

static void close_nng(void *const objects[2])
{
    leave_nng(objects);
    channel_peer_close(objects);
}

static int open_nng(const struct channel_way *way, size_t size, void *ret_objects[2])
{
    (void)way;
    (void)size;
    return channel_peer_open(ret_objects);
}

/* The other one may not listen yet. */
static int dial(nng_socket socket, const char *address)
{
    int64_t end = bench_now() + DIAL_NS;
    int rc;
    while ((rc = nng_dial(socket, address, NULL, 0)) != 0 && bench_now() < end) {
        usleep(1000);
    }
    return rc;
}

/* Open an end at the address of the channel to `side`, unless it is open. An error number. */
static int open_end(struct end *end, void *const objects[2], enum bench_side side, bool listens,
                    int (*open)(nng_socket *socket))
{
    char address[96];
    if (end->is_open) {
        return 0;
    }
    channel_peer_address(channel_peer_of(objects), side, address, sizeof address);
    if (open(&end->socket) != 0) {
        return ENOMEM;
    }
    end->is_open = true;
    nng_socket_set_size(end->socket, NNG_OPT_RECVMAXSZ, 0);
    int rc = listens ? nng_listen(end->socket, address, NULL, 0) : dial(end->socket, address);
    return rc == 0 ? 0 : ECONNREFUSED;
}

static int send_message(const struct end *end, struct channel_count *put, const void *data,
                        size_t size)
{
    if (nng_send(end->socket, (void *)(uintptr_t)data, size, 0) != 0) {
        return EIO;
    }
    put->n++;
    return 0;
}

static int receive(const struct end *end, struct channel_count *taken, void *data, size_t size)
{
    if (nng_recv(end->socket, data, &size, 0) != 0) {
        return EIO;
    }
    taken->n++;
    return 0;
}

static int put_nng(void *const objects[2], enum bench_side to, const void *data, size_t size,
                   size_t count)
{
    (void)count;
    int rc = open_end(&putters[to], objects, to, false, nng_push0_open);
    return rc != 0 ? rc
                   : send_message(&putters[to], &channel_peer_of(objects)->put[to], data, size);
}

static int get_nng(void *const objects[2], enum bench_side at, void *data, size_t size,
                   size_t *ret_count)
{
    *ret_count = 1;
    int rc = open_end(&getters[at], objects, at, true, nng_pull0_open);
    return rc != 0 ? rc : receive(&getters[at], &channel_peer_of(objects)->taken[at], data, size);
}

/* Not for one thread, which could not dial before it listens. */
const struct channel_way channel_nng_ways[] = {
    {"nng", false, 0, 0, 1, 0, open_nng, close_nng, put_nng, get_nng, leave_nng},
    {0},
};

/* ---- ping-pong ---- */

/* One pair0 at each side, which both puts and gets: the first one listens. */
static int open_pair_end(void *const objects[2], enum bench_side side)
{
    return open_end(&getters[side], objects, BENCH_FIRST, side == BENCH_FIRST, nng_pair0_open);
}

static int open_pair(const struct bench_pair_way *way, void *ret_objects[2])
{
    (void)way;
    return channel_peer_open(ret_objects);
}

static int wait_pair(void *const objects[2], enum bench_side side)
{
    static unsigned char message[CHANNEL_SMALL];
    int rc = open_pair_end(objects, side);
    return rc != 0 ? rc
                   : receive(&getters[side], &channel_peer_of(objects)->taken[side], message,
                             sizeof message);
}

static int post_pair(void *const objects[2], enum bench_side side)
{
    static const unsigned char message[CHANNEL_SMALL];
    enum bench_side own = side == BENCH_FIRST ? BENCH_SECOND : BENCH_FIRST;
    int rc = open_pair_end(objects, own);
    return rc != 0 ? rc
                   : send_message(&getters[own], &channel_peer_of(objects)->put[side], message,
                                  sizeof message);
}

const struct bench_pair_way channel_nng_pairs[] = {
    {"nng", false, false, 0, open_pair, close_nng, wait_pair, post_pair, leave_nng},
    {0},
};
