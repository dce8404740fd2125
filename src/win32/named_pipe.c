/* SPDX-License-Identifier: Apache-2.0 */
/*
 * named_pipe.c: named pipes between strangers. No twin: elsewhere these are sockets like others.
 *
 * Private   Nobody from another machine can connect, and by default nobody but the user who listens. A
 *           client does not lend its identity to the listener.
 * Squatter  The listener's first instance must be the first of that name at all.
 * As CPython's: messages are kept apart by the system, a client reads message by message.
 */
#include "win32/stream.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/status.h"
#include "win32/utf16.h"
#include "win32/win32.h"

#include <sddl.h>

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#define PIPE_BYTES 65536
#define SDDL_MOST 256

static int pipe_name(const mplat_address *address, wchar_t **ret_name)
{
    char path[sizeof(address->name) + 16];
    (void)snprintf(path, sizeof(path), "\\\\.\\pipe\\%s", address->name);
    return mproc__utf16_from(path, ret_name);
}

/* ---- who may ----------------------------------------------------------------------------------- */

/** The user of this process as text, for LocalFree. */
static wchar_t *own_user(void)
{
    union {
        TOKEN_USER user;
        char room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } token;
    DWORD size;
    HANDLE handle;
    wchar_t *text = NULL;
    if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &handle)) {
        if (!GetTokenInformation(handle, TokenUser, &token, sizeof(token), &size) ||
            !ConvertSidToStringSidW(token.user.User.Sid, &text)) {
            text = NULL;
        }
        (void)CloseHandle(handle);
    }
    return text;
}

/** What a pipe is protected by, for LocalFree. */
static int make_descriptor(bool is_public, PSECURITY_DESCRIPTOR *ret_descriptor)
{
    // All for the user; others, if any may, read and write, but make no instances of their own.
    wchar_t text[SDDL_MOST];
    wchar_t *user = own_user();
    BOOL is_made = FALSE;
    if (user != NULL) {
        (void)swprintf(text, SDDL_MOST, L"D:P(A;;GA;;;%ls)%ls", user,
                       is_public ? L"(A;;0x12019b;;;AU)" : L"");
        is_made = ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1,
                                                                       ret_descriptor, NULL);
    }
    DWORD error = GetLastError();
    (void)LocalFree(user);
    return is_made ? MPROC_OK : mproc__fail_os((int)error, "making a pipe private");
}

static int make_instance(const wchar_t *name, bool is_public, bool is_first, HANDLE *ret_handle)
{
    SECURITY_ATTRIBUTES security = {.nLength = sizeof(security)};
    int rc = make_descriptor(is_public, &security.lpSecurityDescriptor);
    if (rc < 0) {
        return rc;
    }
    HANDLE handle = CreateNamedPipeW(
        name,
        PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (is_first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0),
        PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
        PIPE_UNLIMITED_INSTANCES, PIPE_BYTES, PIPE_BYTES, 0, &security);
    DWORD error = GetLastError();
    (void)LocalFree(security.lpSecurityDescriptor);
    if (handle == INVALID_HANDLE_VALUE) {
        return is_first && error == ERROR_ACCESS_DENIED
                   ? mproc__fail(MPROC_EEXIST, "cannot listen: somebody has a pipe of that name")
                   : mproc__fail_os((int)error, "making a pipe");
    }
    *ret_handle = handle;
    return MPROC_OK;
}

/* ---- listen ---------------------------------------------------------------------------------- */

/** What a listener has beside a stream. */
static int make_room(mplat_stream *listener, const wchar_t *name, size_t count)
{
    size_t size = (wcslen(name) + 1) * sizeof(*name);
    listener->name = mproc__malloc(size);
    listener->instances = mproc__calloc(count, sizeof(*listener->instances));
    if (listener->name == NULL || listener->instances == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a listener");
    }
    CopyMemory(listener->name, name, size);
    return MPROC_OK;
}

int mproc__win_pipe_listen(const mplat_address *address, int backlog, bool is_public,
                           mplat_stream **ret_listener)
{
    wchar_t *name = NULL;
    HANDLE first;
    mplat_stream *listener = NULL;
    const size_t count = backlog > 0 && backlog < MPROC__WIN_PIPE_INSTANCES
                             ? (size_t)backlog
                             : MPROC__WIN_PIPE_INSTANCES;
    int rc = pipe_name(address, &name);
    if (rc >= 0 && (rc = make_instance(name, is_public, true, &first)) >= 0 &&
        (rc = mproc__win_stream(first, MPLAT_FAMILY_PIPE, &listener)) >= 0 &&
        (rc = make_room(listener, name, count)) >= 0) {
        listener->is_listener = true;
        listener->is_public = is_public;
        listener->instances[0].handle = first;
        listener->n_instances = 1;
    }
    while (rc >= 0 && listener->n_instances < count) {
        rc = make_instance(name, is_public, false,
                           &listener->instances[listener->n_instances].handle);
        listener->n_instances += rc >= 0 ? 1 : 0;
    }
    free(name);
    if (rc < 0) {
        mplat_stream_close(listener);
        return rc;
    }
    *ret_listener = listener;
    return MPROC_OK;
}

