/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container_check.c: see container_check.h.
 */
#include "object/container_check.h"

#include "base/atomic.h"
#include "family/guard.h"
#include "family/layout.h"
#include "object/dict_table.h"
#include "object/list.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define MOST_RECORDS 200000

static char sentence[200];

static const char *wrong(const char *format, ...) MPROC_PRINTF(1, 2);

static const char *wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    return sentence;
}

/* ---- the store ------------------------------------------------------------------------------- */

struct record {
    uint64_t at, bytes;
};

typedef struct walk {
    const struct mproc__store_shm *store;
    struct record *records;
    size_t n_records;
    size_t n_envelopes; /* that cells name */
} walk;

static uint64_t rounded(uint64_t bytes)
{
    uint64_t size = 32;
    while (size < bytes) {
        size += (size & (size - 1)) == 0 ? size / 2 : size / 3;
    }
    return size;
}

static void see_record(walk *w, uint64_t at, uint64_t bytes)
{
    if (w->n_records < MOST_RECORDS) {
        w->records[w->n_records++] = (struct record){at, rounded(bytes)};
    }
}

static void see_cell(walk *w, uint64_t cell)
{
    unsigned char room[8];
    if (cell % 2 == 0 && cell & 2) {
        see_record(w, cell & ~(uint64_t)7, 16 + mproc__cell_bytes(cell, room).size);
    }
    w->n_envelopes += cell % 8 == 4 ? 1 : 0;
}

static const char *see_free(walk *w)
{
    uint64_t size = 32;
    for (int i = 0; i < MPROC__STORE_CLASSES; i++) {
        for (uint64_t at = w->store->free[i]; at != 0; at = *(uint64_t *)mproc__at(at)) {
            if (w->n_records == MOST_RECORDS) {
                return wrong("the free list of %" PRIu64 " bytes has no end", size);
            }
            see_record(w, at, size);
        }
        size = rounded(size + 1);
    }
    return NULL;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = ((const struct record *)left)->at;
    uint64_t b = ((const struct record *)right)->at;
    return a < b ? -1 : a > b ? 1 : 0;
}

/** S1: records lie one behind the other, and nothing between them is lost. */
static const char *check_records(walk *w)
{
    qsort(w->records, w->n_records, sizeof(w->records[0]), compare);
    size_t i = 0;
    size_t n_seen = 0;
    const struct mproc__store_shm *store = w->store;
    uint64_t segment = *mproc__block_slot(store->container, MPROC__SLOT_SEGMENTS);
    for (bool is_last = store->segment == 0; !is_last; segment = *mproc__block_slot(segment, 0)) {
        uint64_t at = mproc__offset_of(mproc__block_at(segment));
        uint64_t end = at + mproc__block_size(segment);
        is_last = segment == store->segment;
        for (i = 0; i < w->n_records && w->records[i].at < at; i++) {
        }
        for (; i < w->n_records && w->records[i].at == at; i++, n_seen++) {
            at += w->records[i].bytes;
        }
        if (is_last ? at != store->fresh || end != store->end
                    : at > end || end - at >= MPROC__RECORD_MAX) {
            return wrong("a segment's records end at %" PRIu64 " bytes before its end", end - at);
        }
    }
    return n_seen == w->n_records ? NULL : wrong("%zu of %zu records", n_seen, w->n_records);
}

/** S2. */
static const char *check_envelopes(const walk *w)
{
    size_t n = 0;
    uint64_t previous = 0;
    uint64_t at = *mproc__block_slot(w->store->container, MPROC__SLOT_ENVELOPES);
    for (; at != 0 && n <= w->n_envelopes; n++) {
        const struct mproc__envelope_shm *envelope = mproc__block_at(at);
        if (!mproc__block_is(at, MPROC__KIND_STORE) || envelope->previous != previous) {
            return wrong("envelope %zu is linked badly", n);
        }
        previous = at;
        at = *mproc__block_slot(at, MPROC__ENVELOPE_NEXT);
    }
    return n == w->n_envelopes ? NULL : wrong("%zu envelopes of %zu", n, w->n_envelopes);
}

/** When all that is in use has been seen. */
static const char *check_store(walk *w, uint64_t table)
{
    uint64_t block = *mproc__block_slot(w->store->container, MPROC__SLOT_TABLE);
    uint64_t at = block != 0 ? mproc__offset_of(mproc__block_at(block)) : 0;
    if (at != table) {
        return wrong("the table is not the one that is held");
    }
    const char *bad = see_free(w);
    bad = bad != NULL ? bad : check_records(w);
    return bad != NULL ? bad : check_envelopes(w);
}

static void begin(walk *w, const struct mproc__store_shm *store)
{
    *w = (walk){.store = store, .records = calloc(MOST_RECORDS, sizeof(struct record))};
    CHILD_CHECK(w->records != NULL);
}

/* ---- lists ----------------------------------------------------------------------------------- */

