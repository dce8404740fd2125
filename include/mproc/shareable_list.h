/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/shareable_list.h: a list of plain values that all processes of the family see.
 *
 * Its length is fixed; its items can change, also their types. Whoever reads an item gets it whole: as
 * it was before a change or after it, whoever is killed in between.
 *
 *     mproc_shareable_list *list;
 *     mproc_shareable_list_create(&list, MPROC_VALUES("Alice", 42, 1.5), 3, NULL);
 *     mproc_process_start(&child, work, MPROC_ARGS(list), NULL);
 *     ...
 *     mproc_shareable_list_set(list, 1, MPROC_VALUE(43));
 */
#ifndef MPROC_SHAREABLE_LIST_H
#define MPROC_SHAREABLE_LIST_H

#include <stddef.h>

#include "mproc/export.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/** A list of plain values: this process's handle of it. */
typedef struct mproc_shareable_list mproc_shareable_list;

/** What is special about a list; zero: nothing. */
typedef struct mproc_shareable_list_options {
    /** Bytes of strings and bytes that each slot can hold at least; 0: its first value. */
    size_t slot_bytes;
} mproc_shareable_list_options;

/**
 * Create a list of these values.
 *
 * Python: ShareableList(sequence). It has no name; it is an argument as all objects are. NULs at the end
 * of strings and bytes are kept.
 *
 * @param values   copied: nil, booleans, integers, doubles, strings and bytes; NULL if count is 0
 * @param options  NULL: all defaults
 * @return 0; MPROC_ETYPE (a list, map or object is among them); MPROC_EINVAL; MPROC_ENOMEM; MPROC_ENOSPC
 * @owner  the caller, until mproc_shareable_list_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_shareable_list_create(
    mproc_shareable_list **ret_list, const mproc_value *values, size_t count,
    const mproc_shareable_list_options *options);

/**
 * Read an item.
 *
 * Python: list[index]
 *
 * @param ret_value  owns its data; free it with mproc_value_clear
 * @return 0; MPROC_ERANGE (Python: IndexError); MPROC_ENOMEM; MPROC_EINVAL for NULL
 * @blocking  takes no lock, unless others change the list all the while
 * @safety any thread of any member process
 * @death  of who is just changing it: the item is as it was before
 */
MPROC_API MPROC_NODISCARD int mproc_shareable_list_get(const mproc_shareable_list *list,
                                                       size_t index, mproc_value *ret_value);

/**
 * Change an item, its type too.
 *
 * Python: list[index] = value
 *
 * @param value  copied; its owner stays the caller
 * @return 0; MPROC_ERANGE (Python: IndexError); MPROC_ETOOBIG (longer than the slot's capacity; Python:
 *         ValueError); MPROC_ETYPE (a list, map or object); MPROC_EINVAL for NULL. Nothing has changed
 *         then.
 * @blocking  waits for others who are changing the list: some hundred nanoseconds each
 * @safety any thread of any member process
 * @death  killed in it, the item has changed or not; nobody is held up
 */
MPROC_API int mproc_shareable_list_set(mproc_shareable_list *list, size_t index, mproc_value value);

/** How many items it has; 0 for NULL. Python: len(list) */
MPROC_API size_t mproc_shareable_list_length(const mproc_shareable_list *list);

/** Bytes that a string or bytes in this slot can have; 0 where there is none. */
MPROC_API size_t mproc_shareable_list_capacity(const mproc_shareable_list *list, size_t index);

/**
 * Count the items that equal a value, as mproc_value_equal has it: 1 does not equal 1.0.
 *
 * Python: list.count(value)
 *
 * @return 0, MPROC_EINVAL or MPROC_ENOMEM
 */
MPROC_API MPROC_NODISCARD int mproc_shareable_list_count(const mproc_shareable_list *list,
                                                         mproc_value value, size_t *ret_count);

/**
 * Find the first item that equals a value.
 *
 * Python: list.index(value)
 *
 * @return 0; MPROC_ENOENT (Python: ValueError); MPROC_EINVAL or MPROC_ENOMEM
 */
MPROC_API MPROC_NODISCARD int mproc_shareable_list_index(const mproc_shareable_list *list,
                                                         mproc_value value, size_t *ret_index);

/** Take one more hold on a list, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_shareable_list_attach(mproc_shareable_list **ret_list,
                                                          const mproc_shareable_list *list);

/** Give up this process's hold on the list, as mproc_lock_close. */
MPROC_API void mproc_shareable_list_close(mproc_shareable_list *list);

MPROC_END_DECLS

#endif
