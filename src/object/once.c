/* SPDX-License-Identifier: Apache-2.0 */
/*
 * once.c: mproc_once.
 *
 * Layout  a mutex, whose owner runs the function, and whether that has succeeded
 * Commit  the store of is_done, which never changes again
 * Death   of the owner before that: the mutex's heir finds nothing done, and runs the function
 */
#include "mproc/once.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/mutex.h"
#include "family/note.h"
#include "family/object.h"
#include "family/thread.h"

#include <stddef.h>

struct once_shm {
    struct mproc__mutex_shm mutex;
    uint32_t is_done;
};

static struct once_shm *shm_of(const mproc_once *once)
{
    return once->object.shm;
}

static int no_once(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the once is NULL", verb);
}

int mproc_once_create(mproc_once **ret_once)
{
    struct mproc_object *object = NULL;
    int rc = ret_once != NULL
                 ? mproc__object_create(MPROC__KIND_ONCE, sizeof(struct once_shm), 0, &object)
                 : no_once("create");
    if (rc >= 0) {
        *ret_once = MPROC__CONTAINER(object, mproc_once, object);
    }
    return rc;
}

bool mproc_once_is_done(const mproc_once *once)
{
    return once != NULL && mproc__load32_acquire(&shm_of(once)->is_done) != 0;
}

static int call_slowly(const mproc_once *once, int (*function)(void *), void *data,
                       mproc_timeout timeout)
{
    struct once_shm *shm = shm_of(once);
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    mproc__thread_id self = mproc__thread_self();
    if (mproc__mutex_owner(&shm->mutex) == self) {
        return mproc__fail_shortly(MPROC_ESTATE, "call: called from inside the once's function");
    }
    mproc__deadline deadline = mproc__deadline_in(timeout);
    mproc__note_begin(once->object.offset, deadline);
    rc = mproc__mutex_acquire(&shm->mutex, self, deadline, NULL);
    mproc__note_end();
    if (rc < 0) {
        return mproc__fail_shortly(rc, "call: timed out; another one runs its function");
    }
    mproc__thread_holds++; // the function may end the thread
    rc = MPROC_OK;
    if (mproc__load32_acquire(&shm->is_done) == 0) {
        rc = function(data);
        if (rc >= 0) {
            mproc__store32_release(&shm->is_done, 1); /* COMMIT */
            MPROC__KILLPOINT("once.done");
            rc = MPROC_OK;
        }
    }
    mproc__thread_holds--;
    (void)mproc__mutex_release(&shm->mutex);
    return rc;
}

int mproc_once_call_within(mproc_once *once, int (*function)(void *data), void *data,
                           mproc_timeout timeout)
{
    if (once == NULL || function == NULL) {
        return once == NULL ? no_once("call")
                            : mproc__fail(MPROC_EINVAL, "call: the function is NULL");
    }
    return mproc_once_is_done(once) ? MPROC_OK : call_slowly(once, function, data, timeout);
}

int mproc_once_call(mproc_once *once, int (*function)(void *data), void *data)
{
    return mproc_once_call_within(once, function, data, MPROC_FOREVER);
}
