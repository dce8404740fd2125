/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c: see store.h.
 */
#include "object/store.h"

#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/ledger.h"
#include "family/thread.h"

/* A segment's block is a power of two, head and all, of at most so much. */
#define FIRST_SEGMENT ((uint64_t)8 << 10)
#define LAST_SEGMENT ((uint64_t)1 << 20)
#define SEGMENT_HEAD 128u

static const uint16_t class_bytes[MPROC__STORE_CLASSES] = {
    32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096};

static uint32_t class_for(size_t bytes)
{
    uint32_t class_of = 0;
    MPROC__CHECK(bytes <= MPROC__RECORD_MAX);
    while (class_bytes[class_of] < bytes) {
        class_of++;
    }
    return class_of;
}

/** The word by which a record is linked to the next one while it is free. */
static uint64_t *link_of(uint64_t record)
{
    return mproc__at(record);
}

static uint64_t *slot_of(const struct mproc__store_shm *store, uint32_t slot)
{
    return mproc__block_slot(store->container, slot);
}

void mproc__store_init(struct mproc__store_shm *store, uint64_t container)
{
    store->container = container;
    mproc__block_open_slots(container, MPROC__STORE_SLOTS);
}

int mproc__store_lock(struct mproc__store_shm *store)
{
    mproc__thread_id self = mproc__thread_current;
    if (self != 0 && mproc__mutex_try(&store->mutex, self)) {
        return MPROC_OK;
    }
    int rc = mproc__family_enter();
    if (rc >= 0) {
        rc = mproc__mutex_acquire(&store->mutex, mproc__thread_self(), MPROC__NEVER, NULL);
    }
    if (rc ==
        MPROC_OWNER_DIED) { /* DEATH: of the owner; the family lock's next one finishes that one's journal */
        mproc__family_lock();
        mproc__family_unlock();
        mproc__journal_recover(&store->journal);
    }
    return rc;
}

void mproc__store_unlock(struct mproc__store_shm *store)
{
    (void)mproc__mutex_release(&store->mutex);
}

/* ---- records --------------------------------------------------------------------------------- */

void mproc__edit_begin(mproc__edit *edit, struct mproc__store_shm *store)
{
    edit->store = store;
    edit->segment = store->segment;
    edit->fresh = store->fresh;
    edit->end = store->end;
    edit->used = 0;
    edit->dropped = 0;
    edit->chain = NULL;
    edit->table = (mproc__hold){0, 0};
    edit->is_cleared = false;
    edit->is_wide = false;
    edit->released = (mproc__hold){0, 0};
}

static void use_class(mproc__edit *edit, uint32_t class_of)
{
    if (!(edit->used >> class_of & 1)) {
        edit->used |= (uint32_t)1 << class_of;
        edit->taken[class_of] = edit->store->free[class_of];
        edit->given[class_of] = 0;
        edit->given_last[class_of] = 0;
    }
}

/** Have a slot hold a block that only this process holds, at once. */
static void put_now(uint64_t *slot, mproc__hold hold)
{
    mproc__family_lock();
    mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
    mproc__block_put(&txn, slot, hold);
    mproc__txn_commit(&txn);
    mproc__family_unlock();
}

/** A segment that the last one holds, and that nobody uses until the edit is committed. */
static int make_segment(uint64_t last, uint64_t *slot)
{
    mproc__hold hold;
    uint64_t bytes = FIRST_SEGMENT;
    if (last != 0) {
        bytes = 2 * (mproc__block_size(last) + SEGMENT_HEAD);
        bytes = bytes < LAST_SEGMENT ? bytes : LAST_SEGMENT;
    }
    int rc = mproc__block_create(MPROC__KIND_STORE, bytes - SEGMENT_HEAD, 1, false, &hold);
    if (rc >= 0) {
        mproc__block_open_slots(hold.offset, 1);
        put_now(slot, hold);
    }
    return rc;
}

static int grow(mproc__edit *edit)
{
    uint64_t *slot = edit->segment != 0 ? mproc__block_slot(edit->segment, 0)
                                        : slot_of(edit->store, MPROC__SLOT_SEGMENTS);
    // There may be one already, made for an edit that came to nothing.
    int rc = *slot == 0 ? make_segment(edit->segment, slot) : MPROC_OK;
    if (rc >= 0) {
        edit->segment = *slot;
        edit->fresh = mproc__offset_of(mproc__block_at(edit->segment));
        edit->end = edit->fresh + mproc__block_size(edit->segment);
    }
    return rc;
}

uint64_t mproc__edit_take(mproc__edit *edit, size_t bytes)
{
    uint32_t class_of = class_for(bytes);
    use_class(edit, class_of);
    uint64_t record = edit->taken[class_of];
    if (record != 0) {
        edit->taken[class_of] = *link_of(record);
        return record;
    }
    if (edit->end - edit->fresh < class_bytes[class_of] && grow(edit) < 0) {
        return 0;
    }
    record = edit->fresh;
    edit->fresh += class_bytes[class_of];
    return record;
}

void mproc__edit_give(mproc__edit *edit, uint64_t record, size_t bytes)
{
    uint32_t class_of = class_for(bytes);
    use_class(edit, class_of);
    if (edit->given[class_of] == 0) {
        edit->given_last[class_of] = record;
    }
    *link_of(record) = edit->given[class_of];
    edit->given[class_of] = record;
}

