/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_manager.c: types and methods by name: of objects of the family, and over a server, the same cases.
 */
#include "service/manager_test.h"

/** A case is run with a manager of this process's, and with one that is connected to it. */
typedef void (*both_fn)(mproc_manager *manager, bool is_remote);

static void in_both(both_fn fn)
{
    mproc_manager *manager = start_manager();
    mproc_manager *there = connect_to(manager);
    fn(manager, false);
    fn(there, true);
    mproc_manager_close(there);
    CU_ASSERT_EQUAL(mproc_manager_shutdown(manager, LIMIT), MPROC_OK);
    mproc_manager_close(manager);
}

static void use_dict(mproc_manager *manager, bool is_remote)
{
    mproc_proxy *d = make_object(manager, "dict", NULL);
    (void)is_remote;
    CU_ASSERT_STRING_EQUAL(mproc_proxy_type(d), "a dict");
    CU_ASSERT_EQUAL(call(d, "set", MPROC_ARGS("a", 1)), MPROC_OK);
    RETURNS(d, "get", MPROC_ARGS("a"), 1);
    CU_ASSERT_EQUAL(call(d, "get", MPROC_ARGS("b")), MPROC_ENOENT);
    RETURNS(d, "get", MPROC_ARGS("b", 7), 7);
    RETURNS(d, "contains", MPROC_ARGS("a"), YES);
    RETURNS(d, "contains", MPROC_ARGS("b"), NO);
    RETURNS(d, "setdefault", MPROC_ARGS("b", 2), 2);
    RETURNS(d, "setdefault", MPROC_ARGS("b", 3), 2);
    RETURNS(d, "increment", MPROC_ARGS("b", 40), 42);
    RETURNS(d, "increment", MPROC_ARGS("c"), 1);
    RETURNS(d, "compare_and_set", MPROC_ARGS("a", 1, "one"), YES);
    RETURNS(d, "compare_and_set", MPROC_ARGS("a", 1, "uno"), NO);
    CU_ASSERT_EQUAL(call(d, "compare_and_set", MPROC_ARGS("z", 1, 2)), MPROC_ENOENT);
    RETURNS(d, "pop", MPROC_ARGS("c"), 1);
    CU_ASSERT_EQUAL(call(d, "pop", MPROC_ARGS("c")), MPROC_ENOENT);
    RETURNS(d, "pop", MPROC_ARGS("c", "none"), "none");
    RETURNS(d, "length", NULL, 2);
    RETURNS(d, "keys", NULL, MPROC_LIST("a", "b"));
    RETURNS(d, "values", NULL, MPROC_LIST("one", 42));
    RETURNS(d, "items", NULL, MPROC_MAP(MPROC_PAIR("a", "one"), MPROC_PAIR("b", 42)));
    RETURNS(d, "get_many", MPROC_ARGS(MPROC_LIST("b", "x")), MPROC_LIST(42, MPROC_NIL_VALUE));
    CU_ASSERT_EQUAL(call(d, "update", MPROC_ARGS(MPROC_MAP(MPROC_PAIR("y", 1)))), MPROC_OK);
    RETURNS(d, "get", MPROC_ARGS("y"), 1);
    CU_ASSERT_EQUAL(call(d, "clear", NULL), MPROC_OK);
    RETURNS(d, "length", NULL, 0);
    mproc_proxy_close(d);
}

static void test_manager__has_dicts(void)
{
    in_both(use_dict);
}

