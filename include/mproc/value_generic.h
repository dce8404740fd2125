/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/value_generic.h: the macros that choose by a C variable's type.
 *
 * Part of mproc/value.h; include that. In C they use _Generic and compound literals; for C++17,
 * which lacks both, mproc/value_cxx.h has templates of the same names and meanings. What they point
 * to lives as long as the enclosing block in C, but only until the end of the full expression in
 * C++: there, use them as arguments of a call, and never keep one in a variable.
 *
 * MPROC_ARGS, MPROC_LIST, MPROC_MAP and MPROC_VALUES take 1 to 16 arguments, MPROC_UNPACK that many
 * variables or none. For no arguments pass NULL; an empty list is MPROC_EMPTY_LIST.
 */
#ifndef MPROC_VALUE_GENERIC_H
#define MPROC_VALUE_GENERIC_H

#include <string.h>

#include "mproc/value.h"

/*
 * Every type of shared object: its name, the same in capitals, its kind (part of the ABI) and how
 * sentences name it. One line here makes an object a value and an argument; its own source file
 * then defines mproc_value_<name>.
 */
#define MPROC__OBJECTS(X)                                     \
    X(block, BLOCK, 16, "a block")                            \
    X(lock, LOCK, 17, "a lock")                               \
    X(rlock, RLOCK, 18, "an rlock")                           \
    X(semaphore, SEMAPHORE, 19, "a semaphore")                \
    X(event, EVENT, 20, "an event")                           \
    X(condition, CONDITION, 21, "a condition")                \
    X(barrier, BARRIER, 22, "a barrier")                      \
    X(shared_value, SHARED_VALUE, 23, "a shared value")       \
    X(array, ARRAY, 24, "an array")                           \
    X(shared_memory, SHARED_MEMORY, 25, "a shared memory")    \
    X(shareable_list, SHAREABLE_LIST, 26, "a shareable list") \
    X(rwlock, RWLOCK, 27, "an rwlock")                        \
    X(once, ONCE, 28, "a once")                               \
    X(latch, LATCH, 29, "a latch")                            \
    X(dict, DICT, 30, "a dict")                               \
    X(list, LIST, 31, "a list")                               \
    X(queue, QUEUE, 32, "a queue")                            \
    X(connection, CONNECTION, 33, "a connection")             \
    X(handle, HANDLE, 34, "a handle")                         \
    X(named_lock, NAMED_LOCK, 35, "a named lock")             \
    X(pool, POOL, 36, "a pool")                               \
    X(proxy, PROXY, 37, "a proxy")                            \
    X(manager, MANAGER, 38, "a manager")

MPROC_BEGIN_DECLS

/* mproc_value mproc_value_block(mproc_block *block) and its like: the value of an object, borrowed;
 * keep the object open meanwhile. nil for NULL. */
#define MPROC__OBJECT_DECLARE(name, NAME, kind, text) \
    typedef struct mproc_##name mproc_##name;         \
    MPROC_API mproc_value mproc_value_##name(mproc_##name *object);
MPROC__OBJECTS(MPROC__OBJECT_DECLARE)
#undef MPROC__OBJECT_DECLARE

/* What a slot takes, and what it points to. Part of the ABI. */
enum mproc__slot_kind {
    MPROC__SLOT_BOOL = 1,
    MPROC__SLOT_SCHAR,
    MPROC__SLOT_UCHAR,
    MPROC__SLOT_SHORT,
    MPROC__SLOT_USHORT,
    MPROC__SLOT_INT,
    MPROC__SLOT_UINT,
    MPROC__SLOT_LONG,
    MPROC__SLOT_ULONG,
    MPROC__SLOT_LLONG,
    MPROC__SLOT_ULLONG,
    MPROC__SLOT_FLOAT,
    MPROC__SLOT_DOUBLE,
    MPROC__SLOT_STRING,         /* const char * */
    MPROC__SLOT_BYTES,          /* mproc_bytes */
    MPROC__SLOT_VALUE,          /* mproc_value: anything */
    MPROC__SLOT_ANY_OBJECT,     /* mproc_object * */
    MPROC__SLOT_SLOT,           /* another slot, see MPROC_OPTIONAL */
    MPROC__SLOT_OBJECT = 0x100, /* plus its kind: the object's handle */
    MPROC__SLOT_OPTIONAL = 0x10000
};

