/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dict.c: mproc_dict, the calls; see dict_table.h for the structure.
 */
#include "mproc/dict.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/status.h"
#include "family/object.h"
#include "mproc/error.h"
#include "object/dict_table.h"

#include <string.h>

static struct mproc__dict_shm *shm_of(const mproc_dict *dict)
{
    return dict->object.shm;
}

static int no_dict(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the dict is NULL, or what is to be filled", verb);
}

static int no_key(void)
{
    return mproc__fail_shortly(MPROC_ENOENT, "the dict has no such key");
}

int mproc_dict_create(mproc_dict **ret_dict)
{
    struct mproc_object *object = NULL;
    if (ret_dict == NULL) {
        return no_dict("create");
    }
    int rc = mproc__object_create(MPROC__KIND_DICT, sizeof(struct mproc__dict_shm),
                                  MPROC__STORE_SLOTS, &object);
    if (rc >= 0) {
        struct mproc__dict_shm *shm = object->shm;
        shm->seed = (uint64_t)mplat_now() ^ object->offset;
        mproc__store_init(&shm->store, object->offset);
        *ret_dict = MPROC__CONTAINER(object, mproc_dict, object);
    }
    return rc;
}

/* ---- one item -------------------------------------------------------------------------------- */

/** What a call does to an item. */
typedef struct change {
    struct mproc__dict_shm *dict;
    mproc__key *key;
    mproc__drafts *drafts; /**< the first is the value */
    uint64_t found;        /**< the item; 0: there is none */
    uint64_t place;
    mproc__edit *edit;
} change;

static int replace(change *c)
{
    uint64_t cell;
    int rc = mproc__cell_make(c->edit, &c->drafts->draft[0], &cell);
    if (rc >= 0) {
        uint64_t *word = &mproc__item_at(c->found)->value;
        mproc__cell_drop(c->edit, *word);
        mproc__edit_adopt(c->edit, &c->drafts->chain);
        mproc__edit_close(c->edit);
        mproc__txn_set(&c->edit->txn, word, cell);
        mproc__edit_commit(c->edit);
    }
    return rc;
}

static int add(change *c)
{
    struct mproc__table table;
    uint64_t cell;
    int rc = mproc__dict_widen(c->dict, c->edit, 1, &table);
    if (rc < 0 || (rc = mproc__cell_make(c->edit, &c->drafts->draft[0], &cell)) < 0) {
        return rc;
    }
    uint64_t item = mproc__item_make(c->edit, c->key, cell);
    if (item == 0) {
        return MPROC_ENOMEM;
    }
    mproc__edit_adopt(c->edit, &c->drafts->chain);
    mproc__edit_close(c->edit);
    mproc__dict_insert(c->dict, c->edit, item, &table);
    mproc__edit_commit(c->edit);
    return MPROC_OK;
}

static int replace_or_add(change *c, void *unused)
{
    (void)unused;
    return c->found != 0 ? replace(c) : add(c);
}

/** Call `fn` with the item of a key, or without one, the mutex held; `value` NULL: it stores none. */
static int change_item(const mproc_dict *dict, const mproc_value *key, const mproc_value *value,
                       int (*fn)(change *c, void *arg), void *arg)
{
    mproc__key made;
    mproc__drafts drafts;
    mproc__edit edit;
    change c = {.dict = shm_of(dict), .key = &made, .drafts = &drafts, .edit = &edit};
    int rc = mproc__key_make(c.dict, key, &made);
    if (rc < 0 || (rc = mproc__drafts_make(&drafts, value, value != NULL ? 1 : 0, 1)) < 0) {
        return rc;
    }
    if ((rc = mproc__dict_lock(c.dict)) >= 0) {
        c.found = mproc__dict_find(c.dict, &made, &c.place);
        mproc__edit_begin(&edit, &c.dict->store);
        rc = fn(&c, arg);
        mproc__store_unlock(&c.dict->store);
        mproc__edit_end(&edit);
    }
    mproc__drafts_end(&drafts);
    return rc;
}

int mproc_dict_set(mproc_dict *dict, mproc_value key, mproc_value value)
{
    return dict != NULL ? change_item(dict, &key, &value, replace_or_add, NULL) : no_dict("set");
}