static void use_list(mproc_manager *manager, bool is_remote)
{
    mproc_proxy *l = make_object(manager, "list", NULL);
    (void)is_remote;
    RETURNS(l, "append", MPROC_ARGS("b"), 1);
    RETURNS(l, "extend", MPROC_ARGS(MPROC_LIST("c", "d", "e")), 4);
    CU_ASSERT_EQUAL(call(l, "insert", MPROC_ARGS(0, "a")), MPROC_OK);
    RETURNS(l, "get", MPROC_ARGS(-1), "e");
    CU_ASSERT_EQUAL(call(l, "get", MPROC_ARGS(5)), MPROC_ERANGE);
    CU_ASSERT_EQUAL(call(l, "set", MPROC_ARGS(1, "B")), MPROC_OK);
    RETURNS(l, "pop", NULL, "e");
    RETURNS(l, "pop", MPROC_ARGS(0), "a");
    RETURNS(l, "slice", NULL, MPROC_LIST("B", "c", "d"));
    RETURNS(l, "slice", MPROC_ARGS(1, 2), MPROC_LIST("c"));
    RETURNS(l, "length", NULL, 3);
    CU_ASSERT_EQUAL(call(l, "clear", NULL), MPROC_OK);
    RETURNS(l, "slice", NULL, MPROC_EMPTY_LIST);
    mproc_proxy_close(l);
}

static void test_manager__has_lists(void)
{
    in_both(use_list);
}

