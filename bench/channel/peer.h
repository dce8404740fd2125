/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h: what libraries need whose sockets do not survive a fork: a folder for them, and counters.
 *
 * A process opens its socket when it first uses a channel. objects[0] is a struct channel_peer in memory
 * that forked processes share.
 */
#ifndef MPROC_BENCH_CHANNEL_PEER_H
#define MPROC_BENCH_CHANNEL_PEER_H

#include "channel.h"

struct channel_peer {
    char folder[64];
    /* Messages that were handed over to the library for a side, and that it has delivered there: each
     * counted by one process. */
    struct channel_count {
        volatile uint32_t n;
        char pad[2 * BENCH_LINE - 4];
    } put[2], taken[2];
};

/* Make one, with its folder. 0, or what bench_skip returns. */
int channel_peer_open(void *ret_objects[2]);

/* Remove the folder with the sockets that are left in it. */
void channel_peer_close(void *const objects[2]);

static inline struct channel_peer *channel_peer_of(void *const objects[2])
{
    return objects[0];
}

/* The address of the channel to a side. */
void channel_peer_address(const struct channel_peer *peer, enum bench_side side, char *text,
                          size_t size);

/* Wait until all that was put has been delivered, or for some seconds. */
void channel_peer_drain(const struct channel_peer *peer);

#endif
