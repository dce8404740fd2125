/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/once.h: something that is done once in the family, by whoever needs it first.
 */
#ifndef MPROC_ONCE_H
#define MPROC_ONCE_H

#include <stdbool.h>

#include "mproc/export.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** Something to be done once: this process's handle of it. */
typedef struct mproc_once mproc_once;

/**
 * Create a once, which is not done.
 *
 * Python: nothing like it. C++: std::once_flag
 *
 * @return 0, MPROC_EINVAL, MPROC_ENOMEM or MPROC_ENOSPC
 * @owner  the caller, until mproc_once_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_once_create(mproc_once **ret_once);

/**
 * Run a function if no call has succeeded in that yet; else return at once. Of several callers one runs
 * its function, and the others wait for it. All should bring the same function: what one has done counts
 * for all.
 *
 * C++: std::call_once
 *
 * @param function  negative: it has failed, and the next caller runs its own. It may be begun again after
 *                  one has failed or died in the middle.
 * @param data      handed to it; NULL is fine
 * @return 0 (done, by this call or another); what the caller's own function returned, if negative;
 *         MPROC_ESTATE (called from inside the function); MPROC_EINVAL for NULL; MPROC_ENOSPC when 65,535
 *         threads of the family use mproc already
 * @blocking  while another one runs its function. Done, it costs one look.
 * @safety any thread of any member process
 * @death  killed in the function: who waits or comes next runs it. All that the function of a successful
 *         call has stored is seen by those who find it done.
 */
MPROC_API MPROC_NODISCARD int mproc_once_call(mproc_once *once, int (*function)(void *data),
                                              void *data);

/**
 * mproc_once_call that does not wait for others for ever; its own function takes the time it takes.
 *
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return as mproc_once_call; MPROC_ETIMEDOUT (another one runs its function still)
 */
MPROC_API MPROC_NODISCARD int mproc_once_call_within(mproc_once *once, int (*function)(void *data),
                                                     void *data, mproc_timeout timeout);

/** Whether it is done; false for NULL. */
MPROC_API bool mproc_once_is_done(const mproc_once *once);

/** Take one more hold on a once, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_once_attach(mproc_once **ret_once, const mproc_once *once);

/** Give up this process's hold on the once, as mproc_lock_close. */
MPROC_API void mproc_once_close(mproc_once *once);

MPROC_END_DECLS

#endif
