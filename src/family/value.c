/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.c: copying, freeing, comparing and searching values.
 */
#include "mproc/value.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/status.h"
#include "family/object.h"
#include "family/value.h"
#include "family/zone.h"

#include <string.h>

const char *mproc_type_name(mproc_type type)
{
    static const char *const names[] = {
        "nil",   "boolean", "integer", "unsigned integer", "double", "string",
        "bytes", "list",    "map",     "object",
    };
    // Unsigned, since an enum may hold anything.
    const unsigned index = (unsigned)type;
    return index < MPROC__COUNT(names) ? names[index] : "no such type";
}

void mproc_free(void *data)
{
    mproc__free(data);
}

void mproc_value_clear(mproc_value *value)
{
    if (value != NULL) {
        mproc__zone *zone = value->owned;
        *value = mproc__value_nil();
        mproc__zone_free(zone);
    }
}

/* ---- copy ------------------------------------------------------------------------------------ */

/* Add what a copy of `value` needs. The sums cannot overflow: all that is counted is in memory, or
 * is counted so often that the walk would never end. */
static int measure_copy(mproc__zone_needs *needs, const mproc_value *value, unsigned depth)
{
    size_t n_children = 0;
    switch (value->type) {
    case MPROC_NIL:
    case MPROC_BOOL:
    case MPROC_INT:
    case MPROC_UINT:
    case MPROC_DOUBLE:
        return 0;
    case MPROC_STRING:
        needs->bytes += value->as.string.size + 1;
        return 0;
    case MPROC_BYTES:
        needs->bytes += value->as.bytes.size;
        return 0;
    case MPROC_OBJECT:
        needs->objects++;
        return value->as.object != NULL
                   ? 0
                   : mproc__fail(MPROC_EINVAL, "copying a value: an object in it is NULL");
    case MPROC_LIST:
    case MPROC_MAP:
        n_children = mproc__value_n_children(value);
        break;
    default:
        return mproc__fail(MPROC_EINVAL, "copying a value: there is no type %d", (int)value->type);
    }
    if (depth == MPROC_VALUE_MAX_DEPTH) {
        return mproc__fail(MPROC_ETOOBIG, "copying a value: it is nested deeper than %d",
                           MPROC_VALUE_MAX_DEPTH);
    }
    needs->values += n_children;
    const mproc_value *children = mproc__value_children(value);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_children; i++) {
        rc = measure_copy(needs, &children[i], depth + 1);
    }
    return rc;
}

static int changed_meanwhile(void)
{
    return mproc__fail(MPROC_EINVAL, "copying a value: it changed meanwhile");
}

static int copy_into(mproc__zone *zone, mproc_value *ret_copy, const mproc_value *value);

static int copy_children(mproc__zone *zone, mproc_value *copy, const mproc_value *value)
{
    const size_t n_children = mproc__value_n_children(value);
    if (n_children == 0) {
        mproc__value_adopt(copy, NULL);
        return 0;
    }
    const mproc_value *children = mproc__value_children(value);
    mproc_value *copies = mproc__zone_take_values(zone, n_children);
    if (copies == NULL) {
        return changed_meanwhile();
    }
    mproc__value_adopt(copy, copies);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_children; i++) {
        rc = copy_into(zone, &copies[i], &children[i]);
    }
    return rc;
}

