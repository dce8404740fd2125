/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload.c: how arguments and results lie in a slot.
 *
 * Why   Most are a number or two: no encoding, no allocation, one cache line. What is larger lies encoded in
 *       the slot's second line; what is too large for that, or has objects in it, is a parcel.
 * Kept  Small parcels stay in their slot, and are used again by its next tasks: to make one and to drop it takes
 *       longer than to fill it.
 * Again Arguments stay as long as the task may be run again.
 */
#include "service/payload.h"

#include "base/status.h"
#include "family/block.h"
#include "family/codec.h"
#include "object/message.h"

#include <string.h>

/* A descriptor of SCALARS: how many, and what they are. */
#define TYPE_BITS 3
#define TYPE_MASK 7u
#define COUNT_SHIFT MPROC__FORM_SHIFT
#define TYPES_SHIFT (COUNT_SHIFT + 3)
#define MOST_SCALARS MPROC__PAYLOAD_SCALARS

static bool is_scalar(const mproc_value *value)
{
    return (uint32_t)value->type <= MPROC_DOUBLE;
}

static uint64_t bits_of(const mproc_value *value)
{
    uint64_t bits = 0;
    if (value->type == MPROC_BOOL) {
        return value->as.boolean;
    }
    if (value->type != MPROC_NIL) {
        memcpy(&bits, &value->as, sizeof(bits));
    }
    return bits;
}

static mproc_value scalar_of(uint32_t type, uint64_t bits)
{
    mproc_value value = {.type = (mproc_type)type};
    if (type == MPROC_BOOL) {
        value.as.boolean = bits != 0;
    } else {
        memcpy(&value.as, &bits, sizeof(bits));
    }
    return value;
}

/** Write scalars if all of them are; the descriptor, or 0. */
static uint32_t put_scalars(uint64_t *small, uint64_t *more, const mproc_value *items, size_t n)
{
    uint32_t descriptor = MPROC__FORM_SCALARS | (uint32_t)n << COUNT_SHIFT;
    if (n > MOST_SCALARS || (more == NULL && n > MPROC__SMALL / 8)) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_scalar(&items[i])) {
            return 0;
        }
        descriptor |= (uint32_t)items[i].type << (TYPES_SHIFT + TYPE_BITS * i);
    }
    uint64_t *place = n <= MPROC__SMALL / 8 ? small : more;
    for (size_t i = 0; i < n; i++) {
        place[i] = bits_of(&items[i]);
    }
    return descriptor;
}

