/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_codec.c: our MessagePack against its specification; what it refuses.
 */
#include "family/value_test.h"

#include "base/alloc.h"
#include "family/object.h"

#include <math.h>
#include <string.h>

static const mproc__codec no_objects;

/* ---- the wire form --------------------------------------------------------------------------- */

/* A literal with NULs inside and its size. */
#define WIRE(literal) (literal), sizeof(literal) - 1

static void check_encoding(mproc_value value, const char *wire, size_t size)
{
    void *data = NULL;
    size_t encoded = 0;
    mproc_value decoded = MPROC_NIL_VALUE;
    CU_ASSERT_FATAL(mproc_value_encode(&value, &data, &encoded) == 0);
    CU_ASSERT(encoded == size && memcmp(data, wire, size) == 0);
    mproc_free(data);
    CU_ASSERT(decode(&no_objects, wire, size, &decoded) == 0);
    CU_ASSERT(mproc_value_equal(&decoded, &value));
    mproc_value_clear(&decoded);
}

static void test_codec__writes_the_shortest_numbers(void)
{
    check_encoding(MPROC_NIL_VALUE, WIRE("\xc0"));
    check_encoding(mproc__value_bool(false), WIRE("\xc2"));
    check_encoding(mproc__value_bool(true), WIRE("\xc3"));
    check_encoding(MPROC_VALUE(0), WIRE("\0"));
    check_encoding(MPROC_VALUE(127), WIRE("\x7f"));
    check_encoding(MPROC_VALUE(128), WIRE("\xcc\x80"));
    check_encoding(MPROC_VALUE(255), WIRE("\xcc\xff"));
    check_encoding(MPROC_VALUE(256), WIRE("\xcd\x01\x00"));
    check_encoding(MPROC_VALUE(65535), WIRE("\xcd\xff\xff"));
    check_encoding(MPROC_VALUE(65536), WIRE("\xce\x00\x01\x00\x00"));
    check_encoding(MPROC_VALUE(UINT32_MAX), WIRE("\xce\xff\xff\xff\xff"));
    check_encoding(MPROC_VALUE(1LL << 32), WIRE("\xcf\0\0\0\x01\0\0\0\0"));
    check_encoding(MPROC_VALUE(INT64_MAX), WIRE("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"));
    check_encoding(MPROC_VALUE(UINT64_MAX), WIRE("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
    check_encoding(MPROC_VALUE(-1), WIRE("\xff"));
    check_encoding(MPROC_VALUE(-32), WIRE("\xe0"));
    check_encoding(MPROC_VALUE(-33), WIRE("\xd0\xdf"));
    check_encoding(MPROC_VALUE(-128), WIRE("\xd0\x80"));
    check_encoding(MPROC_VALUE(-129), WIRE("\xd1\xff\x7f"));
    check_encoding(MPROC_VALUE(-32768), WIRE("\xd1\x80\x00"));
    check_encoding(MPROC_VALUE(-32769), WIRE("\xd2\xff\xff\x7f\xff"));
    check_encoding(MPROC_VALUE(INT32_MIN), WIRE("\xd2\x80\x00\x00\x00"));
    check_encoding(MPROC_VALUE(INT32_MIN - 1LL), WIRE("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"));
    check_encoding(MPROC_VALUE(INT64_MIN), WIRE("\xd3\x80\0\0\0\0\0\0\0"));
    check_encoding(MPROC_VALUE(1.0), WIRE("\xcb\x3f\xf0\0\0\0\0\0\0"));
}

static void test_codec__writes_the_shortest_heads(void)
{
    check_encoding(MPROC_VALUE(""), WIRE("\xa0"));
    check_encoding(MPROC_VALUE("text"), WIRE("\xa4text"));
    check_encoding(MPROC_VALUE(mproc_bytes_of("", 0)), WIRE("\xc4\x00"));
    check_encoding(MPROC_VALUE(mproc_bytes_of("a\0b", 3)), WIRE("\xc4\x03\x61\0b"));
    check_encoding(MPROC_EMPTY_LIST, WIRE("\x90"));
    check_encoding(MPROC_LIST(1, MPROC_LIST("a")), WIRE("\x92\x01\x91\xa1\x61"));
    check_encoding(MPROC_EMPTY_MAP, WIRE("\x80"));
    check_encoding(MPROC_MAP(MPROC_PAIR("a", 1), MPROC_PAIR(2, MPROC_EMPTY_MAP)),
                   WIRE("\x82\xa1\x61\x01\x02\x80"));
}

/* How a string, bytes, a list and a map begin that have `count` bytes, items or entries. */
static void check_heads(size_t count, const char *heads[4], const size_t sizes[4])
{
    char *text = calloc(count + 1, 1);
    mproc_pair *pairs = calloc(count + 1, sizeof(*pairs));
    mproc_value string = MPROC_VALUE("");
    string.as.string.data = text;
    string.as.string.size = count;
    const mproc_value values[4] = {string, MPROC_VALUE(mproc_bytes_of(text, count)),
                                   mproc__value_list(&pairs[0].key, count),
                                   mproc__value_map(pairs, count)};
    for (size_t i = 0; i < 4; i++) {
        unsigned char *data = NULL;
        size_t size = 0;
        mproc_value decoded = MPROC_NIL_VALUE;
        CU_ASSERT_FATAL(mproc_value_encode(&values[i], (void **)&data, &size) == 0);
        CU_ASSERT(memcmp(data, heads[i], sizes[i]) == 0);
        CU_ASSERT(size == sizes[i] + count * (i == 3 ? 2 : 1));
        CU_ASSERT(decode(&no_objects, data, size, &decoded) == 0);
        CU_ASSERT(mproc_value_equal(&decoded, &values[i]));
        mproc_value_clear(&decoded);
        mproc_free(data);
    }
    free(pairs);
    free(text);
}

static void test_codec__changes_heads_at_the_limits(void)
{
    check_heads(15, (const char *[]){"\xaf", "\xc4\x0f", "\x9f", "\x8f"},
                (const size_t[]){1, 2, 1, 1});
    check_heads(16, (const char *[]){"\xb0", "\xc4\x10", "\xdc\0\x10", "\xde\0\x10"},
                (const size_t[]){1, 2, 3, 3});
    check_heads(31, (const char *[]){"\xbf", "\xc4\x1f", "\xdc\0\x1f", "\xde\0\x1f"},
                (const size_t[]){1, 2, 3, 3});
    check_heads(32, (const char *[]){"\xd9\x20", "\xc4\x20", "\xdc\0\x20", "\xde\0\x20"},
                (const size_t[]){2, 2, 3, 3});
    check_heads(255, (const char *[]){"\xd9\xff", "\xc4\xff", "\xdc\0\xff", "\xde\0\xff"},
                (const size_t[]){2, 2, 3, 3});
    check_heads(256, (const char *[]){"\xda\1\0", "\xc5\1\0", "\xdc\1\0", "\xde\1\0"},
                (const size_t[]){3, 3, 3, 3});
    check_heads(65535,
                (const char *[]){"\xda\xff\xff", "\xc5\xff\xff", "\xdc\xff\xff", "\xde\xff\xff"},
                (const size_t[]){3, 3, 3, 3});
    check_heads(65536,
                (const char *[]){"\xdb\0\1\0\0", "\xc6\0\1\0\0", "\xdd\0\1\0\0", "\xdf\0\1\0\0"},
                (const size_t[]){5, 5, 5, 5});
}

/* The same in front of 8 more bytes, and at the end of a run. */
static void check_run(const char *wire, size_t size, mproc_value expected)
{
    mproc_value values[4];
    char *run = malloc(2 * size + 8);
    memcpy(run, wire, size);
    memset(run + size, 0x01, 8);
    memcpy(run + size + 8, wire, size);
    const void *at = run;
    size_t n_equal = 0, n_read = 0, n;
    while (mproc__codec_read_run(&no_objects, &at, run + 2 * size + 8, values, 4, &n) == 0 &&
           n > 0) {
        for (size_t i = 0; i < n; i++, n_read++) {
            const bool is_end = n_read == 0 || n_read == 9;
            n_equal +=
                is_end ? mproc_value_equal(&values[i], &expected) : values[i].as.integer == 1;
            mproc_value_clear(&values[i]);
        }
    }
    CU_ASSERT(n_read == 10 && n_equal == 10);
    free(run);
}

static void check_decoding(const char *wire, size_t size, mproc_value expected)
{
    mproc_value decoded = MPROC_NIL_VALUE;
    CU_ASSERT(decode(&no_objects, wire, size, &decoded) == 0);
    CU_ASSERT(mproc_value_equal(&decoded, &expected));
    mproc_value_clear(&decoded);
    check_run(wire, size, expected);
}

static void test_codec__reads_every_form(void)
{
    check_decoding(WIRE("\xcc\x05"), MPROC_VALUE(5));
    check_decoding(WIRE("\xcd\0\x05"), MPROC_VALUE(5));
    check_decoding(WIRE("\xce\0\0\0\x05"), MPROC_VALUE(5));
    check_decoding(WIRE("\xcf\0\0\0\0\0\0\0\x05"), MPROC_VALUE(5));
    check_decoding(WIRE("\xd0\x05"), MPROC_VALUE(5));
    check_decoding(WIRE("\xd1\xff\xfb"), MPROC_VALUE(-5));
    check_decoding(WIRE("\xd2\xff\xff\xff\xfb"), MPROC_VALUE(-5));
    check_decoding(WIRE("\xd3\xff\xff\xff\xff\xff\xff\xff\xfb"), MPROC_VALUE(-5));
    check_decoding(WIRE("\xca\xbf\xc0\0\0"), MPROC_VALUE(-1.5));
    check_decoding(WIRE("\xca\x7f\x80\0\0"), MPROC_VALUE((double)INFINITY));
    check_decoding(WIRE("\xd9\x02hi"), MPROC_VALUE("hi"));
    check_decoding(WIRE("\xda\0\x02hi"), MPROC_VALUE("hi"));
    check_decoding(WIRE("\xdb\0\0\0\x02hi"), MPROC_VALUE("hi"));
    check_decoding(WIRE("\xa2\xff\xfe"), MPROC_VALUE("\xff\xfe")); // need not be UTF-8
    check_decoding(WIRE("\xc5\0\x01!"), MPROC_VALUE(mproc_bytes_of("!", 1)));
    check_decoding(WIRE("\xc6\0\0\0\x01!"), MPROC_VALUE(mproc_bytes_of("!", 1)));
    check_decoding(WIRE("\xdc\0\x01\x07"), MPROC_LIST(7));
    check_decoding(WIRE("\xdd\0\0\0\0"), MPROC_EMPTY_LIST);
    check_decoding(WIRE("\xde\0\x01\x07\x08"), MPROC_MAP(MPROC_PAIR(7, 8)));
    check_decoding(WIRE("\xdf\0\0\0\0"), MPROC_EMPTY_MAP);
}

static void test_codec__keeps_nuls_in_strings(void)
{
    mproc_value value = MPROC_NIL_VALUE;
    CU_ASSERT_FATAL(decode(&no_objects, WIRE("\xa3\x61\0b"), &value) == 0);
    CU_ASSERT(value.as.string.size == 3);
    CU_ASSERT(memcmp(value.as.string.data, "a\0b", 4) == 0);
    mproc_value_clear(&value);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refusal(const char *wire, size_t size, int status, const char *sentence)
{
    mproc_value value = MPROC_VALUE(5);
    CU_ASSERT(decode(&no_objects, wire, size, &value) == status);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), sentence);
    CU_ASSERT(value.type == MPROC_INT && value.as.integer == 5);
}

static void test_codec__rejects_what_is_no_messagepack(void)
{
    check_refusal("", 0, MPROC_EMALFORMED, "decoding a value: the message is empty");
    check_refusal(WIRE("\x92\x01\xc1"), MPROC_EMALFORMED, "decoding byte 2: 0xc1 begins no value");
    check_refusal(WIRE("\x91"), MPROC_EMALFORMED, "decoding byte 0: a list of 1 items in 0 bytes");
    check_refusal(WIRE("\x92\x91\x01"), MPROC_EMALFORMED,
                  "decoding byte 3: the message ends before this value");
    check_refusal(WIRE("\xa3hi"), MPROC_EMALFORMED,
                  "decoding byte 0: the message ends inside this value");
    check_refusal(WIRE("\xcd\x01"), MPROC_EMALFORMED,
                  "decoding byte 0: the message ends inside this value");
}

static void test_codec__rejects_trailing_bytes(void)
{
    check_refusal(WIRE("\x01\x02"), MPROC_EMALFORMED,
                  "decoding a value: 1 more bytes follow its end");
    check_refusal(WIRE("\x91\xc0\xc0\xc0"), MPROC_EMALFORMED,
                  "decoding a value: 2 more bytes follow its end");
}

static void test_codec__rejects_extensions(void)
{
    check_refusal(WIRE("\xd6\xff\0\0\0\0"), MPROC_EMALFORMED,
                  "decoding byte 0: timestamps are not supported");
    check_refusal(WIRE("\xd7\xff\0\0\0\0\0\0\0\0"), MPROC_EMALFORMED,
                  "decoding byte 0: timestamps are not supported");
    check_refusal(WIRE("\xc7\x0c\xff\0\0\0\0\0\0\0\0\0\0\0\0"), MPROC_EMALFORMED,
                  "decoding byte 0: timestamps are not supported");
    check_refusal(WIRE("\xd4\x07!"), MPROC_EMALFORMED,
                  "decoding byte 0: extension type 7 is unknown");
    check_refusal(WIRE("\xd8\x80"), MPROC_EMALFORMED,
                  "decoding byte 0: extension type -128 is unknown");
    check_refusal(WIRE("\xd4\x01!"), MPROC_EMALFORMED,
                  "decoding byte 0: a shared object's reference of 1 bytes");
    check_refusal(WIRE("\xd7\x01\0\0\0\0\0\0\0\x40"), MPROC_EMALFORMED,
                  "decoding byte 0: a shared object, which means nothing here");
    check_refusal(WIRE("\xc9\0\0"), MPROC_EMALFORMED,
                  "decoding byte 0: the message ends inside this value");
}

static void test_codec__believes_no_count(void)
{
    static const char *const claims[] = {
        "\xdd\x0f\xff\xff\xff", "\xdd\xff\xff\xff\xff", "\xdf\x0f\xff\xff\xff",
        "\xdf\x80\x00\x00\x00", "\xdb\x7f\xff\xff\xff", "\xc6\xff\xff\xff\xff",
    };
    mproc_value value = MPROC_NIL_VALUE;
#ifdef MPROC_KILLPOINTS
    mproc__alloc_fail_after = 1;
#endif
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        CU_ASSERT(decode(&no_objects, claims[i], 5, &value) == MPROC_EMALFORMED);
    }
    CU_ASSERT(decode(&no_objects, WIRE("\xdf\0\0\0\x02\x01\x02\x03"), &value) == MPROC_EMALFORMED);
#ifdef MPROC_KILLPOINTS
    CU_ASSERT(mproc__alloc_fail_after == 1); // nothing was allocated
    mproc__alloc_fail_after = 0;
#endif
}

