/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpi_host.c: Open MPI, which has its processes started by a program of its own: see ../peers/mpi.c.
 */
#include "channel.h"

#include "../support/bench.h"
#include "../support/host.h"

#include <inttypes.h>
#include <stdio.h>

static bench_host *host;

int channel_run_mpi(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct channel_mpi_probe *probe = arg;
    const char *argv[] = {BENCH_MPI_PROGRAM, NULL};
    int rc = host ? 0 : bench_host_open(&host, argv);
    if (rc != 0) {
        return rc;
    }
    char request[100];
    snprintf(request, sizeof request, "%s %zu %" PRId64, probe->verb, probe->size, slice_ns);
    return bench_host_ask(host, request, ret_values, probe->n_figures);
}

void channel_close_mpi(void)
{
    bench_host_close(host);
    host = NULL;
}
