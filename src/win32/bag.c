/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bag.c: the bag: handles in the table of the family's first process.
 *
 * Why       A handle lives in some process's table, and any other may put one there, copy it, and close
 *           it. The family's first process outlives all others: it has them killed when it ends.
 * How       An entry says which process keeps it, and under which value there. The system itself writes
 *           the value into the entry, before it comes back from the call that makes the handle: nobody
 *           can be killed in between. Where the first process may not be opened, its maker keeps it.
 * Death     Before the handle is closed its value is taken out of the entry: done twice, it could hit
 *           another handle. Killed between the two, one handle is left in the keeper until that ends.
 * Sockets   A copied handle is one to the system, but not to every library of sockets: there it becomes one
 *           by the detour over WSADuplicateSocket, from this process to itself.
 */
#include "platform.h"

#include "base/atomic.h"
#include "base/status.h"
#include "win32/peer.h"
#include "win32/stream.h"
#include "win32/win32.h"

#include <winsock2.h>

#include <windows.h>

/* mplat_bagged.opaque */
enum { VALUE, KEEPER, IS_SOCKET };

static bool is_socket(intptr_t native)
{
    int type;
    int size = sizeof(type);
    return getsockopt((SOCKET)native, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0;
}

int mplat_bag_put(mplat_bag *bag, mplat_bagged *entry, const mplat_identity *keeper,
                  intptr_t native)
{
    (void)bag;
    mproc__peer peer;
    entry->opaque[KEEPER] = mproc__peer_word(keeper);
    entry->opaque[IS_SOCKET] = is_socket(native);
    if (mproc__peer_get(entry->opaque[KEEPER], &peer) <= 0) {
        entry->opaque[KEEPER] = mproc__peer_self();
        if (mproc__peer_get(entry->opaque[KEEPER], &peer) <= 0) {
            return mproc__fail_os((int)GetLastError(), "opening the calling process");
        }
    }
    /* COMMIT: by the system */
    bool is_put =
        DuplicateHandle(GetCurrentProcess(), (HANDLE)native, peer.process,
                        (HANDLE *)(void *)&entry->opaque[VALUE], 0, FALSE, DUPLICATE_SAME_ACCESS);
    int error = (int)GetLastError();
    mproc__peer_put(&peer);
    return is_put ? 0 : mproc__fail_os(error, "passing handle %lld", (long long)native);
}

/** Make a copied handle a socket; it is closed in any case. */
static int import_socket(HANDLE copy, intptr_t *ret_native)
{
    WSAPROTOCOL_INFOW info;
    SOCKET made = INVALID_SOCKET;
    (void)mproc__win_sockets();
    if (WSADuplicateSocketW((SOCKET)copy, GetCurrentProcessId(), &info) == 0) {
        made = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                          WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    }
    int error = WSAGetLastError();
    // Where it has become a socket on the way the library must forget it; elsewhere it knows nothing of it.
    if (closesocket((SOCKET)copy) != 0) {
        // cppcheck-suppress doubleFree ; it has not been closed
        (void)CloseHandle(copy);
    }
    if (made == INVALID_SOCKET) {
        return error == WSAEMFILE
                   ? mproc__fail(MPROC_EMFILE, "there is no room for one more socket")
                   : mproc__fail_os(error, "opening a socket that was passed");
    }
    *ret_native = (intptr_t)made;
    return 0;
}

int mplat_bag_get(mplat_bag *bag, const mplat_bagged *entry, bool is_private, intptr_t *ret_native)
{
    (void)bag;
    (void)is_private; // there are no copies
    mproc__peer peer;
    HANDLE copy = NULL;
    if (entry->opaque[VALUE] == 0) {
        return mproc__fail(MPROC_ECORRUPT, "somebody has written over the handle");
    }
    if (mproc__peer_get(entry->opaque[KEEPER], &peer) <= 0) {
        return mproc__fail(MPROC_EPEER, "process %u, which kept the handle, is gone",
                           mproc__peer_pid(entry->opaque[KEEPER]));
    }
    bool is_copied = DuplicateHandle(peer.process, (HANDLE)(uintptr_t)entry->opaque[VALUE],
                                     GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS);
    int error = (int)GetLastError();
    mproc__peer_put(&peer);
    if (!is_copied) {
        return mproc__peer_alive(entry->opaque[KEEPER])
                   ? mproc__fail_os(error, "copying a handle that was passed")
                   : mproc__fail(MPROC_EPEER, "process %u, which kept the handle, is gone",
                                 mproc__peer_pid(entry->opaque[KEEPER]));
    }
    if (entry->opaque[IS_SOCKET] != 0) {
        return import_socket(copy, ret_native);
    }
    *ret_native = (intptr_t)copy;
    return 0;
}

bool mplat_bag_drop(mplat_bagged *entry)
{
    mproc__peer peer;
    HANDLE kept = (HANDLE)(uintptr_t)mproc__exchange64(&entry->opaque[VALUE], 0);
    if (kept != NULL && mproc__peer_get(entry->opaque[KEEPER], &peer) > 0) {
        // Into this process, for a target is needed where the source's is another one (Wine).
        HANDLE mine = NULL;
        /* DEATH: before it, it stays open in the keeper */
        if (DuplicateHandle(peer.process, kept, GetCurrentProcess(), &mine, 0, FALSE,
                            DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE)) {
            (void)CloseHandle(mine);
        }
        mproc__peer_put(&peer);
    }
    return true;
}

int mplat_bag_sweep(mplat_bag *bag, uint64_t n, mplat_bag_wanted_fn is_wanted)
{
    (void)bag;
    (void)n;
    (void)is_wanted;
    return 0; // there is never anything: see mplat_bag_drop
}

int mplat_bag_mend(mplat_bag *bag)
{
    (void)bag;
    return 0; // nor is anything there twice
}