static void test_codec__limits_depth(void)
{
    static unsigned char wire[1000001];
    static const unsigned char heads[] = {0x91, 0x81};
    mproc_value value = MPROC_NIL_VALUE;
    memset(wire, heads[0], sizeof(wire));
    for (size_t i = 0; i < sizeof(heads); i++) {
        memset(wire, heads[i], MPROC_VALUE_MAX_DEPTH + 1);
        CU_ASSERT(decode(&no_objects, wire, sizeof(wire), &value) == MPROC_ETOOBIG);
    }
    memset(wire, 0x91, MPROC_VALUE_MAX_DEPTH + 1);
    wire[MPROC_VALUE_MAX_DEPTH] = 0xc0;
    CU_ASSERT_FATAL(decode(&no_objects, wire, MPROC_VALUE_MAX_DEPTH + 1, &value) == 0);
    const mproc_value deeper = MPROC_LIST(value);
    void *data = NULL;
    size_t size = 0;
    CU_ASSERT(mproc_value_encode(&deeper, &data, &size) == MPROC_ETOOBIG);
    CU_ASSERT(mproc_value_encode(&value, &data, &size) == 0);
    CU_ASSERT(size == MPROC_VALUE_MAX_DEPTH + 1 && memcmp(data, wire, size) == 0);
    mproc_free(data);
    mproc_value_clear(&value);
    wire[MPROC_VALUE_MAX_DEPTH] = 0x90;
    CU_ASSERT(decode(&no_objects, wire, MPROC_VALUE_MAX_DEPTH + 1, &value) == MPROC_ETOOBIG);
}

