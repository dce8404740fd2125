/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shared_value.c: mproc_shared_value between processes. What it has in common with arrays is in
 * test_array.c.
 */
#include "object/sync_test.h"

#include <float.h>
#include <limits.h>

struct point {
    double x, y;
};

static mproc_shared_value *make_value(char typecode, const void *init,
                                      const mproc_shared_value_options *options)
{
    mproc_shared_value *value = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_shared_value_create(&value, typecode, init, options), MPROC_OK);
    return value;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void check_one(mproc_shared_value *value, int64_t number)
{
    int64_t read = 77;
    CU_ASSERT_EQUAL(mproc_shared_value_set_int(value, number), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &read), MPROC_OK);
    CU_ASSERT_EQUAL(read, number);
}

static void check_integer(char typecode, size_t size, int64_t min, int64_t max)
{
    int64_t read = 77;
    double real = 7.5;
    mproc_shared_value *value = make_value(typecode, NULL, NULL);
    CU_ASSERT_EQUAL(mproc_shared_value_typecode(value), typecode);
    CU_ASSERT_EQUAL(mproc_shared_value_size(value), size);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &read), MPROC_OK);
    CU_ASSERT_EQUAL(read, 0);
    check_one(value, min);
    check_one(value, max);
    check_one(value, 1);
    if (min != INT64_MIN) {
        CU_ASSERT_EQUAL(mproc_shared_value_set_int(value, min - 1), MPROC_ERANGE);
    }
    if (max != INT64_MAX) {
        CU_ASSERT_EQUAL(mproc_shared_value_set_int(value, max + 1), MPROC_ERANGE);
    }
    CU_ASSERT_EQUAL(mproc_shared_value_set_double(value, 2.0), MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_shared_value_get_double(value, &real), MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &read), MPROC_OK);
    CU_ASSERT(read == 1 && real == 7.5);
    CU_ASSERT_FALSE(mproc_rlock_is_locked(mproc_shared_value_get_rlock(value)));
    mproc_shared_value_close(value);
}

static void test_shared_value__holds_integers_within_limits(void)
{
    bool is_long = sizeof(long) == sizeof(int64_t);
    check_integer('b', 1, INT8_MIN, INT8_MAX);
    check_integer('B', 1, 0, UINT8_MAX);
    check_integer('?', 1, 0, 1);
    check_integer('h', 2, INT16_MIN, INT16_MAX);
    check_integer('H', 2, 0, UINT16_MAX);
    check_integer('i', 4, INT32_MIN, INT32_MAX);
    check_integer('I', 4, 0, UINT32_MAX);
    check_integer('l', sizeof(long), LONG_MIN, LONG_MAX);
    check_integer('L', sizeof(long), 0, is_long ? INT64_MAX : (int64_t)UINT32_MAX);
    check_integer('q', 8, INT64_MIN, INT64_MAX);
    check_integer('Q', 8, 0, INT64_MAX);
}

static void test_shared_value__reads_what_c_wrote(void)
{
    const short h = -300;
    const unsigned char byte = 200;
    const long l = LONG_MIN;
    const unsigned long long huge = ULLONG_MAX;
    int64_t n = 0;
    mproc_shared_value *value = make_value('h', &h, NULL);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, -300);
    CU_ASSERT_EQUAL(mproc_shared_value_set_int(value, -7), MPROC_OK);
    CU_ASSERT_EQUAL(*(short *)mproc_shared_value_data(value), -7);
    CU_ASSERT_EQUAL(mproc_shared_value_set_int(value, 40000), MPROC_ERANGE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "40000 does not fit typecode h");
    mproc_shared_value_close(value);
    value = make_value('B', &byte, NULL);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 200);
    mproc_shared_value_close(value);
    value = make_value('l', &l, NULL);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, LONG_MIN);
    mproc_shared_value_close(value);
    value = make_value('Q', &huge, NULL);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &n), MPROC_ERANGE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "18446744073709551615 does not fit an int64_t");
    CU_ASSERT_EQUAL(n, LONG_MIN);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_load(value, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, -1);
    mproc_shared_value_close(value);
}

