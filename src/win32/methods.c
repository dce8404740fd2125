/* SPDX-License-Identifier: Apache-2.0 */
/*
 * methods.c: the start methods of Windows: there is no fork, hence no fork server.
 */
#include "object/server.h"
#include "object/start.h"

#include <stdlib.h>

const mproc_context *const mproc__contexts[] = {&mproc__context_spawn, NULL};

void mproc__server_run(mplat_handle door, const mplat_child *parent)
{
    (void)door;
    (void)parent;
    exit(EXIT_FAILURE);
}

void mproc__server_adopt(mplat_handle door)
{
    (void)door;
}

mplat_handle mproc__server_door(void)
{
    return MPLAT_NO_HANDLE;
}

void mproc__server_stop(void)
{
}

bool mproc__server_is_up(void)
{
    return false;
}
