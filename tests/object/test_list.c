/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_list.c: mproc_list: like a plain list whatever is done to it, by many at once, and when some are
 * killed.
 */
#include "object/container_check.h"
#include "object/sync_test.h"

#include "base/alloc.h"

#include <apr_general.h>
#include <inttypes.h>

static mproc_list *make_list(const mproc_value *values, size_t count)
{
    mproc_list *list = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_list_create(&list), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_list_extend(list, values, count, NULL), MPROC_OK);
    return list;
}

static bool is_item(const mproc_list *list, int64_t index, mproc_value wanted)
{
    mproc_value value = MPROC_NIL_VALUE;
    bool is = mproc_list_get(list, index, &value) == MPROC_OK && mproc_value_equal(&value, &wanted);
    mproc_value_clear(&value);
    return is;
}

/** Whether it has these items and no others; `wanted` is a list. */
static bool is_list(const mproc_list *list, mproc_value wanted)
{
    mproc_value all = MPROC_NIL_VALUE;
    bool is = mproc_list_slice(list, 0, MPROC_LIST_END, &all) == MPROC_OK &&
              mproc_value_equal(&all, &wanted) && mproc_list_length(list) == wanted.as.list.count;
    mproc_value_clear(&all);
    return is;
}

/* ---- one process ----------------------------------------------------------------------------- */

