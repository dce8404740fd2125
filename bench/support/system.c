/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system.c: the clock, the program's own file, the machine; the only bench file with conditions on the system.
 *
 * apr_time_now() is the wall clock: it has microseconds, and it jumps.
 */
#include "system.h"

#include <stdio.h>

#ifdef _WIN32

#include <windows.h>

int64_t bench_now(void)
{
    static int64_t frequency;
    LARGE_INTEGER count;
    if (frequency == 0) {
        LARGE_INTEGER read;
        QueryPerformanceFrequency(&read);
        frequency = read.QuadPart;
    }
    QueryPerformanceCounter(&count);
    // Whole seconds apart: count * 1e9 would not fit after 15 minutes at 10 MHz.
    int64_t seconds = count.QuadPart / frequency;
    int64_t rest = count.QuadPart % frequency;
    return seconds * 1000000000 + rest * 1000000000 / frequency;
}

char *bench_self(void)
{
    static char path[MAX_PATH];
    DWORD length = GetModuleFileNameA(NULL, path, (DWORD)sizeof path);
    return length > 0 && length < sizeof path ? path : NULL;
}

void bench_describe_machine(char *text, size_t size)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    snprintf(text, size, "%lu processors", (unsigned long)info.dwNumberOfProcessors);
}

#else

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int64_t bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

char *bench_self(void)
{
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) {
        return NULL;
    }
    path[length] = '\0';
    return path;
}

void bench_describe_machine(char *text, size_t size)
{
    double load = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (getloadavg(&load, 1) == 1) {
        snprintf(text, size, "%ld processors, load %.1f before the run", processors, load);
    } else {
        snprintf(text, size, "%ld processors", processors);
    }
}

#endif
