/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_listener.c: mproc_listener and mproc_client_connect, over each kind of address that the system has.
 */
#include "object/listener_test.h"

static const mproc_client_options with_key = {KEY};
static const mproc_client_options without_key = {0};

static bool has_ipv6(void)
{
    mproc_listener *listener = NULL;
    int rc = mproc_listener_create(&listener, &(mproc_listener_options){.address = "tcp:[::1]:0"});
    mproc_listener_close(listener);
    return rc >= 0;
}

/** What this case is done over, one after the other; NULL: an address that the listener chooses. */
static const char *const *addresses(void)
{
    static const char *list[4] = {NULL, "tcp:127.0.0.1:0", "tcp:[::1]:0", ""};
    list[2] = has_ipv6() ? list[2] : "";
    return list;
}

static bool is_address(const char *const *at)
{
    return *at == NULL || (*at)[0] != '\0';
}

/* ---- messages -------------------------------------------------------------------------------- */

static void exchange(mproc_connection *a, mproc_connection *b, size_t size)
{
    unsigned char *data = malloc(size + 1);
    size_t count = 1;
    mproc_value bytes = MPROC_NIL_VALUE;
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    for (size_t i = 0; i < size; i++) {
        data[i] = (unsigned char)(i * 31 + i / 256);
    }
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(a, data, size, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_poll(b, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes(b, &bytes, SIZE_MAX, &count, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(count, size);
    CU_ASSERT(bytes.as.bytes.size == size &&
              (size == 0 || memcmp(bytes.as.bytes.data, data, size) == 0));
    mproc_value_clear(&bytes);
    free(data);
}

static void test_listener__takes_messages_both_ways(void)
{
    for (const char *const *at = addresses(); is_address(at); at++) {
        mproc_connection *ours;
        mproc_connection *theirs;
        mproc_listener *listener = listen_with(&(mproc_listener_options){.address = *at, KEY});
        connect_both(listener, &with_key, &ours, &theirs);
        const size_t sizes[] = {0, 1, 4091, 4092, 4096, 16384, 16385};
        for (size_t i = 0; i < MPROC__COUNT(sizes); i++) {
            exchange(ours, theirs, sizes[i]);
            exchange(theirs, ours, sizes[i]);
        }
        mproc_value value = MPROC_NIL_VALUE;
        CU_ASSERT_EQUAL(mproc_connection_send(ours, MPROC_LIST(1, "two", 3.5), LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_connection_recv(theirs, &value, LIMIT), MPROC_OK);
        CU_ASSERT(value.type == MPROC_LIST && value.as.list.count == 3);
        mproc_value_clear(&value);
        mproc_value bytes = {.type = MPROC_BYTES};
        bytes.as.bytes = mproc_bytes_of("abc", 3);
        CU_ASSERT_EQUAL(mproc_connection_send(ours, bytes, LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_connection_recv(theirs, &value, LIMIT), MPROC_OK);
        CU_ASSERT(mproc_value_equal(&value, &bytes));
        mproc_value_clear(&value);
        CU_ASSERT_EQUAL(mproc_connection_poll(theirs, MPROC_NOWAIT), MPROC_ETIMEDOUT);
        mproc_connection_close(theirs);
        CU_ASSERT_EQUAL(mproc_connection_poll(ours, LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_connection_recv(ours, &value, LIMIT), MPROC_ECLOSED);
        mproc_connection_close(ours);
        mproc_listener_close(listener);
    }
}

/* Larger than what the system buffers: the other end must receive meanwhile. */
typedef struct sender {
    mproc_connection *connection;
    size_t size;
    int rc;
    apr_thread_t *thread;
} sender;

static void *APR_THREAD_FUNC run_sender(apr_thread_t *thread, void *arg)
{
    sender *me = arg;
    char *data = malloc(me->size);
    me->rc = MPROC_ENOMEM;
    if (data != NULL) {
        memset(data, 'x', me->size);
        me->rc = mproc_connection_send_bytes(me->connection, data, me->size, LIMIT);
    }
    free(data);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void start_sender(sender *me)
{
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&me->thread, NULL, run_sender, me, test_pool()),
                          APR_SUCCESS);
}

static void test_listener__takes_large_messages(void)
{
    for (const char *const *at = addresses(); is_address(at); at++) {
        apr_status_t unused;
        sender large = {.size = 5000011};
        size_t size = 0;
        mproc_value bytes = MPROC_NIL_VALUE;
        mproc_connection *theirs;
        mproc_listener *listener = listen_with(&(mproc_listener_options){.address = *at});
        connect_both(listener, &without_key, &large.connection, &theirs);
        start_sender(&large);
        CU_ASSERT_EQUAL(mproc_connection_recv_bytes(theirs, &bytes, 10, &size, LIMIT),
                        MPROC_ETOOBIG);
        CU_ASSERT_EQUAL(size, large.size);
        CU_ASSERT_EQUAL(mproc_connection_recv_bytes(theirs, &bytes, SIZE_MAX, &size, LIMIT),
                        MPROC_OK);
        CU_ASSERT(size == large.size && bytes.as.bytes.size == size);
        CU_ASSERT(bytes.as.bytes.size == size && ((const char *)bytes.as.bytes.data)[0] == 'x' &&
                  ((const char *)bytes.as.bytes.data)[size - 1] == 'x');
        mproc_value_clear(&bytes);
        (void)apr_thread_join(&unused, large.thread);
        CU_ASSERT_EQUAL(large.rc, MPROC_OK);
        mproc_connection_close(large.connection);
        mproc_connection_close(theirs);
        mproc_listener_close(listener);
    }
}

static void test_listener__bounds_messages(void)
{
    for (const char *const *at = addresses(); is_address(at); at++) {
        mproc_connection *ours;
        mproc_connection *theirs;
        mproc_value bytes = MPROC_NIL_VALUE;
        mproc_listener *listener =
            listen_with(&(mproc_listener_options){.address = *at, .max_bytes = 100});
        connect_both(listener, &without_key, &ours, &theirs);
        exchange(theirs, ours, 100);
        exchange(ours, theirs, 101); // it is for the one who receives
        char data[101] = "";
        CU_ASSERT_EQUAL(mproc_connection_send_bytes(theirs, data, 101, LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_connection_recv_bytes(ours, &bytes, SIZE_MAX, NULL, LIMIT),
                        MPROC_ETOOBIG);
        CU_ASSERT_EQUAL(mproc_connection_recv_bytes(ours, &bytes, SIZE_MAX, NULL, LIMIT),
                        MPROC_ETOOBIG);
        CU_ASSERT_EQUAL(mproc_connection_poll(ours, MPROC_NOWAIT), MPROC_OK);
        mproc_connection_close(ours);
        mproc_connection_close(theirs);
        mproc_listener_close(listener);
    }
}

static void test_listener__sends_no_objects(void)
{
    mproc_connection *ours;
    mproc_connection *theirs;
    mproc_value value = MPROC_NIL_VALUE;
    mproc_block *block = make_words(1);
    mproc_listener *listener = listen_with(NULL);
    connect_both(listener, &without_key, &ours, &theirs);
    CU_ASSERT_EQUAL(mproc_connection_send(ours, MPROC_LIST(block), LIMIT), MPROC_ETYPE);
    // What looks like a reference is none: fixext 8, type 1.
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(ours, "\xd7\x01\0\0\0\0\0\0\x10\0", 10, LIMIT),
                    MPROC_OK);
    CU_ASSERT(mproc_connection_recv(theirs, &value, LIMIT) < 0);
    size_t size;
    char bytes[16];
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(theirs, bytes, 16, &size, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(size, 10);
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(ours, "\xc1", 1, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_recv(theirs, &value, LIMIT), MPROC_EMALFORMED);
    mproc_connection_close(ours);
    mproc_connection_close(theirs);
    mproc_listener_close(listener);
    mproc_block_close(block);
}

typedef struct waiter {
    mproc_listener *listener;
    mproc_connection *connection;
    int rc;
    apr_thread_t *thread;
} waiter;

/* ---- threads --------------------------------------------------------------------------------- */

enum { CREW = 3, LONGEST = 20000 };

/** One of those who send, or receive, at the same end. */
typedef struct crew {
    mproc_connection *connection;
    uint32_t count, errors;
    unsigned char data[LONGEST];
    apr_thread_t *thread;
} crew;

/* A message is its length and its sender all over. */
static void send_many(crew *me, unsigned char mark)
{
    memset(me->data, mark, sizeof(me->data));
    for (uint32_t i = 0; i < me->count; i++) {
        uint32_t size = 4 + i * 7919 % (i % 8 == 0 ? LONGEST - 4 : 300);
        memcpy(me->data, &size, 4);
        me->errors += mproc_connection_send_bytes(me->connection, me->data, size, LIMIT) != 0;
    }
}

static void receive_many(crew *me)
{
    size_t size = 0;
    uint32_t said = 0;
    while (mproc_connection_recv_bytes_into(me->connection, me->data, LONGEST, &size, LIMIT) == 0) {
        memcpy(&said, me->data, 4);
        me->errors += size < 4 || said != size;
        for (size_t i = 5; i < size; i++) {
            me->errors += me->data[i] != me->data[4];
        }
        me->count++;
    }
}

static void *APR_THREAD_FUNC run_crew(apr_thread_t *thread, void *arg)
{
    crew *me = arg;
    if (me->count > 0) {
        send_many(me, (unsigned char)me->count);
    } else {
        receive_many(me);
    }
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_listener__keeps_messages_whole(void)
{
    for (const char *const *at = addresses(); is_address(at); at++) {
        static crew all[2 * CREW];
        uint32_t sent = 0;
        uint32_t received = 0;
        apr_status_t unused;
        mproc_connection *ours;
        mproc_connection *theirs;
        mproc_listener *listener = listen_with(&(mproc_listener_options){.address = *at});
        connect_both(listener, &without_key, &ours, &theirs);
        for (uint32_t i = 0; i < 2 * CREW; i++) {
            bool is_sender = i < CREW;
            all[i].connection = is_sender ? ours : theirs;
            all[i].count = is_sender ? 100 + i : 0;
            all[i].errors = 0;
            CU_ASSERT_EQUAL_FATAL(
                apr_thread_create(&all[i].thread, NULL, run_crew, &all[i], test_pool()),
                APR_SUCCESS);
        }
        for (int i = 0; i < 2 * CREW; i++) {
            if (i == CREW) {
                mproc_connection_close(ours); // that ends it for those who receive
            }
            (void)apr_thread_join(&unused, all[i].thread);
            *(i < CREW ? &sent : &received) += all[i].count;
            CU_ASSERT_EQUAL(all[i].errors, 0);
        }
        CU_ASSERT_EQUAL(received, sent);
        mproc_connection_close(theirs);
        mproc_listener_close(listener);
    }
}

static void *APR_THREAD_FUNC run_accepter(apr_thread_t *thread, void *arg)
{
    waiter *me = arg;
    me->rc = mproc_listener_accept(me->listener, &me->connection, LIMIT);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_listener__lets_many_accept(void)
{
    enum { MANY = 6 };
    apr_status_t unused;
    dialer clients[MANY];
    waiter accepters[MANY];
    mproc_listener *listener = listen_with(&(mproc_listener_options){KEY});
    for (int i = 0; i < MANY; i++) {
        accepters[i] = (waiter){.listener = listener};
        CU_ASSERT_EQUAL_FATAL(
            apr_thread_create(&accepters[i].thread, NULL, run_accepter, &accepters[i], test_pool()),
            APR_SUCCESS);
        dial(&clients[i], mproc_listener_address(listener), &with_key);
    }
    for (int i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL(dialed(&clients[i]), MPROC_OK);
        (void)apr_thread_join(&unused, accepters[i].thread);
        CU_ASSERT_EQUAL(accepters[i].rc, MPROC_OK);
    }
    for (int i = 0; i < MANY; i++) {
        mproc_connection_close(clients[i].connection);
        mproc_connection_close(accepters[i].connection);
    }
    mproc_listener_close(listener);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void test_listener__wants_the_key(void)
{
    for (const char *const *at = addresses(); is_address(at); at++) {
        mproc_listener_info info;
        mproc_connection *ours;
        mproc_connection *theirs;
        mproc_listener *listener = listen_with(&(mproc_listener_options){.address = *at, KEY});
        const struct {
            const char *key;
            size_t size;
        } wrong[] = {{"wrong", 5}, {key, sizeof(key) - 2}, {key, 1}};
        for (size_t i = 0; i < MPROC__COUNT(wrong); i++) {
            dialer client;
            dial(&client, mproc_listener_address(listener),
                 &(mproc_client_options){.authkey = wrong[i].key, .authkey_size = wrong[i].size});
            do { // the handshake goes on in here
                CU_ASSERT_EQUAL(mproc_listener_accept(listener, &ours, BRIEF), MPROC_ETIMEDOUT);
                CU_ASSERT_EQUAL(mproc_listener_get_info(listener, &info), MPROC_OK);
            } while (info.refused == i);
            CU_ASSERT_EQUAL(dialed(&client), MPROC_EACCES);
            CU_ASSERT_STRING_EQUAL(client.story,
                                   "handshake: the other side does not accept our key");
        }
        connect_both(listener, &with_key, &ours, &theirs);
        CU_ASSERT_EQUAL(mproc_listener_get_info(listener, &info), MPROC_OK);
        CU_ASSERT(info.accepted == 1 && info.refused == 3 && info.dropped == 0);
        CU_ASSERT_EQUAL(info.n_handshakes, 0);
        exchange(ours, theirs, 7);
        mproc_connection_close(ours);
        mproc_connection_close(theirs);
        mproc_listener_close(listener);
    }
}

static void test_listener__needs_both_to_have_keys(void)
{
    mproc_connection *ours = NULL;
    mproc_connection *theirs = NULL;
    mproc_listener *keyless = listen_with(NULL);
    // It accepts, and never asks.
    CU_ASSERT_EQUAL(mproc_client_connect(&theirs, mproc_listener_address(keyless),
                                         &(mproc_client_options){KEY, .handshake_timeout = BRIEF},
                                         LIMIT),
                    MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_listener_accept(keyless, &ours, LIMIT), MPROC_OK);
    mproc_connection_close(ours);
    mproc_listener_close(keyless);
    CU_ASSERT_EQUAL(
        mproc_client_connect(&theirs, "unix:x", &(mproc_client_options){.authkey = key}, LIMIT),
        MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_listener_create(&keyless, &(mproc_listener_options){.authkey_size = 1}),
                    MPROC_EINVAL);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void test_listener__refuses_bad_addresses(void)
{
    mproc_listener *listener = NULL;
    mproc_connection *connection = NULL;
    const char *const bad[] = {"",          "x",       "unix:",       "tcp:",       "tcp:host",
                               "tcp:h:",    "tcp:h:x", "tcp:h:70000", "tcp:h:-1",   "tcp::1",
                               "tcp:::1:5", "pipe:",   "pipe:a\\b",   "udp:host:1", "tcp:h:1 "};
    for (size_t i = 0; i < MPROC__COUNT(bad); i++) {
        CU_ASSERT_EQUAL(
            mproc_listener_create(&listener, &(mproc_listener_options){.address = bad[i]}),
            MPROC_EINVAL);
        CU_ASSERT_EQUAL(mproc_client_connect(&connection, bad[i], NULL, LIMIT), MPROC_EINVAL);
    }
    char longest[400];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "unix:/", 6);
    longest[399] = '\0';
    CU_ASSERT_EQUAL(mproc_listener_create(&listener, &(mproc_listener_options){.address = longest}),
                    MPROC_ETOOBIG);
    CU_ASSERT_EQUAL(mproc_client_connect(&connection, "tcp:127.0.0.1:1", NULL, LIMIT),
                    MPROC_ENOENT);
    CU_ASSERT_EQUAL(mproc_listener_create(NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_listener_accept(NULL, &connection, LIMIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_client_connect(&connection, NULL, NULL, LIMIT), MPROC_EINVAL);
    CU_ASSERT_STRING_EQUAL(mproc_listener_address(NULL), "");
    mproc_listener_close(NULL);
}

static void test_listener__leaves_its_address(void)
{
    for (const char *const *at = addresses(); is_address(at); at++) {
        char where[300];
        mproc_connection *ours;
        mproc_connection *theirs;
        mproc_listener *listener = listen_with(&(mproc_listener_options){.address = *at});
        (void)snprintf(where, sizeof(where), "%s", mproc_listener_address(listener));
        connect_both(listener, &without_key, &ours, &theirs);
        mproc_listener_close(listener);
        exchange(ours, theirs, 3); // connections stay
        mproc_connection *nobody = NULL;
        mproc_connection_close(ours);
        mproc_connection_close(theirs);
        CU_ASSERT_EQUAL(mproc_client_connect(&nobody, where, NULL, LIMIT), MPROC_ENOENT);
        listener = listen_with(&(mproc_listener_options){.address = where});
        CU_ASSERT_STRING_EQUAL(mproc_listener_address(listener), where);
        connect_both(listener, &without_key, &ours, &theirs);
        mproc_connection_close(ours);
        mproc_connection_close(theirs);
        mproc_listener_close(listener);
    }
}

/* ---- closing --------------------------------------------------------------------------------- */

static int wait_for_it(const waiter *me)
{
    mproc_value value;
    mproc_connection *got = NULL;
    return me->listener != NULL ? mproc_listener_accept(me->listener, &got, MPROC_FOREVER)
                                : mproc_connection_recv(me->connection, &value, MPROC_FOREVER);
}

static void *APR_THREAD_FUNC run_waiter(apr_thread_t *thread, void *arg)
{
    waiter *me = arg;
    me->rc = wait_for_it(me);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void start_waiters(waiter *waiters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL_FATAL(
            apr_thread_create(&waiters[i].thread, NULL, run_waiter, &waiters[i], test_pool()),
            APR_SUCCESS);
    }
    // One waits in the system, the others for it.
    CU_ASSERT(await_asleep((uint32_t)count - 1));
}

static void test_listener__close_wakes_who_waits(void)
{
    for (const char *const *at = addresses(); is_address(at); at++) {
        apr_status_t unused;
        mproc_connection *theirs;
        waiter waiters[3] = {{0}};
        mproc_listener *listener = listen_with(&(mproc_listener_options){.address = *at});
        connect_both(listener, &without_key, &waiters[0].connection, &theirs);
        waiters[1].connection = waiters[2].connection = waiters[0].connection;
        start_waiters(waiters, 3);
        mproc_connection_close(waiters[0].connection);
        for (int i = 0; i < 3; i++) {
            (void)apr_thread_join(&unused, waiters[i].thread);
            CU_ASSERT_EQUAL(waiters[i].rc, MPROC_ESTATE);
            waiters[i] = (waiter){.listener = listener};
        }
        start_waiters(waiters, 3);
        mproc_listener_close(listener);
        for (int i = 0; i < 3; i++) {
            (void)apr_thread_join(&unused, waiters[i].thread);
            CU_ASSERT_EQUAL(waiters[i].rc, MPROC_ESTATE);
        }
        mproc_connection_close(theirs);
    }
}

static void test_listener__send_times_out(void)
{
    for (const char *const *at = addresses(); is_address(at); at++) {
        static char data[100000];
        int rc = MPROC_OK;
        mproc_connection *ours;
        mproc_connection *theirs;
        mproc_listener *listener = listen_with(&(mproc_listener_options){.address = *at});
        connect_both(listener, &without_key, &ours, &theirs);
        for (int i = 0; i < 1000 && rc >= 0; i++) {
            rc = mproc_connection_send_bytes(ours, data, sizeof(data), MPROC_NOWAIT);
        }
        CU_ASSERT_EQUAL(rc, MPROC_ETIMEDOUT); // nobody receives
        mproc_connection_close(theirs);
        rc = mproc_connection_send_bytes(ours, data, sizeof(data), LIMIT);
        CU_ASSERT(rc == MPROC_EPEER || rc == MPROC_ESTATE);
        mproc_connection_close(ours);
        mproc_listener_close(listener);
    }
}

static void test_listener__can_be_waited_for(void)
{
    for (const char *const *at = addresses(); is_address(at); at++) {
        size_t index = 9;
        mplat_handle handle = MPLAT_NO_HANDLE;
        mproc_connection *ours;
        mproc_connection *theirs;
        mproc_listener *listener = listen_with(&(mproc_listener_options){.address = *at});
        connect_both(listener, &without_key, &ours, &theirs);
        CU_ASSERT_EQUAL(mproc_connection_handle(ours, &handle.os), MPROC_OK);
        for (int i = 0; i < 3; i++) {
            CU_ASSERT_EQUAL(mproc_connection_poll(ours, MPROC_NOWAIT), MPROC_ETIMEDOUT);
            CU_ASSERT_EQUAL(mplat_sentinel_wait(&handle, 1, 0, &index), MPROC_ETIMEDOUT);
            CU_ASSERT_EQUAL(mproc_connection_send_bytes(theirs, "x", 1, LIMIT), MPROC_OK);
            CU_ASSERT_EQUAL(mplat_sentinel_wait(&handle, 1, mplat_now() + LIMIT, &index), 0);
            mproc_value value = MPROC_NIL_VALUE;
            CU_ASSERT_EQUAL(mproc_connection_recv_bytes(ours, &value, 1, NULL, LIMIT), MPROC_OK);
            mproc_value_clear(&value);
        }
        mproc_connection_close(ours);
        mproc_connection_close(theirs);
        mproc_listener_close(listener);
    }
}

/* ---- processes ------------------------------------------------------------------------------- */

static int be_client(const mproc_args *args)
{
    const char *address;
    mproc_connection *connection;
    mproc_value value;
    CHILD_CHECK(MPROC_UNPACK(args, &address) == 0);
    CHILD_CHECK(mproc_client_connect(&connection, address, &with_key, LIMIT) == 0);
    CHILD_CHECK(mproc_connection_recv(connection, &value, LIMIT) == 0);
    CHILD_CHECK(mproc_connection_send(connection, value, LIMIT) == 0);
    mproc_value_clear(&value);
    mproc_connection_close(connection);
    return 3;
}

static void test_listener__serves_processes(void)
{
    mproc_connection *ours;
    mproc_peer peer;
    mproc_value value = MPROC_NIL_VALUE;
    mproc_listener *listener = listen_with(&(mproc_listener_options){KEY});
    mproc_process *child = start(be_client, MPROC_ARGS(mproc_listener_address(listener)));
    CU_ASSERT_EQUAL_FATAL(mproc_listener_accept(listener, &ours, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_get_peer(ours, &peer), MPROC_OK);
    CU_ASSERT_EQUAL(peer.pid, mproc_process_pid(child));
    CU_ASSERT_EQUAL(mproc_connection_send(ours, MPROC_VALUE("echo"), LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_recv(ours, &value, LIMIT), MPROC_OK);
    CU_ASSERT(value.type == MPROC_STRING && strcmp(value.as.string.data, "echo") == 0);
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(end_of(child), 3);
    CU_ASSERT_EQUAL(mproc_connection_recv(ours, &value, LIMIT), MPROC_ECLOSED);
    mproc_connection *again;
    CU_ASSERT_EQUAL(mproc_connection_attach(&again, ours), MPROC_OK);
    mproc_connection_close(ours);
    CU_ASSERT_EQUAL(mproc_connection_recv(again, &value, LIMIT), MPROC_ECLOSED);
    mproc_connection_close(again);
    mproc_listener_close(listener);
}

static void test_listener__leaks_nothing(void)
{
    mproc_connection *ours;
    mproc_connection *theirs;
    mproc_listener *listener = listen_with(&(mproc_listener_options){KEY});
    connect_both(listener, &with_key, &ours, &theirs);
    mproc_arena_stats before = settled_stats();
    for (int i = 0; i < 20; i++) {
        mproc_connection *more[2];
        connect_both(listener, &with_key, &more[0], &more[1]);
        exchange(more[0], more[1], 100);
        mproc_connection_close(more[1]);
        mproc_connection_close(more[0]);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
    mproc_connection_close(ours);
    mproc_connection_close(theirs);
    mproc_listener_close(listener);
}

static const testlib_case cases[] = {
    {"takes_messages_both_ways", test_listener__takes_messages_both_ways},
    {"takes_large_messages", test_listener__takes_large_messages},
    {"bounds_messages", test_listener__bounds_messages},
    {"sends_no_objects", test_listener__sends_no_objects},
    {"keeps_messages_whole", test_listener__keeps_messages_whole},
    {"lets_many_accept", test_listener__lets_many_accept},
    {"wants_the_key", test_listener__wants_the_key},
    {"needs_both_to_have_keys", test_listener__needs_both_to_have_keys},
    {"refuses_bad_addresses", test_listener__refuses_bad_addresses},
    {"leaves_its_address", test_listener__leaves_its_address},
    {"close_wakes_who_waits", test_listener__close_wakes_who_waits},
    {"send_times_out", test_listener__send_times_out},
    {"can_be_waited_for", test_listener__can_be_waited_for},
    {"serves_processes", test_listener__serves_processes},
    {"leaks_nothing", test_listener__leaks_nothing},
};
PROCESS_TEST_MAIN("object.listener", cases)
