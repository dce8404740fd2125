/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_codec.c: libFuzzer target: whatever bytes come in, reading them does no harm, and what was
 * read can be written and read again.
 */
#include "family/codec.h"
#include "family/object.h"
#include "mproc/arena.h"
#include "mproc/error.h"
#include "mproc/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise ends the run, which libFuzzer reports with the input. */
#define PROMISE(condition) \
    ((condition) ? (void)0 \
                 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

/* What every reference leads to. */
static mproc_block *block;

/* How many objects the next reading accepts before it refuses one. */
static unsigned n_accepted;

static int get_object(void *arg, uint64_t reference, struct mproc_object **ret_object)
{
    (void)arg;
    (void)reference;
    if (n_accepted == 0) {
        return MPROC_ENOENT;
    }
    n_accepted--;
    return mproc__object_attach(((mproc_object *)block)->offset, ret_object);
}

static int put_object(void *arg, struct mproc_object *object, uint64_t *ret_reference)
{
    (void)arg;
    *ret_reference = object->offset;
    return 0;
}

static bool has_nan(const mproc_value *value)
{
    bool has = value->type == MPROC_DOUBLE && value->as.real != value->as.real;
    for (size_t i = 0; value->type == MPROC_LIST && i < value->as.list.count; i++) {
        has = has || has_nan(&value->as.list.items[i]);
    }
    for (size_t i = 0; value->type == MPROC_MAP && i < value->as.map.count; i++) {
        has = has || has_nan(&value->as.map.pairs[i].key) || has_nan(&value->as.map.pairs[i].value);
    }
    return has;
}

static void *write_value(const mproc__codec *codec, const mproc_value *value, size_t *ret_size)
{
    PROMISE(mproc__codec_size(codec, value, ret_size, NULL) == 0);
    unsigned char *wire = malloc(*ret_size);
    PROMISE(wire != NULL && mproc__codec_write(codec, value, wire) == 0);
    return wire;
}

static void check_round_trip(const mproc__codec *codec, const mproc_value *value)
{
    size_t size = 0;
    size_t again_size = 0;
    mproc_value again = MPROC_NIL_VALUE;
    mproc_value copy = MPROC_NIL_VALUE;
    void *wire = write_value(codec, value, &size);
    n_accepted = UINT32_MAX;
    PROMISE(mproc__codec_read(codec, wire, size, &again) == 0);
    PROMISE(mproc_value_copy(&copy, value) == 0);
    void *again_wire = write_value(codec, &again, &again_size);
    PROMISE(size == again_size && memcmp(wire, again_wire, size) == 0);
    PROMISE(has_nan(value) || mproc_value_equal(value, &again));
    PROMISE(has_nan(value) || mproc_value_equal(value, &copy));
    mproc_value_clear(&copy);
    mproc_value_clear(&again);
    free(again_wire);
    free(wire);
}

static int read_once(const mproc__codec *codec, const uint8_t *data, size_t size, unsigned accept)
{
    mproc_value value = MPROC_NIL_VALUE;
    n_accepted = accept;
    int rc = mproc__codec_read(codec, data, size, &value);
    if (rc == 0) {
        check_round_trip(codec, &value);
    } else {
        PROMISE(value.type == MPROC_NIL && mproc_last_error()[0] != '\0');
    }
    mproc_value_clear(&value);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const mproc__codec strangers;
    static const mproc__codec relatives = {.put_object = put_object, .get_object = get_object};
    static const mproc__codec borrower = {
        .put_object = put_object, .get_object = get_object, .borrow_bytes = true};
    PROMISE(block != NULL || mproc_block_create(&block, 1) == 0);
    int rc = read_once(&relatives, data, size, UINT32_MAX);
    PROMISE(read_once(&borrower, data, size, UINT32_MAX) == rc);
    PROMISE(rc == 0 || read_once(&strangers, data, size, 0) != 0);
    (void)read_once(&relatives, data, size, 1);
    return 0;
}
