/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_end.c: ending a process: ask, kill, or both in turn.
 */
#include "base/status.h"
#include "family/family.h"
#include "object/process.h"

/* How far generations of a family are followed. */
#define MAX_DEPTH 64

/**
 * Who to signal: the pid is known from the start, its birth since the process found its slot.
 *
 * @return 1; 0: nobody, any more; or a negative status
 */
static int identify(mproc_process *process, mplat_identity *ret_who)
{
    if (process == NULL) {
        return mproc__fail(MPROC_EINVAL,
                           "no process is named; this one is mproc_current_process()");
    }
    if (process->role == MPROC__ROLE_SELF) {
        *ret_who = mplat_self();
        return 1;
    }
    if (process->local != NULL) {
        return mproc__fail(MPROC_ENOTSUP,
                           "%s runs in this process and cannot be ended from outside",
                           process->name);
    }
    int rc = mproc__family_enter(); // of this thread it may be the first call
    if (rc < 0) {
        return rc;
    }
    mplat_identity who = {0};
    if (mproc__member_identity(process->member, &who) < 0 || who.pid == 0) {
        who = process->child.who;
        if (who.birth == 0) {
            return 0; // its slot is another's, and so may its number be
        }
    }
    *ret_who = who;
    return 1;
}

/** Whether there is nothing to end any more. Collecting first also means that the pid is not reused. */
static bool is_over(mproc_process *process)
{
    return process != NULL && mproc_process_is_alive(process) == 0;
}

static int send_request(mproc_process *process, enum mplat_signal what)
{
    mplat_identity who;
    if (is_over(process)) {
        return MPROC_OK;
    }
    int rc = identify(process, &who);
    return rc <= 0 ? rc : mplat_process_signal(&who, what);
}

int mproc_process_interrupt(mproc_process *process)
{
    return send_request(process, MPLAT_INTERRUPT);
}

int mproc_process_terminate(mproc_process *process)
{
    return send_request(process, MPLAT_TERMINATE);
}

int mproc_process_kill(mproc_process *process)
{
    return send_request(process, MPLAT_KILL);
}

/**
 * Kill what a member has started, from the leaves. The system may take them for somebody else's
 * children: a fork server's; and with their parent dead they would be gone before theirs are found.
 */
static void kill_family(mproc__member_id parent, int depth)
{
    mproc__member_id child = 0;
    while (depth < MAX_DEPTH && (child = mproc__member_next_child(parent, child)) != 0) {
        mplat_identity who;
        kill_family(child, depth + 1);
        // The caller, who may be a descendant, has work to do.
        if (child != mproc__self_id() && mproc__member_identity(child, &who) >= 0 && who.pid != 0) {
            (void)mplat_process_kill_tree(&who);
        }
    }
}

int mproc_process_kill_tree(mproc_process *process)
{
    mplat_identity who;
    if (is_over(process)) {
        return MPROC_OK;
    }
    int rc = identify(process, &who);
    if (rc <= 0) {
        return rc;
    }
    kill_family(process->role != MPROC__ROLE_SELF ? process->member : mproc__self_id(), 0);
    return mplat_process_kill_tree(&who);
}

int mproc_process_stop(mproc_process *process, mproc_timeout grace)
{
    int rc = mproc_process_terminate(process);
    if (rc >= 0) {
        rc = mproc_process_join(process, grace);
    }
    if (rc == MPROC_ETIMEDOUT) {
        rc = mproc_process_kill(process);
        rc = rc < 0 ? rc : mproc_process_join(process, MPROC_FOREVER);
    }
    return rc;
}
