/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_part.c: MessagePack's first bytes and what they announce; every legal form of each.
 *
 * Apart from codec_read.c, which makes values of the parts, since this half knows the format and
 * that half the memory.
 */
#include "family/codec_part.h"

#include "base/status.h"
#include "family/codec.h"

#include <string.h>

static size_t bytes_left(const mproc__parts *in)
{
    return (size_t)(in->end - in->at);
}

static int cut_short(const mproc__parts *in)
{
    return mproc__fail(MPROC_EMALFORMED, "decoding byte %zu: the message ends inside this value",
                       mproc__part_offset(in));
}

/* What begins with the codes 0xc0 to 0xdf: a shape, and a number of some bytes that follows. */
enum shape { NIL, BAD, BOOL, UNSIGNED, SIGNED, FLOAT, DOUBLE, STRING, BYTES, LIST, MAP, EXTENSION };

static const struct wire {
    unsigned char shape;
    unsigned char n_bytes;
} wires[32] = {
    {NIL, 0},       {BAD, 0},       {BOOL, 0},      {BOOL, 0}, // 0xc0
    {BYTES, 1},     {BYTES, 2},     {BYTES, 4},     {EXTENSION, 1}, {EXTENSION, 2}, {EXTENSION, 4},
    {FLOAT, 4},     {DOUBLE, 8},    {UNSIGNED, 1},  {UNSIGNED, 2},  {UNSIGNED, 4},  {UNSIGNED, 8},
    {SIGNED, 1},    {SIGNED, 2},    {SIGNED, 4},    {SIGNED, 8}, // 0xd0
    {EXTENSION, 0}, {EXTENSION, 0}, {EXTENSION, 0}, {EXTENSION, 0}, {EXTENSION, 0}, {STRING, 1},
    {STRING, 2},    {STRING, 4},    {LIST, 2},      {LIST, 4},      {MAP, 2},       {MAP, 4},
};

static uint64_t load16(const unsigned char *at)
{
    return (uint64_t)(at[0] << 8 | at[1]);
}

static uint64_t load32(const unsigned char *at)
{
    return load16(at) << 16 | load16(at + 2);
}

static uint64_t load64(const unsigned char *at)
{
    return load32(at) << 32 | load32(at + 4);
}

/* An unsigned number of 0, 1, 2, 4 or 8 bytes, big-endian. */
static uint64_t load(const unsigned char *at, unsigned n_bytes)
{
    switch (n_bytes) {
    case 0:
        return 0;
    case 1:
        return at[0];
    case 2:
        return load16(at);
    case 4:
        return load32(at);
    default:
        return load64(at);
    }
}

static int take_string(mproc__parts *in, mproc_value *value, size_t size)
{
    if (size > bytes_left(in)) {
        return cut_short(in);
    }
    value->type = MPROC_STRING;
    value->as.string.data = (const char *)in->at;
    value->as.string.size = size;
    in->at += size;
    return 0;
}

static int take_bytes(mproc__parts *in, mproc_value *value, size_t size)
{
    if (size > bytes_left(in)) {
        return cut_short(in);
    }
    value->type = MPROC_BYTES;
    value->as.bytes.data = in->at;
    value->as.bytes.size = size;
    in->at += size;
    return 0;
}

/* Each item of a list takes at least a byte, each entry of a map two. */
static int take_list(mproc__parts *in, mproc_value *value, size_t count)
{
    if (count > bytes_left(in)) {
        return mproc__fail(MPROC_EMALFORMED, "decoding byte %zu: a list of %zu items in %zu bytes",
                           mproc__part_offset(in), count, bytes_left(in));
    }
    value->type = MPROC_LIST;
    value->as.list.items = NULL;
    value->as.list.count = count;
    return 0;
}

static int take_map(mproc__parts *in, mproc_value *value, size_t count)
{
    if (count > bytes_left(in) / 2) {
        return mproc__fail(MPROC_EMALFORMED, "decoding byte %zu: a map of %zu entries in %zu bytes",
                           mproc__part_offset(in), count, bytes_left(in));
    }
    value->type = MPROC_MAP;
    value->as.map.pairs = NULL;
    value->as.map.count = count;
    return 0;
}

static int take_integer(mproc_value *value, int64_t x)
{
    value->type = MPROC_INT;
    value->as.integer = x;
    return 0;
}

static int take_unsigned(mproc_value *value, uint64_t x)
{
    value->type = x <= INT64_MAX ? MPROC_INT : MPROC_UINT;
    value->as.uinteger = x;
    return 0;
}

/* The casts give the bits their sign; they wrap with every compiler we know. */
static int take_signed(mproc_value *value, uint64_t bits, unsigned n_bytes)
{
    switch (n_bytes) {
    case 1:
        return take_integer(value, (int8_t)bits);
    case 2:
        return take_integer(value, (int16_t)bits);
    case 4:
        return take_integer(value, (int32_t)bits);
    default:
        return take_integer(value, (int64_t)bits);
    }
}

static int take_float(mproc_value *value, uint64_t bits)
{
    const uint32_t bits32 = (uint32_t)bits;
    float x;
    memcpy(&x, &bits32, sizeof(x));
    value->type = MPROC_DOUBLE;
    value->as.real = (double)x;
    return 0;
}

static int take_double(mproc_value *value, uint64_t bits)
{
    value->type = MPROC_DOUBLE;
    memcpy(&value->as.real, &bits, sizeof(bits));
    return 0;
}

