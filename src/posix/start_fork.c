/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start_fork.c: fork: a copy of the calling process, which runs the function in it.
 */
#include "family/layout.h"
#include "object/process.h"
#include "object/server.h"
#include "object/start.h"
#include "posix/methods.h"

static int launch(mproc__launch *launch)
{
    const mplat_start start = {
        .stdio = {launch->stdio[0], launch->stdio[1], launch->stdio[2]},
        .arena = &mproc__arena,
        .boot = {.arena_size = mproc__arena.size,
                 .member = launch->member,
                 .purpose = MPROC__PURPOSE_PROCESS},
    };
    int rc = mplat_process_fork(&start, &launch->child);
    if (rc == 1) {
        mproc__child_copy(launch, &launch->child);
    }
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

const mproc_context mproc__context_fork = {
    .name = "fork", .is_copy = true, .launch = launch, .collect = collect};