static void test_codec__refuses_to_write_what_does_not_fit(void)
{
    mproc_block *block = NULL;
    void *data = NULL;
    size_t size = 0;
    mproc_value bad = MPROC_NIL_VALUE;
    bad.type = (mproc_type)77;
    CU_ASSERT(mproc_value_encode(&bad, &data, &size) == MPROC_EINVAL);
    CU_ASSERT(mproc_value_encode(NULL, &data, &size) == MPROC_EINVAL);
    CU_ASSERT_FATAL(mproc_block_create(&block, 10) == 0);
    const mproc_value list = MPROC_LIST(1, block);
    CU_ASSERT(mproc_value_encode(&list, &data, &size) == MPROC_ETYPE);
    mproc_block_close(block);
    if (SIZE_MAX > UINT32_MAX) {
        const size_t huge = (size_t)UINT32_MAX + (SIZE_MAX > UINT32_MAX ? 1 : 0);
        const mproc_value values[] = {MPROC_VALUE(mproc_bytes_of("", huge)),
                                      mproc__value_list(&bad, huge), mproc__value_map(NULL, huge)};
        for (size_t i = 0; i < 3; i++) {
            CU_ASSERT(mproc_value_encode(&values[i], &data, &size) == MPROC_ETOOBIG);
        }
    }
    CU_ASSERT(data == NULL && size == 0);
}

