/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_write.c: from values to MessagePack, every part in its shortest form.
 *
 * Two walks over the value: one for the size, one that writes. Both follow the same tables and size
 * functions, so that they cannot disagree.
 */
#include "family/codec.h"

#include "base/alloc.h"
#include "base/status.h"
#include "family/value.h"

#include <string.h>

/* ---- forms ----------------------------------------------------------------------------------- */

/* How a count goes before what it counts. */
struct form {
    unsigned n_fix; // counts below it are in the first byte,
    unsigned fix;   // added to this
    unsigned code8; // 0: there is no such form
    unsigned code16;
    unsigned code32;
};

static const struct form string_form = {32, 0xa0, 0xd9, 0xda, 0xdb};
static const struct form bytes_form = {0, 0, 0xc4, 0xc5, 0xc6};
static const struct form list_form = {16, 0x90, 0, 0xdc, 0xdd};
static const struct form map_form = {16, 0x80, 0, 0xde, 0xdf};

static size_t head_size(const struct form *form, size_t count)
{
    return count < form->n_fix                      ? 1
           : count <= UINT8_MAX && form->code8 != 0 ? 2
           : count <= UINT16_MAX                    ? 3
                                                    : 5;
}

static size_t unsigned_size(uint64_t x)
{
    return x <= INT8_MAX ? 1 : x <= UINT8_MAX ? 2 : x <= UINT16_MAX ? 3 : x <= UINT32_MAX ? 5 : 9;
}

static size_t negative_size(int64_t x)
{
    return x >= -32 ? 1 : x >= INT8_MIN ? 2 : x >= INT16_MIN ? 3 : x >= INT32_MIN ? 5 : 9;
}

/* ---- size ------------------------------------------------------------------------------------ */

struct tally {
    uint64_t size; // compared with SIZE_MAX at the end: what is in memory cannot overflow 64 bits
    size_t n_objects;
    bool takes_objects;
};

static int add_head(struct tally *tally, const struct form *form, const char *what, size_t count)
{
    // In two steps, since a size_t may have no more than 32 bits.
    if (count >> 16 >> 16 != 0) {
        return mproc__fail(MPROC_ETOOBIG, "encoding a value: %s of %zu; the limit is 4 GiB - 1",
                           what, count);
    }
    tally->size += head_size(form, count);
    return 0;
}

static int add_bytes(struct tally *tally, const struct form *form, const char *what, size_t size)
{
    tally->size += size;
    return add_head(tally, form, what, size);
}

static int add_object(struct tally *tally, const struct mproc_object *object)
{
    if (object == NULL) {
        return mproc__fail(MPROC_EINVAL, "encoding a value: an object in it is NULL");
    }
    if (!tally->takes_objects) {
        return mproc__fail(MPROC_ETYPE, "encoding a value: it holds a shared object, which means "
                                        "nothing outside its family");
    }
    tally->n_objects++;
    tally->size += 10;
    return 0;
}

static int add_value(struct tally *tally, const mproc_value *value, unsigned depth);

static int add_children(struct tally *tally, const mproc_value *value, unsigned depth)
{
    if (depth == MPROC_VALUE_MAX_DEPTH) {
        return mproc__fail(MPROC_ETOOBIG, "encoding a value: it is nested deeper than %d",
                           MPROC_VALUE_MAX_DEPTH);
    }
    int rc = value->type == MPROC_LIST ? add_head(tally, &list_form, "a list", value->as.list.count)
                                       : add_head(tally, &map_form, "a map", value->as.map.count);
    const mproc_value *children = mproc__value_children(value);
    const size_t n_children = mproc__value_n_children(value);
    for (size_t i = 0; rc == 0 && i < n_children; i++) {
        rc = add_value(tally, &children[i], depth + 1);
    }
    return rc;
}

