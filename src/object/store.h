/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h: memory of a container that changes as a whole or not at all, whoever dies.
 *
 * Why       A dict and a list are a mutex, a journal and memory of many sizes; only what they make of
 *           it differs.
 * Layout    Records of CLASSES sizes are cut from segments, blocks of which each holds the next one.
 *           What does not fit a record, and what refers to objects, has an envelope, a block of its
 *           own; these hold each other in a chain, so that they die with the container. The container
 *           holds the first of both, and its table, in slots (block.h).
 * How       An edit is made aside: it takes records from the free lists as they are, without changing
 *           these, and writes them. A record's first word is a link while it is free and means nothing
 *           while it is in use, so the records that an edit gives back are linked beforehand, too. What
 *           is left to change are a few words, however large the edit is: the heads of lists, and the
 *           container's own. One transaction changes them.
 * Always    S1  each byte of the segments is in a record in use, a free one, in [fresh, end) of the
 *               last one, or cut off at a segment's end
 *           S2  an envelope's `previous` names the one that holds it, 0: the container
 * Locks     the mutex; the family lock besides where blocks change hands, whose journal is used then
 * Commit    that of the journal
 * Death     before the commit, an edit has written free memory only. Who takes the mutex over finishes
 *           both journals. Nobody else is told.
 */
#ifndef MPROC_OBJECT_STORE_H
#define MPROC_OBJECT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "family/block.h"
#include "family/journal.h"
#include "family/mutex.h"

#define MPROC__STORE_CLASSES 15
#define MPROC__RECORD_MAX 4096u

/** The slots of a container's block. */
enum { MPROC__SLOT_SEGMENTS, MPROC__SLOT_ENVELOPES, MPROC__SLOT_TABLE, MPROC__STORE_SLOTS };

/** Begins a container's payload. */
struct mproc__store_shm {
    struct mproc__mutex_shm mutex;
    uint64_t container;  /**< its block; constant */
    uint64_t segment;    /**< the last one: its block; 0: none */
    uint64_t fresh, end; /**< memory of it that was never used */
    uint64_t free[MPROC__STORE_CLASSES];
    struct mproc__journal_shm journal;
};

/** Begins an envelope's payload; its bytes follow. */
struct mproc__envelope_shm {
    uint64_t previous; /**< in the chain; guarded by the container's mutex */
    uint64_t size;     /**< constant, as are the bytes */
};

/** Of an envelope's references the first is the next one of the chain; the others are the value's objects. */
#define MPROC__ENVELOPE_NEXT 0u

/** Envelopes linked by who made them, who holds the first; offset 0: none. */
typedef struct mproc__chain {
    mproc__hold first;
    uint64_t last;
} mproc__chain;

/** An edit under way, in the memory of who holds the mutex. */
typedef struct mproc__edit {
    struct mproc__store_shm *store;
    uint64_t segment, fresh, end;
    uint32_t used;                        /**< classes for which the following are set: bits */
    uint64_t taken[MPROC__STORE_CLASSES]; /**< the free list without what was taken from it */
    uint64_t given[MPROC__STORE_CLASSES]; /**< what is given back, linked */
    uint64_t given_last[MPROC__STORE_CLASSES];
    uint64_t dropped;     /**< an envelope that is no longer needed; 0: none */
    mproc__chain *chain;  /**< envelopes to be held by the container; NULL: none */
    mproc__hold table;    /**< its new table; offset 0: no new one */
    bool is_cleared;      /**< all it holds is let go */
    bool is_wide;         /**< holds the family lock and uses its journal */
    bool can_take;        /**< there is place for a hold in this process's ledger */
    mproc__hold released; /**< what the container held before, to be freed at leisure */
    mproc__txn txn;
} mproc__edit;

/** In a new container, which holds nothing. */
void mproc__store_init(struct mproc__store_shm *store, uint64_t container);

/** Take the mutex. MPROC_OWNER_DIED: taken, and all is whole again, as far as the store knows. */
int mproc__store_lock(struct mproc__store_shm *store);
void mproc__store_unlock(struct mproc__store_shm *store);

/* With the mutex held, in this order: */

void mproc__edit_begin(mproc__edit *edit, struct mproc__store_shm *store);

/** A record of at least `bytes`, of which the first eight are the store's: its offset; 0: no memory. */
uint64_t mproc__edit_take(mproc__edit *edit, size_t bytes);

/** Give one back when the edit is committed; the caller may go on reading it until then. */
void mproc__edit_give(mproc__edit *edit, uint64_t record, size_t bytes);

/** Let an envelope go; one for each edit. */
void mproc__edit_drop(mproc__edit *edit, uint64_t envelope);

/** Have the container hold envelopes; the chain is then no longer its maker's. NULL, or none: fine. */
void mproc__edit_adopt(mproc__edit *edit, mproc__chain *chain);

/** A new table of zeroes in place of the present one: its offset. */
int mproc__edit_make_table(mproc__edit *edit, uint64_t bytes, uint64_t *ret_table);

/** Let all records, envelopes and the table go, and take none. */
void mproc__edit_clear(mproc__edit *edit);

/** Collect the store's words; the container adds its own to edit->txn. Cannot fail from here on. */
void mproc__edit_close(mproc__edit *edit);

/** Let it happen. */
void mproc__edit_commit(mproc__edit *edit);

/** After the mutex is released, committed or not: free what is left over. */
void mproc__edit_end(mproc__edit *edit);

#endif
