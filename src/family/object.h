/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object.h: what all shared objects' handles have in common.
 *
 * An object's public handle (mproc_block, in time mproc_lock ...) is private memory of one process
 * and begins with a struct mproc_object. Its reference is the offset of its block in the arena: a
 * plain integer that any value can carry.
 */
#ifndef MPROC_FAMILY_OBJECT_H
#define MPROC_FAMILY_OBJECT_H

#include <stdint.h>

#include "mproc/value.h"

/** What a block of the arena is; part of its header, so that a reference can be checked. */
enum mproc__kind {
    MPROC__KIND_LEDGER = 1, /**< private: a segment of a member's ledger */
    MPROC__KIND_START = 2,  /**< private: what a starting process needs to know */
    MPROC__KIND_TEST = 3,   /**< private: made by tests */
    MPROC__KIND_BLOCK = 16  /**< from here on public objects: mproc_block */
};

/** The head of every object's handle. */
struct mproc_object {
    uint32_t kind;   /**< enum mproc__kind */
    uint32_t ledger; /**< the entry of this process's ledger that records the hold */
    uint64_t offset; /**< of the object's block */
    uint32_t epoch;  /**< whose ledger that is: a copy of the process must not give it back */
};

/**
 * Take a hold on the object at `offset` for a handle of its own.
 *
 * @return 0, MPROC_ECORRUPT (no object there) or MPROC_ENOMEM
 */
int mproc__object_attach(uint64_t offset, struct mproc_object **ret_object);

/** Close any object's handle; NULL is fine. */
void mproc__object_close(struct mproc_object *object);

/** Make a handle's head of a hold that was just taken. */
struct mproc__hold;
struct mproc_object mproc__object_init(uint32_t kind, const struct mproc__hold *hold);

/** Give a handle's hold back, unless it is another process's. */
void mproc__object_fini(const struct mproc_object *object);

#endif