/* ---- runs ------------------------------------------------------------------------------------ */

static size_t read_run(const void **at, const void *end, mproc_value *values, size_t count)
{
    size_t n = SIZE_MAX;
    CU_ASSERT(mproc__codec_read_run(&no_objects, at, end, values, count, &n) == 0);
    return n;
}

static void test_codec__reads_runs(void)
{
    // 1, -1, nil | "a", [2], "" and true share memory, and end at what is no value
    static const char wire[] = "\x01\xff\xc0\xa1"
                               "a\x91\x02\xa0\xc3\xc1";
    const void *at = wire, *end = wire + sizeof(wire) - 1;
    mproc_value values[8];
    CU_ASSERT(read_run(&at, end, values, 2) == 2);
    CU_ASSERT(values[0].as.integer == 1 && values[1].as.integer == -1);
    CU_ASSERT(read_run(&at, end, values, 8) == 1 && values[0].type == MPROC_NIL);
    CU_ASSERT(read_run(&at, end, values, 8) == 4);
    CU_ASSERT(values[0].owned != NULL && values[0].owned == values[1].owned);
    CU_ASSERT(strcmp(values[0].as.string.data, "a") == 0);
    mproc_value_clear(&values[0]);
    CU_ASSERT(values[1].type == MPROC_LIST && values[1].as.list.items[0].as.integer == 2);
    CU_ASSERT(values[2].as.string.size == 0 && values[3].as.boolean);
    for (size_t i = 1; i < 4; i++) {
        mproc_value_clear(&values[i]);
    }
    CU_ASSERT(read_run(&at, end, values, 8) == 0);
    CU_ASSERT((const char *)at == wire + sizeof(wire) - 2);
    CU_ASSERT(read_run(&end, end, values, 8) == 0);
}

