/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_win32.c: what Windows knows of processors and their time. It has nothing to wait on between
 * processes that a child would find without a name, so mproc and Python stand alone there.
 */
#include "sync.h"

#include <windows.h>

const struct sync_lock_way sync_system_locks[] = {{0}};
const struct sync_pair_way sync_system_pairs[] = {{0}};
const struct sync_barrier_way sync_system_barriers[] = {{0}};

int sync_processors(int ret_processors[2])
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

void sync_run_on(void)
{
    SetThreadPriorityBoost(GetCurrentThread(), TRUE); // TRUE: who is woken is not preferred
}

int64_t sync_sleeps(void)
{
    return -1;
}

static int64_t nanoseconds(FILETIME time)
{
    return ((int64_t)time.dwHighDateTime << 32 | time.dwLowDateTime) * 100;
}

int64_t sync_cpu_time(int64_t pid)
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

const char *const sync_python_program = "python";
