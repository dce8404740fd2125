/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system.c: facts, time, the system's errors, processors, and the end of threads.
 */
#include "base/compiler.h"
#include "base/status.h"
#include "platform.h"
#include "win32/win32.h"

#include <windows.h>

#include <limits.h>
#include <stdio.h>

#define GIB ((uint64_t)1 << 30)
#define NS_PER_S 1000000000

static INIT_ONCE initialized = INIT_ONCE_STATIC_INIT;
static mplat_facts facts;
static int64_t ticks_per_s;
static DWORD thread_end = FLS_OUT_OF_INDEXES;
static BOOLEAN(WINAPI *is_shutting_down)(void); // the system's; no header declares it

/* ---- facts ----------------------------------------------------------------------------------- */

/*
 * The greatest power of two within what the system could ever commit, memory and paging file: more
 * could not be used. It has a price even unused: a page table entry of 8 bytes for each page of a
 * section, and time to map it (Wine: about 0.2 ms for each GiB), hence the limit above.
 */
static uint64_t choose_reserve(void)
{
    if (sizeof(void *) < 8) {
        return GIB / 4;
    }
    MEMORYSTATUSEX memory = {.dwLength = sizeof(memory)};
    uint64_t limit = GlobalMemoryStatusEx(&memory) ? memory.ullTotalPageFile : 0;
    uint64_t reserve = GIB;
    while (reserve < 64 * GIB && reserve * 2 <= limit) {
        reserve *= 2;
    }
    return reserve;
}

/*
 * The system calls this when a thread ends, and also for the one that ends the process. Then the
 * other threads are gone, with whatever locks they held: nothing that could want one may run.
 */
static void WINAPI call_thread_hook(void *value)
{
    bool is_last = is_shutting_down != NULL && is_shutting_down();
    if (value != NULL && !is_last) {
        ((void (*)(void))(uintptr_t)value)();
    }
}

static BOOL CALLBACK initialize(PINIT_ONCE once, PVOID parameter, PVOID *context)
{
    (void)once;
    (void)parameter;
    (void)context;
    LARGE_INTEGER frequency;
    (void)QueryPerformanceFrequency(&frequency); // does not fail since Windows XP
    ticks_per_s = frequency.QuadPart;

    SYSTEM_INFO system;
    GetSystemInfo(&system);
    facts.page_bytes = system.dwPageSize;
    facts.reserve_bytes = choose_reserve();
    facts.is_smp = system.dwNumberOfProcessors > 1;

    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    if (ntdll != NULL) {
        is_shutting_down = (BOOLEAN(WINAPI *)(void))(void (*)(void))GetProcAddress(
            ntdll, "RtlDllShutdownInProgress");
    }
    thread_end = FlsAlloc(call_thread_hook);
    // The system will call into this module whenever a thread ends: it must not be unloaded.
    HMODULE self;
    return thread_end != FLS_OUT_OF_INDEXES &&
           GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                                  GET_MODULE_HANDLE_EX_FLAG_PIN,
                              (const wchar_t *)(const void *)&facts, &self);
}

int mplat_init(void)
{
    if (!InitOnceExecuteOnce(&initialized, initialize, NULL, NULL)) {
        return mproc__fail_os((int)GetLastError(), "preparing the process");
    }
    return 0;
}

const mplat_facts *mplat_get_facts(void)
{
    return &facts;
}

/* ---- time ------------------------------------------------------------------------------------ */

int64_t mplat_now(void)
{
    LARGE_INTEGER ticks;
    (void)QueryPerformanceCounter(&ticks);
    // In two parts: ticks times a thousand million does not fit 64 bits after fifteen minutes.
    return ticks.QuadPart / ticks_per_s * NS_PER_S +
           ticks.QuadPart % ticks_per_s * NS_PER_S / ticks_per_s;
}

