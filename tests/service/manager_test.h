/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager_test.h: what the tests of managers share: a manager, and one that is connected to it.
 */
#ifndef TESTS_SERVICE_MANAGER_TEST_H
#define TESTS_SERVICE_MANAGER_TEST_H

#include "object/sync_test.h"

#include "mproc/manager.h"

/** Say why, if a status is not as expected. */
static inline bool is_status(int rc, int expected, const char *what)
{
    if (rc != expected) {
        printf("%s: %d, %s ... ", what, rc, rc < 0 ? mproc_last_error() : "");
    }
    return rc == expected;
}

static inline mproc_manager *make_manager(const mproc_manager_options *options)
{
    mproc_manager *manager = NULL;
    CU_ASSERT_FATAL(is_status(mproc_manager_create(&manager, options), MPROC_OK, "create"));
    return manager;
}

/** One with a server. */
static inline mproc_manager *start_manager_with(const mproc_manager_options *options)
{
    mproc_manager *manager = make_manager(options);
    CU_ASSERT_FATAL(is_status(mproc_manager_start(manager, &with_threads), MPROC_OK, "start"));
    CU_ASSERT(mproc_manager_address(manager)[0] != '\0');
    return manager;
}

static inline mproc_manager *start_manager(void)
{
    return start_manager_with(NULL);
}

/** A stranger's manager of the same server. */
static inline mproc_manager *connect_to(const mproc_manager *manager)
{
    mproc_manager *there = NULL;
    mproc_bytes key = mproc_manager_authkey(manager);
    const mproc_client_options options = {.authkey = key.data, .authkey_size = key.size};
    int rc = mproc_manager_connect(&there, mproc_manager_address(manager), &options, LIMIT);
    if (rc < 0) {
        fprintf(stderr, "connect: %s\n", mproc_last_error());
    }
    CHILD_CHECK(rc == MPROC_OK);
    return there;
}

static inline mproc_proxy *make_object(mproc_manager *manager, const char *type,
                                       const mproc_args *args)
{
    mproc_proxy *proxy = NULL;
    int rc = mproc_manager_create_object(manager, type, args, &proxy);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", type, mproc_last_error());
    }
    CHILD_CHECK(rc == MPROC_OK);
    return proxy;
}

/** The object of a name. */
static inline mproc_proxy *find_object(mproc_manager *manager, const char *name)
{
    mproc_proxy *proxy = NULL;
    CHILD_CHECK(mproc_manager_get_object(manager, name, &proxy) == MPROC_OK);
    return proxy;
}

/** Call for the status alone. */
static inline int call(mproc_proxy *proxy, const char *method, const mproc_args *args)
{
    return mproc_proxy_call(proxy, method, args, NULL, LIMIT);
}

/** Call, and compare the result with what is expected. */
static inline void check_result(int line, mproc_proxy *proxy, const char *method,
                                const mproc_args *args, mproc_value expected)
{
    mproc_value result = MPROC_NIL_VALUE;
    int rc = mproc_proxy_call(proxy, method, args, &result, LIMIT);
    bool is_it = rc >= 0 && mproc_value_equal(&result, &expected);
    if (!is_it) {
        printf("line %d: %s: %s ... ", line, method,
               rc < 0 ? mproc_last_error() : "another result");
    }
    CU_ASSERT(is_it);
    mproc_value_clear(&result);
}

/* `expected` is whatever MPROC_VALUE takes; but for lists and maps, whose commas part arguments, as the rest. */
#define RETURNS(proxy, method, args, ...) \
    check_result(__LINE__, proxy, method, args, MPROC_VALUE((__VA_ARGS__)))
#define YES mproc__value_bool(true)
#define NO mproc__value_bool(false)

#endif
