/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload.h: arguments and results, written to a slot and read from it. See tasks.h for the rest.
 */
#ifndef MPROC_SERVICE_PAYLOAD_H
#define MPROC_SERVICE_PAYLOAD_H

#include "service/tasks.h"

/** How many arguments lie in a slot as they are. */
#define MPROC__PAYLOAD_SCALARS 6

/** Write a task's arguments; by its port. 0, MPROC_ENOMEM, MPROC_ENOSPC, MPROC_ETOOBIG, MPROC_EINVAL. */
int mproc__task_set_args(mproc__tasks *tasks, uint32_t index, const mproc_args *args);

/** The same of bytes as they are. */
int mproc__task_set_bytes(mproc__tasks *tasks, uint32_t index, const void *data, size_t size);

/** Write what killed the worker; by the supervisor. */
void mproc__task_set_death(mproc__tasks *tasks, uint32_t index,
                           const struct mproc__task_death *how);

/** Arguments that are SCALARS; how many. */
size_t mproc__payload_scalars(const mproc__payload *payload, mproc_value *ret_items);

/**
 * Make a value of a payload.
 *
 * @param borrow_bytes  strings and bytes may point into it
 * @return 0, MPROC_ENOMEM, MPROC_EMALFORMED or MPROC_ECORRUPT
 */
int mproc__payload_open(const mproc__payload *payload, bool borrow_bytes, mproc_value *ret_value);

#endif
