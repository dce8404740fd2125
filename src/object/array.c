/* SPDX-License-Identifier: Apache-2.0 */
/*
 * array.c: mproc_array, and what a shared value has of it; see array.h.
 */
#include "object/array.h"

#include "base/compiler.h"
#include "base/status.h"
#include "family/block.h"
#include "object/leaks.h"
#include "object/lock.h"

#include <string.h>

/** How sentences name it. */
static const char *name_of(const struct mproc_object *object)
{
    return object->kind == MPROC__KIND_ARRAY ? "array" : "shared value";
}

/* ---- creating -------------------------------------------------------------------------------- */

static int check_options(const mproc_array_options *options)
{
    int n = (options->lock != NULL) + (options->rlock != NULL) + options->is_raw;
    return n <= 1 ? MPROC_OK
                  : mproc__fail(MPROC_EINVAL, "create: of lock, rlock and is_raw one can be given");
}

/** Have the new object hold the lock that the options want; one of its own it gets with a handle. */
static int add_lock(struct mproc_object *object, const mproc_array_options *options)
{
    struct mproc__array_shm *array = object->shm;
    const struct mproc_object *lock = NULL;
    int rc = MPROC_OK;
    if (options->is_raw) {
        return rc;
    }
    if (options->lock != NULL) {
        lock = &options->lock->object;
    } else if (options->rlock != NULL) {
        lock = &options->rlock->object;
    } else {
        rc = mproc__lock_create(MPROC__KIND_RLOCK, NULL, &object->part);
        lock = object->part;
        if (rc >= 0) {
            mproc__leaks_drop(object->part); // closed with the array
        }
    }
    if (rc < 0 || (rc = mproc__block_embed(object->offset, lock->offset)) < 0) {
        return rc;
    }
    array->lock = lock->offset;
    array->lock_kind = lock->kind;
    return rc;
}

int mproc__array_create(uint32_t kind, const struct mproc__element *element, size_t length,
                        const void *init, const mproc_array_options *options,
                        struct mproc_object **ret_object)
{
    static const mproc_array_options none = {NULL, NULL, false};
    options = options != NULL ? options : &none;
    int rc = check_options(options);
    if (rc < 0) {
        return rc;
    }
    if (length > (SIZE_MAX - sizeof(struct mproc__array_shm)) / element->size) {
        return mproc__fail(MPROC_ENOSPC, "create: %llu elements of %llu bytes are too many",
                           (unsigned long long)length, (unsigned long long)element->size);
    }
    uint64_t bytes = length * element->size;
    struct mproc_object *object;
    rc = mproc__object_create(kind, sizeof(struct mproc__array_shm) + bytes, 1, &object);
    if (rc < 0) {
        return rc;
    }
    struct mproc__array_shm *array = object->shm;
    array->element = *element;
    array->length = length;
    rc = add_lock(object, options);
    if (rc < 0) {
        mproc__object_close(object);
        return rc;
    }
    if (init != NULL && bytes != 0) {
        memcpy(mproc__array_data(object), init, (size_t)bytes);
    }
    *ret_object = object;
    return MPROC_OK;
}

/* ---- the lock -------------------------------------------------------------------------------- */

static struct mproc_object lock_of(const struct mproc__array_shm *array)
{
    return mproc__lock_inside(array->lock_kind, array->lock);
}

int mproc__array_enter(const struct mproc_object *object)
{
    const struct mproc__array_shm *array = mproc__array_of(object);
    if (array->lock == 0) {
        return MPROC_OK;
    }
    const struct mproc_object lock = lock_of(array);
    return mproc__lock_acquire(&lock, MPROC_FOREVER);
}

void mproc__array_leave(const struct mproc_object *object)
{
    const struct mproc__array_shm *array = mproc__array_of(object);
    if (array->lock != 0) {
        const struct mproc_object lock = lock_of(array);
        (void)mproc__lock_release(&lock);
    }
}

static int no_lock(const struct mproc_object *object, const char *verb)
{
    return mproc__fail(MPROC_ESTATE, "%s: the %s has no lock", verb, name_of(object));
}

