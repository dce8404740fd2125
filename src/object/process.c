/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c: a process as others see it: whether it runs, how it ended, and how to end it.
 *
 * Threads  A call that waits holds no lock: it counts itself among the handle's users, so that the
 *          handle outlives it, and sleeps on the sentinel. When that fires one of the callers asks
 *          how it ended (is_collecting); the others see has_ended.
 */
#include "object/process.h"

#include "base/alloc.h"
#include "base/deadline.h"
#include "base/log.h"
#include "base/status.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/note.h"
#include "object/local.h"

#include <apr_time.h>
#include <stdio.h>
#include <string.h>

static mproc_process self = {.role = MPROC__ROLE_SELF, .name = "MainProcess"};
static mproc_process parent = {.role = MPROC__ROLE_PARENT};
static char own_identity[64];
static uint32_t n_started;

static const char *name_here(void)
{
    return mproc_process_name(NULL);
}

/** Called where names begin: with the first process that is started, and in each one that is. */
static void name_lines(void)
{
    mproc__log_set_namer(name_here);
}

void mproc__process_set_self(const char *name, const char *identity, bool is_daemon)
{
    mproc__copy_string(self.name, sizeof(self.name), name);
    mproc__copy_string(own_identity, sizeof(own_identity), identity != NULL ? identity : "");
    self.is_daemon = is_daemon;
    n_started = 0;
    name_lines();
    mproc__local_forget();
}

void mproc__process_set_parent(mproc__member_id member, const mplat_child *child)
{
    parent.member = member;
    parent.child = *child;
    const struct mproc__member_shm *slot = mproc__member_at(member);
    if (slot != NULL) {
        mproc__copy_string(parent.name, sizeof(parent.name), slot->name);
        parent.child.who = (mplat_identity){.pid = (int64_t)slot->pid, .birth = slot->birth};
    }
}

void mproc__process_set_parent_of_copy(const mplat_child *child)
{
    parent.member = mproc__copied_id();
    parent.child = *child;
    mproc__copy_string(parent.name, sizeof(parent.name), self.name);
}

void mproc__process_next_name(char *ret_name, size_t name_size, char *ret_identity,
                              size_t identity_size)
{
    name_lines();
    unsigned long number = (unsigned long)mproc__add32(&n_started, 1) + 1;
    (void)snprintf(ret_identity, identity_size, "%s%s%lu", own_identity,
                   own_identity[0] != '\0' ? ":" : "", number);
    (void)snprintf(ret_name, name_size, "Process-%s", ret_identity);
}

mproc_process *mproc_current_process(void)
{
    mproc_process *here = mproc__local_here();
    return here != NULL ? here : &self;
}

mproc_process *mproc_parent_process(void)
{
    if (mproc__local_here() != NULL) {
        return &self;
    }
    return parent.member != 0 ? &parent : NULL;
}

void mproc__process_release(mproc_process *process)
{
    mproc__private_lock();
    bool is_last = --process->users == 0;
    mproc__private_unlock();
    if (is_last) {
        mplat_handle_close(process->child.sentinel);
        mplat_handle_close(process->child.tree);
        mproc__local_free(process);
        mproc__free(process);
    }
}

/** Whether a handle stands for who is calling: NULL does. */
static bool is_self(const mproc_process *process)
{
    return process == NULL || process->role == MPROC__ROLE_SELF || mproc__local_is_here(process);
}

/** Begin a call on a child; MPROC_ESTATE when it is none of this process's. */
static int use(mproc_process *process)
{
    if (is_self(process)) {
        return mproc__fail(MPROC_ESTATE, "a process cannot wait for itself");
    }
    // Of this thread it may be the first call.
    int rc = mproc__family_enter();
    if (rc < 0 || process->role == MPROC__ROLE_PARENT) {
        return rc;
    }
    mproc__private_lock();
    bool is_ours = !process->is_foreign;
    process->users += is_ours ? 1 : 0;
    mproc__private_unlock();
    return is_ours ? MPROC_OK
                   : mproc__fail(MPROC_ESTATE, "%s was started by another process", process->name);
}

static void unuse(mproc_process *process)
{
    if (process->role == MPROC__ROLE_CHILD) {
        mproc__process_release(process);
    }
}

