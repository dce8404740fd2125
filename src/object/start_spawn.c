/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start_spawn.c: spawn: a fresh copy of the program. The start method that every system has.
 */
#include "family/family.h"
#include "family/layout.h"
#include "object/server.h"
#include "object/start.h"

static int launch(mproc__launch *launch)
{
    const mplat_handle door = mproc__server_door();
    mplat_start start = {
        .stdio = {launch->stdio[0], launch->stdio[1], launch->stdio[2]},
        .arena = &mproc__arena,
        .extra = door.os >= 0 ? &door : NULL,
        .boot = {.arena_size = mproc__arena.size,
                 .member = launch->member,
                 .purpose = MPROC__PURPOSE_PROCESS},
    };
    int rc = mproc__program(&start.program);
    if (rc < 0 || (rc = mproc__launch_give(launch)) < 0) {
        return rc;
    }
    rc = mplat_process_spawn(&start, &launch->child);
    if (rc >= 0) {
        mproc__member_note(launch->member, &launch->child.who);
    }
    return rc;
}

static int collect(mproc__member_id member, const mplat_child *child, mplat_exit *ret_exit)
{
    (void)member;
    return mplat_process_reap(child, ret_exit);
}

const mproc_context mproc__context_spawn = {.name = "spawn", .launch = launch, .collect = collect};
