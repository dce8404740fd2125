/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome.c: see outcome.h.
 */
#include "service/outcome.h"

#include "base/status.h"

#include <string.h>

/* What an error begins with; it is not aligned where it lies. */
struct head {
    uint32_t item;
    int32_t status;
    uint16_t kind;
    uint16_t size;
};

#define HEAD_SIZE (1 + sizeof(struct head))

static size_t room(const mproc__outcomes *outcomes)
{
    return (size_t)(outcomes->end - outcomes->at);
}

static int need(mproc__outcomes *outcomes, size_t size, size_t n_objects)
{
    if (size <= room(outcomes) && n_objects <= outcomes->objects_left) {
        return MPROC_OK;
    }
    if (outcomes->make_room == NULL) {
        return mproc__fail(MPROC_ENOSPC, "no room for an outcome of %zu bytes", size);
    }
    return outcomes->make_room(outcomes, size, n_objects);
}

static int put_any(mproc__outcomes *outcomes, const mproc_value *value)
{
    size_t size, n_objects;
    int rc = mproc__codec_size(&outcomes->codec, value, &size, &n_objects);
    rc = rc < 0 ? rc : need(outcomes, size, n_objects);
    rc = rc < 0 ? rc : mproc__codec_write(&outcomes->codec, value, outcomes->at);
    if (rc >= 0) {
        outcomes->at += size;
        outcomes->objects_left -= n_objects;
    }
    return rc;
}

int mproc__outcome_put(mproc__outcomes *outcomes, const mproc_value *value)
{
    return mproc__codec_write_plain(value, 1, &outcomes->at, outcomes->end) == 1
               ? MPROC_OK
               : put_any(outcomes, value);
}

int mproc__outcome_put_error(mproc__outcomes *outcomes, const mproc__item_error *error)
{
    const size_t size = error->size < MPROC__STORY_MAX ? error->size : MPROC__STORY_MAX;
    int rc = need(outcomes, HEAD_SIZE + size, 0);
    if (rc >= 0) {
        const struct head head = {error->item, error->status, (uint16_t)error->kind,
                                  (uint16_t)size};
        outcomes->at[0] = MPROC__CODEC_NO_VALUE;
        memcpy(outcomes->at + 1, &head, sizeof(head));
        if (size > 0) {
            memcpy(outcomes->at + HEAD_SIZE, error->story, size);
        }
        outcomes->at += HEAD_SIZE + size;
    }
    return rc;
}

int mproc__outcome_read_error(const void **at, const void *end, mproc__item_error *ret_error)
{
    const unsigned char *bytes = *at;
    const size_t left = (size_t)((const unsigned char *)end - bytes);
    if (left == 0 || bytes[0] != MPROC__CODEC_NO_VALUE) {
        return 0;
    }
    struct head head = {0};
    if (left >= HEAD_SIZE) {
        memcpy(&head, bytes + 1, sizeof(head));
    }
    if (left < HEAD_SIZE || head.size > left - HEAD_SIZE || head.status >= 0 ||
        head.kind > MPROC__STORY_DEATH) {
        return mproc__fail(MPROC_EMALFORMED, "an item's error is malformed");
    }
    *ret_error = (mproc__item_error){
        .item = head.item,
        .status = head.status,
        .kind = (enum mproc__story_kind)head.kind,
        .story = bytes + HEAD_SIZE,
        .size = head.size,
    };
    *at = bytes + HEAD_SIZE + head.size;
    return 1;
}
