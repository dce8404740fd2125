/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h: other processes of the family as one word each, and open handles on them.
 *
 * A word is the process's number and the low half of its birth: 32 bits of 100 ns. Two processes
 * get the same word only if the second one has the first one's number and was born a multiple of
 * 429.5 s later, on the same 100 ns. 0 is nobody.
 */
#ifndef MPROC_WIN32_PEER_H
#define MPROC_WIN32_PEER_H

#include "platform.h"

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t mproc__peer_word(const mplat_identity *who)
{
    return (uint64_t)(uint32_t)who->pid << 32 | (uint32_t)who->birth;
}

static inline uint32_t mproc__peer_pid(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

/** The word of the process that holds a life token; 0: nobody does. */
uint64_t mproc__life_holder(const mplat_life *life);

/** The calling process's own word. */
uint64_t mproc__peer_self(void);

/** A loan of a process's handle: may wait for its end, duplicate handles from it, nothing more. */
typedef struct mproc__peer {
    void *process;
    int slot; /**< where it is kept; negative: the borrower's own */
} mproc__peer;

/**
 * Borrow a handle.
 *
 * @return 1 and the loan: the process may be dead by now; 0: it is gone; negative: it lives, as far
 *         as anybody knows, but may not be opened
 */
int mproc__peer_get(uint64_t word, mproc__peer *ret_peer);

/** Give the loan back. */
void mproc__peer_put(const mproc__peer *peer);

/** Whether a process lives. What cannot be found out is alive. */
bool mproc__peer_alive(uint64_t word);

/** Do not keep a handle on a process that is known to be dead. */
void mproc__peer_forget(uint64_t word);

#endif
