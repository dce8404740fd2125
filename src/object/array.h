/* SPDX-License-Identifier: Apache-2.0 */
/*
 * array.h: what arrays and shared values have in common: a shared value is an array of one element.
 *
 * Layout  struct mproc__array_shm, then the elements. The lock is an object of its own, which the
 *         array's block holds: so it can be the caller's, and have a handle of its own.
 * Always  The head never changes. The elements are their users' business.
 * Death   The lock's next holder is told of one that died while it wrote elements.
 */
#ifndef MPROC_OBJECT_ARRAY_H
#define MPROC_OBJECT_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "family/object.h"
#include "mproc/array.h"
#include "object/element.h"

struct mproc__array_shm {
    struct mproc__element element;
    uint64_t length;
    uint64_t lock;      /**< reference of a lock or rlock; 0: none */
    uint32_t lock_kind; /**< which of them */
    uint32_t unused[7];
};
_Static_assert(sizeof(struct mproc__array_shm) == 64, "elements are aligned as the payload is");

static inline const struct mproc__array_shm *mproc__array_of(const struct mproc_object *object)
{
    return object->shm;
}

/** The elements. */
static inline void *mproc__array_data(const struct mproc_object *object)
{
    return (struct mproc__array_shm *)object->shm + 1;
}

/** Create an array, or a shared value; see mproc_array_create. */
int mproc__array_create(uint32_t kind, const struct mproc__element *element, size_t length,
                        const void *init, const mproc_array_options *options,
                        struct mproc_object **ret_object);

/** See mproc_array_acquire and mproc_array_release. */
int mproc__array_acquire(const struct mproc_object *object, mproc_timeout timeout);
int mproc__array_release(const struct mproc_object *object);

/** The same for a while, if there is a lock: then 0 or MPROC_OWNER_DIED means that it is held. */
int mproc__array_enter(const struct mproc_object *object);
void mproc__array_leave(const struct mproc_object *object);

/** The handle of its lock if it is of that kind; else NULL. */
struct mproc_object *mproc__array_lock(struct mproc_object *object, uint32_t kind);

/** See mproc_array_get_slice and mproc_array_set_slice. */
int mproc__array_read(const struct mproc_object *object, size_t first, size_t count, void *to);
int mproc__array_write(const struct mproc_object *object, size_t first, size_t count,
                       const void *from);

#endif
