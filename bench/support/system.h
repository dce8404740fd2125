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

/* ---- process_posix.c and process_win32.c ---- */

/* Two processors that this process may run on. How many it found: 0, 1 or 2. */
int bench_processors(int ret_processors[2]);
/* Have this process run on when it wakes another one, as far as the system can be asked for that. */
void bench_run_on(void);
/* How often this process has given up its processor in order to wait; -1: not known. */
int64_t bench_sleeps(void);
/* Processor time used so far by all threads of a process, in nanoseconds; -1: not known. */
int64_t bench_cpu_time(int64_t pid);
extern const char *const bench_python_program;

#endif
