/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_win32.c: processors and processor time of processes; see system.h.
 */
#include "system.h"

#include <windows.h>

int bench_processors(int ret_processors[2])
{
    DWORD_PTR ours, all;
    int n = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &ours, &all)) {
        return 0;
    }
    for (int i = 0; n < 2 && i < (int)sizeof ours * 8; i++) {
        if ((ours >> i) & 1) {
            ret_processors[n++] = i;
        }
    }
    return n;
}

void bench_run_on(void)
{
    SetThreadPriorityBoost(GetCurrentThread(), TRUE); // TRUE: who is woken is not preferred
}

int64_t bench_sleeps(void)
{
    return -1;
}

static int64_t nanoseconds(FILETIME time)
{
    return ((int64_t)time.dwHighDateTime << 32 | time.dwLowDateTime) * 100;
}

int64_t bench_cpu_time(int64_t pid)
{
    FILETIME created, ended, kernel, user;
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);
    if (!process) {
        return -1;
    }
    BOOL is_known = GetProcessTimes(process, &created, &ended, &kernel, &user);
    CloseHandle(process);
    return is_known ? nanoseconds(kernel) + nanoseconds(user) : -1;
}

const char *const bench_python_program = "python";
