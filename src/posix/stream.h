/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h: what listen.c and stream.c share.
 */
#ifndef MPROC_POSIX_STREAM_H
#define MPROC_POSIX_STREAM_H

#include "platform.h"

#include <sys/types.h>

struct mplat_stream {
    int fd;      /**< a socket that never blocks, private: copies of this process do not keep it */
    pid_t owner; /**< whose it is */
    enum mplat_family family;
    bool is_public;
    char *path;   /**< of a listener: the file to remove; NULL: none */
    dev_t device; /**< which file that was */
    ino_t inode;
};

/** A stream of a new socket, which it owns from here on, also on failure. */
int mproc__posix_stream(int fd, enum mplat_family family, mplat_stream **ret_stream);

/** Wait for a descriptor. 0, MPROC_ETIMEDOUT or what the system says. */
int mproc__posix_await(int fd, short events, int64_t deadline);

#endif
