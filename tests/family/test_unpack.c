/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_unpack.c: taking arguments apart, and the sentences when they do not fit.
 */
#include "support/testlib.h"

#include "family/object.h"
#include "mproc/arena.h"
#include "mproc/error.h"
#include "mproc/value.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* Asserts that `call` fails with `status` and leaves exactly this sentence. */
#define ASSERT_FAILS(call, status, sentence)                       \
    do {                                                           \
        int rc_ = (call); /* its expansion is too long a string */ \
        CU_ASSERT(rc_ == (status));                                \
        CU_ASSERT_STRING_EQUAL(mproc_last_error(), sentence);      \
    } while (0)

static void test_unpack__fills_every_type(void)
{
    bool b;
    double d;
    float f;
    const char *text;
    mproc_bytes bytes;
    mproc_value list;
    int i;
    CU_ASSERT_FATAL(MPROC_UNPACK(MPROC_ARGS(mproc__value_bool(true), 2.5, 0.1F, "text",
                                            mproc_bytes_of("ab", 2), MPROC_LIST(1, 2), -7),
                                 &b, &d, &f, &text, &bytes, &list, &i) == 0);
    CU_ASSERT(b);
    CU_ASSERT(d == 2.5);
    CU_ASSERT(f == 0.1F);
    CU_ASSERT_STRING_EQUAL(text, "text");
    CU_ASSERT(bytes.size == 2 && memcmp(bytes.data, "ab", 2) == 0);
    CU_ASSERT(list.type == MPROC_LIST && list.as.list.count == 2);
    CU_ASSERT(i == -7);
}

/* An integer variable takes its smallest and its largest number, and not one more. */
#define RANGE_OF(name, type, min, max)                                            \
    static void check_range_of_##name(void)                                       \
    {                                                                             \
        type x = 1;                                                               \
        long long lowest = (long long)(min);                                      \
        unsigned long long highest = (unsigned long long)(max);                   \
        CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(lowest), &x) == 0 && x == (min));       \
        CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(highest), &x) == 0 && x == (max));      \
        if (lowest != LLONG_MIN) {                                                \
            CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(lowest - 1), &x) == MPROC_ERANGE);  \
        }                                                                         \
        if (highest != ULLONG_MAX) {                                              \
            CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(highest + 1), &x) == MPROC_ERANGE); \
        }                                                                         \
        CU_ASSERT(x == (max));                                                    \
    }
RANGE_OF(char, char, CHAR_MIN, CHAR_MAX)
RANGE_OF(schar, signed char, SCHAR_MIN, SCHAR_MAX)
RANGE_OF(uchar, unsigned char, 0, UCHAR_MAX)
RANGE_OF(short, short, SHRT_MIN, SHRT_MAX)
RANGE_OF(ushort, unsigned short, 0, USHRT_MAX)
RANGE_OF(int, int, INT_MIN, INT_MAX)
RANGE_OF(uint, unsigned, 0, UINT_MAX)
RANGE_OF(long, long, LONG_MIN, LONG_MAX)
RANGE_OF(ulong, unsigned long, 0, ULONG_MAX)
RANGE_OF(llong, long long, LLONG_MIN, LLONG_MAX)
RANGE_OF(ullong, unsigned long long, 0, ULLONG_MAX)

static void test_unpack__checks_ranges(void)
{
    check_range_of_char();
    check_range_of_schar();
    check_range_of_uchar();
    check_range_of_short();
    check_range_of_ushort();
    check_range_of_int();
    check_range_of_uint();
    check_range_of_long();
    check_range_of_ulong();
    check_range_of_llong();
    check_range_of_ullong();
}

static void test_unpack__says_what_does_not_fit(void)
{
    signed char sc;
    unsigned u;
    uint32_t u32;
    float f;
    double d;
    bool b;
    long long ll;
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(300), &sc), MPROC_ERANGE,
                 "argument 1: 300 does not fit a signed char");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(1, -1), &u32, &u), MPROC_ERANGE,
                 "argument 2: -1 does not fit an unsigned int");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(UINT64_MAX), &ll), MPROC_ERANGE,
                 "argument 1: 18446744073709551615 does not fit a long long");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(16777217), &f), MPROC_ERANGE,
                 "argument 1: 16777217 does not fit a float");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(2e300), &f), MPROC_ERANGE,
                 "argument 1: 2.0000000000000001e+300 does not fit a float");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(9007199254740993LL), &d), MPROC_ERANGE,
                 "argument 1: 9007199254740993 does not fit a double");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(2), &b), MPROC_ERANGE,
                 "argument 1: 2 does not fit a bool");
}