/** The heads of the free lists, and of what was never used. */
static void close_records(mproc__edit *edit)
{
    struct mproc__store_shm *store = edit->store;
    for (uint32_t i = 0; edit->used >> i != 0; i++) {
        if (edit->used >> i & 1) {
            uint64_t head = edit->taken[i];
            if (edit->given[i] != 0) {
                *link_of(edit->given_last[i]) = head;
                head = edit->given[i];
            }
            mproc__txn_set(&edit->txn, &store->free[i], head);
        }
    }
    if (edit->fresh != store->fresh) {
        mproc__txn_set(&edit->txn, &store->fresh, edit->fresh);
    }
    if (edit->segment != store->segment) {
        mproc__txn_set(&edit->txn, &store->segment, edit->segment);
        mproc__txn_set(&edit->txn, &store->end, edit->end);
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static struct mproc__envelope_shm *envelope_at(uint64_t envelope)
{
    return mproc__block_at(envelope);
}

void mproc__edit_drop(mproc__edit *edit, uint64_t envelope)
{
    MPROC__CHECK(edit->dropped == 0);
    edit->dropped = envelope;
    edit->is_wide = true;
}

void mproc__edit_adopt(mproc__edit *edit, mproc__chain *chain)
{
    if (chain != NULL && chain->first.offset != 0) {
        edit->chain = chain;
        edit->is_wide = true;
    }
}

int mproc__edit_make_table(mproc__edit *edit, uint64_t bytes, uint64_t *ret_table)
{
    int rc = mproc__block_create(MPROC__KIND_STORE, bytes, 0, true, &edit->table);
    if (rc < 0) {
        edit->table = (mproc__hold){0, 0};
        return rc;
    }
    edit->is_wide = true;
    *ret_table = mproc__offset_of(mproc__block_at(edit->table.offset));
    return MPROC_OK;
}

void mproc__edit_clear(mproc__edit *edit)
{
    edit->is_cleared = true;
    edit->is_wide = true;
    edit->segment = edit->fresh = edit->end = 0;
    for (uint32_t i = 0; i < MPROC__STORE_CLASSES; i++) {
        use_class(edit, i);
        edit->taken[i] = 0;
    }
}

/** The container no longer holds a block. Large ones are best freed by a process that held them alone. */
static void let_go(mproc__edit *edit, uint64_t offset)
{
    if (edit->can_take && edit->released.offset == 0) {
        edit->released = mproc__block_take(&edit->txn, offset);
    } else {
        mproc__block_count(&edit->txn, offset, -1);
    }
}

static void let_go_of_slot(mproc__edit *edit, uint32_t number)
{
    uint64_t *slot = slot_of(edit->store, number);
    if (*slot != 0) {
        let_go(edit, *slot);
        mproc__txn_set(&edit->txn, slot, 0);
    }
}

static void unlink_dropped(mproc__edit *edit)
{
    uint64_t *from = mproc__block_slot(edit->dropped, MPROC__ENVELOPE_NEXT);
    uint64_t previous = envelope_at(edit->dropped)->previous;
    uint64_t next = *from;
    mproc__txn_set(&edit->txn,
                   previous != 0 ? mproc__block_slot(previous, MPROC__ENVELOPE_NEXT)
                                 : slot_of(edit->store, MPROC__SLOT_ENVELOPES),
                   next);
    if (next != 0) {
        mproc__txn_set(&edit->txn, &envelope_at(next)->previous, previous);
    }
    mproc__txn_set(&edit->txn, from, 0);
    let_go(edit, edit->dropped);
}

/** Put the new envelopes before those that the container holds. */
static void link_chain(mproc__edit *edit)
{
    uint64_t *slot = slot_of(edit->store, MPROC__SLOT_ENVELOPES);
    uint64_t next = mproc__txn_get(&edit->txn, slot);
    mproc__txn_set(&edit->txn, mproc__block_slot(edit->chain->last, MPROC__ENVELOPE_NEXT), next);
    if (next != 0) {
        mproc__txn_set(&edit->txn, &envelope_at(next)->previous, edit->chain->last);
    }
    mproc__block_put(&edit->txn, slot, edit->chain->first);
}

/** With the family lock. */
static void close_blocks(mproc__edit *edit)
{
    if (edit->is_cleared) {
        let_go_of_slot(edit, MPROC__SLOT_TABLE);
        let_go_of_slot(edit, MPROC__SLOT_SEGMENTS);
        let_go_of_slot(edit, MPROC__SLOT_ENVELOPES);
        return;
    }
    if (edit->dropped != 0) {
        unlink_dropped(edit);
    }
    if (edit->chain != NULL) {
        link_chain(edit);
    }
    if (edit->table.offset != 0) {
        let_go_of_slot(edit, MPROC__SLOT_TABLE);
        mproc__block_put(&edit->txn, slot_of(edit->store, MPROC__SLOT_TABLE), edit->table);
    }
}

/* ---- together -------------------------------------------------------------------------------- */

void mproc__edit_close(mproc__edit *edit)
{
    if (edit->is_wide) {
        mproc__family_lock();
        edit->can_take = mproc__ledger_reserve(mproc__self_member()) >= 0;
        edit->txn = mproc__txn_begin(&mproc__shm()->journal);
        close_blocks(edit);
    } else {
        edit->txn = mproc__txn_begin(&edit->store->journal);
    }
    close_records(edit);
}

void mproc__edit_commit(mproc__edit *edit)
{
    mproc__txn_commit(&edit->txn);
    if (edit->is_wide) {
        mproc__family_unlock();
        edit->table = (mproc__hold){0, 0};
        if (edit->chain != NULL) {
            edit->chain->first.offset = 0;
        }
    }
}

void mproc__edit_end(mproc__edit *edit)
{
    if (edit->table.offset != 0) {
        mproc__block_release(edit->table);
    }
    if (edit->released.offset != 0) {
        mproc__block_release(edit->released);
    }
}
