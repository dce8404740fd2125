/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks_part.h: steps of a task that its worker and the supervisor share.
 */
#ifndef MPROC_SERVICE_TASKS_PART_H
#define MPROC_SERVICE_TASKS_PART_H

#include "service/tasks.h"

/** What a state word becomes in another state, without a doom. */
uint64_t mproc__task_word(uint64_t old, enum mproc__task_state state);

/** Wake who sleeps on a slot, if its word was `old`. */
void mproc__task_wake(struct mproc__slot_shm *slot, uint64_t old);

/** Free a slot that is the caller's, with all that it holds. */
void mproc__task_free(mproc__tasks *tasks, uint32_t index);

/**
 * Let a task be DONE: its outcome has been written. An abandoned one is freed.
 *
 * @param is_late  although it is doomed; by the supervisor, or who does in its place what cannot die alone
 * @return false: it is doomed
 */
bool mproc__task_conclude(mproc__tasks *tasks, uint32_t index, bool is_late);

/** Let it be PENDING once more. 0, MPROC_ENOMEM or MPROC_ENOSPC: it is in no lane. */
int mproc__task_repost(mproc__tasks *tasks, uint32_t index);

/** Have it run again, if it may be; now or later. */
bool mproc__task_retry(mproc__tasks *tasks, uint32_t index, bool is_error);

#endif