const char *check_list(const mproc_list *list)
{
    walk w;
    struct mproc__list_shm *shm = list->object.shm;
    const char *bad = NULL;
    begin(&w, &shm->store);
    if (mproc__store_lock(&shm->store) < 0) {
        bad = wrong("no lock");
    } else {
        const uint64_t *cells = (const uint64_t *)mproc__at(shm->table) + shm->first;
        if (shm->first + shm->count > shm->capacity) {
            bad = wrong("%" PRIu64 " items in a table of %" PRIu64, shm->count, shm->capacity);
        }
        for (uint64_t i = 0; bad == NULL && i < shm->count; i++) {
            see_cell(&w, cells[i]);
        }
        bad = bad != NULL ? bad : check_store(&w, shm->table);
        mproc__store_unlock(&shm->store);
    }
    free(w.records);
    return bad;
}

/* ---- dicts ----------------------------------------------------------------------------------- */

/** D1, but for the words. */
static const char *see_items(walk *w, const struct mproc__dict_shm *shm)
{
    uint64_t previous = 0;
    uint64_t n = 0;
    for (uint64_t at = shm->first; at != 0 && n <= shm->count; n++) {
        const struct mproc__item_shm *item = mproc__item_at(at);
        mproc__key key;
        uint64_t place;
        key.hash = item->hash;
        key.size = (size_t)item->size;
        key.bytes = (const unsigned char *)(item + 1);
        if (item->previous != previous || mproc__dict_find(shm, &key, &place) != at) {
            return wrong("item %" PRIu64 " is linked badly, or not in the table", n);
        }
        see_record(w, at, sizeof(*item) + item->size);
        see_cell(w, item->value);
        previous = at;
        at = item->next;
    }
    return n == shm->count && shm->last == previous
               ? NULL
               : wrong("%" PRIu64 " items of %" PRIu64, n, shm->count);
}

/** D2, and the rest of D1 and D3. */
static const char *check_words(const struct mproc__dict_shm *shm)
{
    uint64_t n_filled = 0;
    uint64_t n_items = 0;
    const uint64_t *words = mproc__at(shm->table);
    for (uint64_t i = 0; i < shm->capacity; i++) {
        n_filled += words[i] != 0 ? 1 : 0;
        n_items += words[i] > 1 ? 1 : 0;
    }
    bool is_right = n_filled == shm->filled && n_items == shm->count &&
                    shm->filled <= shm->capacity / 4 * 3 && shm->pending == 0;
    return is_right ? NULL
                    : wrong("%" PRIu64 " words of %" PRIu64 ", %" PRIu64 " items of %" PRIu64,
                            n_filled, shm->filled, n_items, shm->count);
}

const char *check_dict(const mproc_dict *dict)
{
    walk w;
    struct mproc__dict_shm *shm = dict->object.shm;
    const char *bad = NULL;
    begin(&w, &shm->store);
    if (mproc__dict_lock(shm) < 0) {
        bad = wrong("no lock");
    } else {
        bad = see_items(&w, shm);
        bad = bad != NULL ? bad : check_words(shm);
        bad = bad != NULL ? bad : check_store(&w, shm->table);
        mproc__store_unlock(&shm->store);
    }
    free(w.records);
    return bad;
}

/* ---- values ---------------------------------------------------------------------------------- */

static mproc_value copy_of(mproc_value value)
{
    mproc_value copy;
    CHILD_CHECK(mproc_value_copy(&copy, &value) == 0); // children use it, too
    return copy;
}

static mproc_value text_of(uint32_t salt, size_t size)
{
    char text[5000];
    for (size_t i = 0; i < size; i++) {
        text[i] = (char)('a' + (salt + i * i) % 26);
    }
    text[size] = '\0';
    return copy_of(MPROC_VALUE((const char *)text));
}

mproc_value random_value(uint32_t salt)
{
    uint32_t rest = salt / 8;
    switch (salt % 8) {
    case 0:
        return mproc__value_int((int32_t)rest % 1000);
    case 1:
        return mproc__value_int((int64_t)rest * 0x100000001);
    case 2:
        return mproc__value_double(rest / 3.0);
    case 3:
        return text_of(rest, rest % 12);
    case 4:
        return text_of(rest, rest % 1008);
    case 5:
        return rest % 4 == 0 ? text_of(rest, 900 + rest % 4000) : mproc__value_nil();
    case 6:
        return copy_of(MPROC_LIST(rest, "item", MPROC_MAP(MPROC_PAIR("key", rest % 77))));
    default:
        return mproc__value_bool(rest % 2 != 0);
    }
}

mproc_value random_key(uint32_t salt, uint32_t n)
{
    uint32_t number = salt % n;
    switch (number % 5) {
    case 0:
        return mproc__value_int((int64_t)number - 10);
    case 1:
        return text_of(number, number % 23);
    case 2:
        return copy_of(MPROC_LIST(number, "tuple"));
    case 3:
        return text_of(number, number * 37 % 1500);
    default:
        return mproc__value_double(number + 0.5);
    }
}