static int add_value(struct tally *tally, const mproc_value *value, unsigned depth)
{
    switch (value->type) {
    case MPROC_NIL:
    case MPROC_BOOL:
        tally->size += 1;
        return 0;
    case MPROC_INT:
        tally->size += value->as.integer < 0 ? negative_size(value->as.integer)
                                             : unsigned_size((uint64_t)value->as.integer);
        return 0;
    case MPROC_UINT:
        tally->size += unsigned_size(value->as.uinteger);
        return 0;
    case MPROC_DOUBLE:
        tally->size += 9;
        return 0;
    case MPROC_STRING:
        return add_bytes(tally, &string_form, "a string", value->as.string.size);
    case MPROC_BYTES:
        return add_bytes(tally, &bytes_form, "bytes", value->as.bytes.size);
    case MPROC_OBJECT:
        return add_object(tally, value->as.object);
    case MPROC_LIST:
    case MPROC_MAP:
        return add_children(tally, value, depth);
    }
    return mproc__fail(MPROC_EINVAL, "encoding a value: there is no type %d", (int)value->type);
}

int mproc__codec_size(const mproc__codec *codec, const mproc_value *value, size_t *ret_size,
                      size_t *ret_objects)
{
    struct tally tally = {.takes_objects = codec->put_object != NULL};
    int rc = add_value(&tally, value, 0);
    if (rc < 0) {
        return rc;
    }
    if (tally.size > SIZE_MAX) {
        return mproc__fail(MPROC_ETOOBIG, "encoding a value: it does not fit the address space");
    }
    *ret_size = (size_t)tally.size;
    if (ret_objects != NULL) {
        *ret_objects = tally.n_objects;
    }
    return 0;
}

/* ---- write ----------------------------------------------------------------------------------- */

/*
 * Each put_... writes at `at` and returns where the next one goes. It is an argument, not a member
 * of some struct, which the compiler would have to load again after each byte stored.
 */

static unsigned char *put8(unsigned char *at, uint64_t x)
{
    at[0] = (unsigned char)x;
    return at + 1;
}

static unsigned char *put16(unsigned char *at, uint64_t x)
{
    at[0] = (unsigned char)(x >> 8);
    at[1] = (unsigned char)x;
    return at + 2;
}

static unsigned char *put32(unsigned char *at, uint64_t x)
{
    at[0] = (unsigned char)(x >> 24);
    at[1] = (unsigned char)(x >> 16);
    at[2] = (unsigned char)(x >> 8);
    at[3] = (unsigned char)x;
    return at + 4;
}

static unsigned char *put64(unsigned char *at, uint64_t x)
{
    return put32(put32(at, x >> 32), x);
}

static unsigned char *put_head(unsigned char *at, const struct form *form, size_t count)
{
    switch (head_size(form, count)) {
    case 1:
        return put8(at, form->fix + count);
    case 2:
        return put8(put8(at, form->code8), count);
    case 3:
        return put16(put8(at, form->code16), count);
    default:
        return put32(put8(at, form->code32), count);
    }
}

/* An integer of `size` bytes in all; the codes of its four long forms follow each other. */
static inline unsigned char *put_integer(unsigned char *at, uint64_t bits, size_t size,
                                         unsigned code)
{
    switch (size) {
    case 1:
        return put8(at, bits);
    case 2:
        return put8(put8(at, code), bits);
    case 3:
        return put16(put8(at, code + 1), bits);
    case 5:
        return put32(put8(at, code + 2), bits);
    default:
        return put64(put8(at, code + 3), bits);
    }
}

static inline unsigned char *put_signed(unsigned char *at, int64_t x)
{
    const uint64_t bits = (uint64_t)x;
    return x < 0 ? put_integer(at, bits, negative_size(x), 0xd0)
                 : put_integer(at, bits, unsigned_size(bits), 0xcc);
}

static unsigned char *put_double(unsigned char *at, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return put64(put8(at, 0xcb), bits);
}

