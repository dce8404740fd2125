/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invoke_lock.c: the methods of locks, rlocks and semaphores by name; see mproc/lock.h and mproc/semaphore.h.
 */
#include "base/compiler.h"
#include "base/status.h"
#include "mproc/lock.h"
#include "mproc/semaphore.h"
#include "service/invoke.h"

/* ---- locks ----------------------------------------------------------------------------------- */

static int try_lock(mproc__invocation *call, mproc_timeout timeout)
{
    return call->object->kind == MPROC__KIND_LOCK
               ? mproc_lock_acquire(MPROC__SELF(call, mproc_lock), timeout)
               : mproc_rlock_acquire(MPROC__SELF(call, mproc_rlock), timeout);
}

static int lock_acquire(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc__invoke_wait(call, try_lock);
}

static int lock_release(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_lock_release(MPROC__SELF(call, mproc_lock));
}

static int lock_is_locked(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc
                  : mproc__invoke_bool(call, mproc_lock_is_locked(MPROC__SELF(call, mproc_lock)));
}

const mproc__method mproc__methods_lock[] = {
    {"acquire", lock_acquire},
    {"release", lock_release},
    {"is_locked", lock_is_locked},
    {NULL, NULL},
};

static int rlock_release(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_rlock_release(MPROC__SELF(call, mproc_rlock));
}

static int rlock_is_locked(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc
                  : mproc__invoke_bool(call, mproc_rlock_is_locked(MPROC__SELF(call, mproc_rlock)));
}

const mproc__method mproc__methods_rlock[] = {
    {"acquire", lock_acquire},
    {"release", rlock_release},
    {"is_locked", rlock_is_locked},
    {NULL, NULL},
};

/* ---- semaphores ------------------------------------------------------------------------------ */

static int try_permit(mproc__invocation *call, mproc_timeout timeout)
{
    return mproc_semaphore_acquire(MPROC__SELF(call, mproc_semaphore), timeout);
}

static int semaphore_acquire(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc__invoke_wait(call, try_permit);
}

static int semaphore_release(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_semaphore_release(MPROC__SELF(call, mproc_semaphore));
}

static int semaphore_get_value(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return mproc__invoke_int(call, rc,
                             mproc_semaphore_get_value(MPROC__SELF(call, mproc_semaphore)));
}

const mproc__method mproc__methods_semaphore[] = {
    {"acquire", semaphore_acquire},
    {"release", semaphore_release},
    {"get_value", semaphore_get_value},
    {NULL, NULL},
};