/** What a descriptor says, but for the form. */
static size_t size_of(uint32_t descriptor)
{
    if ((descriptor & MPROC__FORM_MASK) == MPROC__FORM_SCALARS) {
        return (size_t)(descriptor >> COUNT_SHIFT & TYPE_MASK) * 8;
    }
    return descriptor >> MPROC__FORM_SHIFT;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Parcels up to this size are kept. */
#define SMALLEST_KEPT 256u
#define LARGEST_KEPT 4096u

/** Where bytes are to go: into the slot, or into a parcel. */
struct place {
    mproc__tasks *tasks;
    uint32_t index;
    uint32_t which;
    uint32_t descriptor; /**< what it will be, but for the form */
    mproc__hold hold;    /**< of a new parcel, or 0 */
};

static void *small_of(struct mproc__slot_shm *slot, uint32_t which)
{
    return which == MPROC__PARCEL_ARGS ? slot->args_small : slot->result_small;
}

/** The slot's second line, if it can be had. */
static void *more_for(struct mproc__slot_shm *slot, uint32_t which)
{
    if (which == MPROC__PARCEL_ARGS) {
        return slot->more;
    }
    bool has_args = (slot->args & MPROC__FORM_PARCEL) == 0 && size_of(slot->args) > MPROC__SMALL;
    bool is_free = slot->kind == MPROC__TASK_CALL &&
                   !(has_args && (slot->flags & MPROC__TASK_HAS_RETRIES) != 0);
    return is_free ? slot->more : NULL;
}

static void describe(struct mproc__slot_shm *slot, uint32_t which, uint32_t descriptor)
{
    if (which == MPROC__PARCEL_ARGS) {
        slot->args = descriptor;
    } else {
        slot->result = descriptor;
    }
}

/** The parcel that the slot has kept, if it is large enough. */
static void *kept_parcel(const struct place *place, size_t size)
{
    uint64_t parcel = mproc__task_parcel(place->tasks, place->index, place->which);
    bool is_fit = parcel != 0 && mproc__block_size(parcel) >= size &&
                  mproc__block_size(parcel) <= LARGEST_KEPT && mproc__block_part(parcel, 0) == 0;
    return is_fit ? mproc__block_at(parcel) : NULL;
}

static void *place_in_slot(const struct place *place, size_t size)
{
    struct mproc__slot_shm *slot = mproc__slot_at(place->tasks, place->index);
    return size <= MPROC__SMALL  ? small_of(slot, place->which)
           : size <= MPROC__MORE ? more_for(slot, place->which)
                                 : NULL;
}

/** Room for so many bytes. 0 or an error. */
static int make_room(struct place *place, size_t size, size_t n_objects, void **ret_data)
{
    bool is_small = n_objects == 0 && size <= LARGEST_KEPT;
    place->hold.offset = 0;
    place->descriptor = is_small ? (uint32_t)size << MPROC__FORM_SHIFT : 0;
    *ret_data = is_small ? place_in_slot(place, size) : NULL;
    if (*ret_data != NULL) {
        return MPROC_OK;
    }
    place->descriptor |= MPROC__FORM_PARCEL;
    *ret_data = is_small ? kept_parcel(place, size) : NULL;
    if (*ret_data != NULL) {
        return MPROC_OK;
    }
    if (n_objects > UINT32_MAX) {
        return mproc__fail(MPROC_ETOOBIG, "a task has more than 4,294,967,295 objects");
    }
    size_t room = size;
    for (room = is_small ? SMALLEST_KEPT : size; room < size;) {
        room *= 2;
    }
    int rc =
        mproc__block_create(MPROC__KIND_PARCEL, room, (uint32_t)n_objects, false, &place->hold);
    *ret_data = rc >= 0 ? mproc__block_at(place->hold.offset) : NULL;
    return rc;
}

static void close_room(struct place *place, enum mproc__form form)
{
    struct mproc__slot_shm *slot = mproc__slot_at(place->tasks, place->index);
    if (place->hold.offset != 0) {
        mproc__task_attach(place->tasks, place->index, place->which, place->hold, form);
    }
    describe(slot, place->which, (uint32_t)form | place->descriptor);
}

static int put_bytes(struct place *place, enum mproc__form form, const void *data, size_t size)
{
    void *room;
    int rc = make_room(place, size, 0, &room);
    if (rc >= 0) {
        if (size > 0) {
            memcpy(room, data, size);
        }
        close_room(place, form);
    }
    return rc;
}

static int put_encoded(struct place *place, const mproc_value *value)
{
    const mproc__codec codec = {.put_object = mproc__object_embed, .arg = &place->hold};
    size_t size;
    size_t n_objects = 0;
    void *room = NULL;
    int rc = mproc__codec_size(&codec, value, &size, &n_objects);
    if (rc < 0 || (rc = make_room(place, size, n_objects, &room)) < 0) {
        return rc;
    }
    rc = mproc__codec_write(&codec, value, room);
    if (rc >= 0) {
        close_room(place, MPROC__FORM_VALUE);
    } else if (place->hold.offset != 0) {
        mproc__block_release(place->hold);
    }
    return rc;
}

int mproc__task_set_args(mproc__tasks *tasks, uint32_t index, const mproc_args *args)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    struct place place = {.tasks = tasks, .index = index, .which = MPROC__PARCEL_ARGS};
    slot->result = 0;
    if (args == NULL || args->count == 0) {
        slot->args = MPROC__FORM_NONE;
        return MPROC_OK;
    }
    slot->args = put_scalars(slot->args_small, slot->more, args->items, args->count);
    if (slot->args != 0) {
        return MPROC_OK;
    }
    mproc_value list = {.type = MPROC_LIST};
    list.as.list.items = args->items;
    list.as.list.count = args->count;
    return put_encoded(&place, &list);
}

int mproc__task_set_bytes(mproc__tasks *tasks, uint32_t index, const void *data, size_t size)
{
    struct place place = {.tasks = tasks, .index = index, .which = MPROC__PARCEL_ARGS};
    mproc__slot_at(tasks, index)->result = 0;
    return put_bytes(&place, MPROC__FORM_BYTES, data, size);
}

