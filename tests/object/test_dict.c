/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dict.c: mproc_dict: like a plain dict whatever is done to it, by many at once, and when some are
 * killed.
 */
#include "object/container_check.h"
#include "object/sync_test.h"

#include "base/alloc.h"

#include <apr_general.h>

static mproc_dict *make_dict(mproc_value map)
{
    mproc_dict *dict = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_dict_create(&dict), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_dict_update(dict, map), MPROC_OK);
    return dict;
}

static bool is_item(const mproc_dict *dict, mproc_value key, mproc_value wanted)
{
    mproc_value value = MPROC_NIL_VALUE;
    bool is = mproc_dict_get(dict, key, &value) == MPROC_OK && mproc_value_equal(&value, &wanted);
    mproc_value_clear(&value);
    return is;
}

/** Whether it has these items in this order and no others; `wanted` is a map. */
static bool is_dict(const mproc_dict *dict, mproc_value wanted)
{
    mproc_value all = MPROC_NIL_VALUE;
    bool is = mproc_dict_items(dict, &all) == MPROC_OK && mproc_value_equal(&all, &wanted) &&
              mproc_dict_length(dict) == wanted.as.map.count;
    mproc_value_clear(&all);
    return is;
}

/* ---- one process ----------------------------------------------------------------------------- */

static void test_dict__is_a_dict(void)
{
    mproc_value value = MPROC_NIL_VALUE;
    mproc_dict *dict = make_dict(MPROC_EMPTY_MAP);
    CU_ASSERT(is_dict(dict, MPROC_EMPTY_MAP));
    CU_ASSERT_EQUAL(mproc_dict_get(dict, MPROC_VALUE("a"), &value), MPROC_ENOENT);
    CU_ASSERT_EQUAL(mproc_dict_set(dict, MPROC_VALUE("b"), MPROC_VALUE(2)), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_dict_set(dict, MPROC_VALUE("a"), MPROC_VALUE("a longer one")), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_dict_set(dict, MPROC_VALUE("b"), MPROC_VALUE(3)), MPROC_OK);
    CU_ASSERT(is_dict(dict, MPROC_MAP(MPROC_PAIR("b", 3), MPROC_PAIR("a", "a longer one"))));
    CU_ASSERT_EQUAL(mproc_dict_contains(dict, MPROC_VALUE("a")), 1);
    CU_ASSERT_EQUAL(mproc_dict_contains(dict, MPROC_VALUE("c")), 0);
    CU_ASSERT_EQUAL(mproc_dict_pop(dict, MPROC_VALUE("c"), &value), MPROC_ENOENT);
    CU_ASSERT_EQUAL(mproc_dict_pop(dict, MPROC_VALUE("b"), &value), MPROC_OK);
    CU_ASSERT(value.type == MPROC_INT && value.as.integer == 3);
    CU_ASSERT_EQUAL(mproc_dict_update(dict, MPROC_MAP(MPROC_PAIR("b", 1), MPROC_PAIR("c", 2),
                                                      MPROC_PAIR("b", 3), MPROC_PAIR("a", 4))),
                    MPROC_OK);
    CU_ASSERT(is_dict(dict, MPROC_MAP(MPROC_PAIR("a", 4), MPROC_PAIR("b", 3), MPROC_PAIR("c", 2))));
    CU_ASSERT_EQUAL(mproc_dict_keys(dict, &value), MPROC_OK);
    CU_ASSERT(mproc_value_equal(&value, &MPROC_VALUES(MPROC_LIST("a", "b", "c"))[0]));
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(mproc_dict_values(dict, &value), MPROC_OK);
    CU_ASSERT(mproc_value_equal(&value, &MPROC_VALUES(MPROC_LIST(4, 3, 2))[0]));
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(mproc_dict_get_many(dict, MPROC_VALUES("c", "none", "a"), 3, &value), MPROC_OK);
    CU_ASSERT(mproc_value_equal(&value, &MPROC_VALUES(MPROC_LIST(2, MPROC_NIL_VALUE, 4))[0]));
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(mproc_dict_get_many(dict, NULL, 0, &value), MPROC_OK);
    CU_ASSERT(value.type == MPROC_LIST && value.as.list.count == 0);
    CHECK_CONTAINER(check_dict(dict));
    CU_ASSERT_EQUAL(mproc_dict_clear(dict), MPROC_OK);
    CU_ASSERT(is_dict(dict, MPROC_EMPTY_MAP));
    CU_ASSERT_EQUAL(mproc_dict_set(dict, MPROC_VALUE(1), MPROC_VALUE(2)), MPROC_OK);
    CU_ASSERT(is_dict(dict, MPROC_MAP(MPROC_PAIR(1, 2))));
    CHECK_CONTAINER(check_dict(dict));
    mproc_dict_close(dict);
}