static unsigned char *put_bytes(unsigned char *at, const struct form *form, const void *data,
                                size_t size)
{
    at = put_head(at, form, size);
    if (size > 0) {
        memcpy(at, data, size);
    }
    return at + size;
}

/* The only thing that can fail: NULL then, and the status in *ret_status. */
static unsigned char *put_object(const mproc__codec *codec, unsigned char *at,
                                 struct mproc_object *object, int *ret_status)
{
    uint64_t reference = 0;
    int rc = codec->put_object(codec->arg, object, &reference);
    if (rc < 0) {
        *ret_status = rc;
        return NULL;
    }
    return put64(put8(put8(at, 0xd7), MPROC__EXT_OBJECT), reference);
}

static bool is_plain(const mproc_value *value)
{
    return value->type <= MPROC_DOUBLE;
}

static inline unsigned char *put_plain(unsigned char *at, const mproc_value *value)
{
    switch (value->type) {
    case MPROC_INT:
        return put_signed(at, value->as.integer);
    case MPROC_UINT:
        return put_integer(at, value->as.uinteger, unsigned_size(value->as.uinteger), 0xcc);
    case MPROC_DOUBLE:
        return put_double(at, value->as.real);
    case MPROC_BOOL:
        return put8(at, value->as.boolean ? 0xc3 : 0xc2);
    default:
        return put8(at, 0xc0);
    }
}

static unsigned char *put_value(const mproc__codec *codec, unsigned char *at,
                                const mproc_value *value, int *ret_status)
{
    switch (value->type) {
    case MPROC_NIL:
    case MPROC_BOOL:
    case MPROC_INT:
    case MPROC_UINT:
    case MPROC_DOUBLE:
        return put_plain(at, value);
    case MPROC_STRING:
        return put_bytes(at, &string_form, value->as.string.data, value->as.string.size);
    case MPROC_BYTES:
        return put_bytes(at, &bytes_form, value->as.bytes.data, value->as.bytes.size);
    case MPROC_OBJECT:
        return put_object(codec, at, value->as.object, ret_status);
    case MPROC_LIST:
        at = put_head(at, &list_form, value->as.list.count);
        break;
    case MPROC_MAP:
        at = put_head(at, &map_form, value->as.map.count);
        break;
    }
    const mproc_value *children = mproc__value_children(value);
    const size_t n_children = mproc__value_n_children(value);
    for (size_t i = 0; at != NULL && i < n_children; i++) {
        at = put_value(codec, at, &children[i], ret_status);
    }
    return at;
}

int mproc__codec_write(const mproc__codec *codec, const mproc_value *value, void *out)
{
    int rc = 0;
    (void)put_value(codec, out, value, &rc);
    return rc;
}

size_t mproc__codec_write_plain(const mproc_value *values, size_t count, unsigned char **at,
                                const unsigned char *end)
{
    unsigned char *next = *at;
    size_t n = 0;
    while (n < count && is_plain(&values[n]) && (size_t)(end - next) >= MPROC__CODEC_PLAIN_MAX) {
        next = put_plain(next, &values[n++]);
    }
    *at = next;
    return n;
}

int mproc_value_encode(const mproc_value *value, void **ret_data, size_t *ret_size)
{
    static const mproc__codec no_objects;
    size_t size = 0;
    if (value == NULL || ret_data == NULL || ret_size == NULL) {
        return mproc__fail(MPROC_EINVAL, "encoding a value: NULL was given");
    }
    int rc = mproc__codec_size(&no_objects, value, &size, NULL);
    if (rc < 0) {
        return rc;
    }
    void *data = mproc__malloc(size);
    if (data == NULL) {
        return mproc__fail(MPROC_ENOMEM, "encoding a value: no memory for %zu bytes", size);
    }
    rc = mproc__codec_write(&no_objects, value, data);
    if (rc < 0) {
        mproc__free(data);
        return rc;
    }
    *ret_data = data;
    *ret_size = size;
    return 0;
}
