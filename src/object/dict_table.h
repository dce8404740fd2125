/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dict_table.h: the structure of mproc_dict: items in the order in which they came, and a hash table.
 *
 * Layout    An item is a record (store.h) with its key as MessagePack. The table has a power of two of
 *           words: 0, REMOVED, or an item's offset with 16 bits of its key's hash above it. A key's word
 *           is at its hash's place or, over no 0, behind it.
 * Always    D1  the items in use are linked from `first` to `last`, `count` of them; each has one word
 *           D2  `filled` words are not 0: at most three quarters
 *           D3  items linked from `pending` are yet to be put in, in that order; there is a word for each
 * Locks, Commit: the store's, see store.h
 * Death     the next to take the mutex puts in what is pending, one transaction each, before anything
 *           else; so many come as one
 */
#ifndef MPROC_OBJECT_DICT_TABLE_H
#define MPROC_OBJECT_DICT_TABLE_H

#include "family/layout.h"
#include "mproc/dict.h"
#include "object/cell.h"
#include "object/store.h"

struct mproc__dict_shm {
    struct mproc__store_shm store;
    uint64_t table;    /**< offset of the words; 0: there are none */
    uint64_t capacity; /**< how many; 0 or a power of two */
    uint64_t filled;
    uint64_t count; /**< anybody may read it */
    uint64_t first, last;
    uint64_t pending;
    uint64_t seed; /**< of the hashes; constant */
};

struct mproc__item_shm {
    uint64_t link; /**< the store's */
    uint64_t previous, next;
    uint64_t value; /**< a cell */
    uint64_t hash;
    uint64_t size; /**< of the key, which follows */
};

#define MPROC__KEY_MAX (MPROC__RECORD_MAX - sizeof(struct mproc__item_shm))

/** A key in the memory of who looks for it. */
typedef struct mproc__key {
    uint64_t hash;
    size_t size;
    const unsigned char *bytes;
    unsigned char room[MPROC__KEY_MAX];
} mproc__key;

static inline struct mproc__item_shm *mproc__item_at(uint64_t item)
{
    return mproc__at(item);
}

/** Check a key, and make it. 0, MPROC_ETYPE or MPROC_ETOOBIG. */
int mproc__key_check(const mproc_value *value, size_t *ret_size);
int mproc__key_make(const struct mproc__dict_shm *dict, const mproc_value *value, mproc__key *key);

/** Take the dict's mutex; what is pending has happened then. */
int mproc__dict_lock(struct mproc__dict_shm *dict);

/** The item of a key: its offset, and where its word is; 0: there is none. */
uint64_t mproc__dict_find(const struct mproc__dict_shm *dict, const mproc__key *key,
                          uint64_t *ret_place);

/* Within an edit: */

/** Have place for `n` more items: the table is as before, or a new one. */
struct mproc__table {
    uint64_t at, capacity, filled;
};
int mproc__dict_widen(const struct mproc__dict_shm *dict, mproc__edit *edit, uint64_t n,
                      struct mproc__table *ret_table);

/** An item that is in nothing yet; 0: no memory. */
uint64_t mproc__item_make(mproc__edit *edit, const mproc__key *key, uint64_t cell);

/** When the edit is closed: put an item behind the last one, and the table in place. */
void mproc__dict_insert(struct mproc__dict_shm *dict, mproc__edit *edit, uint64_t at,
                        const struct mproc__table *table);

/** Close the edit and take an item out. */
void mproc__dict_remove(struct mproc__dict_shm *dict, mproc__edit *edit, uint64_t at,
                        uint64_t place);

/** When the edit is closed: the table is that one. */
void mproc__dict_set_table(struct mproc__dict_shm *dict, mproc__edit *edit,
                           const struct mproc__table *table);

/** Put in what is pending; cannot fail. */
void mproc__dict_settle(struct mproc__dict_shm *dict);

#endif