static void test_dict__tells_keys_apart(void)
{
    const mproc_value keys[] = {
        MPROC_NIL_VALUE,
        MPROC_VALUE((bool)true),
        MPROC_VALUE((bool)false),
        MPROC_VALUE(0),
        MPROC_VALUE(1),
        MPROC_VALUE(-1),
        MPROC_VALUE(INT64_MIN),
        MPROC_VALUE(UINT64_MAX),
        MPROC_VALUE(0.0),
        MPROC_VALUE(1.0),
        MPROC_VALUE(""),
        MPROC_VALUE("1"),
        MPROC_VALUE(mproc_bytes_of("1", 1)),
        MPROC_EMPTY_LIST,
        MPROC_LIST(1),
        MPROC_LIST(1, "1"),
        MPROC_LIST(MPROC_LIST(1), "1"),
    };
    mproc_dict *dict = make_dict(MPROC_EMPTY_MAP);
    for (size_t i = 0; i < MPROC__COUNT(keys); i++) {
        CU_ASSERT_EQUAL(mproc_dict_contains(dict, keys[i]), 0);
        CU_ASSERT_EQUAL(mproc_dict_set(dict, keys[i], MPROC_VALUE(i)), MPROC_OK);
    }
    for (size_t i = 0; i < MPROC__COUNT(keys); i++) {
        CU_ASSERT(is_item(dict, keys[i], MPROC_VALUE(i)));
    }
    CU_ASSERT_EQUAL(mproc_dict_length(dict), MPROC__COUNT(keys));
    CHECK_CONTAINER(check_dict(dict));
    mproc_dict_close(dict);
}

static void test_dict__counts_and_compares(void)
{
    int64_t sum = 99;
    mproc_value value = MPROC_NIL_VALUE;
    const mproc_value key = MPROC_VALUE("n");
    mproc_dict *dict = make_dict(MPROC_MAP(MPROC_PAIR("text", "x"), MPROC_PAIR("big", UINT64_MAX)));
    CU_ASSERT_EQUAL(mproc_dict_increment(dict, key, 5, &sum), MPROC_OK);
    CU_ASSERT_EQUAL(sum, 5);
    CU_ASSERT_EQUAL(mproc_dict_increment(dict, key, -7, NULL), MPROC_OK);
    CU_ASSERT(is_item(dict, key, MPROC_VALUE(-2)));
    CU_ASSERT_EQUAL(mproc_dict_increment(dict, key, INT64_MIN, &sum), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_dict_increment(dict, key, INT64_MAX, &sum), MPROC_OK);
    CU_ASSERT_EQUAL(sum, INT64_MAX - 2);
    CU_ASSERT_EQUAL(mproc_dict_increment(dict, key, 3, NULL), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_dict_increment(dict, MPROC_VALUE("text"), 1, NULL), MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_dict_increment(dict, MPROC_VALUE("big"), 1, NULL), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_dict_compare_and_set(dict, key, MPROC_VALUE(1), MPROC_VALUE(2)), 0);
    CU_ASSERT_EQUAL(mproc_dict_compare_and_set(dict, key, MPROC_VALUE(INT64_MAX - 2), key), 1);
    CU_ASSERT(is_item(dict, key, key));
    CU_ASSERT_EQUAL(mproc_dict_compare_and_set(dict, MPROC_VALUE(0), key, key), MPROC_ENOENT);
    CU_ASSERT_EQUAL(mproc_dict_setdefault(dict, key, MPROC_VALUE(1), &value), 0);
    CU_ASSERT(mproc_value_equal(&value, &key));
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(mproc_dict_setdefault(dict, MPROC_VALUE("new"), MPROC_LIST(1), &value), 1);
    CU_ASSERT(value.type == MPROC_LIST && is_item(dict, MPROC_VALUE("new"), value));
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(mproc_dict_setdefault(dict, MPROC_VALUE("new"), MPROC_LIST(1), NULL), 0);
    CHECK_CONTAINER(check_dict(dict));
    mproc_dict_close(dict);
}

