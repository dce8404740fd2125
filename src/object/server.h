/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h: the fork server, as the common code sees it; empty where there is no fork.
 */
#ifndef MPROC_OBJECT_SERVER_H
#define MPROC_OBJECT_SERVER_H

#include <stdbool.h>

#include "platform.h"

/** Be a fork server: the job of a process with MPROC__PURPOSE_SERVER. Ends the process. */
void mproc__server_run(mplat_handle door, const mplat_child *parent);

/** In a child: use the fork server that its parent uses; the door, or none, becomes this process's. */
void mproc__server_adopt(mplat_handle door);

/** What to hand to a child for that; none without a server. Stays ours. */
mplat_handle mproc__server_door(void);

/** End this process's fork server, if it has one. */
void mproc__server_stop(void);

/** Whether this process has started a fork server. */
bool mproc__server_is_up(void);

#endif
