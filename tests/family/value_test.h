/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value_test.h: what the tests of values and of their encoding share.
 */
#ifndef TESTS_FAMILY_VALUE_TEST_H
#define TESTS_FAMILY_VALUE_TEST_H

#include "family/codec.h"
#include "mproc/arena.h"
#include "mproc/error.h"
#include "mproc/value.h"
#include "support/testlib.h"

#include <string.h>

/** Decode a copy of exactly this size, so that a sanitizer sees a read beyond it. */
static inline int decode(const mproc__codec *codec, const void *data, size_t size,
                         mproc_value *ret_value)
{
    void *copy = malloc(size != 0 ? size : 1);
    if (size != 0) {
        memcpy(copy, data, size);
    }
    int rc = mproc__codec_read(codec, copy, size, ret_value);
    free(copy);
    return rc;
}

/** How many blocks there are in the arena. */
static inline size_t live_blocks(void)
{
    mproc_arena_stats stats = {0};
    mproc_block *first = NULL;
    // The first block of a process brings some of the library's own, which stay.
    CU_ASSERT(mproc_block_create(&first, 1) == 0);
    mproc_block_close(first);
    CU_ASSERT(mproc_arena_get_stats(&stats) == 0);
    return stats.live_blocks;
}

#endif
