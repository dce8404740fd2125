/* SPDX-License-Identifier: Apache-2.0 */
/*
 * children.c: this process's children: who they are, and their end when this process ends.
 */
#include "base/deadline.h"
#include "base/log.h"
#include "base/status.h"
#include "family/family.h"
#include "object/local.h"
#include "object/server.h"

#include <stdlib.h>

/* How long a daemon may take to heed the request to end. */
#define GRACE_NS ((int64_t)1000000000)

static struct {
    mproc_process *first;
    bool watches_exit;
    bool forgets;
    uint64_t n_added;
} children;

/** In a copy of this process: these are somebody else's children now. */
static void forget(void)
{
    for (mproc_process *process = children.first; process != NULL; process = process->next) {
        process->child.sentinel = MPLAT_NO_HANDLE;
        process->child.tree = MPLAT_NO_HANDLE;
        process->is_foreign = true;
    }
    children.first = NULL;
    children.watches_exit = false;
}

void mproc__children_add(mproc_process *process)
{
    mproc__private_lock();
    if (!children.forgets) {
        children.forgets = true;
        mproc__on_forget(forget);
    }
    process->serial = children.n_added++;
    process->next = children.first;
    children.first = process;
    mproc__private_unlock();
}

void mproc__children_remove(mproc_process *process)
{
    mproc__private_lock();
    for (mproc_process **link = &children.first; *link != NULL; link = &(*link)->next) {
        if (*link == process) {
            *link = process->next;
            break;
        }
    }
    mproc__private_unlock();
}

static void at_exit(void)
{
    // A copy made by the application's own fork() inherits this call, but no children.
    if (children.watches_exit) {
        (void)mproc_shutdown(MPROC_FOREVER);
    }
}

void mproc__children_watch_exit(void)
{
    static bool is_registered;
    mproc__private_lock();
    if (!is_registered) {
        is_registered = atexit(at_exit) == 0;
    }
    children.watches_exit = true;
    mproc__private_unlock();
}

/**
 * The next child that may still run, in use by the caller; NULL when there are no more. The list may
 * shrink and grow meanwhile: its newest are in front, so those before `serial` are what is left.
 */
static mproc_process *use_next(uint64_t *serial)
{
    mproc__private_lock();
    mproc_process *found = children.first;
    while (found != NULL && (found->has_ended || found->serial >= *serial)) {
        found = found->next;
    }
    if (found != NULL) {
        found->users++;
        *serial = found->serial;
    }
    mproc__private_unlock();
    return found;
}

size_t mproc_active_children(mproc_process **ret_children, size_t capacity)
{
    size_t count = 0;
    uint64_t serial = UINT64_MAX;
    if (mproc__self_id() == 0) {
        return 0; // it has started nobody yet
    }
    for (mproc_process *child; (child = use_next(&serial)) != NULL;) {
        if (mproc_process_is_alive(child) > 0) {
            if (count < capacity) {
                ret_children[count] = child;
            }
            count++;
        }
        mproc__process_release(child);
    }
    return count;
}

/** Wait for the children that are daemons, or for those that are not, one after the other. */
static int join_all(bool is_daemon, mproc__deadline deadline)
{
    int rc = MPROC_OK;
    uint64_t serial = UINT64_MAX;
    for (mproc_process *child; (child = use_next(&serial)) != NULL;) {
        // A daemon that is a thread ends with its process, as in Python. And in a function that runs in
        // this process nobody waits for another: that one may be waiting for it.
        bool is_left = child->local != NULL && (is_daemon || mproc__local_here() != NULL);
        if (child->is_daemon == is_daemon && !is_left) {
            mproc_log(MPROC_LOG_INFO, "calling join() for process %s", child->name);
            int64_t left = deadline == MPROC__NEVER ? MPROC_FOREVER : deadline - mplat_now();
            int result =
                mproc__process_await(child, deadline != MPROC__NEVER && left < 0 ? 0 : left);
            rc = result < 0 ? result : rc;
        }
        mproc__process_release(child);
    }
    return rc;
}

static void signal_daemons(int (*signal)(mproc_process *))
{
    uint64_t serial = UINT64_MAX;
    for (mproc_process *child; (child = use_next(&serial)) != NULL;) {
        if (child->is_daemon && child->local == NULL) {
            mproc_log(MPROC_LOG_INFO, "calling terminate() for daemon %s", child->name);
            (void)signal(child);
        }
        mproc__process_release(child);
    }
}

/** Whether there is nobody to wait for and nothing to stop, as in most children. */
static bool is_alone(void)
{
    mproc__private_lock();
    bool result = children.first == NULL;
    mproc__private_unlock();
    return result && !mproc__server_is_up();
}

static void (*before_shutdown)(void);

void mproc__on_shutdown(void (*fn)(void))
{
    before_shutdown = fn;
}

int mproc_shutdown(mproc_timeout timeout)
{
    if (mproc__self_id() != 0 && before_shutdown != NULL) {
        before_shutdown();
    }
    if (mproc__self_id() == 0 || is_alone()) {
        return MPROC_OK;
    }
    mproc__deadline deadline = mproc__deadline_in(timeout);
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    signal_daemons(mproc_process_terminate);
    if (join_all(true, mproc__deadline_slice(deadline, GRACE_NS)) < 0) {
        signal_daemons(mproc_process_kill);
        (void)join_all(true, MPROC__NEVER);
    }
    rc = join_all(false, deadline);
    if (rc >= 0) {
        mproc__making_begin(false);
        mproc__server_stop();
        mproc__making_end(false);
    }
    return rc;
}
