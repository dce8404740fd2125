/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python.h: Python's multiprocessing, in a host that lives over all rounds. One script for each suite.
 */
#ifndef MPROC_BENCH_PYTHON_H
#define MPROC_BENCH_PYTHON_H

#include <stddef.h>
#include <stdint.h>

struct bench_python_probe {
    const char *script;  /* the path of the file */
    const char *request; /* as the script has it; the slice's nanoseconds are appended */
    size_t n_figures;
};

/* A bench_run_fn. */
int bench_run_python(const void *arg, int64_t slice_ns, double *ret_values);
void bench_close_python(void);

#endif
