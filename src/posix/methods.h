/* SPDX-License-Identifier: Apache-2.0 */
/*
 * methods.h: the start methods that only POSIX systems have.
 */
#ifndef MPROC_POSIX_METHODS_H
#define MPROC_POSIX_METHODS_H

#include <stdint.h>

#include "object/start.h"

extern const mproc_context mproc__context_fork;
extern const mproc_context mproc__context_forkserver;

/* What client, server and child say to each other. Member ids name the parties. */

enum mproc__word {
    MPROC__WORD_HELLO = 1, /**< client to door, with its connection: 1 descriptor */
    MPROC__WORD_ORDER = 2, /**< client to server: make one child */
    MPROC__WORD_READY =
        3, /**< server to client: wire, sentinel and job socket of a child; or status */
    MPROC__WORD_JOB = 4 /**< client to child, over its job socket: its streams, and the door */
};

#define MPROC__READY_FDS 3

struct mproc__message {
    uint64_t word;
    uint64_t order;   /**< ORDER, READY: the client's number of it */
    uint64_t member;  /**< HELLO: the client; READY: the child */
    int64_t pid;      /**< READY */
    int64_t status;   /**< READY: 0, or why there is none */
    uint64_t streams; /**< JOB: bit i: a descriptor for stream i is with it; bit 3: the door */
    char story[128];  /**< READY with a negative status */
};

#endif
