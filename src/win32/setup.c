/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup.c: what a new process changes about itself before it runs anything.
 */
#include "base/status.h"
#include "platform.h"
#include "win32/utf16.h"
#include "win32/win32.h"

#include <windows.h>

#include <io.h>
#include <psapi.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>

#define MASK_BITS (8 * sizeof(DWORD_PTR))

/** A name for the debugger's list of threads; older systems lack the call, nobody misses it. */
static void set_name(const char *name)
{
    typedef HRESULT(WINAPI * set_description_fn)(HANDLE, PCWSTR);
    set_description_fn set_description = NULL;
    wchar_t *wide = NULL;
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    if (kernel != NULL) {
        set_description =
            (set_description_fn)(void (*)(void))GetProcAddress(kernel, "SetThreadDescription");
    }
    if (set_description != NULL && mproc__utf16_from(name, &wide) == 0) {
        (void)set_description(GetCurrentThread(), wide);
        free(wide);
    }
}

static int set_directory(const char *directory)
{
    wchar_t *wide = NULL;
    int rc = mproc__utf16_from(directory, &wide);
    if (rc < 0) {
        return rc;
    }
    if (!SetCurrentDirectoryW(wide)) {
        rc = mproc__fail_os((int)GetLastError(), "changing to directory %s", directory);
    }
    free(wide);
    return rc;
}

/*
 * Set or unset a variable, for getenv and for the system. The C library comes first: it takes an
 * empty value for none and would unset what the system then has right.
 */
static int set_variable(const char *text)
{
    wchar_t *wide = NULL;
    int rc = mproc__utf16_from(text, &wide);
    if (rc < 0) {
        return rc;
    }
    size_t length = wcslen(wide);
    wchar_t *line = malloc((length + 2) * sizeof(*line));
    wchar_t *value = length > 0 ? wcschr(wide + 1, L'=') : NULL; // the system's own begin with one
    if (line == NULL) {
        rc = mproc__fail(MPROC_ENOMEM, "out of memory for a variable");
    } else {
        wmemcpy(line, wide, length + 1);
        if (value == NULL) {
            line[length] = L'=';
            line[length + 1] = L'\0';
        } else {
            *value++ = L'\0';
        }
        (void)_wputenv(line);
        if (!SetEnvironmentVariableW(wide, value) && GetLastError() != ERROR_ENVVAR_NOT_FOUND) {
            rc = mproc__fail_os((int)GetLastError(), "setting the environment's %s", text);
        }
    }
    free(line);
    free(wide);
    return rc;
}

/** The mask of the processors asked for, as far as this process may use them. */
static int mask_of(const int *cpus, size_t count, DWORD_PTR *ret_mask)
{
    DWORD_PTR mine = 0;
    DWORD_PTR all = 0;
    DWORD_PTR mask = 0;
    (void)GetProcessAffinityMask(GetCurrentProcess(), &mine, &all);
    for (size_t i = 0; i < count; i++) {
        if (cpus[i] >= (int)MASK_BITS) {
            return mproc__fail(MPROC_ENOTSUP, "processor %d is beyond the first %zu", cpus[i],
                               MASK_BITS);
        }
        if (cpus[i] < 0 || (all != 0 && (all >> cpus[i] & 1) == 0)) {
            return mproc__fail(MPROC_EINVAL, "there is no processor %d", cpus[i]);
        }
        mask |= (DWORD_PTR)1 << cpus[i];
    }
    *ret_mask = mask;
    return 0;
}

static int set_cpus(const int *cpus, size_t count)
{
    DWORD_PTR mask = 0;
    int rc = mask_of(cpus, count, &mask);
    if (rc == 0 && !SetProcessAffinityMask(GetCurrentProcess(), mask)) {
        rc = mproc__fail_os((int)GetLastError(), "choosing processors");
    }
    return rc;
}

int mplat_thread_pin(const int *cpus, size_t count)
{
    DWORD_PTR mask = 0;
    if (count == 0) {
        return mproc__fail(MPROC_EINVAL, "a thread needs a processor to run on");
    }
    int rc = mask_of(cpus, count, &mask);
    if (rc == 0 && SetThreadAffinityMask(GetCurrentThread(), mask) == 0) {
        rc = mproc__fail_os((int)GetLastError(), "choosing a thread's processors");
    }
    return rc;
}

size_t mplat_cpu_list(int *ret_cpus, size_t capacity)
{
    // The system tells a thread's mask only in exchange for another one.
    DWORD_PTR mine = 0;
    DWORD_PTR all = 0;
    size_t count = 0;
    (void)GetProcessAffinityMask(GetCurrentProcess(), &mine, &all);
    DWORD_PTR own = mine != 0 ? SetThreadAffinityMask(GetCurrentThread(), mine) : 0;
    if (own != 0) {
        (void)SetThreadAffinityMask(GetCurrentThread(), own);
        mine &= own;
    }
    for (int cpu = 0; cpu < (int)MASK_BITS; cpu++) {
        if ((mine >> cpu & 1) == 0) {
            continue;
        }
        if (count < capacity) {
            ret_cpus[count] = cpu;
        }
        count++;
    }
    return count;
}

static int set_priority(int nice)
{
    DWORD priority = nice > 0 ? BELOW_NORMAL_PRIORITY_CLASS : ABOVE_NORMAL_PRIORITY_CLASS;
    if (!SetPriorityClass(GetCurrentProcess(), priority)) {
        return mproc__fail_os((int)GetLastError(), "choosing a priority");
    }
    return 0;
}

static PROCESS_MEMORY_COUNTERS memory_of_self(void)
{
    PROCESS_MEMORY_COUNTERS memory = {.cb = sizeof(memory)};
    if (!GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof(memory))) {
        memory = (PROCESS_MEMORY_COUNTERS){.cb = 0};
    }
    return memory;
}

int64_t mplat_memory_now(void)
{
    // One is what it has committed for itself, resident or not; the other what is resident, its own or not.
    PROCESS_MEMORY_COUNTERS memory = memory_of_self();
    return (int64_t)(memory.PagefileUsage < memory.WorkingSetSize ? memory.PagefileUsage
                                                                  : memory.WorkingSetSize);
}

int64_t mplat_memory_peak(void)
{
    return (int64_t)memory_of_self().PeakWorkingSetSize;
}

int mplat_process_setup_check(const mplat_setup *setup)
{
    DWORD_PTR mask;
    if (setup->set_user) {
        return mproc__fail(MPROC_ENOTSUP, "a process cannot become another user on Windows");
    }
    return mask_of(setup->cpus, setup->n_cpus, &mask);
}

int mplat_process_setup(const mplat_setup *setup)
{
    int rc = mplat_process_setup_check(setup);
    if (setup->name != NULL) {
        set_name(setup->name);
    }
    if (rc == 0 && setup->directory != NULL) {
        rc = set_directory(setup->directory);
    }
    for (size_t i = 0; rc == 0 && i < setup->n_env; i++) {
        rc = set_variable(setup->env[i]);
    }
    if (rc == 0 && setup->n_cpus > 0) {
        rc = set_cpus(setup->cpus, setup->n_cpus);
    }
    if (rc == 0 && setup->nice != 0) {
        rc = set_priority(setup->nice);
    }
    if (rc == 0 && setup->set_umask) {
        (void)_umask((setup->umask & 0200) != 0 ? _S_IWRITE : 0); // all that it knows here
    }
    return rc;
}