/* As many as there is room for, and each as it is written by itself. */
static void test_codec__writes_plain_values_at_once(void)
{
    static const int64_t limits[] = {0,     127,        128,       255,    256,       65535,
                                     65536, UINT32_MAX, INT64_MAX, -1,     -32,       -33,
                                     -128,  -129,       -32768,    -32769, INT32_MIN, INT64_MIN};
    enum { LIMITS = sizeof(limits) / sizeof(limits[0]), PLAIN = LIMITS + 4 };
    mproc_value values[PLAIN + 1], read[PLAIN];
    for (size_t i = 0; i < LIMITS; i++) {
        values[i] = MPROC_VALUE(limits[i]);
    }
    values[LIMITS] = MPROC_VALUE((uint64_t)INT64_MAX + 1);
    values[LIMITS + 1] = MPROC_VALUE(0.5);
    values[LIMITS + 2] = MPROC_NIL_VALUE;
    values[LIMITS + 3] = (mproc_value){.type = MPROC_BOOL, .as.boolean = true};
    values[PLAIN] = MPROC_VALUE("no number");
    for (size_t count = 0; count <= PLAIN + 1; count++) {
        const size_t n = count < PLAIN ? count : PLAIN;
        unsigned char *room = malloc(n * MPROC__CODEC_PLAIN_MAX + 1), *at = room;
        CU_ASSERT(mproc__codec_write_plain(values, count, &at, room + n * MPROC__CODEC_PLAIN_MAX) ==
                  n);
        const void *next = room;
        CU_ASSERT(n == 0 || read_run(&next, at, read, PLAIN) == n);
        for (size_t i = 0; i < n; i++) {
            CU_ASSERT(mproc_value_equal(&read[i], &values[i]));
        }
        at = room;
        CU_ASSERT(n == 0 || mproc__codec_write_plain(values, count, &at,
                                                     room + n * MPROC__CODEC_PLAIN_MAX - 1) <= n);
        CU_ASSERT(at <= room + n * MPROC__CODEC_PLAIN_MAX);
        free(room);
    }
}

