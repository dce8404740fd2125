/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc-worker.c: a program that does nothing but be a child.
 *
 * For code whose main() is not its own, plug-ins and language bindings say: such code calls
 * mproc_set_executable() with the path of this program, and its functions are found in its library.
 */
#include <mproc/mproc.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (mproc_main(argc, argv) < 0) {
        return mproc_perror("mproc-worker");
    }
    fprintf(stderr, "mproc-worker is started by programs that use mproc, through "
                    "mproc_set_executable(); by itself it does nothing\n");
    return 2;
}
