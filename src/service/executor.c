/* SPDX-License-Identifier: Apache-2.0 */
/*
 * executor.c: workers that are processes, or threads of the context "thread": either way a mproc_process.
 */
#include "service/executor.h"

#include "base/status.h"
#include "family/family.h"
#include "object/process.h"
#include "service/pool.h"

#include <stdio.h>
#include <stdlib.h>

static int start(const mproc__worker_plan *plan, void **ret_worker)
{
    const mproc_process_options options = {
        .name = plan->name,
        .context = plan->context,
        .is_daemon = true,
        // As in Python, whose Pool forks from a thread of its own, too.
        .fork_with_threads = plan->is_replacement,
        .cpus = plan->cpus,
        .n_cpus = plan->n_cpus,
    };
    mproc_process *process = NULL;
    int rc = mproc_process_start(&process, mproc__worker_run, plan->args, &options);
    if (rc >= 0) {
        *ret_worker = process;
    }
    return rc;
}

static mplat_handle sentinel_of(const void *worker)
{
    return (mplat_handle){mproc_process_sentinel(worker)};
}

static mproc__member_id member_of_process(const void *worker)
{
    return ((const mproc_process *)worker)->member;
}

static mproc__member_id member_of_thread(const void *worker)
{
    (void)worker;
    return mproc__self_id();
}

static int64_t pid_of(const void *worker)
{
    return mproc_process_pid(worker);
}

static void kill_process(void *worker)
{
    (void)mproc_process_kill(worker);
}

static void collect(void *worker, mproc__ending *ret_ending)
{
    mproc_process *process = worker;
    mproc_exit_report report = {.exit_code = EXIT_FAILURE};
    *ret_ending = (mproc__ending){.pid = mproc_process_pid(process)};
    if (mproc_process_join(process, MPROC_FOREVER) < 0) {
        (void)snprintf(ret_ending->story, sizeof(ret_ending->story), "%s", mproc_last_error());
    }
    (void)mproc_process_exit_report(process, &report);
    ret_ending->code = report.exit_code;
    ret_ending->is_oom = report.out_of_memory;
    ret_ending->peak_bytes = (uint64_t)report.max_rss_bytes;
    (void)mproc_process_close(process);
}

static const mproc__executor processes = {
    .start = start,
    .sentinel = sentinel_of,
    .member = member_of_process,
    .pid = pid_of,
    .kill = kill_process,
    .collect = collect,
};

static const mproc__executor threads = {
    .is_local = true,
    .start = start,
    .sentinel = sentinel_of,
    .member = member_of_thread,
    .pid = pid_of,
    .collect = collect,
};

const mproc__executor *mproc__executor_of(const mproc_context *context)
{
    if (context->run == NULL) {
        return &processes;
    }
    if (!context->is_inline) {
        return &threads;
    }
    (void)mproc__fail(MPROC_ENOTSUP, "a pool's workers cannot be \"inline\": they run beside it");
    return NULL;
}
