/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c: the end of a process that has found a bug in mproc.
 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef MPROC_KILLPOINTS
void (*mproc__killpoint_fn)(const char *name);
#endif

void mproc__check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "mproc: %s:%d: a promise inside mproc is broken: %s\n", file, line, condition);
    fflush(stderr);
    abort();
}
