/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry.h: which function, in words that another process understands.
 *
 * A function is named by the module it lies in, told by its build, and its distance from the module's
 * base: nothing needs to be registered, static functions work, and address randomisation does not
 * matter. References of this kind are taken from members of the family only.
 */
#ifndef MPROC_FAMILY_ENTRY_H
#define MPROC_FAMILY_ENTRY_H

#include <stdint.h>

#include "platform.h"

typedef struct mproc__entry {
    mplat_module module; /**< base does not travel */
    uint64_t distance;   /**< of the function from the module's base */
} mproc__entry;

/** A function of any type; converted back before it is called. */
typedef void (*mproc__function)(void);

/** Name a function of this process. */
int mproc__entry_of(mproc__function function, mproc__entry *ret_entry);

/** Find the function in this process; MPROC_EBUILD or MPROC_ENOENT when it is not the same one. */
int mproc__entry_find(const mproc__entry *entry, mproc__function *ret_function);

#endif
