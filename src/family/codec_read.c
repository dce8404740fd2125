/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_read.c: from MessagePack to values, whoever wrote it.
 *
 * Two passes. The first checks every byte of the input and adds up what the value needs; the second
 * builds it in one piece of memory. Both keep a stack of their own, MPROC_VALUE_MAX_DEPTH deep. The
 * second trusts the first in nothing: the input may lie in the arena, where another process can write
 * to it in between, so every length is checked again, and memory comes from the zone, which knows its
 * own size.
 */
#include "family/codec.h"

#include "base/status.h"
#include "family/codec_part.h"
#include "family/value.h"
#include "family/zone.h"

#include <string.h>

struct reader {
    const mproc__codec *codec;
    mproc__parts parts;
};

/* ---- first pass ------------------------------------------------------------------------------ */

static bool has_children(const mproc_value *value)
{
    return value->type == MPROC_LIST || value->type == MPROC_MAP;
}

/* Add what the second pass will take for this value. */
static void add_needs(const struct reader *in, mproc__zone_needs *needs, const mproc_value *value)
{
    switch (value->type) {
    case MPROC_STRING:
        needs->bytes += value->as.string.size + 1;
        break;
    case MPROC_BYTES:
        needs->bytes += in->codec->borrow_bytes ? 0 : value->as.bytes.size;
        break;
    case MPROC_OBJECT:
        needs->objects++;
        break;
    case MPROC_LIST:
    case MPROC_MAP:
        needs->values += mproc__value_n_children(value);
        break;
    default:
        break;
    }
}

static int too_deep(const struct reader *in)
{
    return mproc__fail(MPROC_ETOOBIG, "decoding byte %zu: it is nested deeper than %d",
                       mproc__part_offset(&in->parts), MPROC_VALUE_MAX_DEPTH);
}

static int at_end(const struct reader *in)
{
    const size_t n_left = (size_t)(in->parts.end - in->parts.at);
    return n_left == 0 ? 0
                       : mproc__fail(MPROC_EMALFORMED,
                                     "decoding a value: %zu more bytes follow its end", n_left);
}

/* Check the next value. The sums are right when it succeeds: nothing in them was only claimed. */
static int measure(struct reader *in, mproc__zone_needs *needs)
{
    size_t left[MPROC_VALUE_MAX_DEPTH + 1]; // values still to come, by depth
    size_t depth = 0;
    left[0] = 1;
    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0) {
                return 0;
            }
            depth--;
        }
        left[depth]--;
        mproc_value value;
        int rc = mproc__part_next(&in->parts, &value);
        if (rc < 0) {
            return rc;
        }
        add_needs(in, needs, &value);
        if (has_children(&value)) {
            if (depth == MPROC_VALUE_MAX_DEPTH) {
                return too_deep(in);
            }
            left[++depth] = mproc__value_n_children(&value);
        }
    }
}

/* ---- second pass ----------------------------------------------------------------------------- */

struct frame {
    mproc_value *next; // where the next value of this depth goes
    size_t left;
};

static int changed_meanwhile(const struct reader *in)
{
    return mproc__fail(MPROC_EMALFORMED, "decoding byte %zu: the message changed meanwhile",
                       mproc__part_offset(&in->parts));
}

/* `room` is at least `size`; what is beyond becomes zero. */
static int keep_bytes(const struct reader *in, mproc__zone *zone, const void **data, size_t size,
                      size_t room)
{
    const void *bytes = *data;
    char *copy = mproc__zone_take_bytes(zone, room);
    *data = NULL;
    if (copy == NULL) {
        return room == 0 ? 0 : changed_meanwhile(in);
    }
    memcpy(copy, bytes, size);
    memset(copy + size, 0, room - size);
    *data = copy;
    return 0;
}

static int keep_object(const struct reader *in, mproc__zone *zone, mproc_value *value)
{
    struct mproc_object **place = mproc__zone_take_object(zone);
    if (place == NULL) {
        return changed_meanwhile(in);
    }
    int rc = in->codec->get_object(in->codec->arg, value->as.uinteger, place);
    value->as.object = *place;
    return rc;
}

/* Make a value that read_value gave independent of the input. */
static int keep(const struct reader *in, mproc__zone *zone, mproc_value *value)
{
    const void *data = NULL;
    int rc = 0;
    switch (value->type) {
    case MPROC_STRING:
        data = value->as.string.data;
        rc = keep_bytes(in, zone, &data, value->as.string.size, value->as.string.size + 1);
        value->as.string.data = data;
        return rc;
    case MPROC_BYTES:
        return in->codec->borrow_bytes ? 0
                                       : keep_bytes(in, zone, &value->as.bytes.data,
                                                    value->as.bytes.size, value->as.bytes.size);
    case MPROC_OBJECT:
        return keep_object(in, zone, value);
    default:
        return 0;
    }
}

