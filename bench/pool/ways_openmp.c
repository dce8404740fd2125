/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_openmp.c: OpenMP in a team of two, of which the thread that submits is one.
 */
#include "pool.h"

#include "../../examples/files.h"

static int with_team(const struct pool_way *way, int (*measure)(void *arg), void *arg)
{
    (void)way;
    int rc = pool_crowd_open();
    if (rc != 0) {
        return rc;
    }
#pragma omp parallel num_threads(POOL_WORKERS)
#pragma omp single
    rc = measure(arg);
    pool_crowd_close();
    return rc;
}

static int run_tasks(const struct pool_way *way, const struct pool_batch *batch)
{
    (void)way;
    pool_crowd_begin(batch);
    for (size_t i = 0; i < batch->count; i++) {
#pragma omp task firstprivate(i)
        pool_crowd_do(i);
    }
#pragma omp taskwait
    pool_crowd_await();
    return 0;
}

/* It makes its team itself. */
static int with_nothing(const struct pool_way *way, int (*measure)(void *arg), void *arg)
{
    (void)way;
    return measure(arg);
}

static int run_loop(const struct pool_way *way, const struct pool_batch *batch)
{
    (void)way;
#pragma omp parallel for num_threads(POOL_WORKERS)
    for (size_t i = 0; i < batch->count; i++) {
        pool_run_task(batch, i);
    }
    return 0;
}

int pool_files_openmp(const struct file_list *list, struct file_summary *ret_total)
{
    struct file_summary total = {0};
#pragma omp parallel num_threads(POOL_WORKERS)
    {
        struct file_summary mine = {0};
#pragma omp for schedule(dynamic) nowait
        for (size_t i = 0; i < list->count; i++) {
            struct file_summary one;
            file_summarize(list->paths[i], &one);
            file_summary_add(&mine, &one);
        }
#pragma omp critical
        file_summary_add(&total, &mine);
    }
    *ret_total = total;
    return 0;
}

const struct pool_way pool_openmp_ways[] = {
    {"OpenMP tasks", POOL_SUBMIT | POOL_MAP | POOL_MAP_ONE | POOL_ARRAY | POOL_ONE | POOL_PAYLOAD,
     0, with_team, run_tasks},
    {"OpenMP for", POOL_ARRAY, 0, with_nothing, run_loop},
    {0},
};
