/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/shared_value.h: single values that processes share.
 *
 * A shared value is an array of one element, see mproc/array.h: plain memory of one type, and a lock
 * that goes with it. (A mproc_value is something else: a copy of anything, on its way.)
 *
 *     mproc_shared_value *counter;
 *     mproc_shared_value_create(&counter, 'i', NULL, NULL);
 *     mproc_process_start(&child, work, MPROC_ARGS(counter), NULL);
 *     ...
 *     int rc = mproc_shared_value_acquire(counter, MPROC_FOREVER);
 *     if (rc >= 0) {
 *         *(int *)mproc_shared_value_data(counter) += 1;
 *         mproc_shared_value_release(counter);
 *     }
 *
 * Or in one step, without the lock: mproc_shared_value_atomic_add(counter, 1, NULL).
 */
#ifndef MPROC_SHARED_VALUE_H
#define MPROC_SHARED_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "mproc/array.h"
#include "mproc/export.h"
#include "mproc/lock.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** A value in shared memory: this process's handle of it. */
typedef struct mproc_shared_value mproc_shared_value;

/** What guards a value: the same as with arrays. */
typedef mproc_array_options mproc_shared_value_options;

/**
 * Create a shared value.
 *
 * Python: multiprocessing.Value(typecode, init, lock=True), RawValue
 *
 * @param ret_value  the new value; close it with mproc_shared_value_close
 * @param typecode   see mproc/array.h
 * @param init       points to what it is at first, of the typecode's type; NULL: zero
 * @param options    NULL: all defaults
 * @return as mproc_array_create
 * @owner  the caller, until mproc_shared_value_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_shared_value_create(mproc_shared_value **ret_value,
                                                        char typecode, const void *init,
                                                        const mproc_shared_value_options *options);

/**
 * Create a shared value of any C type of `size` bytes. As mproc_shared_value_create.
 *
 * Python: multiprocessing.Value(Point, 1.5, -2.5), with Point a ctypes.Structure
 */
MPROC_API MPROC_NODISCARD int mproc_shared_value_create_struct(
    mproc_shared_value **ret_value, size_t size, const void *init,
    const mproc_shared_value_options *options);

/** The value's memory. Python: value.get_obj(). As mproc_array_data. */
MPROC_API void *mproc_shared_value_data(const mproc_shared_value *value);

/** Its size in bytes; 0 for NULL. */
MPROC_API size_t mproc_shared_value_size(const mproc_shared_value *value);

/** The typecode; 0 for a struct, and for NULL. */
MPROC_API char mproc_shared_value_typecode(const mproc_shared_value *value);

/** Acquire the value's lock. Python: `with value.get_lock():`. As mproc_array_acquire. */
MPROC_API MPROC_NODISCARD int mproc_shared_value_acquire(mproc_shared_value *value,
                                                         mproc_timeout timeout);

/** Release it. As mproc_array_release. */
MPROC_API int mproc_shared_value_release(mproc_shared_value *value);

/** The value's rlock. Python: value.get_lock(). As mproc_array_get_rlock. */
MPROC_API mproc_rlock *mproc_shared_value_get_rlock(mproc_shared_value *value);

/** The value's lock when it was given a mproc_lock. As mproc_array_get_lock. */
MPROC_API mproc_lock *mproc_shared_value_get_lock(mproc_shared_value *value);

/**
 * Copy the value, whatever it is, out of shared memory or into it, with its lock held if there is
 * one. As mproc_array_get and mproc_array_set.
 */
MPROC_API MPROC_NODISCARD int mproc_shared_value_get(const mproc_shared_value *value, void *ret_x);
MPROC_API MPROC_NODISCARD int mproc_shared_value_set(mproc_shared_value *value, const void *x);

/**
 * Read or write an integer: a value of b B h H i I l L q Q or ?, which is 0 or 1. With the lock held
 * if there is one; so each of them is whole, but between a get and a set others may come.
 *
 * Python: value.value, value.value = number
 *
 * @return 0; MPROC_OWNER_DIED (done; see mproc_array_get); MPROC_ERANGE (a number that does not fit
 *         where it is to go); MPROC_ETYPE (other values); else as mproc_array_get
 * @blocking  while others hold the lock
 * @safety any thread of any member process
 * @death  as mproc_array_get
 */
MPROC_API MPROC_NODISCARD int mproc_shared_value_get_int(const mproc_shared_value *value,
                                                         int64_t *ret_number);
MPROC_API MPROC_NODISCARD int mproc_shared_value_set_int(mproc_shared_value *value, int64_t number);

/**
 * Read or write a floating-point number: a value of f or d. As mproc_shared_value_get_int; a finite
 * number beyond those of a float is MPROC_ERANGE, others are rounded.
 */
MPROC_API MPROC_NODISCARD int mproc_shared_value_get_double(const mproc_shared_value *value,
                                                            double *ret_number);
MPROC_API MPROC_NODISCARD int mproc_shared_value_set_double(mproc_shared_value *value,
                                                            double number);

/** Atomic operations on a value of i I l L q Q, without the lock. As mproc_array_atomic_load. */
MPROC_API MPROC_NODISCARD int mproc_shared_value_atomic_load(const mproc_shared_value *value,
                                                             int64_t *ret_number);
MPROC_API MPROC_NODISCARD int mproc_shared_value_atomic_store(mproc_shared_value *value,
                                                              int64_t number);

/** As mproc_array_atomic_add. */
MPROC_API int mproc_shared_value_atomic_add(mproc_shared_value *value, int64_t delta,
                                            int64_t *ret_old);

/** As mproc_array_atomic_compare_exchange: 1 replaced, 0 not. */
MPROC_API MPROC_NODISCARD int mproc_shared_value_atomic_compare_exchange(mproc_shared_value *value,
                                                                         int64_t *expected,
                                                                         int64_t desired);

/** Take one more hold on a value, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_shared_value_attach(mproc_shared_value **ret_shared_value,
                                                        const mproc_shared_value *shared_value);

/** Give up this process's hold on the value, as mproc_block_close; its lock stays as it is. */
MPROC_API void mproc_shared_value_close(mproc_shared_value *shared_value);

MPROC_END_DECLS

#endif
