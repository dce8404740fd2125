/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix.h: what the files of this folder share.
 */
#ifndef MPROC_POSIX_POSIX_H
#define MPROC_POSIX_POSIX_H

#include "platform.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Descriptors that live long are kept above those that a new process is given by number. */
#define MPROC__POSIX_FIRST_FD 10

/** Look up this program's own file, once. */
void mproc__posix_find_program(void);

/** Its path; NULL when it cannot be found. */
const char *mproc__posix_program(void);

/** Move a descriptor to MPROC__POSIX_FIRST_FD or above, close-on-exec; on failure it is closed. */
int mproc__posix_raise_fd(int *fd);

/** What tells a process from others that have had its pid; 0 if that cannot be found out. */
uint64_t mproc__posix_birth(pid_t pid, int pidfd);

/** Have the null device at hand for mproc__posix_child_streams in a copy. */
void mproc__posix_open_null(void);

/** Make one descriptor another's copy that survives exec; for standard streams. */
int mproc__posix_redirect(int from, int to);

/* private.c: descriptors that a copy of this process must not keep. */
void mproc__posix_private_lock(void);
void mproc__posix_private_unlock(void);
void mproc__posix_mark_locked(int fd);

/* terminal.c: a copy of this process catches no interrupts; around fork(). */
void mproc__posix_interrupt_lock(void);
void mproc__posix_interrupt_unlock(void);
void mproc__posix_interrupt_forget(void);

/** Let copies keep a descriptor after all. */
void mproc__posix_share(int fd);

/** Close any descriptor, private or not; none is fine. */
void mproc__posix_close(int fd);

/* thread.c */

/** Whether a thread is one of the library's own; else how many of these have not told their number yet. */
bool mproc__posix_is_own_locked(uint32_t number, uint32_t *n_unborn);

/** In a copy: there are none. */
void mproc__posix_threads_forget(void);

/** In a copy: close what is private, and unlock. */
void mproc__posix_private_forget(void);

/**
 * A pair of message sockets, close-on-exec; the first one is private.
 *
 * @param is_raised  whether they are to be out of the way of a new program's descriptors
 */
int mproc__posix_socketpair(int fds[2], bool is_raised);

/** Make a family's bag; without one if that cannot be. */
void mproc__posix_bag_make(mplat_bag *ret_bag);

/** The bag that is behind these descriptors. */
mplat_bag mproc__posix_bag_at(int in, int out);

/* Where a fresh process finds what it is given; with a bag or without one. */
enum { MPROC__WIRE_FD = 3, MPROC__ARENA_FD = 4, MPROC__BAG_IN_FD = 5, MPROC__BAG_OUT_FD = 6 };
#define MPROC__EXTRA_FD(has_bag) ((has_bag) ? 7 : 5)

#define MPROC__POSIX_MAX_FDS 8

/**
 * Send a message with descriptors.
 *
 * @param is_blocking  wait for room; otherwise MPROC_ETIMEDOUT when there is none
 * @return 0, MPROC_EPEER (nobody listens) or what the system says
 */
int mproc__posix_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds);

/**
 * Receive a message with descriptors, close-on-exec and private.
 *
 * @param deadline    mplat_now's clock
 * @param ret_fds     room for MPROC__POSIX_MAX_FDS
 * @return 0, MPROC_EPEER (the other side is gone), MPROC_ETIMEDOUT, MPROC_EMFILE (descriptors were
 *         lost for want of room: those that came are closed), MPROC_ECORRUPT (another size)
 */
int mproc__posix_receive(int fd, void *data, size_t size, int *ret_fds, size_t *ret_n_fds,
                         int64_t deadline);

/** Close all descriptors from `first` on. */
void mproc__posix_close_from(int first);

/** Have the system kill this process when the other end of `fd` is closed for good. */
int mproc__posix_die_with(int fd);

/** A descriptor that tells the end of a process exactly; -1 where the kernel has none. */
int mproc__posix_pidfd(pid_t pid);

/** Note how many processes have been killed for want of memory so far; before a child is started. */
void mproc__posix_watch_memory(void);

/** Translate what wait4 said. */
struct rusage;
mplat_exit mproc__posix_exit(int status, const struct rusage *usage);

/** In a new process: clean signal mask; standard input the null device unless given. */
bool mproc__posix_is_orphaned(int wire);
int mproc__posix_child_streams(const mplat_handle stdio[3]);
void mproc__posix_child_signals(void);

#endif
