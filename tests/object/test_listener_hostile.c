/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_listener_hostile.c: clients that send garbage, half of something or nothing, and many of them: they
 * cost the listener's other clients nothing. The hostile ones use the system's streams as they are.
 */
#include "object/listener_test.h"

#include "object/auth.h"

#define MOST 64 /* handshakes at once */

static const mproc_client_options with_key = {KEY};

static mproc_listener_info info_of(mproc_listener *listener)
{
    mproc_listener_info info = {0};
    CU_ASSERT_EQUAL(mproc_listener_get_info(listener, &info), MPROC_OK);
    return info;
}

/** Somebody who knows the key is accepted. */
static void check_good(mproc_listener *listener)
{
    mproc_connection *ours;
    mproc_connection *theirs;
    connect_both(listener, &with_key, &ours, &theirs);
    mproc_connection_close(ours);
    mproc_connection_close(theirs);
}

/** Let the listener see who has come, until `*count` is what it is to be. */
static void accept_nobody(mproc_listener *listener)
{
    mproc_connection *nobody = NULL;
    CU_ASSERT_EQUAL(mproc_listener_accept(listener, &nobody, MPROC_NOWAIT), MPROC_ETIMEDOUT);
}

static void test_hostile__silent_ones_stop_nobody(void)
{
    const size_t count = (size_t)testlib_count(200, 10000);
    mplat_stream *silent[2 * MOST] = {NULL};
    mproc_listener *listener = listen_with(
        &(mproc_listener_options){KEY, .max_handshakes = MOST, .handshake_timeout = MPROC_FOREVER});
    for (size_t i = 0; i < count; i++) {
        mplat_stream **place = &silent[i % MPROC__COUNT(silent)];
        mplat_stream_close(*place);
        *place = connect_raw(listener);
        accept_nobody(listener);
        if (i % 50 == 49) {
            check_good(listener);
        }
    }
    check_good(listener);
    mproc_listener_info info = info_of(listener);
    CU_ASSERT(info.n_handshakes <= MOST);
    CU_ASSERT_EQUAL(info.accepted, count / 50 + 1);
    CU_ASSERT_EQUAL(info.refused + info.dropped + info.n_handshakes, count);
    for (size_t i = 0; i < MPROC__COUNT(silent); i++) {
        mplat_stream_close(silent[i]);
    }
    mproc_listener_close(listener);
}

static void test_hostile__slow_ones_are_dropped_in_time(void)
{
    mproc_connection *nobody = NULL;
    mproc_listener *listener = listen_with(
        &(mproc_listener_options){.address = "tcp:127.0.0.1:0", KEY, .handshake_timeout = BRIEF});
    mplat_stream *silent = connect_raw(listener);
    mplat_stream *slow = connect_raw(listener);
    CU_ASSERT_EQUAL(write_raw(slow, "\0\0", 2), MPROC_OK); // that buys no time
    while (info_of(listener).dropped < 2) {
        CU_ASSERT_EQUAL(mproc_listener_accept(listener, &nobody, BRIEF), MPROC_ETIMEDOUT);
    }
    CU_ASSERT_EQUAL(info_of(listener).n_handshakes, 0);
    check_good(listener);
    mplat_stream_close(silent);
    mplat_stream_close(slow);
    mproc_listener_close(listener);
}

static void test_hostile__garbage_is_refused(void)
{
    static const char zeroes[300];
    const struct {
        const char *data;
        size_t size;
    } table[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12},
        {"\xff\xff\xff\xff\0\0\0\1\0\0\0\0", 12},
        {"\x7f\xff\xff\xff", 4},
        {"\x80\0\0\0", 4},
        {"\0\0\1\1", 4}, // 257
        {"\0\0\0\x10"
         "0123456789abcdef",
         20},
        {"\0\0\0\x09"
         "#WELCOME#",
         13},
        {zeroes, sizeof(zeroes)},
    };
    mproc_listener *listener =
        listen_with(&(mproc_listener_options){KEY, .handshake_timeout = MPROC_FOREVER});
    for (size_t i = 0; i < MPROC__COUNT(table); i++) {
        mplat_stream *stream = connect_raw(listener);
        CU_ASSERT_EQUAL(write_raw(stream, table[i].data, table[i].size), MPROC_OK);
        while (info_of(listener).refused == i) {
            mproc_connection *nobody = NULL;
            CU_ASSERT_EQUAL(mproc_listener_accept(listener, &nobody, BRIEF), MPROC_ETIMEDOUT);
        }
        mplat_stream_close(stream);
    }
    check_good(listener);
    mproc_listener_close(listener);
}