static void test_unpack__says_what_was_expected(void)
{
    int i;
    double d;
    bool b;
    const char *text;
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(1, 2), &i, &text), MPROC_ETYPE,
                 "argument 2: expected a string, got an integer");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS("1"), &i), MPROC_ETYPE,
                 "argument 1: expected an integer, got a string");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(1.0), &i), MPROC_ETYPE,
                 "argument 1: expected an integer, got a double");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(mproc__value_bool(true)), &d), MPROC_ETYPE,
                 "argument 1: expected a number, got a boolean");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(MPROC_EMPTY_LIST), &b), MPROC_ETYPE,
                 "argument 1: expected a boolean, got a list");
}

static void test_unpack__says_which_pointer_was_expected(void)
{
    const char *text;
    mproc_bytes bytes;
    mproc_block *block;
    mproc_object *object;
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS("text"), &bytes), MPROC_ETYPE,
                 "argument 1: expected bytes, got a string");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(MPROC_NIL_VALUE), &text), MPROC_ETYPE,
                 "argument 1: expected a string, got nil");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(UINT64_MAX), &block), MPROC_ETYPE,
                 "argument 1: expected a block, got an unsigned integer");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(MPROC_EMPTY_MAP), &object), MPROC_ETYPE,
                 "argument 1: expected an object, got a map");
}

static void test_unpack__says_how_many_were_expected(void)
{
    int a;
    int b;
    int c;
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(1, 2), &a, &b, &c), MPROC_ECOUNT,
                 "expected 3 arguments, got 2");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(1, 2), &a), MPROC_ECOUNT, "expected 1 argument, got 2");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(1)), MPROC_ECOUNT, "expected 0 arguments, got 1");
    ASSERT_FAILS(MPROC_UNPACK(NULL, &a), MPROC_ECOUNT, "expected 1 argument, got 0");
    CU_ASSERT(MPROC_UNPACK(NULL) == 0);
}

static void test_unpack__sets_all_or_nothing(void)
{
    int i = 5;
    const char *text = "before";
    double d = 1.5;
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(1, "after", "no number"), &i, &text, &d) == MPROC_ETYPE);
    CU_ASSERT(i == 5 && d == 1.5);
    CU_ASSERT_STRING_EQUAL(text, "before");
}

static void test_unpack__takes_sixteen(void)
{
    int x[16] = {0};
    const mproc_args *args = MPROC_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    CU_ASSERT(MPROC_UNPACK(args, &x[0], &x[1], &x[2], &x[3], &x[4], &x[5], &x[6], &x[7], &x[8],
                           &x[9], &x[10], &x[11], &x[12], &x[13], &x[14], &x[15]) == 0);
    for (int i = 0; i < 16; i++) {
        CU_ASSERT(x[i] == i + 1);
    }
}

static void test_unpack__bool_takes_what_c_calls_true(void)
{
    bool b = false;
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(1), &b) == 0 && b);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(0), &b) == 0 && !b);
}

static void test_unpack__reals_take_exact_integers(void)
{
    double d;
    float f;
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(-3), &d) == 0 && d == -3.0);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(INT64_MIN), &d) == 0 && d == -9223372036854775808.0);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(1ULL << 63), &d) == 0 && d == 9223372036854775808.0);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(INT64_MAX), &d) == MPROC_ERANGE);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(UINT64_MAX), &d) == MPROC_ERANGE);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(0), &d) == 0 && d == 0.0);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(-16777216), &f) == 0 && f == -16777216.0F);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(1ULL << 63), &f) == 0 && f == 9223372036854775808.0F);
}

static void test_unpack__float_rounds_but_does_not_overflow(void)
{
    float f;
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(0.1), &f) == 0 && f == 0.1F);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS((double)FLT_MAX), &f) == 0 && f == FLT_MAX);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(-DBL_MAX), &f) == MPROC_ERANGE);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS((double)-INFINITY), &f) == 0 && isinf(f));
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS((double)NAN), &f) == 0 && isnan(f));
}

static void test_unpack__string_ends_at_its_nul(void)
{
    const char *text = NULL;
    mproc_value any = MPROC_NIL_VALUE;
    mproc_value value = MPROC_VALUE("two\0parts");
    value.as.string.size = 9;
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(value), &text), MPROC_ETYPE,
                 "argument 1: expected a string, got one with a NUL byte inside (take it as "
                 "mproc_value)");
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(value), &any) == 0 && any.as.string.size == 9);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(""), &text) == 0);
    CU_ASSERT_STRING_EQUAL(text, "");
}

static void test_unpack__value_is_borrowed(void)
{
    const mproc_value source = MPROC_LIST("a", "b");
    mproc_value owner;
    mproc_value taken;
    CU_ASSERT_FATAL(mproc_value_copy(&owner, &source) == 0);
    CU_ASSERT(MPROC_UNPACK((&(mproc_args){1, &owner}), &taken) == 0);
    CU_ASSERT(taken.as.list.items == owner.as.list.items);
    mproc_value_clear(&taken);
    CU_ASSERT(mproc_value_equal(&owner, &source));
    mproc_value_clear(&owner);
}

