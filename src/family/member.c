/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member.c: see member.h for the structure.
 */
#include "family/member.h"

#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/lease.h"
#include "family/ledger.h"
#include "family/watch.h"

#include <string.h>

#define BATCH MPROC__FIRST_MEMBERS
#define INDEX_MASK 0xffffu
#define GENERATION_SHIFT 16

/* References given back before the lock is released for a moment. */
#define BURY_BATCH 64

static struct mproc__member_shm *slot_at(uint64_t index)
{
    return index < MPROC__FIRST_MEMBERS
               ? (struct mproc__member_shm *)mproc__at(MPROC__MEMBERS_AT) + index
               : (struct mproc__member_shm *)mproc__at(MPROC__MORE_MEMBERS_AT) + index;
}

struct mproc__member_shm *mproc__member_at(mproc__member_id id)
{
    uint64_t place = id & INDEX_MASK;
    return place == 0 || place > MPROC__MAX_MEMBERS ? NULL : slot_at(place - 1);
}

/** The slot of an id if it is still this member's; under the lock. */
static struct mproc__member_shm *slot_locked(mproc__member_id id)
{
    struct mproc__member_shm *slot = mproc__member_at(id);
    bool is_his = slot != NULL && (id & INDEX_MASK) <= mproc__shm()->n_members && slot->id == id &&
                  slot->life != MPROC__LIFE_FREE;
    return is_his ? slot : NULL;
}

static int add_batch_locked(void)
{
    struct mproc__family_shm *shm = mproc__shm();
    uint64_t n = shm->n_members;
    if (n + BATCH > MPROC__MAX_MEMBERS) {
        return mproc__fail(MPROC_ENOSPC, "no room for another process: the family has %llu",
                           (unsigned long long)n);
    }
    // The page-sized pieces of batches that begin inside a page overlap; committing twice is fine.
    uint64_t page = mplat_get_facts()->page_bytes;
    uint64_t first = mproc__offset_of(slot_at(n)) / page * page;
    uint64_t end = mproc__offset_of(slot_at(n + BATCH - 1) + 1);
    int rc = n == 0
                 ? MPROC_OK
                 : mplat_arena_commit(&mproc__arena, first, (end - first + page - 1) / page * page);
    if (rc < 0) {
        return rc;
    }
    mproc__txn txn = mproc__txn_begin(&shm->journal);
    for (uint64_t i = n + BATCH; i-- > n;) {
        // New memory is zero; linking is all there is to do, and it can be done twice.
        slot_at(i)->next_free = i + 1 == n + BATCH ? shm->free_member : i + 2;
    }
    mproc__txn_set(&txn, &shm->free_member, n + 1);
    mproc__txn_set(&txn, &shm->n_members, n + BATCH);
    mproc__txn_commit(&txn);
    return MPROC_OK;
}

static int new_locked(mproc__member_id parent, const char *name, mproc__member_id *ret_id)
{
    struct mproc__family_shm *shm = mproc__shm();
    int rc = shm->free_member == 0 ? add_batch_locked() : MPROC_OK;
    if (rc < 0) {
        return rc;
    }
    uint64_t place = shm->free_member;
    struct mproc__member_shm *slot = slot_at(place - 1);
    mproc__member_id id = ((slot->id >> GENERATION_SHIFT) + 1) << GENERATION_SHIFT | place;
    (void)strncpy(slot->name, name, sizeof(slot->name) - 1);
    slot->story[0] = '\0';
    if (parent == 0 && shm->root != 0) {
        (void)mproc__add32(&shm->orphanings, 1); // a copy by the application's own fork()
    }
    mproc__txn txn = mproc__txn_begin(&shm->journal);
    mproc__txn_set(&txn, &shm->free_member, slot->next_free);
    mproc__txn_set(&txn, &shm->used_members, shm->used_members + 1);
    mproc__txn_set(&txn, &slot->id, id);
    mproc__txn_set(&txn, &slot->life, MPROC__LIFE_STARTING);
    mproc__txn_set(&txn, &slot->parent, parent);
    // Who has no parent here makes the slot itself: its death from now on is found by a sweep.
    mproc__txn_set(&txn, &slot->pid, parent == 0 ? (uint64_t)mplat_pid() : 0);
    mproc__txn_set(&txn, &slot->birth, 0);
    mproc__txn_set(&txn, &slot->start, 0);
    mproc__txn_set(&txn, &slot->outcome, 0);
    mproc__txn_set(&txn, &slot->n_children, 0);
    struct mproc__member_shm *owner = slot_locked(parent);
    if (owner != NULL) {
        mproc__txn_set(&txn, &owner->n_children, owner->n_children + 1);
    }
    mproc__txn_commit(&txn);
    *ret_id = id;
    return MPROC_OK;
}

