/* SPDX-License-Identifier: Apache-2.0 */
/*
 * methods.c: the start methods of POSIX systems.
 */
#include "object/start.h"
#include "posix/methods.h"

const mproc_context *const mproc__contexts[] = {
    &mproc__context_forkserver,
    &mproc__context_spawn,
    &mproc__context_fork,
    NULL,
};