/* `room` is at least `size`; what is beyond becomes zero. */
static int copy_bytes(mproc__zone *zone, const void *data, size_t size, size_t room,
                      const char **ret_copy)
{
    char *copy = mproc__zone_take_bytes(zone, room);
    *ret_copy = copy;
    if (copy == NULL) {
        return room == 0 ? 0 : changed_meanwhile();
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    memset(copy + size, 0, room - size);
    return 0;
}

static int copy_object(mproc__zone *zone, mproc_value *copy, const mproc_value *value)
{
    struct mproc_object **place = mproc__zone_take_object(zone);
    if (place == NULL) {
        return changed_meanwhile();
    }
    int rc = mproc__object_receive(NULL, value->as.object->offset, place);
    copy->as.object = *place;
    return rc;
}

/* Copy a value that measure_copy has accepted. */
static int copy_into(mproc__zone *zone, mproc_value *ret_copy, const mproc_value *value)
{
    const char *data = NULL;
    int rc = 0;
    *ret_copy = mproc__value_borrow(*value);
    switch (value->type) {
    case MPROC_STRING:
        rc = copy_bytes(zone, value->as.string.data, value->as.string.size,
                        value->as.string.size + 1, &data);
        ret_copy->as.string.data = data;
        return rc;
    case MPROC_BYTES:
        rc = copy_bytes(zone, value->as.bytes.data, value->as.bytes.size, value->as.bytes.size,
                        &data);
        ret_copy->as.bytes.data = data;
        return rc;
    case MPROC_OBJECT:
        return copy_object(zone, ret_copy, value);
    case MPROC_LIST:
    case MPROC_MAP:
        return copy_children(zone, ret_copy, value);
    default:
        return 0;
    }
}

int mproc_value_copy(mproc_value *ret_copy, const mproc_value *value)
{
    mproc__zone_needs needs = {0};
    mproc__zone *zone = NULL;
    mproc_value copy;
    if (ret_copy == NULL || value == NULL) {
        return mproc__fail(MPROC_EINVAL, "copying a value: NULL was given");
    }
    int rc = measure_copy(&needs, value, 0);
    if (rc < 0) {
        return rc;
    }
    rc = mproc__zone_create(&zone, &needs);
    if (rc < 0) {
        return rc;
    }
    rc = copy_into(zone, &copy, value);
    if (rc < 0) {
        mproc__zone_free(zone);
        return rc;
    }
    copy.owned = zone;
    *ret_copy = copy;
    return 0;
}

/* ---- compare --------------------------------------------------------------------------------- */

static bool equal_bytes(const void *a, size_t a_size, const void *b, size_t b_size)
{
    return a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
}

static bool equal_objects(const struct mproc_object *a, const struct mproc_object *b)
{
    return a == b || (a != NULL && b != NULL && a->offset == b->offset);
}

static bool equal_values(const mproc_value *a, const mproc_value *b, unsigned depth);

static bool equal_children(const mproc_value *a, const mproc_value *b, unsigned depth)
{
    const size_t n_children = mproc__value_n_children(a);
    const mproc_value *in_a = mproc__value_children(a);
    const mproc_value *in_b = mproc__value_children(b);
    bool equal = n_children == mproc__value_n_children(b) && depth < MPROC_VALUE_MAX_DEPTH;
    for (size_t i = 0; equal && i < n_children; i++) {
        equal = equal_values(&in_a[i], &in_b[i], depth + 1);
    }
    return equal;
}

static bool equal_values(const mproc_value *a, const mproc_value *b, unsigned depth)
{
    if (a->type != b->type) {
        return false;
    }
    switch (a->type) {
    case MPROC_NIL:
        return true;
    case MPROC_BOOL:
        return a->as.boolean == b->as.boolean;
    case MPROC_INT:
        return a->as.integer == b->as.integer;
    case MPROC_UINT:
        return a->as.uinteger == b->as.uinteger;
    case MPROC_DOUBLE:
        return a->as.real == b->as.real;
    case MPROC_STRING:
        return equal_bytes(a->as.string.data, a->as.string.size, b->as.string.data,
                           b->as.string.size);
    case MPROC_BYTES:
        return equal_bytes(a->as.bytes.data, a->as.bytes.size, b->as.bytes.data, b->as.bytes.size);
    case MPROC_OBJECT:
        return equal_objects(a->as.object, b->as.object);
    case MPROC_LIST:
    case MPROC_MAP:
        return equal_children(a, b, depth);
    }
    return false;
}

bool mproc_value_equal(const mproc_value *a, const mproc_value *b)
{
    return a != NULL && b != NULL && equal_values(a, b, 0);
}

const mproc_value *mproc_value_find(const mproc_value *map, const char *key)
{
    if (map == NULL || map->type != MPROC_MAP || key == NULL) {
        return NULL;
    }
    const size_t size = strlen(key);
    for (size_t i = map->as.map.count; i-- > 0;) {
        const mproc_value *found = &map->as.map.pairs[i].key;
        if (found->type == MPROC_STRING &&
            equal_bytes(found->as.string.data, found->as.string.size, key, size)) {
            return &map->as.map.pairs[i].value;
        }
    }
    return NULL;
}
