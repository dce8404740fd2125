/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python.c: Python's multiprocessing, in a host that lives over all rounds.
 */
#include "sync.h"

#include "../support/bench.h"
#include "../support/host.h"

#include <inttypes.h>
#include <stdio.h>

#ifndef BENCH_SOURCE_DIR
#define BENCH_SOURCE_DIR "."
#endif

static bench_host *host;

int sync_run_python(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct sync_python_probe *probe = arg;
    const char *argv[] = {sync_python_program, BENCH_SOURCE_DIR "/peers/sync.py", NULL};
    int rc = host ? 0 : bench_host_open(&host, argv);
    if (rc != 0) {
        return rc;
    }
    char request[100];
    snprintf(request, sizeof request, "%s %" PRId64, probe->request, slice_ns);
    rc = bench_host_ask(host, request, ret_values, probe->n_figures);
    if (rc == BENCH_FAILED) {
        sync_close_python(); // it may hang or have crashed; the next probe gets another
    }
    return rc;
}

void sync_close_python(void)
{
    bench_host_close(host);
    host = NULL;
}
