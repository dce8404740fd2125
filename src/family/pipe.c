/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe.c: see pipe.h.
 */
#include "family/pipe.h"

#include "base/check.h"

void mproc__pipe_lose(const struct mproc__pipe_end_shm *end)
{
    if (end->transport != 0 || end->pipe == 0) {
        return;
    }
    struct mproc__pipe_shm *pipe = mproc__block_at(end->pipe);
    mproc__store32_release(&pipe->is_gone[end->side], 1); /* COMMIT */
    mproc__ring_lose_putters(&pipe->ring[end->side]);
    mproc__ring_lose_getters(&pipe->ring[1 - end->side]);
}

bool mproc__pipe_drop_one(struct mproc__pipe_shm *pipe, mproc__txn *txn)
{
    return mproc__ring_drop_one(&pipe->ring[0], txn) || mproc__ring_drop_one(&pipe->ring[1], txn);
}
