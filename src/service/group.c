/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group.c: futures that are made of several tasks.
 *
 * They are waited for one after the other; what is asked in between is answered from the first that has not ended on.
 * Only who is to be told of the end has each of them noted: the last one tells.
 */
#include "service/client.h"

#include "base/alloc.h"
#include "base/status.h"
#include "service/worker.h"

int mproc__group_begin(mproc__client *client, mproc__group *group, mproc_future **ret_whole)
{
    mproc_future *whole = NULL;
    int rc = mproc__client_begin_whole(client, &whole);
    if (rc >= 0) {
        whole->group = group;
        *ret_whole = whole;
    }
    return rc;
}

void mproc__group_add(mproc_future *whole, mproc_future *part)
{
    mproc__group *group = whole->group;
    mproc__clients_lock(); // who looks for tasks to help with sees it already
    part->whole = whole;
    part->next = NULL;
    *(group->last != NULL ? &group->last->next : &group->first) = part;
    group->last = part;
    group->n_left++;
    group->undone = group->first;
    mproc__clients_unlock();
}

/** From the first on that has not ended, as far as is known. */
static mproc_future *undone_of(mproc__group *group)
{
    return mproc__load_pointer_acquire(&group->undone);
}

bool mproc__group_is_done(mproc__group *group)
{
    mproc_future *part = undone_of(group);
    while (part != NULL && mproc__future_is_done(part)) {
        part = part->next;
    }
    mproc__store_pointer_release(&group->undone, part); // if another thread was further, so what
    return part == NULL;
}

int mproc__group_await(mproc__group *group, mproc__deadline deadline)
{
    int rc = MPROC_OK;
    // First what nobody has begun: while one waits for a task, others take the next ones.
    for (const mproc_future *part = undone_of(group);
         part != NULL && mproc__worker_is_here(&part->client->tasks) &&
         !mproc__deadline_passed(deadline);
         part = part->next) {
        (void)mproc__future_help(part);
    }
    for (mproc_future *part = undone_of(group); part != NULL && rc >= 0; part = part->next) {
        rc = mproc__future_await(part, deadline);
    }
    return rc;
}

/** 0: at least one of them; or why not. */
static int cancel_parts(mproc__group *group, bool kill_running)
{
    int rc = mproc__fail(MPROC_ESTATE, "cancel: the tasks have ended");
    bool is_any = false;
    for (mproc_future *part = undone_of(group); part != NULL; part = part->next) {
        if (!mproc__future_is_done(part)) {
            rc = mproc_future_cancel(part, kill_running);
            is_any = is_any || rc >= 0;
        }
    }
    return is_any ? MPROC_OK : rc;
}

int mproc__group_cancel(mproc__group *group, bool kill_running)
{
    // A worker that is replaced finds nothing of this to begin.
    int rc = cancel_parts(group, false);
    int rc_killed = kill_running ? cancel_parts(group, true) : rc;
    return rc < 0 ? rc_killed : rc;
}

void mproc__group_end(mproc__group *group)
{
    for (mproc_future *part = group->first, *next; part != NULL; part = next) {
        next = part->next;
        mproc__future_release(part);
    }
    mproc__free(group);
}
