/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/value.h: values, what arguments, items and results are made of.
 *
 * A value is nil, a boolean, an integer, a double, a string, bytes, a list, a map, or a shared
 * object of the family. MPROC_VALUE(x) makes one of a C variable by its type; MPROC_ARGS(a, b, c)
 * makes arguments; MPROC_UNPACK(args, &a, &b, &c) takes them apart again and checks number and
 * types. Their wire form is MessagePack.
 *
 * Borrowing: a value that was made by MPROC_VALUE and its relatives points to the caller's data and
 * owns nothing. A value that a call returned owns what it points to, until mproc_value_clear.
 */
#ifndef MPROC_VALUE_H
#define MPROC_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/arena.h"
#include "mproc/export.h"

MPROC_BEGIN_DECLS

/** What a value is. */
typedef enum mproc_type {
    MPROC_NIL = 0,
    MPROC_BOOL,
    MPROC_INT,  /**< fits int64_t */
    MPROC_UINT, /**< above INT64_MAX only; smaller ones are MPROC_INT */
    MPROC_DOUBLE,
    MPROC_STRING, /**< bytes that end with a NUL not counted in size; UTF-8 by convention */
    MPROC_BYTES,
    MPROC_LIST,
    MPROC_MAP,
    MPROC_OBJECT /**< a shared object: block, and in time lock, queue and so on */
} mproc_type;

typedef struct mproc_value mproc_value;
typedef struct mproc_pair mproc_pair;

/** Any shared object; the first member of every object's handle. */
typedef struct mproc_object mproc_object;

/** Bytes of somebody else's. */
typedef struct mproc_bytes {
    const void *data;
    size_t size;
} mproc_bytes;

/** Bytes for MPROC_ARGS and its relatives, where the commas of a literal would part arguments. */
static inline mproc_bytes mproc_bytes_of(const void *data, size_t size)
{
    mproc_bytes bytes;
    bytes.data = data;
    bytes.size = size;
    return bytes;
}

/** One value. Read it through `type` and the member of `as` that goes with it. */
struct mproc_value {
    mproc_type type;
    union {
        bool boolean;
        int64_t integer;
        uint64_t uinteger;
        double real;
        struct {
            const char *data;
            size_t size;
        } string;
        mproc_bytes bytes;
        struct {
            const mproc_value *items;
            size_t count;
        } list;
        struct {
            const mproc_pair *pairs; /**< in the order they were given; keys may repeat */
            size_t count;
        } map;
        mproc_object *object;
    } as;
    void *owned; /**< private: what mproc_value_clear frees; NULL when borrowed */
};

/** One entry of a map. */
struct mproc_pair {
    mproc_value key;
    mproc_value value;
};

/** Arguments of a function: a list of values. */
typedef struct mproc_args {
    size_t count;
    const mproc_value *items;
} mproc_args;

/** How deep lists and maps may be nested. */
#define MPROC_VALUE_MAX_DEPTH 64

/**
 * Name a type, e.g. "string".
 *
 * @return a static string, never NULL
 */
MPROC_API const char *mproc_type_name(mproc_type type);

/**
 * Copy a value with all it points to, in one piece of memory. Objects in it are attached once more.
 *
 * @param ret_copy  owns its data; free it with mproc_value_clear. May be `value` itself, which then
 *                  must be borrowed.
 * @return 0, MPROC_ENOMEM, MPROC_ETOOBIG (nested deeper than MPROC_VALUE_MAX_DEPTH) or MPROC_EINVAL
 *         (it is not a value)
 */
MPROC_API MPROC_NODISCARD int mproc_value_copy(mproc_value *ret_copy, const mproc_value *value);

/**
 * Free what a value owns, and make it nil. Objects it was received with are closed.
 *
 * @param value  NULL and borrowed values are fine
 */
MPROC_API void mproc_value_clear(mproc_value *value);

/**
 * Whether two values are equal: type, numbers (NaN differs), bytes, order, and the same object.
 * Those nested deeper than MPROC_VALUE_MAX_DEPTH never are.
 */
MPROC_API bool mproc_value_equal(const mproc_value *a, const mproc_value *b);

/**
 * Find the value of a string key in a map.
 *
 * @return the last one given, or NULL; borrowed from the map
 */
MPROC_API const mproc_value *mproc_value_find(const mproc_value *map, const char *key);

/**
 * Encode a value as MessagePack, in its shortest form.
 *
 * @param ret_data  bytes for mproc_free
 * @return 0, MPROC_ENOMEM, MPROC_ETOOBIG (nested too deep, or a part of 4 GiB and more),
 *         MPROC_ETYPE (it holds a shared object, which means nothing outside the family) or MPROC_EINVAL
 */
MPROC_API MPROC_NODISCARD int mproc_value_encode(const mproc_value *value, void **ret_data,
                                                 size_t *ret_size);

/**
 * Decode one MessagePack value. Nothing is trusted: no input can make it crash, recurse without
 * bound, or take more than about 34 times the input's size in memory.
 *
 * @param data,size  all of it must be one value; may be freed afterwards
 * @param ret_value  owns its data; free it with mproc_value_clear
 * @return 0, MPROC_EMALFORMED, MPROC_ETOOBIG (nested too deep) or MPROC_ENOMEM
 */
MPROC_API MPROC_NODISCARD int mproc_value_decode(const void *data, size_t size,
                                                 mproc_value *ret_value);

/** Free a buffer that the library returned; NULL is fine. */
MPROC_API void mproc_free(void *data);

/** Where MPROC_UNPACK puts one argument, and what it takes. */
typedef struct mproc_slot {
    int kind; /**< private: enum mproc__slot_kind */
    void *to;
} mproc_slot;

/**
 * Take arguments apart; use it through MPROC_UNPACK.
 *
 * @param args   NULL means none
 * @return 0, MPROC_ECOUNT, MPROC_ETYPE or MPROC_ERANGE; mproc_last_error() says which argument,
 *         what was expected and what came. Variables are set only when all fit.
 * @owner  strings, bytes and objects stay the arguments'; copy or attach what must outlive them
 */
MPROC_API MPROC_NODISCARD int mproc_unpack(const mproc_args *args, const mproc_slot *slots,
                                           size_t count);

/** Take the items of a list apart in the same way; MPROC_ETYPE if it is none. */
MPROC_API MPROC_NODISCARD int mproc_unpack_list(const mproc_value *list, const mproc_slot *slots,
                                                size_t count);

MPROC_END_DECLS

#include "mproc/value_generic.h"

#endif
