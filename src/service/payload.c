/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload.c: how arguments and results lie in a slot.
 *
 * Why   Most are a number or two: no encoding, no allocation, one cache line. What is larger lies encoded in
 *       the slot's second line; what is too large for that, or has objects in it, is a parcel.
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

/** Where bytes are to go: into the slot, or into a new parcel. */
struct place {
    mproc__tasks *tasks;
    uint32_t index;
    uint32_t which;
    mproc__hold hold;
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

/** Room for so many bytes. 0 or an error. */
static int make_room(struct place *place, enum mproc__form form, size_t size, size_t n_objects,
                     void **ret_data)
{
    struct mproc__slot_shm *slot = mproc__slot_at(place->tasks, place->index);
    place->hold.offset = 0;
    if (n_objects == 0 && size <= MPROC__MORE) {
        *ret_data =
            size <= MPROC__SMALL ? small_of(slot, place->which) : more_for(slot, place->which);
        if (*ret_data != NULL) {
            describe(slot, place->which, (uint32_t)form | (uint32_t)size << MPROC__FORM_SHIFT);
            return MPROC_OK;
        }
    }
    if (n_objects > UINT32_MAX) {
        return mproc__fail(MPROC_ETOOBIG, "a task has more than 4,294,967,295 objects");
    }
    int rc =
        mproc__block_create(MPROC__KIND_PARCEL, size, (uint32_t)n_objects, false, &place->hold);
    *ret_data = rc >= 0 ? mproc__block_at(place->hold.offset) : NULL;
    return rc;
}

static void close_room(struct place *place, enum mproc__form form)
{
    if (place->hold.offset != 0) {
        mproc__task_attach(place->tasks, place->index, place->which, place->hold, form);
    }
}

static int put_bytes(struct place *place, enum mproc__form form, const void *data, size_t size)
{
    void *room;
    int rc = make_room(place, form, size, 0, &room);
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
    if (rc < 0 || (rc = make_room(place, MPROC__FORM_VALUE, size, n_objects, &room)) < 0) {
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
    if (payload.descriptor & MPROC__FORM_PARCEL) {
        uint64_t parcel = mproc__task_parcel(tasks, index, which);
        payload.data = mproc__block_at(parcel);
        payload.size = (size_t)mproc__block_size(parcel);
    } else {
        payload.size = size_of(payload.descriptor);
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
    mproc_value scalars[MOST_SCALARS];
    const mproc__ring_item bytes = {
        .data = payload->data, .size = payload->size, .kind = MPROC__RECORD_BYTES};
    switch (payload->descriptor & MPROC__FORM_MASK) {
    case MPROC__FORM_SCALARS:
        if (mproc__payload_scalars(payload, scalars) != 1) {
            break;
        }
        *ret_value = scalars[0];
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