int mproc_dict_get(const mproc_dict *dict, mproc_value key, mproc_value *ret_value)
{
    mproc__key made;
    mproc__reading reading;
    uint64_t unused;
    if (dict == NULL || ret_value == NULL) {
        return no_dict("get");
    }
    struct mproc__dict_shm *shm = shm_of(dict);
    int rc = mproc__key_make(shm, &key, &made);
    if (rc < 0 || (rc = mproc__dict_lock(shm)) < 0) {
        return rc;
    }
    uint64_t item = mproc__dict_find(shm, &made, &unused);
    if (item != 0) {
        rc = mproc__reading_begin(&reading, mproc__item_at(item)->value);
    }
    mproc__store_unlock(&shm->store);
    if (item == 0) {
        return no_key();
    }
    return rc < 0 ? rc : mproc__reading_end(&reading, ret_value);
}

int mproc_dict_contains(const mproc_dict *dict, mproc_value key)
{
    mproc__key made;
    uint64_t unused;
    if (dict == NULL) {
        return no_dict("contains");
    }
    struct mproc__dict_shm *shm = shm_of(dict);
    int rc = mproc__key_make(shm, &key, &made);
    if (rc >= 0 && (rc = mproc__dict_lock(shm)) >= 0) {
        rc = mproc__dict_find(shm, &made, &unused) != 0 ? 1 : 0;
        mproc__store_unlock(&shm->store);
    }
    return rc;
}

/** Read the value of the item found, with the mutex. */
static int read_found(const change *c, mproc_value *ret_value)
{
    mproc__reading reading;
    int rc = mproc__reading_begin(&reading, mproc__item_at(c->found)->value);
    return rc < 0 ? rc : mproc__reading_end(&reading, ret_value);
}

static int read_or_add(change *c, void *ret_value)
{
    if (c->found != 0) {
        return ret_value != NULL ? read_found(c, ret_value) : 0;
    }
    // Before the commit: there must be memory for it.
    int rc = ret_value != NULL ? mproc_value_copy(ret_value, c->drafts->draft[0].value) : MPROC_OK;
    if (rc >= 0 && (rc = add(c)) < 0 && ret_value != NULL) {
        mproc_value_clear(ret_value);
    }
    return rc < 0 ? rc : 1;
}

int mproc_dict_setdefault(mproc_dict *dict, mproc_value key, mproc_value value,
                          mproc_value *ret_value)
{
    mproc_value copy = MPROC_NIL_VALUE;
    if (dict == NULL) {
        return no_dict("setdefault");
    }
    int rc = change_item(dict, &key, &value, read_or_add, ret_value != NULL ? &copy : NULL);
    if (rc >= 0 && ret_value != NULL) {
        *ret_value = copy;
    }
    return rc;
}

static int take_out(change *c, void *ret_value)
{
    if (c->found == 0) {
        return no_key();
    }
    // Before the commit: there must be memory for it.
    int rc = ret_value != NULL ? read_found(c, ret_value) : MPROC_OK;
    if (rc >= 0) {
        mproc__dict_remove(c->dict, c->edit, c->found, c->place);
        mproc__edit_commit(c->edit);
    }
    return rc;
}

int mproc_dict_pop(mproc_dict *dict, mproc_value key, mproc_value *ret_value)
{
    return dict != NULL ? change_item(dict, &key, NULL, take_out, ret_value) : no_dict("pop");
}

/** The integer of the item found. */
static int integer_of(const change *c, int64_t *ret_integer)
{
    unsigned char room[8];
    mproc_value value = MPROC_NIL_VALUE;
    uint64_t cell = mproc__item_at(c->found)->value;
    const mproc_bytes bytes = mproc__cell_bytes(cell, room);
    // No integer is longer.
    int rc = bytes.size <= 9 ? mproc__value_read(bytes.data, bytes.size, &value) : MPROC_OK;
    bool is_large = value.type == MPROC_UINT;
    bool is_integer = value.type == MPROC_INT;
    if (rc >= 0 && is_integer) {
        *ret_integer = value.as.integer;
    }
    mproc_value_clear(&value);
    return rc < 0 || is_integer ? rc
           : is_large ? mproc__fail(MPROC_ERANGE, "increment: the value does not fit an int64_t")
                      : mproc__fail(MPROC_ETYPE, "increment: the value is no integer");
}

static int add_to(change *c, void *arg)
{
    int64_t *sum = arg;
    int64_t old = 0;
    int rc = c->found != 0 ? integer_of(c, &old) : MPROC_OK;
    if (rc < 0) {
        return rc;
    }
    if (*sum > 0 ? old > INT64_MAX - *sum : old < INT64_MIN - *sum) {
        return mproc__fail(MPROC_ERANGE, "increment: the sum does not fit an int64_t");
    }
    *sum += old;
    const mproc_value value = mproc__value_int(*sum);
    c->drafts->draft[0] = (mproc__draft){.value = &value};
    rc = mproc__value_size(&value, &c->drafts->draft[0].size, NULL);
    return rc < 0 ? rc : replace_or_add(c, NULL);
}

