/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.h: messages out of a stream of bytes, as CPython's multiprocessing.connection frames them.
 *
 * Wire     4 bytes, big-endian and signed: the size; then so many bytes. From 2 GiB on -1, then the size
 *          in 8 bytes. Where the system keeps messages apart (Windows' named pipes), nothing of that.
 * Trust    None: memory is taken as bytes come, at most twice as much as has come (64 KiB at first),
 *          never as a head claims. A message that is larger than allowed ends it all.
 * Partial  What has come stays, however often one gives up waiting for the rest.
 */
#ifndef MPROC_OBJECT_FRAME_H
#define MPROC_OBJECT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MPROC__FRAME_AHEAD 4096 /* what is read at once, at least: many small messages */
#define MPROC__FRAME_HEAD 12    /* bytes of the longest head */

typedef struct mproc__frame {
    bool is_bare;  /**< there are no heads: the system keeps messages apart */
    uint64_t most; /**< no message may be larger */

    unsigned char ahead[MPROC__FRAME_AHEAD]; /**< has come, and is not looked at yet: [at, end) */
    size_t ahead_bytes;                      /**< how many are read at once; fewer in tests */
    size_t at, end;
    bool is_end; /**< bare: a message ends where `ahead` ends */

    unsigned char head[MPROC__FRAME_HEAD];
    size_t n_head;
    bool has_size; /**< the head is complete */
    bool is_whole; /**< data holds a message */
    uint64_t size; /**< what the head says; bare: unknown until it is whole */
    char *data;
    uint64_t have, capacity;
} mproc__frame;

void mproc__frame_init(mproc__frame *frame, bool is_bare, uint64_t most);
void mproc__frame_fini(mproc__frame *frame);

/** Where the next bytes go, and how many at most. 0, or MPROC_ENOMEM. */
int mproc__frame_room(mproc__frame *frame, void **ret_place, size_t *ret_size);

/** So many have come there; `is_end`: of a bare one, whether a message ends behind them. */
void mproc__frame_fill(mproc__frame *frame, size_t size, bool is_end);

/**
 * Make a message of what has come.
 *
 * @return 1 (it is whole: data and size), 0 (more must come), MPROC_ETOOBIG (larger than `most`),
 *         MPROC_EMALFORMED, MPROC_ENOMEM (try again)
 */
int mproc__frame_step(mproc__frame *frame);

/** Be done with the message that was whole. */
void mproc__frame_next(mproc__frame *frame);

/** A copy, to go on with in another place; its data, `have` bytes, is yet to be copied: mproc__frame_give. */
mproc__frame mproc__frame_copy(const mproc__frame *frame);

/**
 * Give a copy its data.
 *
 * @param size  how many bytes there are, at least
 * @return 0; MPROC_ENOMEM; MPROC_ECORRUPT: it is not as one can be
 */
int mproc__frame_give(mproc__frame *copy, const void *data, uint64_t size);

/** Whether a message has begun and is not whole. */
bool mproc__frame_is_partial(const mproc__frame *frame);

/** Write the head of a message; how many bytes it has. */
size_t mproc__frame_head(uint64_t size, unsigned char ret_head[MPROC__FRAME_HEAD]);

#endif
