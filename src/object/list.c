/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c: see list.h.
 */
#include "object/list.h"

#include "base/atomic.h"
#include "base/status.h"
#include "family/layout.h"
#include "family/object.h"
#include "mproc/error.h"
#include "object/cell.h"

#include <string.h>

/** How a list is to be, when `n_out` items at `at` have been taken out, or `n` put in. */
struct shape {
    uint64_t at, n_out, n;
    uint64_t table, capacity, first, count;
    uint64_t *gap; /**< where the new ones are to be written */
};

static struct mproc__list_shm *shm_of(const mproc_list *list)
{
    return list->object.shm;
}

static int no_list(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the list is NULL, or what is to be stored or filled",
                       verb);
}

static uint64_t *cell_at(const struct mproc__list_shm *shm, uint64_t place)
{
    return (uint64_t *)mproc__at(shm->table) + shm->first + place;
}

/** The place of an index, from the end if it is negative. */
static int find(const struct mproc__list_shm *shm, const char *verb, int64_t index,
                uint64_t *ret_place)
{
    uint64_t count = shm->count;
    *ret_place = index < 0 ? count + (uint64_t)index : (uint64_t)index;
    // Also those before the first one: they have wrapped around.
    return *ret_place < count
               ? MPROC_OK
               : mproc__fail(MPROC_ERANGE, "%s: there is no item %lld in a list of %llu", verb,
                             (long long)index, (unsigned long long)count);
}

/** The place of an index that may lie beyond the ends. */
static uint64_t clamp(const struct mproc__list_shm *shm, int64_t index)
{
    uint64_t count = shm->count;
    if (index < 0) {
        uint64_t back = 0 - (uint64_t)index;
        return back < count ? count - back : 0;
    }
    return (uint64_t)index < count ? (uint64_t)index : count;
}

/* ---- edits ----------------------------------------------------------------------------------- */

/** A new table. */
static int rebuild(const struct mproc__list_shm *shm, mproc__edit *edit, struct shape *shape)
{
    uint64_t slack = shape->count / 2 + 8;
    shape->capacity = shape->count + slack;
    // Where some were put in front, more may come.
    shape->first = shape->at == 0 && shape->n > 0 ? slack / 2 : 0;
    int rc = mproc__edit_make_table(edit, shape->capacity * sizeof(uint64_t), &shape->table);
    if (rc >= 0 && shm->count > 0) {
        uint64_t *to = (uint64_t *)mproc__at(shape->table) + shape->first;
        uint64_t behind = shape->at + shape->n_out;
        memcpy(to, cell_at(shm, 0), (size_t)shape->at * sizeof(*to));
        memcpy(to + shape->at + shape->n, cell_at(shm, behind),
               (size_t)(shm->count - behind) * sizeof(*to));
    }
    return rc;
}

/** Complete a shape of which `at`, and `n_out` or `n`, are given. */
static int splice(const struct mproc__list_shm *shm, mproc__edit *edit, struct shape *shape)
{
    int rc = MPROC_OK;
    shape->table = shm->table;
    shape->capacity = shm->capacity;
    shape->first = shm->first;
    shape->count = shm->count - shape->n_out + shape->n;
    if (shape->at + shape->n_out == shm->count &&
        shape->at + shape->n <= shm->capacity - shm->first) {
        shape->first = shape->count == 0 ? 0 : shm->first;
    } else if (shape->at == 0 && shm->first + shape->n_out >= shape->n) {
        shape->first = shm->first + shape->n_out - shape->n;
    } else {
        rc = rebuild(shm, edit, shape);
    }
    shape->gap = (uint64_t *)mproc__at(shape->table) + shape->first + shape->at;
    return rc;
}

static void commit(struct mproc__list_shm *shm, mproc__edit *edit, const struct shape *shape)
{
    mproc__edit_close(edit);
    if (shape->table != shm->table) {
        mproc__txn_set(&edit->txn, &shm->table, shape->table);
        mproc__txn_set(&edit->txn, &shm->capacity, shape->capacity);
    }
    if (shape->first != shm->first) {
        mproc__txn_set(&edit->txn, &shm->first, shape->first);
    }
    mproc__txn_set(&edit->txn, &shm->count, shape->count);
    mproc__edit_commit(edit);
}