int mproc__member_new(mproc__member_id parent, const char *name, mproc__member_id *ret_id)
{
    mproc__family_lock();
    int rc = new_locked(parent, name, ret_id);
    mproc__family_unlock();
    return rc;
}

/** Write an identity down, as far as it is known. */
static void set_identity(mproc__txn *txn, struct mproc__member_shm *slot, const mplat_identity *who)
{
    mproc__txn_set(txn, &slot->pid, (uint64_t)who->pid);
    if (who->birth != 0) {
        mproc__txn_set(txn, &slot->birth, who->birth);
    }
}

int mproc__member_adopt(mproc__member_id id, const mplat_identity *who)
{
    mproc__family_lock();
    struct mproc__member_shm *slot = slot_locked(id);
    bool is_mine = slot != NULL && slot->life == MPROC__LIFE_STARTING;
    if (is_mine) {
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        set_identity(&txn, slot, who);
        mproc__txn_set(&txn, &slot->life, MPROC__LIFE_RUNNING);
        mproc__txn_commit(&txn);
    }
    mproc__family_unlock();
    return is_mine ? MPROC_OK
                   : mproc__fail(MPROC_EPEER, "the process that started this one is gone");
}

int mproc__member_accept(mproc__member_id id)
{
    mproc__family_lock();
    struct mproc__member_shm *slot = slot_locked(id);
    struct mproc__member_shm *self = mproc__self_member();
    bool is_there = slot != NULL && slot->life != MPROC__LIFE_ENDED;
    if (is_there) {
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__txn_set(&txn, &slot->parent, mproc__self_id());
        mproc__txn_set(&txn, &self->n_children, self->n_children + 1);
        mproc__txn_commit(&txn);
    }
    mproc__family_unlock();
    return is_there ? MPROC_OK : mproc__fail(MPROC_EPEER, "a process kept ready has died");
}

void mproc__member_note(mproc__member_id id, const mplat_identity *who)
{
    mproc__family_lock();
    struct mproc__member_shm *slot = slot_locked(id);
    if (slot != NULL && slot->life != MPROC__LIFE_ENDED) {
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        set_identity(&txn, slot, who);
        mproc__txn_commit(&txn);
    }
    mproc__family_unlock();
}

int mproc__member_identity(mproc__member_id id, mplat_identity *ret_who)
{
    mproc__family_lock();
    const struct mproc__member_shm *slot = slot_locked(id);
    if (slot != NULL) {
        *ret_who = (mplat_identity){.pid = (int64_t)slot->pid, .birth = slot->birth};
    }
    mproc__family_unlock();
    return slot != NULL ? MPROC_OK : mproc__fail(MPROC_ENOENT, "the process is gone");
}

mproc__member_id mproc__member_next_child(mproc__member_id parent, mproc__member_id after)
{
    mproc__member_id found = 0;
    mproc__family_lock();
    for (uint64_t i = after & INDEX_MASK; i < mproc__shm()->n_members && found == 0; i++) {
        const struct mproc__member_shm *slot = slot_at(i);
        if (slot->life != MPROC__LIFE_FREE && slot->life != MPROC__LIFE_ENDED &&
            slot->parent == parent) {
            found = slot->id;
        }
    }
    mproc__family_unlock();
    return found;
}

void mproc__member_mark(mproc__member_id id, uint32_t flags, int32_t code)
{
    struct mproc__member_shm *slot = mproc__member_at(id);
    uint64_t old = mproc__load64_relaxed(&slot->outcome) & UINT32_MAX;
    mproc__store64_release(&slot->outcome,
                           (uint64_t)(uint32_t)code << 32 | old | flags); /* COMMIT */
}

void mproc__member_tell(mproc__member_id id, const char *story)
{
    struct mproc__member_shm *slot = mproc__member_at(id);
    if (slot != NULL) {
        (void)strncpy(slot->story, story, sizeof(slot->story) - 1);
    }
}

uint64_t mproc__member_outcome(mproc__member_id id)
{
    struct mproc__member_shm *slot = mproc__member_at(id);
    uint64_t outcome = mproc__load64_acquire(&slot->outcome);
    return mproc__load64_relaxed(&slot->id) == id ? outcome : 0;
}

