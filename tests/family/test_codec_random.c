/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_codec_random.c: our MessagePack against msgpack-c, and against damage.
 *
 * The random values come from testlib_random, whose seed is printed.
 */
#include "support/testlib.h"

#include "family/codec.h"
#include "mproc/error.h"
#include "mproc/value.h"

#include <msgpack.h>
#include <string.h>

/* Decode a copy of exactly this size, so that a sanitizer sees a read beyond it. */
static int decode(const void *data, size_t size, mproc_value *ret_value)
{
    void *copy = malloc(size != 0 ? size : 1);
    if (size != 0) {
        memcpy(copy, data, size);
    }
    int rc = mproc_value_decode(copy, size, ret_value);
    free(copy);
    return rc;
}

/* ---- random values --------------------------------------------------------------------------- */

#define RANDOM_NODES 2000

/* What a random value is made of; starts anew for each. */
static mproc_value nodes[RANDOM_NODES];
static size_t n_nodes;
static char noise[70000];

static uint64_t random64(void)
{
    const uint64_t high = testlib_random();
    return high << 32 | testlib_random();
}

static size_t random_below(size_t limit)
{
    return testlib_random() % limit;
}

/* Sizes near which the wire form changes are as likely as all others. */
static size_t random_size(void)
{
    static const size_t edges[] = {0, 1, 15, 16, 31, 32, 255, 256};
    const size_t choice = random_below(1000);
    if (choice == 0) {
        return 65530 + random_below(12);
    }
    return choice < 500 ? edges[random_below(8)] : random_below(40);
}

static mproc_value random_number(void)
{
    const uint64_t bits = random64() >> random_below(64);
    double real;
    switch (random_below(4)) {
    case 0:
        return mproc__value_uint(bits);
    case 1:
        return mproc__value_int((int64_t)(0 - (bits >> 1)));
    case 2:
        return mproc__value_double((double)(int64_t)bits / 16);
    default:
        memcpy(&real, &bits, sizeof(real));
        return mproc__value_double(real == real ? real : 0); // no NaN, which equals nothing
    }
}

static mproc_value random_value(unsigned depth);

static mproc_value random_tree(unsigned depth)
{
    size_t count = random_below(20) == 0 ? random_size() : random_below(6);
    const bool is_map = random_below(2) == 0;
    const size_t n_children = is_map ? 2 * count : count;
    if (depth == 0 || n_children > RANDOM_NODES - n_nodes) {
        return MPROC_EMPTY_LIST;
    }
    mproc_value *children = &nodes[n_nodes];
    n_nodes += n_children;
    for (size_t i = 0; i < n_children; i++) {
        children[i] = random_value(depth - 1);
    }
    return is_map ? mproc__value_map((const mproc_pair *)(void *)children, count)
                  : mproc__value_list(children, count);
}

static mproc_value random_value(unsigned depth)
{
    mproc_value string = MPROC_VALUE("");
    const char *bytes = noise + random_below(64);
    switch (random_below(8)) {
    case 0:
        return MPROC_NIL_VALUE;
    case 1:
        return mproc__value_bool(random_below(2) != 0);
    case 2:
    case 3:
        return random_number();
    case 4:
        string.as.string.data = bytes;
        string.as.string.size = random_size();
        return string;
    case 5:
        return MPROC_VALUE(mproc_bytes_of(bytes, random_size()));
    default:
        return random_tree(depth);
    }
}

/* A new one; the last one ends. */
static mproc_value next_random_value(void)
{
    if (noise[0] == 0) {
        for (size_t i = 0; i < sizeof(noise); i++) {
            noise[i] = (char)(testlib_random() >> 8);
        }
        noise[0] = 1;
    }
    n_nodes = 0;
    return random_tree(8);
}

/* ---- msgpack-c as the oracle ----------------------------------------------------------------- */

static bool same_object(const msgpack_object *theirs, const mproc_value *ours);

static bool same_list(const msgpack_object_array *theirs, const mproc_value *ours)
{
    bool same = theirs->size == ours->as.list.count;
    for (size_t i = 0; same && i < theirs->size; i++) {
        same = same_object(&theirs->ptr[i], &ours->as.list.items[i]);
    }
    return same;
}

