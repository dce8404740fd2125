/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start_methods.c: one function, started by each method this system has.
 *
 * Python's twin:
 *
 *     for method in multiprocessing.get_all_start_methods():
 *         ctx = multiprocessing.get_context(method)
 *         p = ctx.Process(target=show, args=(method,))
 *         p.start(); p.join(); print(p.exitcode)
 */
#include <mproc/mproc.h>
#include <stdio.h>

static int show(const mproc_args *args)
{
    const char *method;
    int rc = MPROC_UNPACK(args, &method);
    if (rc < 0) {
        return rc;
    }
    printf("%-10s  child %lld of parent %lld, named %s\n", method,
           (long long)mproc_process_pid(NULL), (long long)mproc_process_pid(mproc_parent_process()),
           mproc_process_name(NULL));
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);
    printf("parent %lld\n", (long long)mproc_process_pid(NULL));
    for (const char *const *method = mproc_get_all_start_methods(); *method != NULL; method++) {
        const mproc_process_options options = {.context = mproc_get_context(*method)};
        mproc_process *child;
        int code;
        if (mproc_process_start(&child, show, MPROC_ARGS(*method), &options) < 0 ||
            mproc_process_join(child, MPROC_FOREVER) < 0 ||
            mproc_process_exit_code(child, &code) < 0) {
            return mproc_perror(*method);
        }
        printf("%-10s  exit code %d\n", *method, code);
        mproc_process_close(child);
    }
    return 0;
}
