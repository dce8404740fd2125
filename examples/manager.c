/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager.c: Python's tutorial on managers: a dict, a list and an array that a child changes and its parent prints.
 * With "serve" as its argument it lets others in, manager_client.py for one, prints where, and what they have done.
 *
 * Python's twin:
 *
 *     def f(d, l, a): d[1] = 1; l.reverse(); a[:] = [x * x for x in a]
 *     with Manager() as manager:
 *         d = manager.dict(); l = manager.list(range(10)); a = manager.Array('i', range(10))
 *         p = Process(target=f, args=(d, l, a)); p.start(); p.join()
 *         print(d); print(l); print(a)
 */
#include <mproc/mproc.h>
#include <stdio.h>
#include <string.h>

static int call(mproc_proxy *proxy, const char *method, const mproc_args *args,
                mproc_value *ret_result)
{
    return mproc_proxy_call(proxy, method, args, ret_result, mproc_seconds(10));
}

static int f(const mproc_args *args)
{
    mproc_proxy *d, *l, *a;
    mproc_value items;
    int rc = MPROC_UNPACK(args, &d, &l, &a);
    if (rc < 0 || (rc = call(d, "set", MPROC_ARGS(1, 1), NULL)) < 0 ||
        (rc = call(l, "slice", NULL, &items)) < 0) {
        return rc;
    }
    for (size_t i = 0; i < items.as.list.count && rc >= 0; i++) {
        rc = call(l, "set", MPROC_ARGS(i, items.as.list.items[items.as.list.count - 1 - i]), NULL);
    }
    mproc_value_clear(&items);
    for (int i = 0; i < 10 && rc >= 0; i++) {
        mproc_value x;
        if ((rc = call(a, "get", MPROC_ARGS(i), &x)) >= 0) {
            rc = call(a, "set", MPROC_ARGS(i, x.as.integer * x.as.integer), NULL);
        }
    }
    return rc;
}

static void print(const mproc_value *value)
{
    if (value->type == MPROC_INT) {
        printf("%lld", (long long)value->as.integer);
    } else if (value->type == MPROC_STRING) {
        printf("'%s'", value->as.string.data);
    }
    for (size_t i = 0; value->type == MPROC_LIST && i < value->as.list.count; i++) {
        printf(i == 0 ? "[" : ", ");
        print(&value->as.list.items[i]);
        printf(i + 1 == value->as.list.count ? "]" : "");
    }
    for (size_t i = 0; value->type == MPROC_MAP && i < value->as.map.count; i++) {
        printf(i == 0 ? "{" : ", ");
        print(&value->as.map.pairs[i].key);
        printf(": ");
        print(&value->as.map.pairs[i].value);
        printf(i + 1 == value->as.map.count ? "}" : "");
    }
}

static int print_all(mproc_proxy *proxy, const char *method)
{
    mproc_value all;
    int rc = call(proxy, method, NULL, &all);
    if (rc >= 0) {
        print(&all);
        printf("\n");
        mproc_value_clear(&all);
    }
    return rc;
}

/** Let strangers in until one of them sets the event that is published as "done". */
static int serve(mproc_manager *manager, mproc_proxy *d)
{
    mproc_proxy *done;
    if (mproc_manager_create_object(manager, "Event", NULL, &done) < 0 ||
        mproc_manager_publish(manager, "done", done) < 0 ||
        mproc_manager_publish(manager, "colours", d) < 0 ||
        mproc_manager_start(manager, NULL) < 0) {
        return mproc_perror("start");
    }
    printf("%s\n", mproc_manager_address(manager));
    (void)fflush(stdout);
    if (mproc_proxy_call(done, "wait", NULL, NULL, mproc_seconds(30)) < 0 ||
        print_all(d, "items") < 0 || mproc_manager_shutdown(manager, mproc_seconds(10)) < 0) {
        return mproc_perror("serve");
    }
    mproc_proxy_close(done);
    return 0;
}

static int run(mproc_proxy *d, mproc_proxy *l, mproc_proxy *a)
{
    mproc_process *child;
    if (mproc_process_start(&child, f, MPROC_ARGS(d, l, a), NULL) < 0 ||
        mproc_process_join(child, mproc_seconds(10)) < 0) {
        return mproc_perror("f");
    }
    mproc_process_close(child);
    if (print_all(d, "items") < 0 || print_all(l, "slice") < 0 || print_all(a, "get_slice") < 0) {
        return mproc_perror("print");
    }
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    const mproc_value digits = MPROC_LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    const mproc_manager_options options = {.authkey = "secret password", .authkey_size = 15};
    mproc_manager *manager;
    mproc_proxy *d, *l, *a;
    if (mproc_manager_create(&manager, &options) < 0 ||
        mproc_manager_create_object(manager, "dict", NULL, &d) < 0 ||
        mproc_manager_create_object(manager, "list", NULL, &l) < 0 ||
        mproc_manager_create_object(manager, "Array", MPROC_ARGS("i", digits), &a) < 0 ||
        call(l, "extend", MPROC_ARGS(digits), NULL) < 0) {
        return mproc_perror("create");
    }
    int code = argc > 1 && strcmp(argv[1], "serve") == 0 ? serve(manager, d) : run(d, l, a);
    mproc_proxy_close(a);
    mproc_proxy_close(l);
    mproc_proxy_close(d);
    mproc_manager_close(manager);
    return code;
}
