/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block.c: see block.h for the structure.
 */
#include "family/block.h"

#include "base/check.h"
#include "base/status.h"
#include "family/bag.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/ledger.h"
#include "family/pipe.h"
#include "family/ring.h"
#include "family/segment.h"

#include <string.h>

/* block_shm.state */
#define MAGIC ((uint64_t)0xb10c << 48)
#define MAGIC_MASK ((uint64_t)0xffff << 48)
#define KIND_SHIFT 32
#define COUNT_MASK ((uint64_t)UINT32_MAX)

static struct mproc__block_shm *head_at(uint64_t offset)
{
    return mproc__at(offset);
}

void *mproc__block_at(uint64_t offset)
{
    return mproc__at(head_at(offset)->payload);
}

uint64_t mproc__block_of(const void *payload)
{
    return mproc__offset_of(payload) - sizeof(struct mproc__block_shm);
}

uint64_t mproc__block_size(uint64_t offset)
{
    return head_at(offset)->size;
}

uint32_t mproc__block_kind(uint64_t offset)
{
    if (!mproc__heap_has_block(offset)) {
        return 0;
    }
    uint64_t state = mproc__load64_acquire(&head_at(offset)->state);
    bool is_alive = (state & MAGIC_MASK) == MAGIC && (state & COUNT_MASK) != 0;
    return is_alive ? (uint32_t)(state >> KIND_SHIFT) & 0xffff : 0;
}

bool mproc__block_is(uint64_t offset, uint32_t kind)
{
    uint32_t found = mproc__block_kind(offset);
    return kind == 0 ? found != 0 : found == kind;
}

void mproc__block_count(mproc__txn *txn, uint64_t offset, int change)
{
    struct mproc__block_shm *head = head_at(offset);
    uint64_t state = mproc__txn_get(txn, &head->state);
    MPROC__CHECK((state & MAGIC_MASK) == MAGIC && (change > 0 || (state & COUNT_MASK) != 0));
    state = change > 0 ? state + 1 : state - 1;
    mproc__txn_set(txn, &head->state, state);
    if ((state & COUNT_MASK) == 0) {
        uint64_t *graveyard = &mproc__shm()->heap.graveyard;
        mproc__txn_set(txn, &head->next, mproc__txn_get(txn, graveyard));
        mproc__txn_set(txn, graveyard, offset);
    }
}

/** The words in which a block keeps its own references. */
static uint64_t *references_of(struct mproc__block_shm *head)
{
    return (uint64_t *)(void *)(head + 1);
}

/** How far the payload is from the block's start: behind head and references, aligned. */
static uint64_t payload_distance(uint32_t n_references)
{
    return sizeof(struct mproc__block_shm) + ((uint64_t)n_references * 8 + 63) / 64 * 64;
}

/** Take a block from the heap with its head filled in; the transaction makes it somebody's. */
static uint64_t take(mproc__txn *txn, uint32_t kind, uint64_t size, uint64_t bytes)
{
    uint64_t offset = mproc__heap_take(txn, bytes);
    struct mproc__block_shm *head = head_at(offset);
    mproc__txn_set(txn, &head->state, MAGIC | (uint64_t)kind << KIND_SHIFT | 1);
    mproc__txn_set(txn, &head->size, size);
    mproc__txn_set(txn, &head->references, 0);
    mproc__txn_set(txn, &head->losses, 0);
    mproc__txn_set(txn, &head->bytes, bytes);
    mproc__txn_set(txn, &head->payload, offset + (bytes - size));
    return offset;
}

static int create_locked(uint32_t kind, uint64_t size, uint64_t bytes, mproc__hold *ret_hold)
{
    struct mproc__member_shm *self = mproc__self_member();
    int rc = mproc__ledger_reserve(self);
    if (rc < 0 || (rc = mproc__heap_reserve(bytes, false)) < 0) {
        return rc;
    }
    mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
    ret_hold->offset = take(&txn, kind, size, bytes);
    ret_hold->entry = mproc__ledger_add(&txn, self, ret_hold->offset);
    mproc__txn_commit(&txn);
    return MPROC_OK;
}

int mproc__block_create(uint32_t kind, uint64_t size, uint32_t n_references, bool is_zeroed,
                        mproc__hold *ret_hold)
{
    uint64_t limit = mproc__shm()->size;
    if (size > limit) {
        return mproc__fail(MPROC_ENOSPC,
                           "a block of %llu bytes is larger than the arena's range of %llu MiB",
                           (unsigned long long)size, (unsigned long long)(limit >> 20));
    }
    uint64_t bytes = payload_distance(n_references) + size;
    mproc__hold hold;
    mproc__family_lock();
    int rc = create_locked(kind, size, bytes, &hold);
    mproc__family_unlock();
    if (rc < 0) {
        return rc;
    }
    // It is ours alone now: large ones take their memory, and zeroes, without holding anybody up.
    bool is_zero;
    rc = mproc__heap_fill(hold.offset, bytes, &is_zero);
    if (rc < 0) {
        mproc__block_release(hold);
        return rc;
    }
    if (is_zeroed && !is_zero) {
        memset(mproc__block_at(hold.offset), 0, (size_t)size);
    }
    *ret_hold = hold;
    return MPROC_OK;
}