static void test_shared_value__holds_doubles(void)
{
    static const double numbers[] = {0.0, -3.14, DBL_MAX, -DBL_MAX, DBL_MIN, 1.0 / 3};
    const double pi = 3.14;
    double read = 7;
    int64_t n = 77;
    mproc_shared_value *value = make_value('d', &pi, NULL);
    CU_ASSERT_EQUAL(mproc_shared_value_size(value), sizeof(double));
    CU_ASSERT_EQUAL(mproc_shared_value_get_double(value, &read), MPROC_OK);
    CU_ASSERT_EQUAL(read, pi);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        CU_ASSERT_EQUAL(mproc_shared_value_set_double(value, numbers[i]), MPROC_OK);
        CU_ASSERT_EQUAL(*(double *)mproc_shared_value_data(value), numbers[i]);
        CU_ASSERT_EQUAL(mproc_shared_value_get_double(value, &read), MPROC_OK);
        CU_ASSERT_EQUAL(read, numbers[i]);
    }
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &n), MPROC_ETYPE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "typecode d has no integer");
    CU_ASSERT_EQUAL(mproc_shared_value_set_int(value, 1), MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_add(value, 1, &n), MPROC_ETYPE);
    CU_ASSERT_EQUAL(n, 77);
    mproc_shared_value_close(value);
}

static void test_shared_value__holds_floats_within_limits(void)
{
    double read = 7;
    mproc_shared_value *value = make_value('f', NULL, NULL);
    CU_ASSERT_EQUAL(mproc_shared_value_size(value), sizeof(float));
    CU_ASSERT_EQUAL(mproc_shared_value_set_double(value, 0.1), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_value_get_double(value, &read), MPROC_OK);
    CU_ASSERT_EQUAL(read, 0.1F);
    CU_ASSERT_EQUAL(mproc_shared_value_set_double(value, -FLT_MAX), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_value_set_double(value, 2.0 * FLT_MAX), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_shared_value_set_double(value, -1e300), MPROC_ERANGE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "-1e+300 does not fit a float");
    CU_ASSERT_EQUAL(*(float *)mproc_shared_value_data(value), -FLT_MAX);
    double infinite = DBL_MAX;
    infinite *= 2;
    CU_ASSERT_EQUAL(mproc_shared_value_set_double(value, infinite), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_value_get_double(value, &read), MPROC_OK);
    CU_ASSERT_EQUAL(read, infinite);
    CU_ASSERT_EQUAL(mproc_shared_value_set_double(value, infinite - infinite), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_value_get_double(value, &read), MPROC_OK);
    CU_ASSERT(read != read);
    mproc_shared_value_close(value);
}

static void test_shared_value__holds_characters(void)
{
    const char c = 'x';
    const wchar_t wide = L'y';
    char read = 0;
    int64_t n = 77;
    mproc_shared_value *value = make_value('c', &c, NULL);
    CU_ASSERT_EQUAL(mproc_shared_value_get(value, &read), MPROC_OK);
    CU_ASSERT_EQUAL(read, 'x');
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &n), MPROC_ETYPE);
    mproc_shared_value_close(value);
    value = make_value('u', &wide, NULL);
    CU_ASSERT_EQUAL(*(wchar_t *)mproc_shared_value_data(value), L'y');
    CU_ASSERT_EQUAL(mproc_shared_value_set_int(value, 1), MPROC_ETYPE);
    mproc_shared_value_close(value);
}

static void test_shared_value__can_be_a_struct(void)
{
    const struct point init = {1.5, -2.5};
    struct point point = {0, 0};
    int64_t n = 0;
    double x = 0;
    mproc_shared_value *value = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_shared_value_create_struct(&value, sizeof(init), &init, NULL),
                          MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_value_typecode(value), 0);
    CU_ASSERT_EQUAL(mproc_shared_value_size(value), sizeof(init));
    CU_ASSERT_EQUAL(mproc_shared_value_get(value, &point), MPROC_OK);
    CU_ASSERT(point.x == 1.5 && point.y == -2.5);
    point.y = 4;
    CU_ASSERT_EQUAL(mproc_shared_value_set(value, &point), MPROC_OK);
    CU_ASSERT_EQUAL(((struct point *)mproc_shared_value_data(value))->y, 4);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &n), MPROC_ETYPE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "a struct has no integer");
    CU_ASSERT_EQUAL(mproc_shared_value_get_double(value, &x), MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_load(value, &n), MPROC_ETYPE);
    mproc_shared_value_close(value);
    CU_ASSERT_EQUAL(mproc_shared_value_create_struct(&value, 0, NULL, NULL), MPROC_EINVAL);
}

