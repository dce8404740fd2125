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

int mproc__win_pipe_listen(const mplat_address *address, bool is_public,
                           mplat_stream **ret_listener)
{
    wchar_t *name = NULL;
    HANDLE handle;
    mplat_stream *stream;
    int rc = pipe_name(address, &name);
    if (rc >= 0 && (rc = make_instance(name, is_public, true, &handle)) >= 0 &&
        (rc = mproc__win_stream(handle, MPLAT_FAMILY_PIPE, &stream)) >= 0) {
        size_t size = (wcslen(name) + 1) * sizeof(*name);
        stream->is_listener = true;
        stream->is_public = is_public;
        stream->name = mproc__malloc(size);
        if (stream->name != NULL) {
            CopyMemory(stream->name, name, size);
            *ret_listener = stream;
        } else {
            mplat_stream_close(stream);
            rc = mproc__fail(MPROC_ENOMEM, "no memory for a listener");
        }
    }
    free(name);
    return rc;
}

void mproc__win_pipe_await(mplat_stream *listener)
{
    if (listener->is_reading || listener->is_end) {
        return;
    }
    if (ConnectNamedPipe(listener->handle, &listener->read)) {
        listener->is_reading = true; // done at once; the event tells
        return;
    }
    DWORD error = GetLastError();
    listener->is_reading = error == ERROR_IO_PENDING;
    // There already, or there and gone again: what it has sent can be read.
    listener->is_end = error != ERROR_IO_PENDING;
    if (listener->is_end) {
        (void)SetEvent(listener->read.hEvent);
    }
}

int mproc__win_pipe_accept(mplat_stream *listener, mplat_stream **ret_stream)
{
    HANDLE next;
    mplat_stream *stream;
    mproc__win_pipe_await(listener);
    if (listener->is_reading && HasOverlappedIoCompleted(&listener->read)) {
        listener->is_reading = false;
        listener->is_end = true;
    }
    if (!listener->is_end) {
        return mproc__fail_shortly(MPROC_ETIMEDOUT, "nobody has connected");
    }
    // There is always an instance that waits, or the name would be free for others.
    int rc = make_instance(listener->name, listener->is_public, false, &next);
    if (rc < 0) {
        return rc;
    }
    HANDLE connected = listener->handle;
    listener->handle = next;
    listener->is_end = false;
    (void)ResetEvent(listener->read.hEvent);
    rc = mproc__win_stream(connected, MPLAT_FAMILY_PIPE, &stream);
    if (rc >= 0) {
        stream->is_server = true;
        *ret_stream = stream;
    }
    return rc;
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
        handle = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                             FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS,
                             NULL);
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
