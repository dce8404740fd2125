/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shareable_list.c: mproc_shareable_list: types, limits, and whole values whoever is killed.
 */
#include "base/check.h"
#include "object/sync_test.h"

#include <apr_general.h>
#include <limits.h>
#include <math.h>

typedef mproc_shareable_list list_type;

static list_type *make_list(const mproc_value *values, size_t count, size_t slot_bytes)
{
    const mproc_shareable_list_options options = {.slot_bytes = slot_bytes};
    list_type *list = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_shareable_list_create(&list, values, count, &options), MPROC_OK);
    return list;
}

/** Whether an item is this value, NaN and size and all. */
static bool is_item(const list_type *list, size_t index, mproc_value wanted)
{
    mproc_value value = MPROC_NIL_VALUE;
    bool is = mproc_shareable_list_get(list, index, &value) == MPROC_OK &&
              mproc_value_equal(&value, &wanted);
    is = is && (value.type != MPROC_STRING || value.as.string.data[value.as.string.size] == '\0');
    mproc_value_clear(&value);
    return is;
}

/* ---- one process ----------------------------------------------------------------------------- */

static void test_list__keeps_every_type(void)
{
    const mproc_value with_nuls = {.type = MPROC_STRING, .as.string = {"a\0b\0\0", 5}};
    const mproc_value values[] = {
        MPROC_NIL_VALUE,
        MPROC_VALUE((bool)true),
        MPROC_VALUE((bool)false),
        MPROC_VALUE(INT64_MIN),
        MPROC_VALUE(INT64_MAX),
        MPROC_VALUE(UINT64_MAX),
        MPROC_VALUE(-1.5e300),
        MPROC_VALUE(HUGE_VAL),
        MPROC_VALUE(""),
        MPROC_VALUE("a string of some length"),
        with_nuls,
        MPROC_VALUE(mproc_bytes_of("", 0)),
        MPROC_VALUE(mproc_bytes_of("\0\xff\0", 3)),
    };
    const size_t count = MPROC__COUNT(values);
    list_type *list = make_list(values, count, 0);
    CU_ASSERT_EQUAL(mproc_shareable_list_length(list), count);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(is_item(list, i, values[i]));
        CU_ASSERT(mproc_shareable_list_capacity(list, i) >= 8);
    }
    // Each slot holds each type that fits, one after the other.
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            bool fits = values[k].type != MPROC_STRING ||
                        values[k].as.string.size <= mproc_shareable_list_capacity(list, i);
            int rc = mproc_shareable_list_set(list, i, values[k]);
            CU_ASSERT_EQUAL(rc, fits ? MPROC_OK : MPROC_ETOOBIG);
            CU_ASSERT(!fits || is_item(list, i, values[k]));
        }
    }
    mproc_shareable_list_close(list);
}

static void test_list__has_limits(void)
{
    static const char text[] = "0123456789abcdef0";
    const mproc_value *values = MPROC_VALUES(1, "four", "0123456789");
    list_type *list = make_list(values, 3, 0);
    CU_ASSERT_EQUAL(mproc_shareable_list_capacity(list, 0), 8);
    CU_ASSERT_EQUAL(mproc_shareable_list_capacity(list, 1), 8);
    CU_ASSERT_EQUAL(mproc_shareable_list_capacity(list, 2), 16);
    CU_ASSERT_EQUAL(mproc_shareable_list_capacity(list, 3), 0);
    for (size_t i = 0; i < 3; i++) {
        for (size_t size = 0; size < sizeof(text); size++) {
            bool fits = size <= mproc_shareable_list_capacity(list, i);
            const mproc_value value = MPROC_VALUE(mproc_bytes_of(text, size));
            CU_ASSERT_EQUAL(mproc_shareable_list_set(list, i, MPROC_VALUE("before")), MPROC_OK);
            CU_ASSERT_EQUAL(mproc_shareable_list_set(list, i, value),
                            fits ? MPROC_OK : MPROC_ETOOBIG);
            CU_ASSERT(is_item(list, i, fits ? value : MPROC_VALUE("before")));
        }
    }
    CU_ASSERT(is_item(list, 0, MPROC_VALUE("before"))); // nobody has written beyond his slot
    mproc_shareable_list_close(list);
    list = make_list(values, 3, 100);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_shareable_list_capacity(list, i), 104);
        CU_ASSERT(is_item(list, i, values[i]));
    }
    mproc_shareable_list_close(list);
}

