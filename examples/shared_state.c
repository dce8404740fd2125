/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_state.c: a number and an array that two processes share.
 *
 * Python's twin:
 *
 *     def work(number, array):
 *         number.value **= 2
 *         for i in range(len(array)):
 *             array[i] **= 3
 *
 *     number = Value('d', 3.14)
 *     array = Array('i', range(5))
 *     print(number.value, array[:])
 *     p = Process(target=work, args=(number, array))
 *     p.start(); p.join()
 *     print(number.value, array[:])
 */
#include <mproc/mproc.h>
#include <stdio.h>

static int work(const mproc_args *args)
{
    mproc_shared_value *number;
    mproc_array *array;
    int rc = MPROC_UNPACK(args, &number, &array);
    if (rc < 0) {
        return rc;
    }
    double *x = mproc_shared_value_data(number);
    int *a = mproc_array_data(array);
    *x *= *x;
    for (size_t i = 0; i < mproc_array_length(array); i++) {
        a[i] *= a[i] * a[i];
    }
    return 0;
}

static void show(const mproc_shared_value *number, const mproc_array *array)
{
    const double *x = mproc_shared_value_data(number);
    const int *a = mproc_array_data(array);
    printf("%g [%d, %d, %d, %d, %d]\n", *x, a[0], a[1], a[2], a[3], a[4]);
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_shared_value *number;
    mproc_array *array;
    mproc_process *child;
    double pi = 3.14;
    int numbers[] = {0, 1, 2, 3, 4};
    if (mproc_shared_value_create(&number, 'd', &pi, NULL) < 0 ||
        mproc_array_create(&array, 'i', 5, numbers, NULL) < 0) {
        return mproc_perror("create");
    }
    show(number, array);
    if (mproc_process_start(&child, work, MPROC_ARGS(number, array), NULL) < 0 ||
        mproc_process_join(child, MPROC_FOREVER) < 0) {
        return mproc_perror("process");
    }
    show(number, array);
    mproc_process_close(child);
    mproc_array_close(array);
    mproc_shared_value_close(number);
    return 0;
}
