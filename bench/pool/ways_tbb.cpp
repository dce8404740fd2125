// SPDX-License-Identifier: Apache-2.0
// ways_tbb.cpp: oneTBB's task_group on two threads, of which the one that submits is one.
#include "pool.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>

namespace {

oneapi::tbb::task_group *group;

int with_group(const pool_way *, int (*measure)(void *arg), void *arg)
{
    oneapi::tbb::global_control two(oneapi::tbb::global_control::max_allowed_parallelism,
                                    POOL_WORKERS);
    oneapi::tbb::task_group mine;
    group = &mine;
    int rc = pool_crowd_open();
    if (rc == 0) {
        rc = measure(arg);
        pool_crowd_close();
    }
    return rc;
}

int run_group(const pool_way *, const pool_batch *batch)
{
    pool_crowd_begin(batch);
    for (size_t i = 0; i < batch->count; i++) {
        group->run([i] { pool_crowd_do(i); });
    }
    group->wait();
    pool_crowd_await();
    return 0;
}

} // namespace

extern "C" const pool_way pool_tbb_ways[] = {
    {"oneTBB task_group", POOL_SUBMIT | POOL_MAP | POOL_MAP_ONE | POOL_ONE | POOL_PAYLOAD, 0,
     with_group, run_group},
    {},
};