static void begin_instance(const mplat_stream *listener, mproc__win_instance *instance)
{
    if (instance->is_waiting || instance->has_client) {
        return;
    }
    instance->connect = (OVERLAPPED){.hEvent = listener->read.hEvent};
    instance->is_waiting = ConnectNamedPipe(instance->handle, &instance->connect) ||
                           GetLastError() == ERROR_IO_PENDING;
    // There already, or there and gone again: what it has sent can be read.
    instance->has_client = !instance->is_waiting;
}

/** See whether the wait that is under way has come to something. */
static void look_at_instance(mproc__win_instance *instance)
{
    DWORD unused;
    if (instance->is_waiting && HasOverlappedIoCompleted(&instance->connect)) {
        // With a thread what it waits for ends, and nobody has come.
        bool is_over = !GetOverlappedResult(instance->handle, &instance->connect, &unused, FALSE) &&
                       GetLastError() == ERROR_OPERATION_ABORTED;
        instance->is_waiting = false;
        instance->has_client = !is_over;
    }
}

bool mproc__win_pipe_await(mplat_stream *listener)
{
    bool is_any;
    bool is_idle;
    // To begin one resets the event, so all are looked at when all have begun.
    do {
        is_any = is_idle = false;
        for (size_t i = 0; i < listener->n_instances; i++) {
            begin_instance(listener, &listener->instances[i]);
        }
        for (size_t i = 0; i < listener->n_instances; i++) {
            mproc__win_instance *instance = &listener->instances[i];
            look_at_instance(instance);
            is_any = is_any || instance->has_client;
            is_idle = is_idle || (!instance->has_client && !instance->is_waiting);
        }
    } while (is_idle);
    if (is_any) {
        (void)SetEvent(listener->read.hEvent);
    }
    return is_any;
}

int mproc__win_pipe_accept(mplat_stream *listener, mplat_stream **ret_stream)
{
    HANDLE next;
    mplat_stream *stream;
    if (!mproc__win_pipe_await(listener)) {
        return mproc__fail_shortly(MPROC_ETIMEDOUT, "nobody has connected");
    }
    while (!listener->instances[listener->next % listener->n_instances].has_client) {
        listener->next++;
    }
    mproc__win_instance *instance = &listener->instances[listener->next++ % listener->n_instances];
    // There is always an instance that waits, or the name would be free for others.
    int rc = make_instance(listener->name, listener->is_public, false, &next);
    if (rc < 0) {
        return rc;
    }
    HANDLE connected = instance->handle;
    *instance = (mproc__win_instance){.handle = next};
    rc = mproc__win_stream(connected, MPLAT_FAMILY_PIPE, &stream);
    if (rc >= 0) {
        stream->is_server = true;
        *ret_stream = stream;
    }
    return rc;
}

void mproc__win_pipe_close(mplat_stream *listener)
{
    for (size_t i = 0; i < listener->n_instances; i++) {
        mproc__win_instance *instance = &listener->instances[i];
        if (instance->is_waiting) {
            (void)CancelIoEx(instance->handle, &instance->connect);
        }
        // The event is not this one's alone, so it cannot be waited for.
        while (instance->is_waiting && !HasOverlappedIoCompleted(&instance->connect)) {
            (void)SwitchToThread();
        }
        (void)CloseHandle(instance->handle);
    }
    mproc__free(listener->instances);
}

/* ---- connect --------------------------------------------------------------------------------- */

int mproc__win_pipe_connect(const mplat_address *address, int64_t deadline,
                            mplat_stream **ret_stream)
{
    wchar_t *name = NULL;
    DWORD error = ERROR_SUCCESS;
    DWORD mode = PIPE_READMODE_MESSAGE;
    HANDLE handle = INVALID_HANDLE_VALUE;
    int rc = pipe_name(address, &name);
    if (rc < 0) {
        return rc;
    }
    do {
        handle =
            CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                        FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, NULL);
        error = handle == INVALID_HANDLE_VALUE ? GetLastError() : ERROR_SUCCESS;
        if (error == ERROR_PIPE_BUSY) {
            DWORD left = mproc__win_milliseconds(deadline); // 0 would mean the pipe's own default
            (void)WaitNamedPipeW(name, left > 0 ? left : 1);
        }
    } while (error == ERROR_PIPE_BUSY && (deadline == INT64_MAX || mplat_now() < deadline));
    free(name);
    if (error == ERROR_PIPE_BUSY) {
        return mproc__fail(MPROC_ETIMEDOUT, "connect: pipe:%s accepts nobody", address->name);
    }
    if (error != ERROR_SUCCESS) {
        return mproc__fail_os((int)error, "cannot connect to pipe:%s", address->name);
    }
    if (!SetNamedPipeHandleState(handle, &mode, NULL, NULL)) {
        error = GetLastError();
        (void)CloseHandle(handle);
        return mproc__fail_os((int)error, "cannot connect to pipe:%s", address->name);
    }
    return mproc__win_stream(handle, MPLAT_FAMILY_PIPE, ret_stream);
}
