/* SPDX-License-Identifier: Apache-2.0 */
/*
 * barriers.c: rounds of several processes that meet at a barrier.
 */
#include "sync.h"

#include "../support/bench.h"
#include "../support/system.h"

const struct sync_barrier_way *sync_barrier_way(size_t number)
{
    const struct sync_barrier_way *const lists[] = {sync_mproc_barriers, sync_system_barriers};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct sync_barrier_way *way = lists[i]; way->subject; way++) {
            if (number-- == 0) {
                return way;
            }
        }
    }
    return NULL;
}

/*
 * The first one says which round is the last: the one after the next, for some may look before the
 * next one, and some after it.
 */
int sync_meet(const struct bench_task *task, size_t index, struct bench_shared *shared)
{
    const struct sync_barrier_way *way = sync_barrier_way(task->way);
    bench_await_start(shared);
    int rc = way->wait(task->objects[0]);
    uint32_t round = 0;
    int64_t begin = bench_now();
    while (rc == 0 && (shared->last == 0 || round < shared->last)) {
        if (index == 0 && shared->last == 0 && shared->stop != 0) {
            shared->last = round + 2;
        }
        rc = way->wait(task->objects[0]);
        round++;
    }
    shared->results[index].value = (double)(bench_now() - begin) / 1e3 / (double)round;
    return rc;
}

int sync_run_barrier(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct sync_barrier_probe *probe = arg;
    const struct sync_barrier_way *way = sync_barrier_way(probe->way);
    struct bench_crew crew;
    struct bench_task task = {
        .role = SYNC_MEET,
        .way = probe->way,
        .n_processes = probe->n_processes,
        .processor = {-1, -1},
        .is_object = way->is_object,
    };
    int rc = way->open(way, (unsigned)probe->n_processes, &task.objects[0]);
    if (rc != 0) {
        return rc;
    }
    rc = bench_crew_run(&crew, &task, slice_ns);
    way->close(task.objects[0]);
    if (rc == 0) {
        ret_values[0] = crew.shared->results[0].value;
    }
    return rc;
}
