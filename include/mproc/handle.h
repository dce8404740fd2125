/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/handle.h: descriptors and handles of the system, passed to other processes.
 *
 * An mproc_handle is a shared object like all others, and goes wherever these go: in arguments, through
 * queues, into dicts and lists, any number of them in one message. Each process that gets it can make
 * itself a descriptor of what is behind it: a file, a pipe's end, a socket, and on Windows whatever has a
 * HANDLE, an event or a process, say.
 *
 * What it is made from may be closed at once, and its maker may end: the family keeps it, for as long as
 * anybody holds the object, in a process, or in a message that nobody has received yet. With the last hold
 * it goes, however that is lost; if nobody has it open then, a socket's or pipe's other side sees the end.
 */
#ifndef MPROC_HANDLE_H
#define MPROC_HANDLE_H

#include <stdint.h>

#include "mproc/export.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/** A kernel object that processes pass on: this process's handle of it. */
typedef struct mproc_handle mproc_handle;

/**
 * Create a handle of a kernel object that this process has open.
 *
 * Python: multiprocessing.reduction.DupFd(fd), DupHandle(handle), DupSocket(socket)
 *
 * @param native  a descriptor; on Windows a HANDLE or SOCKET as intptr_t. It stays the caller's, who may
 *                close it as soon as this call has returned.
 * @return 0; MPROC_EINVAL (it is none, or of a kind that cannot be passed); MPROC_ENOSPC or MPROC_EMFILE:
 *         the system keeps no more of them for the family, or for this user. On Linux there is room for
 *         some hundred at a time (net.core.wmem_max), and for as many as RLIMIT_NOFILE says.
 *         MPROC_ENOTSUP: this process has closed all descriptors, mproc's among them, or the family never
 *         got any for this. MPROC_ENOMEM
 * @owner  the caller, until mproc_handle_close
 * @blocking  for microseconds
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_handle_create(mproc_handle **ret_handle, intptr_t native);

/**
 * Have what is behind a handle: a descriptor of the calling process's own, as if by dup() or
 * DuplicateHandle(). Any number of processes may do so, any number of times; the handle itself stays as
 * it is. All of them share one file position, as duplicates do.
 *
 * Python: DupFd.detach(), DupHandle.detach(), DupSocket.detach()
 *
 * @param ret_native  close-on-exec, or not inheritable; for close(), CloseHandle() or closesocket()
 * @return 0; MPROC_EMFILE: this process can have no more descriptors, and nothing is lost: when it has
 *         closed some, the call can be repeated. MPROC_ENOTSUP: as mproc_handle_create. MPROC_EPEER (on
 *         Windows): the process that kept it is gone, the family's first one. MPROC_EINVAL
 * @owner  the caller, from whom it is not taken when the handle is closed
 * @blocking  for microseconds; longer, the more handles the family has
 * @safety any thread of any member process
 * @death  of others: costs nothing. Killed in it, a process leaves the handle as it was.
 */
MPROC_API MPROC_NODISCARD int mproc_handle_open(const mproc_handle *handle, intptr_t *ret_native);

/** Take one more hold on a handle, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_handle_attach(mproc_handle **ret_handle,
                                                  const mproc_handle *handle);

/**
 * Give up this process's hold on the handle, as mproc_lock_close. What mproc_handle_open gave out stays
 * open. On Windows, a process that is killed while it gives up the last hold can leave one handle open in
 * the family's first process, until that ends.
 */
MPROC_API void mproc_handle_close(mproc_handle *handle);

MPROC_END_DECLS

#endif