static void test_dict__refuses_what_cannot_be(void)
{
    static char text[5000];
    mproc_value value = MPROC_NIL_VALUE;
    mproc_dict *dict = make_dict(MPROC_MAP(MPROC_PAIR(1, 2)));
    const mproc_value one = MPROC_VALUE(1);
    const mproc_value no_keys[] = {MPROC_MAP(MPROC_PAIR(1, 2)), MPROC_LIST(1, MPROC_EMPTY_MAP),
                                   MPROC_VALUE(dict), MPROC_LIST(dict)};
    for (size_t i = 0; i < MPROC__COUNT(no_keys); i++) {
        CU_ASSERT_EQUAL(mproc_dict_set(dict, no_keys[i], one), MPROC_ETYPE);
        CU_ASSERT_EQUAL(mproc_dict_get(dict, no_keys[i], &value), MPROC_ETYPE);
        CU_ASSERT_EQUAL(mproc_dict_contains(dict, no_keys[i]), MPROC_ETYPE);
        const mproc_value map = MPROC_MAP(MPROC_PAIR(1, 5), MPROC_PAIR(no_keys[i], 1));
        CU_ASSERT_EQUAL(mproc_dict_update(dict, map), MPROC_ETYPE);
    }
    memset(text, 'x', sizeof(text) - 1);
    CU_ASSERT_EQUAL(mproc_dict_set(dict, MPROC_VALUE((const char *)text), one), MPROC_ETOOBIG);
    CU_ASSERT_EQUAL(mproc_dict_update(dict, one), MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_dict_create(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_set(NULL, one, one), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_update(NULL, one), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_get(NULL, one, &value), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_get(dict, one, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_contains(NULL, one), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_get_many(NULL, &one, 1, &value), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_get_many(dict, no_keys, 1, &value), MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_dict_setdefault(NULL, one, one, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_pop(NULL, one, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_increment(NULL, one, 1, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_compare_and_set(NULL, one, one, one), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_clear(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_items(NULL, &value), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_dict_length(NULL), 0);
    text[4000] = '\0';
    CU_ASSERT_EQUAL(mproc_dict_set(dict, MPROC_VALUE((const char *)text), one), MPROC_OK);
    CU_ASSERT(is_item(dict, MPROC_VALUE((const char *)text), one));
    CU_ASSERT(is_item(dict, one, MPROC_VALUE(2)));
    CHECK_CONTAINER(check_dict(dict));
    mproc_dict_close(NULL);
    mproc_dict_close(dict);
}

/* ---- beside a plain dict ----------------------------------------------------------------------- */

#define N_KEYS 400u

static struct {
    mproc_pair pair[N_KEYS];
    size_t count;
} plain;

static size_t plain_find(mproc_value key)
{
    size_t i = 0;
    while (i < plain.count && !mproc_value_equal(&plain.pair[i].key, &key)) {
        i++;
    }
    return i;
}

/** Takes both over. */
static void plain_set(mproc_value key, mproc_value value)
{
    size_t at = plain_find(key);
    if (at == plain.count) {
        plain.pair[at].key = key;
        plain.count++;
    } else {
        mproc_value_clear(&key);
        mproc_value_clear(&plain.pair[at].value);
    }
    plain.pair[at].value = value;
}

static void plain_remove(size_t at)
{
    mproc_value_clear(&plain.pair[at].key);
    mproc_value_clear(&plain.pair[at].value);
    plain.count--;
    memmove(&plain.pair[at], &plain.pair[at + 1], (plain.count - at) * sizeof(plain.pair[0]));
}

static mproc_value any_key(void)
{
    return random_key(testlib_random(), N_KEYS);
}

static void do_set(mproc_dict *dict)
{
    const mproc_value key = any_key();
    const mproc_value value = random_value(testlib_random());
    CU_ASSERT_EQUAL(mproc_dict_set(dict, key, value), MPROC_OK);
    plain_set(key, value);
}

static void do_update(mproc_dict *dict)
{
    mproc_pair pairs[12];
    size_t n = testlib_random() % MPROC__COUNT(pairs);
    for (size_t i = 0; i < n; i++) {
        pairs[i] = (mproc_pair){any_key(), random_value(testlib_random())};
    }
    CU_ASSERT_EQUAL(mproc_dict_update(dict, mproc__value_map(pairs, n)), MPROC_OK);
    for (size_t i = 0; i < n; i++) {
        plain_set(pairs[i].key, pairs[i].value);
    }
}

static void do_pop(mproc_dict *dict)
{
    mproc_value key = any_key();
    mproc_value value = MPROC_NIL_VALUE;
    size_t at = plain_find(key);
    bool is_read = testlib_random() % 2 == 0;
    CU_ASSERT_EQUAL(mproc_dict_pop(dict, key, is_read ? &value : NULL),
                    at < plain.count ? MPROC_OK : MPROC_ENOENT);
    if (at < plain.count) {
        CU_ASSERT(!is_read || mproc_value_equal(&value, &plain.pair[at].value));
        plain_remove(at);
    }
    mproc_value_clear(&value);
    mproc_value_clear(&key);
}

static void do_increment(mproc_dict *dict)
{
    mproc_value key = any_key();
    size_t at = plain_find(key);
    int64_t sum = (int32_t)testlib_random();
    bool is_there = at < plain.count;
    bool is_integer = !is_there || plain.pair[at].value.type == MPROC_INT;
    int64_t wanted = sum + (is_there && is_integer ? plain.pair[at].value.as.integer : 0);
    CU_ASSERT_EQUAL(mproc_dict_increment(dict, key, sum, &sum),
                    is_integer ? MPROC_OK : MPROC_ETYPE);
    CU_ASSERT(!is_integer || sum == wanted);
    if (is_integer) {
        plain_set(key, mproc__value_int(wanted));
    } else {
        mproc_value_clear(&key);
    }
}

static void do_read(const mproc_dict *dict)
{
    mproc_value key = any_key();
    mproc_value value = MPROC_NIL_VALUE;
    size_t at = plain_find(key);
    CU_ASSERT_EQUAL(mproc_dict_get(dict, key, &value), at < plain.count ? MPROC_OK : MPROC_ENOENT);
    CU_ASSERT(at == plain.count || mproc_value_equal(&value, &plain.pair[at].value));
    mproc_value_clear(&value);
    mproc_value_clear(&key);
}

static void do_one(mproc_dict *dict, bool is_growing)
{
    uint32_t what = testlib_random() % 100;
    if (what == 0 && testlib_random() % 20 == 0) {
        CU_ASSERT_EQUAL(mproc_dict_clear(dict), MPROC_OK);
        while (plain.count > 0) {
            plain_remove(plain.count - 1);
        }
    } else if (what < (is_growing ? 40 : 20)) {
        do_set(dict);
    } else if (what < (is_growing ? 45 : 22)) {
        do_update(dict);
    } else if (what < 60) {
        do_pop(dict);
    } else if (what < 75) {
        do_increment(dict);
    } else {
        do_read(dict);
    }
}

static void test_dict__is_as_a_plain_one(void)
{
    const mproc_arena_stats before = settled_stats();
    mproc_dict *dict = make_dict(MPROC_EMPTY_MAP);
    long steps = testlib_count(20000, 2000000);
    for (long i = 0; i < steps; i++) {
        do_one(dict, i / 3000 % 2 == 0);
        if (i % 500 == 0) {
            CU_ASSERT(is_dict(dict, mproc__value_map(plain.pair, plain.count)));
            CHECK_CONTAINER(check_dict(dict));
        }
    }
    CU_ASSERT(is_dict(dict, mproc__value_map(plain.pair, plain.count)));
    while (plain.count > 0) {
        plain_remove(plain.count - 1);
    }
    mproc_dict_close(dict);
    const mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void test_dict__reuses_memory(void)
{
    mproc_arena_stats stats[2];
    mproc_dict *dict = make_dict(MPROC_EMPTY_MAP);
    for (int i = 0; i < 20000; i++) {
        uint32_t salt = (uint32_t)i * 7919;
        mproc_value value = random_value(salt);
        CU_ASSERT_EQUAL(mproc_dict_set(dict, MPROC_VALUE(i), value), MPROC_OK);
        mproc_value_clear(&value);
        CU_ASSERT(i < 100 || mproc_dict_pop(dict, MPROC_VALUE(i - 100), NULL) == MPROC_OK);
        if (i == 9999) {
            CU_ASSERT_EQUAL(mproc_arena_get_stats(&stats[0]), MPROC_OK);
        }
    }
    CU_ASSERT_EQUAL(mproc_arena_get_stats(&stats[1]), MPROC_OK);
    CU_ASSERT(stats[1].live_bytes < stats[0].live_bytes + stats[0].live_bytes / 2 + 65536);
    CHECK_CONTAINER(check_dict(dict));
    mproc_dict_close(dict);
}

#ifdef MPROC_KILLPOINTS
static int use_somehow(mproc_dict *dict, int what, mproc_value *ret_value)
{
    const mproc_value key = MPROC_VALUE("key");
    switch (what) {
    case 0:
        return mproc_dict_items(dict, ret_value);
    case 1:
        return mproc_dict_setdefault(dict, MPROC_VALUE("new"), MPROC_LIST("some text"), ret_value);
    case 2:
        return mproc_dict_pop(dict, key, ret_value);
    default:
        return mproc_dict_update(dict, MPROC_MAP(MPROC_PAIR(1, 2), MPROC_PAIR(3, 4)));
    }
}

/** Each allocation of a call fails in turn: then nothing has changed. */
static void test_dict__survives_want_of_memory(void)
{
    mproc_dict *dict = make_dict(MPROC_MAP(MPROC_PAIR("key", "a text of some length")));
    CU_ASSERT_EQUAL(mproc_dict_set(dict, MPROC_VALUE("self"), MPROC_VALUE(dict)), MPROC_OK);
    for (int what = 0; what < 4; what++) {
        size_t length = mproc_dict_length(dict);
        for (uint32_t n = 1;; n++) {
            mproc_value value = MPROC_NIL_VALUE;
            mproc__alloc_fail_after = n;
            int rc = use_somehow(dict, what, &value);
            bool has_failed = mproc__alloc_fail_after == 0;
            mproc__alloc_fail_after = 0;
            mproc_value_clear(&value);
            CU_ASSERT(has_failed ? rc == MPROC_ENOMEM : rc >= 0);
            CU_ASSERT(!has_failed || mproc_dict_length(dict) == length);
            CHECK_CONTAINER(check_dict(dict));
            if (!has_failed) {
                break;
            }
        }
    }
    CU_ASSERT_EQUAL(mproc_dict_clear(dict), MPROC_OK);
    mproc_dict_close(dict);
}
#endif

/* ---- objects --------------------------------------------------------------------------------- */

static int use_nested(const mproc_args *args)
{
    mproc_dict *dict;
    mproc_value value;
    mproc_list *list;
    CHILD_CHECK(MPROC_UNPACK(args, &dict) == 0);
    CHILD_CHECK(mproc_dict_get(dict, MPROC_VALUE("list"), &value) == 0);
    const mproc_args one = {1, &value};
    CHILD_CHECK(MPROC_UNPACK(&one, &list) == 0);
    CHILD_CHECK(mproc_list_append(list, MPROC_VALUE("by a child"), NULL) == 0);
    CHILD_CHECK(mproc_dict_set(dict, MPROC_VALUE("lists"), MPROC_LIST(list, list)) == 0);
    CHILD_CHECK(mproc_dict_pop(dict, MPROC_VALUE("list"), NULL) == 0);
    mproc_value_clear(&value);
    return 0;
}

static void test_dict__holds_objects(void)
{
    const mproc_arena_stats before = settled_stats();
    mproc_value value = MPROC_NIL_VALUE;
    mproc_list *list = NULL;
    mproc_list *same = NULL;
    mproc_dict *dict = make_dict(MPROC_EMPTY_MAP);
    CU_ASSERT_EQUAL_FATAL(mproc_list_create(&list), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_dict_set(dict, MPROC_VALUE("list"), MPROC_VALUE(list)), MPROC_OK);
    CU_ASSERT_EQUAL(
        mproc_dict_compare_and_set(dict, MPROC_VALUE("list"), MPROC_VALUE(list), MPROC_VALUE(list)),
        1);
    mproc_list_close(list);
    CU_ASSERT_EQUAL(end_of(start(use_nested, MPROC_ARGS(dict))), 0);
    CHECK_CONTAINER(check_dict(dict));
    CU_ASSERT_EQUAL(mproc_dict_values(dict, &value), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(value.as.list.count, 1);
    CU_ASSERT_EQUAL(MPROC_UNPACK_LIST(&value.as.list.items[0], &list, &same), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_list_length(list), 1);
    mproc_dict_close(dict);
    CU_ASSERT_EQUAL(mproc_list_append(same, MPROC_NIL_VALUE, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_list_length(list), 2);
    mproc_value_clear(&value);
    const mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- many at once ---------------------------------------------------------------------------- */

#define N_CHILDREN 3
#define N_COUNTERS 50u

/** Move units between counters, and keep a total by increments. */
static int count_up(const mproc_args *args)
{
    mproc_dict *dict;
    mproc_block *block;
    uint32_t who;
    uint32_t n;
    CHILD_CHECK(MPROC_UNPACK(args, &dict, &block, &who, &n) == 0);
    meet(block, N_CHILDREN);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t key = (i * 7 + who) % N_COUNTERS;
        const mproc_value both = MPROC_MAP(MPROC_PAIR("left", i), MPROC_PAIR("right", i));
        CHILD_CHECK(mproc_dict_increment(dict, MPROC_VALUE(key), 1, NULL) == 0);
        CHILD_CHECK(i % 8 != 0 || mproc_dict_update(dict, both) == 0);
    }
    return 0;
}

/** No increment is lost, and what is set in one call is seen in one. */
static void test_dict__counts_for_many(void)
{
    mproc_process *children[N_CHILDREN];
    mproc_dict *dict = make_dict(MPROC_MAP(MPROC_PAIR("left", 0), MPROC_PAIR("right", 0)));
    mproc_block *block = make_words(1);
    uint32_t n = (uint32_t)testlib_count(3000, 300000);
    int64_t sum = 0;
    for (uint32_t i = 0; i < N_CHILDREN; i++) {
        children[i] = start(count_up, MPROC_ARGS(dict, block, i, n));
    }
    while (sum < (int64_t)n * N_CHILDREN) {
        mproc_value all;
        sum = 0;
        CU_ASSERT_EQUAL_FATAL(mproc_dict_items(dict, &all), MPROC_OK);
        CU_ASSERT_FATAL(mproc_value_find(&all, "left")->as.integer ==
                        mproc_value_find(&all, "right")->as.integer);
        for (size_t i = 0; i < all.as.map.count; i++) {
            const mproc_pair *pair = &all.as.map.pairs[i];
            sum += pair->key.type == MPROC_INT ? pair->value.as.integer : 0;
        }
        mproc_value_clear(&all);
    }
    for (uint32_t i = 0; i < N_CHILDREN; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    CU_ASSERT_EQUAL(sum, (int64_t)n * N_CHILDREN);
    CHECK_CONTAINER(check_dict(dict));
    mproc_block_close(block);
    mproc_dict_close(dict);
}

/* ---- threads, for the sanitizer -------------------------------------------------------------- */

static void use_much(mproc_dict *dict)
{
    for (uint32_t i = 0; i < 2000; i++) {
        mproc_value key = random_key(i * 17, N_KEYS);
        mproc_value value = random_value(i * 31);
        CHILD_CHECK(mproc_dict_set(dict, key, value) == 0);
        CHILD_CHECK(mproc_dict_increment(dict, MPROC_VALUE("counter"), 1, NULL) == 0);
        mproc_value_clear(&value);
        int rc = mproc_dict_pop(dict, key, &value);
        CHILD_CHECK(rc == 0 || rc == MPROC_ENOENT);
        mproc_value_clear(&value);
        mproc_value_clear(&key);
        (void)mproc_dict_length(dict);
    }
}

static void *APR_THREAD_FUNC use_in_thread(apr_thread_t *thread, void *arg)
{
    use_much(arg); // apart: the sanitizer does not like variables in a frame that is never left
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_dict__is_safe_with_threads(void)
{
    apr_pool_t *pool;
    apr_thread_t *threads[2];
    apr_status_t unused;
    mproc_dict *dict = make_dict(MPROC_EMPTY_MAP);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, use_in_thread, dict, pool),
                              APR_SUCCESS);
    }
    for (int i = 0; i < 2; i++) {
        (void)apr_thread_join(&unused, threads[i]);
    }
    apr_pool_destroy(pool);
    CU_ASSERT(is_dict(dict, MPROC_MAP(MPROC_PAIR("counter", 4000))));
    CHECK_CONTAINER(check_dict(dict));
    mproc_dict_close(dict);
}

static const testlib_case cases[] = {
    {"is_a_dict", test_dict__is_a_dict},
    {"tells_keys_apart", test_dict__tells_keys_apart},
    {"counts_and_compares", test_dict__counts_and_compares},
    {"refuses_what_cannot_be", test_dict__refuses_what_cannot_be},
    {"is_as_a_plain_one", test_dict__is_as_a_plain_one},
    {"reuses_memory", test_dict__reuses_memory},
#ifdef MPROC_KILLPOINTS
    {"survives_want_of_memory", test_dict__survives_want_of_memory},
#endif
    {"holds_objects", test_dict__holds_objects},
    {"counts_for_many", test_dict__counts_for_many},
    {"is_safe_with_threads", test_dict__is_safe_with_threads},
};

PROCESS_TEST_MAIN("object.dict", cases)