int mproc__task_set_value(mproc__tasks *tasks, uint32_t index, const mproc_value *value)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    struct place place = {.tasks = tasks, .index = index, .which = MPROC__PARCEL_RESULT};
    slot->result = put_scalars(slot->result_small, NULL, value, 1);
    if (slot->result != 0) {
        return MPROC_OK;
    }
    return value->type == MPROC_BYTES
               ? put_bytes(&place, MPROC__FORM_BYTES, value->as.bytes.data, value->as.bytes.size)
               : put_encoded(&place, value);
}

void mproc__task_set_story(mproc__tasks *tasks, uint32_t index, const char *story)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    struct place place = {.tasks = tasks, .index = index, .which = MPROC__PARCEL_RESULT};
    size_t size = strlen(story);
    slot->result = MPROC__FORM_NONE;
    if (put_bytes(&place, MPROC__FORM_STORY, story, size) < 0) {
        (void)put_bytes(&place, MPROC__FORM_STORY, story,
                        size < MPROC__SMALL ? size : MPROC__SMALL);
    }
}

void mproc__task_set_death(mproc__tasks *tasks, uint32_t index, const struct mproc__task_death *how)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    memcpy(slot->result_small, how, sizeof(*how));
    slot->result = MPROC__FORM_DEATH | (uint32_t)sizeof(*how) << MPROC__FORM_SHIFT;
}

/* ---- reading --------------------------------------------------------------------------------- */

static mproc__payload payload_of(mproc__tasks *tasks, uint32_t index, uint32_t which)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    mproc__payload payload = {.descriptor =
                                  which == MPROC__PARCEL_ARGS ? slot->args : slot->result};
    payload.size = size_of(payload.descriptor);
    if (payload.descriptor & MPROC__FORM_PARCEL) {
        uint64_t parcel = mproc__task_parcel(tasks, index, which);
        const size_t most = (size_t)mproc__block_size(parcel);
        payload.data = mproc__block_at(parcel);
        payload.size = payload.size != 0 && payload.size <= most ? payload.size : most;
    } else {
        payload.size = payload.size <= MPROC__MORE ? payload.size : 0; // somebody wrote over it
        payload.data = payload.size <= MPROC__SMALL ? small_of(slot, which) : slot->more;
    }
    return payload;
}

mproc__payload mproc__task_args(mproc__tasks *tasks, uint32_t index)
{
    return payload_of(tasks, index, MPROC__PARCEL_ARGS);
}

mproc__payload mproc__task_result(mproc__tasks *tasks, uint32_t index)
{
    return payload_of(tasks, index, MPROC__PARCEL_RESULT);
}

size_t mproc__payload_scalars(const mproc__payload *payload, mproc_value *ret_items)
{
    const uint64_t *bits = payload->data;
    size_t n = payload->size / 8;
    for (size_t i = 0; i < n && i < MOST_SCALARS; i++) {
        uint32_t type = payload->descriptor >> (TYPES_SHIFT + TYPE_BITS * i) & TYPE_MASK;
        ret_items[i] = scalar_of(type <= MPROC_DOUBLE ? type : MPROC_NIL, bits[i]);
    }
    return n < MOST_SCALARS ? n : MOST_SCALARS;
}

int mproc__payload_open(const mproc__payload *payload, bool borrow_bytes, mproc_value *ret_value)
{
    bool is_parcel = (payload->descriptor & MPROC__FORM_PARCEL) != 0;
    const mproc__codec codec = {.get_object = is_parcel ? mproc__object_receive : NULL,
                                .borrow_bytes = borrow_bytes};
    const mproc__ring_item bytes = {
        .data = payload->data, .size = payload->size, .kind = MPROC__RECORD_BYTES};
    switch (payload->descriptor & MPROC__FORM_MASK) {
    case MPROC__FORM_SCALARS:
        if (payload->size != 8) {
            break;
        }
        (void)mproc__payload_scalars(payload, ret_value);
        return MPROC_OK;
    case MPROC__FORM_NONE:
        *ret_value = (mproc_value){.type = MPROC_NIL};
        return MPROC_OK;
    case MPROC__FORM_BYTES:
        return mproc__message_open(&bytes, ret_value);
    case MPROC__FORM_VALUE:
        return mproc__codec_read(&codec, payload->data, payload->size, ret_value);
    default:
        break;
    }
    return mproc__fail(MPROC_ECORRUPT, "a task's result is none");
}