int mproc__array_acquire(const struct mproc_object *object, mproc_timeout timeout)
{
    const struct mproc__array_shm *array = mproc__array_of(object);
    if (array->lock == 0) {
        return no_lock(object, "acquire");
    }
    const struct mproc_object lock = lock_of(array);
    return mproc__lock_acquire(&lock, timeout);
}

int mproc__array_release(const struct mproc_object *object)
{
    const struct mproc__array_shm *array = mproc__array_of(object);
    if (array->lock == 0) {
        return no_lock(object, "release");
    }
    const struct mproc_object lock = lock_of(array);
    return mproc__lock_release(&lock);
}

struct mproc_object *mproc__array_lock(struct mproc_object *object, uint32_t kind)
{
    const struct mproc__array_shm *array = mproc__array_of(object);
    if (array->lock_kind != kind) {
        (void)mproc__fail(MPROC_ESTATE, "the %s has no %s", name_of(object),
                          kind == MPROC__KIND_LOCK ? "lock" : "rlock");
        return NULL;
    }
    return mproc__object_part(object, array->lock);
}

/* ---- elements -------------------------------------------------------------------------------- */

static int check_range(const struct mproc__array_shm *array, const char *verb, size_t first,
                       size_t count)
{
    if (count <= array->length && first <= array->length - count) {
        return MPROC_OK;
    }
    return count == 1
               ? mproc__fail(MPROC_ERANGE, "%s: the array has %llu elements, no index %llu", verb,
                             (unsigned long long)array->length, (unsigned long long)first)
               : mproc__fail(MPROC_ERANGE,
                             "%s: the array has %llu elements, not %llu from index %llu on", verb,
                             (unsigned long long)array->length, (unsigned long long)count,
                             (unsigned long long)first);
}

static void *element_at(const struct mproc_object *object, size_t index)
{
    return (char *)mproc__array_data(object) + index * mproc__array_of(object)->element.size;
}

int mproc__array_read(const struct mproc_object *object, size_t first, size_t count, void *to)
{
    const struct mproc__array_shm *array = mproc__array_of(object);
    int rc = check_range(array, "get", first, count);
    if (rc < 0 || count == 0 || (rc = mproc__array_enter(object)) < 0) {
        return rc;
    }
    memmove(to, element_at(object, first), count * (size_t)array->element.size);
    mproc__array_leave(object);
    return rc;
}

int mproc__array_write(const struct mproc_object *object, size_t first, size_t count,
                       const void *from)
{
    const struct mproc__array_shm *array = mproc__array_of(object);
    int rc = check_range(array, "set", first, count);
    if (rc < 0 || count == 0 || (rc = mproc__array_enter(object)) < 0) {
        return rc;
    }
    memmove(element_at(object, first), from, count * (size_t)array->element.size);
    mproc__array_leave(object);
    return rc;
}

/* ---- mproc_array ----------------------------------------------------------------------------- */

static int no_array(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the array is NULL", verb);
}

static int no_place(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: there is no place for the elements", verb);
}

static int create(mproc_array **ret_array, const struct mproc__element *element, size_t length,
                  const void *init, const mproc_array_options *options)
{
    struct mproc_object *object = NULL;
    int rc = mproc__array_create(MPROC__KIND_ARRAY, element, length, init, options, &object);
    if (rc >= 0) {
        *ret_array = MPROC__CONTAINER(object, mproc_array, object);
    }
    return rc;
}

int mproc_array_create(mproc_array **ret_array, char typecode, size_t length, const void *init,
                       const mproc_array_options *options)
{
    struct mproc__element element;
    if (ret_array == NULL) {
        return no_array("create");
    }
    int rc = mproc__element_of(typecode, &element);
    return rc < 0 ? rc : create(ret_array, &element, length, init, options);
}

int mproc_array_create_struct(mproc_array **ret_array, size_t element_size, size_t length,
                              const void *init, const mproc_array_options *options)
{
    struct mproc__element element;
    if (ret_array == NULL) {
        return no_array("create");
    }
    int rc = mproc__element_of_size(element_size, &element);
    return rc < 0 ? rc : create(ret_array, &element, length, init, options);
}