static bool same_map(const msgpack_object_map *theirs, const mproc_value *ours)
{
    bool same = theirs->size == ours->as.map.count;
    for (size_t i = 0; same && i < theirs->size; i++) {
        same = same_object(&theirs->ptr[i].key, &ours->as.map.pairs[i].key) &&
               same_object(&theirs->ptr[i].val, &ours->as.map.pairs[i].value);
    }
    return same;
}

static bool same_bytes(const void *theirs, size_t size, const void *ours, size_t our_size)
{
    return size == our_size && (size == 0 || memcmp(theirs, ours, size) == 0);
}

static bool same_object(const msgpack_object *theirs, const mproc_value *ours)
{
    switch (ours->type) {
    case MPROC_NIL:
        return theirs->type == MSGPACK_OBJECT_NIL;
    case MPROC_BOOL:
        return theirs->type == MSGPACK_OBJECT_BOOLEAN && theirs->via.boolean == ours->as.boolean;
    case MPROC_INT:
        return ours->as.integer < 0 ? theirs->type == MSGPACK_OBJECT_NEGATIVE_INTEGER &&
                                          theirs->via.i64 == ours->as.integer
                                    : theirs->type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
                                          theirs->via.u64 == (uint64_t)ours->as.integer;
    case MPROC_UINT:
        return theirs->type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
               theirs->via.u64 == ours->as.uinteger;
    case MPROC_DOUBLE:
        return theirs->type == MSGPACK_OBJECT_FLOAT64 && theirs->via.f64 == ours->as.real;
    case MPROC_STRING:
        return theirs->type == MSGPACK_OBJECT_STR &&
               same_bytes(theirs->via.str.ptr, theirs->via.str.size, ours->as.string.data,
                          ours->as.string.size);
    case MPROC_BYTES:
        return theirs->type == MSGPACK_OBJECT_BIN &&
               same_bytes(theirs->via.bin.ptr, theirs->via.bin.size, ours->as.bytes.data,
                          ours->as.bytes.size);
    case MPROC_LIST:
        return theirs->type == MSGPACK_OBJECT_ARRAY && same_list(&theirs->via.array, ours);
    case MPROC_MAP:
        return theirs->type == MSGPACK_OBJECT_MAP && same_map(&theirs->via.map, ours);
    default:
        return false;
    }
}

static void pack(msgpack_packer *to, const mproc_value *value)
{
    switch (value->type) {
    case MPROC_BOOL:
        (void)(value->as.boolean ? msgpack_pack_true(to) : msgpack_pack_false(to));
        break;
    case MPROC_INT:
        (void)msgpack_pack_int64(to, value->as.integer);
        break;
    case MPROC_UINT:
        (void)msgpack_pack_uint64(to, value->as.uinteger);
        break;
    case MPROC_DOUBLE:
        (void)msgpack_pack_double(to, value->as.real);
        break;
    case MPROC_STRING:
        (void)msgpack_pack_str(to, value->as.string.size);
        (void)msgpack_pack_str_body(to, value->as.string.data, value->as.string.size);
        break;
    case MPROC_BYTES:
        (void)msgpack_pack_bin(to, value->as.bytes.size);
        (void)msgpack_pack_bin_body(to, value->as.bytes.data, value->as.bytes.size);
        break;
    case MPROC_LIST:
        (void)msgpack_pack_array(to, value->as.list.count);
        for (size_t i = 0; i < value->as.list.count; i++) {
            pack(to, &value->as.list.items[i]);
        }
        break;
    case MPROC_MAP:
        (void)msgpack_pack_map(to, value->as.map.count);
        for (size_t i = 0; i < value->as.map.count; i++) {
            pack(to, &value->as.map.pairs[i].key);
            pack(to, &value->as.map.pairs[i].value);
        }
        break;
    default:
        (void)msgpack_pack_nil(to);
        break;
    }
}

static bool msgpack_reads(const void *data, size_t size, const mproc_value *value)
{
    msgpack_unpacked result;
    size_t at = 0;
    msgpack_unpacked_init(&result);
    const bool same = msgpack_unpack_next(&result, data, size, &at) == MSGPACK_UNPACK_SUCCESS &&
                      at == size && same_object(&result.data, value);
    msgpack_unpacked_destroy(&result);
    return same;
}