static int insert_locked(struct mproc__list_shm *shm, mproc__edit *edit, mproc__drafts *drafts,
                         uint64_t at, size_t count)
{
    struct shape shape = {.at = at, .n = count};
    int rc = splice(shm, edit, &shape);
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        rc = mproc__cell_make(edit, &drafts->draft[i], &shape.gap[i]);
    }
    if (rc >= 0) {
        mproc__edit_adopt(edit, &drafts->chain);
        commit(shm, edit, &shape);
    }
    return rc;
}

/** Insert values at an index; MPROC_LIST_END: at the end. */
static int insert(mproc_list *list, int64_t index, const mproc_value *values, size_t count,
                  size_t *ret_length)
{
    struct mproc__list_shm *shm = shm_of(list);
    mproc__drafts drafts;
    mproc__edit edit;
    int rc = mproc__drafts_make(&drafts, values, count, 1);
    if (rc < 0) {
        return rc;
    }
    if ((rc = mproc__store_lock(&shm->store)) >= 0) {
        mproc__edit_begin(&edit, &shm->store);
        rc = insert_locked(shm, &edit, &drafts, clamp(shm, index), count);
        size_t length = (size_t)shm->count;
        mproc__store_unlock(&shm->store);
        mproc__edit_end(&edit);
        if (rc >= 0 && ret_length != NULL) {
            *ret_length = length;
        }
    }
    mproc__drafts_end(&drafts);
    return rc < 0 ? rc : MPROC_OK;
}

/* ---- the calls ------------------------------------------------------------------------------- */

int mproc_list_create(mproc_list **ret_list)
{
    struct mproc_object *object = NULL;
    if (ret_list == NULL) {
        return no_list("create");
    }
    int rc = mproc__object_create(MPROC__KIND_LIST, sizeof(struct mproc__list_shm),
                                  MPROC__STORE_SLOTS, &object);
    if (rc >= 0) {
        mproc__store_init(object->shm, object->offset);
        *ret_list = MPROC__CONTAINER(object, mproc_list, object);
    }
    return rc;
}

int mproc_list_append(mproc_list *list, mproc_value value, size_t *ret_length)
{
    return list != NULL ? insert(list, MPROC_LIST_END, &value, 1, ret_length) : no_list("append");
}

int mproc_list_extend(mproc_list *list, const mproc_value *values, size_t count, size_t *ret_length)
{
    if (list == NULL || (values == NULL && count > 0)) {
        return no_list("extend");
    }
    return insert(list, MPROC_LIST_END, values, count, ret_length);
}

int mproc_list_insert(mproc_list *list, int64_t index, mproc_value value)
{
    return list != NULL ? insert(list, index, &value, 1, NULL) : no_list("insert");
}

int mproc_list_get(const mproc_list *list, int64_t index, mproc_value *ret_value)
{
    mproc__reading reading;
    uint64_t place;
    if (list == NULL || ret_value == NULL) {
        return no_list("get");
    }
    struct mproc__list_shm *shm = shm_of(list);
    int rc = mproc__store_lock(&shm->store);
    if (rc < 0) {
        return rc;
    }
    rc = find(shm, "get", index, &place);
    if (rc >= 0) {
        rc = mproc__reading_begin(&reading, *cell_at(shm, place));
    }
    mproc__store_unlock(&shm->store);
    return rc < 0 ? rc : mproc__reading_end(&reading, ret_value);
}

static int set_locked(struct mproc__list_shm *shm, mproc__edit *edit, mproc__drafts *drafts,
                      int64_t index)
{
    uint64_t place;
    uint64_t cell;
    int rc = find(shm, "set", index, &place);
    if (rc < 0 || (rc = mproc__cell_make(edit, &drafts->draft[0], &cell)) < 0) {
        return rc;
    }
    uint64_t *word = cell_at(shm, place);
    mproc__cell_drop(edit, *word);
    mproc__edit_adopt(edit, &drafts->chain);
    mproc__edit_close(edit);
    mproc__txn_set(&edit->txn, word, cell);
    mproc__edit_commit(edit);
    return MPROC_OK;
}

