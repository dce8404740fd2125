/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell.c: see doorbell.h.
 */
#include "object/doorbell.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "object/ticket.h"

static mproc__doorbell *doorbells;

/* ---- this process's -------------------------------------------------------------------------- */

/** Have one handle more of what there is for its connection; NULL: nothing. */
static mproc__doorbell *share_locked(const struct mproc_object *object)
{
    mproc__doorbell *bell = doorbells;
    while (bell != NULL && (bell->connection != object->offset || bell->epoch != object->epoch)) {
        bell = bell->next;
    }
    if (bell != NULL) {
        bell->n_handles++;
    }
    return bell;
}

static bool share(struct mproc_object *object)
{
    mproc__private_lock();
    object->local = share_locked(object);
    mproc__private_unlock();
    return object->local != NULL;
}

int mproc__doorbell_hang(struct mproc_object *object, mplat_handle end)
{
    mproc__doorbell *made = mproc__malloc(sizeof(*made));
    if (made == NULL) {
        mplat_doorbell_close(end);
        return mproc__fail(MPROC_ENOMEM, "no memory for a connection");
    }
    *made = (mproc__doorbell){.local = {&mproc__transport_ring},
                              .connection = object->offset,
                              .epoch = object->epoch,
                              .n_handles = 1,
                              .end = end};
    mproc__private_lock();
    mproc__doorbell *other = share_locked(object);
    if (other == NULL) {
        made->next = doorbells;
        doorbells = made;
    }
    mproc__private_unlock();
    object->local = other != NULL ? other : made;
    if (other != NULL) { // another thread was quicker
        mplat_doorbell_close(end);
        mproc__free(made);
    }
    return MPROC_OK;
}

int mproc__doorbell_open(struct mproc_object *object, uint64_t ticket)
{
    mplat_handle end;
    if (share(object)) {
        return MPROC_OK;
    }
    if (ticket == 0) {
        return mproc__fail(MPROC_ESTATE,
                           "attach: this process has only a copy of the connection's handle");
    }
    int rc = mproc__ticket_open(ticket, false, &end.os);
    return rc < 0 ? rc : mproc__doorbell_hang(object, end);
}

void mproc__doorbell_close(struct mproc_object *object)
{
    mproc__doorbell *bell = mproc__doorbell_of(object);
    object->local = NULL;
    mproc__private_lock();
    bool is_last = --bell->n_handles == 0;
    mproc__doorbell **at = &doorbells;
    while (is_last && *at != bell) {
        at = &(*at)->next;
    }
    if (is_last) {
        *at = bell->next;
    }
    mproc__private_unlock();
    if (is_last) {
        mplat_doorbell_close(bell->end);
        mproc__free(bell);
    }
}

/* ---- on its way ------------------------------------------------------------------------------ */

int mproc__doorbell_send(uint64_t container, const struct mproc_object *object,
                         uint64_t *ret_ticket)
{
    mproc__hold ticket;
    int rc = mproc__ticket_create(object->offset, sizeof(mplat_bagged),
                                  mproc__doorbell_of(object)->end.os, &ticket);
    if (rc < 0) {
        return rc;
    }
    *ret_ticket = ticket.offset;
    rc = mproc__block_embed(container, ticket.offset);
    mproc__block_release(ticket);
    return rc;
}
