/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alloc.h: this process's own memory; the library's only callers of malloc and free.
 *
 * Why  one door, so that tests can make the n-th allocation fail, for every n.
 */
#ifndef MPROC_BASE_ALLOC_H
#define MPROC_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/** Memory for mproc__free; NULL when there is none. Size 0 gives a pointer too. */
void *mproc__malloc(size_t size);

/** The same, zeroed, for `count` elements; NULL also when the product overflows. */
void *mproc__calloc(size_t count, size_t size);

/** Free memory of the two above; NULL is fine. */
void mproc__free(void *data);

/**
 * Test builds: the n-th allocation from now on fails, once, whichever thread makes it. 0: none. It
 * counts down, so what is left of it tells whether the failure has happened.
 */
#ifdef MPROC_KILLPOINTS
extern uint32_t mproc__alloc_fail_after;
#endif

#endif
