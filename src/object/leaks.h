/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leaks.h: with MPROC_LEAKS in the environment: handles that a process has not closed when it ends.
 *
 * What a process holds is given back when it ends, so a handle that nobody closes costs the family
 * nothing then; but as long as the process lives. This tells where such handles were opened. Handles
 * that were unpacked from arguments or are parts of others are the library's to close, and those that
 * a copy has from its original are that one's business.
 */
#ifndef MPROC_OBJECT_LEAKS_H
#define MPROC_OBJECT_LEAKS_H

#include <stdbool.h>

#include "base/env.h"
#include "family/object.h"

/** Where a handle was opened. */
struct mproc__trace;

/** Have the report made when this process exits, if it is wanted: as early as possible, once. */
void mproc__leaks_watch_exit(void);

/** See mproc__leaks_note. */
void mproc__leaks_note_slowly(struct mproc_object *object);

/** The program has opened a handle: note where, if that is wanted. For want of memory it is not. */
static inline void mproc__leaks_note(struct mproc_object *object)
{
    if (mproc__is_on(MPROC__SWITCH_LEAKS)) {
        mproc__leaks_note_slowly(object);
    }
}

/** See mproc__leaks_drop. */
void mproc__leaks_drop_slowly(struct mproc_object *object);

/** It closes the handle; or somebody else will. */
static inline void mproc__leaks_drop(struct mproc_object *object)
{
    if (object->trace != NULL) {
        mproc__leaks_drop_slowly(object);
    }
}

/** Print what is open to stderr, if that is wanted and anything is. */
void mproc__leaks_report(void);

#endif
