/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system.h: what a benchmark needs of the system that APR does not give.
 *
 * Benchmarks link the public library only, so they have a clock of their own.
 */
#ifndef MPROC_BENCH_SYSTEM_H
#define MPROC_BENCH_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

/* Monotonic time in nanoseconds, the same for all processes. */
int64_t bench_now(void);

/* The file of the running program, to start it again; NULL when the system does not tell. */
char *bench_self(void);

/* How many processors there are, and how busy they are already, in words. */
void bench_describe_machine(char *text, size_t size);

#endif