/* Every beginning of a message: what is whole is read, then comes an error or the end. */
static void test_codec__believes_no_run(void)
{
    static const char wire[] = "\x01\xcd\x01\x02\xa3"
                               "abc\x92\x01\xa1"
                               "d\x81\x01\xc4\x01x";
    for (size_t size = 0; size < sizeof(wire); size++) {
        char *copy = malloc(size + 1);
        memcpy(copy, wire, size);
        const void *at = copy;
        mproc_value values[8];
        size_t n = 0, sum = 0;
        int rc;
        while ((rc = mproc__codec_read_run(&no_objects, &at, copy + size, values, 8, &n)) == 0 &&
               n > 0) {
            sum += n;
            for (size_t i = 0; i < n; i++) {
                mproc_value_clear(&values[i]);
            }
        }
        CU_ASSERT(rc == 0 ? (const char *)at == copy + size : rc == MPROC_EMALFORMED);
        CU_ASSERT(size < sizeof(wire) - 1 || (rc == 0 && sum == 5));
        free(copy);
    }
}

static const testlib_case cases[] = {
    {"writes_the_shortest_numbers", test_codec__writes_the_shortest_numbers},
    {"writes_the_shortest_heads", test_codec__writes_the_shortest_heads},
    {"changes_heads_at_the_limits", test_codec__changes_heads_at_the_limits},
    {"reads_every_form", test_codec__reads_every_form},
    {"keeps_nuls_in_strings", test_codec__keeps_nuls_in_strings},
    {"rejects_what_is_no_messagepack", test_codec__rejects_what_is_no_messagepack},
    {"rejects_trailing_bytes", test_codec__rejects_trailing_bytes},
    {"rejects_extensions", test_codec__rejects_extensions},
    {"believes_no_count", test_codec__believes_no_count},
    {"limits_depth", test_codec__limits_depth},
    {"refuses_to_write_what_does_not_fit", test_codec__refuses_to_write_what_does_not_fit},
    {"reads_runs", test_codec__reads_runs},
    {"writes_plain_values_at_once", test_codec__writes_plain_values_at_once},
    {"believes_no_run", test_codec__believes_no_run},
};
TESTLIB_MAIN("family.codec", cases)