/* A char is signed or not as the program's compiler has it, whatever the library's did. */
#define MPROC__SLOT_CHAR ((char)-1 < (char)0 ? MPROC__SLOT_SCHAR : MPROC__SLOT_UCHAR)

static inline mproc_value mproc__value_nil(void)
{
    mproc_value value;
    value.type = MPROC_NIL;
    value.as.bytes.data = NULL;
    value.as.bytes.size = 0;
    value.owned = NULL;
    return value;
}

static inline mproc_value mproc__value_bool(bool x)
{
    mproc_value value = mproc__value_nil();
    value.type = MPROC_BOOL;
    value.as.boolean = x;
    return value;
}

static inline mproc_value mproc__value_int(int64_t x)
{
    mproc_value value = mproc__value_nil();
    value.type = MPROC_INT;
    value.as.integer = x;
    return value;
}

static inline mproc_value mproc__value_uint(uint64_t x)
{
    mproc_value value;
    if (x <= (uint64_t)INT64_MAX) {
        return mproc__value_int((int64_t)x);
    }
    value = mproc__value_nil();
    value.type = MPROC_UINT;
    value.as.uinteger = x;
    return value;
}

static inline mproc_value mproc__value_double(double x)
{
    mproc_value value = mproc__value_nil();
    value.type = MPROC_DOUBLE;
    value.as.real = x;
    return value;
}

static inline mproc_value mproc__value_string(const char *x)
{
    mproc_value value = mproc__value_nil();
    if (x != NULL) {
        value.type = MPROC_STRING;
        value.as.string.data = x;
        value.as.string.size = strlen(x);
    }
    return value;
}

static inline mproc_value mproc__value_bytes(mproc_bytes x)
{
    mproc_value value = mproc__value_nil();
    value.type = MPROC_BYTES;
    value.as.bytes = x;
    return value;
}

static inline mproc_value mproc__value_list(const mproc_value *items, size_t count)
{
    mproc_value value = mproc__value_nil();
    value.type = MPROC_LIST;
    value.as.list.items = items;
    value.as.list.count = count;
    return value;
}

static inline mproc_value mproc__value_map(const mproc_pair *pairs, size_t count)
{
    mproc_value value = mproc__value_nil();
    value.type = MPROC_MAP;
    value.as.map.pairs = pairs;
    value.as.map.count = count;
    return value;
}

static inline mproc_value mproc__value_args(const mproc_args *x)
{
    return x != NULL ? mproc__value_list(x->items, x->count) : mproc__value_list(NULL, 0);
}

static inline mproc_value mproc__value_borrow(mproc_value x)
{
    x.owned = NULL;
    return x;
}

static inline mproc_value mproc__value_borrow_at(const mproc_value *x)
{
    return x != NULL ? mproc__value_borrow(*x) : mproc__value_nil();
}

static inline mproc_pair mproc__pair(mproc_value key, mproc_value value)
{
    mproc_pair pair;
    pair.key = key;
    pair.value = value;
    return pair;
}

MPROC_END_DECLS

/** nil. */
#define MPROC_NIL_VALUE mproc__value_nil()

/** A list without items; MPROC_LIST takes at least one. */
#define MPROC_EMPTY_LIST mproc__value_list(NULL, 0)

/** A map without entries; MPROC_MAP takes at least one. */
#define MPROC_EMPTY_MAP mproc__value_map(NULL, 0)

/** One entry of MPROC_MAP; key and value are whatever MPROC_VALUE takes. */
#define MPROC_PAIR(key, value) mproc__pair(MPROC_VALUE(key), MPROC_VALUE(value))

#ifdef __cplusplus
#include "mproc/value_cxx.h"
#else

/*
 * Macros over a variable number of arguments, without __VA_OPT__ and GNU's comma. MPROC__EXPAND is
 * for MSVC's traditional preprocessor, which passes __VA_ARGS__ on as one argument otherwise.
 */
#define MPROC__EXPAND(x) x
#define MPROC__CAT(a, b) MPROC__CAT_(a, b)
#define MPROC__CAT_(a, b) a##b
#define MPROC__PICK(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, b1, b2, \
                    b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, picked, ...)    \
    picked