static int refuse_extension(const mproc__parts *in, int type, size_t size)
{
    if (type == -1) {
        return mproc__fail(MPROC_EMALFORMED, "decoding byte %zu: timestamps are not supported",
                           mproc__part_offset(in));
    }
    if (type != MPROC__EXT_OBJECT) {
        return mproc__fail(MPROC_EMALFORMED, "decoding byte %zu: extension type %d is unknown",
                           mproc__part_offset(in), type);
    }
    if (size != 8) {
        return mproc__fail(MPROC_EMALFORMED,
                           "decoding byte %zu: a shared object's reference of %zu bytes",
                           mproc__part_offset(in), size);
    }
    return mproc__fail(MPROC_EMALFORMED,
                       "decoding byte %zu: a shared object, which means nothing here",
                       mproc__part_offset(in));
}

/* `size` is that of the data, which the type comes before. */
static int take_extension(mproc__parts *in, mproc_value *value, size_t size)
{
    if (bytes_left(in) == 0) {
        return cut_short(in);
    }
    const int type = in->at[0] < 0x80 ? in->at[0] : in->at[0] - 0x100;
    if (type != MPROC__EXT_OBJECT || size != 8 || !in->takes_objects) {
        return refuse_extension(in, type, size);
    }
    if (size >= bytes_left(in)) {
        return cut_short(in);
    }
    value->type = MPROC_OBJECT;
    value->as.uinteger = load64(in->at + 1);
    in->at += 1 + size;
    return 0;
}

/* A value whose first byte, `code`, is 0xc0 to 0xdf. */
static int take_coded(mproc__parts *in, mproc_value *value, unsigned code)
{
    const struct wire wire = wires[code - 0xc0];
    if (wire.n_bytes > bytes_left(in)) {
        return cut_short(in);
    }
    const uint64_t x = load(in->at, wire.n_bytes);
    in->at += wire.n_bytes;
    switch ((enum shape)wire.shape) {
    case NIL:
        value->type = MPROC_NIL;
        return 0;
    case BOOL:
        value->type = MPROC_BOOL;
        value->as.boolean = code == 0xc3;
        return 0;
    case UNSIGNED:
        return take_unsigned(value, x);
    case SIGNED:
        return take_signed(value, x, wire.n_bytes);
    case FLOAT:
        return take_float(value, x);
    case DOUBLE:
        return take_double(value, x);
    case STRING:
        return take_string(in, value, (size_t)x);
    case BYTES:
        return take_bytes(in, value, (size_t)x);
    case LIST:
        return take_list(in, value, (size_t)x);
    case MAP:
        return take_map(in, value, (size_t)x);
    case EXTENSION:
        return take_extension(in, value,
                              wire.n_bytes > 0 ? (size_t)x : (size_t)1 << (code & 0xf) >> 4);
    case BAD:
        break;
    }
    return mproc__fail(MPROC_EMALFORMED, "decoding byte %zu: 0xc1 begins no value",
                       mproc__part_offset(in));
}

/* Values without children and bytes: what their first bytes can be. */
static bool is_plain(unsigned code)
{
    return code < 0x80 || code >= 0xe0 ||
           (code >= 0xc0 && code <= 0xd3 && code != MPROC__CODEC_NO_VALUE &&
            (code < 0xc4 || code > 0xc9));
}

/*
 * Most plain values are integers: read one without a branch for each of its forms. Codes 0xcc to 0xcf are of
 * 1, 2, 4 and 8 bytes without a sign, the four after them of as many with one. As many bytes must be there as
 * the longest takes.
 */
static inline bool take_integer_at_once(mproc__parts *in, mproc_value *value)
{
    const unsigned code = *in->at;
    if (code < 0x80 || code >= 0xe0) {
        value->as.integer = code < 0x80 ? (int64_t)code : (int64_t)code - 0x100;
        in->at++;
    } else if (code >= 0xcc && code <= 0xd3 && in->end - in->at > 8) {
        const unsigned n_bits = 8u << (code & 3);
        const uint64_t bits = load64(in->at + 1);
        if (code < 0xd0 && n_bits == 64 && bits > INT64_MAX) {
            return false;
        }
        value->as.integer =
            code < 0xd0 ? (int64_t)(bits >> (64 - n_bits)) : (int64_t)bits >> (64 - n_bits);
        in->at += 1 + n_bits / 8;
    } else {
        return false;
    }
    value->type = MPROC_INT;
    value->owned = NULL;
    return true;
}

int mproc__parts_plain(mproc__parts *in, mproc_value *ret_parts, size_t count, size_t *ret_count)
{
    mproc__parts here = *in;
    size_t n = 0;
    int rc = 0;
    while (n < count && here.at < here.end && is_plain(*here.at)) {
        if (!take_integer_at_once(&here, &ret_parts[n])) {
            *in = here;
            rc = mproc__part_next(in, &ret_parts[n]);
            here = *in;
        }
        if (rc < 0) {
            break;
        }
        n++;
    }
    *in = here;
    *ret_count = n;
    return rc;
}

int mproc__part_next(mproc__parts *in, mproc_value *ret_part)
{
    in->part = in->at;
    if (in->at == in->end) {
        return mproc__fail(MPROC_EMALFORMED,
                           "decoding byte %zu: the message ends before this value",
                           mproc__part_offset(in));
    }
    const unsigned code = *in->at++;
    ret_part->owned = NULL;
    if (code < 0x80 || code >= 0xe0) {
        return take_integer(ret_part, (int8_t)code);
    }
    if (code >= 0xc0) {
        return take_coded(in, ret_part, code);
    }
    return code >= 0xa0   ? take_string(in, ret_part, code - 0xa0)
           : code >= 0x90 ? take_list(in, ret_part, code - 0x90)
                          : take_map(in, ret_part, code - 0x80);
}
