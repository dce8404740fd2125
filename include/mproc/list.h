/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/list.h: Python's list in shared memory, for all processes of the family at once.
 *
 * Its items are values of any kind and size; also shared objects, such as a lock or another list, which
 * live as long as they are in it. An item is stored as a copy: to change it, set it again. Each call is
 * atomic: others see the list before it or after it, also when the caller is killed in between.
 *
 *     mproc_list *jobs;
 *     mproc_list_create(&jobs);
 *     mproc_list_append(jobs, MPROC_VALUE("paint"), NULL);
 *     mproc_process_start(&child, work, MPROC_ARGS(jobs), NULL);
 *     ...
 *     mproc_value job;
 *     mproc_list_pop(jobs, 0, &job);
 *     mproc_value_clear(&job);
 *
 * An index is Python's: 0 is the first item, -1 the last one. A list that contains itself, through
 * others or not, lives as long as the family.
 *
 * All calls but create and close may be made by any thread of any member process. They wait for others
 * that use the list just now: some hundred nanoseconds each, longer when these copy much. When a process
 * is killed in a call, the list is as before it or as after it; nobody is held up, and nothing is left
 * behind. A call that fails has changed nothing. Besides what each says, they return MPROC_EINVAL for
 * NULL; those that store, MPROC_ENOMEM and MPROC_ENOSPC (the arena is full), MPROC_ETOOBIG (nested deeper than
 * MPROC_VALUE_MAX_DEPTH - 1); those that read, MPROC_ENOMEM.
 */
#ifndef MPROC_LIST_H
#define MPROC_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/** A list in shared memory: this process's handle of it. */
typedef struct mproc_list mproc_list;

/** Beyond any list's end, for mproc_list_slice. */
#define MPROC_LIST_END INT64_MAX

/**
 * Create an empty list.
 *
 * Python: Manager().list(), without the manager's process
 *
 * @return 0, MPROC_EINVAL, MPROC_ENOMEM or MPROC_ENOSPC
 * @owner  the caller, until mproc_list_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_list_create(mproc_list **ret_list);

/**
 * Append an item.
 *
 * Python: list.append(value)
 *
 * @param value       copied
 * @param ret_length  how long the list was then, with the item; NULL: who cares
 * @return 0, or see above
 */
MPROC_API int mproc_list_append(mproc_list *list, mproc_value value, size_t *ret_length);

/**
 * Append many items, all or none; nobody sees some of them.
 *
 * Python: list.extend(values)
 *
 * @param values,count  copied
 * @param ret_length    how long the list was then; NULL: who cares
 * @return 0, or see above
 */
MPROC_API int mproc_list_extend(mproc_list *list, const mproc_value *values, size_t count,
                                size_t *ret_length);

/**
 * Insert an item before another one. At both ends that is cheap; in the middle all are copied.
 *
 * Python: list.insert(index, value); an index beyond an end is that end
 *
 * @return 0, or see above
 */
MPROC_API int mproc_list_insert(mproc_list *list, int64_t index, mproc_value value);

/**
 * Read an item.
 *
 * Python: list[index]
 *
 * @param ret_value  owns its data; free it with mproc_value_clear, which closes objects in it
 * @return 0; MPROC_ERANGE (Python: IndexError); or see above
 */
MPROC_API MPROC_NODISCARD int mproc_list_get(const mproc_list *list, int64_t index,
                                             mproc_value *ret_value);

/**
 * Change an item.
 *
 * Python: list[index] = value
 *
 * @param value  copied
 * @return 0; MPROC_ERANGE (Python: IndexError); or see above
 */
MPROC_API int mproc_list_set(mproc_list *list, int64_t index, mproc_value value);

/**
 * Take an item out. At both ends that is cheap; in the middle all are copied.
 *
 * Python: list.pop(index); deque.popleft() with index 0; del list[index] without ret_value
 *
 * @param index      -1 for the last one, as Python has it without an index
 * @param ret_value  as mproc_list_get; NULL: the item is dropped
 * @return 0; MPROC_ERANGE (Python: IndexError); or see above
 */
MPROC_API int mproc_list_pop(mproc_list *list, int64_t index, mproc_value *ret_value);

/** How many items it has; 0 for NULL. Python: len(list) */
MPROC_API size_t mproc_list_length(const mproc_list *list);

/** Drop all items; their memory goes back to the arena. Python: list.clear() */
MPROC_API int mproc_list_clear(mproc_list *list);

/**
 * Copy the items [start, stop) as they are at one instant.
 *
 * Python: list[start:stop]; beyond the ends there are no items
 *
 * @param start,stop  0 and MPROC_LIST_END for all
 * @param ret_list    a value of type MPROC_LIST; free it with mproc_value_clear
 * @return 0, or see above
 */
MPROC_API MPROC_NODISCARD int mproc_list_slice(const mproc_list *list, int64_t start, int64_t stop,
                                               mproc_value *ret_list);

/** Take one more hold on a list, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_list_attach(mproc_list **ret_list, const mproc_list *list);

/** Give up this process's hold on the list, as mproc_lock_close. The last one frees it and its items. */
MPROC_API void mproc_list_close(mproc_list *list);

MPROC_END_DECLS

#endif