int mproc_dict_increment(mproc_dict *dict, mproc_value key, int64_t by, int64_t *ret_value)
{
    if (dict == NULL) {
        return no_dict("increment");
    }
    int rc = change_item(dict, &key, NULL, add_to, &by);
    if (rc >= 0 && ret_value != NULL) {
        *ret_value = by;
    }
    return rc;
}

static int replace_if_equal(change *c, void *arg)
{
    unsigned char room[8];
    const mproc_bytes *expected = arg;
    if (c->found == 0) {
        return no_key();
    }
    const mproc_bytes bytes = mproc__cell_bytes(mproc__item_at(c->found)->value, room);
    if (bytes.size != expected->size || memcmp(bytes.data, expected->data, bytes.size) != 0) {
        return 0;
    }
    int rc = replace(c);
    return rc < 0 ? rc : 1;
}

int mproc_dict_compare_and_set(mproc_dict *dict, mproc_value key, mproc_value expected,
                               mproc_value value)
{
    unsigned char room[MPROC__CELL_PLAIN_MAX];
    size_t size;
    if (dict == NULL) {
        return no_dict("compare and set");
    }
    int rc = mproc__value_size(&expected, &size, NULL);
    if (rc < 0) {
        return rc;
    }
    void *data = size <= sizeof(room) ? room : mproc__malloc(size);
    if (data == NULL) {
        return mproc__fail(MPROC_ENOMEM, "compare and set: no memory for %zu bytes", size);
    }
    mproc__value_write(&expected, data);
    mproc_bytes bytes = mproc_bytes_of(data, size);
    rc = change_item(dict, &key, &value, replace_if_equal, &bytes);
    if (data != room) {
        mproc__free(data);
    }
    return rc;
}

size_t mproc_dict_length(const mproc_dict *dict)
{
    return dict != NULL ? (size_t)mproc__load64_acquire(&shm_of(dict)->count) : 0;
}

/* ---- many items ------------------------------------------------------------------------------ */

/** Make the items of a map, and have them pending, in one commit. */
static int add_pending(struct mproc__dict_shm *shm, mproc__edit *edit, mproc__drafts *drafts,
                       const mproc_value *map)
{
    struct mproc__table table;
    uint64_t first = 0;
    uint64_t *link = &first;
    int rc = mproc__dict_widen(shm, edit, map->as.map.count, &table);
    for (size_t i = 0; rc >= 0 && i < map->as.map.count; i++) {
        mproc__key key;
        uint64_t cell;
        if ((rc = mproc__key_make(shm, &map->as.map.pairs[i].key, &key)) >= 0 &&
            (rc = mproc__cell_make(edit, &drafts->draft[i], &cell)) >= 0) {
            *link = mproc__item_make(edit, &key, cell);
            rc = *link != 0 ? MPROC_OK : MPROC_ENOMEM;
            link = *link != 0 ? &mproc__item_at(*link)->next : link;
        }
    }
    if (rc >= 0) {
        mproc__edit_adopt(edit, &drafts->chain);
        mproc__edit_close(edit);
        mproc__dict_set_table(shm, edit, &table);
        mproc__txn_set(&edit->txn, &shm->pending, first);
        mproc__edit_commit(edit);
    }
    return rc;
}

int mproc_dict_update(mproc_dict *dict, mproc_value map)
{
    mproc__drafts drafts;
    mproc__edit edit;
    if (dict == NULL) {
        return no_dict("update");
    }
    if (map.type != MPROC_MAP) {
        return mproc__fail(MPROC_ETYPE, "update: a %s is no map", mproc_type_name(map.type));
    }
    struct mproc__dict_shm *shm = shm_of(dict);
    const mproc_value *values = map.as.map.count > 0 ? &map.as.map.pairs[0].value : NULL;
    int rc = mproc__drafts_make(&drafts, values, map.as.map.count, 2);
    if (rc < 0) {
        return rc;
    }
    if ((rc = mproc__dict_lock(shm)) >= 0) {
        mproc__edit_begin(&edit, &shm->store);
        rc = add_pending(shm, &edit, &drafts, &map);
        mproc__dict_settle(shm);
        mproc__store_unlock(&shm->store);
        mproc__edit_end(&edit);
    }
    mproc__drafts_end(&drafts);
    return rc;
}

