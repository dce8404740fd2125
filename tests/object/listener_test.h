/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener_test.h: what the tests of listeners share: clients in threads of their own.
 */
#ifndef TESTS_OBJECT_LISTENER_TEST_H
#define TESTS_OBJECT_LISTENER_TEST_H

#include "object/sync_test.h"
#include "object/where.h"

#include <apr_general.h>
#include <apr_pools.h>

static const char key[] = "a key of some bytes \0 with a NUL";
#define KEY .authkey = key, .authkey_size = sizeof(key)

/** A client that connects in a thread of its own. */
typedef struct dialer {
    const char *address;
    mproc_client_options options;
    mproc_connection *connection;
    int rc;
    char story[256];
    apr_thread_t *thread;
} dialer;

static apr_pool_t *test_pool(void)
{
    static apr_pool_t *pool;
    if (pool == NULL) {
        CHILD_CHECK(apr_initialize() == APR_SUCCESS);
        CHILD_CHECK(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    }
    return pool;
}

static void *APR_THREAD_FUNC run_dialer(apr_thread_t *thread, void *arg)
{
    dialer *me = arg;
    me->rc = mproc_client_connect(&me->connection, me->address, &me->options, LIMIT);
    (void)snprintf(me->story, sizeof(me->story), "%s", mproc_last_error());
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static inline void dial(dialer *me, const char *address, const mproc_client_options *options)
{
    *me = (dialer){.address = address, .options = *options};
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&me->thread, NULL, run_dialer, me, test_pool()),
                          APR_SUCCESS);
}

static inline int dialed(dialer *me)
{
    apr_status_t unused;
    (void)apr_thread_join(&unused, me->thread);
    return me->rc;
}

static inline mproc_listener *listen_with(const mproc_listener_options *options)
{
    mproc_listener *listener = NULL;
    int rc = mproc_listener_create(&listener, options);
    if (rc < 0) {
        printf("listen: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
    return listener;
}

/** Both ends of a connection. */
static inline void connect_both(mproc_listener *listener, const mproc_client_options *options,
                                mproc_connection **ret_ours, mproc_connection **ret_theirs)
{
    dialer client;
    dial(&client, mproc_listener_address(listener), options);
    int rc = mproc_listener_accept(listener, ret_ours, LIMIT);
    CU_ASSERT_EQUAL(dialed(&client), MPROC_OK);
    if (rc < 0 || client.rc < 0) {
        printf("accept: %s; connect: %s ... ", mproc_last_error(), client.story);
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
    *ret_theirs = client.connection;
}

/** Connect without a word of ours: over the system's stream as it is. */
static inline mplat_stream *connect_raw(const mproc_listener *listener)
{
    mplat_address address;
    mplat_stream *stream = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc__where_parse(mproc_listener_address(listener), &address), 0);
    int rc = mplat_connect(&address, mplat_now() + LIMIT, &stream);
    if (rc < 0) {
        printf("connect: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
    return stream;
}

static inline int write_raw(mplat_stream *stream, const void *data, size_t size)
{
    const mplat_piece piece = {data, size};
    size_t written;
    return mplat_stream_write(stream, &piece, 1, mplat_now() + LIMIT, &written);
}

/** A listener without a key, and both ends of a connection. */
typedef struct pair {
    mproc_listener *listener;
    mproc_connection *ours, *theirs;
    mplat_stream *raw; /* theirs, where it is no connection */
} pair;

static inline pair make_pair(const char *address)
{
    const mproc_client_options without_key = {0};
    pair p = {.listener = listen_with(&(mproc_listener_options){.address = address})};
    connect_both(p.listener, &without_key, &p.ours, &p.theirs);
    return p;
}

static inline pair make_raw_pair(void)
{
    pair p = {.listener = listen_with(&(mproc_listener_options){.address = "tcp:127.0.0.1:0"})};
    p.raw = connect_raw(p.listener);
    CU_ASSERT_EQUAL_FATAL(mproc_listener_accept(p.listener, &p.ours, LIMIT), MPROC_OK);
    return p;
}

static inline void drop_pair(pair *p)
{
    mproc_connection_close(p->ours);
    mproc_connection_close(p->theirs);
    mplat_stream_close(p->raw);
    mproc_listener_close(p->listener);
}

#endif
