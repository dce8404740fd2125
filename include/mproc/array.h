/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/array.h: arrays that processes share: plain memory of one type, and a lock that goes with it.
 *
 * An array is an argument like any other: whoever unpacks it works on the same elements. Its memory is
 * plain memory, and a loop over it costs what a loop over any memory costs.
 *
 *     int numbers[] = {0, 1, 2, 3, 4};
 *     mproc_array *array;
 *     mproc_array_create(&array, 'i', 5, numbers, NULL);
 *     mproc_process_start(&child, work, MPROC_ARGS(array), NULL);
 *     ...
 *     int rc = mproc_array_acquire(array, MPROC_FOREVER);
 *     if (rc == MPROC_OWNER_DIED) { repair(); }
 *     int *data = mproc_array_data(array);
 *     data[0] += 1;
 *     mproc_array_release(array);
 *
 * Typecodes are those of Python, and mean what they mean there:
 *
 *     b B     signed char, unsigned char      8 bits
 *     h H     short, unsigned short          16 bits
 *     i I     int, unsigned                  32 bits
 *     q Q     long long, unsigned long long  64 bits
 *     l L     long, unsigned long            32 bits on Windows, 64 on other 64-bit systems
 *     f d     float, double                  32 and 64 bits
 *     ?       bool                            8 bits
 *     c       char                            8 bits, a character and no number
 *     u       wchar_t                        16 bits on Windows, else 32; likewise
 *
 * All but l, L and u have the same size everywhere: for an int32_t take i, for an int64_t q.
 */
#ifndef MPROC_ARRAY_H
#define MPROC_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/lock.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** An array of shared memory: this process's handle of it. */
typedef struct mproc_array mproc_array;

/** What guards an array; zero: a new rlock of its own, as in Python. At most one may be given. */
typedef struct mproc_array_options {
    mproc_lock *lock;   /**< this lock, which may guard other things too */
    mproc_rlock *rlock; /**< this rlock */
    bool is_raw;        /**< nothing. Python: RawArray, RawValue, or lock=False */
} mproc_array_options;

/**
 * Create an array of `length` elements.
 *
 * Python: multiprocessing.Array(typecode, size_or_initializer, lock=True), RawArray
 *
 * @param ret_array  the new array; close it with mproc_array_close
 * @param typecode   see above
 * @param length     0 is possible
 * @param init       `length` elements to copy; NULL: all are zero
 * @param options    NULL: all defaults. The array keeps its lock: the caller may close his handle
 * @return 0; MPROC_EINVAL (no such typecode; more than one lock); MPROC_ENOMEM (the system gives no
 *         more memory) or MPROC_ENOSPC (the arena's address range is used up). A success means that
 *         every element can be written
 * @owner  the caller, until mproc_array_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_array_create(mproc_array **ret_array, char typecode,
                                                 size_t length, const void *init,
                                                 const mproc_array_options *options);

/**
 * Create an array of any C type. As mproc_array_create.
 *
 *     mproc_array_create_struct(&array, sizeof(struct point), 100, NULL, NULL);
 *
 * Python: multiprocessing.Array(Point, 100), with Point a ctypes.Structure
 *
 * @param element_size  sizeof the type, at least 1. Pointers inside mean nothing to other processes
 */
MPROC_API MPROC_NODISCARD int mproc_array_create_struct(mproc_array **ret_array,
                                                        size_t element_size, size_t length,
                                                        const void *init,
                                                        const mproc_array_options *options);

/**
 * The elements, aligned to 64 bytes. The array's lock is the caller's business: an element that
 * others write meanwhile needs it, or the atomic functions below.
 *
 * Python: memoryview(array.get_obj())
 *
 * @return valid in this process until the array is closed; other processes have the same elements at
 *         other addresses. NULL for NULL
 */
MPROC_API void *mproc_array_data(const mproc_array *array);

/** The number of elements; 0 for NULL. Python: len(array). */
MPROC_API size_t mproc_array_length(const mproc_array *array);

/** The size of one element in bytes; 0 for NULL. */
MPROC_API size_t mproc_array_element_size(const mproc_array *array);

/** The typecode; 0 for an array of structs, and for NULL. */
MPROC_API char mproc_array_typecode(const mproc_array *array);

/**
 * Acquire the array's lock for the calling thread; an rlock also when the thread holds it already.
 *
 * Python: array.acquire(); as a with statement's beginning: `with array.get_lock():`
 *
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return as mproc_lock_acquire or mproc_rlock_acquire, MPROC_OWNER_DIED in particular: the last
 *         holder died in the middle of something; MPROC_ESTATE when the array has no lock
 * @blocking  spins for some microseconds, then sleeps
 * @safety any thread of any member process
 * @death  of the holder: the lock goes to who waits or comes next
 */