void mproc__member_report(mproc__member_id id, const mplat_exit *how, bool is_known)
{
    // Under the lock: a sweep may have freed the slot, and it may be somebody else's by now.
    mproc__family_lock();
    struct mproc__member_shm *slot = slot_locked(id);
    if (slot == NULL) {
        mproc__family_unlock();
        return;
    }
    uint32_t flags = MPROC__OUTCOME_REPORTED;
    uint32_t code = (uint32_t)(mproc__load64_relaxed(&slot->outcome) >> 32);
    if (is_known) {
        slot->user_ns = (uint64_t)how->user_ns;
        slot->system_ns = (uint64_t)how->system_ns;
        slot->max_rss_bytes = (uint64_t)how->max_rss_bytes;
        code = (uint32_t)how->code;
        flags |= how->flags & MPLAT_EXIT_CORE ? MPROC__OUTCOME_CORE : 0;
        flags |= how->flags & MPLAT_EXIT_OOM ? MPROC__OUTCOME_OOM : 0;
    } else {
        flags |= MPROC__OUTCOME_UNKNOWN;
    }
    flags |= (uint32_t)mproc__load64_relaxed(&slot->outcome);
    // Release: the figures above are seen before the flag that announces them.
    mproc__store64_release(&slot->outcome,
                           (uint64_t)code << 32 | flags); /* COMMIT: it is reported */
    mproc__family_unlock();
    (void)mplat_wake(mproc__low32(&slot->outcome), INT32_MAX);
}

/** Whether a dead member did not end of its own accord. */
static bool was_killed(const struct mproc__member_shm *slot)
{
    const uint64_t of_its_own = MPROC__OUTCOME_LEFT | MPROC__OUTCOME_EXITING;
    return (mproc__load64_acquire(&slot->outcome) & of_its_own) == 0;
}

/** It was killed before it had unpacked its arguments: what they hold has lost it, too. Twice is no harm. */
static void mourn_parts(uint64_t container, uint64_t pid)
{
    uint64_t part;
    for (uint32_t i = 0; (part = mproc__block_part(container, i)) != 0; i++) {
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__block_mourn(&txn, part, pid);
        mproc__txn_commit(&txn);
    }
}

/**
 * Give back up to BURY_BATCH of a dead member's references, from entry *from on; true: that was all. Blocks that it alone held go to `alone`,
 * by way of the caller's own ledger: the caller then releases them as it does its own, which frees
 * large ones without holding the lock meanwhile. Leases go back to their rings.
 */
static bool bury_some_locked(struct mproc__member_shm *slot, uint32_t *from, mproc__hold *alone,
                             size_t *ret_alone, bool *ret_has_leases)
{
    struct mproc__member_shm *self = mproc__self_member();
    uint32_t entry = *from;
    bool is_loss = was_killed(slot);
    *ret_alone = 0;
    for (int i = 0; i < BURY_BATCH; i++) {
        entry = mproc__ledger_next(slot, entry);
        if (entry == UINT32_MAX) {
            // Somebody may have given it one more while the lock was released: once more from 0 then.
            bool is_whole = *from == 0;
            *from = 0;
            return is_whole;
        }
        uint64_t offset = *mproc__ledger_word(slot, entry);
        if (is_loss && mproc__block_is(offset, MPROC__KIND_START)) {
            mourn_parts(offset, slot->pid);
        }
        if (mproc__block_is(offset, MPROC__KIND_LEASE) && mproc__lease_comes_back(offset)) {
            mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
            mproc__ledger_remove(&txn, slot, entry);
            mproc__lease_put_back(&txn, offset);
            mproc__txn_commit(&txn); /* COMMIT */
            *ret_has_leases = true;
            continue;
        }
        bool can_take = self != NULL && self != slot && mproc__ledger_reserve(self) >= 0;
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__ledger_remove(&txn, slot, entry);
        if (is_loss) {
            mproc__block_mourn(&txn, offset, slot->pid);
        }
        if (can_take) {
            alone[*ret_alone] = (mproc__hold){offset, mproc__ledger_add(&txn, self, offset)};
            (*ret_alone)++;
        } else {
            mproc__block_count(&txn, offset, -1);
        }
        mproc__txn_commit(&txn);
    }
    *from = entry;
    return false;
}

void mproc__member_bury(mproc__member_id id)
{
    bool is_done = false;
    bool is_loss = false;
    bool has_leases = false;
    uint32_t from = 0;
    while (!is_done) {
        mproc__hold alone[BURY_BATCH];
        size_t n_alone = 0;
        mproc__family_lock();
        struct mproc__member_shm *slot = slot_locked(id);
        if (slot == NULL || slot->life == MPROC__LIFE_ENDED) {
            is_done = true;
        } else if (bury_some_locked(slot, &from, alone, &n_alone, &has_leases)) {
            is_loss = was_killed(slot);
            mproc__ledger_fini(slot);
            if (slot->n_children > 0) {
                (void)mproc__add32(&mproc__shm()->orphanings, 1);
            }
            mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
            mproc__txn_set(&txn, &slot->life, MPROC__LIFE_ENDED);
            mproc__txn_set(&txn, &slot->start, 0);
            mproc__txn_commit(&txn);
            is_done = true;
        }
        mproc__family_unlock();
        for (size_t i = 0; i < n_alone; i++) {
            mproc__block_release(alone[i]);
        }
    }
    if (is_loss || has_leases) {
        // Who sleeps at an empty ring finds what has come back. A copy that has never called us has no thread whose death is found, and the watch only looks
        // for processes that nobody has buried.
        mproc__watch_alarm();
    }
}

