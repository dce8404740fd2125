/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_loan.c: large items without a copy: a parcel that is written, and read, where it lies.
 *
 * Death  of who has the loan: its ledger holds the parcel, which goes with it
 */
#include "object/queue.h"

#include "base/status.h"
#include "family/family.h"

#include <string.h>

static void make_loan(mproc_loan *loan, mproc__hold parcel)
{
    *loan = (mproc_loan){
        .data = mproc__block_at(parcel.offset),
        .size = (size_t)mproc__block_size(parcel.offset),
        .block = parcel.offset,
        .entry = parcel.entry,
        .epoch = mproc__handle_epoch(),
    };
}

int mproc_queue_reserve(mproc_queue *queue, size_t size, mproc_loan *ret_loan)
{
    if (queue == NULL || ret_loan == NULL) {
        return mproc__fail(MPROC_EINVAL, "reserve: the queue, or the loan, is NULL");
    }
    int rc = mproc__message_check_size(size, mproc__queue_ring(queue)->max_bytes);
    mproc__hold parcel;
    if (rc < 0 || (rc = mproc__family_enter()) < 0 ||
        (rc = mproc__block_create(MPROC__KIND_PARCEL, size, 0, false, &parcel)) < 0) {
        return rc;
    }
    make_loan(ret_loan, parcel);
    return MPROC_OK;
}

int mproc_queue_commit(mproc_queue *queue, mproc_loan *loan, mproc_timeout timeout)
{
    size_t n;
    if (queue == NULL || loan == NULL) {
        return mproc__fail(MPROC_EINVAL, "commit: the queue, or the loan, is NULL");
    }
    if (loan->block == 0 || loan->epoch != mproc__handle_epoch()) {
        return mproc__fail(MPROC_ESTATE, "commit: the loan is nothing, or another process's");
    }
    mproc__message message = {.bytes = mproc_bytes_of(loan->data, loan->size),
                              .parcel = {loan->block, loan->entry}};
    int rc = mproc__message_check_size(mproc__block_size(loan->block),
                                       mproc__queue_ring(queue)->max_bytes);
    rc = rc < 0 ? rc : mproc__queue_put(queue, &message, 1, &n, mproc__deadline_in(timeout));
    if (rc >= 0) {
        *loan = (mproc_loan){.data = NULL};
    }
    return rc;
}

/** Small ones lie in the ring; they are moved out of it. */
static int make_parcel(mproc__ring_end *end, const mproc__ring_item *item, mproc__hold *ret_parcel)
{
    int rc = mproc__block_create(MPROC__KIND_PARCEL, item->size, 0, false, ret_parcel);
    if (rc >= 0) {
        memcpy(mproc__block_at(ret_parcel->offset), item->data, (size_t)item->size);
        mproc__ring_get_consume(end, item);
    }
    return rc;
}

static int take_loan(mproc__ring_end *end, const mproc__ring_item *item, void *arg)
{
    if (item->kind != MPROC__RECORD_BYTES) {
        return mproc__fail(MPROC_ETYPE, "peek: the first item is not bytes");
    }
    return item->parcel != 0 ? mproc__ring_get_take(end, item, arg) : make_parcel(end, item, arg);
}

int mproc_queue_peek(mproc_queue *queue, mproc_loan *ret_loan, mproc_timeout timeout)
{
    size_t n;
    mproc__hold parcel = {0, 0};
    if (queue == NULL || ret_loan == NULL) {
        return mproc__fail(MPROC_EINVAL, "peek: the queue, or the loan, is NULL");
    }
    int rc = mproc__queue_get(queue, take_loan, &parcel, 1, &n, mproc__deadline_in(timeout));
    if (rc >= 0) {
        make_loan(ret_loan, parcel);
    }
    return rc;
}

void mproc_loan_release(mproc_loan *loan)
{
    if (loan != NULL && loan->block != 0) {
        if (loan->epoch == mproc__handle_epoch() && mproc__family_enter() >= 0) {
            mproc__block_release((mproc__hold){loan->block, loan->entry});
        }
        *loan = (mproc_loan){.data = NULL};
    }
}
