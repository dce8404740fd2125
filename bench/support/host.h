/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h: a second process that runs probes on request.
 *
 * For what must not be measured in the benchmark's own process: a parent with a large heap, a
 * process that has started nothing yet, another language. It lives over all rounds, so its probes
 * are interleaved with the others. When it is ready it writes the line "ready"; from then on it
 * reads one request a line from its standard input and writes one answer a line:
 *
 *     ok VALUE...     the figures, all of them
 *     skip REASON     it cannot be done here
 *     fail REASON
 */
#ifndef MPROC_BENCH_HOST_H
#define MPROC_BENCH_HOST_H

#include <stddef.h>

typedef struct bench_host bench_host;

/*
 * Start a host.
 *
 * argv  the program (looked up as the shell does) and its arguments; ends with NULL
 * returns 0 when it is ready, or BENCH_SKIPPED: it cannot be started
 */
int bench_host_open(bench_host **ret_host, const char *const *argv);

/* Have a host run a request. Returns what a bench_run_fn returns. */
int bench_host_ask(bench_host *host, const char *request, double *ret_values, size_t n_values);

/* End a host and wait for it; NULL is fine. */
void bench_host_close(bench_host *host);

/* Run a request in the host's process; like bench_run_fn. */
typedef int (*bench_answer_fn)(const char *request, double *ret_values, size_t *ret_count);

/* In the host: answer requests until there are no more. Returns main's status. */
int bench_host_serve(bench_answer_fn answer);

#endif
