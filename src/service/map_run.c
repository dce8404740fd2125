/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map_run.c: what a worker does with the maps' tasks.
 */
#include "base/status.h"
#include "service/chunk.h"

#include <string.h>

/* The last worker's death, if there was one, is charged first: see note_death in tasks_bury.c. */
static int enter(const mproc__run *run, mproc__chunk_run *chunk)
{
    struct mproc__slot_shm *slot = run->slot;
    const uint64_t block = mproc__task_parcel(run->tasks, run->index, MPROC__PARCEL_ARGS);
    if (!mproc__block_is(block, MPROC__KIND_PARCEL)) {
        return mproc__fail(MPROC_ECORRUPT, "a task of a map has no items");
    }
    if ((slot->result & MPROC__FORM_MASK) == MPROC__FORM_DEATH) {
        struct mproc__task_death death;
        memcpy(&death, slot->result_small, sizeof(death));
        mproc__chunk_bury(block, slot->status < 0 ? slot->status : MPROC_EWORKERDIED, &death);
        slot->result = MPROC__FORM_NONE;
    }
    return mproc__chunk_enter(chunk, block, &slot->state);
}

int mproc__run_values(mproc__run *run)
{
    mproc__chunk_run chunk;
    int rc = enter(run, &chunk);
    return rc < 0 ? rc : mproc__chunk_run_values(&chunk, (mproc_task_fn)run->function);
}

int mproc__run_array(mproc__run *run)
{
    mproc__chunk_run chunk;
    int rc = enter(run, &chunk);
    return rc < 0 ? rc : mproc__chunk_run_array(&chunk, run->function);
}

int mproc__run_range(mproc__run *run)
{
    mproc__chunk_run chunk;
    int rc = enter(run, &chunk);
    return rc < 0 ? rc : mproc__chunk_run_range(&chunk, run->function);
}