int mproc__block_attach(uint64_t offset, mproc__hold *ret_hold)
{
    struct mproc__member_shm *self = mproc__self_member();
    mproc__family_lock();
    int rc = mproc__block_is(offset, 0)
                 ? mproc__ledger_reserve(self)
                 : mproc__fail(MPROC_ECORRUPT, "there is no object at reference %#llx",
                               (unsigned long long)offset);
    if (rc >= 0) {
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__block_count(&txn, offset, 1);
        ret_hold->offset = offset;
        ret_hold->entry = mproc__ledger_add(&txn, self, offset);
        mproc__txn_commit(&txn);
    }
    mproc__family_unlock();
    return rc;
}

/** Whether a hold is this process's and the block's only one: then it stays so. */
static bool is_only_hold(mproc__hold hold)
{
    mproc__family_lock();
    uint64_t state = mproc__load64_relaxed(&head_at(hold.offset)->state);
    bool is_only = mproc__ledger_says(mproc__self_member(), hold.entry, hold.offset) &&
                   (state & COUNT_MASK) == 1;
    mproc__family_unlock();
    return is_only;
}

void mproc__block_release(mproc__hold hold)
{
    struct mproc__member_shm *self = mproc__self_member();
    // The memory of a large block goes without holding anybody up. See below whose it may be.
    if (mproc__heap_can_trim(hold.offset) && is_only_hold(hold)) {
        mproc__heap_trim(hold.offset);
    }
    mproc__family_lock();
    // A handle that a thread made while another one forked is not in the copy's ledger.
    if (mproc__ledger_says(self, hold.entry, hold.offset)) {
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__ledger_remove(&txn, self, hold.entry);
        mproc__block_count(&txn, hold.offset, -1);
        mproc__txn_commit(&txn);
    }
    mproc__family_unlock();
}

int mproc__block_embed(uint64_t container, uint64_t offset)
{
    int rc = MPROC_OK;
    struct mproc__block_shm *head = head_at(container);
    mproc__family_lock();
    if (!mproc__block_is(offset, 0)) {
        rc = mproc__fail(MPROC_ECORRUPT, "there is no object at reference %#llx",
                         (unsigned long long)offset);
    } else if (container + payload_distance((uint32_t)head->references + 1) > head->payload) {
        rc = mproc__fail(MPROC_ETOOBIG, "a value has got more objects while it was copied");
    } else {
        uint64_t n = head->references;
        uint64_t *word = references_of(head) + n;
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__block_count(&txn, offset, 1);
        mproc__txn_set(&txn, word, offset);
        mproc__txn_set(&txn, &head->references, n + 1);
        mproc__txn_commit(&txn);
    }
    mproc__family_unlock();
    return rc;
}

void mproc__block_hand_in(mproc__hold hold, uint64_t *word, uint64_t *other, uint64_t value)
{
    mproc__family_lock();
    mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
    mproc__block_put(&txn, word, hold);
    mproc__txn_set(&txn, other, value);
    mproc__txn_commit(&txn);
    mproc__family_unlock();
}

void mproc__block_drop(uint64_t offset, uint64_t *word, uint64_t value)
{
    mproc__family_lock();
    mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
    mproc__block_count(&txn, offset, -1);
    mproc__txn_set(&txn, word, value);
    mproc__txn_commit(&txn);
    mproc__family_unlock();
}

uint64_t mproc__block_part(uint64_t container, uint32_t index)
{
    struct mproc__block_shm *head = head_at(container);
    bool is_there = index < mproc__load64_acquire(&head->references);
    return is_there ? mproc__load64_acquire(references_of(head) + index) : 0;
}

uint64_t *mproc__block_slot(uint64_t container, uint32_t index)
{
    return references_of(head_at(container)) + index;
}

/** A block's last reference goes, in a transaction. */
static void drop_last_reference(mproc__txn *txn, struct mproc__block_shm *head)
{
    uint64_t n = head->references - 1;
    uint64_t held = references_of(head)[n];
    mproc__txn_set(txn, &head->references, n);
    if (held != 0) { // a slot may hold nothing
        mproc__block_count(txn, held, -1);
    }
    mproc__txn_commit(txn);
}

void mproc__block_empty(uint64_t container)
{
    struct mproc__block_shm *head = head_at(container);
    if (mproc__load64_acquire(&head->references) == 0) {
        return;
    }
    mproc__family_lock();
    while (head->references > 0) {
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        drop_last_reference(&txn, head);
    }
    mproc__family_unlock();
}

void mproc__block_open_slots(uint64_t container, uint32_t count)
{
    mproc__family_lock();
    for (uint32_t i = 0; i < count; i++) {
        mproc__store64_relaxed(mproc__block_slot(container, i), 0);
    }
    // Release: who walks over the references sees words that hold something.
    mproc__store64_release(&head_at(container)->references, count);
    mproc__family_unlock();
}

void mproc__block_put(mproc__txn *txn, uint64_t *slot, mproc__hold hold)
{
    mproc__ledger_remove(txn, mproc__self_member(), hold.entry);
    mproc__txn_set(txn, slot, hold.offset);
}