static void test_unpack__handles_are_checked_by_kind(void)
{
    mproc_block *block = NULL;
    mproc_block *taken = NULL;
    mproc_object *object = NULL;
    mproc_object other = {.kind = 9999};
    mproc_value value = MPROC_NIL_VALUE;
    CU_ASSERT_FATAL(mproc_block_create(&block, 10) == 0);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(block, block), &taken, &object) == 0);
    CU_ASSERT(taken == block && object == (mproc_object *)block);
    int i;
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(block), &i), MPROC_ETYPE,
                 "argument 1: expected an integer, got a block");
    value.type = MPROC_OBJECT;
    value.as.object = &other;
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS(value), &taken), MPROC_ETYPE,
                 "argument 1: expected a block, got an object");
    value.as.object = NULL;
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(value), &object) == MPROC_ETYPE);
    mproc_block_close(block);
}

static void test_unpack__optional_keeps_its_default(void)
{
    int retries = 3;
    const char *name = "default";
    int i;
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(1), &i, MPROC_OPTIONAL(&name), MPROC_OPTIONAL(&retries)) ==
              0);
    CU_ASSERT(retries == 3);
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS((char *)NULL, 4), MPROC_OPTIONAL(&name),
                           MPROC_OPTIONAL(&retries)) == 0);
    CU_ASSERT(retries == 4);
    CU_ASSERT_STRING_EQUAL(name, "default");
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS("given", 1), MPROC_OPTIONAL(&name), &i) == 0);
    CU_ASSERT_STRING_EQUAL(name, "given");
    ASSERT_FAILS(MPROC_UNPACK(MPROC_ARGS("five"), MPROC_OPTIONAL(&retries)), MPROC_ETYPE,
                 "argument 1: expected an integer, got a string");
    ASSERT_FAILS(MPROC_UNPACK(NULL, &i, MPROC_OPTIONAL(&retries)), MPROC_ECOUNT,
                 "expected 1 to 2 arguments, got 0");
    // Only the last ones may be missing: a place in the middle cannot.
    CU_ASSERT(MPROC_UNPACK(MPROC_ARGS(1), MPROC_OPTIONAL(&retries), &i) == MPROC_ECOUNT);
}

static void test_unpack__takes_lists_apart(void)
{
    const mproc_value list = MPROC_LIST(1, "two");
    const mproc_value number = MPROC_VALUE(1);
    int i = 0;
    const char *text = NULL;
    CU_ASSERT(MPROC_UNPACK_LIST(&list, &i, &text) == 0);
    CU_ASSERT(i == 1);
    CU_ASSERT_STRING_EQUAL(text, "two");
    ASSERT_FAILS(MPROC_UNPACK_LIST(&list, &text, &i), MPROC_ETYPE,
                 "item 1: expected a string, got an integer");
    ASSERT_FAILS(MPROC_UNPACK_LIST(&list, &i), MPROC_ECOUNT, "expected 1 item, got 2");
    ASSERT_FAILS(MPROC_UNPACK_LIST(&number, &i), MPROC_ETYPE, "expected a list, got an integer");
    ASSERT_FAILS(MPROC_UNPACK_LIST(NULL, &i), MPROC_ETYPE, "expected a list, got NULL");
}

static void test_unpack__refuses_unknown_slots(void)
{
    int i = 5;
    const int kinds[] = {0, -1, 50, INT_MIN};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        const mproc_slot slot = {kinds[k], &i};
        CU_ASSERT(mproc_unpack(MPROC_ARGS(1), &slot, 1) == MPROC_EINVAL);
    }
    CU_ASSERT(i == 5);
}

static const testlib_case cases[] = {
    {"fills_every_type", test_unpack__fills_every_type},
    {"checks_ranges", test_unpack__checks_ranges},
    {"says_what_does_not_fit", test_unpack__says_what_does_not_fit},
    {"says_what_was_expected", test_unpack__says_what_was_expected},
    {"says_which_pointer_was_expected", test_unpack__says_which_pointer_was_expected},
    {"says_how_many_were_expected", test_unpack__says_how_many_were_expected},
    {"sets_all_or_nothing", test_unpack__sets_all_or_nothing},
    {"takes_sixteen", test_unpack__takes_sixteen},
    {"bool_takes_what_c_calls_true", test_unpack__bool_takes_what_c_calls_true},
    {"reals_take_exact_integers", test_unpack__reals_take_exact_integers},
    {"float_rounds_but_does_not_overflow", test_unpack__float_rounds_but_does_not_overflow},
    {"string_ends_at_its_nul", test_unpack__string_ends_at_its_nul},
    {"value_is_borrowed", test_unpack__value_is_borrowed},
    {"handles_are_checked_by_kind", test_unpack__handles_are_checked_by_kind},
    {"optional_keeps_its_default", test_unpack__optional_keeps_its_default},
    {"takes_lists_apart", test_unpack__takes_lists_apart},
    {"refuses_unknown_slots", test_unpack__refuses_unknown_slots},
};
TESTLIB_MAIN("family.unpack", cases)
