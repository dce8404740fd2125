/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.c: see message.h.
 */
#include "object/message.h"

#include "base/check.h"
#include "base/status.h"
#include "family/codec.h"
#include "family/family.h"
#include "family/zone.h"

#include <string.h>

/* ---- put ------------------------------------------------------------------------------------- */

static int write_to(const mproc__message *message, void *place, mproc__hold *parcel)
{
    const mproc__codec codec = {.put_object = mproc__object_embed, .arg = parcel};
    if (!mproc__message_is_bytes(message)) {
        return mproc__codec_write(&codec, message->value, place);
    }
    if (message->size > 0) {
        memcpy(place, message->bytes.data, message->size);
    }
    return MPROC_OK;
}

static int make_parcel(mproc__message *message, size_t n_objects)
{
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    if (n_objects > UINT32_MAX) {
        return mproc__fail(MPROC_ETOOBIG, "a message has more than 4,294,967,295 objects");
    }
    rc = mproc__block_create(MPROC__KIND_PARCEL, message->size, (uint32_t)n_objects, false,
                             &message->parcel);
    if (rc < 0) {
        message->parcel.offset = 0;
        return rc;
    }
    rc = write_to(message, mproc__block_at(message->parcel.offset), &message->parcel);
    if (rc < 0) {
        mproc__message_drop(message);
    }
    return rc;
}

int mproc__message_check_size(uint64_t size, uint64_t limit)
{
    return limit == 0 || size <= limit
               ? MPROC_OK
               : mproc__fail(MPROC_ETOOBIG,
                             "a message of %llu bytes, where at most %llu are allowed",
                             (unsigned long long)size, (unsigned long long)limit);
}

int mproc__message_prepare(mproc__message *message)
{
    const mproc__codec codec = {.put_object = mproc__object_embed};
    size_t n_objects = 0;
    if (message->value != NULL && message->value->type == MPROC_BYTES) {
        message->bytes = message->value->as.bytes;
    }
    if (mproc__message_is_bytes(message)) {
        message->size = message->bytes.size;
    } else {
        int rc = mproc__codec_size(&codec, message->value, &message->size, &n_objects);
        if (rc < 0) {
            return rc;
        }
    }
    bool is_parcel = message->size > MPROC__RING_LARGEST_RECORD || n_objects > 0;
    int rc = mproc__message_check_size(message->size, message->limit);
    return rc >= 0 && is_parcel ? make_parcel(message, n_objects) : rc;
}

bool mproc__message_put(mproc__message *message, mproc__ring_end *end, int *ret_status)
{
    enum mproc__record kind =
        mproc__message_is_bytes(message) ? MPROC__RECORD_BYTES : MPROC__RECORD_VALUE;
    void *place;
    if (message->parcel.offset != 0) {
        bool is_put = mproc__ring_put_parcel(end, message->parcel, kind, ret_status);
        message->parcel.offset = is_put ? 0 : message->parcel.offset;
        return is_put;
    }
    if (!mproc__ring_put_reserve(end, message->size, kind, &place, ret_status)) {
        return false;
    }
    int rc = write_to(message, place, NULL);
    MPROC__CHECK(rc >= 0); // nothing that it asked for could fail
    return true;
}

void mproc__message_drop(mproc__message *message)
{
    if (message->parcel.offset != 0) {
        mproc__block_release(message->parcel);
        message->parcel.offset = 0;
    }
}

/* ---- get ------------------------------------------------------------------------------------- */

int mproc__message_make_room(uint64_t size, mproc_value *ret_value, void **ret_place)
{
    const mproc__zone_needs needs = {.bytes = (size_t)size};
    mproc__zone *zone;
    int rc = mproc__zone_create(&zone, &needs);
    if (rc >= 0) {
        *ret_place = mproc__zone_take_bytes(zone, (size_t)size);
        *ret_value = (mproc_value){.type = MPROC_BYTES, .owned = zone};
        ret_value->as.bytes = mproc_bytes_of(*ret_place, (size_t)size);
    }
    return rc;
}

int mproc__message_open(const mproc__ring_item *item, mproc_value *ret_value)
{
    if (item->kind == MPROC__RECORD_VALUE) {
        const mproc__codec codec = {.get_object = item->parcel != 0 ? mproc__object_receive : NULL};
        return mproc__codec_read(&codec, item->data, item->size, ret_value);
    }
    void *place;
    int rc = mproc__message_make_room(item->size, ret_value, &place);
    if (rc >= 0 && item->size > 0) {
        memcpy(place, item->data, (size_t)item->size);
    }
    return rc;
}

/* ---- luggage --------------------------------------------------------------------------------- */

#define LARGE ((uint64_t)32 << 10)

bool mproc__luggage_is(const mproc__ring_item *item)
{
    return item->parcel != 0 && item->kind == MPROC__RECORD_BYTES && item->size >= LARGE;
}

int mproc__luggage_take(mproc__ring_end *end, const mproc__ring_item *item, void *place,
                        mproc__luggage *luggage)
{
    luggage->place = place;
    return mproc__ring_get_take(end, item, &luggage->parcel);
}

void mproc__luggage_unpack(mproc__luggage *luggage)
{
    if (luggage->parcel.offset != 0) {
        memcpy(luggage->place, mproc__block_at(luggage->parcel.offset),
               (size_t)mproc__block_size(luggage->parcel.offset));
        mproc__block_release(luggage->parcel);
        luggage->parcel.offset = 0;
    }
}
