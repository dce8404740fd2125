/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone.c: one allocation per received value.
 *
 * Why       a list of ten strings costs one malloc and one free, not twenty-two; and freeing needs
 *           no walk over a tree that its user may have changed.
 * Layout    struct mproc__zone with the values, then the object handles, then the bytes: by falling
 *           alignment, so that nothing has to be padded.
 */
#include "family/zone.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/status.h"

#include <stdint.h>

struct mproc__zone {
    uint32_t shares;               // who is to free it: several values that came together
    mproc__zone_needs left;        // not yet taken
    struct mproc_object **objects; // the first n_objects were taken
    size_t n_objects;
    mproc_value *next_value;
    char *next_byte;
    mproc__zone *adopted; // the last one, and by `next` those before
    mproc__zone *next;
    mproc_value values[];
};

/* The size of a zone; false if no size_t holds it. */
static bool zone_size(const mproc__zone_needs *needs, size_t *ret_size)
{
    const size_t limit = SIZE_MAX / 2 - sizeof(mproc__zone);
    if (needs->values > limit / sizeof(mproc_value)) {
        return false;
    }
    size_t size = needs->values * sizeof(mproc_value);
    if (needs->objects > (limit - size) / sizeof(struct mproc_object *)) {
        return false;
    }
    size += needs->objects * sizeof(struct mproc_object *);
    if (needs->bytes > limit - size) {
        return false;
    }
    *ret_size = sizeof(mproc__zone) + size + needs->bytes;
    return true;
}

int mproc__zone_create(mproc__zone **ret_zone, const mproc__zone_needs *needs)
{
    if (needs->values == 0 && needs->objects == 0 && needs->bytes == 0) {
        *ret_zone = NULL;
        return 0;
    }
    size_t size;
    if (!zone_size(needs, &size)) {
        return mproc__fail(MPROC_ENOMEM, "a value of this size does not fit the address space");
    }
    mproc__zone *zone = mproc__malloc(size);
    if (zone == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for the %zu bytes of a value", size);
    }
    zone->shares = 1;
    zone->left = *needs;
    zone->next_value = zone->values;
    zone->objects = (struct mproc_object **)(void *)(zone->values + needs->values);
    zone->n_objects = 0;
    zone->adopted = zone->next = NULL;
    zone->next_byte = (char *)(zone->objects + needs->objects);
    *ret_zone = zone;
    return 0;
}

void mproc__zone_free(mproc__zone *zone)
{
    if (zone == NULL || (mproc__load32_acquire(&zone->shares) != 1 &&
                         mproc__add32(&zone->shares, UINT32_MAX) != 1)) {
        return;
    }
    while (zone->adopted != NULL) {
        mproc__zone *adopted = zone->adopted;
        zone->adopted = adopted->next;
        mproc__zone_free(adopted);
    }
    for (size_t i = zone->n_objects; i-- > 0;) {
        mproc__object_close(zone->objects[i]);
    }
    mproc__free(zone);
}

void mproc__zone_share(mproc__zone *zone)
{
    if (mproc__load32_relaxed(&zone->shares) == 1) {
        mproc__store32_relaxed(&zone->shares, 2); // nobody else has it yet
    } else {
        (void)mproc__add32(&zone->shares, 1);
    }
}

void mproc__zone_adopt(mproc__zone *zone, mproc_value *value)
{
    mproc__zone *owned = value->owned;
    value->owned = NULL;
    if (owned == NULL) {
        return;
    }
    if (owned == zone->adopted) {
        mproc__zone_free(owned); // one share will do
        return;
    }
    owned->next = zone->adopted;
    zone->adopted = owned;
}

size_t mproc__zone_bytes_left(const mproc__zone *zone)
{
    return zone->left.bytes;
}

mproc_value *mproc__zone_take_values(mproc__zone *zone, size_t count)
{
    if (zone == NULL || count > zone->left.values) {
        return NULL;
    }
    mproc_value *values = zone->next_value;
    zone->next_value += count;
    zone->left.values -= count;
    return values;
}

char *mproc__zone_take_bytes(mproc__zone *zone, size_t size)
{
    if (zone == NULL || size > zone->left.bytes) {
        return NULL;
    }
    char *bytes = zone->next_byte;
    zone->next_byte += size;
    zone->left.bytes -= size;
    return bytes;
}

struct mproc_object **mproc__zone_take_object(mproc__zone *zone)
{
    if (zone == NULL || zone->left.objects == 0) {
        return NULL;
    }
    struct mproc_object **place = &zone->objects[zone->n_objects++];
    zone->left.objects--;
    *place = NULL;
    return place;
}
