/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local.c: the contexts "thread" and "inline": processes that are none. Python: multiprocessing.dummy.
 *
 * Why      A program chooses at run time, or for debugging, not to pay for processes. Arguments are
 *          copied as for a process, by the same code, so that what works here works there.
 * Threads  The handle is used by its thread until that has ended, and joined by who collects.
 */
#include "object/local.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"

#include <apr_allocator.h>
#include <apr_thread_proc.h>
#include <stdlib.h>
#include <string.h>

struct mproc__local {
    mproc_process_fn function;
    mproc__hold start; /* this process's */
    mproc_process *outer;
    apr_allocator_t *allocator; // the pool's own, and ended with it
    apr_pool_t *pool;
    apr_thread_t *thread;
    int code;
    bool was_reached;
};

/** Whose function the calling thread runs; NULL: this process's own. */
static MPROC__THREAD_LOCAL mproc_process *here;

mproc_process *mproc__local_here(void)
{
    return here;
}

bool mproc__local_is_here(const mproc_process *process)
{
    const mproc_process *p = here;
    while (p != NULL && p != process) {
        p = p->local->outer;
    }
    return p != NULL;
}

void mproc__local_forget(void)
{
    here = NULL;
}

/** A thread of its own may have processors of its own. */
static int choose_processors(const struct mproc__start_shm *start)
{
    const char *base = (const char *)start;
    return start->n_cpus > 0
               ? mplat_thread_pin((const int *)(const void *)(base + start->cpus_at), start->n_cpus)
               : MPROC_OK;
}

/** On whichever thread it is to run: from the start block to the raised sentinel. */
static void run(mproc_process *process)
{
    struct mproc__local *local = process->local;
    mproc_value args = {0};
    local->outer = here;
    here = process;
    int rc = mproc__family_enter();
    bool is_member = rc >= 0;
    rc = rc < 0 ? rc : choose_processors(mproc__block_at(local->start.offset));
    if (rc >= 0) {
        rc = mproc__start_args(mproc__block_at(local->start.offset), &args);
    }
    if (rc >= 0) {
        mproc__block_empty(local->start.offset); // what it held has handles now
        const mproc_args list = {.count = args.as.list.count, .items = args.as.list.items};
        local->was_reached = true;
        local->code = mproc__exit_code(local->function(&list));
        mproc_value_clear(&args);
    } else {
        local->code = EXIT_FAILURE;
        mproc__copy_string(process->story, sizeof(process->story), mproc_last_error());
    }
    here = local->outer;
    if (mplat_pid() != process->child.who.pid) {
        // The function has called fork(), and this is the copy: nothing here is its own.
        process->child.sentinel = MPLAT_NO_HANDLE;
        process->is_foreign = true;
        process->has_ended = true;
        return;
    }
    if (is_member) {
        mproc__block_release(local->start);
        local->start.offset = 0;
    }
    mplat_signal_raise(process->child.sentinel);
}

static void *APR_THREAD_FUNC run_thread(apr_thread_t *thread, void *arg)
{
    run(arg);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static int launch_thread(mproc_process *process)
{
    struct mproc__local *local = process->local;
    // Its own allocator: the lock of APR's common one may be held when another thread forks. Its
    // address is kept where a leak checker sees it: APR's pools are in memory of mmap().
    apr_status_t status = apr_allocator_create(&local->allocator);
    if (status == APR_SUCCESS) {
        status = apr_pool_create_unmanaged_ex(&local->pool, NULL, local->allocator);
    }
    if (status == APR_SUCCESS) {
        apr_allocator_owner_set(local->allocator, local->pool);
        status = apr_thread_create(&local->thread, NULL, run_thread, process, local->pool);
    }
    return status == APR_SUCCESS
               ? MPROC_OK
               : mproc__fail(MPROC_ENPROC, "%s: no thread can be started", process->name);
}

static int launch_inline(mproc_process *process)
{
    run(process);
    return MPROC_OK;
}

const mproc_context mproc__context_thread = {.name = "thread", .run = launch_thread};
const mproc_context mproc__context_inline = {
    .name = "inline", .run = launch_inline, .is_inline = true};

int mproc__local_check(const mproc_context *context, const mproc_process_options *options)
{
    bool is_plain = options->stdin_path == NULL && options->stdout_path == NULL &&
                    options->stderr_path == NULL && options->cwd == NULL && options->env == NULL &&
                    options->nice == 0 && !options->set_umask && !options->set_user;
    if (!is_plain || (context->is_inline && options->n_cpus > 0)) {
        return mproc__fail(MPROC_ENOTSUP, "the contexts \"thread\" and \"inline\" run in this "
                                          "process: streams, directory, environment, "
                                          "priority, user and a caller's processors are its own");
    }
    return MPROC_OK;
}

int mproc__local_prepare(mproc_process *process, const mproc__start_info *info)
{
    struct mproc__local *local = mproc__calloc(1, sizeof(*local));
    if (local == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for %s", process->name);
    }
    process->local = local;
    process->child.who = mplat_self();
    local->function = (mproc_process_fn)info->function;
    int rc = mproc__start_pack(info, &local->start);
    if (rc >= 0) {
        rc = mplat_signal_make(&process->child.sentinel);
    }
    return rc;
}

void mproc__local_collect(mproc_process *process)
{
    struct mproc__local *local = process->local;
    if (local->thread != NULL) {
        apr_status_t unused;
        (void)apr_thread_join(&unused, local->thread); // it is past all but its last instructions
        local->thread = NULL;
    }
    if (local->start.offset != 0) {
        mproc__block_release(local->start);
        local->start.offset = 0;
    }
    process->report = (mproc_exit_report){.exit_code = local->code};
    process->is_known = true;
    process->was_reached = local->was_reached;
}

void mproc__local_free(mproc_process *process)
{
    if (process->local == NULL) {
        return;
    }
    if (process->local->start.offset != 0 && !process->is_foreign) {
        mproc__block_release(process->local->start); // it was never run
    }
    if (process->local->pool != NULL) {
        apr_pool_destroy(process->local->pool);
    } else if (process->local->allocator != NULL) {
        apr_allocator_destroy(process->local->allocator);
    }
    mproc__free(process->local);
    process->local = NULL;
}
