/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.h: lists and maps alike, for those who walk values.
 *
 * The children of a list are its items, those of a map its keys and values in turn; which is also
 * how MessagePack has them on the wire, and mproc_pair in memory.
 */
#ifndef MPROC_FAMILY_VALUE_H
#define MPROC_FAMILY_VALUE_H

#include "mproc/value.h"

_Static_assert(sizeof(mproc_pair) == 2 * sizeof(mproc_value), "a map's children lie like a list's");

/** How many children a list or map has. */
static inline size_t mproc__value_n_children(const mproc_value *value)
{
    return value->type == MPROC_LIST ? value->as.list.count : 2 * value->as.map.count;
}

/** The children of a list or map. */
static inline const mproc_value *mproc__value_children(const mproc_value *value)
{
    return value->type == MPROC_LIST ? value->as.list.items
                                     : (const mproc_value *)(const void *)value->as.map.pairs;
}

/** Give a list or map its children, as many as its count says. */
static inline void mproc__value_adopt(mproc_value *value, const mproc_value *children)
{
    if (value->type == MPROC_LIST) {
        value->as.list.items = children;
    } else {
        value->as.map.pairs = (const mproc_pair *)(const void *)children;
    }
}

#endif
