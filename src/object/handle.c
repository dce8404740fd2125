/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle.c: mproc_handle: a block that names a kernel object in the family's bag, see family/bag.h.
 *
 * Layout  the block's payload is an mplat_bagged: constant from the end of its creation on
 * Death   with the block, however it goes, goes what is in the bag
 */
#include "mproc/handle.h"

#include "base/status.h"
#include "family/bag.h"
#include "family/family.h"
#include "family/object.h"

#include <stddef.h>

static int create_locked(intptr_t native, struct mproc_object **ret_object)
{
    struct mproc_object *object = NULL;
    int rc = mproc__object_create(MPROC__KIND_HANDLE, sizeof(mplat_bagged), 0, &object);
    if (rc < 0) {
        return rc;
    }
    rc = mproc__bag_put(object->offset, native);
    if (rc < 0) {
        mproc__object_close(object);
        return rc;
    }
    *ret_object = object;
    return MPROC_OK;
}

int mproc_handle_create(mproc_handle **ret_handle, intptr_t native)
{
    struct mproc_object *object = NULL;
    if (ret_handle == NULL || native == MPLAT_NO_HANDLE.os) {
        return mproc__fail(MPROC_EINVAL,
                           "create: there is no descriptor, or no place for the handle");
    }
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    mproc__bag_lock();
    rc = create_locked(native, &object);
    mproc__bag_unlock();
    if (rc >= 0) {
        *ret_handle = MPROC__CONTAINER(object, mproc_handle, object);
    }
    return rc;
}

int mproc_handle_open(const mproc_handle *handle, intptr_t *ret_native)
{
    if (handle == NULL || ret_native == NULL) {
        return mproc__fail(MPROC_EINVAL,
                           "open: there is no handle, or no place for the descriptor");
    }
    int rc = mproc__family_enter();
    if (rc >= 0) {
        mproc__bag_lock();
        rc = mproc__bag_get(handle->object.shm, false, ret_native);
        mproc__bag_unlock();
    }
    return rc;
}
