/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.c: see peer.h.
 */
#include "peer.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DRAIN_NS ((int64_t)5000000000)

int channel_peer_open(void *ret_objects[2])
{
    struct channel_peer *peer =
        // cppcheck-suppress invalidFunctionArg
        mmap(NULL, sizeof *peer, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (peer == MAP_FAILED) {
        return bench_skip("mmap: %s", strerror(errno));
    }
    snprintf(peer->folder, sizeof peer->folder, "/tmp/bench-channel-XXXXXX");
    if (!mkdtemp(peer->folder)) {
        int rc = bench_skip("%s: %s", peer->folder, strerror(errno));
        munmap(peer, sizeof *peer);
        return rc;
    }
    ret_objects[0] = peer;
    ret_objects[1] = NULL;
    return 0;
}

static void path_of(const struct channel_peer *peer, int side, char *text, size_t size)
{
    snprintf(text, size, "%s/%d", peer->folder, side);
}

void channel_peer_address(const struct channel_peer *peer, enum bench_side side, char *text,
                          size_t size)
{
    snprintf(text, size, "ipc://%s/%d", peer->folder, side);
}

void channel_peer_close(void *const objects[2])
{
    struct channel_peer *peer = channel_peer_of(objects);
    for (int side = 0; side < 2; side++) {
        char path[96];
        path_of(peer, side, path, sizeof path);
        (void)unlink(path);
    }
    (void)rmdir(peer->folder);
    munmap(peer, sizeof *peer);
}

void channel_peer_drain(const struct channel_peer *peer)
{
    int64_t end = bench_now() + DRAIN_NS;
    while ((peer->put[0].n != peer->taken[0].n || peer->put[1].n != peer->taken[1].n) &&
           bench_now() < end) {
        usleep(1000);
    }
}