int mproc_list_set(mproc_list *list, int64_t index, mproc_value value)
{
    mproc__drafts drafts;
    mproc__edit edit;
    if (list == NULL) {
        return no_list("set");
    }
    struct mproc__list_shm *shm = shm_of(list);
    int rc = mproc__drafts_make(&drafts, &value, 1, 1);
    if (rc < 0) {
        return rc;
    }
    if ((rc = mproc__store_lock(&shm->store)) >= 0) {
        mproc__edit_begin(&edit, &shm->store);
        rc = set_locked(shm, &edit, &drafts, index);
        mproc__store_unlock(&shm->store);
        mproc__edit_end(&edit);
    }
    mproc__drafts_end(&drafts);
    return rc;
}

static int pop_locked(struct mproc__list_shm *shm, mproc__edit *edit, int64_t index,
                      mproc_value *value)
{
    mproc__reading reading;
    struct shape shape = {.n_out = 1};
    int rc = find(shm, "pop", index, &shape.at);
    if (rc < 0 || (rc = splice(shm, edit, &shape)) < 0) {
        return rc;
    }
    uint64_t cell = *cell_at(shm, shape.at);
    // Before the commit: there must be memory for it.
    if (value != NULL && ((rc = mproc__reading_begin(&reading, cell)) < 0 ||
                          (rc = mproc__reading_end(&reading, value)) < 0)) {
        return rc;
    }
    mproc__cell_drop(edit, cell);
    commit(shm, edit, &shape);
    return MPROC_OK;
}

int mproc_list_pop(mproc_list *list, int64_t index, mproc_value *ret_value)
{
    mproc__edit edit;
    if (list == NULL) {
        return no_list("pop");
    }
    struct mproc__list_shm *shm = shm_of(list);
    int rc = mproc__store_lock(&shm->store);
    if (rc >= 0) {
        mproc__edit_begin(&edit, &shm->store);
        rc = pop_locked(shm, &edit, index, ret_value);
        mproc__store_unlock(&shm->store);
        mproc__edit_end(&edit);
    }
    return rc;
}

size_t mproc_list_length(const mproc_list *list)
{
    return list != NULL ? (size_t)mproc__load64_acquire(&shm_of(list)->count) : 0;
}

int mproc_list_clear(mproc_list *list)
{
    mproc__edit edit;
    if (list == NULL) {
        return no_list("clear");
    }
    struct mproc__list_shm *shm = shm_of(list);
    int rc = mproc__store_lock(&shm->store);
    if (rc >= 0) {
        const struct shape empty = {0};
        mproc__edit_begin(&edit, &shm->store);
        mproc__edit_clear(&edit);
        commit(shm, &edit, &empty);
        mproc__store_unlock(&shm->store);
        mproc__edit_end(&edit);
    }
    return rc < 0 ? rc : MPROC_OK;
}

int mproc_list_slice(const mproc_list *list, int64_t start, int64_t stop, mproc_value *ret_list)
{
    mproc__snapshot copy = {.type = MPROC_LIST};
    if (list == NULL || ret_list == NULL) {
        return no_list("slice");
    }
    struct mproc__list_shm *shm = shm_of(list);
    int rc = mproc__store_lock(&shm->store);
    if (rc < 0) {
        return rc;
    }
    uint64_t from = clamp(shm, start);
    uint64_t to = clamp(shm, stop);
    copy.count = from < to ? (size_t)(to - from) : 0;
    rc = mproc__snapshot_take(&copy, cell_at(shm, from));
    if (rc >= 0 && copy.has_objects) {
        rc = mproc__snapshot_end(&copy, ret_list);
    }
    mproc__store_unlock(&shm->store);
    return rc < 0 || copy.data == NULL ? rc : mproc__snapshot_end(&copy, ret_list);
}
