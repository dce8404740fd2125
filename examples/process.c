/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c: start a function in another process, with arguments of several types.
 *
 * Python's twin:
 *
 *     def greet(name, times, pi): ...
 *     p = Process(target=greet, args=("world", 3, 3.14))
 *     p.start(); p.join(); print(p.exitcode)
 */
#include <mproc/mproc.h>
#include <stdio.h>

static int greet(const mproc_args *args)
{
    const char *name;
    int times;
    double pi;
    int rc = MPROC_UNPACK(args, &name, &times, &pi);
    if (rc < 0) {
        return rc;
    }
    for (int i = 0; i < times; i++) {
        printf("hello %s, pi is about %g\n", name, pi);
    }
    printf("I am %lld, my parent is %lld\n", (long long)mproc_process_pid(NULL),
           (long long)mproc_process_pid(mproc_parent_process()));
    return 7;
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_process *child;
    if (mproc_process_start(&child, greet, MPROC_ARGS("world", 3, 3.14), NULL) < 0) {
        return mproc_perror("start");
    }
    printf("I am %lld and have started %s, process %lld\n", (long long)mproc_process_pid(NULL),
           mproc_process_name(child), (long long)mproc_process_pid(child));

    int code;
    if (mproc_process_join(child, mproc_seconds(10)) < 0 ||
        mproc_process_exit_code(child, &code) < 0) {
        return mproc_perror("join");
    }
    printf("it has ended with exit code %d\n", code);
    mproc_process_close(child);
    return 0;
}
