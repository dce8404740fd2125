/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_array.c: mproc_array between processes.
 */
#include "object/sync_test.h"

#include <float.h>
#include <limits.h>
#include <stddef.h>

struct point {
    double x, y;
    char name[3];
};

static mproc_array *make_array(char typecode, size_t length, const void *init,
                               const mproc_array_options *options)
{
    mproc_array *array = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_array_create(&array, typecode, length, init, options), MPROC_OK);
    return array;
}

static bool is_zero(const void *data, size_t size)
{
    const char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* ---- creating -------------------------------------------------------------------------------- */

static void test_array__has_every_typecode(void)
{
    static const struct {
        char code;
        size_t size;
    } types[] = {
        {'c', sizeof(char)},     {'b', sizeof(signed char)}, {'B', sizeof(unsigned char)},
        {'?', sizeof(bool)},     {'u', sizeof(wchar_t)},     {'h', sizeof(short)},
        {'H', sizeof(short)},    {'i', sizeof(int32_t)},     {'I', sizeof(uint32_t)},
        {'l', sizeof(long)},     {'L', sizeof(long)},        {'q', sizeof(int64_t)},
        {'Q', sizeof(uint64_t)}, {'f', sizeof(float)},       {'d', sizeof(double)},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        mproc_array *array = make_array(types[i].code, 1001, NULL, NULL);
        char *data = mproc_array_data(array);
        CU_ASSERT_EQUAL(mproc_array_typecode(array), types[i].code);
        CU_ASSERT_EQUAL(mproc_array_element_size(array), types[i].size);
        CU_ASSERT_EQUAL(mproc_array_length(array), 1001);
        CU_ASSERT_EQUAL((uintptr_t)data % 64, 0);
        CU_ASSERT(is_zero(data, 1001 * types[i].size));
        memset(data, 0xff, 1001 * types[i].size); // all of it can be written
        mproc_array_close(array);
    }
}

/** Create an array of the two limits, and read them back by each of the ways. */
static void check_limits(char typecode, const void *limits, size_t size)
{
    char two[2 * sizeof(double)];
    mproc_array *array = make_array(typecode, 2, limits, NULL);
    CU_ASSERT_EQUAL(memcmp(mproc_array_data(array), limits, 2 * size), 0);
    CU_ASSERT_EQUAL(mproc_array_get_slice(array, 0, 2, two), MPROC_OK);
    CU_ASSERT_EQUAL(memcmp(two, limits, 2 * size), 0);
    CU_ASSERT_EQUAL(mproc_array_set(array, 0, (const char *)limits + size), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_set(array, 1, limits), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_get(array, 1, two), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_get(array, 0, two + size), MPROC_OK);
    CU_ASSERT_EQUAL(memcmp(two, limits, 2 * size), 0);
    mproc_array_close(array);
}

#define CHECK_LIMITS(typecode, type, min, max)        \
    do {                                              \
        const type limits[2] = {(min), (max)};        \
        check_limits(typecode, limits, sizeof(type)); \
    } while (0)

static void test_array__holds_the_limits_of_its_type(void)
{
    CHECK_LIMITS('c', char, CHAR_MIN, CHAR_MAX);
    CHECK_LIMITS('b', signed char, SCHAR_MIN, SCHAR_MAX);
    CHECK_LIMITS('B', unsigned char, 0, UCHAR_MAX);
    CHECK_LIMITS('?', bool, false, true);
    CHECK_LIMITS('u', wchar_t, L'\0', L'\xffff');
    CHECK_LIMITS('h', short, SHRT_MIN, SHRT_MAX);
    CHECK_LIMITS('H', unsigned short, 0, USHRT_MAX);
    CHECK_LIMITS('i', int, INT_MIN, INT_MAX);
    CHECK_LIMITS('I', unsigned, 0, UINT_MAX);
    CHECK_LIMITS('l', long, LONG_MIN, LONG_MAX);
    CHECK_LIMITS('L', unsigned long, 0, ULONG_MAX);
    CHECK_LIMITS('q', long long, LLONG_MIN, LLONG_MAX);
    CHECK_LIMITS('Q', unsigned long long, 0, ULLONG_MAX);
    CHECK_LIMITS('f', float, -FLT_MAX, FLT_MIN);
    CHECK_LIMITS('d', double, -DBL_MAX, DBL_MIN);
}

static void test_array__can_be_of_structs(void)
{
    const struct point init[2] = {{1.5, 2.5, "a"}, {-1, 0, "b"}};
    struct point point;
    mproc_array *array = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_array_create_struct(&array, sizeof(point), 2, init, NULL),
                          MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_typecode(array), 0);
    CU_ASSERT_EQUAL(mproc_array_element_size(array), sizeof(point));
    CU_ASSERT_EQUAL(mproc_array_length(array), 2);
    CU_ASSERT_EQUAL(mproc_array_get(array, 1, &point), MPROC_OK);
    CU_ASSERT(point.x == -1 && point.y == 0 && point.name[0] == 'b');
    point.y = 7;
    CU_ASSERT_EQUAL(mproc_array_set(array, 0, &point), MPROC_OK);
    CU_ASSERT_EQUAL(((struct point *)mproc_array_data(array))->y, 7);
    CU_ASSERT_EQUAL(mproc_array_atomic_add(array, 0, 1, NULL), MPROC_ETYPE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(),
                           "a struct has no atomic operations; i I l L q Q have");
    mproc_array_close(array);
    CU_ASSERT_EQUAL(mproc_array_create_struct(&array, 0, 2, NULL, NULL), MPROC_EINVAL);
}

