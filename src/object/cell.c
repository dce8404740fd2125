/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cell.c: see cell.h.
 */
#include "object/cell.h"

#include "base/alloc.h"
#include "base/status.h"
#include "family/codec.h"
#include "family/codec_part.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"

#include <string.h>

/* The low bits of a cell. An immediate one has its size above its tag, and its bytes above both. */
#define TAG_IMMEDIATE 1u
#define TAG_RECORD 2u
#define TAG_ENVELOPE 4u
#define TAG_MASK ((uint64_t)7)
#define IMMEDIATE_MAX 7u
#define SIZE_SHIFT 1u

/* No number's MessagePack is longer. */
#define NUMBER_MAX 9u

/* Begins a value's record: the store's link, and the size. */
struct record_shm {
    uint64_t link;
    uint64_t size;
};

_Static_assert(sizeof(struct record_shm) + MPROC__CELL_PLAIN_MAX <= MPROC__RECORD_MAX, "it fits");

/* ---- MessagePack ----------------------------------------------------------------------------- */

static int embed(void *arg, struct mproc_object *object, uint64_t *ret_reference)
{
    const uint64_t *envelope = arg;
    mproc__hold hold = {.offset = *envelope};
    return mproc__object_embed(&hold, object, ret_reference);
}

static int refer(void *arg, struct mproc_object *object, uint64_t *ret_reference)
{
    (void)arg;
    *ret_reference = object->offset;
    return MPROC_OK;
}

static int attach(void *arg, uint64_t reference, struct mproc_object **ret_object)
{
    (void)arg;
    return mproc__object_receive(NULL, reference, ret_object);
}

int mproc__value_size(const mproc_value *value, size_t *ret_size, size_t *ret_objects)
{
    // As an item of a list, so that a snapshot of the container is not nested too deep.
    const mproc__codec codec = {.put_object = refer};
    const mproc_value list = mproc__value_list(value, 1);
    int rc = mproc__codec_size(&codec, &list, ret_size, ret_objects);
    if (rc >= 0) {
        (*ret_size)--;
    }
    return rc;
}

void mproc__value_write(const mproc_value *value, void *out)
{
    const mproc__codec codec = {.put_object = refer};
    (void)mproc__codec_write(&codec, value, out);
}

/** Whether a value is all in itself. */
static bool is_scalar(const mproc_value *value)
{
    return value->type <= MPROC_DOUBLE;
}

int mproc__value_read(const void *data, size_t size, mproc_value *ret_value)
{
    const mproc__codec codec = {.get_object = attach};
    const unsigned char *start = data;
    mproc__parts parts = {start, start, start, start + size, true};
    mproc_value part;
    // Numbers are most of what is read, and need not half of what others do.
    if (size <= NUMBER_MAX && mproc__part_next(&parts, &part) >= 0 && is_scalar(&part) &&
        parts.at == parts.end) {
        *ret_value = part;
        return MPROC_OK;
    }
    return mproc__codec_read(&codec, data, size, ret_value);
}

/* ---- drafts ---------------------------------------------------------------------------------- */

static struct mproc__envelope_shm *envelope_at(uint64_t envelope)
{
    return mproc__block_at(envelope);
}

/** Put an envelope before those that there are. */
static void link_envelope(mproc__chain *chain, mproc__hold hold)
{
    if (chain->first.offset == 0) {
        chain->last = hold.offset;
    } else {
        mproc__family_lock();
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__block_put(&txn, mproc__block_slot(hold.offset, MPROC__ENVELOPE_NEXT), chain->first);
        mproc__txn_commit(&txn);
        mproc__family_unlock();
        envelope_at(chain->first.offset)->previous = hold.offset;
    }
    chain->first = hold;
}

