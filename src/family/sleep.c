/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sleep.c: see sleep.h.
 */
#include "family/sleep.h"

/* Who waits for an owner also watches its life, so a slice only bounds what double deaths cost. */
int64_t mproc__slice_ns = (int64_t)50 * 1000000;

int mproc__sleep(uint32_t *word, uint32_t expected, mproc__deadline deadline, mplat_life *owner)
{
    return mplat_wait(word, expected, mproc__deadline_slice(deadline, mproc__slice_ns), owner);
}
