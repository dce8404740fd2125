/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.c: what a pool and its workers have done, by what they note anyway.
 */
#include "base/status.h"
#include "family/family.h"
#include "service/tasks.h"

static int64_t load_ns(const int64_t *ns)
{
    return (int64_t)mproc__load64_relaxed((const uint64_t *)ns);
}

static void look_at(const struct mproc__worker_shm *worker, int64_t now, mproc_worker_stats *stats)
{
    bool is_there = mproc__load32_acquire(&worker->life) >= MPROC__WORKER_READY;
    bool is_idle = mproc__load32_acquire(&worker->is_idle) != 0;
    int64_t since = load_ns(&worker->since_ns);
    int64_t lately = is_there && since != 0 && now > since ? now - since : 0;
    *stats = (mproc_worker_stats){
        .pid = is_there ? (int64_t)mproc__load64_relaxed(&worker->pid) : 0,
        .n_tasks = mproc__load64_relaxed(&worker->n_done),
        .busy_ns = load_ns(&worker->busy_ns) + (is_idle ? 0 : lately),
        .wait_ns = load_ns(&worker->wait_ns) + (is_idle ? lately : 0),
        .n_restarts = mproc__load64_relaxed(&worker->restarts),
        .peak_bytes = mproc__load64_relaxed(&worker->peak_bytes),
        .is_busy = is_there && !is_idle,
    };
}

int mproc_pool_get_stats(const mproc_pool *pool, mproc_pool_stats *ret_stats,
                         mproc_worker_stats *ret_workers, size_t count)
{
    if (pool == NULL || ret_stats == NULL || (ret_workers == NULL && count > 0)) {
        return mproc__fail(MPROC_EINVAL, "get_stats: there is no pool, or no place for its stats");
    }
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    mproc__tasks tasks;
    mproc__tasks_open(&tasks, pool->object.offset);
    int64_t now = mplat_now();
    *ret_stats = (mproc_pool_stats){.n_workers = tasks.shm->n_workers};
    for (uint32_t i = 0; i < tasks.shm->n_workers; i++) {
        mproc_worker_stats worker;
        look_at(&tasks.workers[i], now, &worker);
        ret_stats->n_tasks += worker.n_tasks;
        ret_stats->n_restarts += worker.n_restarts;
        ret_stats->busy_ns += worker.busy_ns;
        ret_stats->wait_ns += worker.wait_ns;
        ret_stats->n_busy += worker.is_busy ? 1 : 0;
        if (i < count) {
            ret_workers[i] = worker;
        }
    }
    ret_stats->n_waiting = mproc__lanes_count(&tasks);
    return MPROC_OK;
}
