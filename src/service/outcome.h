/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome.h: what became of the items of a chunk: results and errors, one after the other.
 *
 * Why       One worker writes them, perhaps another one goes on, and the caller reads them, without an
 *           allocation for each.
 * Layout    a value, as the codec writes it; or an error: a byte that begins no value, the item, the status,
 *           what its story is, and the story. An error's item may be further on than the last one's: those in
 *           between have ended well, and have no outcome.
 */
#ifndef MPROC_SERVICE_OUTCOME_H
#define MPROC_SERVICE_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "family/codec.h"
#include "mproc/value.h"

/** Where outcomes go. */
typedef struct mproc__outcomes {
    unsigned char *at;   /**< where the next one goes */
    unsigned char *end;  /**< of the memory */
    size_t objects_left; /**< how many objects it can hold besides */
    mproc__codec codec;
    /** Find other memory for one outcome, and set the fields above. NULL: there is none. */
    int (*make_room)(struct mproc__outcomes *outcomes, size_t size, size_t n_objects);
} mproc__outcomes;

/** Where an error's story comes from. */
enum mproc__story_kind {
    MPROC__STORY_TEXT = 0, /**< it is there */
    MPROC__STORY_DEATH     /**< in its place is a struct mproc__task_death */
};

/** An error of an item. */
typedef struct mproc__item_error {
    uint32_t item;
    int32_t status;
    enum mproc__story_kind kind;
    const void *story; /**< no NUL at its end, not aligned */
    size_t size;       /**< at most MPROC__STORY_MAX */
} mproc__item_error;

#define MPROC__STORY_MAX ((size_t)511)

/** Write a value. 0, what the codec does not take, or what make_room returns. */
int mproc__outcome_put(mproc__outcomes *outcomes, const mproc_value *value);

/** Write an error. 0, or what make_room returns. */
int mproc__outcome_put_error(mproc__outcomes *outcomes, const mproc__item_error *error);

/**
 * Read an error, if the next outcome is one.
 *
 * @param at  moved behind it
 * @return 1 it is; 0 it is a value, or the end; MPROC_EMALFORMED
 */
int mproc__outcome_read_error(const void **at, const void *end, mproc__item_error *ret_error);

#endif
