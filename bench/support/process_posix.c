/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_posix.c: processors, sleeps and processor time of processes; see system.h.
 */
#include "system.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>

int bench_processors(int ret_processors[2])
{
    int n = 0;
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 0;
    }
    for (int i = 0; n < 2 && i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &set)) {
            ret_processors[n++] = i;
        }
    }
#else
    (void)ret_processors;
#endif
    return n;
}

void bench_run_on(void)
{
#ifdef SCHED_BATCH
    // Who is woken does not displace who has woken him; that one goes on, until it sleeps itself.
    const struct sched_param none = {0};
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
#endif
}

int64_t bench_sleeps(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nvcsw : -1;
}

int64_t bench_cpu_time(int64_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid((pid_t)pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return -1;
    }
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

const char *const bench_python_program = "python3";
