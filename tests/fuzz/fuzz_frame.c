/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_frame.c: libFuzzer target: whatever a stranger sends, cut in whatever pieces: no harm, no memory that
 * is not paid for in bytes, and the same messages however it is cut.
 *
 * The first byte says how long the pieces are, the second one how the limit and the kind are.
 */
#include "base/compiler.h"
#include "mproc/error.h"
#include "object/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(condition) \
    ((condition) ? (void)0 \
                 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

/** What came of the bytes. */
typedef struct outcome {
    uint64_t messages;
    uint64_t bytes;
    uint64_t sum; /* of the messages' contents */
    int rc;
} outcome;

static void note(const mproc__frame *frame, outcome *so_far)
{
    PROMISE(frame->size <= frame->most && frame->size == frame->have);
    so_far->messages++;
    so_far->bytes += frame->size;
    for (uint64_t i = 0; i < frame->size; i++) {
        so_far->sum = so_far->sum * 31 + (unsigned char)frame->data[i];
    }
}

static outcome read_all(const uint8_t *data, size_t size, size_t piece, const mproc__frame *like)
{
    static mproc__frame frame;
    outcome result = {.rc = 0};
    size_t came = 0;
    mproc__frame_init(&frame, like->is_bare, like->most);
    frame.ahead_bytes = like->ahead_bytes;
    while (came < size && result.rc >= 0) {
        void *place;
        size_t room;
        PROMISE(mproc__frame_room(&frame, &place, &room) == 0 && room > 0);
        size_t count = room < piece ? room : piece;
        count = count < size - came ? count : size - came;
        memcpy(place, data + came, count);
        came += count;
        mproc__frame_fill(&frame, count, like->is_bare && data[came - 1] % 4 == 0);
        while ((result.rc = mproc__frame_step(&frame)) > 0) {
            note(&frame, &result);
            mproc__frame_next(&frame);
        }
        PROMISE(frame.capacity <= 131072 + 2 * (uint64_t)came);
        PROMISE(result.rc == 0 || result.rc == MPROC_ETOOBIG || result.rc == MPROC_EMALFORMED);
    }
    mproc__frame_fini(&frame);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    // Small inputs would never get past a look-ahead of the usual size.
    const mproc__frame like = {.is_bare = (data[1] & 1) != 0,
                               .most = (uint64_t)data[1] << (data[1] & 2 ? 20 : 4),
                               .ahead_bytes = data[1] & 4 ? 8 : MPROC__FRAME_AHEAD};
    outcome cut = read_all(data + 2, size - 2, (size_t)data[0] + 1, &like);
    outcome whole = read_all(data + 2, size - 2, SIZE_MAX, &like);
    // Of bare messages the pieces decide where they end.
    PROMISE(like.is_bare || (cut.rc == whole.rc && cut.messages == whole.messages &&
                             cut.bytes == whole.bytes && cut.sum == whole.sum));
    return 0;
}
