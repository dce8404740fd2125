/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.c: a small cache of process handles.
 *
 * Why     Every wake of another process and every wait for a lock's owner needs a handle on that
 *         process. To open one and compare its birth takes three system calls.
 * Always  a kept handle is of the process its word names: an open handle keeps the number from
 *         being given to another process, and the birth was compared after the opening
 *         a handle with borrowers is not closed
 * Locks   `lock` guards `kept`; nothing that can take long is done under it
 * Bounds  SLOTS handles. A dead process's is closed by whoever finds it dead (mproc__peer_alive) or
 *         collects it (mproc__peer_forget), at the latest when its slot is needed.
 */
#include "win32/peer.h"

#include "win32/win32.h"

#include <windows.h>

#define SLOTS 64

typedef struct slot {
    uint64_t word; // 0: empty
    HANDLE process;
    unsigned borrowers;
} slot;

static SRWLOCK lock = SRWLOCK_INIT;
static slot kept[SLOTS];

/** Numbers of processes are multiples of 4. */
static int slot_of(uint64_t word)
{
    return (int)(mproc__peer_pid(word) / 4 % SLOTS);
}

/** Take the handle out of a slot nobody borrows from; the caller closes it without the lock. */
static HANDLE empty_locked(slot *s)
{
    HANDLE process = s->process;
    *s = (slot){0, NULL, 0};
    return process;
}

static void close_if(HANDLE handle)
{
    if (handle != NULL) {
        (void)CloseHandle(handle);
    }
}

static bool borrow(uint64_t word, mproc__peer *ret_peer)
{
    int index = slot_of(word);
    AcquireSRWLockExclusive(&lock);
    bool is_there = kept[index].word == word;
    if (is_there) {
        kept[index].borrowers++;
        *ret_peer = (mproc__peer){kept[index].process, index};
    }
    ReleaseSRWLockExclusive(&lock);
    return is_there;
}

/** Keep a new handle if there is room for it, and lend it to the caller in any case. */
static mproc__peer keep(uint64_t word, HANDLE process)
{
    int index = slot_of(word);
    HANDLE old = NULL;
    mproc__peer peer = {process, -1};
    AcquireSRWLockExclusive(&lock);
    slot *s = &kept[index];
    if (s->borrowers == 0) {
        old = empty_locked(s);
        *s = (slot){word, process, 1};
        peer.slot = index;
    }
    ReleaseSRWLockExclusive(&lock);
    close_if(old);
    return peer;
}

int mproc__peer_get(uint64_t word, mproc__peer *ret_peer)
{
    if (borrow(word, ret_peer)) {
        return 1;
    }
    HANDLE process =
        OpenProcess(SYNCHRONIZE | PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE,
                    mproc__peer_pid(word));
    if (process == NULL) {
        // "Invalid parameter" is how the system says that there is no such process.
        return GetLastError() == ERROR_INVALID_PARAMETER ? 0 : -1;
    }
    uint64_t birth = mproc__win_birth(process);
    if (birth == 0 || (uint32_t)birth != (uint32_t)word) {
        (void)CloseHandle(process);
        return birth == 0 ? -1 : 0;
    }
    *ret_peer = keep(word, process);
    return 1;
}

void mproc__peer_put(const mproc__peer *peer)
{
    if (peer->slot < 0) {
        (void)CloseHandle(peer->process);
        return;
    }
    AcquireSRWLockExclusive(&lock);
    kept[peer->slot].borrowers--;
    ReleaseSRWLockExclusive(&lock);
}

bool mproc__peer_alive(uint64_t word)
{
    if (word == mproc__peer_self()) {
        return true;
    }
    mproc__peer peer;
    int rc = mproc__peer_get(word, &peer);
    if (rc <= 0) {
        return rc < 0;
    }
    bool is_dead = WaitForSingleObject(peer.process, 0) == WAIT_OBJECT_0;
    mproc__peer_put(&peer);
    if (is_dead) {
        mproc__peer_forget(word);
    }
    return !is_dead;
}

void mproc__peer_forget(uint64_t word)
{
    HANDLE old = NULL;
    AcquireSRWLockExclusive(&lock);
    slot *s = &kept[slot_of(word)];
    if (s->word == word && s->borrowers == 0) {
        old = empty_locked(s);
    }
    ReleaseSRWLockExclusive(&lock);
    close_if(old);
}

uint64_t mproc__peer_self(void)
{
    mplat_identity self = mplat_self();
    return mproc__peer_word(&self);
}
