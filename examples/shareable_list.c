/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shareable_list.c: a list of plain values that parent and child both change.
 *
 * Python's twin:
 *
 *     def birthday(l): l[1] += 1
 *     l = ShareableList(["Alice", 42, 1.68])
 *     p = Process(target=birthday, args=(l,)); p.start(); p.join()
 *     print(l[0], "is", l[1])
 */
#include <mproc/mproc.h>
#include <stdio.h>

static int birthday(const mproc_args *args)
{
    mproc_shareable_list *list;
    mproc_value age;
    int rc = MPROC_UNPACK(args, &list);
    if (rc < 0 || (rc = mproc_shareable_list_get(list, 1, &age)) < 0) {
        return rc;
    }
    rc = mproc_shareable_list_set(list, 1, MPROC_VALUE(age.as.integer + 1));
    mproc_value_clear(&age);
    return rc;
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_shareable_list *list;
    if (mproc_shareable_list_create(&list, MPROC_VALUES("Alice", 42, 1.68), 3, NULL) < 0) {
        return mproc_perror("create");
    }
    mproc_process *child;
    if (mproc_process_start(&child, birthday, MPROC_ARGS(list), NULL) < 0 ||
        mproc_process_join(child, mproc_seconds(10)) < 0) {
        return mproc_perror("birthday");
    }
    mproc_value name;
    mproc_value age;
    if (mproc_shareable_list_get(list, 0, &name) < 0 ||
        mproc_shareable_list_get(list, 1, &age) < 0) {
        return mproc_perror("get");
    }
    printf("%s is %lld\n", name.as.string.data, (long long)age.as.integer);
    mproc_value_clear(&name);
    mproc_value_clear(&age);
    mproc_process_close(child);
    mproc_shareable_list_close(list);
    return 0;
}