/* 1 to 16, or, so that the compiler's complaint says it, MORE_THAN_16_ARGUMENTS. */
#define MPROC__N(...)                                                                        \
    MPROC__EXPAND(MPROC__PICK(                                                               \
        __VA_ARGS__, MORE_THAN_16_ARGUMENTS, MORE_THAN_16_ARGUMENTS, MORE_THAN_16_ARGUMENTS, \
        MORE_THAN_16_ARGUMENTS, MORE_THAN_16_ARGUMENTS, MORE_THAN_16_ARGUMENTS,              \
        MORE_THAN_16_ARGUMENTS, MORE_THAN_16_ARGUMENTS, MORE_THAN_16_ARGUMENTS,              \
        MORE_THAN_16_ARGUMENTS, MORE_THAN_16_ARGUMENTS, MORE_THAN_16_ARGUMENTS,              \
        MORE_THAN_16_ARGUMENTS, MORE_THAN_16_ARGUMENTS, MORE_THAN_16_ARGUMENTS,              \
        MORE_THAN_16_ARGUMENTS, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
#define MPROC__ONE_OR_MORE(...)                                                                  \
    MPROC__EXPAND(MPROC__PICK(__VA_ARGS__, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, \
                              MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE,  \
                              MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE,  \
                              ONE, ONE, ONE))
/* m(a), m(b), ... */
#define MPROC__EACH(m, ...) \
    MPROC__EXPAND(MPROC__CAT(MPROC__EACH_, MPROC__N(__VA_ARGS__))(m, __VA_ARGS__))
#define MPROC__EACH_1(m, a) m(a)
#define MPROC__EACH_2(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_1(m, __VA_ARGS__))
#define MPROC__EACH_3(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_2(m, __VA_ARGS__))
#define MPROC__EACH_4(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_3(m, __VA_ARGS__))
#define MPROC__EACH_5(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_4(m, __VA_ARGS__))
#define MPROC__EACH_6(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_5(m, __VA_ARGS__))
#define MPROC__EACH_7(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_6(m, __VA_ARGS__))
#define MPROC__EACH_8(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_7(m, __VA_ARGS__))
#define MPROC__EACH_9(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_8(m, __VA_ARGS__))
#define MPROC__EACH_10(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_9(m, __VA_ARGS__))
#define MPROC__EACH_11(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_10(m, __VA_ARGS__))
#define MPROC__EACH_12(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_11(m, __VA_ARGS__))
#define MPROC__EACH_13(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_12(m, __VA_ARGS__))
#define MPROC__EACH_14(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_13(m, __VA_ARGS__))
#define MPROC__EACH_15(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_14(m, __VA_ARGS__))
#define MPROC__EACH_16(m, a, ...) m(a), MPROC__EXPAND(MPROC__EACH_15(m, __VA_ARGS__))

/* clang-format off */
#define MPROC__VALUE_OF_OBJECT(name, NAME, kind, text) mproc_##name *: mproc_value_##name,
#define MPROC__SLOT_OF_OBJECT(name, NAME, kind, text) mproc_##name **: (MPROC__SLOT_OBJECT + (kind)),

/**
 * A value of what `x` is: a bool, any integer, a float or double, a string (a NULL one makes nil;
 * the word NULL alone has another type: write MPROC_NIL_VALUE), mproc_bytes, a shared object's
 * handle, mproc_args (a list), or a value already. It is borrowed: `x` stays the owner of what it
 * points to. In C, `true` and comparisons are integers; MPROC_UNPACK puts them into a bool all the
 * same.
 */
#define MPROC_VALUE(x) \
    _Generic((x), \
        MPROC__OBJECTS(MPROC__VALUE_OF_OBJECT) \
        bool: mproc__value_bool, \
        char: mproc__value_int, \
        signed char: mproc__value_int, \
        unsigned char: mproc__value_int, \
        short: mproc__value_int, \
        unsigned short: mproc__value_int, \
        int: mproc__value_int, \
        unsigned: mproc__value_int, \
        long: mproc__value_int, \
        unsigned long: mproc__value_uint, \
        long long: mproc__value_int, \
        unsigned long long: mproc__value_uint, \
        float: mproc__value_double, \
        double: mproc__value_double, \
        char *: mproc__value_string, \
        const char *: mproc__value_string, \
        mproc_bytes: mproc__value_bytes, \
        mproc_value: mproc__value_borrow, \
        mproc_value *: mproc__value_borrow_at, \
        const mproc_value *: mproc__value_borrow_at, \
        mproc_args *: mproc__value_args, \
        const mproc_args *: mproc__value_args)(x)

#define MPROC__SLOT_KIND(pointer) \
    _Generic((pointer), \
        MPROC__OBJECTS(MPROC__SLOT_OF_OBJECT) \
        bool *: MPROC__SLOT_BOOL, \
        char *: MPROC__SLOT_CHAR, \
        signed char *: MPROC__SLOT_SCHAR, \
        unsigned char *: MPROC__SLOT_UCHAR, \
        short *: MPROC__SLOT_SHORT, \
        unsigned short *: MPROC__SLOT_USHORT, \
        int *: MPROC__SLOT_INT, \
        unsigned *: MPROC__SLOT_UINT, \
        long *: MPROC__SLOT_LONG, \
        unsigned long *: MPROC__SLOT_ULONG, \
        long long *: MPROC__SLOT_LLONG, \
        unsigned long long *: MPROC__SLOT_ULLONG, \
        float *: MPROC__SLOT_FLOAT, \
        double *: MPROC__SLOT_DOUBLE, \
        const char **: MPROC__SLOT_STRING, \
        mproc_bytes *: MPROC__SLOT_BYTES, \
        mproc_value *: MPROC__SLOT_VALUE, \
        mproc_object **: MPROC__SLOT_ANY_OBJECT, \
        mproc_slot *: MPROC__SLOT_SLOT)

#define MPROC__SLOT(pointer) {MPROC__SLOT_KIND(pointer), (pointer)}
/* clang-format on */

/**
 * Arguments for a function: a `const mproc_args *`.
 *
 *     mproc_process_start(&child, draw, MPROC_ARGS("Red", 3.14, width), NULL);
 */
#define MPROC_ARGS(...) (&(const mproc_args){MPROC__N(__VA_ARGS__), MPROC_VALUES(__VA_ARGS__)})

/** An array of `const mproc_value`. */
#define MPROC_VALUES(...) ((const mproc_value[]){MPROC__EACH(MPROC_VALUE, __VA_ARGS__)})

/** A list as one value. */
#define MPROC_LIST(...) mproc__value_list(MPROC_VALUES(__VA_ARGS__), MPROC__N(__VA_ARGS__))

/** A map as one value: MPROC_MAP(MPROC_PAIR("x", 1), MPROC_PAIR("y", 2)). */
#define MPROC_MAP(...) mproc__value_map((const mproc_pair[]){__VA_ARGS__}, MPROC__N(__VA_ARGS__))

/**
 * Take arguments apart: MPROC_UNPACK(args, &name, &x, &block). See mproc_unpack.
 *
 * What a variable takes: an integer variable any integer that fits it; float and double any double,
 * and integers they can hold exactly; bool also 0 and 1; const char * a string without NUL bytes
 * inside; mproc_bytes bytes; a handle an object of its type; mproc_value anything.
 */
#define MPROC_UNPACK(...) MPROC__UNPACK(mproc_unpack, __VA_ARGS__)

/** Take a list apart in the same way: MPROC_UNPACK_LIST(&value, &x, &y). See mproc_unpack_list. */
#define MPROC_UNPACK_LIST(...) MPROC__UNPACK(mproc_unpack_list, __VA_ARGS__)

/**
 * For MPROC_UNPACK: nil leaves the variable as it was, and the last arguments may be missing.
 *
 *     int retries = 3;
 *     int rc = MPROC_UNPACK(args, &name, MPROC_OPTIONAL(&retries));
 */
#define MPROC_OPTIONAL(pointer) \
    (&(mproc_slot){MPROC__SLOT_KIND(pointer) | MPROC__SLOT_OPTIONAL, (pointer)})

#define MPROC__UNPACK(unpack, ...) \
    MPROC__EXPAND(MPROC__CAT(MPROC__UNPACK_, MPROC__ONE_OR_MORE(__VA_ARGS__))(unpack, __VA_ARGS__))
#define MPROC__UNPACK_ONE(unpack, from) unpack((from), NULL, 0)
#define MPROC__UNPACK_MORE(unpack, from, ...)                                   \
    unpack((from), (const mproc_slot[]){MPROC__EACH(MPROC__SLOT, __VA_ARGS__)}, \
           MPROC__N(__VA_ARGS__))

#endif

#endif
