/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invoke_array.c: the methods of arrays and shared values by name; see mproc/array.h and mproc/shared_value.h.
 *
 * How  A value is an array of one, and has no index among its arguments. Elements are numbers here.
 */
#include "base/alloc.h"
#include "base/compiler.h"
#include "base/status.h"
#include "mproc/shared_value.h"
#include "object/array.h"
#include "service/invoke.h"

#include <string.h>

/* ---- elements as values ---------------------------------------------------------------------- */

static int load_number(const struct mproc__element *element, const void *at, mproc_value *ret_value)
{
    int64_t integer = 0;
    double real = 0;
    int rc;
    if ((element->traits & MPROC__ELEMENT_REAL) != 0) {
        rc = mproc__element_get_double(element, at, &real);
        *ret_value = MPROC_VALUE(real);
    } else if ((rc = mproc__element_get_int(element, at, &integer)) != MPROC_ERANGE) {
        bool is_bool = (element->traits & MPROC__ELEMENT_BOOL) != 0;
        *ret_value = is_bool ? mproc__value_bool(integer != 0) : MPROC_VALUE(integer);
    } else {
        uint64_t large; // only an unsigned one of 64 bits does not fit
        memcpy(&large, at, sizeof(large));
        *ret_value = mproc__value_uint(large);
        rc = MPROC_OK;
    }
    return rc;
}

static int store_number(const struct mproc__element *element, void *at, const mproc_value *value)
{
    switch (value->type) {
    case MPROC_INT:
        if ((element->traits & MPROC__ELEMENT_REAL) != 0) {
            return mproc__element_set_double(element, at, (double)value->as.integer);
        }
        return mproc__element_set_int(element, at, value->as.integer);
    case MPROC_BOOL:
        return mproc__element_set_int(element, at, value->as.boolean);
    case MPROC_DOUBLE:
        return mproc__element_set_double(element, at, value->as.real);
    case MPROC_UINT:
        if (element->traits == MPROC__ELEMENT_INTEGER && element->size == sizeof(uint64_t)) {
            memcpy(at, &value->as.uinteger, sizeof(uint64_t));
            return MPROC_OK;
        }
        return mproc__fail(MPROC_ERANGE, "%llu does not fit typecode %c",
                           (unsigned long long)value->as.uinteger, element->typecode);
    default:
        return mproc__fail(MPROC_ETYPE, "an element of an array is no %s",
                           mproc_type_name(value->type));
    }
}

/* ---- the lock -------------------------------------------------------------------------------- */

static int try_acquire(mproc__invocation *call, mproc_timeout timeout)
{
    return mproc__array_acquire(call->object, timeout);
}

static int acquire(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc__invoke_wait(call, try_acquire);
}

static int release(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc__array_release(call->object);
}

/** The lock for one copy, if there is one. */
static int enter(mproc__invocation *call)
{
    return mproc__array_of(call->object)->lock == 0 ? MPROC_OK
                                                    : mproc__invoke_wait(call, try_acquire);
}

/* ---- elements -------------------------------------------------------------------------------- */

static void *element_at(const mproc__invocation *call, size_t index)
{
    return (char *)mproc__array_data(call->object) +
           index * (size_t)mproc__array_of(call->object)->element.size;
}

static int check_range(const mproc__invocation *call, size_t first, size_t count)
{
    uint64_t length = mproc__array_of(call->object)->length;
    if (first > length || count > length - first) {
        return mproc__fail(MPROC_ERANGE, "there are %llu elements, not %zu from %zu on",
                           (unsigned long long)length, count, first);
    }
    return MPROC_OK;
}

static int read_one(mproc__invocation *call, size_t index)
{
    int rc = check_range(call, index, 1);
    int held = rc < 0 ? rc : enter(call);
    if (held < 0) {
        return held;
    }
    rc = load_number(&mproc__array_of(call->object)->element, element_at(call, index),
                     &call->result);
    mproc__array_leave(call->object);
    if (rc < 0) {
        call->result = MPROC_NIL_VALUE;
    }
    return rc < 0 ? rc : held;
}

static int write_some(mproc__invocation *call, size_t first, const mproc_value *values,
                      size_t count)
{
    const struct mproc__element *element = &mproc__array_of(call->object)->element;
    uint64_t probe; // that all fit is found out first, so that all are written or none
    int rc = check_range(call, first, count);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        rc = store_number(element, &probe, &values[i]);
    }
    int held = rc < 0 ? rc : enter(call);
    if (held < 0) {
        return held;
    }
    for (size_t i = 0; i < count && rc >= 0; i++) {
        rc = store_number(element, element_at(call, first + i), &values[i]);
    }
    mproc__array_leave(call->object);
    return rc < 0 ? rc : held;
}

static int value_get(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : read_one(call, 0);
}

static int value_set(mproc__invocation *call)
{
    mproc_value x;
    int rc = MPROC_UNPACK(&call->args, &x);
    return rc < 0 ? rc : write_some(call, 0, &x, 1);
}

static int array_get(mproc__invocation *call)
{
    size_t index;
    int rc = MPROC_UNPACK(&call->args, &index);
    return rc < 0 ? rc : read_one(call, index);
}

