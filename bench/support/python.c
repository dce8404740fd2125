/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python.c: see python.h.
 */
#include "python.h"

#include "bench.h"
#include "host.h"
#include "system.h"

#include <inttypes.h>
#include <stdio.h>

static bench_host *host;

int bench_run_python(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct bench_python_probe *probe = arg;
    const char *argv[] = {bench_python_program, probe->script, NULL};
    int rc = host ? 0 : bench_host_open(&host, argv);
    if (rc != 0) {
        return rc;
    }
    char request[400];
    snprintf(request, sizeof request, "%s %" PRId64, probe->request, slice_ns);
    rc = bench_host_ask(host, request, ret_values, probe->n_figures);
    if (rc == BENCH_FAILED) {
        bench_close_python(); // it may hang or have crashed; the next probe gets another
    }
    return rc;
}

void bench_close_python(void)
{
    bench_host_close(host);
    host = NULL;
}
