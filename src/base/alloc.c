/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alloc.c: malloc, calloc and free, and the point where tests make them fail.
 */
#include "base/alloc.h"

#include "base/atomic.h"

#include <stdbool.h>
#include <stdlib.h>

#ifdef MPROC_KILLPOINTS
uint32_t mproc__alloc_fail_after;

static bool is_to_fail(void)
{
    uint32_t left = mproc__load32_relaxed(&mproc__alloc_fail_after);
    while (left != 0) {
        if (mproc__cas32(&mproc__alloc_fail_after, &left, left - 1)) {
            return left == 1;
        }
    }
    return false;
}
#else
static bool is_to_fail(void)
{
    return false;
}
#endif

void *mproc__malloc(size_t size)
{
    return is_to_fail() ? NULL : malloc(size != 0 ? size : 1);
}

void *mproc__calloc(size_t count, size_t size)
{
    if (is_to_fail()) {
        return NULL;
    }
    return count != 0 && size != 0 ? calloc(count, size) : calloc(1, 1);
}

void mproc__free(void *data)
{
    free(data);
}