mproc__hold mproc__block_take(mproc__txn *txn, uint64_t offset)
{
    return (mproc__hold){offset, mproc__ledger_add(txn, mproc__self_member(), offset)};
}

uint64_t mproc__block_holders(uint64_t offset)
{
    return mproc__load64_relaxed(&head_at(offset)->state) & COUNT_MASK;
}

uint64_t mproc__block_losses(uint64_t offset)
{
    return mproc__load64_acquire(&head_at(offset)->losses);
}

int64_t mproc__block_lost_pid(uint64_t offset)
{
    const struct mproc__block_shm *head = head_at(offset);
    mproc__family_lock(); // whoever has counted a loss has noted whose it was when he lets it go
    int64_t pid = head->losses != 0 ? (int64_t)head->lost_pid : 0;
    mproc__family_unlock();
    return pid;
}

void mproc__block_mourn(mproc__txn *txn, uint64_t offset, uint64_t pid)
{
    struct mproc__block_shm *head = head_at(offset);
    mproc__txn_set(txn, &head->losses, mproc__txn_get(txn, &head->losses) + 1);
    mproc__txn_set(txn, &head->lost_pid, pid);
}

int mproc__block_give(mproc__hold hold, mproc__member_id to)
{
    struct mproc__member_shm *self = mproc__self_member();
    struct mproc__member_shm *member = mproc__member_at(to);
    mproc__family_lock();
    bool is_there = member->id == to &&
                    (member->life == MPROC__LIFE_STARTING || member->life == MPROC__LIFE_RUNNING);
    int rc = is_there ? mproc__ledger_reserve(member)
                      : mproc__fail(MPROC_EPEER, "the process is gone already");
    if (rc >= 0) {
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__ledger_remove(&txn, self, hold.entry);
        mproc__txn_set(&txn, &member->start_entry, mproc__ledger_add(&txn, member, hold.offset));
        mproc__txn_set(&txn, &member->start, hold.offset);
        mproc__txn_commit(&txn);
    }
    mproc__family_unlock();
    return rc;
}

int mproc__block_make(uint32_t kind, uint64_t size, uint64_t *word)
{
    uint64_t bytes = payload_distance(0) + size;
    int rc = mproc__heap_reserve(bytes, true);
    if (rc < 0) {
        return rc;
    }
    mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
    uint64_t offset = take(&txn, kind, size, bytes);
    mproc__txn_set(&txn, word, offset);
    // Before the commit: until then it is free memory, whatever happens.
    memset(mproc__at(offset + payload_distance(0)), 0, (size_t)size);
    mproc__txn_commit(&txn);
    return MPROC_OK;
}

void mproc__block_unmake(uint64_t *word)
{
    mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
    mproc__block_count(&txn, *word, -1);
    mproc__txn_set(&txn, word, 0);
    mproc__txn_commit(&txn);
}

/** What goes with a block's last hold, before the commit: better twice than never. */
static void end(mproc__txn *txn, const struct mproc__block_shm *head)
{
    switch ((head->state >> KIND_SHIFT) & 0xffff) {
    case MPROC__KIND_SHARED_MEMORY:
    case MPROC__KIND_NAMED_LOCK:
        mproc__segment_end(mproc__at(head->payload));
        break;
    case MPROC__KIND_HANDLE:
    case MPROC__KIND_TICKET:
        mproc__bag_end(txn, mproc__at(head->payload));
        break;
    default:
        break;
    }
}

/** Have a block that nobody holds drop what its payload holds, one thing at a time; false: nothing. */
static bool drop_contents(mproc__txn *txn, const struct mproc__block_shm *head)
{
    switch ((head->state >> KIND_SHIFT) & 0xffff) {
    case MPROC__KIND_QUEUE:
    case MPROC__KIND_LANE:
        return mproc__ring_drop_one(mproc__at(head->payload), txn);
    case MPROC__KIND_PIPE:
        return mproc__pipe_drop_one(mproc__at(head->payload), txn);
    default:
        return false;
    }
}

/** Have those told who wait for a block's holders. What it holds is still there. Twice is no harm. */
static void tell_others(const struct mproc__block_shm *head)
{
    if (((head->state >> KIND_SHIFT) & 0xffff) == MPROC__KIND_CONNECTION) {
        mproc__pipe_lose(mproc__at(head->payload));
    }
}

void mproc__graveyard_empty(void)
{
    struct mproc__heap_shm *heap = &mproc__shm()->heap;
    while (heap->graveyard != 0) {
        uint64_t offset = heap->graveyard;
        struct mproc__block_shm *head = head_at(offset);
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        if (head->references > 0) {
            tell_others(head);
            // What it held goes first, one at a time; those that die thereby come to lie on top.
            drop_last_reference(&txn, head);
            continue;
        }
        if (drop_contents(&txn, head)) {
            mproc__txn_commit(&txn);
            continue;
        }
        mproc__txn_set(&txn, &heap->graveyard, head->next);
        end(&txn, head);
        mproc__heap_put(&txn, offset);
    }
}