static void test_list__refuses_what_it_cannot_hold(void)
{
    list_type *list = NULL;
    list_type *none = NULL;
    mproc_value value;
    size_t n;
    const mproc_shareable_list_options huge = {.slot_bytes = SIZE_MAX};
    CU_ASSERT_EQUAL(mproc_shareable_list_create(&none, MPROC_VALUES(1, MPROC_LIST(1)), 2, NULL),
                    MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_shareable_list_create(&none, MPROC_VALUES(1), 1, &huge), MPROC_ENOSPC);
    CU_ASSERT_EQUAL(mproc_shareable_list_create(&none, NULL, 1, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shareable_list_create(NULL, NULL, 0, NULL), MPROC_EINVAL);
    list = make_list(NULL, 0, 0);
    CU_ASSERT_EQUAL(mproc_shareable_list_length(list), 0);
    CU_ASSERT_EQUAL(mproc_shareable_list_get(list, 0, &value), MPROC_ERANGE);
    mproc_shareable_list_close(list);
    list = make_list(MPROC_VALUES(1, 2), 2, 0);
    CU_ASSERT_EQUAL(mproc_shareable_list_get(list, 2, &value), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_shareable_list_get(list, SIZE_MAX, &value), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_shareable_list_set(list, 2, MPROC_NIL_VALUE), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_shareable_list_set(list, 0, MPROC_MAP(MPROC_PAIR(1, 2))), MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_shareable_list_set(list, 0, MPROC_VALUE(list)), MPROC_ETYPE);
    CU_ASSERT(is_item(list, 0, MPROC_VALUE(1)) && is_item(list, 1, MPROC_VALUE(2)));
    CU_ASSERT_EQUAL(mproc_shareable_list_get(list, 0, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shareable_list_get(NULL, 0, &value), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shareable_list_set(NULL, 0, MPROC_NIL_VALUE), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shareable_list_count(NULL, MPROC_NIL_VALUE, &n), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shareable_list_index(NULL, MPROC_NIL_VALUE, &n), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shareable_list_length(NULL), 0);
    mproc_shareable_list_close(NULL);
    mproc_shareable_list_close(list);
    CU_ASSERT_PTR_NULL(none);
}

static void test_list__counts_and_finds(void)
{
    list_type *list = make_list(MPROC_VALUES("a", 1, "b", "a", 1.0, "a"), 6, 0);
    size_t n = 99;
    CU_ASSERT_EQUAL(mproc_shareable_list_count(list, MPROC_VALUE("a"), &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT_EQUAL(mproc_shareable_list_count(list, MPROC_VALUE(1), &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_EQUAL(mproc_shareable_list_count(list, MPROC_NIL_VALUE, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 0);
    CU_ASSERT_EQUAL(mproc_shareable_list_index(list, MPROC_VALUE("b"), &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_EQUAL(mproc_shareable_list_index(list, MPROC_VALUE(1.0), &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 4);
    n = 99;
    CU_ASSERT_EQUAL(mproc_shareable_list_index(list, MPROC_VALUE("c"), &n), MPROC_ENOENT);
    CU_ASSERT_EQUAL(n, 99);
    mproc_shareable_list_close(list);
}

/* ---- children -------------------------------------------------------------------------------- */

static int change_all(const mproc_args *args)
{
    list_type *list;
    CHILD_CHECK(MPROC_UNPACK(args, &list) == 0);
    CHILD_CHECK(mproc_shareable_list_length(list) == 3);
    CHILD_CHECK(is_item(list, 0, MPROC_VALUE("Alice")) && is_item(list, 1, MPROC_VALUE(42)));
    CHILD_CHECK(mproc_shareable_list_set(list, 0, MPROC_VALUE(2.5)) == 0);
    CHILD_CHECK(mproc_shareable_list_set(list, 1, MPROC_VALUE("Bob")) == 0);
    CHILD_CHECK(mproc_shareable_list_set(list, 2, MPROC_NIL_VALUE) == 0);
    return 0;
}

static void test_list__is_shared(void)
{
    mproc_arena_stats before = settled_stats();
    list_type *first = make_list(MPROC_VALUES("Alice", 42, 1.5), 3, 0);
    list_type *list = NULL;
    CU_ASSERT_EQUAL(mproc_shareable_list_attach(&list, first), MPROC_OK);
    mproc_shareable_list_close(first);
    CU_ASSERT_EQUAL(end_of(start(change_all, MPROC_ARGS(list))), 0);
    CU_ASSERT(is_item(list, 0, MPROC_VALUE(2.5)));
    CU_ASSERT(is_item(list, 1, MPROC_VALUE("Bob")));
    CU_ASSERT(is_item(list, 2, MPROC_NIL_VALUE));
    mproc_shareable_list_close(list);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- patterns: each byte of one follows from its number, which is also its size ---------------- */

#define LONGEST 200
#define N_SLOTS 3

static mproc_value pattern_of(uint32_t number, char *room)
{
    if (number % 8 == 7) {
        return mproc__value_int((int64_t)number * 0x100000001);
    }
    size_t size = 1 + number % LONGEST;
    for (size_t i = 0; i < size; i++) {
        room[i] = (char)('a' + (size + i * i) % 26);
    }
    mproc_value value = MPROC_VALUE(mproc_bytes_of(room, size));
    if (number % 2 == 0) {
        value.type = MPROC_STRING;
        value.as.string.data = room;
        value.as.string.size = size;
    }
    return value;
}

/** Whether it is one that somebody has written, as a whole. */
static bool is_pattern(const mproc_value *value)
{
    char room[LONGEST];
    if (value->type == MPROC_INT) {
        uint64_t bits = (uint64_t)value->as.integer;
        return bits >> 32 == (bits & UINT32_MAX);
    }
    const char *data = value->type == MPROC_STRING ? value->as.string.data : value->as.bytes.data;
    size_t size = value->type == MPROC_STRING ? value->as.string.size : value->as.bytes.size;
    if ((value->type != MPROC_STRING && value->type != MPROC_BYTES) || size < 1 || size > LONGEST) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        room[i] = (char)('a' + (size + i * i) % 26);
    }
    return memcmp(room, data, size) == 0;
}

static list_type *make_patterns(void)
{
    char room[LONGEST];
    const mproc_value first = pattern_of(0, room);
    return make_list(MPROC_VALUES(first, first, first), N_SLOTS, LONGEST);
}

static bool are_patterns(const list_type *list)
{
    bool are = true;
    for (size_t i = 0; i < N_SLOTS; i++) {
        mproc_value value = MPROC_NIL_VALUE;
        are = are && mproc_shareable_list_get(list, i, &value) == MPROC_OK && is_pattern(&value);
        mproc_value_clear(&value);
    }
    return are;
}

enum { WRITTEN, STOP };

/** Write patterns until told to stop. */
static int write_patterns(const mproc_args *args)
{
    list_type *list;
    mproc_block *block;
    uint32_t number;
    char room[LONGEST];
    CHILD_CHECK(MPROC_UNPACK(args, &list, &block, &number) == 0);
    uint32_t *words = words_of(block);
    for (; mproc__load32_relaxed(&words[STOP]) == 0; number++) {
        const mproc_value value = pattern_of(number, room);
        CHILD_CHECK(mproc_shareable_list_set(list, number % N_SLOTS, value) == 0);
        add_word(&words[WRITTEN]);
    }
    return 0;
}

static void test_list__is_never_torn(void)
{
    mproc_process *writers[2];
    list_type *list = make_patterns();
    mproc_block *block = make_words(2);
    for (uint32_t i = 0; i < 2; i++) {
        writers[i] = start(write_patterns, MPROC_ARGS(list, block, i * 7777));
    }
    bool are_whole = true;
    uint32_t wanted = (uint32_t)testlib_count(20000, 2000000);
    CU_ASSERT(await_word(&words_of(block)[WRITTEN], 1));
    while (are_whole && mproc__load32_acquire(&words_of(block)[WRITTEN]) < wanted) {
        are_whole = are_patterns(list);
    }
    CU_ASSERT(are_whole);
    set_word(&words_of(block)[STOP], 1);
    CU_ASSERT_EQUAL(end_of(writers[0]), 0);
    CU_ASSERT_EQUAL(end_of(writers[1]), 0);
    CU_ASSERT(are_patterns(list));
    mproc_block_close(block);
    mproc_shareable_list_close(list);
}

static void test_list__outlives_killed_writers(void)
{
    char room[LONGEST];
    list_type *list = make_patterns();
    mproc_block *block = make_words(2);
    long rounds = testlib_count(25, 1000);
    for (long round = 0; round < rounds; round++) {
        uint32_t *written = &words_of(block)[WRITTEN];
        uint32_t before = mproc__load32_acquire(written);
        uint32_t number = testlib_random() / 2;
        mproc_process *writer = start(write_patterns, MPROC_ARGS(list, block, number));
        CU_ASSERT(await_word(written, before + 1 + testlib_random() % 50));
        CU_ASSERT_EQUAL(mproc_process_kill(writer), MPROC_OK);
        for (uint32_t i = 0; i < N_SLOTS; i++) { // it may be dying still, and hold the mutex
            const mproc_value value = pattern_of(number + i, room);
            CU_ASSERT(are_patterns(list));
            CU_ASSERT_EQUAL(mproc_shareable_list_set(list, i, value), MPROC_OK);
        }
        CU_ASSERT_EQUAL(end_of(writer), CODE_KILLED);
        for (uint32_t i = 0; i < N_SLOTS; i++) {
            const mproc_value value = pattern_of(number + i, room);
            CU_ASSERT(are_patterns(list));
            CU_ASSERT_EQUAL(mproc_shareable_list_set(list, i, value), MPROC_OK);
            CU_ASSERT(is_item(list, i, value));
        }
    }
    mproc_block_close(block);
    mproc_shareable_list_close(list);
}

/* ---- kill points ----------------------------------------------------------------------------- */

#ifdef MPROC_KILLPOINTS
static const char *deadly;

static void die_at(const char *name)
{
    if (strcmp(name, deadly) == 0) {
        mplat_process_leave(77);
    }
}

static int set_and_die(const mproc_args *args)
{
    list_type *list;
    CHILD_CHECK(MPROC_UNPACK(args, &list, &deadly) == 0);
    mproc__killpoint_fn = die_at;
    return mproc_shareable_list_set(list, 0, MPROC_VALUE("after"));
}
#endif

static void test_list__changes_by_one_store(void)
{
#ifdef MPROC_KILLPOINTS
    static const struct {
        const char *point, *item;
    } deaths[] = {{"list.written", "before"}, {"list.set", "after"}};
    list_type *list = make_list(MPROC_VALUES("before"), 1, 0);
    for (size_t i = 0; i < MPROC__COUNT(deaths); i++) {
        CU_ASSERT_EQUAL(end_of(start(set_and_die, MPROC_ARGS(list, deaths[i].point))), 77);
        CU_ASSERT(is_item(list, 0, MPROC_VALUE(deaths[i].item)));
        CU_ASSERT_EQUAL(mproc_shareable_list_set(list, 0, MPROC_VALUE("before")), MPROC_OK);
        CU_ASSERT(is_item(list, 0, MPROC_VALUE("before")));
    }
    mproc_shareable_list_close(list);
#else
    testlib_skip("built without kill points");
#endif
}

/* ---- threads, for the sanitizer -------------------------------------------------------------- */

static void *APR_THREAD_FUNC write_in_thread(apr_thread_t *thread, void *arg)
{
    char room[LONGEST];
    for (uint32_t number = 0; number < 3000; number++) {
        const mproc_value value = pattern_of(number, room);
        CHILD_CHECK(mproc_shareable_list_set(arg, number % N_SLOTS, value) == 0);
    }
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_list__is_safe_with_threads(void)
{
    apr_pool_t *pool;
    apr_thread_t *threads[2];
    apr_status_t unused;
    list_type *list = make_patterns();
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, write_in_thread, list, pool),
                              APR_SUCCESS);
    }
    for (int i = 0; i < 2000; i++) {
        CU_ASSERT(are_patterns(list));
    }
    for (int i = 0; i < 2; i++) {
        (void)apr_thread_join(&unused, threads[i]);
    }
    apr_pool_destroy(pool);
    mproc_shareable_list_close(list);
}

static const testlib_case cases[] = {
    {"keeps_every_type", test_list__keeps_every_type},
    {"has_limits", test_list__has_limits},
    {"refuses_what_it_cannot_hold", test_list__refuses_what_it_cannot_hold},
    {"counts_and_finds", test_list__counts_and_finds},
    {"is_shared", test_list__is_shared},
    {"is_never_torn", test_list__is_never_torn},
    {"outlives_killed_writers", test_list__outlives_killed_writers},
    {"changes_by_one_store", test_list__changes_by_one_store},
    {"is_safe_with_threads", test_list__is_safe_with_threads},
};

PROCESS_TEST_MAIN("object.shareable_list", cases)
