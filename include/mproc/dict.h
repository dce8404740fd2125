/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/dict.h: Python's dict in shared memory, for all processes of the family at once.
 *
 * Values are of any kind and size; also shared objects, such as a lock or another dict, which live as long
 * as they are in it. Keys are nil, booleans, integers, doubles, strings, bytes, and lists of these
 * (Python: tuples). Keys are the same when their types are and their bits: 1, 1.0 and true are three
 * keys (Python: one). Both are stored as copies: to change a value, set it again. Each call is atomic:
 * others see the dict before it or after it, also when the caller is killed in between.
 *
 *     mproc_dict *dict;
 *     mproc_dict_create(&dict);
 *     mproc_process_start(&child, work, MPROC_ARGS(dict), NULL);
 *     ...
 *     mproc_dict_set(dict, MPROC_VALUE("colour"), MPROC_VALUE("red"));
 *     mproc_dict_increment(dict, MPROC_VALUE("visits"), 1, NULL);
 *     mproc_value colour;
 *     if (mproc_dict_get(dict, MPROC_VALUE("colour"), &colour) == 0) {
 *         puts(colour.as.string.data);
 *         mproc_value_clear(&colour);
 *     }
 *
 * Items are in the order in which their keys came. A dict that contains itself, through others or not,
 * lives as long as the family.
 *
 * All calls but create and close may be made by any thread of any member process. They wait for others
 * that use the dict just now: some hundred nanoseconds each, longer when these copy much, or when one
 * that grows is given a larger table. When a process is killed in a call, the dict is as before it or as
 * after it; nobody is held up, and nothing is left behind. A call that fails has changed nothing.
 * Besides what each says, they return MPROC_EINVAL for NULL; those with a key, MPROC_ETYPE for one that
 * is none of the above (Python: TypeError) and MPROC_ETOOBIG for one of more than about 4,000 bytes;
 * those that store, MPROC_ENOMEM and MPROC_ENOSPC (the arena is full) and MPROC_ETOOBIG (nested deeper than
 * MPROC_VALUE_MAX_DEPTH - 1); those that read, MPROC_ENOMEM.
 */
#ifndef MPROC_DICT_H
#define MPROC_DICT_H

#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/** A dict in shared memory: this process's handle of it. */
typedef struct mproc_dict mproc_dict;

/**
 * Create an empty dict.
 *
 * Python: Manager().dict(), without the manager's process
 *
 * @return 0, MPROC_EINVAL, MPROC_ENOMEM or MPROC_ENOSPC
 * @owner  the caller, until mproc_dict_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_dict_create(mproc_dict **ret_dict);

/**
 * Set the value of a key, whether it is there or not.
 *
 * Python: dict[key] = value
 *
 * @param key,value  copied
 * @return 0, or see above
 */
MPROC_API int mproc_dict_set(mproc_dict *dict, mproc_value key, mproc_value value);

/**
 * Set many, all or none: nobody sees some of them. Of a key that repeats, the last one counts.
 *
 * Python: dict.update(map)
 *
 * @param map  of type MPROC_MAP; copied
 * @return 0; MPROC_ETYPE also when it is no map; or see above
 */
MPROC_API int mproc_dict_update(mproc_dict *dict, mproc_value map);

/**
 * Read the value of a key.
 *
 * Python: dict[key]
 *
 * @param ret_value  owns its data; free it with mproc_value_clear, which closes objects in it
 * @return 0; MPROC_ENOENT (Python: KeyError); or see above
 */
MPROC_API MPROC_NODISCARD int mproc_dict_get(const mproc_dict *dict, mproc_value key,
                                             mproc_value *ret_value);

/**
 * Read the values of many keys as they are at one instant: nil where there is none.
 *
 * Python: [dict.get(key) for key in keys]
 *
 * @param ret_list  a value of type MPROC_LIST with `count` items; free it with mproc_value_clear
 * @return 0, or see above
 */
MPROC_API MPROC_NODISCARD int mproc_dict_get_many(const mproc_dict *dict, const mproc_value *keys,
                                                  size_t count, mproc_value *ret_list);

/** Whether a key is there: 1 or 0; or see above. Python: key in dict */
MPROC_API int mproc_dict_contains(const mproc_dict *dict, mproc_value key);

/**
 * Read the value of a key; set it first if it is not there.
 *
 * Python: dict.setdefault(key, value)
 *
 * @param value      copied, if it is needed
 * @param ret_value  as mproc_dict_get; NULL: who cares
 * @return 1 when it was set, 0 when it was there; or see above
 */
MPROC_API int mproc_dict_setdefault(mproc_dict *dict, mproc_value key, mproc_value value,
                                    mproc_value *ret_value);

/**
 * Take a key out.
 *
 * Python: dict.pop(key); del dict[key] without ret_value
 *
 * @param ret_value  as mproc_dict_get; NULL: the value is dropped
 * @return 0; MPROC_ENOENT (Python: KeyError); or see above
 */
MPROC_API int mproc_dict_pop(mproc_dict *dict, mproc_value key, mproc_value *ret_value);

/**
 * Add to an integer; a key that is not there counts as 0.
 *
 * Python: dict[key] = dict.get(key, 0) + by, under a lock
 *
 * @param by         may be negative
 * @param ret_value  the sum; NULL: who cares
 * @return 0; MPROC_ETYPE (the value is no integer); MPROC_ERANGE (the sum does not fit an int64_t); or
 *         see above
 */
MPROC_API int mproc_dict_increment(mproc_dict *dict, mproc_value key, int64_t by,
                                   int64_t *ret_value);

/**
 * Set the value of a key if it is as expected: of the same type and bits, and objects the same ones.
 *
 * @return 1 when it was set, 0 when it is another one; MPROC_ENOENT (Python: KeyError); or see above
 */
MPROC_API int mproc_dict_compare_and_set(mproc_dict *dict, mproc_value key, mproc_value expected,
                                         mproc_value value);

/** How many keys it has; 0 for NULL. Python: len(dict) */
MPROC_API size_t mproc_dict_length(const mproc_dict *dict);

/** Drop all items; their memory goes back to the arena. Python: dict.clear() */
MPROC_API int mproc_dict_clear(mproc_dict *dict);

/**
 * Copy all items as they are at one instant, in their order.
 *
 * Python: dict.copy(); dict.items()
 *
 * @param ret_map  a value of type MPROC_MAP; free it with mproc_value_clear
 * @return 0, or see above
 */
MPROC_API MPROC_NODISCARD int mproc_dict_items(const mproc_dict *dict, mproc_value *ret_map);

/** Copy all keys as they are at one instant: a value of type MPROC_LIST. Python: list(dict) */
MPROC_API MPROC_NODISCARD int mproc_dict_keys(const mproc_dict *dict, mproc_value *ret_list);

/** Copy all values as they are at one instant: a value of type MPROC_LIST. Python: list(dict.values()) */
MPROC_API MPROC_NODISCARD int mproc_dict_values(const mproc_dict *dict, mproc_value *ret_list);

/** Take one more hold on a dict, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_dict_attach(mproc_dict **ret_dict, const mproc_dict *dict);

/** Give up this process's hold on the dict, as mproc_lock_close. The last one frees it and its items. */
MPROC_API void mproc_dict_close(mproc_dict *dict);

MPROC_END_DECLS

#endif