void *mproc_array_data(const mproc_array *array)
{
    return array != NULL ? mproc__array_data(&array->object) : NULL;
}

size_t mproc_array_length(const mproc_array *array)
{
    return array != NULL ? (size_t)mproc__array_of(&array->object)->length : 0;
}

size_t mproc_array_element_size(const mproc_array *array)
{
    return array != NULL ? (size_t)mproc__array_of(&array->object)->element.size : 0;
}

char mproc_array_typecode(const mproc_array *array)
{
    return array != NULL ? mproc__array_of(&array->object)->element.typecode : '\0';
}

int mproc_array_acquire(mproc_array *array, mproc_timeout timeout)
{
    return array != NULL ? mproc__array_acquire(&array->object, timeout) : no_array("acquire");
}

int mproc_array_release(mproc_array *array)
{
    return array != NULL ? mproc__array_release(&array->object) : no_array("release");
}

mproc_rlock *mproc_array_get_rlock(mproc_array *array)
{
    struct mproc_object *lock =
        array != NULL ? mproc__array_lock(&array->object, MPROC__KIND_RLOCK) : NULL;
    return lock != NULL ? MPROC__CONTAINER(lock, mproc_rlock, object) : NULL;
}

mproc_lock *mproc_array_get_lock(mproc_array *array)
{
    struct mproc_object *lock =
        array != NULL ? mproc__array_lock(&array->object, MPROC__KIND_LOCK) : NULL;
    return lock != NULL ? MPROC__CONTAINER(lock, mproc_lock, object) : NULL;
}

int mproc_array_get(const mproc_array *array, size_t index, void *ret_element)
{
    return mproc_array_get_slice(array, index, 1, ret_element);
}

int mproc_array_set(mproc_array *array, size_t index, const void *element)
{
    return mproc_array_set_slice(array, index, 1, element);
}

int mproc_array_get_slice(const mproc_array *array, size_t first, size_t count, void *ret_elements)
{
    if (array == NULL) {
        return no_array("get");
    }
    return ret_elements != NULL || count == 0
               ? mproc__array_read(&array->object, first, count, ret_elements)
               : no_place("get");
}

int mproc_array_set_slice(mproc_array *array, size_t first, size_t count, const void *elements)
{
    if (array == NULL) {
        return no_array("set");
    }
    return elements != NULL || count == 0
               ? mproc__array_write(&array->object, first, count, elements)
               : mproc__fail(MPROC_EINVAL, "set: there are no elements");
}

/** The place of one element for an atomic operation. */
static int find(const mproc_array *array, size_t index, const char *verb, void **ret_at)
{
    *ret_at = NULL;
    if (array == NULL) {
        return no_array(verb);
    }
    int rc = check_range(mproc__array_of(&array->object), verb, index, 1);
    if (rc >= 0) {
        *ret_at = element_at(&array->object, index);
    }
    return rc;
}

static const struct mproc__element *element_of(const mproc_array *array)
{
    return &mproc__array_of(&array->object)->element;
}

int mproc_array_atomic_load(const mproc_array *array, size_t index, int64_t *ret_number)
{
    void *at;
    if (ret_number == NULL) {
        return no_place("load");
    }
    int rc = find(array, index, "load", &at);
    return rc < 0 ? rc : mproc__element_load(element_of(array), at, ret_number);
}

int mproc_array_atomic_store(mproc_array *array, size_t index, int64_t number)
{
    void *at;
    int rc = find(array, index, "store", &at);
    return rc < 0 ? rc : mproc__element_store(element_of(array), at, number);
}

int mproc_array_atomic_add(mproc_array *array, size_t index, int64_t delta, int64_t *ret_old)
{
    void *at;
    int rc = find(array, index, "add", &at);
    return rc < 0 ? rc : mproc__element_add(element_of(array), at, delta, ret_old);
}

int mproc_array_atomic_compare_exchange(mproc_array *array, size_t index, int64_t *expected,
                                        int64_t desired)
{
    void *at;
    if (expected == NULL) {
        return no_place("compare_exchange");
    }
    int rc = find(array, index, "compare_exchange", &at);
    return rc < 0 ? rc : mproc__element_compare_exchange(element_of(array), at, expected, desired);
}
