/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_manager_server.c: a manager's server and its clients: over all kinds of addresses, and what becomes of the
 * others when one of them dies, is cut off, or does not keep to the rules.
 */
#include "service/manager_test.h"

#include <apr_general.h>
#include <apr_pools.h>

static apr_pool_t *test_pool(void)
{
    static apr_pool_t *pool;
    if (pool == NULL) {
        CHILD_CHECK(apr_initialize() == APR_SUCCESS);
        CHILD_CHECK(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    }
    return pool;
}

/** End a manager and its server. */
static void end_manager(mproc_manager *manager)
{
    CU_ASSERT(is_status(mproc_manager_shutdown(manager, LIMIT), MPROC_OK, "shutdown"));
    mproc_manager_close(manager);
}

/* ---- addresses and keys ---------------------------------------------------------------------- */

static void use_address(const char *address)
{
    mproc_manager *manager = start_manager_with(&(mproc_manager_options){.address = address});
    mproc_manager *there = connect_to(manager);
    mproc_proxy *d = make_object(manager, "dict", NULL);
    CU_ASSERT_EQUAL(mproc_manager_publish(manager, "d", d), MPROC_OK);
    mproc_proxy *same = find_object(there, "d");
    CU_ASSERT_STRING_EQUAL(mproc_manager_address(there), mproc_manager_address(manager));
    CU_ASSERT_EQUAL(call(same, "set", MPROC_ARGS("far", "near")), MPROC_OK);
    RETURNS(d, "get", MPROC_ARGS("far"), "near");
    // What a client publishes, the family finds.
    mproc_proxy *l = make_object(there, "list", NULL);
    CU_ASSERT_EQUAL(mproc_manager_publish(there, "l", l), MPROC_OK);
    mproc_proxy_close(l);
    l = find_object(manager, "l");
    RETURNS(l, "length", NULL, 0);
    CU_ASSERT_EQUAL(mproc_manager_unpublish(there, "l"), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_manager_shutdown(there, LIMIT), MPROC_ENOTSUP);
    CU_ASSERT_EQUAL(mproc_manager_start(there, NULL), MPROC_ESTATE);
    mproc_proxy_close(l);
    mproc_manager_close(there);
    RETURNS(same, "length", NULL, 1); // the connection is there as long as its proxies
    mproc_proxy_close(same);
    mproc_proxy_close(d);
    end_manager(manager);
}

static void test_server__listens_anywhere(void)
{
    use_address(NULL);
    use_address("tcp:127.0.0.1:0");
}

static void test_server__wants_the_key(void)
{
    mproc_manager *manager =
        start_manager_with(&(mproc_manager_options){.authkey = "the key", .authkey_size = 7});
    const mproc_client_options wrong = {.authkey = "no key", .authkey_size = 6};
    mproc_manager *there = NULL;
    CU_ASSERT_EQUAL(mproc_manager_connect(&there, mproc_manager_address(manager), &wrong, LIMIT),
                    MPROC_EACCES);
    CU_ASSERT_PTR_NULL(there);
    CU_ASSERT(mproc_manager_authkey(manager).size == 7 &&
              memcmp(mproc_manager_authkey(manager).data, "the key", 7) == 0);
    mproc_manager_close(connect_to(manager));
    end_manager(manager);
}

static void test_server__is_one_at_a_time(void)
{
    mproc_manager *manager = start_manager();
    CU_ASSERT_EQUAL(mproc_manager_start(manager, &with_threads), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_manager_serve(manager), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_manager_shutdown(manager, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_manager_shutdown(manager, LIMIT), MPROC_OK);
    // And another one, at another address, with the same objects.
    CU_ASSERT_EQUAL(mproc_manager_start(manager, &with_threads), MPROC_OK);
    mproc_manager_close(connect_to(manager));
    mproc_manager_close(manager); // which ends it
    manager = make_manager(&(mproc_manager_options){.address = "nowhere:at-all"});
    CU_ASSERT_EQUAL(mproc_manager_start(manager, &with_threads), MPROC_EINVAL);
    CU_ASSERT(strstr(mproc_last_error(), "nowhere") != NULL);
    CU_ASSERT_EQUAL(mproc_manager_shutdown(manager, LIMIT), MPROC_OK);
    mproc_manager_close(manager);
}

static void *APR_THREAD_FUNC run_server(apr_thread_t *thread, void *arg)
{
    CU_ASSERT_EQUAL(mproc_manager_serve(arg), MPROC_OK);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

/** Wait until somebody serves. */
static bool await_address(const mproc_manager *manager)
{
    mproc_manager *there = NULL;
    mproc_bytes key = mproc_manager_authkey(manager);
    const mproc_client_options options = {.authkey = key.data, .authkey_size = key.size};
    int64_t deadline = mplat_now() + LIMIT;
    int rc = MPROC_ENOENT;
    while (rc < 0 && mplat_now() < deadline) {
        const char *address = mproc_manager_address(manager);
        rc = address[0] != '\0' ? mproc_manager_connect(&there, address, &options, LIMIT)
                                : MPROC_ENOENT;
    }
    mproc_manager_close(there);
    return rc >= 0;
}

static void test_server__can_be_this_process(void)
{
    mproc_manager *manager = make_manager(NULL);
    apr_thread_t *thread;
    apr_status_t unused;
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, run_server, manager, test_pool()),
                          APR_SUCCESS);
    CU_ASSERT(await_address(manager));
    mproc_manager *there = connect_to(manager);
    mproc_proxy *d = make_object(there, "dict", NULL);
    CU_ASSERT_EQUAL(call(d, "set", MPROC_ARGS(1, 2)), MPROC_OK);
    RETURNS(d, "get", MPROC_ARGS(1), 2);
    CU_ASSERT_EQUAL(mproc_manager_shutdown(manager, LIMIT), MPROC_OK);
    (void)apr_thread_join(&unused, thread);
    CU_ASSERT_EQUAL(call(d, "get", MPROC_ARGS(1)), MPROC_EPEER);
    mproc_proxy_close(d);
    mproc_manager_close(there);
    mproc_manager_close(manager);
}

/* ---- deaths ---------------------------------------------------------------------------------- */

/* What a client does before it says so, and is killed. */
enum deed { HOLD_LOCK, HOLD_PERMIT, HOLD_OBJECTS, AWAIT_BARRIER, AWAIT_NOTICE, AWAIT_LOCK };

/** A client, as a stranger is one: by address and key. */
static int be_client(const mproc_args *args)
{
    mproc_block *block;
    const char *address;
    mproc_bytes key;
    int deed;
    mproc_manager *there;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &address, &key, &deed) == 0);
    const mproc_client_options options = {.authkey = key.data, .authkey_size = key.size};
    CHILD_CHECK(mproc_manager_connect(&there, address, &options, LIMIT) == 0);
    mproc_proxy *object = find_object(there, "object");
    if (deed == HOLD_LOCK || deed == HOLD_PERMIT || deed == AWAIT_NOTICE) {
        CHILD_CHECK(call(object, "acquire", NULL) >= 0);
    }
    for (int i = 0; i < 100 && deed == HOLD_OBJECTS; i++) {
        mproc_proxy *large = make_object(there, "Array", MPROC_ARGS("d", 1000));
        CHILD_CHECK(large != NULL);
    }
    add_word(words_of(block));
    if (deed == AWAIT_BARRIER || deed == AWAIT_NOTICE) {
        (void)call(object, "wait", NULL);
        add_word(words_of(block));
    } else if (deed == AWAIT_LOCK) {
        (void)call(object, "acquire", NULL);
    }
    return stay();
}

