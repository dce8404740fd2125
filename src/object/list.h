/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.h: the structure of mproc_list: an array of cells in the container's table, with room at both ends.
 *
 * Always    L1  cells [first, first + count) of the table are the items; the others are nobody's
 * How       Items are put in and taken out at an end by moving that end, anywhere else by a new table.
 *           So what is written before the commit is never an item.
 * Locks, Commit, Death: the store's, see store.h
 */
#ifndef MPROC_OBJECT_LIST_H
#define MPROC_OBJECT_LIST_H

#include "mproc/list.h"
#include "object/cell.h"
#include "object/store.h"

struct mproc__list_shm {
    struct mproc__store_shm store;
    uint64_t table; /**< offset of the cells; 0: there are none */
    uint64_t capacity;
    uint64_t first;
    uint64_t count; /**< anybody may read it */
};

#endif
