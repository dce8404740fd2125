/* SPDX-License-Identifier: Apache-2.0 */
/*
 * no_main.c: a program that forgets mproc_main.
 *
 * As a parent (argument "parent") its first start must fail with MPROC_ENOMAIN. As a child, named by
 * mproc_set_executable, it does what any such program would: it ends without having run anything.
 */
#include <mproc/mproc.h>
#include <stdio.h>
#include <string.h>

static int nothing(const mproc_args *args)
{
    (void)args;
    return 0;
}

static int be_parent(void)
{
    mproc_process *child = NULL;
    int rc = mproc_set_start_method("spawn");
    for (int i = 0; i < 2 && rc >= 0; i++) {
        if (mproc_process_start(&child, nothing, NULL, NULL) != MPROC_ENOMAIN || child != NULL) {
            return 1;
        }
        if (strstr(mproc_last_error(), "mproc_main") == NULL) {
            return 2;
        }
        if (mproc_set_start_method("forkserver") < 0) {
            break; // this system has one method only
        }
    }
    return rc < 0 ? 3 : 42;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "parent") == 0) {
        return be_parent();
    }
    return 0;
}
