/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpi.c: see mpi.h.
 */
#include "mpi.h"

#include "bench.h"
#include "host.h"

#include <inttypes.h>
#include <stdio.h>

static bench_host *host;

int bench_run_mpi(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct bench_mpi_probe *probe = arg;
    const char *argv[] = {probe->program, NULL};
    int rc = host ? 0 : bench_host_open(&host, argv);
    if (rc != 0) {
        return rc;
    }
    char request[100];
    snprintf(request, sizeof request, "%s %" PRId64, probe->request, slice_ns);
    return bench_host_ask(host, request, ret_values, probe->n_figures);
}

void bench_close_mpi(void)
{
    bench_host_close(host);
    host = NULL;
}
