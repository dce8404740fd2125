/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.c: see frame.h.
 */
#include "object/frame.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/status.h"

#include <string.h>

/* A buffer of this size is kept for the next message. */
#define KEPT ((uint64_t)65536)

void mproc__frame_init(mproc__frame *frame, bool is_bare, uint64_t most)
{
    memset(frame, 0, sizeof(*frame));
    frame->is_bare = is_bare;
    frame->has_size = is_bare;
    frame->most = most;
    frame->ahead_bytes = sizeof(frame->ahead);
}

void mproc__frame_fini(mproc__frame *frame)
{
    mproc__free(frame->data);
    frame->data = NULL;
    frame->capacity = 0;
}

/** How many bytes of the message are still to come, as far as that is known. */
static uint64_t missing(const mproc__frame *frame)
{
    return (frame->is_bare ? frame->most : frame->size) - frame->have;
}

/** Have room for `more` bytes behind those that have come. */
static int grow(mproc__frame *frame, uint64_t more)
{
    uint64_t needed = frame->have + more; // both are bounded by `most`, or by memory
    if (needed <= frame->capacity) {
        return MPROC_OK;
    }
    uint64_t most = frame->is_bare ? frame->most : frame->size;
    uint64_t capacity = most < KEPT ? KEPT / 16 : KEPT;
    capacity = capacity < frame->capacity * 2 ? frame->capacity * 2 : capacity;
    capacity = capacity > most && most > KEPT ? most : capacity;
    capacity = capacity < needed ? needed : capacity;
    char *data = capacity <= SIZE_MAX ? mproc__malloc((size_t)capacity) : NULL;
    if (data == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a message of %llu bytes and more",
                           (unsigned long long)needed);
    }
    if (frame->have > 0) {
        memcpy(data, frame->data, (size_t)frame->have);
    }
    mproc__free(frame->data);
    frame->data = data;
    frame->capacity = capacity;
    return MPROC_OK;
}

int mproc__frame_room(mproc__frame *frame, void **ret_place, size_t *ret_size)
{
    MPROC__CHECK(frame->at == frame->end);
    // Straight into the message, where much of it is to come: at most as much as has come already.
    if (!frame->is_bare && frame->has_size && missing(frame) >= frame->ahead_bytes) {
        if (frame->have == frame->capacity) {
            int rc = grow(frame, 1);
            if (rc < 0) {
                return rc;
            }
        }
        // The buffer may be a larger message's, before: not beyond the end of this one.
        uint64_t end = frame->capacity < frame->size ? frame->capacity : frame->size;
        *ret_place = frame->data + frame->have;
        *ret_size = (size_t)(end - frame->have);
        return MPROC_OK;
    }
    frame->at = frame->end = 0;
    *ret_place = frame->ahead;
    *ret_size = frame->ahead_bytes;
    return MPROC_OK;
}

void mproc__frame_fill(mproc__frame *frame, size_t size, bool is_end)
{
    if (!frame->is_bare && frame->has_size && missing(frame) >= frame->ahead_bytes) {
        frame->have += size;
    } else {
        frame->end = size;
        frame->is_end = is_end;
    }
}

static uint64_t number_of(const unsigned char *bytes, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

/** Look at the head. 1 when it is complete, 0 when more must come, or what is wrong with it. */
static int read_head(mproc__frame *frame)
{
    for (;;) {
        bool is_long = frame->n_head >= 4 && number_of(frame->head, 4) == UINT32_MAX;
        size_t wanted = is_long ? 12 : 4;
        if (frame->n_head == wanted) {
            frame->size = is_long ? number_of(frame->head + 4, 8) : number_of(frame->head, 4);
            if (!is_long && frame->size > INT32_MAX) {
                return mproc__fail(MPROC_EMALFORMED,
                                   "what came is no message: its size is below zero");
            }
            return 1;
        }
        size_t there = frame->end - frame->at;
        size_t count = wanted - frame->n_head < there ? wanted - frame->n_head : there;
        if (count == 0) {
            return 0;
        }
        memcpy(frame->head + frame->n_head, frame->ahead + frame->at, count);
        frame->n_head += count;
        frame->at += count;
    }
}

static int too_big(const mproc__frame *frame)
{
    return mproc__fail(MPROC_ETOOBIG, "a message of more than %llu bytes came: that is the limit",
                       (unsigned long long)frame->most);
}

/** Take what is ahead into the message. */
static int take_ahead(mproc__frame *frame)
{
    uint64_t there = frame->end - frame->at;
    if (frame->is_bare && there > missing(frame)) {
        return too_big(frame);
    }
    uint64_t count = there < missing(frame) ? there : missing(frame);
    int rc = grow(frame, count);
    if (rc >= 0 && count > 0) {
        memcpy(frame->data + frame->have, frame->ahead + frame->at, (size_t)count);
        frame->have += count;
        frame->at += (size_t)count;
    }
    return rc;
}

int mproc__frame_step(mproc__frame *frame)
{
    if (frame->is_whole) {
        return 1;
    }
    if (!frame->has_size) {
        int rc = read_head(frame);
        if (rc <= 0) {
            return rc;
        }
        if (frame->size > frame->most) {
            return too_big(frame);
        }
        frame->has_size = true;
    }
    int rc = take_ahead(frame);
    if (rc < 0) {
        return rc;
    }
    frame->is_whole = frame->is_bare ? frame->is_end : frame->have == frame->size;
    if (frame->is_whole && frame->is_bare) {
        frame->size = frame->have;
        frame->is_end = false;
    }
    return frame->is_whole ? 1 : 0;
}

void mproc__frame_next(mproc__frame *frame)
{
    frame->is_whole = false;
    frame->has_size = frame->is_bare;
    frame->n_head = 0;
    frame->have = frame->size = 0;
    if (frame->capacity > KEPT) {
        mproc__frame_fini(frame);
    }
}

mproc__frame mproc__frame_copy(const mproc__frame *frame)
{
    mproc__frame copy = *frame;
    copy.data = NULL;
    copy.capacity = 0;
    return copy;
}

int mproc__frame_give(mproc__frame *copy, const void *data, uint64_t size)
{
    uint64_t have = copy->have;
    bool is_sound = copy->at <= copy->end && copy->end <= copy->ahead_bytes &&
                    copy->ahead_bytes <= sizeof(copy->ahead) && have <= size &&
                    copy->n_head <= sizeof(copy->head) &&
                    (copy->is_bare || !copy->has_size || have <= copy->size);
    if (!is_sound) {
        copy->data = NULL;
        return mproc__fail(MPROC_ECORRUPT, "somebody has written over a connection on its way");
    }
    copy->data = NULL;
    copy->capacity = copy->have = 0;
    int rc = have > 0 ? grow(copy, have) : MPROC_OK;
    if (rc >= 0 && have > 0) {
        memcpy(copy->data, data, (size_t)have);
        copy->have = have;
    }
    return rc;
}

bool mproc__frame_is_partial(const mproc__frame *frame)
{
    return !frame->is_whole && (frame->n_head > 0 || frame->have > 0);
}

size_t mproc__frame_head(uint64_t size, unsigned char ret_head[MPROC__FRAME_HEAD])
{
    bool is_long = size > INT32_MAX;
    size_t length = is_long ? MPROC__FRAME_HEAD : 4;
    memset(ret_head, 0xff, 4);
    for (size_t i = is_long ? 4 : 0; i < length; i++) {
        ret_head[i] = (unsigned char)(size >> 8 * (length - 1 - i));
    }
    return length;
}
