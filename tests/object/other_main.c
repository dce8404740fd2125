/* SPDX-License-Identifier: Apache-2.0 */
/*
 * other_main.c: a program with nothing of its own, for functions of libraries.
 */
#include <mproc/mproc.h>

int main(int argc, char **argv)
{
    return mproc_main(argc, argv) < 0;
}
