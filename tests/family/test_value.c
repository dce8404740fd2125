/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_value.c: making values of C variables, copying, comparing, searching and freeing them.
 */
#include "family/value_test.h"

#include "base/alloc.h"
#include "family/object.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static bool is_int(mproc_value value, int64_t x)
{
    return value.type == MPROC_INT && value.as.integer == x && value.owned == NULL;
}

static bool is_string(mproc_value value, const char *text)
{
    return value.type == MPROC_STRING && value.as.string.size == strlen(text) &&
           strcmp(value.as.string.data, text) == 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

static void test_value__is_made_of_every_integer(void)
{
    const char c = 'c';
    const signed char sc = SCHAR_MIN;
    const unsigned char uc = UCHAR_MAX;
    const short s = SHRT_MIN;
    const unsigned short us = USHRT_MAX;
    const int i = INT_MIN;
    const unsigned u = UINT_MAX;
    const long l = LONG_MIN;
    const unsigned long ul = 7;
    const long long ll = LLONG_MIN;
    const unsigned long long ull = LLONG_MAX;
    CU_ASSERT(is_int(MPROC_VALUE(c), 'c'));
    CU_ASSERT(is_int(MPROC_VALUE(sc), SCHAR_MIN));
    CU_ASSERT(is_int(MPROC_VALUE(uc), UCHAR_MAX));
    CU_ASSERT(is_int(MPROC_VALUE(s), SHRT_MIN));
    CU_ASSERT(is_int(MPROC_VALUE(us), USHRT_MAX));
    CU_ASSERT(is_int(MPROC_VALUE(i), INT_MIN));
    CU_ASSERT(is_int(MPROC_VALUE(u), UINT_MAX));
    CU_ASSERT(is_int(MPROC_VALUE(l), LONG_MIN));
    CU_ASSERT(is_int(MPROC_VALUE(ul), 7));
    CU_ASSERT(is_int(MPROC_VALUE(ll), LLONG_MIN));
    CU_ASSERT(is_int(MPROC_VALUE(ull), LLONG_MAX));
    CU_ASSERT(is_int(MPROC_VALUE(sizeof(c)), 1));
}

static void test_value__is_unsigned_only_above_int64(void)
{
    const mproc_value value = MPROC_VALUE((unsigned long long)INT64_MAX + 1);
    CU_ASSERT(value.type == MPROC_UINT);
    CU_ASSERT(value.as.uinteger == (uint64_t)INT64_MAX + 1);
    CU_ASSERT(MPROC_VALUE((unsigned long long)INT64_MAX).type == MPROC_INT);
}

static void test_value__is_made_of_the_other_types(void)
{
    const bool yes = true;
    const float f = 1.5F;
    char text[] = "text";
    const mproc_value list = MPROC_LIST(1, 2);
    const mproc_value real = MPROC_VALUE(f);
    const mproc_value bytes = MPROC_VALUE(mproc_bytes_of(text, 3));
    CU_ASSERT(MPROC_VALUE(yes).type == MPROC_BOOL && MPROC_VALUE(yes).as.boolean);
    CU_ASSERT(real.type == MPROC_DOUBLE && real.as.real == 1.5);
    CU_ASSERT(MPROC_VALUE(0.1).as.real == 0.1);
    CU_ASSERT(is_string(MPROC_VALUE(text), "text"));
    CU_ASSERT(is_string(MPROC_VALUE("literal"), "literal"));
    CU_ASSERT(is_string(MPROC_VALUE((const char *)text), "text"));
    CU_ASSERT(bytes.type == MPROC_BYTES && bytes.as.bytes.data == text && bytes.as.bytes.size == 3);
    CU_ASSERT(mproc_value_equal(&list, &(mproc_value){0}) == false);
    CU_ASSERT(MPROC_VALUE(list).as.list.items == list.as.list.items);
    CU_ASSERT(MPROC_VALUE(&list).as.list.items == list.as.list.items);
    CU_ASSERT(MPROC_VALUE(MPROC_ARGS(1, 2, 3)).as.list.count == 3);
}

static void test_value__of_null_is_nil(void)
{
    const char *text = NULL;
    char *buffer = NULL;
    mproc_block *block = NULL;
    const mproc_value *value = NULL;
    CU_ASSERT(MPROC_VALUE(text).type == MPROC_NIL);
    CU_ASSERT(MPROC_VALUE(buffer).type == MPROC_NIL);
    CU_ASSERT(MPROC_VALUE(block).type == MPROC_NIL);
    CU_ASSERT(MPROC_VALUE(value).type == MPROC_NIL);
    CU_ASSERT(MPROC_NIL_VALUE.type == MPROC_NIL);
}

static void test_value__lists_and_maps_nest(void)
{
    const mproc_value map = MPROC_MAP(MPROC_PAIR("list", MPROC_LIST(1, "two", MPROC_LIST(3.0))),
                                      MPROC_PAIR(2, MPROC_EMPTY_MAP));
    CU_ASSERT(map.type == MPROC_MAP && map.as.map.count == 2);
    const mproc_value *list = mproc_value_find(&map, "list");
    CU_ASSERT_FATAL(list != NULL && list->type == MPROC_LIST && list->as.list.count == 3);
    CU_ASSERT(is_int(list->as.list.items[0], 1));
    CU_ASSERT(is_string(list->as.list.items[1], "two"));
    CU_ASSERT(list->as.list.items[2].as.list.items[0].as.real == 3.0);
    CU_ASSERT(is_int(map.as.map.pairs[1].key, 2));
    CU_ASSERT(map.as.map.pairs[1].value.as.map.count == 0);
    CU_ASSERT(MPROC_EMPTY_LIST.type == MPROC_LIST && MPROC_EMPTY_LIST.as.list.count == 0);
}

static void test_value__args_take_one_to_sixteen(void)
{
    int evaluated = 0;
    const mproc_args *one = MPROC_ARGS(evaluated++);
    const mproc_args *all = MPROC_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    const mproc_value *three = MPROC_VALUES("a", 2, 3.0);
    CU_ASSERT(one->count == 1 && evaluated == 1);
    CU_ASSERT(all->count == 16 && is_int(all->items[15], 16));
    CU_ASSERT(is_string(three[0], "a") && is_int(three[1], 2) && three[2].type == MPROC_DOUBLE);
}

static void test_value__of_a_block_is_that_block(void)
{
    mproc_block *block = NULL;
    CU_ASSERT_FATAL(mproc_block_create(&block, 100) == 0);
    const mproc_value value = MPROC_VALUE(block);
    CU_ASSERT(value.type == MPROC_OBJECT);
    CU_ASSERT(value.as.object == (mproc_object *)block);
    CU_ASSERT(value.as.object->kind == MPROC__KIND_BLOCK);
    CU_ASSERT(value.owned == NULL);
    mproc_block_close(block);
}

/* ---- copying and freeing --------------------------------------------------------------------- */

static void test_value__clear_leaves_nil(void)
{
    mproc_value value = MPROC_VALUE("borrowed");
    mproc_value_clear(&value);
    CU_ASSERT(value.type == MPROC_NIL);
    mproc_value_clear(&value);
    mproc_value_clear(NULL);
}

static void test_value__copy_is_independent(void)
{
    char text[] = "text";
    unsigned char data[3] = {1, 2, 3};
    mproc_value items[] = {MPROC_VALUE(text), MPROC_VALUE(mproc_bytes_of(data, 3)), MPROC_VALUE(9)};
    const mproc_value list = MPROC_VALUE((&(mproc_args){3, items}));
    const mproc_value map = MPROC_MAP(MPROC_PAIR("list", list), MPROC_PAIR(-1, MPROC_EMPTY_LIST),
                                      MPROC_PAIR(MPROC_NIL_VALUE, mproc_bytes_of("", 0)));
    mproc_value copy;
    CU_ASSERT_FATAL(mproc_value_copy(&copy, &map) == 0);
    CU_ASSERT(mproc_value_equal(&copy, &map));
    text[0] = 'n';
    data[0] = 0;
    items[2] = MPROC_NIL_VALUE;
    CU_ASSERT(!mproc_value_equal(&copy, &map));
    const mproc_value *copied = mproc_value_find(&copy, "list");
    CU_ASSERT(copied != NULL && is_string(copied->as.list.items[0], "text"));
    CU_ASSERT(copied != NULL && is_int(copied->as.list.items[2], 9));
    mproc_value_clear(&copy);
}

static void test_value__copy_ends_strings(void)
{
    mproc_value part = MPROC_VALUE("a\0long one");
    part.as.string.size = 3;
    mproc_value copy;
    CU_ASSERT_FATAL(mproc_value_copy(&copy, &part) == 0);
    CU_ASSERT(copy.as.string.size == 3);
    CU_ASSERT(memcmp(copy.as.string.data, "a\0l\0", 4) == 0);
    mproc_value_clear(&copy);
}

static void test_value__copy_may_replace_its_source(void)
{
    mproc_value value = MPROC_LIST("a", "b");
    CU_ASSERT_FATAL(mproc_value_copy(&value, &value) == 0);
    CU_ASSERT(value.owned != NULL);
    CU_ASSERT(is_string(value.as.list.items[1], "b"));
    mproc_value_clear(&value);
}

/* A list in a list, `depth` times, around nil. */
static mproc_value nested(mproc_value *storage, size_t depth)
{
    mproc_value inner = MPROC_NIL_VALUE;
    for (size_t i = 0; i < depth; i++) {
        storage[i] = inner;
        inner = mproc__value_list(&storage[i], 1);
    }
    return inner;
}

static void test_value__copy_limits_depth(void)
{
    mproc_value storage[MPROC_VALUE_MAX_DEPTH + 1];
    mproc_value copy = MPROC_VALUE(5);
    const mproc_value deepest = nested(storage, MPROC_VALUE_MAX_DEPTH);
    CU_ASSERT_FATAL(mproc_value_copy(&copy, &deepest) == 0);
    CU_ASSERT(mproc_value_equal(&copy, &deepest));
    mproc_value_clear(&copy);
    const mproc_value deeper = nested(storage, MPROC_VALUE_MAX_DEPTH + 1);
    CU_ASSERT(mproc_value_copy(&copy, &deeper) == MPROC_ETOOBIG);
    CU_ASSERT(!mproc_value_equal(&deeper, &deeper));
}

static void test_value__copy_refuses_what_is_no_value(void)
{
    mproc_value copy = MPROC_VALUE(5);
    mproc_value bad = MPROC_NIL_VALUE;
    bad.type = (mproc_type)77;
    CU_ASSERT(mproc_value_copy(&copy, &bad) == MPROC_EINVAL);
    CU_ASSERT(mproc_value_copy(&copy, NULL) == MPROC_EINVAL);
    CU_ASSERT(mproc_value_copy(NULL, &bad) == MPROC_EINVAL);
    bad.type = MPROC_OBJECT;
    bad.as.object = NULL;
    CU_ASSERT(mproc_value_copy(&copy, &bad) == MPROC_EINVAL);
    CU_ASSERT(is_int(copy, 5));
}

static void test_value__copy_holds_objects(void)
{
    mproc_block *block = NULL;
    mproc_value copy = MPROC_NIL_VALUE;
    const size_t before = live_blocks();
    CU_ASSERT_FATAL(mproc_block_create(&block, 100) == 0);
    const mproc_value list = MPROC_LIST(block, MPROC_LIST(block, "text"));
    CU_ASSERT_FATAL(mproc_value_copy(&copy, &list) == 0);
    CU_ASSERT(copy.as.list.items[0].as.object != (mproc_object *)block);
    CU_ASSERT(mproc_value_equal(&copy, &list));
    mproc_block_close(block);
    CU_ASSERT(live_blocks() == before + 1);
    mproc_block *copied = (mproc_block *)copy.as.list.items[0].as.object;
    memset(mproc_block_data(copied), 1, 100);
    mproc_value_clear(&copy);
    CU_ASSERT(live_blocks() == before);
}

static void test_value__copy_that_fails_holds_nothing(void)
{
    mproc_block *block = NULL;
    mproc_object bogus = {.kind = MPROC__KIND_BLOCK, .offset = 3};
    mproc_value copy = MPROC_VALUE(5);
    const size_t before = live_blocks();
    CU_ASSERT_FATAL(mproc_block_create(&block, 100) == 0);
    mproc_value items[] = {MPROC_VALUE(block), MPROC_VALUE(block)};
    items[1].as.object = &bogus;
    const mproc_value list = mproc__value_list(items, 2);
    CU_ASSERT(mproc_value_copy(&copy, &list) == MPROC_ECORRUPT);
    CU_ASSERT(is_int(copy, 5));
    mproc_block_close(block);
    CU_ASSERT(live_blocks() == before);
}

#ifdef MPROC_KILLPOINTS
static void test_value__copy_allocates_once(void)
{
    const mproc_value list = MPROC_LIST("a", MPROC_LIST("b", mproc_bytes_of("c", 1)), 3);
    const mproc_value scalar = MPROC_VALUE(1.5);
    mproc_value copy = MPROC_VALUE(5);
    mproc__alloc_fail_after = 2;
    CU_ASSERT_FATAL(mproc_value_copy(&copy, &list) == 0);
    CU_ASSERT(mproc__alloc_fail_after == 1);
    mproc_value_clear(&copy);
    CU_ASSERT(mproc_value_copy(&copy, &scalar) == 0);
    CU_ASSERT(mproc__alloc_fail_after == 1);
    CU_ASSERT(mproc_value_copy(&copy, &list) == MPROC_ENOMEM);
    CU_ASSERT(copy.type == MPROC_DOUBLE);
    mproc__alloc_fail_after = 0;
}
#else
static void test_value__copy_allocates_once(void)
{
    testlib_skip("the library was built without MPROC_KILLPOINTS");
}
#endif

/* ---- comparing and searching ----------------------------------------------------------------- */

static void test_value__equal_tells_apart(void)
{
    // No two of these are equal; each is equal to itself.
    const mproc_value values[] = {
        MPROC_NIL_VALUE,
        mproc__value_bool(false),
        mproc__value_bool(true),
        MPROC_VALUE(0),
        MPROC_VALUE(1),
        MPROC_VALUE(UINT64_MAX),
        MPROC_VALUE(1.0),
        MPROC_VALUE(""),
        MPROC_VALUE("a"),
        MPROC_VALUE("b"),
        MPROC_VALUE(mproc_bytes_of("", 0)),
        MPROC_VALUE(mproc_bytes_of("a", 1)),
        MPROC_EMPTY_LIST,
        MPROC_LIST(1, 2),
        MPROC_LIST(2, 1),
        MPROC_LIST(1, 2, 3),
        MPROC_EMPTY_MAP,
        MPROC_MAP(MPROC_PAIR(1, 2)),
        MPROC_MAP(MPROC_PAIR(1, 3)),
        MPROC_MAP(MPROC_PAIR(1, 2), MPROC_PAIR(1, 2)),
    };
    const size_t count = sizeof(values) / sizeof(values[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            CU_ASSERT(mproc_value_equal(&values[i], &values[j]) == (i == j));
        }
    }
}

static void test_value__equal_compares_numbers_not_bits(void)
{
    const mproc_value zero = MPROC_VALUE(0.0);
    const mproc_value minus_zero = MPROC_VALUE(-0.0);
    const mproc_value nan_value = MPROC_VALUE((double)NAN);
    CU_ASSERT(mproc_value_equal(&zero, &minus_zero));
    CU_ASSERT(!mproc_value_equal(&nan_value, &nan_value));
    CU_ASSERT(!mproc_value_equal(NULL, &zero));
    CU_ASSERT(!mproc_value_equal(&zero, NULL));
}

static void test_value__find_gives_the_last_one(void)
{
    const mproc_value map =
        MPROC_MAP(MPROC_PAIR("x", 1), MPROC_PAIR("y", 2), MPROC_PAIR("x", 3), MPROC_PAIR(4, 5));
    const mproc_value list = MPROC_LIST("x", 1);
    const mproc_value *x = mproc_value_find(&map, "x");
    CU_ASSERT(x != NULL && is_int(*x, 3));
    CU_ASSERT(mproc_value_find(&map, "xx") == NULL);
    CU_ASSERT(mproc_value_find(&map, "") == NULL);
    CU_ASSERT(mproc_value_find(&map, NULL) == NULL);
    CU_ASSERT(mproc_value_find(&list, "x") == NULL);
    CU_ASSERT(mproc_value_find(NULL, "x") == NULL);
}

static void test_value__types_have_names(void)
{
    CU_ASSERT_STRING_EQUAL(mproc_type_name(MPROC_NIL), "nil");
    CU_ASSERT_STRING_EQUAL(mproc_type_name(MPROC_STRING), "string");
    CU_ASSERT_STRING_EQUAL(mproc_type_name(MPROC_OBJECT), "object");
    CU_ASSERT_STRING_EQUAL(mproc_type_name((mproc_type)99), "no such type");
    CU_ASSERT_STRING_EQUAL(mproc_type_name((mproc_type)-1), "no such type");
}

static const testlib_case cases[] = {
    {"is_made_of_every_integer", test_value__is_made_of_every_integer},
    {"is_unsigned_only_above_int64", test_value__is_unsigned_only_above_int64},
    {"is_made_of_the_other_types", test_value__is_made_of_the_other_types},
    {"of_null_is_nil", test_value__of_null_is_nil},
    {"lists_and_maps_nest", test_value__lists_and_maps_nest},
    {"args_take_one_to_sixteen", test_value__args_take_one_to_sixteen},
    {"of_a_block_is_that_block", test_value__of_a_block_is_that_block},
    {"clear_leaves_nil", test_value__clear_leaves_nil},
    {"copy_is_independent", test_value__copy_is_independent},
    {"copy_ends_strings", test_value__copy_ends_strings},
    {"copy_may_replace_its_source", test_value__copy_may_replace_its_source},
    {"copy_limits_depth", test_value__copy_limits_depth},
    {"copy_refuses_what_is_no_value", test_value__copy_refuses_what_is_no_value},
    {"copy_holds_objects", test_value__copy_holds_objects},
    {"copy_that_fails_holds_nothing", test_value__copy_that_fails_holds_nothing},
    {"copy_allocates_once", test_value__copy_allocates_once},
    {"equal_tells_apart", test_value__equal_tells_apart},
    {"equal_compares_numbers_not_bits", test_value__equal_compares_numbers_not_bits},
    {"find_gives_the_last_one", test_value__find_gives_the_last_one},
    {"types_have_names", test_value__types_have_names},
};
TESTLIB_MAIN("family.value", cases)