void mproc__member_free(mproc__member_id id)
{
    struct mproc__family_shm *shm = mproc__shm();
    mproc__family_lock();
    struct mproc__member_shm *slot = slot_locked(id);
    if (slot != NULL && slot->life == MPROC__LIFE_ENDED) {
        mproc__txn txn = mproc__txn_begin(&shm->journal);
        mproc__txn_set(&txn, &slot->life, MPROC__LIFE_FREE);
        mproc__txn_set(&txn, &slot->next_free, shm->free_member);
        mproc__txn_set(&txn, &shm->free_member, id & INDEX_MASK);
        mproc__txn_set(&txn, &shm->used_members, shm->used_members - 1);
        mproc__txn_commit(&txn);
    }
    mproc__family_unlock();
}

bool mproc__member_is_gone(mproc__member_id id)
{
    mproc__family_lock();
    const struct mproc__member_shm *slot = slot_locked(id);
    bool is_gone = slot == NULL || slot->life == MPROC__LIFE_ENDED;
    mplat_identity who = {0};
    if (!is_gone) {
        who = (mplat_identity){.pid = (int64_t)slot->pid, .birth = slot->birth};
    }
    mproc__family_unlock();
    return is_gone || (who.pid != 0 && !mplat_process_alive(&who));
}

void mproc__member_bury_gone(void)
{
    uint64_t n = mproc__load64_acquire(&mproc__shm()->n_members);
    for (uint64_t i = 0; i < n; i++) {
        const struct mproc__member_shm *slot = slot_at(i);
        mproc__member_id id = mproc__load64_acquire(&slot->id);
        uint64_t life = mproc__load64_acquire(&slot->life);
        bool may_live = life == MPROC__LIFE_RUNNING || life == MPROC__LIFE_STARTING;
        if (may_live && id != mproc__self_id() && mproc__member_is_gone(id)) {
            mproc__member_bury(id);
        }
    }
}

int mproc__member_clone(mproc__member_id from, mproc__member_id to)
{
    mproc__family_lock();
    const struct mproc__member_shm *source = slot_locked(from);
    struct mproc__member_shm *copy = slot_locked(to);
    int rc = source != NULL && copy != NULL ? mproc__ledger_clone(source, copy) : MPROC_EPEER;
    mproc__family_unlock();
    return rc;
}

/** The next member at or after *index whose parent is gone; its id, or 0. */
static mproc__member_id next_orphan(uint64_t *index, bool *ret_is_starting)
{
    mproc__member_id found = 0;
    mproc__family_lock();
    for (; *index < mproc__shm()->n_members && found == 0; (*index)++) {
        const struct mproc__member_shm *slot = slot_at(*index);
        if (slot->life == MPROC__LIFE_FREE || slot->id == mproc__shm()->root) {
            continue;
        }
        const struct mproc__member_shm *parent = slot_locked(slot->parent);
        if (parent == NULL || parent->life == MPROC__LIFE_ENDED) {
            found = slot->id;
            *ret_is_starting = slot->life == MPROC__LIFE_STARTING && slot->pid == 0;
        }
    }
    mproc__family_unlock();
    return found;
}

void mproc__member_sweep(void)
{
    uint32_t *orphanings = &mproc__shm()->orphanings;
    uint32_t seen = mproc__load32_acquire(orphanings);
    if (seen == 0) {
        return;
    }
    uint64_t index = 0;
    bool is_starting = false;
    bool is_done = true;
    mproc__member_id id;
    while ((id = next_orphan(&index, &is_starting)) != 0) {
        // Not yet a process: whoever it becomes will find that it has been given up.
        if (is_starting || mproc__member_is_gone(id)) {
            mproc__member_bury(id);
            mproc__member_free(id);
        } else {
            is_done = false; // still alive: look again next time
        }
    }
    MPROC__KILLPOINT("member.swept");
    // Only now, and only if no more were orphaned meanwhile: who is killed at a sweep leaves it to do.
    if (is_done) {
        (void)mproc__cas32(orphanings, &seen, 0);
    }
}
