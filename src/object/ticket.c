/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticket.c: see ticket.h.
 */
#include "object/ticket.h"

#include "base/status.h"
#include "family/bag.h"
#include "family/family.h"

static int create_locked(uint64_t connection, uint64_t size, intptr_t native, mproc__hold *ret_hold)
{
    int rc = mproc__block_create(MPROC__KIND_TICKET, size, 1, true, ret_hold);
    if (rc < 0) {
        return rc;
    }
    rc = mproc__block_embed(ret_hold->offset, connection);
    if (rc >= 0) {
        rc = mproc__bag_put(ret_hold->offset, native);
    }
    if (rc < 0) {
        mproc__block_release(*ret_hold);
    }
    return rc;
}

int mproc__ticket_create(uint64_t connection, uint64_t size, intptr_t native, mproc__hold *ret_hold)
{
    int rc = mproc__family_enter();
    if (rc >= 0) {
        mproc__bag_lock();
        rc = create_locked(connection, size, native, ret_hold);
        mproc__bag_unlock();
    }
    return rc;
}

int mproc__ticket_open(uint64_t ticket, bool is_private, intptr_t *ret_native)
{
    mproc__bag_lock();
    int rc = mproc__bag_get(mproc__block_at(ticket), is_private, ret_native);
    mproc__bag_unlock();
    return rc;
}
