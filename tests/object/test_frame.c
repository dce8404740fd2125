/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_frame.c: messages out of streams of bytes, however they are cut.
 */
#include "object/frame.h"

#include "base/compiler.h"
#include "support/testlib.h"

#include <string.h>

static mproc__frame frame;

/** Let bytes come, at most `piece` of them at a time. What the last step said; all is taken by then. */
static int feed(const void *bytes, size_t size, size_t piece, int64_t *ret_messages)
{
    int rc = 0;
    const char *at = bytes;
    while (size > 0 && rc >= 0) {
        void *place;
        size_t room;
        CU_ASSERT_EQUAL_FATAL(mproc__frame_room(&frame, &place, &room), MPROC_OK);
        CU_ASSERT_FATAL(room > 0);
        room = room < piece ? room : piece;
        room = room < size ? room : size;
        memcpy(place, at, room);
        mproc__frame_fill(&frame, room, room == size);
        at += room;
        size -= room;
        while ((rc = mproc__frame_step(&frame)) > 0) {
            (*ret_messages)++;
            if (size > 0 || frame.at < frame.end) {
                mproc__frame_next(&frame);
            } else {
                break;
            }
        }
    }
    return rc;
}

static void test_frame__reads_heads(void)
{
    static const char wire[] = "\0\0\0\0"                           // nothing
                               "\0\0\0\3abc"                        // some
                               "\xff\xff\xff\xff\0\0\0\0\0\0\0\2de" // as if it were long
                               "\xff\xff\xff\xff\0\0\0\0\0\0\0\0"
                               "\0\0\0\1f";
    for (size_t piece = 1; piece <= sizeof(wire); piece++) {
        int64_t messages = 0;
        mproc__frame_init(&frame, false, 10);
        CU_ASSERT_EQUAL(feed(wire, sizeof(wire) - 1, piece, &messages), 1);
        CU_ASSERT_EQUAL(messages, 5);
        CU_ASSERT(frame.size == 1 && frame.data[0] == 'f');
        CU_ASSERT_FALSE(mproc__frame_is_partial(&frame));
        mproc__frame_next(&frame);
        CU_ASSERT_FALSE(mproc__frame_is_partial(&frame));
        CU_ASSERT_EQUAL(feed(wire, 2, piece, &messages), 0);
        CU_ASSERT(mproc__frame_is_partial(&frame));
        mproc__frame_fini(&frame);
    }
}

static void test_frame__writes_what_it_reads(void)
{
    const struct {
        uint64_t size;
        size_t length;
        const char *head;
    } table[] = {
        {0, 4, "\0\0\0\0"},
        {258, 4, "\0\0\1\2"},
        {INT32_MAX, 4, "\x7f\xff\xff\xff"},
        {(uint64_t)INT32_MAX + 1, 12, "\xff\xff\xff\xff\0\0\0\0\x80\0\0\0"},
        {UINT64_C(0x0102030405060708), 12, "\xff\xff\xff\xff\1\2\3\4\5\6\7\x08"},
    };
    for (size_t i = 0; i < MPROC__COUNT(table); i++) {
        unsigned char head[MPROC__FRAME_HEAD];
        int64_t messages = 0;
        CU_ASSERT_EQUAL(mproc__frame_head(table[i].size, head), table[i].length);
        CU_ASSERT_EQUAL(memcmp(head, table[i].head, table[i].length), 0);
        mproc__frame_init(&frame, false, UINT64_MAX);
        (void)feed(head, table[i].length, 64, &messages);
        CU_ASSERT_EQUAL(frame.size, table[i].size);
        mproc__frame_fini(&frame);
    }
}

static void test_frame__refuses_what_is_wrong(void)
{
    const struct {
        const char *wire;
        size_t size;
        int rc;
    } table[] = {
        {"\xff\xff\xff\xfe", 4, MPROC_EMALFORMED},
        {"\x80\0\0\0", 4, MPROC_EMALFORMED},
        {"\0\0\0\x65", 4, MPROC_ETOOBIG}, // 101
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, MPROC_ETOOBIG},
        {"GET / HTTP/1.1", 14, MPROC_ETOOBIG},
    };
    for (size_t i = 0; i < MPROC__COUNT(table); i++) {
        int64_t messages = 0;
        mproc__frame_init(&frame, false, 100);
        CU_ASSERT_EQUAL(feed(table[i].wire, table[i].size, 1, &messages), table[i].rc);
        CU_ASSERT(messages == 0 && frame.capacity == 0);
        mproc__frame_fini(&frame);
    }
}

