/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_part.h: the parts of a MessagePack message one after the other, the first half of reading.
 *
 * A part is a value without its children: those of a list or map are the parts that follow.
 */
#ifndef MPROC_FAMILY_CODEC_PART_H
#define MPROC_FAMILY_CODEC_PART_H

#include <stdbool.h>
#include <stddef.h>

#include "mproc/value.h"

/** A message and the place in it. */
typedef struct mproc__parts {
    const unsigned char *start;
    const unsigned char *part; /**< the first byte of the part read last, for the sentences */
    const unsigned char *at;   /**< what is read next */
    const unsigned char *end;
    bool takes_objects; /**< else they are refused */
} mproc__parts;

/** Where the part that was read last begins. */
static inline size_t mproc__part_offset(const mproc__parts *in)
{
    return (size_t)(in->part - in->start);
}

/**
 * Read the next part. A string or bytes then point into the message; a list or map has its count, of
 * which each item is known to have at least a byte, but no children; an object has its reference in
 * as.uinteger. Nothing is owned.
 *
 * @return 0 or MPROC_EMALFORMED, also at the end
 */
int mproc__part_next(mproc__parts *in, mproc_value *ret_part);

/**
 * Read the next parts for as long as they are nil, booleans and numbers, which need no memory; at most `count`.
 *
 * @param ret_count  how many they are
 * @return 0 or MPROC_EMALFORMED
 */
int mproc__parts_plain(mproc__parts *in, mproc_value *ret_parts, size_t count, size_t *ret_count);

#endif
