/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe.h: two rings with two ends, and what becomes of them when an end is gone.
 *
 * Layout    The pipe is a block of its own, held by the blocks of its two ends, and by nothing else.
 * Always    P1  is_gone[side] is set only when nobody holds that end's block any more: no thread of it
 *               can be, or come to be, inside one of the rings' functions
 * Commit    the store of is_gone[side]; all of it may be done twice
 * Death     The end's block is in the graveyard until all of it is done: who empties that next does it
 *           again, and who sleeps looks again.
 */
#ifndef MPROC_FAMILY_PIPE_H
#define MPROC_FAMILY_PIPE_H

#include <stdint.h>

#include "family/ring.h"

struct mproc__pipe_shm {
    uint32_t is_gone[2]; /**< by side */
    uint32_t has_bell;   /**< constant: the system can wait for it, see object/doorbell.h */
    uint32_t is_rung[2]; /**< by the side that sends; by the holder of the ring's put.mutex */
    uint32_t reserved[11];
    struct mproc__ring_shm ring[2]; /**< by the side that sends; without a segment: it does not */
};

/** One end, as it stands at the beginning of a connection's payload: see object/connection.h. */
struct mproc__pipe_end_shm {
    uint32_t transport; /**< 0: this is one */
    uint32_t rights;
    uint64_t pipe; /**< offset of its block; 0: not yet one */
    uint32_t side;
};

/** Nobody has this end any more: what it has sent is followed by the end, and nobody waits for it. */
void mproc__pipe_lose(const struct mproc__pipe_end_shm *end);

/** As mproc__ring_drop_one, of both rings. */
bool mproc__pipe_drop_one(struct mproc__pipe_shm *pipe, mproc__txn *txn);

#endif