/* A head costs nothing, and bytes at most about twice themselves. */
static void test_frame__takes_no_memory_for_claims(void)
{
    static char bytes[3 << 20];
    static const char head[] = "\xff\xff\xff\xff\0\0\1\0\0\0\0\0"; // 1 TiB
    int64_t messages = 0;
    mproc__frame_init(&frame, false, UINT64_MAX);
    CU_ASSERT_EQUAL(feed(head, 12, 12, &messages), 0);
    CU_ASSERT_EQUAL(frame.capacity, 0);
    for (size_t came = 0; came < sizeof(bytes); came += 1000) {
        CU_ASSERT_EQUAL_FATAL(feed(bytes, 1000, 1000, &messages), 0);
        CU_ASSERT_FATAL(frame.capacity <= (came + 1000 > 65536 ? (came + 1000) * 2 : 131072));
    }
    mproc__frame_fini(&frame);
}

/** Messages of random sizes, one behind the other. How many bytes they have on the wire. */
static size_t make_wire(unsigned char *wire, size_t room, uint64_t *ret_count, uint64_t *ret_last)
{
    size_t at = 0;
    *ret_count = 0;
    for (;;) {
        static const size_t most[] = {3, 200, 5000, 30000, 150000};
        size_t size = testlib_random() % most[testlib_random() % MPROC__COUNT(most)];
        if (at + 4 + size > room) {
            return at;
        }
        at += mproc__frame_head(size, wire + at);
        memset(wire + at, (int)(size % 251), size);
        at += size;
        *ret_last = size;
        (*ret_count)++;
    }
}

static bool is_as_made(void)
{
    for (uint64_t i = 0; i < frame.size; i++) {
        if ((unsigned char)frame.data[i] != frame.size % 251) {
            return false;
        }
    }
    return true;
}

static void test_frame__takes_any_sizes_in_any_pieces(void)
{
    static unsigned char wire[1 << 20];
    for (int round = 0; round < 30; round++) {
        uint64_t count;
        uint64_t last = 0;
        uint64_t messages = 0;
        size_t size = make_wire(wire, sizeof(wire), &count, &last);
        size_t piece = 1 + testlib_random() % (round % 2 == 0 ? 5000 : 100000);
        mproc__frame_init(&frame, false, 150000);
        for (size_t at = 0; at < size;) {
            void *place;
            size_t room;
            CU_ASSERT_EQUAL_FATAL(mproc__frame_room(&frame, &place, &room), MPROC_OK);
            room = room < piece ? room : piece;
            room = room < size - at ? room : size - at;
            memcpy(place, wire + at, room);
            at += room;
            mproc__frame_fill(&frame, room, false);
            for (; mproc__frame_step(&frame) > 0; mproc__frame_next(&frame)) {
                messages++;
                CU_ASSERT_FATAL(is_as_made());
                CU_ASSERT(messages < count || frame.size == last);
            }
        }
        CU_ASSERT_EQUAL(messages, count);
        mproc__frame_fini(&frame);
    }
}

static void test_frame__knows_messages_that_the_system_keeps_apart(void)
{
    static char bytes[10000];
    int64_t messages = 0;
    memset(bytes, 'x', sizeof(bytes));
    mproc__frame_init(&frame, true, sizeof(bytes));
    for (size_t size = 1; size <= sizeof(bytes); size = size * 2 + 1) {
        CU_ASSERT_EQUAL(feed(bytes, size, 300, &messages), 1);
        CU_ASSERT(frame.size == size && memcmp(frame.data, bytes, size) == 0);
        mproc__frame_next(&frame);
    }
    void *place;
    size_t room;
    CU_ASSERT_EQUAL(mproc__frame_room(&frame, &place, &room), MPROC_OK);
    mproc__frame_fill(&frame, 0, true); // an empty one
    CU_ASSERT(mproc__frame_step(&frame) == 1 && frame.size == 0);
    mproc__frame_fini(&frame);
    mproc__frame_init(&frame, true, 99);
    CU_ASSERT_EQUAL(feed(bytes, 100, 10, &messages), MPROC_ETOOBIG);
    mproc__frame_fini(&frame);
}

static const testlib_case cases[] = {
    {"reads_heads", test_frame__reads_heads},
    {"writes_what_it_reads", test_frame__writes_what_it_reads},
    {"refuses_what_is_wrong", test_frame__refuses_what_is_wrong},
    {"takes_no_memory_for_claims", test_frame__takes_no_memory_for_claims},
    {"takes_any_sizes_in_any_pieces", test_frame__takes_any_sizes_in_any_pieces},
    {"knows_messages_that_the_system_keeps_apart",
     test_frame__knows_messages_that_the_system_keeps_apart},
};
TESTLIB_MAIN("object.frame", cases)