static int make_envelope(mproc__draft *draft, size_t n_objects, mproc__chain *chain)
{
    mproc__hold hold;
    uint64_t size = sizeof(struct mproc__envelope_shm) + draft->size;
    if (n_objects > UINT32_MAX - 8) {
        return mproc__fail(MPROC_ETOOBIG, "a value with %zu shared objects", n_objects);
    }
    int rc = mproc__block_create(MPROC__KIND_STORE, size, (uint32_t)n_objects + 1, false, &hold);
    if (rc < 0) {
        return rc;
    }
    const mproc__codec codec = {.put_object = embed, .arg = &hold.offset};
    mproc__block_open_slots(hold.offset, MPROC__ENVELOPE_NEXT + 1);
    struct mproc__envelope_shm *shm = envelope_at(hold.offset);
    shm->previous = 0;
    shm->size = draft->size;
    rc = mproc__codec_write(&codec, draft->value, shm + 1);
    if (rc < 0) {
        mproc__block_release(hold);
        return rc;
    }
    draft->envelope = hold.offset;
    link_envelope(chain, hold);
    return MPROC_OK;
}

static int make_draft(mproc__draft *draft, const mproc_value *value, mproc__chain *chain)
{
    size_t n_objects;
    *draft = (mproc__draft){.value = value};
    int rc = mproc__value_size(value, &draft->size, &n_objects);
    if (rc >= 0 && (n_objects > 0 || draft->size > MPROC__CELL_PLAIN_MAX)) {
        rc = make_envelope(draft, n_objects, chain);
    }
    return rc;
}

int mproc__drafts_make(mproc__drafts *drafts, const mproc_value *values, size_t count,
                       size_t stride)
{
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    drafts->chain = (mproc__chain){{0, 0}, 0};
    drafts->draft = count <= 1 ? &drafts->one : mproc__calloc(count, sizeof(*drafts->draft));
    if (drafts->draft == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory to store %zu values", count);
    }
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        rc = make_draft(&drafts->draft[i], &values[i * stride], &drafts->chain);
    }
    if (rc < 0) {
        mproc__drafts_end(drafts);
    }
    return rc;
}

void mproc__drafts_end(mproc__drafts *drafts)
{
    if (drafts->chain.first.offset != 0) {
        mproc__block_release(drafts->chain.first);
    }
    if (drafts->draft != &drafts->one) {
        mproc__free(drafts->draft);
    }
}

/* ---- cells ----------------------------------------------------------------------------------- */

static struct record_shm *record_of(uint64_t cell)
{
    return mproc__at(cell & ~TAG_MASK);
}

int mproc__cell_make(mproc__edit *edit, const mproc__draft *draft, uint64_t *ret_cell)
{
    if (draft->envelope != 0) {
        *ret_cell = draft->envelope | TAG_ENVELOPE;
        return MPROC_OK;
    }
    if (draft->size <= IMMEDIATE_MAX) {
        unsigned char bytes[IMMEDIATE_MAX];
        uint64_t cell = TAG_IMMEDIATE | (uint64_t)draft->size << SIZE_SHIFT;
        mproc__value_write(draft->value, bytes);
        for (size_t i = 0; i < draft->size; i++) {
            cell |= (uint64_t)bytes[i] << 8 * (i + 1);
        }
        *ret_cell = cell;
        return MPROC_OK;
    }
    uint64_t record = mproc__edit_take(edit, sizeof(struct record_shm) + draft->size);
    if (record == 0) {
        return MPROC_ENOMEM;
    }
    struct record_shm *shm = mproc__at(record);
    shm->size = draft->size;
    mproc__value_write(draft->value, shm + 1);
    *ret_cell = record | TAG_RECORD;
    return MPROC_OK;
}

void mproc__cell_drop(mproc__edit *edit, uint64_t cell)
{
    if (cell & TAG_IMMEDIATE) {
        return;
    }
    if (cell & TAG_RECORD) {
        mproc__edit_give(edit, cell & ~TAG_MASK,
                         sizeof(struct record_shm) + (size_t)record_of(cell)->size);
    } else if (cell & TAG_ENVELOPE) {
        mproc__edit_drop(edit, cell & ~TAG_MASK);
    }
}