static int array_set(mproc__invocation *call)
{
    size_t index;
    mproc_value x;
    int rc = MPROC_UNPACK(&call->args, &index, &x);
    return rc < 0 ? rc : write_some(call, index, &x, 1);
}

static int get_slice(mproc__invocation *call)
{
    size_t first = 0;
    size_t count = (size_t)mproc__array_of(call->object)->length;
    int rc = MPROC_UNPACK(&call->args, MPROC_OPTIONAL(&first), MPROC_OPTIONAL(&count));
    if (rc < 0 || (rc = check_range(call, first, count)) < 0) {
        return rc;
    }
    mproc_value *items = mproc__calloc(count + 1, sizeof(*items));
    if (items == NULL) {
        return mproc__fail(MPROC_ENOMEM, "get_slice: no memory for %zu elements", count);
    }
    int held = enter(call);
    rc = held;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        rc = load_number(&mproc__array_of(call->object)->element, element_at(call, first + i),
                         &items[i]);
    }
    if (held >= 0) {
        mproc__array_leave(call->object);
    }
    const mproc_value list = mproc__value_list(items, count);
    if (rc >= 0) {
        rc = mproc_value_copy(&call->result, &list);
    }
    mproc__free(items);
    return rc < 0 ? rc : held;
}

static int set_slice(mproc__invocation *call)
{
    size_t first;
    mproc_value list;
    int rc = MPROC_UNPACK(&call->args, &first, &list);
    if (rc >= 0 && list.type != MPROC_LIST) {
        rc = mproc__fail(MPROC_ETYPE, "set_slice: the elements are no list");
    }
    return rc < 0 ? rc : write_some(call, first, list.as.list.items, list.as.list.count);
}

static int length(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return mproc__invoke_int(call, rc, (int64_t)mproc__array_of(call->object)->length);
}

static int typecode(mproc__invocation *call)
{
    const char text[] = {mproc__array_of(call->object)->element.typecode, '\0'};
    const mproc_value value = MPROC_VALUE((const char *)text);
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_value_copy(&call->result, &value);
}

/* ---- in one step ----------------------------------------------------------------------------- */

/** The arguments of an atomic method: an index, of an array, and up to two numbers. */
struct atom {
    size_t index;
    int64_t number[2];
};

static int unpack_atom(mproc__invocation *call, struct atom *atom, size_t n_numbers)
{
    const mproc_slot slots[] = {MPROC__SLOT(&atom->index), MPROC__SLOT(&atom->number[0]),
                                MPROC__SLOT(&atom->number[1])};
    bool is_array = call->object->kind == MPROC__KIND_ARRAY;
    atom->index = 0;
    int rc = is_array ? mproc_unpack(&call->args, slots, 1 + n_numbers)
                      : mproc_unpack(&call->args, slots + 1, n_numbers);
    return rc < 0 ? rc : check_range(call, atom->index, 1);
}

static int atomic_load(mproc__invocation *call)
{
    struct atom atom;
    int64_t number = 0;
    int rc = unpack_atom(call, &atom, 0);
    if (rc >= 0) {
        rc = mproc__element_load(&mproc__array_of(call->object)->element,
                                 element_at(call, atom.index), &number);
    }
    return mproc__invoke_int(call, rc, number);
}

static int atomic_store(mproc__invocation *call)
{
    struct atom atom;
    int rc = unpack_atom(call, &atom, 1);
    return rc < 0 ? rc
                  : mproc__element_store(&mproc__array_of(call->object)->element,
                                         element_at(call, atom.index), atom.number[0]);
}

static int atomic_add(mproc__invocation *call)
{
    struct atom atom;
    int64_t old = 0;
    int rc = unpack_atom(call, &atom, 1);
    if (rc >= 0) {
        rc = mproc__element_add(&mproc__array_of(call->object)->element,
                                element_at(call, atom.index), atom.number[0], &old);
    }
    return mproc__invoke_int(call, rc, old);
}

static int atomic_compare_exchange(mproc__invocation *call)
{
    struct atom atom;
    int rc = unpack_atom(call, &atom, 2);
    if (rc >= 0) {
        rc = mproc__element_compare_exchange(&mproc__array_of(call->object)->element,
                                             element_at(call, atom.index), &atom.number[0],
                                             atom.number[1]);
    }
    return mproc__invoke_bool(call, rc);
}

/* What both have. */
#define SHARED_METHODS                                                      \
    {"acquire", acquire}, {"release", release}, {"atomic_add", atomic_add}, \
        {"atomic_load", atomic_load}, {"atomic_store", atomic_store},       \
        {"atomic_compare_exchange", atomic_compare_exchange},               \
    {                                                                       \
        "typecode", typecode                                                \
    }

const mproc__method mproc__methods_value[] = {
    {"get", value_get},
    {"set", value_set},
    SHARED_METHODS,
    {NULL, NULL},
};

const mproc__method mproc__methods_array[] = {
    {"get", array_get},
    {"set", array_set},
    {"get_slice", get_slice},
    {"set_slice", set_slice},
    {"length", length},
    SHARED_METHODS,
    {NULL, NULL},
};
