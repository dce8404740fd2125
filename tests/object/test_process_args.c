/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_process_args.c: what travels to a child: arguments of all types, large ones, shared blocks.
 */
#include "object/process_test.h"

#define LARGE ((size_t)64 << 20)

/* ---- children ---------------------------------------------------------------------------------- */

static int check_all_types(const mproc_args *args)
{
    bool yes;
    char letter;
    short small;
    int64_t lowest;
    uint64_t highest;
    double pi;
    const char *text;
    mproc_bytes bytes;
    mproc_value list;
    mproc_value map;
    mproc_value nil;
    mproc_block *block;
    CHILD_CHECK(args->count == 12);
    CHILD_CHECK(MPROC_UNPACK(args, &yes, &letter, &small, &lowest, &highest, &pi, &text, &bytes,
                             &list, &map, &nil, &block) == 0);
    CHILD_CHECK(yes && letter == 'c' && small == -300);
    CHILD_CHECK(lowest == INT64_MIN && highest == UINT64_MAX);
    CHILD_CHECK(pi > 3.14 && pi < 3.15);
    CHILD_CHECK(strcmp(text, "naïve ☃") == 0);
    CHILD_CHECK(bytes.size == 4 && memcmp(bytes.data, "a\0b", 4) == 0);
    int first;
    const char *second;
    CHILD_CHECK(MPROC_UNPACK_LIST(&list, &first, &second) == 0);
    CHILD_CHECK(first == 1 && strcmp(second, "two") == 0);
    const mproc_value *found = mproc_value_find(&map, "y");
    CHILD_CHECK(found != NULL && found->type == MPROC_INT && found->as.integer == 2);
    CHILD_CHECK(nil.type == MPROC_NIL);
    CHILD_CHECK(mproc_block_size(block) == 16);
    memcpy(mproc_block_data(block), "seen by child", 14);
    return 0;
}

static int check_no_args(const mproc_args *args)
{
    CHILD_CHECK(args != NULL && args->count == 0);
    CHILD_CHECK(MPROC_UNPACK(args) == 0);
    int one;
    CHILD_CHECK(MPROC_UNPACK(args, &one) == MPROC_ECOUNT);
    return 11;
}

static int return_unpacking(const mproc_args *args)
{
    int number;
    return MPROC_UNPACK(args, &number);
}

static int check_large(const mproc_args *args)
{
    mproc_bytes bytes;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &bytes, &block) == 0);
    CHILD_CHECK(bytes.size == LARGE);
    const unsigned char *data = bytes.data;
    for (size_t i = 0; i < LARGE; i += 4096) {
        CHILD_CHECK(data[i] == (unsigned char)(i >> 12));
    }
    CHILD_CHECK(data[LARGE - 1] == 77);
    words_of(block)[0] = 77;
    return 0;
}

/** Wait, then look at the block that the parent has closed by now. */
static int use_after_parent(const mproc_args *args)
{
    mproc_block *block;
    mproc_block *meeting;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &meeting) == 0);
    uint32_t *words = words_of(meeting);
    CHILD_CHECK(await_word(&words[0], 1));
    CHILD_CHECK(strcmp(mproc_block_data(block), "from the parent") == 0);
    // A hold of its own outlives what belongs to the arguments.
    static mproc_block *mine;
    CHILD_CHECK(mproc_block_attach(&mine, block) == 0);
    CHILD_CHECK(mproc_block_data(mine) == mproc_block_data(block));
    set_word(&words[1], 1);
    return 0;
}

static mproc_block *kept;

static void check_kept(void)
{
    // Here the function has returned and its arguments are gone; the attached block is still ours.
    static const char word[] = "from the parent";
    if (memcmp(mproc_block_data(kept), word, sizeof(word)) != 0) {
        _Exit(TESTLIB_CHILD_FAILED);
    }
    mproc_block_close(kept);
    _Exit(33);
}

static int keep_block(const mproc_args *args)
{
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    CHILD_CHECK(mproc_block_attach(&kept, block) == 0);
    CHILD_CHECK(atexit(check_kept) == 0);
    return 0;
}

static int count_in_block(const mproc_args *args)
{
    mproc_block *block;
    int times;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &times) == 0);
    for (int i = 0; i < times; i++) {
        (void)mproc__add32(words_of(block), 1);
    }
    return 0;
}

/* ---- cases ------------------------------------------------------------------------------------- */

static void test_process_args__of_all_types(void)
{
    mproc_block *block;
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, 16), MPROC_OK);
    bool yes = true;
    mproc_process *child = start(
        check_all_types,
        MPROC_ARGS(yes, (char)'c', (short)-300, INT64_MIN, UINT64_MAX, 3.1415, "naïve ☃",
                   mproc_bytes_of("a\0b", 4), MPROC_LIST(1, "two"),
                   MPROC_MAP(MPROC_PAIR("x", 1), MPROC_PAIR("y", 2)), MPROC_NIL_VALUE, block));
    CU_ASSERT_EQUAL(end_of(child), 0);
    CU_ASSERT_STRING_EQUAL(mproc_block_data(block), "seen by child");
    mproc_block_close(block);
}

