/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_value.c: mproc_shared_value: an array of one element, and its numbers.
 */
#include "mproc/shared_value.h"

#include "base/compiler.h"
#include "base/status.h"
#include "object/array.h"

static int no_value(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the shared value is NULL", verb);
}

static int no_place(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: there is no place for the number", verb);
}

static const struct mproc__element *element_of(const mproc_shared_value *value)
{
    return &mproc__array_of(&value->object)->element;
}

static int create(mproc_shared_value **ret_value, const struct mproc__element *element,
                  const void *init, const mproc_shared_value_options *options)
{
    struct mproc_object *object;
    int rc = mproc__array_create(MPROC__KIND_SHARED_VALUE, element, 1, init, options, &object);
    if (rc >= 0) {
        *ret_value = MPROC__CONTAINER(object, mproc_shared_value, object);
    }
    return rc;
}

int mproc_shared_value_create(mproc_shared_value **ret_value, char typecode, const void *init,
                              const mproc_shared_value_options *options)
{
    struct mproc__element element;
    if (ret_value == NULL) {
        return no_value("create");
    }
    int rc = mproc__element_of(typecode, &element);
    return rc < 0 ? rc : create(ret_value, &element, init, options);
}

int mproc_shared_value_create_struct(mproc_shared_value **ret_value, size_t size, const void *init,
                                     const mproc_shared_value_options *options)
{
    struct mproc__element element;
    if (ret_value == NULL) {
        return no_value("create");
    }
    int rc = mproc__element_of_size(size, &element);
    return rc < 0 ? rc : create(ret_value, &element, init, options);
}

void *mproc_shared_value_data(const mproc_shared_value *value)
{
    return value != NULL ? mproc__array_data(&value->object) : NULL;
}

size_t mproc_shared_value_size(const mproc_shared_value *value)
{
    return value != NULL ? (size_t)element_of(value)->size : 0;
}

char mproc_shared_value_typecode(const mproc_shared_value *value)
{
    return value != NULL ? element_of(value)->typecode : '\0';
}

/* ---- the lock -------------------------------------------------------------------------------- */

int mproc_shared_value_acquire(mproc_shared_value *value, mproc_timeout timeout)
{
    return value != NULL ? mproc__array_acquire(&value->object, timeout) : no_value("acquire");
}

int mproc_shared_value_release(mproc_shared_value *value)
{
    return value != NULL ? mproc__array_release(&value->object) : no_value("release");
}

mproc_rlock *mproc_shared_value_get_rlock(mproc_shared_value *value)
{
    struct mproc_object *lock =
        value != NULL ? mproc__array_lock(&value->object, MPROC__KIND_RLOCK) : NULL;
    return lock != NULL ? MPROC__CONTAINER(lock, mproc_rlock, object) : NULL;
}

mproc_lock *mproc_shared_value_get_lock(mproc_shared_value *value)
{
    struct mproc_object *lock =
        value != NULL ? mproc__array_lock(&value->object, MPROC__KIND_LOCK) : NULL;
    return lock != NULL ? MPROC__CONTAINER(lock, mproc_lock, object) : NULL;
}

/* ---- what it is ------------------------------------------------------------------------------ */

int mproc_shared_value_get(const mproc_shared_value *value, void *ret_x)
{
    if (value == NULL) {
        return no_value("get");
    }
    return ret_x != NULL ? mproc__array_read(&value->object, 0, 1, ret_x) : no_place("get");
}

int mproc_shared_value_set(mproc_shared_value *value, const void *x)
{
    if (value == NULL) {
        return no_value("set");
    }
    return x != NULL ? mproc__array_write(&value->object, 0, 1, x)
                     : mproc__fail(MPROC_EINVAL, "set: there is nothing to set it to");
}

/** Let the lock go; what went wrong with the number counts, then what is known of the last holder. */
static int leave(const mproc_shared_value *value, int entered, int rc)
{
    mproc__array_leave(&value->object);
    return rc < 0 ? rc : entered;
}

int mproc_shared_value_get_int(const mproc_shared_value *value, int64_t *ret_number)
{
    if (value == NULL || ret_number == NULL) {
        return value == NULL ? no_value("get_int") : no_place("get_int");
    }
    const void *data = mproc__array_data(&value->object);
    int rc = mproc__array_enter(&value->object);
    return rc < 0 ? rc
                  : leave(value, rc, mproc__element_get_int(element_of(value), data, ret_number));
}

int mproc_shared_value_set_int(mproc_shared_value *value, int64_t number)
{
    if (value == NULL) {
        return no_value("set_int");
    }
    void *data = mproc__array_data(&value->object);
    // What does not fit is said before the lock is taken: that its last holder died is told once.
    double probe;
    int rc = mproc__element_set_int(element_of(value), &probe, number);
    rc = rc < 0 ? rc : mproc__array_enter(&value->object);
    return rc < 0 ? rc : leave(value, rc, mproc__element_set_int(element_of(value), data, number));
}

int mproc_shared_value_get_double(const mproc_shared_value *value, double *ret_number)
{
    if (value == NULL || ret_number == NULL) {
        return value == NULL ? no_value("get_double") : no_place("get_double");
    }
    const void *data = mproc__array_data(&value->object);
    int rc = mproc__array_enter(&value->object);
    return rc < 0
               ? rc
               : leave(value, rc, mproc__element_get_double(element_of(value), data, ret_number));
}

int mproc_shared_value_set_double(mproc_shared_value *value, double number)
{
    if (value == NULL) {
        return no_value("set_double");
    }
    void *data = mproc__array_data(&value->object);
    double probe;
    int rc = mproc__element_set_double(element_of(value), &probe, number);
    rc = rc < 0 ? rc : mproc__array_enter(&value->object);
    return rc < 0 ? rc
                  : leave(value, rc, mproc__element_set_double(element_of(value), data, number));
}

/* ---- atomic ---------------------------------------------------------------------------------- */

int mproc_shared_value_atomic_load(const mproc_shared_value *value, int64_t *ret_number)
{
    if (value == NULL || ret_number == NULL) {
        return value == NULL ? no_value("load") : no_place("load");
    }
    return mproc__element_load(element_of(value), mproc__array_data(&value->object), ret_number);
}

int mproc_shared_value_atomic_store(mproc_shared_value *value, int64_t number)
{
    return value != NULL
               ? mproc__element_store(element_of(value), mproc__array_data(&value->object), number)
               : no_value("store");
}

int mproc_shared_value_atomic_add(mproc_shared_value *value, int64_t delta, int64_t *ret_old)
{
    return value != NULL ? mproc__element_add(element_of(value), mproc__array_data(&value->object),
                                              delta, ret_old)
                         : no_value("add");
}

int mproc_shared_value_atomic_compare_exchange(mproc_shared_value *value, int64_t *expected,
                                               int64_t desired)
{
    if (value == NULL || expected == NULL) {
        return value == NULL ? no_value("compare_exchange") : no_place("compare_exchange");
    }
    return mproc__element_compare_exchange(element_of(value), mproc__array_data(&value->object),
                                           expected, desired);
}