static void test_hostile__half_of_it_and_gone(void)
{
    mproc_listener *listener =
        listen_with(&(mproc_listener_options){KEY, .handshake_timeout = MPROC_FOREVER});
    for (uint64_t i = 0; i < 5; i++) {
        mplat_stream *stream = connect_raw(listener);
        accept_nobody(listener);
        CU_ASSERT_EQUAL(write_raw(stream,
                                  "\0\0\0\x10"
                                  "01234",
                                  2 * i + 1),
                        MPROC_OK);
        mplat_stream_close(stream);
        while (info_of(listener).refused == i) {
            mproc_connection *nobody = NULL;
            CU_ASSERT_EQUAL(mproc_listener_accept(listener, &nobody, BRIEF), MPROC_ETIMEDOUT);
        }
    }
    check_good(listener);
    mproc_listener_close(listener);
}

/* A message in pieces, with calls that give up in between; over TCP, for pipes keep messages whole. */
static void test_hostile__halves_are_kept(void)
{
    static const char wire[] = "\0\0\0\5hello\0\0\0\2";
    mproc_connection *ours = NULL;
    char text[8];
    size_t size = 0;
    mproc_listener *listener = listen_with(&(mproc_listener_options){.address = "tcp:127.0.0.1:0"});
    mplat_stream *stream = connect_raw(listener);
    CU_ASSERT_EQUAL_FATAL(mproc_listener_accept(listener, &ours, LIMIT), MPROC_OK);
    for (size_t i = 0; i < 9; i++) {
        CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(ours, text, 8, &size, MPROC_NOWAIT),
                        MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(write_raw(stream, wire + i, 1), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_connection_poll(ours, i < 8 ? BRIEF : LIMIT),
                        i < 8 ? MPROC_ETIMEDOUT : MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(ours, text, 4, &size, LIMIT), MPROC_ETOOBIG);
    CU_ASSERT_EQUAL(size, 5);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(ours, text, 8, &size, LIMIT), MPROC_OK);
    CU_ASSERT(size == 5 && memcmp(text, "hello", 5) == 0);
    CU_ASSERT_EQUAL(write_raw(stream, wire + 9, 4), MPROC_OK);
    mplat_stream_close(stream);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(ours, text, 8, &size, LIMIT), MPROC_EPEER);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(ours, text, 8, &size, LIMIT), MPROC_EPEER);
    mproc_connection_close(ours);
    mproc_listener_close(listener);
}

/* What a listener that is none says to a client. */
static void be_impostor(mplat_stream *listener)
{
    mplat_stream *stream = NULL;
    bool is_ready;
    while (mplat_accept(listener, &stream) == MPROC_ETIMEDOUT) {
        (void)mplat_stream_wait(&listener, &is_ready, 1, MPLAT_NO_HANDLE, mplat_now() + LIMIT);
    }
    (void)write_raw(stream, "HTTP/1.1 400 Bad Request\r\n", 26);
    mplat_stream_close(stream);
}

static void *APR_THREAD_FUNC run_impostor(apr_thread_t *thread, void *arg)
{
    be_impostor(arg);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_hostile__a_client_is_not_taken_in(void)
{
    apr_status_t unused;
    apr_thread_t *thread;
    char where[MPROC__WHERE_TEXT];
    mplat_address address;
    mplat_stream *listener;
    mproc_connection *connection = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc__where_parse("tcp:127.0.0.1:0", &address), 0);
    CU_ASSERT_EQUAL_FATAL(mplat_listen(&address, 1, false, &listener, &address), 0);
    mproc__where_format(&address, where, sizeof(where));
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, run_impostor, listener, test_pool()),
                          APR_SUCCESS);
    CU_ASSERT_EQUAL(mproc_client_connect(&connection, where, &with_key, LIMIT), MPROC_ETOOBIG);
    (void)apr_thread_join(&unused, thread);
    mplat_stream_close(listener);
}

static const testlib_case cases[] = {
    {"silent_ones_stop_nobody", test_hostile__silent_ones_stop_nobody},
    {"slow_ones_are_dropped_in_time", test_hostile__slow_ones_are_dropped_in_time},
    {"garbage_is_refused", test_hostile__garbage_is_refused},
    {"half_of_it_and_gone", test_hostile__half_of_it_and_gone},
    {"halves_are_kept", test_hostile__halves_are_kept},
    {"a_client_is_not_taken_in", test_hostile__a_client_is_not_taken_in},
};

int main(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    return testlib_main(argc, argv, "object.listener_hostile", cases, MPROC__COUNT(cases));
}
