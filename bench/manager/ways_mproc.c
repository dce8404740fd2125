/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_mproc.c: mproc's managers: the dict itself, by its methods' names, and over a server.
 */
#include "ways.h"

#include "../support/bench.h"

#include <mproc/mproc.h>

/* One for each kind of address, for all rounds. */
static mproc_manager *family, *local, *tcp;

static int make(mproc_manager **manager, const char *address, int has_server)
{
    if (*manager) {
        return 0;
    }
    const mproc_manager_options options = {.address = address};
    mproc_proxy *dict;
    int rc = mproc_manager_create(manager, &options);
    if (rc < 0 || mproc_manager_create_object(*manager, "dict", NULL, &dict) < 0) {
        return bench_fail("%s", mproc_last_error());
    }
    for (int i = 0; i < N_KEYS && rc >= 0; i++) {
        rc = mproc_proxy_call(dict, "set", MPROC_ARGS((const char *)keys[i], i), NULL,
                              MPROC_FOREVER);
    }
    if (rc < 0 || mproc_manager_publish(*manager, "dict", dict) < 0 ||
        (has_server && mproc_manager_start(*manager, NULL) < 0)) {
        return bench_fail("%s", mproc_last_error());
    }
    mproc_proxy_close(dict);
    return 0;
}

static int find(mproc_manager *manager, void **ret_client)
{
    mproc_proxy *proxy;
    if (mproc_manager_get_object(manager, "dict", &proxy) < 0) {
        return bench_fail("%s", mproc_last_error());
    }
    *ret_client = proxy;
    return 0;
}

static int connect_to(mproc_manager *manager, void **ret_client)
{
    mproc_manager *there;
    mproc_bytes key = mproc_manager_authkey(manager);
    const mproc_client_options options = {.authkey = key.data, .authkey_size = key.size};
    if (mproc_manager_connect(&there, mproc_manager_address(manager), &options, MPROC_FOREVER) <
        0) {
        return bench_fail("%s", mproc_last_error());
    }
    int rc = find(there, ret_client);
    mproc_manager_close(there); /* the proxy has the connection */
    return rc;
}

static int open_family(void **ret_client)
{
    int rc = make(&family, NULL, 0);
    return rc ? rc : find(family, ret_client);
}

static int open_local(void **ret_client)
{
    int rc = make(&local, NULL, 1);
    return rc ? rc : connect_to(local, ret_client);
}

static int open_tcp(void **ret_client)
{
    int rc = make(&tcp, "tcp:127.0.0.1:0", 1);
    return rc ? rc : connect_to(tcp, ret_client);
}

static void close_client(void *client)
{
    mproc_proxy_close(client);
}

void close_mproc(void)
{
    mproc_manager_close(family);
    mproc_manager_close(local);
    mproc_manager_close(tcp);
}

static int get(void *client, int number)
{
    mproc_value value;
    int rc = mproc_proxy_call(client, "get", MPROC_ARGS((const char *)keys[number]), &value,
                              MPROC_FOREVER);
    mproc_value_clear(&value);
    return rc;
}

static int set(void *client, int number, int64_t value)
{
    return mproc_proxy_call(client, "set", MPROC_ARGS((const char *)keys[number], value), NULL,
                            MPROC_FOREVER);
}

static int get_many(void *client, int first)
{
    mproc_operation operations[MANY];
    mproc_args args[MANY];
    mproc_value names[MANY];
    for (int i = 0; i < MANY; i++) {
        names[i] = MPROC_VALUE((const char *)keys[first + i]);
        args[i] = (mproc_args){1, &names[i]};
        operations[i] = (mproc_operation){.proxy = client, .method = "get", .args = &args[i]};
    }
    int rc = mproc_proxy_call_many(operations, MANY);
    for (int i = 0; i < MANY; i++) {
        rc = rc < 0 ? rc : operations[i].status;
        mproc_value_clear(&operations[i].result);
    }
    return rc;
}

/* What a program of the family may do as well: call the dict's own functions. */

static int open_direct(void **ret_client)
{
    void *proxy = NULL;
    int rc = open_family(&proxy);
    const mproc_value value = rc ? MPROC_NIL_VALUE : MPROC_VALUE((mproc_proxy *)proxy);
    const mproc_args args = {1, &value};
    mproc_dict *dict;
    mproc_dict *own;
    if (rc || MPROC_UNPACK(&args, &dict) < 0 || mproc_dict_attach(&own, dict) < 0) {
        return rc ? rc : bench_fail("%s", mproc_last_error());
    }
    mproc_proxy_close(proxy);
    *ret_client = own;
    return 0;
}

static void close_direct(void *client)
{
    mproc_dict_close(client);
}

static int get_direct(void *client, int number)
{
    mproc_value value;
    int rc = mproc_dict_get(client, MPROC_VALUE((const char *)keys[number]), &value);
    mproc_value_clear(&value);
    return rc;
}

static int set_direct(void *client, int number, int64_t value)
{
    return mproc_dict_set(client, MPROC_VALUE((const char *)keys[number]), MPROC_VALUE(value));
}

static int get_many_direct(void *client, int first)
{
    mproc_value names[MANY];
    mproc_value values;
    for (int i = 0; i < MANY; i++) {
        names[i] = MPROC_VALUE((const char *)keys[first + i]);
    }
    int rc = mproc_dict_get_many(client, names, MANY, &values);
    mproc_value_clear(&values);
    return rc;
}

const way way_direct = {"mproc, the dict itself", open_direct, close_direct, get_direct, set_direct,
                        get_many_direct};
const way way_family = {
    "mproc, a proxy in the family", open_family, close_client, get, set, get_many};
const way way_local = {"mproc, socket", open_local, close_client, get, set, get_many};
const way way_tcp = {"mproc, TCP", open_tcp, close_client, get, set, get_many};
