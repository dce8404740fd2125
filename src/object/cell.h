/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cell.h: values in a container's memory: a cell is one word that has the value or says where it is.
 *
 * A value lies there as MessagePack. Up to seven bytes of it fit the cell, as most integers and short
 * strings do; more go to a record; large values and those with shared objects to an envelope, which
 * holds the objects. Offsets are multiples of 16, which leaves the low bits for a tag.
 */
#ifndef MPROC_OBJECT_CELL_H
#define MPROC_OBJECT_CELL_H

#include "mproc/value.h"
#include "object/store.h"

/** nil: one byte in the cell itself. */
#define MPROC__CELL_NIL ((uint64_t)0xc003)

/** What fits a record; also what is copied, not held, while it is read. */
#define MPROC__CELL_PLAIN_MAX 1008u

/** A value that is to go into a container; borrowed from the caller. */
typedef struct mproc__draft {
    const mproc_value *value;
    size_t size;       /**< of its MessagePack */
    uint64_t envelope; /**< it lies there already; 0: in none */
} mproc__draft;

/** Some of them. */
typedef struct mproc__drafts {
    mproc__draft *draft; /**< `one`, or private memory */
    mproc__draft one;
    mproc__chain chain; /**< envelopes that nobody else has yet */
} mproc__drafts;

/**
 * Check values, of which every stride-th one counts, and make envelopes for those that need one. Without
 * the container's mutex, since that may take long.
 *
 * @return 0; what mproc__codec_size returns; MPROC_ENOMEM; MPROC_ENOSPC
 */
int mproc__drafts_make(mproc__drafts *drafts, const mproc_value *values, size_t count,
                       size_t stride);
void mproc__drafts_end(mproc__drafts *drafts);

/** The size of one value's MessagePack, and how many objects it holds; checks it. */
int mproc__value_size(const mproc_value *value, size_t *ret_size, size_t *ret_objects);

/** Write a checked value's MessagePack for comparison: objects are not held by it. */
void mproc__value_write(const mproc_value *value, void *out);

/** Put a value into the store: its cell. An envelope is the store's if the edit adopts its chain. */
int mproc__cell_make(mproc__edit *edit, const mproc__draft *draft, uint64_t *ret_cell);

/** Let a cell's record or envelope go. */
void mproc__cell_drop(mproc__edit *edit, uint64_t cell);

/** A cell's MessagePack. The mutex is held, or the value. `room` is for what lies in the cell itself. */
mproc_bytes mproc__cell_bytes(uint64_t cell, unsigned char room[8]);

/** Whether the value holds shared objects; then it can be read only while it is held. */
bool mproc__cell_has_objects(uint64_t cell);

/** A value on its way to the caller: a copy of it, or a hold on its envelope. */
typedef struct mproc__reading {
    size_t size;
    mproc__hold hold; /**< offset 0: none */
    unsigned char bytes[MPROC__CELL_PLAIN_MAX];
} mproc__reading;

/** With the mutex, and then, with or without it, make the value; also after the cell has gone. */
int mproc__reading_begin(mproc__reading *reading, uint64_t cell);
int mproc__reading_end(mproc__reading *reading, mproc_value *ret_value);

/** Read MessagePack from a store. The objects in it are held by somebody meanwhile. */
int mproc__value_read(const void *data, size_t size, mproc_value *ret_value);

/** Many values on their way to the caller, as one list or map. */
typedef struct mproc__snapshot {
    mproc_type type; /**< MPROC_LIST or MPROC_MAP */
    size_t count;    /**< of items or pairs */
    size_t size;
    unsigned char *data, *at;
    bool has_objects;
} mproc__snapshot;

/** With the mutex: first all that is to go in is added up, ... */
void mproc__snapshot_measure(mproc__snapshot *snapshot, uint64_t cell);

/** ... then there is memory for it, and all of it is copied. */
int mproc__snapshot_begin(mproc__snapshot *snapshot);
void mproc__snapshot_copy(mproc__snapshot *snapshot, const void *data, size_t size);
void mproc__snapshot_copy_cell(mproc__snapshot *snapshot, uint64_t cell);

/** All of these for `count` cells that lie side by side. */
int mproc__snapshot_take(mproc__snapshot *snapshot, const uint64_t *cells);

/** Make the value; frees the memory, once. With the mutex if there are objects in it. */
int mproc__snapshot_end(mproc__snapshot *snapshot, mproc_value *ret_value);

#endif
