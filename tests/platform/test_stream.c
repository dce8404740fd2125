/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stream.c: streams to strangers, over each family that the system has.
 */
#include "base/compiler.h"
#include "platform.h"
#include "support/testlib.h"

#include <string.h>

#define LIMIT ((int64_t)60 * 1000000000)

static mplat_stream *listener;
static mplat_stream *near;
static mplat_stream *far;

/** A listener, at an address of the system's own kind or over TCP. */
static mplat_address listen_somewhere(bool is_tcp)
{
    mplat_address address = {.family = MPLAT_FAMILY_TCP, .name = "127.0.0.1"};
    if (!is_tcp) {
        CU_ASSERT_EQUAL_FATAL(mplat_address_choose(&address), MPROC_OK);
    }
    CU_ASSERT_EQUAL_FATAL(mplat_listen(&address, 5, false, &listener, &address), MPROC_OK);
    return address;
}

static bool await(mplat_stream *stream)
{
    bool is_ready = false;
    int rc = mplat_stream_wait(&stream, &is_ready, 1, MPLAT_NO_HANDLE, mplat_now() + LIMIT);
    return rc == MPROC_OK && is_ready;
}

/** Make `near` and `far` each other's ends. */
static void connect_them(bool is_tcp)
{
    mplat_address address = listen_somewhere(is_tcp);
    CU_ASSERT_EQUAL(mplat_accept(listener, &near), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL_FATAL(mplat_connect(&address, mplat_now() + LIMIT, &far), MPROC_OK);
    CU_ASSERT(await(listener));
    CU_ASSERT_EQUAL_FATAL(mplat_accept(listener, &near), MPROC_OK);
}

static void end(void)
{
    mplat_stream_close(near);
    mplat_stream_close(far);
    mplat_stream_close(listener);
    near = far = listener = NULL;
}

/** Read until `size` bytes have come. */
static bool read_all(mplat_stream *stream, char *data, size_t size)
{
    size_t have = 0;
    while (have < size) {
        size_t count = 0;
        bool is_end;
        int rc = mplat_stream_read(stream, data + have, size - have, &count, &is_end);
        if (rc == MPROC_ETIMEDOUT ? !await(stream) : rc < 0) {
            return false;
        }
        have += count;
    }
    return true;
}

static int write_all(mplat_stream *stream, const char *data, size_t size, int64_t deadline)
{
    const mplat_piece piece = {data, size};
    size_t written;
    return mplat_stream_write(stream, &piece, 1, deadline, &written);
}

static void test_stream__carries_bytes_both_ways(void)
{
    for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
        char text[8];
        size_t count;
        bool is_end;
        connect_them(is_tcp);
        CU_ASSERT_EQUAL(mplat_stream_read(near, text, 8, &count, &is_end), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(write_all(far, "hello", 5, 0), MPROC_OK);
        CU_ASSERT(await(near));
        CU_ASSERT(read_all(near, text, 5) && memcmp(text, "hello", 5) == 0);
        CU_ASSERT_EQUAL(write_all(near, "you", 3, 0), MPROC_OK);
        CU_ASSERT(read_all(far, text, 1) && read_all(far, text + 1, 2));
        CU_ASSERT_EQUAL(memcmp(text, "you", 3), 0);
        if (!mplat_stream_has_messages(near)) {
            const mplat_piece pieces[] = {{"ab", 2}, {"cde", 3}};
            CU_ASSERT_EQUAL(mplat_stream_write(near, pieces, 2, 0, &count), MPROC_OK);
            CU_ASSERT_EQUAL(count, 5);
            CU_ASSERT(read_all(far, text, 5) && memcmp(text, "abcde", 5) == 0);
        }
        end();
    }
}

static void test_stream__keeps_messages_apart_where_it_says_so(void)
{
    char text[8];
    size_t count;
    bool is_end = false;
    connect_them(false);
    if (!mplat_stream_has_messages(near)) {
        testlib_skip("no kind of stream of this system has messages");
        end();
        return;
    }
    CU_ASSERT_EQUAL(write_all(near, "one", 3, 0), MPROC_OK);
    CU_ASSERT_EQUAL(write_all(near, "", 0, 0), MPROC_OK);
    CU_ASSERT_EQUAL(write_all(near, "two", 3, 0), MPROC_OK);
    CU_ASSERT(await(far));
    CU_ASSERT_EQUAL(mplat_stream_read(far, text, 2, &count, &is_end), MPROC_OK);
    CU_ASSERT(count == 2 && !is_end);
    CU_ASSERT_EQUAL(mplat_stream_read(far, text, 8, &count, &is_end), MPROC_OK);
    CU_ASSERT(count == 1 && is_end);
    CU_ASSERT(await(far));
    CU_ASSERT_EQUAL(mplat_stream_read(far, text, 8, &count, &is_end), MPROC_OK);
    CU_ASSERT(count == 0 && is_end);
    CU_ASSERT(await(far));
    CU_ASSERT_EQUAL(mplat_stream_read(far, text, 8, &count, &is_end), MPROC_OK);
    CU_ASSERT(count == 3 && is_end);
    end();
}

static void test_stream__ends_with_its_other_end(void)
{
    for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
        char text[8];
        size_t count;
        bool is_end;
        connect_them(is_tcp);
        CU_ASSERT_EQUAL(write_all(far, "last", 4, 0), MPROC_OK);
        mplat_stream_close(far);
        far = NULL;
        CU_ASSERT(read_all(near, text, 4) && memcmp(text, "last", 4) == 0);
        CU_ASSERT(await(near));
        CU_ASSERT_EQUAL(mplat_stream_read(near, text, 8, &count, &is_end), MPROC_ECLOSED);
        int rc = MPROC_OK; // TCP takes a while to find out
        for (int i = 0; i < 100000 && rc >= 0; i++) {
            rc = write_all(near, "x", 1, mplat_now() + LIMIT);
        }
        CU_ASSERT_EQUAL(rc, MPROC_EPEER); // and no signal
        end();
    }
}

