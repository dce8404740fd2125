/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shareable_list.c: mproc_shareable_list: slots of plain values that are read whole without a lock.
 *
 * Layout    struct list_shm with its slots, then for each slot two cells of `words` 64-bit words: the
 *           first has type and size, the others the bytes; numbers are their 8 bytes.
 * Always    L1  a slot's cell number `version & 1` is whole
 *           L2  the other cell is written by the holder of the mutex only
 * Reading   A cell is written again only after the version has grown. Words are stored with release and
 *           loaded with acquire order, so who has seen a word of the next content but one also sees that
 *           the version has grown, and reads again.
 * Locks     the mutex: for writing, and for readers that were overtaken too often
 * Commit    the store of the version
 * Death     killed before the commit, the slot is as it was; the next writer writes over what was begun
 */
#include "mproc/shareable_list.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/mutex.h"
#include "family/object.h"
#include "family/thread.h"
#include "family/zone.h"

#include <string.h>

#define WORD sizeof(uint64_t)

/* Numbers fit any slot. */
#define LEAST_CAPACITY WORD

/* Far beyond any arena; sums of them do not overflow. */
#define MOST_BYTES (UINT64_MAX / 64)

#define TYPE_BITS 8

/* Each of these readings failed because somebody else succeeded in writing twice. */
#define TRIES 32

struct slot_shm {
    uint64_t version; /**< by the mutex's holder; read by anybody */
    uint64_t words;   /**< of each of its two cells; constant */
    uint64_t at;      /**< of the first cell: words from the list's beginning; constant */
};

struct list_shm {
    struct mproc__mutex_shm mutex;
    uint64_t count; /**< constant */
    struct slot_shm slots[];
};

static struct list_shm *shm_of(const mproc_shareable_list *list)
{
    return list->object.shm;
}

static int no_list(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the shareable list is NULL", verb);
}

static int check_index(const char *verb, const struct list_shm *shm, size_t index)
{
    return index < shm->count
               ? MPROC_OK
               : mproc__fail(MPROC_ERANGE, "%s: there is no item %zu in a list of %zu", verb, index,
                             (size_t)shm->count);
}

static uint64_t capacity_of(const struct slot_shm *slot)
{
    return (slot->words - 1) * WORD;
}

static uint64_t *cell_of(struct list_shm *shm, const struct slot_shm *slot, uint64_t version)
{
    return (uint64_t *)(void *)shm + slot->at + (version & 1) * slot->words;
}

/* ---- plain values ---------------------------------------------------------------------------- */

/** The bytes of a plain value, which are the caller's or in *number. */
static int bytes_of(const char *verb, const mproc_value *value, uint64_t *number,
                    mproc_bytes *ret_bytes)
{
    *ret_bytes = mproc_bytes_of(number, WORD);
    switch (value->type) {
    case MPROC_NIL:
        *number = 0;
        return MPROC_OK;
    case MPROC_BOOL:
        *number = value->as.boolean;
        return MPROC_OK;
    case MPROC_INT:
        *number = (uint64_t)value->as.integer;
        return MPROC_OK;
    case MPROC_UINT:
        *number = value->as.uinteger;
        return MPROC_OK;
    case MPROC_DOUBLE:
        memcpy(number, &value->as.real, WORD);
        return MPROC_OK;
    case MPROC_STRING:
        *ret_bytes = mproc_bytes_of(value->as.string.data, value->as.string.size);
        return MPROC_OK;
    case MPROC_BYTES:
        *ret_bytes = value->as.bytes;
        return MPROC_OK;
    default:
        return mproc__fail(MPROC_ETYPE, "%s: a %s cannot be an item of a shareable list", verb,
                           mproc_type_name(value->type));
    }
}

static bool has_bytes(mproc_type type)
{
    return type == MPROC_STRING || type == MPROC_BYTES;
}

static void set_number(mproc_value *value, uint64_t number)
{
    switch (value->type) {
    case MPROC_BOOL:
        value->as.boolean = number != 0;
        break;
    case MPROC_INT:
        value->as.integer = (int64_t)number;
        break;
    case MPROC_UINT:
        value->as.uinteger = number;
        break;
    case MPROC_DOUBLE:
        memcpy(&value->as.real, &number, WORD);
        break;
    default:
        break;
    }
}

static void set_bytes(mproc_value *value, const char *data, size_t size)
{
    if (value->type == MPROC_STRING) {
        value->as.string.data = data;
        value->as.string.size = size;
    } else {
        value->as.bytes = mproc_bytes_of(data, size);
    }
}

/* ---- cells ----------------------------------------------------------------------------------- */

