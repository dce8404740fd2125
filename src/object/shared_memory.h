/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_memory.h: what a handle of shared memory has in its own process: the mapping.
 */
#ifndef MPROC_OBJECT_SHARED_MEMORY_H
#define MPROC_OBJECT_SHARED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "family/object.h"
#include "mproc/shared_memory.h"

/**
 * Check a name that memory, or a lock, shall have on this system.
 *
 * @param what      what it is the name of
 * @param most      bytes it may have
 * @param ret_name  without the slash that Python's may begin with
 */
int mproc__segment_check_name(const char *verb, const char *what, const char *name, size_t most,
                              const char **ret_name);

/** Map what the object's block names. 0, MPROC_ENOENT (the name is gone), MPROC_ENOMEM ... */
int mproc__shared_memory_open_local(struct mproc_object *object);

/** Unmap it. Not held: in a copy made by the application's own fork(), where nobody else looks. */
void mproc__shared_memory_close_local(struct mproc_object *object, bool is_held);

#endif
