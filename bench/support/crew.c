/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew.c: see crew.h.
 */
#include "crew.h"

#include "bench.h"
#include "system.h"

#include <apr_atomic.h>
#include <apr_time.h>
#include <mproc/arena.h>
#include <mproc/error.h>
#include <mproc/value.h>

#include <string.h>

/* A member that is silent for so long hangs. */
enum { START_SECONDS = 30, JOIN_SECONDS = 30, POLL_US = 100 };

static mproc_block *block;

/* What a forked member finds in its own memory, whatever it is. */
static const struct bench_task *current;

/* ---- in a member ---- */

static void take_object(void **object, const mproc_value *value)
{
    if (value->type == MPROC_OBJECT) {
        *object = value->as.object;
    }
}

static int work(const mproc_args *args)
{
    mproc_block *shared;
    mproc_value first, second;
    size_t index, way, option;
    int role;
    int rc = MPROC_UNPACK(args, &shared, &index, &role, &way, &option, &first, &second);
    if (rc < 0) {
        return rc;
    }
    struct bench_task task = {.role = role, .way = way, .option = option};
    if (current) {
        task = *current;
    }
    take_object(&task.objects[0], &first);
    take_object(&task.objects[1], &second);
    return bench_roles[task.role](&task, index, mproc_block_data(shared)) == 0 ? 0 : 1;
}

void bench_await_start(struct bench_shared *shared)
{
    apr_atomic_inc32(&shared->ready);
    while (shared->go == 0) {
        apr_sleep(POLL_US);
    }
}

/* ---- in the benchmark ---- */

static int fail(const char *what, int rc)
{
    return bench_fail("%s: %s (%s)", what, mproc_strerror(rc), mproc_last_error());
}

static void kill_all(struct bench_crew *crew)
{
    for (size_t i = 0; i < crew->n; i++) {
        mproc_process_kill(crew->members[i]);
        (void)mproc_process_join(crew->members[i], mproc_seconds(JOIN_SECONDS));
        mproc_process_close(crew->members[i]);
    }
    crew->n = 0;
}

static mproc_value pass(const struct bench_task *task, size_t which)
{
    mproc_value value = MPROC_NIL_VALUE;
    if (task->is_object && task->objects[which]) {
        value.type = MPROC_OBJECT;
        value.as.object = task->objects[which];
    }
    return value;
}

static int start_member(struct bench_crew *crew, const struct bench_task *task)
{
    const int *processor = &task->processor[crew->n % 2];
    mproc_process_options options = {
        .context = mproc_get_context("fork"),
        .cpus = *processor >= 0 ? processor : NULL,
        .n_cpus = *processor >= 0 ? 1 : 0,
    };
    if (!options.context) {
        options.context = mproc_get_context("spawn");
    }
    int rc = mproc_process_start(&crew->members[crew->n], work,
                                 MPROC_ARGS(block, crew->n, task->role, task->way, task->option,
                                            pass(task, 0), pass(task, 1)),
                                 &options);
    crew->n += rc >= 0;
    return rc < 0 ? fail("a process of the crew", rc) : 0;
}

static int prepare_shared(struct bench_crew *crew)
{
    int rc = block ? 0 : mproc_block_create(&block, sizeof(struct bench_shared));
    if (rc < 0) {
        return fail("shared memory", rc);
    }
    crew->shared = mproc_block_data(block);
    memset(crew->shared, 0, sizeof *crew->shared);
    return 0;
}

int bench_crew_start(struct bench_crew *crew, const struct bench_task *task)
{
    crew->n = 0;
    int rc = prepare_shared(crew);
    current = task;
    while (rc == 0 && crew->n < task->n_processes) {
        rc = start_member(crew, task);
    }
    current = NULL;
    int64_t end = bench_now() + (int64_t)START_SECONDS * 1000000000;
    while (rc == 0 && apr_atomic_read32(&crew->shared->ready) < task->n_processes) {
        if (bench_now() > end) {
            rc = bench_fail("not all of %zu processes got ready", task->n_processes);
        }
        apr_sleep(POLL_US);
    }
    if (rc != 0) {
        kill_all(crew);
    }
    return rc;
}

int64_t bench_crew_go(const struct bench_crew *crew)
{
    int64_t now = bench_now();
    apr_atomic_set32(&crew->shared->go, 1);
    return now;
}

int64_t bench_crew_stop(const struct bench_crew *crew)
{
    apr_atomic_inc32(&crew->shared->stop);
    return bench_now();
}

void bench_crew_pause(int64_t span_ns)
{
    apr_sleep(span_ns / 1000);
}

int bench_crew_join(struct bench_crew *crew)
{
    for (size_t i = 0; i < crew->n; i++) {
        int code = -1;
        int rc = mproc_process_join(crew->members[i], mproc_seconds(JOIN_SECONDS));
        if (rc >= 0) {
            rc = mproc_process_exit_code(crew->members[i], &code);
        }
        if (rc < 0 || code != 0) {
            kill_all(crew);
            return rc < 0 ? fail("join", rc) : bench_fail("process %zu ended with %d", i, code);
        }
    }
    kill_all(crew);
    return 0;
}

int bench_crew_run(struct bench_crew *crew, const struct bench_task *task, int64_t slice_ns)
{
    int rc = bench_crew_start(crew, task);
    if (rc != 0) {
        return rc;
    }
    bench_crew_go(crew);
    apr_sleep(slice_ns / 1000);
    bench_crew_stop(crew);
    return bench_crew_join(crew);
}
