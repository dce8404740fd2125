/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec.h: values as MessagePack.
 *
 * Sizes first, then bytes into memory of exactly that size: arguments are encoded straight into the
 * arena, one copy. A shared object is extension type 1 with its reference as 8 bytes, big-endian.
 *
 * Own code rather than msgpack-c: that one takes memory for the item count a message claims before
 * it has seen the items, makes a second tree which would have to be copied into ours, and is packaged
 * under four names with an ABI break between them. It is the tests' oracle instead.
 */
#ifndef MPROC_FAMILY_CODEC_H
#define MPROC_FAMILY_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "family/object.h"
#include "mproc/value.h"

#define MPROC__EXT_OBJECT 1

/** How shared objects inside values are treated. Zero: they are refused. */
typedef struct mproc__codec {
    /** Called for each object met while writing; the reference it returns is written. NULL: refused. */
    int (*put_object)(void *arg, struct mproc_object *object, uint64_t *ret_reference);
    /**
     * Makes a handle of a reference met while reading; the value owns it, and closes it by
     * mproc__object_close. NULL: refused.
     */
    int (*get_object)(void *arg, uint64_t reference, struct mproc_object **ret_object);
    void *arg;
    bool borrow_bytes; /**< MPROC_BYTES of a value that was read point into the input */
} mproc__codec;

/**
 * The size of a value's encoding.
 *
 * @param ret_objects  how many objects it holds; may be NULL
 * @return 0, MPROC_ETOOBIG (nested too deep, or a part of 4 GiB and more), MPROC_ETYPE (objects, and
 *         codec->put_object is NULL) or MPROC_EINVAL (no such type)
 */
int mproc__codec_size(const mproc__codec *codec, const mproc_value *value, size_t *ret_size,
                      size_t *ret_objects);

/**
 * Write a value for which mproc__codec_size returned 0 to `out`, exactly that many bytes.
 *
 * @return 0, or what put_object returned: it is not called again then
 */
int mproc__codec_write(const mproc__codec *codec, const mproc_value *value, void *out);

/** The most that nil, a boolean or a number takes. */
#define MPROC__CODEC_PLAIN_MAX 9u

/**
 * Write values at once, up to the first that is not nil, a boolean or a number, or for which there are not
 * MPROC__CODEC_PLAIN_MAX bytes.
 *
 * @param at  moved behind what was written
 * @return how many they are
 */
size_t mproc__codec_write_plain(const mproc_value *values, size_t count, unsigned char **at,
                                const unsigned char *end);

/**
 * Read one value that fills all of [data, data + size). Nothing is trusted, not even that the input
 * stays the same meanwhile; memory is taken only after all of it has been checked, in one piece. On
 * failure no object stays attached.
 *
 * @return 0, MPROC_EMALFORMED, MPROC_ETOOBIG (nested too deep), MPROC_ENOMEM, or what get_object
 *         returned
 */
int mproc__codec_read(const mproc__codec *codec, const void *data, size_t size,
                      mproc_value *ret_value);

/** A byte that begins no value: where a run of values ends, and something else follows. */
#define MPROC__CODEC_NO_VALUE 0xc1u

/**
 * Read some of the values that follow each other from `*at` on, up to `end` or MPROC__CODEC_NO_VALUE: at
 * least one, if there is one, and at most `count`. Small ones that need memory share it: all of it is free
 * when each has been cleared. Else as mproc__codec_read.
 *
 * @param at         moved behind what was read
 * @param ret_count  how many they are; 0: there is none
 */
int mproc__codec_read_run(const mproc__codec *codec, const void **at, const void *end,
                          mproc_value *ret_values, size_t count, size_t *ret_count);

#endif