int mproc__process_borrow(mproc_process *process, mplat_handle *ret_sentinel)
{
    int rc = use(process);
    if (rc >= 0) {
        *ret_sentinel = process->child.sentinel;
    }
    return rc;
}

void mproc__process_return(mproc_process *process)
{
    unuse(process);
}

static bool has_ended(mproc_process *process)
{
    mproc__private_lock();
    bool result = process->has_ended;
    mproc__private_unlock();
    return result;
}

/** Fill in how it ended, by what the system says and by what the process itself has left. */
static void judge(mproc_process *process, uint64_t outcome, const mplat_exit *how, bool is_known)
{
    mproc_exit_report *report = &process->report;
    if (is_known) {
        *report = (mproc_exit_report){
            .exit_code = how->code,
            .core_dumped = (how->flags & MPLAT_EXIT_CORE) != 0,
            .out_of_memory = (how->flags & MPLAT_EXIT_OOM) != 0,
            .user_ns = how->user_ns,
            .system_ns = how->system_ns,
            .max_rss_bytes = how->max_rss_bytes,
        };
        report->signal = mplat_signal_of(how->code);
    } else if (outcome & MPROC__OUTCOME_LEFT) {
        // Somebody else collected the status, but the process had left one before it ended.
        report->exit_code = (int32_t)(outcome >> 32);
    }
    process->is_known = is_known || (outcome & MPROC__OUTCOME_LEFT) != 0;
    process->was_reached = (outcome & MPROC__OUTCOME_REACHED) != 0;
}

static void collect_member(mproc_process *process)
{
    mplat_exit how = {0};
    bool is_known = process->context->collect(process->member, &process->child, &how) >= 0;
    uint64_t outcome = mproc__member_outcome(process->member);
    judge(process, outcome, &how, is_known);
    const struct mproc__member_shm *slot = mproc__member_at(process->member);
    memcpy(process->story, slot->story, sizeof(slot->story));
    process->story[sizeof(process->story) - 1] = '\0';
    mproc__member_bury(process->member);
    mproc__member_free(process->member);
    mproc__member_sweep();
}

/** The sentinel has fired: find out how it ended, and give back what it held. */
static void collect(mproc_process *process)
{
    if (process->local != NULL) {
        mproc__local_collect(process);
    } else {
        collect_member(process);
    }
    mproc__private_lock();
    process->has_ended = true;
    mproc__private_unlock();
    mproc__children_remove(process);
    mproc_log(MPROC_LOG_INFO, "%s ended with exit code %d", process->name,
              (int)process->report.exit_code);
}

/** Sleep until its sentinel fires, with a note of that. */
static int await_sentinel(const mproc_process *process, mproc__deadline deadline)
{
    size_t unused;
    const struct mproc__member_shm *slot = mproc__member_at(process->member);
    if (deadline != 0 && slot != NULL) {
        mproc__note_begin(mproc__offset_of(slot) | MPROC__NOTE_MEMBER, deadline);
        mproc__note_show();
    }
    int rc = mplat_sentinel_wait(&process->child.sentinel, 1, deadline, &unused);
    mproc__note_end();
    return rc;
}

int mproc__process_await(mproc_process *process, mproc_timeout timeout)
{
    mproc__deadline deadline = mproc__deadline_in(timeout);
    while (!has_ended(process)) {
        int rc = await_sentinel(process, deadline);
        if (rc < 0) {
            return rc;
        }
        uint32_t expected = 0;
        if (mproc__cas32(&process->is_collecting, &expected, 1)) {
            if (!has_ended(process)) {
                collect(process);
            }
            mproc__store32_release(&process->is_collecting, 0);
        } else {
            apr_sleep(100); // it has ended, and another thread is about to know how
        }
    }
    return MPROC_OK;
}

int mproc_process_join(mproc_process *process, mproc_timeout timeout)
{
    int rc = use(process);
    if (rc < 0) {
        return rc;
    }
    if (process->role == MPROC__ROLE_PARENT) {
        return await_sentinel(process, mproc__deadline_in(timeout));
    }
    rc = mproc__process_await(process, timeout);
    if (rc >= 0 && !process->was_reached) {
        rc = mproc__fail(MPROC_ESTART, "%s ended before it reached its function: %s", process->name,
                         process->story[0] != '\0' ? process->story
                                                   : "it was killed, or its main() "
                                                     "does not call mproc_main()");
    }
    unuse(process);
    return rc;
}

