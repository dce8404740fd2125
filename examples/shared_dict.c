/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_dict.c: a dict and a list that a child changes, from Python's tutorial on managers; but there is no
 * manager: both lie in memory that parent and child share.
 *
 * Python's twin:
 *
 *     def f(d, l): d[1] = '1'; d['2'] = 2; d[0.25] = None; l.reverse()
 *     with Manager() as manager:
 *         d = manager.dict(); l = manager.list(range(10))
 *         p = Process(target=f, args=(d, l)); p.start(); p.join()
 *         print(d); print(l)
 */
#include <mproc/mproc.h>
#include <stdio.h>

static int f(const mproc_args *args)
{
    mproc_dict *d;
    mproc_list *l;
    int rc = MPROC_UNPACK(args, &d, &l);
    if (rc < 0 || (rc = mproc_dict_set(d, MPROC_VALUE(1), MPROC_VALUE("1"))) < 0 ||
        (rc = mproc_dict_set(d, MPROC_VALUE("2"), MPROC_VALUE(2))) < 0 ||
        (rc = mproc_dict_set(d, MPROC_VALUE(0.25), MPROC_NIL_VALUE)) < 0) {
        return rc;
    }
    size_t n = mproc_list_length(l);
    for (size_t i = 0; i < n && rc >= 0; i++) {
        mproc_value last;
        if ((rc = mproc_list_pop(l, -1, &last)) >= 0) {
            rc = mproc_list_insert(l, (int64_t)i, last);
            mproc_value_clear(&last);
        }
    }
    return rc;
}

static void print(const mproc_value *value)
{
    switch (value->type) {
    case MPROC_INT:
        printf("%lld", (long long)value->as.integer);
        break;
    case MPROC_DOUBLE:
        printf("%g", value->as.real);
        break;
    case MPROC_STRING:
        printf("'%s'", value->as.string.data);
        break;
    default:
        printf("None");
    }
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_dict *d;
    mproc_list *l;
    if (mproc_dict_create(&d) < 0 || mproc_list_create(&l) < 0) {
        return mproc_perror("create");
    }
    const mproc_value *digits = MPROC_VALUES(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    if (mproc_list_extend(l, digits, 10, NULL) < 0) {
        return mproc_perror("extend");
    }
    mproc_process *child;
    if (mproc_process_start(&child, f, MPROC_ARGS(d, l), NULL) < 0 ||
        mproc_process_join(child, mproc_seconds(10)) < 0) {
        return mproc_perror("f");
    }
    mproc_value items, numbers;
    if (mproc_dict_items(d, &items) < 0 || mproc_list_slice(l, 0, MPROC_LIST_END, &numbers) < 0) {
        return mproc_perror("read");
    }
    for (size_t i = 0; i < items.as.map.count; i++) {
        printf(i == 0 ? "{" : ", ");
        print(&items.as.map.pairs[i].key);
        printf(": ");
        print(&items.as.map.pairs[i].value);
    }
    printf("}\n");
    for (size_t i = 0; i < numbers.as.list.count; i++) {
        printf(i == 0 ? "[" : ", ");
        print(&numbers.as.list.items[i]);
    }
    printf("]\n");
    mproc_value_clear(&items);
    mproc_value_clear(&numbers);
    mproc_process_close(child);
    mproc_list_close(l);
    mproc_dict_close(d);
    return 0;
}