static void test_array__can_be_empty_but_not_endless(void)
{
    mproc_arena_stats before = settled_stats();
    int x = 5;
    mproc_array *array = make_array('i', 0, &x, NULL);
    CU_ASSERT_EQUAL(mproc_array_length(array), 0);
    CU_ASSERT_PTR_NOT_NULL(mproc_array_data(array));
    CU_ASSERT_EQUAL(mproc_array_get(array, 0, &x), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_array_get_slice(array, 0, 0, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_acquire(array, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_release(array), MPROC_OK);
    mproc_array_close(array);
    array = NULL;
    CU_ASSERT_EQUAL(mproc_array_create(&array, 'b', SIZE_MAX, NULL, NULL), MPROC_ENOSPC);
    CU_ASSERT_EQUAL(mproc_array_create(&array, 'd', SIZE_MAX / 8, NULL, NULL), MPROC_ENOSPC);
    CU_ASSERT_EQUAL(mproc_array_create(&array, 'd', SIZE_MAX / 8 + 2, NULL, NULL), MPROC_ENOSPC);
    CU_ASSERT_EQUAL(mproc_array_create(&array, 'd', before.reserved_bytes / 8, NULL, NULL),
                    MPROC_ENOSPC);
    CU_ASSERT_PTR_NULL(array);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_array__refuses_nonsense(void)
{
    mproc_array *array = NULL;
    mproc_lock *lock = NULL;
    mproc_rlock *rlock = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_rlock_create(&rlock, NULL), MPROC_OK);
    const mproc_array_options both = {.lock = lock, .rlock = rlock};
    const mproc_array_options raw_lock = {.lock = lock, .is_raw = true};
    const mproc_array_options raw_rlock = {.rlock = rlock, .is_raw = true};
    CU_ASSERT_EQUAL(mproc_array_create(&array, 'i', 1, NULL, &both), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_create(&array, 'i', 1, NULL, &raw_lock), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_create(&array, 'i', 1, NULL, &raw_rlock), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_create(&array, 'x', 1, NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(),
                           "a typecode is one of c b B ? u h H i I l L q Q f d, not 'x'");
    CU_ASSERT_EQUAL(mproc_array_create(&array, '\0', 1, NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_PTR_NULL(array);
    mproc_lock_close(lock);
    mproc_rlock_close(rlock);
}

static void test_array__refuses_null(void)
{
    int x = 0;
    int64_t n = 0;
    mproc_array *array = make_array('i', 1, NULL, NULL);
    CU_ASSERT_EQUAL(mproc_array_create(NULL, 'i', 1, NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_create_struct(NULL, 4, 1, NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_acquire(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_release(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_get(NULL, 0, &x), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_set(NULL, 0, &x), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_get(array, 0, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_set(array, 0, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_atomic_load(NULL, 0, &n), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_atomic_load(array, 0, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_atomic_store(NULL, 0, 1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_atomic_add(NULL, 0, 1, &n), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_atomic_compare_exchange(NULL, 0, &n, 1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_array_atomic_compare_exchange(array, 0, NULL, 1), MPROC_EINVAL);
    CU_ASSERT_PTR_NULL(mproc_array_data(NULL));
    CU_ASSERT_PTR_NULL(mproc_array_get_lock(NULL));
    CU_ASSERT_PTR_NULL(mproc_array_get_rlock(NULL));
    CU_ASSERT(mproc_array_length(NULL) == 0 && mproc_array_element_size(NULL) == 0);
    CU_ASSERT_EQUAL(mproc_array_typecode(NULL), 0);
    mproc_array_close(NULL);
    mproc_array_close(array);
}

/* ---- elements -------------------------------------------------------------------------------- */

static void test_array__has_bounds(void)
{
    const int numbers[5] = {0, 1, 2, 3, 4};
    int copy[5] = {9, 9, 9, 9, 9};
    int64_t n = 9;
    mproc_array *array = make_array('i', 5, numbers, NULL);
    CU_ASSERT_EQUAL(mproc_array_get_slice(array, 1, 4, copy), MPROC_OK);
    CU_ASSERT(copy[0] == 1 && copy[3] == 4 && copy[4] == 9);
    CU_ASSERT_EQUAL(mproc_array_set_slice(array, 0, 2, copy), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_get_slice(array, 0, 5, copy), MPROC_OK);
    CU_ASSERT(copy[0] == 1 && copy[1] == 2 && copy[2] == 2 && copy[4] == 4);
    CU_ASSERT_EQUAL(mproc_array_get_slice(array, 5, 0, copy), MPROC_OK);
    copy[0] = 9;
    CU_ASSERT_EQUAL(mproc_array_get(array, 5, copy), MPROC_ERANGE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "get: the array has 5 elements, no index 5");
    CU_ASSERT_EQUAL(mproc_array_get(array, SIZE_MAX, copy), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_array_get_slice(array, 3, 3, copy), MPROC_ERANGE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(),
                           "get: the array has 5 elements, not 3 from index 3 on");
    CU_ASSERT_EQUAL(mproc_array_get_slice(array, SIZE_MAX, 2, copy), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_array_get_slice(array, 2, SIZE_MAX, copy), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_array_get_slice(array, 6, 0, copy), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_array_set_slice(array, 4, 2, copy), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_array_set(array, 5, copy), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_array_atomic_load(array, 5, &n), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_array_atomic_store(array, 5, 1), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_array_atomic_add(array, 5, 1, &n), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_array_atomic_compare_exchange(array, 5, &n, 1), MPROC_ERANGE);
    CU_ASSERT(copy[0] == 9 && n == 9);
    CU_ASSERT_EQUAL(mproc_rlock_is_locked(mproc_array_get_rlock(array)), false);
    CU_ASSERT_EQUAL(((int *)mproc_array_data(array))[4], 4);
    mproc_array_close(array);
}

/* ---- atomic ---------------------------------------------------------------------------------- */

/** Each operation at both ends of a type; what is beyond is refused, or wraps around. */
static void check_atomics(char typecode, int64_t min, int64_t max)
{
    int64_t n = 77;
    mproc_array *array = make_array(typecode, 3, NULL, NULL);
    CU_ASSERT_EQUAL(mproc_array_atomic_store(array, 1, max), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_atomic_add(array, 1, 1, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, max);
    CU_ASSERT_EQUAL(mproc_array_atomic_load(array, 1, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, min);
    CU_ASSERT_EQUAL(mproc_array_atomic_add(array, 1, -1, NULL), MPROC_OK);
    n = min;
    CU_ASSERT_EQUAL(mproc_array_atomic_compare_exchange(array, 1, &n, 5), 0);
    CU_ASSERT_EQUAL(n, max);
    CU_ASSERT_EQUAL(mproc_array_atomic_compare_exchange(array, 1, &n, min), 1);
    CU_ASSERT_EQUAL(n, max);
    CU_ASSERT_EQUAL(mproc_array_atomic_load(array, 1, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, min);
    if (mproc_array_element_size(array) == sizeof(int32_t)) {
        n = max + 1;
        CU_ASSERT_EQUAL(mproc_array_atomic_store(array, 1, max + 1), MPROC_ERANGE);
        CU_ASSERT_EQUAL(mproc_array_atomic_store(array, 1, min - 1), MPROC_ERANGE);
        CU_ASSERT_EQUAL(mproc_array_atomic_compare_exchange(array, 1, &n, 1), MPROC_ERANGE);
        n = min;
        CU_ASSERT_EQUAL(mproc_array_atomic_compare_exchange(array, 1, &n, max + 1), MPROC_ERANGE);
        CU_ASSERT_EQUAL(mproc_array_atomic_load(array, 1, &n), MPROC_OK);
        CU_ASSERT_EQUAL(n, min);
    }
    CU_ASSERT_EQUAL(mproc_array_atomic_store(array, 1, 0), MPROC_OK);
    CU_ASSERT(is_zero(mproc_array_data(array), 3 * mproc_array_element_size(array)));
    mproc_array_close(array);
}

static void test_array__has_atomic_integers(void)
{
    bool is_long = sizeof(long) == sizeof(int64_t);
    check_atomics('i', INT32_MIN, INT32_MAX);
    check_atomics('I', 0, UINT32_MAX);
    check_atomics('q', INT64_MIN, INT64_MAX);
    check_atomics('Q', 0, -1); // in 64 bits, unsigned ones look so
    check_atomics('l', LONG_MIN, LONG_MAX);
    check_atomics('L', 0, is_long ? -1 : (int64_t)UINT32_MAX);
}

static void test_array__has_no_other_atomics(void)
{
    static const char codes[] = "cbB?uhHfd";
    for (size_t i = 0; codes[i] != '\0'; i++) {
        int64_t n = 0;
        mproc_array *array = make_array(codes[i], 4, NULL, NULL);
        CU_ASSERT_EQUAL(mproc_array_atomic_load(array, 0, &n), MPROC_ETYPE);
        CU_ASSERT_EQUAL(mproc_array_atomic_store(array, 0, 1), MPROC_ETYPE);
        CU_ASSERT_EQUAL(mproc_array_atomic_add(array, 0, 1, &n), MPROC_ETYPE);
        CU_ASSERT_EQUAL(mproc_array_atomic_compare_exchange(array, 0, &n, 1), MPROC_ETYPE);
        CU_ASSERT(is_zero(mproc_array_data(array), 4 * mproc_array_element_size(array)));
        mproc_array_close(array);
    }
}

static int add_atomically(const mproc_args *args)
{
    mproc_array *small;
    mproc_array *large;
    mproc_block *block;
    int count;
    int64_t old = 0;
    CHILD_CHECK(MPROC_UNPACK(args, &small, &large, &block, &count) == 0);
    meet(block, 4);
    for (int i = 0; i < count; i++) {
        CHILD_CHECK(mproc_array_atomic_add(small, 1, 1, NULL) == 0);
        CHILD_CHECK(mproc_array_atomic_add(large, 1, 3, &old) == 0 && old % 3 == 0);
        int rc = 0;
        CHILD_CHECK(mproc_array_atomic_load(large, 2, &old) == 0);
        while ((rc = mproc_array_atomic_compare_exchange(large, 2, &old, old + 1)) == 0) {
        }
        CHILD_CHECK(rc == 1);
    }
    return 0;
}

static void test_array__atomics_of_four_end_exact(void)
{
    mproc_process *children[4];
    mproc_array *small = make_array('I', 3, NULL, NULL);
    mproc_array *large = make_array('q', 4, NULL, NULL);
    mproc_block *block = make_words(1);
    int count = (int)testlib_count(20000, 2000000);
    for (size_t i = 0; i < 4; i++) {
        children[i] = start(add_atomically, MPROC_ARGS(small, large, block, count));
    }
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    const uint32_t *a = mproc_array_data(small);
    const int64_t *b = mproc_array_data(large);
    CU_ASSERT(a[0] == 0 && a[1] == 4 * (uint32_t)count && a[2] == 0);
    CU_ASSERT(b[0] == 0 && b[1] == 12 * (int64_t)count && b[2] == 4 * (int64_t)count && b[3] == 0);
    mproc_block_close(block);
    mproc_array_close(small);
    mproc_array_close(large);
}

/* ---- the lock -------------------------------------------------------------------------------- */

/** Go through the array, one more everywhere: all elements are equal outside of the lock. */
static int add_under_lock(const mproc_args *args)
{
    mproc_array *array;
    mproc_block *block;
    int count;
    CHILD_CHECK(MPROC_UNPACK(args, &array, &block, &count) == 0);
    meet(block, 4);
    switch_slices_off();
    long *data = mproc_array_data(array);
    for (int i = 0; i < count; i++) {
        CHILD_CHECK(mproc_array_acquire(array, MPROC_FOREVER) == 0);
        CHILD_CHECK(data[0] == data[1]);
        data[0] += 1;
        if (i % 32 == 0) {
            apr_thread_yield(); // long enough that others go to sleep
        }
        data[1] += 1;
        CHILD_CHECK(mproc_array_release(array) == 0);
    }
    return 0;
}

static void check_sum(const mproc_array_options *options)
{
    mproc_process *children[4];
    mproc_array *array = make_array('l', 2, NULL, options);
    mproc_block *block = make_words(1);
    int count = (int)testlib_count(4000, 400000);
    for (size_t i = 0; i < 4; i++) {
        children[i] = start(add_under_lock, MPROC_ARGS(array, block, count));
    }
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    const long *data = mproc_array_data(array);
    CU_ASSERT_EQUAL(data[0], 4L * count);
    CU_ASSERT_EQUAL(data[1], 4L * count);
    mproc_block_close(block);
    mproc_array_close(array);
}

static void test_array__lets_one_in_at_a_time(void)
{
    mproc_lock *lock = NULL;
    check_sum(NULL);
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    const mproc_array_options options = {.lock = lock};
    check_sum(&options);
    mproc_lock_close(lock);
}

/** The status of an acquire; what it gets it takes along. */
static int try_array(const mproc_args *args)
{
    mproc_array *array;
    CHILD_CHECK(MPROC_UNPACK(args, &array) == 0);
    return -mproc_array_acquire(array, MPROC_NOWAIT);
}

static int release_array(const mproc_args *args)
{
    mproc_array *array;
    CHILD_CHECK(MPROC_UNPACK(args, &array) == 0);
    return -mproc_array_release(array);
}

static void test_array__has_an_rlock_of_its_own(void)
{
    int x = 4;
    mproc_lock_info info;
    mproc_array *array = make_array('i', 3, NULL, NULL);
    mproc_array *again = NULL;
    mproc_rlock *rlock = mproc_array_get_rlock(array);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rlock);
    CU_ASSERT_PTR_EQUAL(mproc_array_get_rlock(array), rlock);
    CU_ASSERT_PTR_NULL(mproc_array_get_lock(array));
    CU_ASSERT_EQUAL(mproc_array_release(array), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_array_acquire(array, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_acquire(array, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rlock_acquire(rlock, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_set(array, 1, &x), MPROC_OK); // whoever holds it may
    CU_ASSERT_EQUAL(mproc_array_get(array, 1, &x), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rlock_get_info(rlock, &info), MPROC_OK);
    CU_ASSERT_EQUAL(info.depth, 3);
    CU_ASSERT_EQUAL(end_of(start(try_array, MPROC_ARGS(array))), -MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(end_of(start(release_array, MPROC_ARGS(array))), -MPROC_ESTATE);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_array_release(array), MPROC_OK);
    }
    CU_ASSERT_FALSE(mproc_rlock_is_locked(rlock));
    // Another handle finds the same lock.
    CU_ASSERT_EQUAL_FATAL(mproc_array_attach(&again, array), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rlock_acquire(mproc_array_get_rlock(again), MPROC_NOWAIT), MPROC_OK);
    mproc_array_close(array);
    CU_ASSERT_EQUAL(mproc_array_release(again), MPROC_OK);
    mproc_array_close(again);
}

static void test_array__can_have_no_lock(void)
{
    const mproc_array_options raw = {.is_raw = true};
    int x = 7;
    mproc_array *array = make_array('i', 3, NULL, &raw);
    CU_ASSERT_EQUAL(mproc_array_acquire(array, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "acquire: the array has no lock");
    CU_ASSERT_EQUAL(mproc_array_release(array), MPROC_ESTATE);
    CU_ASSERT_PTR_NULL(mproc_array_get_rlock(array));
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "the array has no rlock");
    CU_ASSERT_PTR_NULL(mproc_array_get_lock(array));
    CU_ASSERT_EQUAL(mproc_array_set(array, 2, &x), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_get(array, 2, &x), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_atomic_add(array, 2, 1, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(((int *)mproc_array_data(array))[2], 8);
    mproc_array_close(array);
}

static void test_array__can_have_the_callers_lock(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    const mproc_array_options options = {.lock = lock};
    mproc_array *array = make_array('i', 3, NULL, &options);
    mproc_array *other = make_array('d', 3, NULL, &options);
    CU_ASSERT_PTR_NULL(mproc_array_get_rlock(array));
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_acquire(array, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(end_of(start(try_array, MPROC_ARGS(other))), -MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(end_of(start(release_array, MPROC_ARGS(other))), 0); // a lock is anybody's
    CU_ASSERT_FALSE(mproc_lock_is_locked(lock));
    mproc_lock_close(lock);
    CU_ASSERT_EQUAL(mproc_array_acquire(array, MPROC_NOWAIT), MPROC_OK);
    lock = mproc_array_get_lock(other);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lock);
    CU_ASSERT_PTR_EQUAL(mproc_array_get_lock(other), lock);
    CU_ASSERT(mproc_lock_is_locked(lock));
    CU_ASSERT_EQUAL(mproc_array_release(array), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(try_array, MPROC_ARGS(other))), 0);
    CU_ASSERT_EQUAL(mproc_array_acquire(array, LIMIT), MPROC_OWNER_DIED);
    mproc_array_close(array);
    mproc_array_close(other);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_array__can_have_the_callers_rlock(void)
{
    mproc_rlock *rlock = NULL;
    int x = 1;
    CU_ASSERT_EQUAL_FATAL(mproc_rlock_create(&rlock, NULL), MPROC_OK);
    const mproc_array_options options = {.rlock = rlock};
    mproc_array *array = make_array('i', 3, NULL, &options);
    CU_ASSERT_PTR_NULL(mproc_array_get_lock(array));
    CU_ASSERT_PTR_NOT_NULL(mproc_array_get_rlock(array));
    CU_ASSERT_EQUAL(mproc_rlock_acquire(rlock, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_acquire(array, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(try_array, MPROC_ARGS(array))), -MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_array_set(array, 0, &x), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_release(array), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rlock_release(rlock), MPROC_OK);
    mproc_rlock_close(rlock);
    mproc_array_close(array);
}

enum { ARRIVED };

static int set_and_get(const mproc_args *args)
{
    mproc_array *array;
    mproc_block *block;
    int x = 3;
    CHILD_CHECK(MPROC_UNPACK(args, &array, &block) == 0);
    add_word(&words_of(block)[ARRIVED]);
    CHILD_CHECK(mproc_array_set(array, 0, &x) == 0);
    CHILD_CHECK(mproc_array_get(array, 1, &x) == 0);
    return x;
}

static void test_array__accessors_wait_for_the_lock(void)
{
    mproc_array *array = make_array('i', 2, NULL, NULL);
    mproc_block *block = make_words(1);
    int *data = mproc_array_data(array);
    CU_ASSERT_EQUAL(mproc_array_acquire(array, MPROC_FOREVER), MPROC_OK);
    mproc_process *child = start(set_and_get, MPROC_ARGS(array, block));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    CU_ASSERT(await_asleep(1));
    CU_ASSERT_EQUAL(data[0], 0);
    data[1] = 55;
    CU_ASSERT_EQUAL(mproc_array_release(array), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), 55);
    CU_ASSERT_EQUAL(data[0], 3);
    mproc_block_close(block);
    mproc_array_close(array);
}

static int hold_array(const mproc_args *args)
{
    mproc_array *array;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &array, &block) == 0);
    CHILD_CHECK(mproc_array_acquire(array, MPROC_FOREVER) >= 0);
    ((int *)mproc_array_data(array))[0]++;
    add_word(&words_of(block)[ARRIVED]);
    return stay();
}

/** A child that holds the array's lock is killed. */
static void kill_holder(mproc_array *array)
{
    mproc_block *block = make_words(1);
    mproc_process *holder = start(hold_array, MPROC_ARGS(array, block));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    CU_ASSERT_EQUAL(mproc_array_acquire(array, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_kill(holder), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(holder), CODE_KILLED);
    mproc_block_close(block);
}

static void test_array__says_that_its_holder_died(void)
{
    int x = 0;
    mproc_array *array = make_array('i', 2, NULL, NULL);
    kill_holder(array);
    CU_ASSERT_EQUAL(mproc_array_acquire(array, LIMIT), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(mproc_array_get(array, 0, &x), MPROC_OK);
    CU_ASSERT_EQUAL(x, 1);
    CU_ASSERT_EQUAL(mproc_array_release(array), MPROC_OK);
    kill_holder(array);
    CU_ASSERT_EQUAL(mproc_array_get(array, 0, &x), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(x, 2);
    CU_ASSERT_EQUAL(mproc_array_get(array, 0, &x), MPROC_OK);
    kill_holder(array);
    x = 50;
    CU_ASSERT_EQUAL(mproc_array_set(array, 0, &x), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(((int *)mproc_array_data(array))[0], 50);
    CU_ASSERT_EQUAL(mproc_array_set(array, 0, &x), MPROC_OK);
    CU_ASSERT_FALSE(mproc_rlock_is_locked(mproc_array_get_rlock(array)));
    mproc_array_close(array);
}

static void test_array__of_a_strict_lock_is_poisoned(void)
{
    const mproc_lock_options strict = {.is_strict = true};
    mproc_lock *lock = NULL;
    int x = 0;
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, &strict), MPROC_OK);
    const mproc_array_options options = {.lock = lock};
    mproc_array *array = make_array('i', 2, NULL, &options);
    kill_holder(array);
    CU_ASSERT_EQUAL(mproc_array_get(array, 0, &x), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(x, 1);
    CU_ASSERT_EQUAL(mproc_array_get(array, 1, &x), MPROC_EPOISONED);
    CU_ASSERT_EQUAL(x, 1);
    CU_ASSERT_EQUAL(mproc_array_set(array, 1, &x), MPROC_EPOISONED);
    CU_ASSERT_EQUAL(mproc_lock_consistent(lock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_get(array, 0, &x), MPROC_OK);
    mproc_array_close(array);
    mproc_lock_close(lock);
}

/* ---- values ---------------------------------------------------------------------------------- */

static int use_all(const mproc_args *args)
{
    mproc_value list;
    mproc_array *numbers;
    mproc_array *points;
    mproc_shared_value *wrong;
    struct point point;
    int x = 0;
    CHILD_CHECK(MPROC_UNPACK(args, &list) == 0);
    CHILD_CHECK(MPROC_UNPACK_LIST(&list, &numbers, &wrong) == MPROC_ETYPE);
    CHILD_CHECK(MPROC_UNPACK_LIST(&list, &numbers, &points) == 0);
    CHILD_CHECK(mproc_array_typecode(numbers) == 'i' && mproc_array_length(numbers) == 5);
    CHILD_CHECK(mproc_array_typecode(points) == 0 && mproc_array_length(points) == 1);
    CHILD_CHECK(mproc_array_acquire(points, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_rlock_is_locked(mproc_array_get_rlock(points)));
    CHILD_CHECK(mproc_array_get(numbers, 4, &x) == 0);
    point = *(struct point *)mproc_array_data(points);
    CHILD_CHECK(point.x == 1.5 && point.y == 2.5);
    *(int *)mproc_array_data(numbers) = 99;
    return x;
}

static void test_array__travels_in_values(void)
{
    mproc_arena_stats before = settled_stats();
    const int init[5] = {0, 1, 2, 3, 42};
    const struct point start_point = {1.5, 2.5, ""};
    mproc_array *numbers = make_array('i', 5, init, NULL);
    mproc_array *points = NULL;
    mproc_array *again = NULL;
    CU_ASSERT_EQUAL_FATAL(
        mproc_array_create_struct(&points, sizeof(start_point), 1, &start_point, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_acquire(points, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_array_attach(&again, numbers), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(use_all, MPROC_ARGS(MPROC_LIST(numbers, points)))), 42);
    mproc_array_close(numbers);
    CU_ASSERT_EQUAL(*(int *)mproc_array_data(again), 99);
    CU_ASSERT_EQUAL(mproc_array_attach(&numbers, NULL), MPROC_EINVAL);
    mproc_array_close(again);
    mproc_array_close(points);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"has_every_typecode", test_array__has_every_typecode},
    {"holds_the_limits_of_its_type", test_array__holds_the_limits_of_its_type},
    {"can_be_of_structs", test_array__can_be_of_structs},
    {"can_be_empty_but_not_endless", test_array__can_be_empty_but_not_endless},
    {"refuses_nonsense", test_array__refuses_nonsense},
    {"refuses_null", test_array__refuses_null},
    {"has_bounds", test_array__has_bounds},
    {"has_atomic_integers", test_array__has_atomic_integers},
    {"has_no_other_atomics", test_array__has_no_other_atomics},
    {"atomics_of_four_end_exact", test_array__atomics_of_four_end_exact},
    {"lets_one_in_at_a_time", test_array__lets_one_in_at_a_time},
    {"has_an_rlock_of_its_own", test_array__has_an_rlock_of_its_own},
    {"can_have_no_lock", test_array__can_have_no_lock},
    {"can_have_the_callers_lock", test_array__can_have_the_callers_lock},
    {"can_have_the_callers_rlock", test_array__can_have_the_callers_rlock},
    {"accessors_wait_for_the_lock", test_array__accessors_wait_for_the_lock},
    {"says_that_its_holder_died", test_array__says_that_its_holder_died},
    {"of_a_strict_lock_is_poisoned", test_array__of_a_strict_lock_is_poisoned},
    {"travels_in_values", test_array__travels_in_values},
};

PROCESS_TEST_MAIN("object.array", cases)
