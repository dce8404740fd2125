/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c: who a process is, whether it lives, ending it, and how it ended.
 *
 * A process is named by its number and the time of its creation. The number alone is given to
 * another process soon after the end, so whoever opens a process by number compares the birth
 * afterwards: from then on the open handle keeps the number from being given away.
 */
#include "base/atomic.h"
#include "base/status.h"
#include "platform.h"
#include "win32/peer.h"
#include "win32/win32.h"

#include <windows.h>

#include <psapi.h>
#include <stdio.h>
#include <tlhelp32.h>

/* ---- identity -------------------------------------------------------------------------------- */

static uint64_t value_of(FILETIME time)
{
    return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

uint64_t mproc__win_birth(void *process)
{
    FILETIME birth;
    FILETIME end;
    FILETIME system;
    FILETIME user;
    return GetProcessTimes(process, &birth, &end, &system, &user) ? value_of(birth) : 0;
}

int64_t mplat_pid(void)
{
    return (int64_t)GetCurrentProcessId();
}

mplat_identity mplat_self(void)
{
    static uint64_t cached; // the same whoever computes it
    uint64_t birth = mproc__load64_relaxed(&cached);
    if (birth == 0) {
        birth = mproc__win_birth(GetCurrentProcess());
        mproc__store64_relaxed(&cached, birth);
    }
    return (mplat_identity){(int64_t)GetCurrentProcessId(), birth};
}

void *mproc__win_open(const mplat_identity *who, uint32_t access, uint32_t *ret_error)
{
    HANDLE process = OpenProcess(access | SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE,
                                 (DWORD)who->pid);
    if (process == NULL) {
        DWORD error = GetLastError();
        // "Invalid parameter" is how the system says that there is no such process.
        *ret_error = error == ERROR_INVALID_PARAMETER ? 0 : error;
        return NULL;
    }
    uint64_t birth = mproc__win_birth(process);
    // Wine: a process that is still being made has none yet.
    if (who->birth != 0 && birth != who->birth) {
        (void)CloseHandle(process);
        *ret_error = 0;
        return NULL;
    }
    return process;
}

static bool has_ended(HANDLE process)
{
    return WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
}

bool mplat_process_alive(const mplat_identity *who)
{
    uint32_t error;
    HANDLE process = mproc__win_open(who, 0, &error);
    if (process == NULL) {
        return error != 0;
    }
    bool is_alive = !has_ended(process);
    (void)CloseHandle(process);
    return is_alive;
}

bool mplat_has_threads(void)
{
    return false; // asked before a fork only
}

/* ---- ending a process ------------------------------------------------------------------------ */

/** TerminateProcess denies access to a process that is on its way out already. */
static int terminate(HANDLE process, DWORD pid)
{
    if (TerminateProcess(process, MPROC__WIN_TERMINATED)) {
        return 0;
    }
    DWORD error = GetLastError();
    DWORD code = STILL_ACTIVE;
    if (has_ended(process) || (GetExitCodeProcess(process, &code) && code != STILL_ACTIVE)) {
        return 0;
    }
    return mproc__fail_os((int)error, "terminating process %lu", (unsigned long)pid);
}

int mplat_process_signal(const mplat_identity *who, enum mplat_signal what)
{
    if (what == MPLAT_INTERRUPT) {
        return mproc__fail(MPROC_ENOTSUP, "a single process cannot be interrupted on Windows");
    }
    uint32_t error;
    HANDLE process = mproc__win_open(who, PROCESS_TERMINATE, &error);
    if (process == NULL) {
        return error == 0
                   ? 0
                   : mproc__fail_os((int)error, "opening process %lu", (unsigned long)who->pid);
    }
    int rc = terminate(process, (DWORD)who->pid);
    (void)CloseHandle(process);
    return rc;
}

/*
 * A tree of processes that is being felled. Its members stay open, dead or not, so that their
 * numbers are not given to strangers while children are looked for by their parent's number.
 */
#define TREE_MAX 1024

typedef struct tree {
    size_t count;
    struct {
        HANDLE process;
        DWORD pid;
        uint64_t birth;
    } of[TREE_MAX];
} tree;

static bool contains(const tree *t, DWORD pid)
{
    bool found = false;
    for (size_t i = 0; i < t->count && !found; i++) {
        found = t->of[i].pid == pid;
    }
    return found;
}

/** The number of the process that made this one; 0 if the system does not say. */
static DWORD parent_of(HANDLE process)
{
    typedef LONG(WINAPI * query_fn)(HANDLE, int, void *, ULONG, ULONG *);
    struct {
        LONG exit_status;
        void *environment;
        ULONG_PTR affinity;
        LONG priority;
        ULONG_PTR pid;
        ULONG_PTR parent;
    } basic;
    query_fn query = (query_fn)(void (*)(void))GetProcAddress(GetModuleHandleW(L"ntdll.dll"),
                                                              "NtQueryInformationProcess");
    bool is_known = query != NULL && query(process, 0, &basic, sizeof(basic), NULL) >= 0;
    return is_known ? (DWORD)basic.parent : 0;
}

/**
 * Asked of the open process: the number in a snapshot may be another's by now. A parent's number alone
 * proves nothing either: the real parent may be dead, its number another's.
 */
static bool is_child(const tree *t, HANDLE process)
{
    DWORD parent = parent_of(process);
    uint64_t birth = mproc__win_birth(process);
    bool found = false;
    for (size_t i = 0; i < t->count && !found; i++) {
        found = t->of[i].pid == parent && t->of[i].birth <= birth;
    }
    return found;
}

/** Kill a process and keep it. */
static int fell(tree *t, HANDLE process, DWORD pid)
{
    t->of[t->count].process = process;
    t->of[t->count].pid = pid;
    t->of[t->count].birth = mproc__win_birth(process);
    t->count++;
    return terminate(process, pid);
}

/** Kill those children of the tree that run now. Sets how many there were; or a negative status. */
static int fell_children(tree *t)
{
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    if (snapshot == INVALID_HANDLE_VALUE) {
        return mproc__fail_os((int)GetLastError(), "listing the system's processes");
    }
    int felled = 0;
    PROCESSENTRY32W entry = {.dwSize = sizeof(entry)};
    for (BOOL more = Process32FirstW(snapshot, &entry); more && t->count < TREE_MAX;
         more = Process32NextW(snapshot, &entry)) {
        DWORD pid = entry.th32ProcessID;
        if (pid == GetCurrentProcessId() || contains(t, pid) ||
            !contains(t, entry.th32ParentProcessID)) {
            continue;
        }
        mplat_identity who = {(int64_t)pid, 0};
        uint32_t error;
        HANDLE process = mproc__win_open(&who, PROCESS_TERMINATE, &error);
        if (process != NULL && !has_ended(process) && is_child(t, process)) {
            (void)fell(t, process, pid); // what may not be killed is left out
            felled++;
        } else if (process != NULL) {
            (void)CloseHandle(process);
        }
    }
    (void)CloseHandle(snapshot);
    return felled;
}

/*
 * By number of the parent, as the system keeps no trees: a descendant whose own parent had ended
 * before is not found here. It ends with the job of the mproc child it stems from, when
 * mplat_child.tree is closed.
 */
int mplat_process_kill_tree(const mplat_identity *who)
{
    static SRWLOCK lock = SRWLOCK_INIT; // one tree at a time: it is too large for a stack
    static tree t;
    uint32_t error;
    HANDLE root = mproc__win_open(who, PROCESS_TERMINATE, &error);
    if (root == NULL) {
        return error == 0
                   ? 0
                   : mproc__fail_os((int)error, "opening process %lu", (unsigned long)who->pid);
    }
    AcquireSRWLockExclusive(&lock);
    t.count = 0;
    // The parent first: what is dead has no more children. Again until there are no new ones.
    int rc = fell(&t, root, (DWORD)who->pid);
    int felled = 1;
    while (rc == 0 && felled > 0) {
        felled = fell_children(&t);
        rc = felled < 0 ? felled : 0;
    }
    for (size_t i = 0; i < t.count; i++) {
        (void)CloseHandle(t.of[i].process);
    }
    ReleaseSRWLockExclusive(&lock);
    return rc;
}

int mplat_signal_of(int32_t code)
{
    (void)code; // there are no signals
    return 0;
}

void mplat_copy_at_exit(void (*hook)(int code))
{
    (void)hook; // nothing is copied here
}

void mplat_process_leave(int code)
{
    (void)fflush(NULL);
    // Not ExitProcess: the libraries' own ends would run, and wait for locks of threads that are
    // gone.
    (void)TerminateProcess(GetCurrentProcess(), (UINT)code);
}

/* ---- how it ended ---------------------------------------------------------------------------- */

int mplat_process_reap(const mplat_child *child, mplat_exit *ret_exit)
{
    HANDLE process = mproc__win_object(child->sentinel);
    DWORD code;
    FILETIME birth;
    FILETIME end;
    FILETIME system;
    FILETIME user;
    if (!has_ended(process)) {
        return mproc__fail(MPROC_ESTATE, "process %lu still runs", (unsigned long)child->who.pid);
    }
    if (!GetExitCodeProcess(process, &code) ||
        !GetProcessTimes(process, &birth, &end, &system, &user)) {
        (void)mproc__fail_os((int)GetLastError(), "asking how process %lu ended",
                             (unsigned long)child->who.pid);
        return MPROC_EUNKNOWN;
    }
    PROCESS_MEMORY_COUNTERS memory = {.cb = sizeof(memory)};
    bool knows_memory = GetProcessMemoryInfo(process, &memory, sizeof(memory));
    *ret_exit = (mplat_exit){
        .code = (int32_t)code, // an exception's code is negative, and so is MPROC__WIN_TERMINATED
        .user_ns = (int64_t)value_of(user) * 100,
        .system_ns = (int64_t)value_of(system) * 100,
        .max_rss_bytes = knows_memory ? (int64_t)memory.PeakWorkingSetSize : 0,
    };
    mproc__peer_forget(mproc__peer_word(&child->who));
    mproc__win_parking_forget(&child->who);
    return 0;
}