static void test_list__is_a_list(void)
{
    size_t length = 99;
    mproc_value value = MPROC_NIL_VALUE;
    mproc_list *list = make_list(NULL, 0);
    CU_ASSERT(is_list(list, MPROC_EMPTY_LIST));
    CU_ASSERT_EQUAL(mproc_list_append(list, MPROC_VALUE("b"), &length), MPROC_OK);
    CU_ASSERT_EQUAL(length, 1);
    CU_ASSERT_EQUAL(mproc_list_extend(list, MPROC_VALUES(3, 4.5), 2, &length), MPROC_OK);
    CU_ASSERT_EQUAL(length, 3);
    CU_ASSERT_EQUAL(mproc_list_insert(list, 0, MPROC_VALUE("a")), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_list_insert(list, -1, MPROC_NIL_VALUE), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_list_insert(list, 100, MPROC_VALUE("end")), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_list_insert(list, -100, MPROC_VALUE("start")), MPROC_OK);
    CU_ASSERT(is_list(list, MPROC_LIST("start", "a", "b", 3, MPROC_NIL_VALUE, 4.5, "end")));
    CU_ASSERT(is_item(list, -1, MPROC_VALUE("end")) && is_item(list, -7, MPROC_VALUE("start")));
    CU_ASSERT_EQUAL(mproc_list_set(list, -3, MPROC_LIST(1, 2)), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_list_pop(list, 0, &value), MPROC_OK);
    CU_ASSERT(mproc_value_equal(&value, &MPROC_VALUES("start")[0]));
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(mproc_list_pop(list, 2, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_list_pop(list, -1, NULL), MPROC_OK);
    CU_ASSERT(is_list(list, MPROC_LIST("a", "b", MPROC_LIST(1, 2), 4.5)));
    CHECK_CONTAINER(check_list(list));
    CU_ASSERT_EQUAL(mproc_list_clear(list), MPROC_OK);
    CU_ASSERT(is_list(list, MPROC_EMPTY_LIST));
    CHECK_CONTAINER(check_list(list));
    CU_ASSERT_EQUAL(mproc_list_append(list, MPROC_VALUE(1), NULL), MPROC_OK);
    CU_ASSERT(is_list(list, MPROC_LIST(1)));
    mproc_list_close(list);
}

static void test_list__slices_as_python_does(void)
{
    mproc_list *list = make_list(MPROC_VALUES(0, 1, 2, 3, 4), 5);
    for (int64_t start = -7; start <= 7; start++) {
        for (int64_t stop = -7; stop <= 7; stop++) {
            mproc_value slice = MPROC_NIL_VALUE;
            int64_t from = start < 0 ? (start < -5 ? 0 : start + 5) : start;
            int64_t to = stop < 0 ? (stop < -5 ? 0 : stop + 5) : stop > 5 ? 5 : stop;
            size_t wanted = from < to ? (size_t)(to - from) : 0;
            CU_ASSERT_EQUAL(mproc_list_slice(list, start, stop, &slice), MPROC_OK);
            CU_ASSERT_EQUAL_FATAL(slice.as.list.count, wanted);
            for (size_t i = 0; i < wanted; i++) {
                CU_ASSERT_EQUAL(slice.as.list.items[i].as.integer, from + (int64_t)i);
            }
            mproc_value_clear(&slice);
        }
    }
    mproc_list_close(list);
}

static void test_list__refuses_what_cannot_be(void)
{
    mproc_value value = MPROC_NIL_VALUE;
    const mproc_value bad = {.type = (mproc_type)99};
    mproc_value deep[MPROC_VALUE_MAX_DEPTH];
    mproc_list *list = make_list(MPROC_VALUES(1, 2), 2);
    static const int64_t none[] = {2, -3, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < MPROC__COUNT(none); i++) {
        CU_ASSERT_EQUAL(mproc_list_get(list, none[i], &value), MPROC_ERANGE);
        CU_ASSERT_EQUAL(mproc_list_set(list, none[i], MPROC_VALUE(list)), MPROC_ERANGE);
        CU_ASSERT_EQUAL(mproc_list_pop(list, none[i], &value), MPROC_ERANGE);
    }
    deep[0] = MPROC_EMPTY_LIST;
    for (size_t i = 1; i < MPROC__COUNT(deep); i++) {
        deep[i] = mproc__value_list(&deep[i - 1], 1);
    }
    CU_ASSERT_EQUAL(mproc_list_append(list, deep[MPROC_VALUE_MAX_DEPTH - 1], NULL), MPROC_ETOOBIG);
    CU_ASSERT_EQUAL(mproc_list_append(list, bad, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_extend(list, NULL, 1, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_append(NULL, bad, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_insert(NULL, 0, bad), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_get(NULL, 0, &value), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_get(list, 0, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_set(NULL, 0, bad), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_pop(NULL, 0, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_clear(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_slice(NULL, 0, 1, &value), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_create(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_length(NULL), 0);
    CU_ASSERT(is_list(list, MPROC_LIST(1, 2)));
    CU_ASSERT_EQUAL(mproc_list_append(list, deep[MPROC_VALUE_MAX_DEPTH - 2], NULL), MPROC_OK);
    CU_ASSERT(is_list(list, MPROC_LIST(1, 2, deep[MPROC_VALUE_MAX_DEPTH - 2])));
    CHECK_CONTAINER(check_list(list));
    mproc_list_close(NULL);
    mproc_list_close(list);
}

/* ---- beside a plain list ----------------------------------------------------------------------- */

#define MOST_ITEMS 700

static struct {
    mproc_value item[MOST_ITEMS + 16];
    size_t count;
} plain;

static void plain_insert(size_t at, mproc_value value)
{
    memmove(&plain.item[at + 1], &plain.item[at], (plain.count - at) * sizeof(value));
    plain.item[at] = value;
    plain.count++;
}

static void plain_remove(size_t at)
{
    mproc_value_clear(&plain.item[at]);
    plain.count--;
    memmove(&plain.item[at], &plain.item[at + 1], (plain.count - at) * sizeof(plain.item[0]));
}

static void do_insert(mproc_list *list)
{
    uint32_t where = testlib_random() % 6;
    size_t at = where == 0 ? 0 : where == 1 ? testlib_random() % (plain.count + 1) : plain.count;
    const mproc_value value = random_value(testlib_random());
    CU_ASSERT_EQUAL(mproc_list_insert(list, (int64_t)at, value), MPROC_OK);
    plain_insert(at, value);
}

static void do_extend(mproc_list *list)
{
    size_t length = 0;
    size_t n = testlib_random() % 15;
    for (size_t i = 0; i < n; i++) {
        plain.item[plain.count + i] = random_value(testlib_random());
    }
    CU_ASSERT_EQUAL(mproc_list_extend(list, &plain.item[plain.count], n, &length), MPROC_OK);
    plain.count += n;
    CU_ASSERT_EQUAL(length, plain.count);
}

static void do_set(mproc_list *list)
{
    size_t at = testlib_random() % plain.count;
    const mproc_value value = random_value(testlib_random());
    CU_ASSERT_EQUAL(mproc_list_set(list, (int64_t)at - (int64_t)plain.count, value), MPROC_OK);
    mproc_value_clear(&plain.item[at]);
    plain.item[at] = value;
}

static void do_pop(mproc_list *list)
{
    uint32_t where = testlib_random() % 6;
    size_t at = where < 3 ? 0 : where == 3 ? testlib_random() % plain.count : plain.count - 1;
    mproc_value value = MPROC_NIL_VALUE;
    bool is_read = testlib_random() % 2 == 0;
    CU_ASSERT_EQUAL(mproc_list_pop(list, (int64_t)at, is_read ? &value : NULL), MPROC_OK);
    CU_ASSERT(!is_read || mproc_value_equal(&value, &plain.item[at]));
    mproc_value_clear(&value);
    plain_remove(at);
}

static void do_one(mproc_list *list, bool is_growing)
{
    uint32_t what = testlib_random() % 100;
    bool is_full = plain.count > MOST_ITEMS - 16;
    if (what == 0 && testlib_random() % 20 == 0) {
        CU_ASSERT_EQUAL(mproc_list_clear(list), MPROC_OK);
        while (plain.count > 0) {
            plain_remove(plain.count - 1);
        }
    } else if (!is_full && what < (is_growing ? 50 : 20)) {
        do_insert(list);
    } else if (!is_full && what < (is_growing ? 55 : 22)) {
        do_extend(list);
    } else if (plain.count > 0 && what < 75) {
        do_pop(list);
    } else if (plain.count > 0) {
        do_set(list);
    }
}

static void test_list__is_as_a_plain_one(void)
{
    const mproc_arena_stats before = settled_stats();
    mproc_list *list = make_list(NULL, 0);
    long steps = testlib_count(20000, 2000000);
    for (long i = 0; i < steps; i++) {
        do_one(list, i / 3000 % 2 == 0);
        if (i % 500 == 0) {
            CU_ASSERT(is_list(list, mproc__value_list(plain.item, plain.count)));
            CHECK_CONTAINER(check_list(list));
        }
    }
    CU_ASSERT(is_list(list, mproc__value_list(plain.item, plain.count)));
    while (plain.count > 0) {
        plain_remove(plain.count - 1);
    }
    mproc_list_close(list);
    const mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- memory ---------------------------------------------------------------------------------- */

/** A queue that is used for ever takes no more memory than its longest needs. */
static void test_list__reuses_memory(void)
{
    mproc_arena_stats stats[2];
    mproc_list *list = make_list(NULL, 0);
    for (int i = 0; i < 20000; i++) {
        uint32_t salt = (uint32_t)i * 7919;
        mproc_value value = random_value(salt);
        CU_ASSERT_EQUAL(mproc_list_append(list, value, NULL), MPROC_OK);
        mproc_value_clear(&value);
        CU_ASSERT(mproc_list_length(list) <= 100 || mproc_list_pop(list, 0, NULL) == MPROC_OK);
        if (i == 9999) {
            CU_ASSERT_EQUAL(mproc_arena_get_stats(&stats[0]), MPROC_OK);
        }
    }
    CU_ASSERT_EQUAL(mproc_arena_get_stats(&stats[1]), MPROC_OK);
    CU_ASSERT(stats[1].live_bytes < stats[0].live_bytes + stats[0].live_bytes / 2 + 65536);
    CHECK_CONTAINER(check_list(list));
    mproc_list_close(list);
}

#ifdef MPROC_KILLPOINTS
/** Each allocation of a call fails in turn: then nothing has changed. */
static void test_list__survives_want_of_memory(void)
{
    const mproc_value values = MPROC_LIST("a string of some length", 1, MPROC_LIST(1, 2));
    mproc_list *list = make_list(values.as.list.items, 3);
    CU_ASSERT_EQUAL(mproc_list_append(list, MPROC_VALUE(list), NULL), MPROC_OK);
    for (int what = 0; what < 3; what++) {
        for (uint32_t n = 1;; n++) {
            mproc_value value = MPROC_NIL_VALUE;
            mproc__alloc_fail_after = n;
            int rc = what == 0   ? mproc_list_slice(list, 0, MPROC_LIST_END, &value)
                     : what == 1 ? mproc_list_pop(list, 0, &value)
                                 : mproc_list_extend(list, values.as.list.items, 3, NULL);
            bool has_failed = mproc__alloc_fail_after == 0;
            mproc__alloc_fail_after = 0;
            mproc_value_clear(&value);
            CU_ASSERT_EQUAL(rc, has_failed ? MPROC_ENOMEM : MPROC_OK);
            CU_ASSERT(!has_failed || mproc_list_length(list) == (what < 2 ? 4 : 3));
            CHECK_CONTAINER(check_list(list));
            if (!has_failed) {
                break;
            }
        }
    }
    CU_ASSERT_EQUAL(mproc_list_clear(list), MPROC_OK);
    mproc_list_close(list);
}
#endif

/* ---- objects --------------------------------------------------------------------------------- */

static int use_nested(const mproc_args *args)
{
    mproc_list *list;
    mproc_list *inner;
    mproc_lock *lock;
    mproc_value items;
    CHILD_CHECK(MPROC_UNPACK(args, &list) == 0);
    CHILD_CHECK(mproc_list_slice(list, 0, MPROC_LIST_END, &items) == 0);
    CHILD_CHECK(MPROC_UNPACK_LIST(&items, &inner, &lock) == 0);
    CHILD_CHECK(mproc_lock_acquire(lock, LIMIT) == 0);
    CHILD_CHECK(mproc_list_append(inner, MPROC_VALUE("by a child"), NULL) == 0);
    CHILD_CHECK(mproc_lock_release(lock) == 0);
    mproc_value_clear(&items);
    return 0;
}

static void test_list__holds_objects(void)
{
    const mproc_arena_stats before = settled_stats();
    mproc_value value = MPROC_NIL_VALUE;
    mproc_list *inner = make_list(MPROC_VALUES("first"), 1);
    mproc_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    mproc_list *list = make_list(MPROC_VALUES(inner, lock), 2);
    mproc_list_close(inner);
    mproc_lock_close(lock);
    CU_ASSERT_EQUAL(end_of(start(use_nested, MPROC_ARGS(list))), 0);
    CU_ASSERT_EQUAL(mproc_list_pop(list, 0, &value), MPROC_OK);
    const mproc_args args = {1, &value};
    CU_ASSERT_EQUAL_FATAL(MPROC_UNPACK(&args, &inner), MPROC_OK);
    CU_ASSERT(is_list(inner, MPROC_LIST("first", "by a child")));
    CHECK_CONTAINER(check_list(inner));
    CHECK_CONTAINER(check_list(list));
    mproc_value_clear(&value);
    // Lists in lists in a value; all of them go with the last that holds them.
    for (int i = 0; i < 100; i++) {
        mproc_list *outer = make_list(MPROC_VALUES(i, MPROC_LIST(list, list)), 2);
        mproc_list_close(list);
        list = outer;
    }
    mproc_list_close(list);
    const mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- many at once ---------------------------------------------------------------------------- */

#define N_PRODUCERS 3

static int produce(const mproc_args *args)
{
    mproc_list *list;
    mproc_block *block;
    uint32_t who;
    uint32_t n;
    CHILD_CHECK(MPROC_UNPACK(args, &list, &block, &who, &n) == 0);
    meet(block, N_PRODUCERS);
    for (uint32_t i = 0; i < n; i++) {
        CHILD_CHECK(mproc_list_append(list, MPROC_LIST(who, i), NULL) == 0);
    }
    return 0;
}

/** Nothing is lost, nothing doubled, and each one's in order. */
static void test_list__is_a_queue_for_many(void)
{
    mproc_process *children[N_PRODUCERS];
    uint32_t next[N_PRODUCERS] = {0};
    mproc_list *list = make_list(NULL, 0);
    mproc_block *block = make_words(1);
    uint32_t n = (uint32_t)testlib_count(3000, 300000);
    for (uint32_t i = 0; i < N_PRODUCERS; i++) {
        children[i] = start(produce, MPROC_ARGS(list, block, i, n));
    }
    for (uint32_t left = N_PRODUCERS * n; left > 0;) {
        mproc_value item;
        uint32_t who = 0;
        uint32_t number = 0;
        int rc = mproc_list_pop(list, 0, &item);
        if (rc == MPROC_ERANGE) {
            continue;
        }
        CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
        CU_ASSERT_EQUAL_FATAL(MPROC_UNPACK_LIST(&item, &who, &number), MPROC_OK);
        CU_ASSERT_FATAL(who < N_PRODUCERS && next[who] == number);
        next[who]++;
        mproc_value_clear(&item);
        left--;
    }
    for (uint32_t i = 0; i < N_PRODUCERS; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    CU_ASSERT_EQUAL(mproc_list_length(list), 0);
    CHECK_CONTAINER(check_list(list));
    mproc_block_close(block);
    mproc_list_close(list);
}

/* ---- threads, for the sanitizer -------------------------------------------------------------- */

static void use_much(mproc_list *list)
{
    for (uint32_t i = 0; i < 2000; i++) {
        mproc_value value = random_value(i * 31);
        CHILD_CHECK(mproc_list_append(list, value, NULL) == 0);
        CHILD_CHECK(mproc_list_set(list, 0, value) == 0);
        mproc_value_clear(&value);
        CHILD_CHECK(mproc_list_pop(list, i % 2 == 0 ? 0 : -1, &value) == 0);
        mproc_value_clear(&value);
        (void)mproc_list_length(list);
    }
}

static void *APR_THREAD_FUNC use_in_thread(apr_thread_t *thread, void *arg)
{
    use_much(arg); // apart: the sanitizer does not like variables in a frame that is never left
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_list__is_safe_with_threads(void)
{
    apr_pool_t *pool;
    apr_thread_t *threads[2];
    apr_status_t unused;
    mproc_list *list = make_list(MPROC_VALUES(1, 2, 3), 3);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, use_in_thread, list, pool),
                              APR_SUCCESS);
    }
    for (int i = 0; i < 2; i++) {
        (void)apr_thread_join(&unused, threads[i]);
    }
    apr_pool_destroy(pool);
    CU_ASSERT_EQUAL(mproc_list_length(list), 3);
    CHECK_CONTAINER(check_list(list));
    mproc_list_close(list);
}

static const testlib_case cases[] = {
    {"is_a_list", test_list__is_a_list},
    {"slices_as_python_does", test_list__slices_as_python_does},
    {"refuses_what_cannot_be", test_list__refuses_what_cannot_be},
    {"is_as_a_plain_one", test_list__is_as_a_plain_one},
    {"reuses_memory", test_list__reuses_memory},
#ifdef MPROC_KILLPOINTS
    {"survives_want_of_memory", test_list__survives_want_of_memory},
#endif
    {"holds_objects", test_list__holds_objects},
    {"is_a_queue_for_many", test_list__is_a_queue_for_many},
    {"is_safe_with_threads", test_list__is_safe_with_threads},
};

PROCESS_TEST_MAIN("object.list", cases)