uint32_t mproc__win_milliseconds(int64_t deadline)
{
    if (deadline == INT64_MAX) {
        return INFINITE;
    }
    int64_t now = deadline > 0 ? mplat_now() : 0;
    if (deadline <= now) {
        return 0;
    }
    int64_t milliseconds = (deadline - now - 1) / 1000000 + 1;
    return milliseconds < INT_MAX ? (uint32_t)milliseconds : INT_MAX;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static int status_of(DWORD error)
{
    static const struct {
        DWORD error;
        int status;
    } table[] = {
        {ERROR_FILE_NOT_FOUND, MPROC_ENOENT},
        {ERROR_PATH_NOT_FOUND, MPROC_ENOENT},
        {ERROR_INVALID_DRIVE, MPROC_ENOENT},
        {ERROR_BAD_NETPATH, MPROC_ENOENT},
        {ERROR_BAD_PATHNAME, MPROC_ENOENT},
        {ERROR_INVALID_NAME, MPROC_ENOENT},
        {ERROR_DIRECTORY, MPROC_ENOENT},
        {ERROR_MOD_NOT_FOUND, MPROC_ENOENT},
        {ERROR_PROC_NOT_FOUND, MPROC_ENOENT},
        {ERROR_ACCESS_DENIED, MPROC_EACCES},
        {ERROR_PRIVILEGE_NOT_HELD, MPROC_EACCES},
        {ERROR_SHARING_VIOLATION, MPROC_EACCES},
        {ERROR_WRITE_PROTECT, MPROC_EACCES},
        {ERROR_NOT_ENOUGH_MEMORY, MPROC_ENOMEM},
        {ERROR_OUTOFMEMORY, MPROC_ENOMEM},
        {ERROR_COMMITMENT_LIMIT, MPROC_ENOMEM},
        {ERROR_COMMITMENT_MINIMUM, MPROC_ENOMEM},
        {ERROR_NO_SYSTEM_RESOURCES, MPROC_ENOMEM},
        {ERROR_NONPAGED_SYSTEM_RESOURCES, MPROC_ENOMEM},
        {ERROR_PAGED_SYSTEM_RESOURCES, MPROC_ENOMEM},
        {ERROR_WORKING_SET_QUOTA, MPROC_ENOMEM},
        {ERROR_PAGEFILE_QUOTA, MPROC_ENOMEM},
        {ERROR_TOO_MANY_OPEN_FILES, MPROC_EMFILE},
        {ERROR_NO_MORE_USER_HANDLES, MPROC_EMFILE},
        {ERROR_NO_PROC_SLOTS, MPROC_ENPROC},
        {ERROR_MAX_THRDS_REACHED, MPROC_ENPROC},
        {ERROR_NOT_ENOUGH_QUOTA, MPROC_ENPROC}, // what a job's limit of processes gives
        {ERROR_BAD_EXE_FORMAT, MPROC_ENOEXEC},
        {ERROR_BAD_FORMAT, MPROC_ENOEXEC},
        {ERROR_EXE_MACHINE_TYPE_MISMATCH, MPROC_ENOEXEC},
        {ERROR_INVALID_PARAMETER, MPROC_EINVAL},
        {ERROR_INVALID_HANDLE, MPROC_EINVAL},
        {ERROR_NOT_SUPPORTED, MPROC_ENOTSUP},
        {ERROR_CALL_NOT_IMPLEMENTED, MPROC_ENOTSUP},
        {ERROR_INVALID_FUNCTION, MPROC_ENOTSUP},
        {ERROR_DISK_FULL, MPROC_ENOSPC},
        {ERROR_HANDLE_DISK_FULL, MPROC_ENOSPC},
        {ERROR_BROKEN_PIPE, MPROC_EPEER},
        {ERROR_NO_DATA, MPROC_EPEER},
        {ERROR_PIPE_NOT_CONNECTED, MPROC_EPEER},
        {ERROR_ALREADY_EXISTS, MPROC_EEXIST},
        {ERROR_TIMEOUT, MPROC_ETIMEDOUT},
        {WAIT_TIMEOUT, MPROC_ETIMEDOUT},
    };
    for (size_t i = 0; i < MPROC__COUNT(table); i++) {
        if (table[i].error == error) {
            return table[i].status;
        }
    }
    return MPROC_ESYSTEM;
}

int mplat_error(int os_error, char *text, size_t size)
{
    wchar_t wide[256];
    DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS |
                                      FORMAT_MESSAGE_MAX_WIDTH_MASK,
                                  NULL, (DWORD)os_error, 0, wide, MPROC__COUNT(wide), NULL);
    while (length > 0 && (wide[length - 1] <= L' ' || wide[length - 1] == L'.')) {
        length--;
    }
    // Shortened by whole characters until it fits: the caller's buffer is small.
    int bytes = 0;
    while (length > 0 && bytes == 0 && size > 1) {
        bytes = WideCharToMultiByte(CP_UTF8, 0, wide, (int)length, text,
                                    size - 1 < INT_MAX ? (int)(size - 1) : INT_MAX, NULL, NULL);
        length--;
    }
    if (size > 0) {
        text[bytes] = '\0';
    }
    if (bytes == 0) {
        (void)snprintf(text, size, "Windows error %d", os_error);
    }
    return status_of((DWORD)os_error);
}

/* ---- processors ------------------------------------------------------------------------------ */

static int count_bits(DWORD_PTR mask)
{
    int count = 0;
    for (; mask != 0; mask &= mask - 1) {
        count++;
    }
    return count;
}

/* The processors that a job's hard limit of processor time amounts to; INT_MAX: none. */
static int job_limit(int total)
{
    // As in winnt.h; its union has no name in some headers and one in others.
    struct {
        DWORD flags;
        DWORD rate; // of 10000 for all processors together; with a minimum: it, then the maximum
    } limit = {0, 0};
    const DWORD with_minimum = 0x10;
    if (!QueryInformationJobObject(NULL, JobObjectCpuRateControlInformation, &limit, sizeof(limit),
                                   NULL) ||
        (limit.flags & JOB_OBJECT_CPU_RATE_CONTROL_ENABLE) == 0) {
        return INT_MAX;
    }
    DWORD rate = 0;
    if ((limit.flags & JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP) != 0) {
        rate = limit.rate;
    } else if ((limit.flags & with_minimum) != 0) {
        rate = limit.rate >> 16;
    }
    if (rate == 0 || rate >= 10000) {
        return INT_MAX;
    }
    return (int)((rate * (uint64_t)total + 9999) / 10000);
}

int mplat_cpu_count(void)
{
    DWORD_PTR mine = 0;
    DWORD_PTR all = 0;
    int total = (int)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    int count = total;
    // The masks tell of one group of 64. An unrestricted process may use the others too, and a
    // family is spread over them.
    if (GetProcessAffinityMask(GetCurrentProcess(), &mine, &all) && mine != all) {
        count = count_bits(mine);
    }
    int limit = job_limit(total);
    count = limit < count ? limit : count;
    return count > 0 ? count : 1;
}

/* ---- threads and forks ----------------------------------------------------------------------- */

uint32_t mplat_thread_number(void)
{
    return GetCurrentThreadId();
}

int mplat_thread_at_exit(void (*hook)(void))
{
    if (!FlsSetValue(thread_end, (void *)(uintptr_t)hook)) {
        return mproc__fail_os((int)GetLastError(), "asking to be told of a thread's end");
    }
    return 0;
}

int mplat_at_fork(const mplat_fork_hooks *hooks)
{
    (void)hooks; // nothing forks here
    return 0;
}
