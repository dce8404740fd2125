/* SPDX-License-Identifier: Apache-2.0 */
/*
 * element.h: what a typecode means: how large its elements are, and which numbers fit them.
 */
#ifndef MPROC_OBJECT_ELEMENT_H
#define MPROC_OBJECT_ELEMENT_H

#include <stddef.h>
#include <stdint.h>

/* mproc__element.traits */
#define MPROC__ELEMENT_INTEGER 1u
#define MPROC__ELEMENT_SIGNED 2u /* an integer that can be negative */
#define MPROC__ELEMENT_BOOL 4u   /* an integer that is 0 or 1 */
#define MPROC__ELEMENT_REAL 8u

/** A type of elements; of a struct all is zero but its size. */
struct mproc__element {
    uint64_t size; /**< bytes */
    char typecode;
    uint8_t traits;
    uint8_t unused[6];
};

/** The type of a typecode. 0 or MPROC_EINVAL. */
int mproc__element_of(char typecode, struct mproc__element *ret_element);

/** The type of structs of `size` bytes. 0 or MPROC_EINVAL. */
int mproc__element_of_size(size_t size, struct mproc__element *ret_element);

/** Read and write one number. 0, MPROC_ERANGE or MPROC_ETYPE; see mproc_shared_value_get_int. */
int mproc__element_get_int(const struct mproc__element *element, const void *at,
                           int64_t *ret_number);
int mproc__element_set_int(const struct mproc__element *element, void *at, int64_t number);
int mproc__element_get_double(const struct mproc__element *element, const void *at,
                              double *ret_number);
int mproc__element_set_double(const struct mproc__element *element, void *at, double number);

/** The same in one step; see mproc_array_atomic_load and the following. `at` is aligned. */
int mproc__element_load(const struct mproc__element *element, const void *at, int64_t *ret_number);
int mproc__element_store(const struct mproc__element *element, void *at, int64_t number);
int mproc__element_add(const struct mproc__element *element, void *at, int64_t delta,
                       int64_t *ret_old);
int mproc__element_compare_exchange(const struct mproc__element *element, void *at,
                                    int64_t *expected, int64_t desired);

#endif
