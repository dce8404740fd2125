/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpi.h: Open MPI, which has its processes started by a program of its own: see ../peers/mpi.c.
 */
#ifndef MPROC_BENCH_MPI_H
#define MPROC_BENCH_MPI_H

#include <stddef.h>
#include <stdint.h>

/* Where that is, in suites that use it; NULL: it was not there when this was built. */
#ifdef BENCH_MPI_PROGRAM
#define BENCH_MPI BENCH_MPI_PROGRAM
#else
#define BENCH_MPI NULL
#endif

struct bench_mpi_probe {
    const char *program;
    const char *request; /* as that has it; the slice's nanoseconds are appended */
    size_t n_figures;
};

/* A bench_run_fn. */
int bench_run_mpi(const void *arg, int64_t slice_ns, double *ret_values);
void bench_close_mpi(void);

#endif