int mproc_process_wait_any(mproc_process *const *processes, size_t count, mproc_timeout timeout,
                           size_t *ret_index)
{
    if (processes == NULL || count == 0 || ret_index == NULL) {
        return mproc__fail(MPROC_EINVAL, "there is no process to wait for");
    }
    mproc__deadline deadline = mproc__deadline_in(timeout);
    mplat_handle *sentinels = mproc__calloc(count, sizeof(*sentinels));
    if (sentinels == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory to wait for %zu processes", count);
    }
    int rc = MPROC_OK;
    size_t index = count;
    size_t used = 0;
    for (; used < count && rc >= 0; used++) {
        rc = use(processes[used]);
        if (rc >= 0) {
            sentinels[used] = processes[used]->child.sentinel;
            index = index == count && has_ended(processes[used]) ? used : index;
        }
    }
    used -= rc < 0 ? 1 : 0;
    if (rc >= 0 && index == count) {
        rc = mplat_sentinel_wait(sentinels, count, deadline, &index);
    }
    for (size_t i = 0; i < used; i++) {
        unuse(processes[i]);
    }
    mproc__free(sentinels);
    if (rc >= 0) {
        *ret_index = index;
    }
    return rc;
}

int mproc_process_is_alive(mproc_process *process)
{
    if (is_self(process)) {
        return 1;
    }
    int rc = use(process);
    if (rc < 0) {
        return rc;
    }
    size_t unused;
    rc = process->role == MPROC__ROLE_PARENT
             ? mplat_sentinel_wait(&process->child.sentinel, 1, 0, &unused)
             : mproc__process_await(process, MPROC_NOWAIT);
    unuse(process);
    return rc == MPROC_ETIMEDOUT ? 1 : rc < 0 ? rc : 0;
}

int mproc_process_exit_report(mproc_process *process, mproc_exit_report *ret_report)
{
    if (ret_report == NULL) {
        return mproc__fail(MPROC_EINVAL, "there is no place for the report");
    }
    int rc = use(process);
    if (rc < 0) {
        return rc;
    }
    if (process->role == MPROC__ROLE_PARENT) {
        return mproc__fail(MPROC_ESTATE, "only who started a process learns how it ended");
    }
    rc = mproc__process_await(process, MPROC_NOWAIT);
    if (rc == MPROC_ETIMEDOUT) {
        rc = mproc__fail(MPROC_ESTATE, "%s still runs", process->name);
    } else if (rc >= 0 && !process->is_known) {
        rc = mproc__fail(MPROC_EUNKNOWN, "the exit status of %s was collected by somebody else",
                         process->name);
    }
    if (rc >= 0) {
        *ret_report = process->report;
    }
    unuse(process);
    return rc;
}

int mproc_process_exit_code(mproc_process *process, int *ret_code)
{
    mproc_exit_report report = {0};
    if (ret_code == NULL) {
        return mproc__fail(MPROC_EINVAL, "there is no place for the exit code");
    }
    int rc = mproc_process_exit_report(process, &report);
    if (rc >= 0) {
        *ret_code = report.exit_code;
    }
    return rc;
}

const char *mproc_process_name(const mproc_process *process)
{
    return (process != NULL ? process : mproc_current_process())->name;
}

int64_t mproc_process_pid(const mproc_process *process)
{
    return process != NULL && process->role != MPROC__ROLE_SELF ? process->child.who.pid
                                                                : mplat_self().pid;
}

bool mproc_process_is_daemon(const mproc_process *process)
{
    return (process != NULL ? process : mproc_current_process())->is_daemon;
}

mproc_os_handle mproc_process_sentinel(const mproc_process *process)
{
    return process != NULL && process->role != MPROC__ROLE_SELF ? process->child.sentinel.os : -1;
}

int mproc_process_close(mproc_process *process)
{
    if (process == NULL || process->role != MPROC__ROLE_CHILD) {
        return MPROC_OK;
    }
    mproc__private_lock();
    bool is_foreign = process->is_foreign;
    mproc__private_unlock();
    int is_alive = is_foreign ? 0 : mproc_process_is_alive(process);
    if (is_alive > 0) {
        return mproc__fail(MPROC_ESTATE, "%s still runs: join it first", process->name);
    }
    if (is_alive < 0) {
        return is_alive;
    }
    mproc__process_release(process);
    return MPROC_OK;
}