/* Make room for the children of a list or map, which come next; false if there is none. */
static bool open_frame(mproc__zone *zone, mproc_value *value, struct frame *frame)
{
    frame->left = mproc__value_n_children(value);
    frame->next = mproc__zone_take_values(zone, frame->left);
    mproc__value_adopt(value, frame->next);
    return frame->next != NULL;
}

static int build(struct reader *in, mproc__zone *zone, mproc_value *root)
{
    struct frame frames[MPROC_VALUE_MAX_DEPTH + 1];
    size_t depth = 0;
    frames[0] = (struct frame){root, 1};
    for (;;) {
        while (frames[depth].left == 0) {
            if (depth == 0) {
                return 0;
            }
            depth--;
        }
        frames[depth].left--;
        mproc_value *value = frames[depth].next++;
        int rc = mproc__part_next(&in->parts, value);
        if (rc < 0) {
            return rc;
        }
        if (!has_children(value)) {
            rc = keep(in, zone, value);
        } else if (depth == MPROC_VALUE_MAX_DEPTH) {
            rc = too_deep(in);
        } else if (mproc__value_n_children(value) > 0 &&
                   !open_frame(zone, value, &frames[++depth])) {
            return changed_meanwhile(in);
        }
        if (rc < 0) {
            return rc;
        }
    }
}

int mproc__codec_read(const mproc__codec *codec, const void *data, size_t size,
                      mproc_value *ret_value)
{
    if (size == 0) {
        return mproc__fail(MPROC_EMALFORMED, "decoding a value: the message is empty");
    }
    const unsigned char *start = data;
    struct reader in = {codec, {start, start, start, start + size, codec->get_object != NULL}};
    mproc__zone_needs needs = {0};
    int rc = measure(&in, &needs);
    rc = rc < 0 ? rc : at_end(&in);
    if (rc < 0) {
        return rc;
    }
    mproc__zone *zone = NULL;
    rc = mproc__zone_create(&zone, &needs);
    if (rc < 0) {
        return rc;
    }
    mproc_value value;
    in.parts.at = start;
    rc = build(&in, zone, &value);
    if (rc < 0) {
        mproc__zone_free(zone);
        return rc;
    }
    value.owned = zone;
    *ret_value = value;
    return 0;
}

/* ---- several --------------------------------------------------------------------------------- */

/* The values of a run that need memory share one piece of so many bytes: small ones, then. */
#define RUN_BYTES ((size_t)65536)

static bool has_more(const mproc__parts *in)
{
    return in->at < in->end && *in->at != MPROC__CODEC_NO_VALUE;
}

/* How many of the next values, up to `count`, are to share a piece of memory, and how much it is. */
static int measure_run(struct reader *in, size_t count, mproc__zone_needs *needs, size_t *ret_count)
{
    size_t n = 0;
    while (n < count && has_more(&in->parts) && (n == 0 || needs->bytes < RUN_BYTES)) {
        mproc__zone_needs more = *needs;
        int rc = measure(in, &more);
        if (rc < 0) {
            return rc;
        }
        // Objects are closed with the piece: so a value that has some has a piece of its own.
        if (more.objects > 0 && n > 0) {
            break;
        }
        *needs = more;
        n++;
        if (more.objects > 0) {
            break;
        }
    }
    *ret_count = n;
    return 0;
}

static int build_run(struct reader *in, mproc__zone *zone, mproc_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int rc = build(in, zone, &values[i]);
        if (rc < 0) {
            return rc;
        }
    }
    for (size_t i = 0; zone != NULL && i < count; i++) {
        values[i].owned = zone;
        if (i > 0) {
            mproc__zone_share(zone);
        }
    }
    return 0;
}

int mproc__codec_read_run(const mproc__codec *codec, const void **at, const void *end,
                          mproc_value *ret_values, size_t count, size_t *ret_count)
{
    const unsigned char *start = *at;
    struct reader in = {codec, {start, start, start, end, codec->get_object != NULL}};
    size_t n_plain, n = 0;
    int rc = mproc__parts_plain(&in.parts, ret_values, count, &n_plain);
    if (rc >= 0 && n_plain == 0) {
        mproc__zone_needs needs = {0};
        mproc__zone *zone = NULL;
        rc = measure_run(&in, count, &needs, &n);
        rc = rc < 0 ? rc : mproc__zone_create(&zone, &needs);
        in.parts.at = start;
        rc = rc < 0 ? rc : build_run(&in, zone, ret_values, n);
        if (rc < 0) {
            mproc__zone_free(zone);
        }
    }
    if (rc >= 0) {
        *ret_count = n_plain + n;
        *at = in.parts.at;
    }
    return rc;
}

int mproc_value_decode(const void *data, size_t size, mproc_value *ret_value)
{
    static const mproc__codec no_objects;
    if ((data == NULL && size > 0) || ret_value == NULL) {
        return mproc__fail(MPROC_EINVAL, "decoding a value: NULL was given");
    }
    return mproc__codec_read(&no_objects, data, size, ret_value);
}
