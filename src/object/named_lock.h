/* SPDX-License-Identifier: Apache-2.0 */
/*
 * named_lock.h: what a handle of a lock by name has in its own process: its part in the process's use.
 */
#ifndef MPROC_OBJECT_NAMED_LOCK_H
#define MPROC_OBJECT_NAMED_LOCK_H

#include "family/object.h"
#include "mproc/named_lock.h"

/** Open what the object's block names. 0, MPROC_ENOENT (the name is gone), MPROC_ENOMEM ... */
int mproc__named_lock_open_local(struct mproc_object *object);

/** Give it up, and release the lock with the last handle if the calling thread holds it. */
void mproc__named_lock_leave_local(struct mproc_object *object);

#endif