/** Write a cell that nobody has to read. */
static void write_cell(uint64_t *cell, mproc_type type, mproc_bytes bytes)
{
    const char *from = bytes.data;
    mproc__store64_release(cell, (uint64_t)bytes.size << TYPE_BITS | (uint64_t)type);
    for (size_t left = bytes.size; left > 0;) {
        size_t n = left < WORD ? left : WORD;
        uint64_t word = 0;
        memcpy(&word, from, n);
        mproc__store64_release(++cell, word);
        from += n;
        left -= n;
    }
}

static void copy_bytes(const uint64_t *cell, char *to, size_t size)
{
    while (size > 0) {
        size_t n = size < WORD ? size : WORD;
        uint64_t word = mproc__load64_acquire(++cell);
        memcpy(to, &word, n);
        to += n;
        size -= n;
    }
}

/** Read a cell as it is just now: what comes of it may be torn, but never reaches beyond the cell. */
static int read_cell(const uint64_t *cell, uint64_t capacity, mproc_value *ret_value)
{
    uint64_t head = mproc__load64_acquire(cell);
    uint64_t size = head >> TYPE_BITS;
    mproc_value value = {.type = (mproc_type)(head & (((uint64_t)1 << TYPE_BITS) - 1))};
    if (!has_bytes(value.type)) {
        set_number(&value, mproc__load64_acquire(cell + 1));
        *ret_value = value;
        return MPROC_OK;
    }
    size = size < capacity ? size : capacity;
    mproc__zone *zone = NULL;
    const mproc__zone_needs needs = {.bytes = (size_t)size + 1};
    int rc = mproc__zone_create(&zone, &needs);
    if (rc < 0) {
        return rc;
    }
    char *data = mproc__zone_take_bytes(zone, (size_t)size + 1);
    copy_bytes(cell, data, (size_t)size);
    data[size] = '\0';
    set_bytes(&value, data, (size_t)size);
    value.owned = zone;
    *ret_value = value;
    return MPROC_OK;
}

/* ---- slots ----------------------------------------------------------------------------------- */

/** Nothing needs repair after a holder's death, see above. */
static int lock(struct list_shm *shm)
{
    mproc__thread_id self = mproc__thread_current;
    if (self != 0 && mproc__mutex_try(&shm->mutex, self)) {
        return MPROC_OK;
    }
    int rc = mproc__family_enter();
    return rc < 0 ? rc
                  : mproc__mutex_acquire(&shm->mutex, mproc__thread_self(), MPROC__NEVER, NULL);
}

static void unlock(struct list_shm *shm)
{
    (void)mproc__mutex_release(&shm->mutex);
}

static int read_locked(struct list_shm *shm, const struct slot_shm *slot, mproc_value *ret_value)
{
    int rc = lock(shm);
    if (rc >= 0) {
        rc = read_cell(cell_of(shm, slot, slot->version), capacity_of(slot), ret_value);
        unlock(shm);
    }
    return rc;
}

static int read_slot(struct list_shm *shm, const struct slot_shm *slot, mproc_value *ret_value)
{
    for (int i = 0; i < TRIES; i++) {
        mproc_value value;
        uint64_t version = mproc__load64_acquire(&slot->version);
        int rc = read_cell(cell_of(shm, slot, version), capacity_of(slot), &value);
        if (rc < 0) {
            return rc;
        }
        if (mproc__load64_acquire(&slot->version) == version) {
            *ret_value = value;
            return MPROC_OK;
        }
        mproc_value_clear(&value);
    }
    return read_locked(shm, slot, ret_value);
}

static void write_locked(struct list_shm *shm, struct slot_shm *slot, mproc_type type,
                         mproc_bytes bytes)
{
    uint64_t next = slot->version + 1;
    write_cell(cell_of(shm, slot, next), type, bytes);
    MPROC__KILLPOINT("list.written");
    mproc__store64_release(&slot->version, next); /* COMMIT */
    MPROC__KILLPOINT("list.set");
}

/* ---- create ---------------------------------------------------------------------------------- */

/** Words of a cell for a value, or MPROC_ETYPE. */
static int words_for(const mproc_value *value, size_t least_bytes, uint64_t *ret_words)
{
    uint64_t number;
    mproc_bytes bytes;
    int rc = bytes_of("create", value, &number, &bytes);
    if (rc >= 0) {
        uint64_t size = bytes.size > least_bytes ? bytes.size : least_bytes;
        size = size > LEAST_CAPACITY ? size : LEAST_CAPACITY;
        *ret_words = 1 + size / WORD + (size % WORD != 0);
    }
    return rc;
}

/** What the whole list takes. */
static int measure(const mproc_value *values, size_t count, size_t least_bytes, uint64_t *ret_bytes)
{
    uint64_t size = sizeof(struct list_shm);
    for (size_t i = 0; i < count; i++) {
        uint64_t words;
        int rc = words_for(&values[i], least_bytes, &words);
        if (rc < 0) {
            return rc;
        }
        if (words > MOST_BYTES / WORD || size > MOST_BYTES) {
            return mproc__fail(MPROC_ENOSPC, "create: a list of %zu items is too large", count);
        }
        size += sizeof(struct slot_shm) + 2 * words * WORD;
    }
    *ret_bytes = size;
    return MPROC_OK;
}