static void use_queue(mproc_manager *manager, bool is_remote)
{
    mproc_proxy *q = make_object(manager, "JoinableQueue", MPROC_ARGS(2));
    (void)is_remote;
    CU_ASSERT_EQUAL(call(q, "put", MPROC_ARGS("one")), MPROC_OK);
    RETURNS(q, "put_many", MPROC_ARGS(MPROC_LIST("two")), 1);
    RETURNS(q, "is_full", NULL, YES);
    CU_ASSERT_EQUAL(mproc_proxy_call(q, "put", MPROC_ARGS(3), NULL, BRIEF), MPROC_ETIMEDOUT);
    RETURNS(q, "size", NULL, 2);
    RETURNS(q, "get", NULL, "one");
    RETURNS(q, "get_many", MPROC_ARGS(5), MPROC_LIST("two"));
    CU_ASSERT_EQUAL(mproc_proxy_call(q, "get", NULL, NULL, BRIEF), MPROC_ETIMEDOUT);
    RETURNS(q, "is_empty", NULL, YES);
    CU_ASSERT_EQUAL(call(q, "task_done", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_proxy_call(q, "join", NULL, NULL, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(call(q, "task_done", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(q, "join", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(q, "shutdown", NULL), MPROC_OK);
    RETURNS(q, "is_shut_down", NULL, YES);
    CU_ASSERT_EQUAL(call(q, "get", NULL), MPROC_ECLOSED);
    mproc_proxy_close(q);
    q = make_object(manager, "Queue", NULL);
    CU_ASSERT_EQUAL(call(q, "task_done", NULL), MPROC_ESTATE);
    mproc_proxy_close(q);
}

static void test_manager__has_queues(void)
{
    in_both(use_queue);
}

static void use_arrays(mproc_manager *manager, bool is_remote)
{
    mproc_proxy *v = make_object(manager, "Value", MPROC_ARGS("d", 1.5));
    mproc_proxy *a = make_object(manager, "Array", MPROC_ARGS("i", MPROC_LIST(1, 2, 3)));
    mproc_proxy *q = make_object(manager, "Value", MPROC_ARGS("Q", UINT64_MAX));
    mproc_proxy *none = NULL;
    (void)is_remote;
    RETURNS(v, "get", NULL, 1.5);
    CU_ASSERT_EQUAL(call(v, "set", MPROC_ARGS(2)), MPROC_OK);
    RETURNS(v, "get", NULL, 2.0);
    RETURNS(v, "typecode", NULL, "d");
    RETURNS(q, "get", NULL, UINT64_MAX);
    CU_ASSERT_EQUAL(call(v, "set", MPROC_ARGS("two")), MPROC_ETYPE);
    CU_ASSERT_EQUAL(call(a, "set", MPROC_ARGS(0, (int64_t)1 << 40)), MPROC_ERANGE);
    CU_ASSERT_EQUAL(call(a, "set", MPROC_ARGS(2, 30)), MPROC_OK);
    RETURNS(a, "get", MPROC_ARGS(2), 30);
    CU_ASSERT_EQUAL(call(a, "get", MPROC_ARGS(3)), MPROC_ERANGE);
    CU_ASSERT_EQUAL(call(a, "set_slice", MPROC_ARGS(1, MPROC_LIST(5, "six"))), MPROC_ETYPE);
    CU_ASSERT_EQUAL(call(a, "set_slice", MPROC_ARGS(1, MPROC_LIST(5, 6, 7))), MPROC_ERANGE);
    RETURNS(a, "get_slice", NULL, MPROC_LIST(1, 2, 30));
    CU_ASSERT_EQUAL(call(a, "set_slice", MPROC_ARGS(1, MPROC_LIST(5, 6))), MPROC_OK);
    RETURNS(a, "get_slice", MPROC_ARGS(1, 2), MPROC_LIST(5, 6));
    RETURNS(a, "atomic_add", MPROC_ARGS(0, 10), 1);
    RETURNS(a, "atomic_load", MPROC_ARGS(0), 11);
    RETURNS(a, "atomic_compare_exchange", MPROC_ARGS(0, 11, 12), YES);
    CU_ASSERT_EQUAL(call(v, "atomic_add", MPROC_ARGS(1)), MPROC_ETYPE);
    CU_ASSERT_EQUAL(call(a, "atomic_store", MPROC_ARGS(3, 1)), MPROC_ERANGE);
    CU_ASSERT_EQUAL(call(a, "acquire", NULL), MPROC_OK);
    RETURNS(a, "get", MPROC_ARGS(0), 12);
    CU_ASSERT_EQUAL(call(a, "release", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(a, "release", NULL), MPROC_ESTATE);
    RETURNS(a, "length", NULL, 3);
    CU_ASSERT_EQUAL(mproc_manager_create_object(manager, "Array", MPROC_ARGS("x", 3), &none),
                    MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_manager_create_object(manager, "Array", MPROC_ARGS("i", -3), &none),
                    MPROC_ERANGE);
    mproc_proxy_close(q);
    mproc_proxy_close(a);
    mproc_proxy_close(v);
}

static void test_manager__has_values_and_arrays(void)
{
    in_both(use_arrays);
}

static void use_locks(mproc_manager *manager, bool is_remote)
{
    mproc_proxy *lock = make_object(manager, "Lock", NULL);
    mproc_proxy *rlock = make_object(manager, "RLock", NULL);
    mproc_proxy *semaphore = make_object(manager, "BoundedSemaphore", MPROC_ARGS(2));
    (void)is_remote;
    CU_ASSERT_EQUAL(call(lock, "acquire", NULL), MPROC_OK);
    RETURNS(lock, "is_locked", NULL, YES);
    CU_ASSERT_EQUAL(mproc_proxy_call(lock, "acquire", NULL, NULL, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(call(lock, "release", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(lock, "release", NULL), MPROC_ESTATE);
    CU_ASSERT_EQUAL(call(rlock, "acquire", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(rlock, "acquire", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(rlock, "release", NULL), MPROC_OK);
    RETURNS(rlock, "is_locked", NULL, YES);
    CU_ASSERT_EQUAL(call(rlock, "release", NULL), MPROC_OK);
    RETURNS(rlock, "is_locked", NULL, NO);
    CU_ASSERT_EQUAL(call(semaphore, "acquire", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(semaphore, "acquire", NULL), MPROC_OK);
    RETURNS(semaphore, "get_value", NULL, 0);
    CU_ASSERT_EQUAL(mproc_proxy_call(semaphore, "acquire", NULL, NULL, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(call(semaphore, "release", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(semaphore, "release", NULL), MPROC_OK);
    CU_ASSERT(call(semaphore, "release", NULL) < 0);
    RETURNS(semaphore, "get_value", NULL, 2);
    mproc_proxy_close(semaphore);
    mproc_proxy_close(rlock);
    mproc_proxy_close(lock);
}

static void test_manager__has_locks_and_semaphores(void)
{
    in_both(use_locks);
}

static void use_waits(mproc_manager *manager, bool is_remote)
{
    mproc_proxy *event = make_object(manager, "Event", NULL);
    mproc_proxy *lock = make_object(manager, "Lock", NULL);
    mproc_proxy *condition = make_object(manager, "Condition", MPROC_ARGS(lock));
    mproc_proxy *barrier = make_object(manager, "Barrier", MPROC_ARGS(2));
    mproc_proxy *alone = make_object(manager, "Barrier", MPROC_ARGS(1));
    mproc_proxy *none = NULL;
    (void)is_remote;
    CU_ASSERT_EQUAL(mproc_proxy_call(event, "wait", NULL, NULL, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(call(event, "set", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(event, "wait", NULL), MPROC_OK);
    RETURNS(event, "is_set", NULL, YES);
    CU_ASSERT_EQUAL(call(event, "clear", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(condition, "wait", NULL), MPROC_ESTATE);
    CU_ASSERT_EQUAL(call(condition, "acquire", NULL), MPROC_OK);
    RETURNS(lock, "is_locked", NULL, YES);
    CU_ASSERT_EQUAL(mproc_proxy_call(condition, "wait", NULL, NULL, BRIEF), MPROC_ETIMEDOUT);
    RETURNS(condition, "notify", NULL, 0);
    RETURNS(condition, "notify_all", NULL, 0);
    CU_ASSERT_EQUAL(call(condition, "release", NULL), MPROC_OK);
    RETURNS(alone, "wait", NULL, 0);
    RETURNS(barrier, "parties", NULL, 2);
    RETURNS(barrier, "n_waiting", NULL, 0);
    CU_ASSERT_EQUAL(mproc_proxy_call(barrier, "wait", NULL, NULL, BRIEF), MPROC_ETIMEDOUT);
    RETURNS(barrier, "is_broken", NULL, YES);
    CU_ASSERT_EQUAL(call(barrier, "reset", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(barrier, "abort", NULL), MPROC_OK);
    CU_ASSERT_EQUAL(call(barrier, "wait", NULL), MPROC_EBROKEN);
    CU_ASSERT_EQUAL(mproc_manager_create_object(manager, "Condition", MPROC_ARGS(event), &none),
                    MPROC_ETYPE);
    mproc_proxy_close(alone);
    mproc_proxy_close(barrier);
    mproc_proxy_close(condition);
    mproc_proxy_close(lock);
    mproc_proxy_close(event);
}

static void test_manager__has_events_conditions_and_barriers(void)
{
    in_both(use_waits);
}

/* ---- objects in objects ---------------------------------------------------------------------- */

static void use_nested(mproc_manager *manager, bool is_remote)
{
    mproc_proxy *outer = make_object(manager, "list", NULL);
    mproc_proxy *inner = make_object(manager, "dict", NULL);
    mproc_proxy *again = NULL;
    mproc_value item = MPROC_NIL_VALUE;
    (void)is_remote;
    CU_ASSERT_EQUAL(call(inner, "set", MPROC_ARGS("x", 1)), MPROC_OK);
    // By reference, and a copy of what it is just now.
    RETURNS(outer, "append", MPROC_ARGS(inner), 1);
    RETURNS(outer, "append", MPROC_ARGS(MPROC_MAP(MPROC_PAIR("x", 1))), 2);
    CU_ASSERT_EQUAL(call(inner, "set", MPROC_ARGS("x", 2)), MPROC_OK);
    mproc_proxy_close(inner);
    CU_ASSERT_EQUAL(mproc_proxy_call(outer, "get", MPROC_ARGS(0), &item, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_proxy_of(&again, &item), MPROC_OK);
    mproc_value_clear(&item);
    CU_ASSERT_PTR_NOT_NULL_FATAL(again);
    CU_ASSERT_STRING_EQUAL(mproc_proxy_type(again), "a dict");
    RETURNS(again, "get", MPROC_ARGS("x"), 2);
    RETURNS(outer, "get", MPROC_ARGS(1), MPROC_MAP(MPROC_PAIR("x", 1)));
    CU_ASSERT_EQUAL(call(again, "set", MPROC_ARGS("me too", MPROC_LIST(1, again))), MPROC_OK);
    CU_ASSERT_EQUAL(call(again, "clear", NULL), MPROC_OK); // or the ring would stay
    mproc_proxy_close(again);
    mproc_proxy_close(outer);
}

static void test_manager__nests_objects(void)
{
    in_both(use_nested);
}

/* ---- many at once, and what is refused ------------------------------------------------------- */

static void use_batch(mproc_manager *manager, bool is_remote)
{
    enum { N = 100 };
    mproc_proxy *d = make_object(manager, "dict", NULL);
    mproc_proxy *q = make_object(manager, "Queue", NULL);
    mproc_operation operations[N + 3];
    mproc_args args[N];
    mproc_value one[N][2];
    (void)is_remote;
    for (int i = 0; i < N; i++) {
        one[i][0] = MPROC_VALUE(i / 2);
        one[i][1] = MPROC_VALUE(i);
        args[i] = (mproc_args){2, one[i]};
        operations[i] = (mproc_operation){.proxy = d, .method = "set", .args = &args[i]};
    }
    operations[N] = (mproc_operation){.proxy = d, .method = "length"};
    operations[N + 1] = (mproc_operation){.proxy = q, .method = "get"};
    operations[N + 2] = (mproc_operation){.proxy = d, .method = "get", .args = MPROC_ARGS(3)};
    CU_ASSERT_EQUAL(mproc_proxy_call_many(operations, N + 3), MPROC_OK);
    for (int i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(operations[i].status, MPROC_OK);
    }
    CU_ASSERT_EQUAL(operations[N].status, MPROC_OK);
    CU_ASSERT_EQUAL(operations[N].result.as.integer, N / 2);
    CU_ASSERT_EQUAL(operations[N + 1].status, MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(operations[N + 2].result.as.integer, 7);
    for (int i = 0; i < N + 3; i++) {
        mproc_value_clear(&operations[i].result);
    }
    operations[0].method = NULL;
    CU_ASSERT_EQUAL(mproc_proxy_call_many(operations, 1), MPROC_EINVAL);
    mproc_proxy_close(q);
    mproc_proxy_close(d);
}

static void test_manager__takes_batches(void)
{
    in_both(use_batch);
}

static void use_badly(mproc_manager *manager, bool is_remote)
{
    mproc_proxy *d = make_object(manager, "dict", NULL);
    mproc_proxy *none = NULL;
    (void)is_remote;
    CU_ASSERT_EQUAL(mproc_manager_create_object(manager, "ditc", NULL, &none), MPROC_ENOENT);
    CU_ASSERT(strstr(mproc_last_error(), "ditc") != NULL);
    CU_ASSERT_EQUAL(mproc_manager_create_object(manager, "dict", MPROC_ARGS(1), &none),
                    MPROC_ECOUNT);
    CU_ASSERT_EQUAL(mproc_manager_create_object(manager, "Semaphore", MPROC_ARGS("x"), &none),
                    MPROC_ETYPE);
    CU_ASSERT_EQUAL(call(d, "append", MPROC_ARGS(1)), MPROC_ENOENT);
    CU_ASSERT(strstr(mproc_last_error(), "append") != NULL);
    CU_ASSERT_EQUAL(call(d, "set", MPROC_ARGS(1)), MPROC_ECOUNT);
    CU_ASSERT_EQUAL(call(d, "length", MPROC_ARGS(1)), MPROC_ECOUNT);
    CU_ASSERT_EQUAL(call(NULL, "length", NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(call(d, NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_manager_get_object(manager, "nothing", &none), MPROC_ENOENT);
    CU_ASSERT_EQUAL(mproc_manager_unpublish(manager, "nothing"), MPROC_ENOENT);
    CU_ASSERT_PTR_NULL(none);
    RETURNS(d, "length", NULL, 0);
    mproc_proxy_close(d);
}

static void test_manager__refuses(void)
{
    const mproc_value number = MPROC_VALUE(1);
    mproc_proxy *none = NULL;
    in_both(use_badly);
    CU_ASSERT_EQUAL(mproc_manager_create(NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_manager_start(NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_manager_serve(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_manager_shutdown(NULL, LIMIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_proxy_of(&none, &number), MPROC_ETYPE);
    CU_ASSERT_STRING_EQUAL(mproc_manager_address(NULL), "");
    mproc_manager_close(NULL);
    mproc_proxy_close(NULL);
}

/* ---- in the family --------------------------------------------------------------------------- */

static int change(const mproc_args *args)
{
    mproc_manager *manager;
    mproc_proxy *d;
    mproc_list *l; // what is a proxy there is a list here: the same object
    mproc_proxy *named;
    CHILD_CHECK(MPROC_UNPACK(args, &manager, &d, &l) == 0);
    CHILD_CHECK(call(d, "set", MPROC_ARGS(1, "one")) == 0);
    CHILD_CHECK(mproc_list_append(l, MPROC_VALUE(2), NULL) == 0);
    CHILD_CHECK(mproc_manager_get_object(manager, "queue", &named) == 0);
    CHILD_CHECK(call(named, "put", MPROC_ARGS("from the child")) == 0);
    mproc_proxy_close(named);
    CHILD_CHECK(mproc_manager_start(manager, NULL) == MPROC_ESTATE);
    return 0;
}

static void test_manager__is_passed_to_children(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_manager *manager = make_manager(NULL);
    mproc_proxy *d = make_object(manager, "dict", NULL);
    mproc_proxy *l = make_object(manager, "list", NULL);
    mproc_proxy *q = make_object(manager, "Queue", NULL);
    CU_ASSERT_EQUAL(mproc_manager_publish(manager, "queue", q), MPROC_OK);
    mproc_proxy_close(q);
    CU_ASSERT_EQUAL(end_of(start(change, MPROC_ARGS(manager, d, l))), 0);
    RETURNS(d, "get", MPROC_ARGS(1), "one");
    RETURNS(l, "slice", NULL, MPROC_LIST(2));
    q = find_object(manager, "queue");
    RETURNS(q, "get", NULL, "from the child");
    CU_ASSERT_EQUAL(mproc_manager_unpublish(manager, "queue"), MPROC_OK);
    mproc_proxy_close(q);
    mproc_proxy_close(l);
    mproc_proxy_close(d);
    CU_ASSERT_STRING_EQUAL(mproc_manager_address(manager), "");
    CU_ASSERT_EQUAL(mproc_manager_shutdown(manager, LIMIT), MPROC_OK);
    mproc_manager_close(manager);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"has_dicts", test_manager__has_dicts},
    {"has_lists", test_manager__has_lists},
    {"has_queues", test_manager__has_queues},
    {"has_values_and_arrays", test_manager__has_values_and_arrays},
    {"has_locks_and_semaphores", test_manager__has_locks_and_semaphores},
    {"has_events_conditions_and_barriers", test_manager__has_events_conditions_and_barriers},
    {"nests_objects", test_manager__nests_objects},
    {"takes_batches", test_manager__takes_batches},
    {"refuses", test_manager__refuses},
    {"is_passed_to_children", test_manager__is_passed_to_children},
};
PROCESS_TEST_MAIN("service.manager", cases)
