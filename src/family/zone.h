/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone.h: what a received or copied value points to, in one piece of memory.
 *
 * Made in two passes over the source: the first adds up what is needed, the second takes it. The
 * source may be memory that another process writes to meanwhile, so what one takes is bounded by the
 * zone, not by what the second pass reads.
 */
#ifndef MPROC_FAMILY_ZONE_H
#define MPROC_FAMILY_ZONE_H

#include <stddef.h>

#include "family/object.h"
#include "mproc/value.h"

/** How much a zone holds. */
typedef struct mproc__zone_needs {
    size_t values;  /**< items of lists; keys and values of maps */
    size_t objects; /**< handles that it closes */
    size_t bytes;   /**< of strings, with their NULs, and of bytes */
} mproc__zone_needs;

typedef struct mproc__zone mproc__zone;

/** Make a zone; NULL when nothing is needed. 0 or MPROC_ENOMEM. */
int mproc__zone_create(mproc__zone **ret_zone, const mproc__zone_needs *needs);

/** Close the objects and free all of it, or if others have it, too, leave it to them; NULL is fine. */
void mproc__zone_free(mproc__zone *zone);

/** One more has the zone and calls mproc__zone_free; by who has it and does not give it up meanwhile. */
void mproc__zone_share(mproc__zone *zone);

/**
 * Have a zone free, when it is freed, what a value owns, which then owns nothing: for a list whose items came one by
 * one. Values that share a zone are adopted one behind the other.
 */
void mproc__zone_adopt(mproc__zone *zone, mproc_value *value);

/** How many bytes are left to be taken. */
size_t mproc__zone_bytes_left(const mproc__zone *zone);

/** Room for `count` values, not initialised; NULL when there is not that much. */
mproc_value *mproc__zone_take_values(mproc__zone *zone, size_t count);

/** The same for bytes. */
char *mproc__zone_take_bytes(mproc__zone *zone, size_t size);

/** A place for a handle, which the zone then owns; NULL when there is none. */
struct mproc_object **mproc__zone_take_object(mproc__zone *zone);

#endif