mproc_bytes mproc__cell_bytes(uint64_t cell, unsigned char room[8])
{
    if (cell & TAG_IMMEDIATE) {
        for (size_t i = 0; i < IMMEDIATE_MAX; i++) {
            room[i] = (unsigned char)(cell >> 8 * (i + 1));
        }
        return mproc_bytes_of(room, (size_t)(cell >> SIZE_SHIFT & IMMEDIATE_MAX));
    }
    if (cell & TAG_RECORD) {
        const struct record_shm *shm = record_of(cell);
        return mproc_bytes_of(shm + 1, (size_t)shm->size);
    }
    const struct mproc__envelope_shm *shm = envelope_at(cell & ~TAG_MASK);
    return mproc_bytes_of(shm + 1, (size_t)shm->size);
}

bool mproc__cell_has_objects(uint64_t cell)
{
    return (cell & TAG_MASK) == TAG_ENVELOPE &&
           mproc__block_part(cell & ~TAG_MASK, MPROC__ENVELOPE_NEXT + 1) != 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

int mproc__reading_begin(mproc__reading *reading, uint64_t cell)
{
    if ((cell & TAG_MASK) == TAG_ENVELOPE) {
        return mproc__block_attach(cell & ~TAG_MASK, &reading->hold);
    }
    unsigned char room[8];
    const mproc_bytes bytes = mproc__cell_bytes(cell, room);
    reading->hold = (mproc__hold){0, 0};
    reading->size = bytes.size;
    memcpy(reading->bytes, bytes.data, bytes.size);
    return MPROC_OK;
}

int mproc__reading_end(mproc__reading *reading, mproc_value *ret_value)
{
    if (reading->hold.offset == 0) {
        return mproc__value_read(reading->bytes, reading->size, ret_value);
    }
    const struct mproc__envelope_shm *shm = envelope_at(reading->hold.offset);
    int rc = mproc__value_read(shm + 1, (size_t)shm->size, ret_value);
    mproc__block_release(reading->hold);
    return rc;
}

/* ---- snapshots ------------------------------------------------------------------------------- */

/* The head of a list or map of any length in MessagePack: a code, and the count. */
#define HEAD_SIZE 5u
#define LIST_CODE 0xddu
#define MAP_CODE 0xdfu

void mproc__snapshot_measure(mproc__snapshot *snapshot, uint64_t cell)
{
    unsigned char room[8];
    snapshot->size += mproc__cell_bytes(cell, room).size;
    snapshot->has_objects = snapshot->has_objects || mproc__cell_has_objects(cell);
}

int mproc__snapshot_begin(mproc__snapshot *snapshot)
{
    if (snapshot->count > UINT32_MAX) {
        return mproc__fail(MPROC_ETOOBIG, "%zu values are too many for one", snapshot->count);
    }
    snapshot->size += HEAD_SIZE;
    snapshot->data = mproc__malloc(snapshot->size);
    if (snapshot->data == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a copy of %zu bytes", snapshot->size);
    }
    snapshot->data[0] = snapshot->type == MPROC_LIST ? LIST_CODE : MAP_CODE;
    for (unsigned i = 0; i < 4; i++) {
        snapshot->data[1 + i] = (unsigned char)(snapshot->count >> (24 - 8 * i));
    }
    snapshot->at = snapshot->data + HEAD_SIZE;
    return MPROC_OK;
}

void mproc__snapshot_copy(mproc__snapshot *snapshot, const void *data, size_t size)
{
    memcpy(snapshot->at, data, size);
    snapshot->at += size;
}

void mproc__snapshot_copy_cell(mproc__snapshot *snapshot, uint64_t cell)
{
    unsigned char room[8];
    const mproc_bytes bytes = mproc__cell_bytes(cell, room);
    mproc__snapshot_copy(snapshot, bytes.data, bytes.size);
}

int mproc__snapshot_take(mproc__snapshot *snapshot, const uint64_t *cells)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        mproc__snapshot_measure(snapshot, cells[i]);
    }
    int rc = mproc__snapshot_begin(snapshot);
    for (size_t i = 0; rc >= 0 && i < snapshot->count; i++) {
        mproc__snapshot_copy_cell(snapshot, cells[i]);
    }
    return rc;
}

int mproc__snapshot_end(mproc__snapshot *snapshot, mproc_value *ret_value)
{
    int rc = mproc__value_read(snapshot->data, snapshot->size, ret_value);
    mproc__free(snapshot->data);
    snapshot->data = NULL;
    return rc;
}