int mproc_dict_clear(mproc_dict *dict)
{
    mproc__edit edit;
    if (dict == NULL) {
        return no_dict("clear");
    }
    struct mproc__dict_shm *shm = shm_of(dict);
    int rc = mproc__dict_lock(shm);
    if (rc >= 0) {
        const struct mproc__table none = {0, 0, 0};
        mproc__edit_begin(&edit, &shm->store);
        mproc__edit_clear(&edit);
        mproc__edit_close(&edit);
        mproc__dict_set_table(shm, &edit, &none);
        mproc__txn_set(&edit.txn, &shm->first, 0);
        mproc__txn_set(&edit.txn, &shm->last, 0);
        mproc__txn_set(&edit.txn, &shm->count, 0);
        mproc__edit_commit(&edit);
        mproc__store_unlock(&shm->store);
        mproc__edit_end(&edit);
    }
    return rc;
}

/** The cells of many keys. */
static int find_many(const struct mproc__dict_shm *shm, const mproc_value *keys, size_t count,
                     uint64_t *cells)
{
    int rc = MPROC_OK;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        mproc__key key;
        uint64_t unused;
        if ((rc = mproc__key_make(shm, &keys[i], &key)) >= 0) {
            uint64_t item = mproc__dict_find(shm, &key, &unused);
            cells[i] = item != 0 ? mproc__item_at(item)->value : MPROC__CELL_NIL;
        }
    }
    return rc;
}

int mproc_dict_get_many(const mproc_dict *dict, const mproc_value *keys, size_t count,
                        mproc_value *ret_list)
{
    mproc__snapshot copy = {.type = MPROC_LIST, .count = count};
    if (dict == NULL || ret_list == NULL || (keys == NULL && count > 0)) {
        return no_dict("get many");
    }
    struct mproc__dict_shm *shm = shm_of(dict);
    uint64_t *cells = mproc__calloc(count, sizeof(*cells));
    if (cells == NULL) {
        return mproc__fail(MPROC_ENOMEM, "get many: no memory for %zu keys", count);
    }
    int rc = mproc__dict_lock(shm);
    if (rc >= 0) {
        if ((rc = find_many(shm, keys, count, cells)) >= 0) {
            rc = mproc__snapshot_take(&copy, cells);
        }
        if (rc >= 0 && copy.has_objects) {
            rc = mproc__snapshot_end(&copy, ret_list);
        }
        mproc__store_unlock(&shm->store);
    }
    mproc__free(cells);
    return rc < 0 || copy.data == NULL ? rc : mproc__snapshot_end(&copy, ret_list);
}

static int copy_locked(const struct mproc__dict_shm *shm, mproc__snapshot *copy, bool has_keys,
                       bool has_values)
{
    copy->count = (size_t)shm->count;
    for (uint64_t at = shm->first; at != 0; at = mproc__item_at(at)->next) {
        copy->size += has_keys ? (size_t)mproc__item_at(at)->size : 0;
        if (has_values) {
            mproc__snapshot_measure(copy, mproc__item_at(at)->value);
        }
    }
    int rc = mproc__snapshot_begin(copy);
    for (uint64_t at = shm->first; rc >= 0 && at != 0; at = mproc__item_at(at)->next) {
        const struct mproc__item_shm *item = mproc__item_at(at);
        if (has_keys) {
            mproc__snapshot_copy(copy, item + 1, (size_t)item->size);
        }
        if (has_values) {
            mproc__snapshot_copy_cell(copy, item->value);
        }
    }
    return rc;
}

static int copy(const mproc_dict *dict, const char *verb, bool has_keys, bool has_values,
                mproc_value *ret_copy)
{
    mproc__snapshot snapshot = {.type = has_keys && has_values ? MPROC_MAP : MPROC_LIST};
    if (dict == NULL || ret_copy == NULL) {
        return no_dict(verb);
    }
    struct mproc__dict_shm *shm = shm_of(dict);
    int rc = mproc__dict_lock(shm);
    if (rc < 0) {
        return rc;
    }
    rc = copy_locked(shm, &snapshot, has_keys, has_values);
    if (rc >= 0 && snapshot.has_objects) {
        rc = mproc__snapshot_end(&snapshot, ret_copy);
    }
    mproc__store_unlock(&shm->store);
    return rc < 0 || snapshot.data == NULL ? rc : mproc__snapshot_end(&snapshot, ret_copy);
}

int mproc_dict_items(const mproc_dict *dict, mproc_value *ret_map)
{
    return copy(dict, "items", true, true, ret_map);
}

int mproc_dict_keys(const mproc_dict *dict, mproc_value *ret_list)
{
    return copy(dict, "keys", true, false, ret_list);
}

int mproc_dict_values(const mproc_dict *dict, mproc_value *ret_list)
{
    return copy(dict, "values", false, true, ret_list);
}
