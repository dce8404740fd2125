/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.c: see ledger.h for the structure.
 */
#include "family/ledger.h"

#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/layout.h"

#define FIRST ((uint32_t)64)

static uint32_t segment_of(uint32_t entry)
{
    uint32_t segment = 0;
    for (uint32_t i = entry / FIRST + 1; i > 1; i >>= 1) {
        segment++;
    }
    return segment;
}

static uint32_t first_of(uint32_t segment)
{
    return FIRST * (((uint32_t)1 << segment) - 1);
}

static uint32_t length_of(uint32_t segment)
{
    return FIRST << segment;
}

uint64_t *mproc__ledger_word(const struct mproc__member_shm *member, uint32_t entry)
{
    uint32_t segment = segment_of(entry);
    MPROC__CHECK(segment < MPROC__LEDGER_SEGMENTS && member->ledger[segment] != 0);
    uint64_t *words = mproc__block_at(member->ledger[segment]);
    return words + (entry - first_of(segment));
}

bool mproc__ledger_says(const struct mproc__member_shm *member, uint32_t entry, uint64_t offset)
{
    return entry < member->ledger_fresh && *mproc__ledger_word(member, entry) == offset;
}

static int add_segment(struct mproc__member_shm *member, uint32_t segment)
{
    if (segment >= MPROC__LEDGER_SEGMENTS) {
        return mproc__fail(MPROC_ENOSPC, "a process holds more than 16 million references");
    }
    return mproc__block_make(MPROC__KIND_LEDGER, (uint64_t)length_of(segment) * 8,
                             &member->ledger[segment]);
}

int mproc__ledger_reserve(struct mproc__member_shm *member)
{
    if (member->ledger_free != 0) {
        return MPROC_OK;
    }
    uint32_t segment = segment_of((uint32_t)member->ledger_fresh);
    return segment < MPROC__LEDGER_SEGMENTS && member->ledger[segment] != 0
               ? MPROC_OK
               : add_segment(member, segment);
}

uint32_t mproc__ledger_add(mproc__txn *txn, struct mproc__member_shm *member, uint64_t offset)
{
    uint64_t free_entry = mproc__txn_get(txn, &member->ledger_free);
    uint32_t entry;
    if (free_entry != 0) {
        entry = (uint32_t)free_entry - 1;
        uint64_t word = mproc__txn_get(txn, mproc__ledger_word(member, entry));
        mproc__txn_set(txn, &member->ledger_free, word >> 1);
    } else {
        entry = (uint32_t)mproc__txn_get(txn, &member->ledger_fresh);
        mproc__txn_set(txn, &member->ledger_fresh, (uint64_t)entry + 1);
    }
    mproc__txn_set(txn, mproc__ledger_word(member, entry), offset);
    return entry;
}

void mproc__ledger_remove(mproc__txn *txn, struct mproc__member_shm *member, uint32_t entry)
{
    uint64_t *word = mproc__ledger_word(member, entry);
    MPROC__CHECK(mproc__txn_get(txn, word) % 2 == 0 && mproc__txn_get(txn, word) != 0);
    mproc__txn_set(txn, word, mproc__txn_get(txn, &member->ledger_free) << 1 | 1);
    mproc__txn_set(txn, &member->ledger_free, (uint64_t)entry + 1);
}

uint32_t mproc__ledger_next(const struct mproc__member_shm *member, uint32_t from)
{
    for (uint32_t entry = from; entry < member->ledger_fresh; entry++) {
        uint64_t word = *mproc__ledger_word(member, entry);
        if (word != 0 && word % 2 == 0) {
            return entry;
        }
    }
    return UINT32_MAX;
}

int mproc__ledger_clone(const struct mproc__member_shm *member, struct mproc__member_shm *copy)
{
    for (uint32_t entry = 0; entry < member->ledger_fresh; entry++) {
        uint32_t segment = segment_of(entry);
        if (copy->ledger[segment] == 0) {
            int rc = add_segment(copy, segment);
            if (rc < 0) {
                return rc;
            }
        }
        // Entry by entry, so that the copy's ledger is right at every instant: it may die early.
        uint64_t word = *mproc__ledger_word(member, entry);
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        if (word % 2 == 0) {
            mproc__block_count(&txn, word, 1);
        }
        mproc__txn_set(&txn, mproc__ledger_word(copy, entry), word);
        mproc__txn_set(&txn, &copy->ledger_fresh, (uint64_t)entry + 1);
        mproc__txn_commit(&txn);
    }
    mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
    mproc__txn_set(&txn, &copy->ledger_free, member->ledger_free);
    mproc__txn_commit(&txn);
    return MPROC_OK;
}

void mproc__ledger_fini(struct mproc__member_shm *member)
{
    mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
    mproc__txn_set(&txn, &member->ledger_free, 0);
    mproc__txn_set(&txn, &member->ledger_fresh, 0);
    mproc__txn_commit(&txn);
    for (uint32_t segment = 0; segment < MPROC__LEDGER_SEGMENTS; segment++) {
        if (member->ledger[segment] != 0) {
            mproc__block_unmake(&member->ledger[segment]);
        }
    }
}