static mproc_process *start_client(const mproc_manager *manager, mproc_block *block, int deed,
                                   uint32_t count)
{
    mproc_process *client = start_with(
        be_client,
        MPROC_ARGS(block, mproc_manager_address(manager), mproc_manager_authkey(manager), deed),
        &with_threads);
    CU_ASSERT(await_word(words_of(block), count));
    return client;
}

static void kill_client(mproc_process *client)
{
    CU_ASSERT_EQUAL(mproc_process_kill(client), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(client), CODE_KILLED);
}

/** An object that is published, of a manager with a server. */
static mproc_manager *publish(const char *type, const mproc_args *args, mproc_proxy **ret_object)
{
    mproc_manager *manager = start_manager();
    *ret_object = make_object(manager, type, args);
    CU_ASSERT_EQUAL(mproc_manager_publish(manager, "object", *ret_object), MPROC_OK);
    return manager;
}

static void test_server__releases_locks_of_the_dead(void)
{
    mproc_proxy *lock;
    mproc_block *block = make_words(1);
    mproc_manager *manager = publish("Lock", NULL, &lock);
    mproc_process *client = start_client(manager, block, HOLD_LOCK, 1);
    mproc_process *waiting = start_client(manager, block, AWAIT_LOCK, 2);
    CU_ASSERT_EQUAL(mproc_proxy_call(lock, "acquire", NULL, NULL, BRIEF), MPROC_ETIMEDOUT);
    kill_client(waiting); // who waits takes nothing along
    kill_client(client);
    CU_ASSERT_EQUAL(call(lock, "acquire", NULL), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(call(lock, "release", NULL), MPROC_OK);
    mproc_proxy_close(lock);
    mproc_block_close(block);
    end_manager(manager);
}

static void test_server__returns_permits_of_the_dead(void)
{
    mproc_proxy *semaphore;
    mproc_block *block = make_words(1);
    mproc_manager *manager = publish("Semaphore", MPROC_ARGS(2), &semaphore);
    mproc_process *client = start_client(manager, block, HOLD_PERMIT, 1);
    CU_ASSERT_EQUAL(call(semaphore, "acquire", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_proxy_call(semaphore, "acquire", NULL, NULL, BRIEF), MPROC_ETIMEDOUT);
    kill_client(client);
    CU_ASSERT_EQUAL(call(semaphore, "acquire", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_proxy_call(semaphore, "acquire", NULL, NULL, BRIEF), MPROC_ETIMEDOUT);
    mproc_proxy_close(semaphore);
    mproc_block_close(block);
    end_manager(manager);
}

/** Wait until the family holds no more blocks than it did. */
static bool await_blocks(size_t most)
{
    mproc_block *block = make_words(1);
    mproc_arena_stats stats = {.live_blocks = SIZE_MAX};
    int64_t deadline = mplat_now() + LIMIT;
    while (stats.live_blocks > most && mplat_now() < deadline) {
        (void)mplat_wait(words_of(block), 0, mplat_now() + mproc_milliseconds(2), NULL, NULL);
        CU_ASSERT_EQUAL(mproc_arena_get_stats(&stats), MPROC_OK);
        stats.live_blocks -= 1; // this one's
    }
    mproc_block_close(block);
    return stats.live_blocks <= most;
}

static void test_server__drops_references_of_the_dead(void)
{
    mproc_proxy *object;
    mproc_block *block = make_words(1);
    mproc_manager *manager = publish("dict", NULL, &object);
    mproc_arena_stats before = {0};
    mproc_arena_stats meanwhile = {0};
    CU_ASSERT_EQUAL(mproc_arena_get_stats(&before), MPROC_OK);
    mproc_process *client = start_client(manager, block, HOLD_OBJECTS, 1);
    CU_ASSERT_EQUAL(mproc_arena_get_stats(&meanwhile), MPROC_OK);
    CU_ASSERT(meanwhile.live_blocks >= before.live_blocks + 100);
    kill_client(client);
    CU_ASSERT(await_blocks(before.live_blocks + 8)); // of the starts of processes
    mproc_proxy_close(object);
    mproc_block_close(block);
    end_manager(manager);
}

static void test_server__drops_references_that_are_closed(void)
{
    mproc_manager *manager = start_manager();
    mproc_manager *there = connect_to(manager);
    mproc_arena_stats before = {0};
    CU_ASSERT_EQUAL(mproc_arena_get_stats(&before), MPROC_OK);
    for (int i = 0; i < 200; i++) {
        mproc_proxy_close(make_object(there, "list", NULL));
    }
    CU_ASSERT(await_blocks(before.live_blocks + 4));
    mproc_manager_close(there);
    end_manager(manager);
}

/** Wait until so many wait at a barrier. */
static bool await_waiting(mproc_proxy *barrier, int64_t count)
{
    int64_t deadline = mplat_now() + LIMIT;
    mproc_value waiting = MPROC_NIL_VALUE;
    do {
        CHILD_CHECK(mproc_proxy_call(barrier, "n_waiting", NULL, &waiting, LIMIT) == 0);
    } while (waiting.as.integer != count && mplat_now() < deadline);
    return waiting.as.integer == count;
}

static void test_server__breaks_barriers_of_the_dead(void)
{
    mproc_proxy *barrier;
    mproc_block *block = make_words(1);
    mproc_manager *manager = publish("Barrier", MPROC_ARGS(3), &barrier);
    mproc_process *client = start_client(manager, block, AWAIT_BARRIER, 1);
    CU_ASSERT(await_waiting(barrier, 1));
    kill_client(client);
    CU_ASSERT_EQUAL(call(barrier, "wait", NULL), MPROC_EBROKEN);
    mproc_proxy_close(barrier);
    mproc_block_close(block);
    end_manager(manager);
}

static void test_server__passes_notices_over_the_dead(void)
{
    mproc_proxy *condition;
    mproc_block *block = make_words(1);
    mproc_manager *manager = publish("Condition", NULL, &condition);
    mproc_process *first = start_client(manager, block, AWAIT_NOTICE, 1);
    kill_client(first);
    // Once the lock is to be had, the dead one's thread has left, or waits in its place.
    mproc_process *second = start_client(manager, block, AWAIT_NOTICE, 2);
    int64_t deadline = mplat_now() + LIMIT;
    mproc_value woken = MPROC_VALUE(0);
    while (woken.as.integer == 0 && mplat_now() < deadline) { // the second one may not wait yet
        CHILD_CHECK(call(condition, "acquire", NULL) >= 0);
        CHILD_CHECK(mproc_proxy_call(condition, "notify", NULL, &woken, LIMIT) >= 0);
        CHILD_CHECK(call(condition, "release", NULL) >= 0);
    }
    CU_ASSERT_EQUAL(woken.as.integer, 1);
    // It comes back with the lock: nobody else was notified in its place.
    CU_ASSERT(await_word(words_of(block), 3));
    kill_client(second);
    mproc_proxy_close(condition);
    mproc_block_close(block);
    end_manager(manager);
}

static void test_server__can_be_killed(void)
{
    mproc_proxy *d;
    mproc_manager *manager = publish("dict", NULL, &d);
    mproc_manager *there = connect_to(manager);
    mproc_proxy *same = find_object(there, "object");
    mproc_process *children[4];
    CU_ASSERT_EQUAL(call(same, "set", MPROC_ARGS("k", "v")), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_active_children(children, 4), 1);
    CU_ASSERT_EQUAL(mproc_process_kill(children[0]), MPROC_OK);
    CU_ASSERT_EQUAL(call(same, "get", MPROC_ARGS("k")), MPROC_EPEER);
    CU_ASSERT_EQUAL(call(same, "get", MPROC_ARGS("k")), MPROC_EPEER);
    RETURNS(d, "get", MPROC_ARGS("k"), "v"); // the family goes on
    mproc_proxy_close(same);
    mproc_manager_close(there);
    CU_ASSERT(is_status(mproc_manager_start(manager, &with_threads), MPROC_OK, "again"));
    there = connect_to(manager);
    same = find_object(there, "object");
    RETURNS(same, "get", MPROC_ARGS("k"), "v");
    mproc_proxy_close(same);
    mproc_manager_close(there);
    mproc_proxy_close(d);
    end_manager(manager);
}

static void *APR_THREAD_FUNC get_item(apr_thread_t *thread, void *arg)
{
    CU_ASSERT_EQUAL(call(arg, "get", NULL), MPROC_EPEER);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_server__cuts_off_who_waits(void)
{
    mproc_proxy *q;
    mproc_manager *manager = publish("Queue", NULL, &q);
    mproc_manager *there = connect_to(manager);
    mproc_proxy *same = find_object(there, "object");
    apr_thread_t *thread;
    apr_status_t unused;
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, get_item, same, test_pool()),
                          APR_SUCCESS);
    CU_ASSERT_EQUAL(mproc_manager_shutdown(manager, LIMIT), MPROC_OK);
    (void)apr_thread_join(&unused, thread);
    mproc_proxy_close(same);
    mproc_manager_close(there);
    mproc_proxy_close(q);
    mproc_manager_close(manager);
}

/* ---- many, and strange ones ------------------------------------------------------------------ */

static void test_server__has_many_clients(void)
{
    enum { MOST = 1000 };
    static mproc_manager *clients[MOST];
    long n = testlib_count(20, MOST);
    mproc_proxy *d;
    mproc_manager *manager = publish("dict", NULL, &d);
    for (long i = 0; i < n; i++) {
        clients[i] = connect_to(manager);
    }
    for (int round = 0; round < 3; round++) {
        for (long i = 0; i < n; i++) {
            mproc_proxy *same = find_object(clients[i], "object");
            CU_ASSERT_EQUAL(call(same, "increment", MPROC_ARGS("count")), MPROC_OK);
            mproc_proxy_close(same);
        }
    }
    RETURNS(d, "get", MPROC_ARGS("count"), 3 * n);
    for (long i = 0; i < n; i++) {
        mproc_manager_close(clients[i]);
    }
    mproc_proxy_close(d);
    end_manager(manager);
}

static void test_server__turns_too_many_away(void)
{
    mproc_manager *manager =
        start_manager_with(&(mproc_manager_options){.max_clients = 1, .max_objects = 2});
    mproc_manager *there = connect_to(manager);
    mproc_manager *second = NULL;
    mproc_proxy *none = NULL;
    mproc_bytes key = mproc_manager_authkey(manager);
    const mproc_client_options options = {.authkey = key.data, .authkey_size = key.size};
    CU_ASSERT_EQUAL(mproc_manager_connect(&second, mproc_manager_address(manager), &options, LIMIT),
                    MPROC_EPEER);
    mproc_proxy *a = make_object(there, "list", NULL);
    mproc_proxy *b = make_object(there, "list", NULL);
    CU_ASSERT_EQUAL(mproc_manager_create_object(there, "list", NULL, &none), MPROC_ENOSPC);
    mproc_proxy_close(b);
    b = make_object(there, "list", NULL);
    RETURNS(b, "length", NULL, 0);
    mproc_proxy_close(b);
    mproc_proxy_close(a);
    mproc_manager_close(there);
    end_manager(manager);
}

/** What a server does with a message of somebody who has the key. */
static int send_raw(mproc_connection *connection, mproc_value message, mproc_value *ret_answer)
{
    CU_ASSERT_EQUAL(mproc_connection_send(connection, message, LIMIT), MPROC_OK);
    return mproc_connection_recv(connection, ret_answer, LIMIT);
}

static mproc_connection *connect_raw(const mproc_manager *manager, bool is_greeting)
{
    mproc_connection *connection = NULL;
    mproc_value answer;
    mproc_bytes key = mproc_manager_authkey(manager);
    const mproc_client_options options = {.authkey = key.data, .authkey_size = key.size};
    CU_ASSERT_EQUAL_FATAL(
        mproc_client_connect(&connection, mproc_manager_address(manager), &options, LIMIT),
        MPROC_OK);
    if (is_greeting) {
        const mproc_value expected = MPROC_LIST(0, 1);
        CU_ASSERT_EQUAL(send_raw(connection, MPROC_LIST(0, "mproc manager", 1), &answer), 0);
        CU_ASSERT(mproc_value_equal(&answer, &expected));
        mproc_value_clear(&answer);
    }
    return connection;
}

static void test_server__cuts_off_who_makes_no_sense(void)
{
    mproc_manager *manager = start_manager();
    const mproc_value messages[] = {
        MPROC_VALUE("hello"),
        MPROC_EMPTY_LIST,
        MPROC_LIST(1),
        MPROC_LIST(1, -5, "get", MPROC_EMPTY_LIST, MPROC_NIL_VALUE),
        MPROC_LIST(1, 0, "get", "no list", MPROC_NIL_VALUE),
        MPROC_LIST(1, 0, "names", MPROC_EMPTY_LIST, -1),
        MPROC_LIST(2, MPROC_LIST(1)),
        MPROC_LIST(2, MPROC_LIST(MPROC_LIST(0, "names"))),
        MPROC_LIST(3, "x"),
        MPROC_LIST(77),
    };
    mproc_value answer;
    for (size_t i = 0; i < MPROC__COUNT(messages); i++) {
        mproc_connection *connection = connect_raw(manager, true);
        int rc = send_raw(connection, messages[i], &answer);
        CU_ASSERT(rc == MPROC_ECLOSED || rc == MPROC_EPEER);
        mproc_connection_close(connection);
    }
    mproc_connection *rude = connect_raw(manager, false);
    int rc = send_raw(rude, MPROC_LIST(1, 0, "names", MPROC_EMPTY_LIST, MPROC_NIL_VALUE), &answer);
    CU_ASSERT(rc == MPROC_ECLOSED || rc == MPROC_EPEER);
    mproc_connection_close(rude);
    mproc_manager_close(connect_to(manager));
    end_manager(manager);
}

static void test_server__knows_whose_references_are_whose(void)
{
    mproc_manager *manager = start_manager();
    mproc_manager *there = connect_to(manager);
    mproc_proxy *secret = make_object(there, "dict", NULL);
    mproc_connection *connection = connect_raw(manager, true);
    // The first reference that another session has, and some that nobody has.
    const uint64_t guesses[] = {(uint64_t)30 << 48 | 1, (uint64_t)30 << 48, 1,         2,
                                UINT64_MAX >> 1,        UINT64_MAX,         UINT32_MAX};
    for (size_t i = 0; i < MPROC__COUNT(guesses); i++) {
        mproc_value answer = MPROC_NIL_VALUE;
        CU_ASSERT_EQUAL(
            send_raw(connection, MPROC_LIST(1, guesses[i], "clear", MPROC_EMPTY_LIST, 0), &answer),
            MPROC_OK);
        CU_ASSERT(answer.type == MPROC_LIST && answer.as.list.count == 2 &&
                  answer.as.list.items[0].as.integer == MPROC_ENOENT);
        mproc_value_clear(&answer);
    }
    mproc_connection_close(connection);
    mproc_proxy_close(secret);
    mproc_manager_close(there);
    end_manager(manager);
}

static void test_server__cuts_off_who_asks_twice(void)
{
    mproc_proxy *event;
    mproc_manager *manager = publish("Event", NULL, &event);
    mproc_connection *connection = connect_raw(manager, true);
    mproc_value answer = MPROC_NIL_VALUE;
    const mproc_value get = MPROC_LIST(1, 0, "get", MPROC_LIST("object"), MPROC_NIL_VALUE);
    const mproc_value wait =
        MPROC_LIST(1, (uint64_t)20 << 48 | 1, "wait", MPROC_EMPTY_LIST, MPROC_NIL_VALUE);
    CU_ASSERT_EQUAL(mproc_connection_send(connection, get, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_recv(connection, &answer, LIMIT), MPROC_EMALFORMED);
    mproc_value bytes;
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes(connection, &bytes, SIZE_MAX, NULL, LIMIT), 0);
    mproc_value_clear(&bytes);
    CU_ASSERT_EQUAL(mproc_connection_send(connection, wait, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_send(connection, wait, LIMIT), MPROC_OK);
    int rc = mproc_connection_recv(connection, &answer, LIMIT);
    mproc_value_clear(&answer);
    if (rc >= 0) {
        rc = mproc_connection_recv(connection, &answer, LIMIT);
    }
    CU_ASSERT(rc == MPROC_ECLOSED || rc == MPROC_EPEER);
    mproc_connection_close(connection);
    mproc_proxy_close(event);
    end_manager(manager);
}

static int use_elsewhere(const mproc_args *args)
{
    mproc_proxy *proxy;
    mproc_manager *manager;
    mproc_proxy *none;
    CHILD_CHECK(MPROC_UNPACK(args, &manager, &proxy) == 0);
    CHILD_CHECK(call(proxy, "length", NULL) == MPROC_ESTATE);
    CHILD_CHECK(mproc_manager_get_object(manager, "object", &none) == MPROC_ESTATE);
    mproc_proxy_close(proxy);
    mproc_manager_close(manager);
    return 0;
}

static void use_all_and_leave(void)
{
    mproc_proxy *d;
    mproc_manager *manager = publish("dict", NULL, &d);
    mproc_manager *there = connect_to(manager);
    mproc_proxy *same = find_object(there, "object");
    mproc_proxy *more = NULL;
    CU_ASSERT_EQUAL(call(same, "set", MPROC_ARGS("self", MPROC_LIST(1, 2))), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_proxy_attach(&more, same), MPROC_OK);
    mproc_proxy_close(same);
    RETURNS(more, "length", NULL, 1);
    CU_ASSERT_EQUAL(mproc_manager_publish(manager, "elsewhere", more), MPROC_ETYPE);
    // They can be passed on, but are of use to this process only.
    CU_ASSERT_EQUAL(end_of(start_with(use_elsewhere, MPROC_ARGS(there, more), &with_threads)), 0);
    RETURNS(more, "length", NULL, 1);
    CU_ASSERT_EQUAL(call(d, "set", MPROC_ARGS("proxy", more)), MPROC_OK);
    mproc_proxy_close(more);
    mproc_manager_close(there);
    mproc_value kept = MPROC_NIL_VALUE;
    CU_ASSERT_EQUAL(mproc_proxy_call(d, "get", MPROC_ARGS("proxy"), &kept, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_proxy_of(&more, &kept), MPROC_OK);
    CU_ASSERT_EQUAL(call(more, "length", NULL), MPROC_ESTATE);
    mproc_proxy_close(more);
    mproc_value_clear(&kept);
    mproc_proxy_close(d);
    end_manager(manager);
}

static void test_server__leaves_nothing_behind(void)
{
    use_all_and_leave(); // this process's ledger has its size now
    mproc_arena_stats before = settled_stats();
    use_all_and_leave();
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"listens_anywhere", test_server__listens_anywhere},
    {"wants_the_key", test_server__wants_the_key},
    {"is_one_at_a_time", test_server__is_one_at_a_time},
    {"can_be_this_process", test_server__can_be_this_process},
    {"releases_locks_of_the_dead", test_server__releases_locks_of_the_dead},
    {"returns_permits_of_the_dead", test_server__returns_permits_of_the_dead},
    {"drops_references_of_the_dead", test_server__drops_references_of_the_dead},
    {"drops_references_that_are_closed", test_server__drops_references_that_are_closed},
    {"breaks_barriers_of_the_dead", test_server__breaks_barriers_of_the_dead},
    {"passes_notices_over_the_dead", test_server__passes_notices_over_the_dead},
    {"can_be_killed", test_server__can_be_killed},
    {"cuts_off_who_waits", test_server__cuts_off_who_waits},
    {"has_many_clients", test_server__has_many_clients},
    {"turns_too_many_away", test_server__turns_too_many_away},
    {"cuts_off_who_makes_no_sense", test_server__cuts_off_who_makes_no_sense},
    {"knows_whose_references_are_whose", test_server__knows_whose_references_are_whose},
    {"cuts_off_who_asks_twice", test_server__cuts_off_who_asks_twice},
    {"leaves_nothing_behind", test_server__leaves_nothing_behind},
};
PROCESS_TEST_MAIN("service.manager_server", cases)
