/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dict_table.c: see dict_table.h.
 */
#include "object/dict_table.h"

#include "base/status.h"
#include "mproc/error.h"

#include <string.h>

/* A word of the table. */
#define REMOVED ((uint64_t)1)
#define TAG_SHIFT 48
#define OFFSET_MASK (((uint64_t)1 << TAG_SHIFT) - 1)

#define LEAST_CAPACITY 16u

/* ---- keys ------------------------------------------------------------------------------------ */

/** Whether a value is a key, but for its size; it has been checked that it is not nested too deep. */
static bool is_key(const mproc_value *value)
{
    if (value->type != MPROC_LIST) {
        return value->type != MPROC_MAP && value->type != MPROC_OBJECT;
    }
    for (size_t i = 0; i < value->as.list.count; i++) {
        if (!is_key(&value->as.list.items[i])) {
            return false;
        }
    }
    return true;
}

int mproc__key_check(const mproc_value *value, size_t *ret_size)
{
    int rc = mproc__value_size(value, ret_size, NULL);
    if (rc < 0) {
        return rc;
    }
    if (!is_key(value)) {
        return mproc__fail(MPROC_ETYPE, "a %s is no key of a dict, or holds what is none",
                           mproc_type_name(value->type));
    }
    return *ret_size <= MPROC__KEY_MAX
               ? MPROC_OK
               : mproc__fail(MPROC_ETOOBIG, "a key of %zu bytes; the limit is %zu", *ret_size,
                             MPROC__KEY_MAX);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

static uint64_t hash_of(const unsigned char *bytes, size_t size, uint64_t seed)
{
    uint64_t hash = mix(seed, size);
    uint64_t word = 0;
    for (; size > sizeof(word); size -= sizeof(word), bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, bytes, size);
    return mix(mix(hash, word), 0);
}

int mproc__key_make(const struct mproc__dict_shm *dict, const mproc_value *value, mproc__key *key)
{
    int rc = mproc__key_check(value, &key->size);
    if (rc >= 0) {
        mproc__value_write(value, key->room);
        key->bytes = key->room;
        key->hash = hash_of(key->bytes, key->size, dict->seed);
    }
    return rc;
}

/* ---- the table ------------------------------------------------------------------------------- */

static uint64_t *words_at(uint64_t table)
{
    return mproc__at(table);
}

static uint64_t word_for(uint64_t item, uint64_t hash)
{
    return item | hash >> TAG_SHIFT << TAG_SHIFT;
}

static bool has_key(const struct mproc__item_shm *item, const mproc__key *key)
{
    return item->hash == key->hash && item->size == key->size &&
           memcmp(item + 1, key->bytes, key->size) == 0;
}

uint64_t mproc__dict_find(const struct mproc__dict_shm *dict, const mproc__key *key,
                          uint64_t *ret_place)
{
    if (dict->capacity == 0) {
        return 0;
    }
    const uint64_t *words = words_at(dict->table);
    const uint64_t mask = dict->capacity - 1;
    const uint64_t tag = word_for(0, key->hash);
    for (uint64_t place = key->hash & mask; words[place] != 0; place = (place + 1) & mask) {
        uint64_t item = words[place] & OFFSET_MASK;
        if ((words[place] & ~OFFSET_MASK) == tag && item != REMOVED &&
            has_key(mproc__item_at(item), key)) {
            *ret_place = place;
            return item;
        }
    }
    return 0;
}

/** The place of the first word for a hash in which nothing is, nor was. */
static uint64_t find_empty(const struct mproc__table *table, uint64_t hash)
{
    const uint64_t *words = words_at(table->at);
    uint64_t place = hash & (table->capacity - 1);
    while (words[place] != 0) {
        place = (place + 1) & (table->capacity - 1);
    }
    return place;
}

/** Fill a new table with the items there are; what was removed is gone from it. */
static void fill(const struct mproc__dict_shm *dict, struct mproc__table *table)
{
    uint64_t *words = words_at(table->at);
    for (uint64_t at = dict->first; at != 0; at = mproc__item_at(at)->next) {
        uint64_t hash = mproc__item_at(at)->hash;
        words[find_empty(table, hash)] = word_for(at, hash);
    }
    table->filled = dict->count;
}

int mproc__dict_widen(const struct mproc__dict_shm *dict, mproc__edit *edit, uint64_t n,
                      struct mproc__table *ret_table)
{
    *ret_table = (struct mproc__table){dict->table, dict->capacity, dict->filled};
    if (dict->filled + n <= dict->capacity / 4 * 3) {
        return MPROC_OK;
    }
    uint64_t capacity = LEAST_CAPACITY;
    while (capacity < 2 * (dict->count + n)) {
        capacity *= 2;
    }
    int rc = mproc__edit_make_table(edit, capacity * sizeof(uint64_t), &ret_table->at);
    if (rc >= 0) {
        ret_table->capacity = capacity;
        fill(dict, ret_table);
    }
    return rc;
}

void mproc__dict_set_table(struct mproc__dict_shm *dict, mproc__edit *edit,
                           const struct mproc__table *table)
{
    if (table->at != dict->table) {
        mproc__txn_set(&edit->txn, &dict->table, table->at);
        mproc__txn_set(&edit->txn, &dict->capacity, table->capacity);
    }
    if (table->filled != dict->filled) {
        mproc__txn_set(&edit->txn, &dict->filled, table->filled);
    }
}

/* ---- items ----------------------------------------------------------------------------------- */

static size_t item_bytes(size_t key_size)
{
    return sizeof(struct mproc__item_shm) + key_size;
}

uint64_t mproc__item_make(mproc__edit *edit, const mproc__key *key, uint64_t cell)
{
    uint64_t at = mproc__edit_take(edit, item_bytes(key->size));
    if (at != 0) {
        struct mproc__item_shm *item = mproc__item_at(at);
        item->previous = item->next = 0;
        item->value = cell;
        item->hash = key->hash;
        item->size = key->size;
        memcpy(item + 1, key->bytes, key->size);
    }
    return at;
}

void mproc__dict_insert(struct mproc__dict_shm *dict, mproc__edit *edit, uint64_t at,
                        const struct mproc__table *table)
{
    struct mproc__item_shm *item = mproc__item_at(at);
    struct mproc__table after = *table;
    uint64_t *word = &words_at(table->at)[find_empty(table, item->hash)];
    after.filled++;
    mproc__dict_set_table(dict, edit, &after);
    mproc__txn_set(&edit->txn, word, word_for(at, item->hash));
    mproc__txn_set(&edit->txn, dict->last != 0 ? &mproc__item_at(dict->last)->next : &dict->first,
                   at);
    mproc__txn_set(&edit->txn, &dict->last, at);
    mproc__txn_set(&edit->txn, &item->previous, dict->last);
    mproc__txn_set(&edit->txn, &item->next, 0);
    mproc__txn_set(&edit->txn, &dict->count, dict->count + 1);
}

void mproc__dict_remove(struct mproc__dict_shm *dict, mproc__edit *edit, uint64_t at,
                        uint64_t place)
{
    const struct mproc__item_shm *item = mproc__item_at(at);
    uint64_t *words = words_at(dict->table);
    bool is_end = words[(place + 1) & (dict->capacity - 1)] == 0;
    mproc__cell_drop(edit, item->value);
    mproc__edit_give(edit, at, item_bytes((size_t)item->size));
    mproc__edit_close(edit);
    mproc__txn_set(&edit->txn, &words[place], is_end ? 0 : REMOVED);
    if (is_end) {
        mproc__txn_set(&edit->txn, &dict->filled, dict->filled - 1);
    }
    mproc__txn_set(&edit->txn,
                   item->previous != 0 ? &mproc__item_at(item->previous)->next : &dict->first,
                   item->next);
    mproc__txn_set(&edit->txn,
                   item->next != 0 ? &mproc__item_at(item->next)->previous : &dict->last,
                   item->previous);
    mproc__txn_set(&edit->txn, &dict->count, dict->count - 1);
}

/* ---- what is pending ------------------------------------------------------------------------- */

/** Put the first one in, or its value in the place of another. */
static void settle_one(struct mproc__dict_shm *dict)
{
    uint64_t at = dict->pending;
    uint64_t unused;
    mproc__key key;
    mproc__edit edit;
    struct mproc__item_shm *item = mproc__item_at(at);
    key.hash = item->hash;
    key.size = (size_t)item->size;
    key.bytes = (const unsigned char *)(item + 1);
    uint64_t next = item->next;
    uint64_t found = mproc__dict_find(dict, &key, &unused);
    mproc__edit_begin(&edit, &dict->store);
    if (found != 0) {
        mproc__cell_drop(&edit, mproc__item_at(found)->value);
        mproc__edit_give(&edit, at, item_bytes((size_t)item->size));
    }
    mproc__edit_close(&edit);
    if (found != 0) {
        mproc__txn_set(&edit.txn, &mproc__item_at(found)->value, item->value);
    } else {
        const struct mproc__table table = {dict->table, dict->capacity, dict->filled};
        mproc__dict_insert(dict, &edit, at, &table);
    }
    mproc__txn_set(&edit.txn, &dict->pending, next);
    mproc__edit_commit(&edit);
    mproc__edit_end(&edit);
}

void mproc__dict_settle(struct mproc__dict_shm *dict)
{
    while (dict->pending != 0) {
        settle_one(dict);
    }
}

int mproc__dict_lock(struct mproc__dict_shm *dict)
{
    int rc = mproc__store_lock(&dict->store);
    if (rc == MPROC_OWNER_DIED) {
        mproc__dict_settle(dict);
    }
    return rc < 0 ? rc : MPROC_OK;
}