static bool reads_msgpack(const msgpack_sbuffer *buffer, const mproc_value *value)
{
    mproc_value decoded = MPROC_NIL_VALUE;
    const bool same =
        decode(buffer->data, buffer->size, &decoded) == 0 && mproc_value_equal(&decoded, value);
    mproc_value_clear(&decoded);
    return same;
}

static void test_codec_random__agrees_with_msgpack_c(void)
{
    const long rounds = testlib_count(1000, 300000);
    long n_failed = 0;
    for (long i = 0; i < rounds; i++) {
        const mproc_value value = next_random_value();
        void *data = NULL;
        size_t size = 0;
        msgpack_sbuffer buffer;
        msgpack_packer packer;
        msgpack_sbuffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
        pack(&packer, &value);
        CU_ASSERT_FATAL(mproc_value_encode(&value, &data, &size) == 0);
        n_failed += !msgpack_reads(data, size, &value);
        n_failed += !reads_msgpack(&buffer, &value);
        n_failed += !same_bytes(buffer.data, buffer.size, data, size); // both are the shortest form
        mproc_free(data);
        msgpack_sbuffer_destroy(&buffer);
    }
    CU_ASSERT(n_failed == 0);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void test_codec_random__rejects_every_truncation(void)
{
    const long rounds = testlib_count(50, 20000);
    long n_failed = 0;
    for (long i = 0; i < rounds; i++) {
        const mproc_value value = next_random_value();
        unsigned char *data = NULL;
        size_t size = 0;
        CU_ASSERT_FATAL(mproc_value_encode(&value, (void **)&data, &size) == 0);
        for (size_t cut = 0; cut < size && cut < 2000; cut++) {
            mproc_value decoded = MPROC_NIL_VALUE;
            n_failed += decode(data, cut, &decoded) != MPROC_EMALFORMED;
        }
        mproc_free(data);
    }
    CU_ASSERT(n_failed == 0);
}

/* Whatever is read can be written, read again, and is the same; but NaN, which equals nothing. */
static bool survives(const void *data, size_t size)
{
    mproc_value first = MPROC_NIL_VALUE;
    void *again = NULL;
    size_t again_size = 0;
    if (decode(data, size, &first) < 0) {
        return true;
    }
    mproc_value second = MPROC_NIL_VALUE;
    void *last = NULL;
    size_t last_size = 0;
    const bool same = mproc_value_encode(&first, &again, &again_size) == 0 &&
                      decode(again, again_size, &second) == 0 &&
                      mproc_value_encode(&second, &last, &last_size) == 0 &&
                      same_bytes(again, again_size, last, last_size);
    mproc_free(last);
    mproc_free(again);
    mproc_value_clear(&second);
    mproc_value_clear(&first);
    return same;
}

static void test_codec_random__survives_every_changed_byte(void)
{
    const long rounds = testlib_count(20, 6000);
    long n_failed = 0;
    for (long i = 0; i < rounds; i++) {
        const mproc_value value = next_random_value();
        unsigned char *data = NULL;
        size_t size = 0;
        CU_ASSERT_FATAL(mproc_value_encode(&value, (void **)&data, &size) == 0);
        for (size_t at = 0; at < size && at < 300; at++) {
            const unsigned char was = data[at];
            const unsigned n_others = size < 60 ? 255 : 8;
            for (unsigned j = 1; j <= n_others; j++) {
                data[at] = (unsigned char)(n_others == 255 ? was + j : testlib_random());
                n_failed += !survives(data, size);
            }
            data[at] = was;
        }
        mproc_free(data);
    }
    CU_ASSERT(n_failed == 0);
}

static void test_codec_random__survives_noise(void)
{
    const long rounds = testlib_count(10000, 3000000);
    long n_failed = 0;
    for (long i = 0; i < rounds; i++) {
        unsigned char data[64];
        const size_t size = random_below(sizeof(data));
        for (size_t j = 0; j < size; j++) {
            data[j] = (unsigned char)testlib_random();
        }
        n_failed += !survives(data, size);
    }
    CU_ASSERT(n_failed == 0);
}

static const testlib_case cases[] = {
    {"agrees_with_msgpack_c", test_codec_random__agrees_with_msgpack_c},
    {"rejects_every_truncation", test_codec_random__rejects_every_truncation},
    {"survives_every_changed_byte", test_codec_random__survives_every_changed_byte},
    {"survives_noise", test_codec_random__survives_noise},
};
TESTLIB_MAIN("family.codec_random", cases)