static void test_process_args__none(void)
{
    const mproc_args none = {0, NULL};
    CU_ASSERT_EQUAL(end_of(start(check_no_args, NULL)), 11);
    CU_ASSERT_EQUAL(end_of(start(check_no_args, &none)), 11);
}

static void test_process_args__wrong_ones_are_the_functions_error(void)
{
    CU_ASSERT_EQUAL(end_of(start(return_unpacking, MPROC_ARGS("no number"))), 1);
    CU_ASSERT_EQUAL(end_of(start(return_unpacking, MPROC_ARGS(1, 2))), 1);
    CU_ASSERT_EQUAL(end_of(start(return_unpacking, MPROC_ARGS(1))), 0);
}

static void test_process_args__large(void)
{
    mproc_arena_stats before = settled_stats();
    unsigned char *data = malloc(LARGE);
    mproc_block *block = make_words(1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    for (size_t i = 0; i < LARGE; i += 4096) {
        data[i] = (unsigned char)(i >> 12);
    }
    data[LARGE - 1] = 77;
    mproc_process *child = start(check_large, MPROC_ARGS(mproc_bytes_of(data, LARGE), block));
    memset(data, 0, LARGE); // they were copied
    free(data);
    CU_ASSERT_EQUAL(end_of(child), 0);
    CU_ASSERT_EQUAL(words_of(block)[0], 77);
    mproc_block_close(block);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_process_args__block_outlives_the_parents_hold(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_block *block;
    mproc_block *meeting = make_words(2);
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, 100000), MPROC_OK);
    memcpy(mproc_block_data(block), "from the parent", 16);
    mproc_process *child = start(use_after_parent, MPROC_ARGS(block, meeting));
    mproc_block_close(block);
    set_word(words_of(meeting), 1);
    CU_ASSERT(await_word(&words_of(meeting)[1], 1));
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc_block_close(meeting);
    // The child has not closed what it attached; its death gave it back.
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_process_args__block_kept_beyond_the_function(void)
{
    if (!method_is("spawn")) {
        testlib_skip("copies run no exit functions");
        return;
    }
    mproc_block *block;
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, 16), MPROC_OK);
    memcpy(mproc_block_data(block), "from the parent", 16);
    mproc_process *child = start(keep_block, MPROC_ARGS(block));
    mproc_block_close(block);
    CU_ASSERT_EQUAL(end_of(child), 33);
}

static void test_process_args__one_block_for_many(void)
{
    mproc_block *block = make_words(1);
    mproc_process *children[8];
    for (int i = 0; i < 8; i++) {
        children[i] = start(count_in_block, MPROC_ARGS(block, 1000));
    }
    for (int i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    CU_ASSERT_EQUAL(words_of(block)[0], 8000);
    mproc_block_close(block);
}

static void test_process_args__too_large(void)
{
    mproc_process *child = NULL;
    mproc_arena_stats before = settled_stats();
    // It is never read: no arena has room for it, and no message of a copy, which needs no arena.
    size_t size = method_is("fork") ? SIZE_MAX / 2 : before.reserved_bytes;
    mproc_bytes huge = mproc_bytes_of("", size);
    int rc = mproc_process_start(&child, check_no_args, MPROC_ARGS(huge), NULL);
    CU_ASSERT(rc == MPROC_ENOSPC || rc == MPROC_ETOOBIG || rc == MPROC_ENOMEM);
    CU_ASSERT_PTR_NULL(child);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
    CU_ASSERT_EQUAL(end_of(start(check_no_args, NULL)), 11);
}

static void test_process_args__malformed(void)
{
    mproc_process *child = NULL;
    mproc_value value = {.type = (mproc_type)99};
    const mproc_args args = {1, &value};
    CU_ASSERT(mproc_process_start(&child, check_no_args, &args, NULL) < 0);
    mproc_value chain[MPROC_VALUE_MAX_DEPTH + 2];
    chain[0] = MPROC_EMPTY_LIST;
    for (size_t i = 1; i < MPROC_VALUE_MAX_DEPTH + 2; i++) {
        chain[i] = mproc__value_list(&chain[i - 1], 1);
    }
    const mproc_args deep = {1, &chain[MPROC_VALUE_MAX_DEPTH + 1]};
    CU_ASSERT_EQUAL(mproc_process_start(&child, check_no_args, &deep, NULL), MPROC_ETOOBIG);
    CU_ASSERT_PTR_NULL(child);
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
}

static const testlib_case cases[] = {
    {"of_all_types", test_process_args__of_all_types},
    {"none", test_process_args__none},
    {"wrong_ones_are_the_functions_error", test_process_args__wrong_ones_are_the_functions_error},
    {"large", test_process_args__large},
    {"block_outlives_the_parents_hold", test_process_args__block_outlives_the_parents_hold},
    {"block_kept_beyond_the_function", test_process_args__block_kept_beyond_the_function},
    {"one_block_for_many", test_process_args__one_block_for_many},
    {"too_large", test_process_args__too_large},
    {"malformed", test_process_args__malformed},
};

PROCESS_TEST_MAIN("object.process_args", cases)
