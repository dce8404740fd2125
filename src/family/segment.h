/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment.h: what the family knows of a segment, memory that has a name outside of the arena.
 *
 * Why       Its name may have to go when the family's last hold on it is gone; then nobody may be left
 *           who had it open. So whoever frees the block sees to that.
 * Layout    struct mproc__segment_shm is the payload of a block of kind SHARED_MEMORY.
 * Locks     none: all but `flags` is constant once somebody else can see it
 * Death     The name is written down before there is a segment; removing it twice does no harm.
 */
#ifndef MPROC_FAMILY_SEGMENT_H
#define MPROC_FAMILY_SEGMENT_H

#include <stdint.h>

#include "platform.h"

struct mproc__segment_shm {
    uint64_t id;
    uint32_t never; /**< never changes: to wait on, where there is nothing to be woken by */
    uint32_t flags; /**< MPLAT_SEGMENT_..., AUTO also as long as that is not known */
    char name[MPLAT_SEGMENT_NAME];
};

/** Nobody in the family holds it any more. */
static inline void mproc__segment_end(const struct mproc__segment_shm *segment)
{
    if ((segment->flags & MPLAT_SEGMENT_AUTO) != 0) {
        mplat_segment_reap(segment->name);
    }
}

#endif