static void test_stream__write_waits_for_room(void)
{
    static char data[8 << 20];
    const mplat_piece piece = {data, sizeof(data)};
    for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
        size_t written = 1;
        connect_them(is_tcp);
        CU_ASSERT_EQUAL(mplat_stream_write(near, &piece, 1, 0, &written), MPROC_ETIMEDOUT);
        CU_ASSERT(written < sizeof(data));
        CU_ASSERT_EQUAL(mplat_stream_write(near, &piece, 1, mplat_now() + 10000000, &written),
                        MPROC_ETIMEDOUT);
        end();
    }
}

static void test_stream__waits_for_any(void)
{
    for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
        mplat_handle sentinel = MPLAT_NO_HANDLE;
        connect_them(is_tcp);
        mplat_stream *all[] = {listener, near, far};
        bool ready[3] = {true, true, true};
        CU_ASSERT_EQUAL(mplat_signal_make(&sentinel), MPROC_OK);
        CU_ASSERT_EQUAL(mplat_stream_wait(all, ready, 3, sentinel, 0), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mplat_stream_wait(all, ready, 3, sentinel, mplat_now() + 10000000),
                        MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(write_all(near, "x", 1, 0), MPROC_OK);
        CU_ASSERT_EQUAL(mplat_stream_wait(all, ready, 3, sentinel, mplat_now() + LIMIT), MPROC_OK);
        CU_ASSERT(ready[2] && !ready[0] && !ready[1]);
        mplat_signal_raise(sentinel);
        CU_ASSERT_EQUAL(mplat_stream_wait(all, ready, 2, sentinel, mplat_now() + LIMIT), MPROC_OK);
        mplat_handle_close(sentinel);
        end();
    }
}

static void test_stream__interrupt_ends_it(void)
{
    for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
        connect_them(is_tcp);
        mplat_stream_interrupt(near);
        CU_ASSERT(await(near));
        int rc = MPROC_OK;
        static char data[1 << 20];
        for (int i = 0; i < 16 && rc >= 0; i++) {
            rc = write_all(near, data, sizeof(data), mplat_now() + LIMIT);
        }
        CU_ASSERT_EQUAL(rc, MPROC_EPEER);
        end();
    }
}

static void test_stream__tells_who_is_there(void)
{
    mplat_peer peer;
    connect_them(false);
    mplat_stream_peer(near, &peer);
    CU_ASSERT_EQUAL(peer.pid, mplat_pid());
    mplat_stream_peer(far, &peer);
    CU_ASSERT_EQUAL(peer.pid, mplat_pid());
    end();
    connect_them(true);
    mplat_stream_peer(near, &peer);
    CU_ASSERT(peer.pid == 0 && peer.user == -1 && peer.group == -1);
    end();
}

static void test_stream__nobody_listens(void)
{
    for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
        mplat_address address = listen_somewhere(is_tcp);
        mplat_stream_close(listener);
        CU_ASSERT_EQUAL(mplat_connect(&address, mplat_now() + LIMIT, &far), MPROC_ENOENT);
    }
    const mplat_address nowhere = {.family = MPLAT_FAMILY_TCP, .name = "no such host.invalid"};
    CU_ASSERT_EQUAL(mplat_connect(&nowhere, mplat_now() + LIMIT, &far), MPROC_ENOENT);
    listener = NULL;
    mplat_stream_close(NULL);
}

static void test_stream__address_is_one_s_own(void)
{
    mplat_stream *second = NULL;
    mplat_address address = listen_somewhere(true);
    mplat_address found;
    CU_ASSERT(address.port != 0);
    CU_ASSERT_EQUAL(mplat_listen(&address, 5, false, &second, &found), MPROC_EEXIST);
    end();
    // At once again, though connections were made and closed.
    connect_them(true);
    end();
    CU_ASSERT_EQUAL(mplat_listen(&address, 5, false, &listener, &found), MPROC_OK);
    end();
}

static const testlib_case cases[] = {
    {"carries_bytes_both_ways", test_stream__carries_bytes_both_ways},
    {"keeps_messages_apart_where_it_says_so", test_stream__keeps_messages_apart_where_it_says_so},
    {"ends_with_its_other_end", test_stream__ends_with_its_other_end},
    {"write_waits_for_room", test_stream__write_waits_for_room},
    {"waits_for_any", test_stream__waits_for_any},
    {"interrupt_ends_it", test_stream__interrupt_ends_it},
    {"tells_who_is_there", test_stream__tells_who_is_there},
    {"nobody_listens", test_stream__nobody_listens},
    {"address_is_one_s_own", test_stream__address_is_one_s_own},
};

int main(int argc, char **argv)
{
    return mplat_init() < 0 ||
           testlib_main(argc, argv, "platform.stream", cases, MPROC__COUNT(cases));
}