static void test_shared_value__has_atomic_operations(void)
{
    const int init = 40;
    int64_t n = 0;
    mproc_shared_value *value = make_value('i', &init, NULL);
    CU_ASSERT_EQUAL(mproc_shared_value_acquire(value, MPROC_NOWAIT), MPROC_OK); // it needs no lock
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_add(value, 2, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 40);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_compare_exchange(value, &n, 1), 0);
    CU_ASSERT_EQUAL(n, 42);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_compare_exchange(value, &n, -1), 1);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_load(value, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, -1);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_store(value, (int64_t)INT32_MAX + 1), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_store(value, INT32_MAX), MPROC_OK);
    CU_ASSERT_EQUAL(*(int *)mproc_shared_value_data(value), INT32_MAX);
    CU_ASSERT_EQUAL(mproc_shared_value_release(value), MPROC_OK);
    mproc_shared_value_close(value);
}

static void test_shared_value__refuses_null(void)
{
    int64_t n = 0;
    double x = 0;
    mproc_shared_value *value = make_value('i', NULL, NULL);
    CU_ASSERT_EQUAL(mproc_shared_value_create(NULL, 'i', NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_create_struct(NULL, 4, NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_acquire(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_release(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_get(NULL, &n), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_set(NULL, &n), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_get(value, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_set(value, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(NULL, &n), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_set_int(NULL, 1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_get_double(NULL, &x), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_get_double(value, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_set_double(NULL, 1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_load(NULL, &n), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_load(value, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_store(NULL, 1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_add(NULL, 1, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_compare_exchange(NULL, &n, 1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_value_atomic_compare_exchange(value, NULL, 1), MPROC_EINVAL);
    CU_ASSERT_PTR_NULL(mproc_shared_value_data(NULL));
    CU_ASSERT_PTR_NULL(mproc_shared_value_get_lock(NULL));
    CU_ASSERT_PTR_NULL(mproc_shared_value_get_rlock(NULL));
    CU_ASSERT(mproc_shared_value_size(NULL) == 0 && mproc_shared_value_typecode(NULL) == 0);
    mproc_shared_value_close(NULL);
    mproc_shared_value_close(value);
}

/* ---- the lock -------------------------------------------------------------------------------- */

static int add_one(const mproc_args *args)
{
    mproc_shared_value *locked;
    mproc_shared_value *atomic;
    mproc_block *block;
    int count;
    CHILD_CHECK(MPROC_UNPACK(args, &locked, &atomic, &block, &count) == 0);
    meet(block, 4);
    switch_slices_off();
    for (int i = 0; i < count; i++) {
        int64_t n = -1;
        CHILD_CHECK(mproc_shared_value_acquire(locked, MPROC_FOREVER) == 0);
        CHILD_CHECK(mproc_shared_value_get_int(locked, &n) == 0);
        if (i % 32 == 0) {
            apr_thread_yield(); // long enough that others go to sleep
        }
        CHILD_CHECK(mproc_shared_value_set_int(locked, n + 1) == 0);
        CHILD_CHECK(mproc_shared_value_release(locked) == 0);
        CHILD_CHECK(mproc_shared_value_atomic_add(atomic, 1, NULL) == 0);
    }
    return 0;
}

static void test_shared_value__counts_exactly(void)
{
    mproc_process *children[4];
    int64_t n = 0;
    mproc_shared_value *locked = make_value('i', NULL, NULL);
    mproc_shared_value *atomic = make_value('q', NULL, NULL);
    mproc_block *block = make_words(1);
    int count = (int)testlib_count(4000, 400000);
    for (size_t i = 0; i < 4; i++) {
        children[i] = start(add_one, MPROC_ARGS(locked, atomic, block, count));
    }
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(locked, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 4 * (int64_t)count);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(atomic, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 4 * (int64_t)count);
    mproc_block_close(block);
    mproc_shared_value_close(locked);
    mproc_shared_value_close(atomic);
}

static void test_shared_value__has_the_lock_it_was_given(void)
{
    const mproc_shared_value_options raw = {.is_raw = true};
    mproc_lock *lock = NULL;
    int64_t n = 1;
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    const mproc_shared_value_options options = {.lock = lock};
    mproc_shared_value *value = make_value('i', NULL, &options);
    CU_ASSERT_PTR_NULL(mproc_shared_value_get_rlock(value));
    CU_ASSERT_EQUAL(mproc_lock_acquire(mproc_shared_value_get_lock(value), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_value_acquire(value, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_value_set_int(value, 1), MPROC_OK);
    CU_ASSERT_FALSE(mproc_lock_is_locked(lock));
    mproc_shared_value_close(value);
    mproc_lock_close(lock);
    value = make_value('i', NULL, &raw);
    CU_ASSERT_EQUAL(mproc_shared_value_acquire(value, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "acquire: the shared value has no lock");
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 0);
    mproc_shared_value_close(value);
}

enum { ARRIVED };

static int hold_value(const mproc_args *args)
{
    mproc_shared_value *value;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &value, &block) == 0);
    CHILD_CHECK(mproc_shared_value_acquire(value, MPROC_FOREVER) >= 0);
    *(double *)mproc_shared_value_data(value) += 1;
    add_word(&words_of(block)[ARRIVED]);
    return stay();
}

/** A child that holds the value's lock is killed. */
static void kill_holder(mproc_shared_value *value)
{
    mproc_block *block = make_words(1);
    mproc_process *holder = start(hold_value, MPROC_ARGS(value, block));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    CU_ASSERT_EQUAL(mproc_shared_value_acquire(value, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_kill(holder), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(holder), CODE_KILLED);
    mproc_block_close(block);
}

static void test_shared_value__says_that_its_holder_died(void)
{
    double x = 0;
    int64_t n = 0;
    mproc_shared_value *value = make_value('d', NULL, NULL);
    kill_holder(value);
    CU_ASSERT_EQUAL(mproc_shared_value_acquire(value, LIMIT), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(mproc_shared_value_release(value), MPROC_OK);
    kill_holder(value);
    CU_ASSERT_EQUAL(mproc_shared_value_get_double(value, &x), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(x, 2);
    kill_holder(value);
    CU_ASSERT_EQUAL(mproc_shared_value_set_double(value, 10), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(mproc_shared_value_get_double(value, &x), MPROC_OK);
    CU_ASSERT_EQUAL(x, 10);
    kill_holder(value);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(value, &n), MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_shared_value_acquire(value, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_value_release(value), MPROC_OK);
    mproc_shared_value_close(value);
}

/* ---- values ---------------------------------------------------------------------------------- */

static int use_all(const mproc_args *args)
{
    mproc_value map;
    mproc_shared_value *value;
    mproc_lock *lock;
    mproc_array *wrong;
    int64_t n = 0;
    CHILD_CHECK(MPROC_UNPACK(args, &map, &lock) == 0);
    const mproc_value *found = mproc_value_find(&map, "answer");
    CHILD_CHECK(found != NULL);
    CHILD_CHECK(MPROC_UNPACK_LIST(found, &wrong) == MPROC_ETYPE);
    CHILD_CHECK(MPROC_UNPACK_LIST(found, &value) == 0);
    CHILD_CHECK(mproc_lock_is_locked(lock));
    CHILD_CHECK(mproc_shared_value_acquire(value, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_shared_value_atomic_add(value, 1, &n) == 0);
    return (int)n;
}

static void test_shared_value__travels_in_values(void)
{
    mproc_arena_stats before = settled_stats();
    const int init = 41;
    int64_t n = 0;
    mproc_lock *lock = NULL;
    mproc_shared_value *again = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    const mproc_shared_value_options options = {.lock = lock};
    mproc_shared_value *value = make_value('i', &init, &options);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_NOWAIT), MPROC_OK);
    mproc_process *child =
        start(use_all, MPROC_ARGS(MPROC_MAP(MPROC_PAIR("answer", MPROC_LIST(value))), lock));
    CU_ASSERT_EQUAL(end_of(child), 41);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    mproc_lock_close(lock);
    CU_ASSERT_EQUAL(mproc_shared_value_attach(&again, value), MPROC_OK);
    mproc_shared_value_close(value);
    CU_ASSERT_EQUAL(mproc_shared_value_get_int(again, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 42);
    CU_ASSERT_EQUAL(mproc_shared_value_attach(&value, NULL), MPROC_EINVAL);
    mproc_shared_value_close(again);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"holds_integers_within_limits", test_shared_value__holds_integers_within_limits},
    {"reads_what_c_wrote", test_shared_value__reads_what_c_wrote},
    {"holds_doubles", test_shared_value__holds_doubles},
    {"holds_floats_within_limits", test_shared_value__holds_floats_within_limits},
    {"holds_characters", test_shared_value__holds_characters},
    {"can_be_a_struct", test_shared_value__can_be_a_struct},
    {"has_atomic_operations", test_shared_value__has_atomic_operations},
    {"refuses_null", test_shared_value__refuses_null},
    {"counts_exactly", test_shared_value__counts_exactly},
    {"has_the_lock_it_was_given", test_shared_value__has_the_lock_it_was_given},
    {"says_that_its_holder_died", test_shared_value__says_that_its_holder_died},
    {"travels_in_values", test_shared_value__travels_in_values},
};

PROCESS_TEST_MAIN("object.shared_value", cases)