MPROC_API MPROC_NODISCARD int mproc_array_acquire(mproc_array *array, mproc_timeout timeout);

/** Release the array's lock. As mproc_lock_release or mproc_rlock_release. */
MPROC_API int mproc_array_release(mproc_array *array);

/**
 * The array's rlock, for what else can be done with one. Python: array.get_lock().
 *
 * @return the array's, closed with it; NULL when it has no rlock but a lock or none, when there is no
 *         memory for a handle, and for NULL
 * @safety any thread of any member process
 */
MPROC_API mproc_rlock *mproc_array_get_rlock(mproc_array *array);

/** The array's lock when it was given a mproc_lock. As mproc_array_get_rlock. */
MPROC_API mproc_lock *mproc_array_get_lock(mproc_array *array);

/**
 * Copy one element out of the array, or into it, with the array's lock held if there is one. A thread
 * that holds an rlock may call them. One that holds a mproc_lock waits for itself: it has
 * mproc_array_data.
 *
 * Python: array[index], array[index] = element
 *
 * @param index  from 0 to length - 1; none counts from the end
 * @return 0; MPROC_OWNER_DIED (done, but the last holder of the lock died with it: look at the array);
 *         MPROC_ERANGE (no such element, Python: IndexError); MPROC_EPOISONED and MPROC_ENOSPC as
 *         mproc_lock_acquire; MPROC_EINVAL for NULL. After MPROC_OWNER_DIED a strict lock is poisoned,
 *         until mproc_lock_consistent
 * @blocking  while others hold the lock
 * @safety any thread of any member process
 * @death  killed in the middle, an element may be half written: then the next to take the lock gets
 *         MPROC_OWNER_DIED
 */
MPROC_API MPROC_NODISCARD int mproc_array_get(const mproc_array *array, size_t index,
                                              void *ret_element);
MPROC_API MPROC_NODISCARD int mproc_array_set(mproc_array *array, size_t index,
                                              const void *element);

/**
 * Copy `count` elements from `first` on, as mproc_array_get and mproc_array_set copy one.
 *
 * Python: array[first:first + count]; but beyond the end is an error
 */
MPROC_API MPROC_NODISCARD int mproc_array_get_slice(const mproc_array *array, size_t first,
                                                    size_t count, void *ret_elements);
MPROC_API MPROC_NODISCARD int mproc_array_set_slice(mproc_array *array, size_t first, size_t count,
                                                    const void *elements);

/**
 * Read or write one integer in one step, without the lock: of arrays of i I l L q Q. In order with all
 * other atomic operations, as C's memory_order_seq_cst. They go together with each other, and not with
 * what others do under the lock.
 *
 * Of 64 unsigned bits the upper half is negative here: (int64_t)UINT64_MAX is -1.
 *
 * @return 0; MPROC_ERANGE (no such element, or a number that does not fit it); MPROC_ETYPE (other
 *         elements); MPROC_EINVAL for NULL
 * @blocking  never
 * @safety any thread of any member process; safe in signal handlers, unless it fails
 * @death  killed in it, it is done or not
 */
MPROC_API MPROC_NODISCARD int mproc_array_atomic_load(const mproc_array *array, size_t index,
                                                      int64_t *ret_number);
MPROC_API MPROC_NODISCARD int mproc_array_atomic_store(mproc_array *array, size_t index,
                                                       int64_t number);

/**
 * Add to one integer in one step; beyond its limits it wraps around. As mproc_array_atomic_load.
 *
 * @param ret_old  what it was before; may be NULL
 */
MPROC_API int mproc_array_atomic_add(mproc_array *array, size_t index, int64_t delta,
                                     int64_t *ret_old);

/**
 * Replace one integer in one step if it is what is expected. As mproc_array_atomic_load.
 *
 * @param expected  what it must be; when it is not, what it is instead
 * @return 1 replaced, 0 not, or a negative status
 */
MPROC_API MPROC_NODISCARD int mproc_array_atomic_compare_exchange(mproc_array *array, size_t index,
                                                                  int64_t *expected,
                                                                  int64_t desired);

/** Take one more hold on an array, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_array_attach(mproc_array **ret_array, const mproc_array *array);

/** Give up this process's hold on the array, as mproc_block_close; its lock stays as it is. */
MPROC_API void mproc_array_close(mproc_array *array);

MPROC_END_DECLS

#endif
