/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs.h: a start_probe and the process it is run in.
 */
#ifndef MPROC_BENCH_START_JOBS_H
#define MPROC_BENCH_START_JOBS_H

#include "start.h"

#define START_LARGE_HEAP_BYTES ((size_t)1 << 30)

/* The argument that makes this program a host; the bytes of heap to touch follow. */
#define START_HOST_FLAG "--host"

/* The parent of the children. */
enum start_place {
    START_HERE,  /* this process: small, and warm after the first round */
    START_LARGE, /* a host that has touched START_LARGE_HEAP_BYTES of heap */
    START_FRESH  /* a new host each time, which has not started anything yet */
};

struct start_job {
    struct start_probe probe;
    enum start_place place;
    const char *python_method; /* then Python does it, and probe.way is NULL */
};

/* Run a job; a bench_run_fn, arg being a start_job. */
int start_run_job(const void *arg, int64_t slice_ns, double *ret_values);

/* End the hosts. */
void start_close_hosts(void);

/* main() of a host. */
int start_host_main(const char *heap_bytes);

#endif