static void fill(struct list_shm *shm, const mproc_value *values, size_t count, size_t least_bytes)
{
    uint64_t at = (sizeof(*shm) + count * sizeof(struct slot_shm)) / WORD;
    shm->count = count;
    for (size_t i = 0; i < count; i++) {
        struct slot_shm *slot = &shm->slots[i];
        uint64_t number;
        mproc_bytes bytes;
        (void)words_for(&values[i], least_bytes, &slot->words);
        (void)bytes_of("create", &values[i], &number, &bytes);
        slot->at = at;
        at += 2 * slot->words;
        write_cell(cell_of(shm, slot, 0), values[i].type, bytes);
    }
}

int mproc_shareable_list_create(mproc_shareable_list **ret_list, const mproc_value *values,
                                size_t count, const mproc_shareable_list_options *options)
{
    size_t least_bytes = options != NULL ? options->slot_bytes : 0;
    struct mproc_object *object = NULL;
    uint64_t bytes = 0;
    if (ret_list == NULL || (values == NULL && count > 0)) {
        return no_list("create");
    }
    int rc = measure(values, count, least_bytes, &bytes);
    if (rc >= 0) {
        rc = mproc__object_create(MPROC__KIND_SHAREABLE_LIST, bytes, 0, &object);
    }
    if (rc >= 0) {
        fill(object->shm, values, count, least_bytes);
        *ret_list = MPROC__CONTAINER(object, mproc_shareable_list, object);
    }
    return rc;
}

/* ---- use ------------------------------------------------------------------------------------- */

int mproc_shareable_list_get(const mproc_shareable_list *list, size_t index, mproc_value *ret_value)
{
    if (list == NULL || ret_value == NULL) {
        return no_list("get");
    }
    struct list_shm *shm = shm_of(list);
    int rc = check_index("get", shm, index);
    return rc < 0 ? rc : read_slot(shm, &shm->slots[index], ret_value);
}

int mproc_shareable_list_set(mproc_shareable_list *list, size_t index, mproc_value value)
{
    uint64_t number;
    mproc_bytes bytes;
    if (list == NULL) {
        return no_list("set");
    }
    struct list_shm *shm = shm_of(list);
    int rc = check_index("set", shm, index);
    if (rc < 0 || (rc = bytes_of("set", &value, &number, &bytes)) < 0) {
        return rc;
    }
    struct slot_shm *slot = &shm->slots[index];
    if (bytes.size > capacity_of(slot)) {
        return mproc__fail(MPROC_ETOOBIG, "set: %zu bytes do not fit item %zu, which holds %zu",
                           bytes.size, index, (size_t)capacity_of(slot));
    }
    if ((rc = lock(shm)) < 0) {
        return rc;
    }
    write_locked(shm, slot, value.type, bytes);
    unlock(shm);
    return MPROC_OK;
}

size_t mproc_shareable_list_length(const mproc_shareable_list *list)
{
    return list != NULL ? (size_t)shm_of(list)->count : 0;
}

size_t mproc_shareable_list_capacity(const mproc_shareable_list *list, size_t index)
{
    return index < mproc_shareable_list_length(list)
               ? (size_t)capacity_of(&shm_of(list)->slots[index])
               : 0;
}

/** The first item at or after *index that equals a value: 1, and *index; 0: none. */
static int find(struct list_shm *shm, const mproc_value *value, size_t *index)
{
    for (; *index < shm->count; (*index)++) {
        mproc_value item;
        int rc = read_slot(shm, &shm->slots[*index], &item);
        if (rc < 0) {
            return rc;
        }
        bool is_it = mproc_value_equal(&item, value);
        mproc_value_clear(&item);
        if (is_it) {
            return 1;
        }
    }
    return 0;
}

int mproc_shareable_list_count(const mproc_shareable_list *list, mproc_value value,
                               size_t *ret_count)
{
    if (list == NULL || ret_count == NULL) {
        return no_list("count");
    }
    size_t count = 0;
    size_t index = 0;
    int rc;
    while ((rc = find(shm_of(list), &value, &index)) > 0) {
        count++;
        index++;
    }
    if (rc >= 0) {
        *ret_count = count;
    }
    return rc;
}

int mproc_shareable_list_index(const mproc_shareable_list *list, mproc_value value,
                               size_t *ret_index)
{
    if (list == NULL || ret_index == NULL) {
        return no_list("index");
    }
    size_t index = 0;
    int rc = find(shm_of(list), &value, &index);
    if (rc == 0) {
        return mproc__fail_shortly(MPROC_ENOENT, "index: no item equals the value");
    }
    if (rc > 0) {
        *ret_index = index;
    }
    return rc > 0 ? MPROC_OK : rc;
}
