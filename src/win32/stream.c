/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c: reading from pipes and sockets, writing to them, waiting for them. See stream.h.
 */
#include "win32/stream.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/status.h"
#include "win32/win32.h"

#include <limits.h>

#define FEW 64
#define MOST_AT_ONCE ((size_t)1 << 30)

void mproc__win_close(HANDLE handle, enum mplat_family family)
{
    if (family == MPLAT_FAMILY_TCP) {
        (void)closesocket((SOCKET)(uintptr_t)handle);
    } else {
        (void)CloseHandle(handle);
    }
}

int mproc__win_stream(HANDLE handle, enum mplat_family family, mplat_stream **ret_stream)
{
    mplat_stream *stream = mproc__calloc(1, sizeof(*stream));
    HANDLE reading = CreateEventW(NULL, TRUE, FALSE, NULL);
    HANDLE writing = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (stream == NULL || reading == NULL || writing == NULL) {
        int error = stream == NULL ? ERROR_NOT_ENOUGH_MEMORY : (int)GetLastError();
        mplat_handle_close(mproc__win_handle(reading));
        mplat_handle_close(mproc__win_handle(writing));
        mproc__free(stream);
        mproc__win_close(handle, family);
        return mproc__fail_os(error, "making a connection");
    }
    stream->handle = handle;
    stream->family = family;
    stream->read.hEvent = reading;
    stream->write.hEvent = writing;
    if (family == MPLAT_FAMILY_TCP) {
        // Small messages are not held back, and a peer whose machine is gone is found out some day.
        const BOOL on = TRUE;
        (void)setsockopt(mproc__win_socket(stream), IPPROTO_TCP, TCP_NODELAY, (const char *)&on,
                         sizeof(on));
        (void)setsockopt(mproc__win_socket(stream), SOL_SOCKET, SO_KEEPALIVE, (const char *)&on,
                         sizeof(on));
    }
    *ret_stream = stream;
    return MPROC_OK;
}

bool mplat_stream_has_messages(const mplat_stream *stream)
{
    return stream->family == MPLAT_FAMILY_PIPE;
}

mplat_handle mplat_stream_handle(const mplat_stream *stream)
{
    return mproc__win_handle(stream->read.hEvent);
}

/* ---- reading --------------------------------------------------------------------------------- */

/** What a read has come to. */
static void finish_read(mplat_stream *stream, DWORD error, DWORD size)
{
    stream->is_reading = false;
    if (error == ERROR_SUCCESS || error == ERROR_MORE_DATA) {
        stream->at = 0;
        stream->end = size;
        stream->has_data = true;
        stream->is_end = error == ERROR_SUCCESS;
        if (size == 0 && stream->family == MPLAT_FAMILY_TCP) {
            stream->has_data = false;
            stream->ended = ERROR_HANDLE_EOF;
        }
    } else {
        stream->ended = (int)error;
    }
    (void)SetEvent(stream->read.hEvent); // there is something to be told
}

void mproc__win_read_begin(mplat_stream *stream)
{
    DWORD size = 0;
    if (stream->is_reading || stream->has_data || stream->ended != 0) {
        return;
    }
    stream->is_reading = true;
    BOOL is_done;
    if (stream->family == MPLAT_FAMILY_TCP) {
        WSABUF place = {sizeof(stream->buffer), (char *)stream->buffer};
        DWORD flags = 0;
        is_done =
            WSARecv(mproc__win_socket(stream), &place, 1, &size, &flags, &stream->read, NULL) == 0;
    } else {
        is_done =
            ReadFile(stream->handle, stream->buffer, sizeof(stream->buffer), NULL, &stream->read);
    }
    DWORD error = is_done ? ERROR_SUCCESS : GetLastError();
    // One that is done at once tells of itself as one that was not; all others bring nothing.
    if (error != ERROR_SUCCESS && error != ERROR_IO_PENDING && error != ERROR_MORE_DATA) {
        finish_read(stream, error, 0);
    }
}

/** See whether the read that is under way has come to something. */
static void look_at_read(mplat_stream *stream)
{
    DWORD size = 0;
    if (stream->is_reading && HasOverlappedIoCompleted(&stream->read)) {
        BOOL is_good = GetOverlappedResult(stream->handle, &stream->read, &size, FALSE);
        DWORD error = is_good ? ERROR_SUCCESS : GetLastError();
        if (error == ERROR_OPERATION_ABORTED) {
            // With a thread its reads end, and have taken nothing: this one goes on.
            stream->is_reading = false;
            mproc__win_read_begin(stream);
        } else {
            finish_read(stream, error, size);
        }
    }
}

/** Sockets have words of their own for a peer that is gone. */
static int fail_stream(DWORD error, const char *what)
{
    switch (error) {
    case ERROR_NETNAME_DELETED:
    case ERROR_PORT_UNREACHABLE:
    case ERROR_CONNECTION_ABORTED:
    case WSAECONNRESET:
    case WSAECONNABORTED:
    case WSAESHUTDOWN:
    case WSAENOTCONN:
        return mproc__fail_os(ERROR_BROKEN_PIPE, "%s", what);
    default:
        return mproc__fail_os((int)error, "%s", what);
    }
}

static int end_of(const mplat_stream *stream)
{
    switch (stream->ended) {
    case ERROR_HANDLE_EOF:
    case ERROR_BROKEN_PIPE:
    case ERROR_PIPE_NOT_CONNECTED:
    case ERROR_NO_DATA:
        return mproc__fail_shortly(MPROC_ECLOSED, "the other end has closed the connection");
    default:
        return fail_stream((DWORD)stream->ended, "receiving from a connection");
    }
}

int mplat_stream_read(mplat_stream *stream, void *data, size_t size, size_t *ret_size,
                      bool *ret_is_end)
{
    mproc__win_read_begin(stream);
    look_at_read(stream);
    if (!stream->has_data) {
        return stream->ended != 0 ? end_of(stream)
                                  : mproc__fail_shortly(MPROC_ETIMEDOUT, "nothing has come");
    }
    DWORD count = stream->end - stream->at;
    count = size < count ? (DWORD)size : count;
    CopyMemory(data, stream->buffer + stream->at, count);
    stream->at += count;
    stream->has_data = stream->at < stream->end;
    *ret_size = count;
    *ret_is_end = !stream->has_data && stream->is_end;
    return MPROC_OK;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/** Have something under way that sets the stream's event; true: it need not be waited for. */
static bool prepare_wait(mplat_stream *stream)
{
    if (stream->is_listener) {
        // Of TCP the event tells.
        return stream->family == MPLAT_FAMILY_PIPE && mproc__win_pipe_await(stream);
    }
    mproc__win_read_begin(stream);
    look_at_read(stream);
    return stream->has_data || stream->ended != 0 ||
           InterlockedCompareExchange(&stream->is_interrupted, 0, 0) != 0;
}

static bool is_set(HANDLE event)
{
    return WaitForSingleObject(event, 0) == WAIT_OBJECT_0;
}

int mplat_stream_wait(mplat_stream *const *streams, bool *ret_ready, size_t count,
                      mplat_handle sentinel, int64_t deadline)
{
    mplat_handle few[FEW];
    mplat_handle *events = count + 1 <= FEW ? few : mproc__calloc(count + 1, sizeof(*events));
    bool has_sentinel = sentinel.os != MPLAT_NO_HANDLE.os;
    bool is_any = false;
    if (events == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory to wait for %zu connections", count);
    }
    for (size_t i = 0; i < count; i++) {
        ret_ready[i] = prepare_wait(streams[i]);
        is_any = is_any || ret_ready[i];
        events[i] = mproc__win_handle(streams[i]->read.hEvent);
    }
    events[count] = sentinel;
    size_t index = count;
    int rc =
        mplat_sentinel_wait(events, count + (has_sentinel ? 1 : 0), is_any ? 0 : deadline, &index);
    rc = is_any && rc == MPROC_ETIMEDOUT ? MPROC_OK : rc;
    for (size_t i = 0; i < count; i++) {
        ret_ready[i] = rc >= 0 && (ret_ready[i] || is_set(streams[i]->read.hEvent));
    }
    if (events != few) {
        mproc__free(events);
    }
    return rc;
}

/* ---- writing --------------------------------------------------------------------------------- */

static BOOL start_write(mplat_stream *stream, const mplat_piece *pieces, size_t count)
{
    if (stream->family != MPLAT_FAMILY_TCP) {
        return WriteFile(stream->handle, pieces[0].data, (DWORD)pieces[0].size, NULL,
                         &stream->write);
    }
    WSABUF buffers[MPLAT_PIECES];
    DWORD size;
    for (size_t i = 0; i < count; i++) {
        size_t length = pieces[i].size < MOST_AT_ONCE ? pieces[i].size : MOST_AT_ONCE;
        buffers[i] = (WSABUF){(ULONG)length, (char *)(uintptr_t)pieces[i].data};
    }
    return WSASend(mproc__win_socket(stream), buffers, (DWORD)count, &size, 0, &stream->write,
                   NULL) == 0;
}

/** Write once, and see to the end of it. */
static int write_some(mplat_stream *stream, const mplat_piece *pieces, size_t count,
                      int64_t deadline, size_t *ret_size)
{
    DWORD size = 0;
    *ret_size = 0;
    if (!start_write(stream, pieces, count) && GetLastError() != ERROR_IO_PENDING) {
        return fail_stream(GetLastError(), "sending over a connection");
    }
    bool is_in_time = true;
    while (is_in_time && !HasOverlappedIoCompleted(&stream->write) &&
           InterlockedCompareExchange(&stream->is_interrupted, 0, 0) == 0) {
        is_in_time = WaitForSingleObject(stream->write.hEvent, mproc__win_milliseconds(deadline)) ==
                         WAIT_OBJECT_0 ||
                     (deadline > 0 && mplat_now() < deadline);
    }
    if (!HasOverlappedIoCompleted(&stream->write)) {
        (void)CancelIoEx(stream->handle, &stream->write);
    }
    BOOL is_good = GetOverlappedResult(stream->handle, &stream->write, &size, TRUE);
    DWORD error = is_good ? ERROR_SUCCESS : GetLastError();
    *ret_size = size;
    if (error == ERROR_OPERATION_ABORTED) {
        return mproc__fail(is_in_time ? MPROC_EPEER : MPROC_ETIMEDOUT,
                           is_in_time ? "the connection has been closed" : "send: timed out");
    }
    return is_good ? MPROC_OK : fail_stream(error, "sending over a connection");
}

int mplat_stream_write(mplat_stream *stream, const mplat_piece *pieces, size_t count,
                       int64_t deadline, size_t *ret_written)
{
    mplat_piece left[MPLAT_PIECES] = {{NULL, 0}};
    size_t first = 0;
    for (size_t i = 0; i < count; i++) {
        left[i] = pieces[i];
    }
    *ret_written = 0;
    do {
        size_t size;
        int rc = write_some(stream, left + first, count - first, deadline, &size);
        *ret_written += size;
        if (rc < 0) {
            return rc;
        }
        while (first < count && size >= left[first].size) {
            size -= left[first++].size;
        }
        if (first < count) {
            left[first].data = (const char *)left[first].data + size;
            left[first].size -= size;
        }
    } while (first < count);
    return MPROC_OK;
}

/* ---- in another process ---------------------------------------------------------------------- */

/* mplat_stream_rest.flags */
enum { IS_SERVER = 1, HAS_DATA = 2, IS_END = 4 };

static void stop_reading(mplat_stream *stream)
{
    DWORD size = 0;
    if (stream->is_reading) {
        (void)CancelIoEx(stream->handle, &stream->read);
        BOOL is_good = GetOverlappedResult(stream->handle, &stream->read, &size, TRUE);
        DWORD error = is_good ? ERROR_SUCCESS : GetLastError();
        if (error == ERROR_OPERATION_ABORTED) {
            stream->is_reading = false; // it has taken nothing
        } else {
            finish_read(stream, error, size);
        }
    }
}

intptr_t mplat_stream_rest_of(mplat_stream *stream, mplat_stream_rest *ret_rest,
                              const void **ret_data)
{
    stop_reading(stream);
    *ret_rest = (mplat_stream_rest){
        .family = (uint32_t)stream->family,
        .flags = (stream->is_server ? IS_SERVER : 0u) | (stream->has_data ? HAS_DATA : 0u) |
                 (stream->is_end ? IS_END : 0u),
        .ended = stream->ended,
        .size = stream->has_data ? (uint32_t)(stream->end - stream->at) : 0,
    };
    *ret_data = stream->buffer + stream->at;
    return (intptr_t)stream->handle;
}

int mplat_stream_adopt(intptr_t native, const mplat_stream_rest *rest, const void *data,
                       mplat_stream **ret_stream)
{
    HANDLE handle = (HANDLE)native;
    mplat_stream *stream = NULL;
    if (rest->size > sizeof(stream->buffer)) {
        mproc__win_close(handle, (enum mplat_family)rest->family);
        return mproc__fail(MPROC_ECORRUPT, "somebody has written over a connection on its way");
    }
    int rc = mproc__win_stream(handle, (enum mplat_family)rest->family, &stream);
    if (rc < 0 || stream == NULL) {
        return rc;
    }
    stream->is_server = (rest->flags & IS_SERVER) != 0;
    stream->has_data = (rest->flags & HAS_DATA) != 0;
    stream->is_end = (rest->flags & IS_END) != 0;
    stream->ended = rest->ended;
    stream->end = rest->size;
    CopyMemory(stream->buffer, data, rest->size);
    if (stream->has_data || stream->ended != 0) {
        (void)SetEvent(stream->read.hEvent); // as finish_read
    }
    *ret_stream = stream;
    return MPROC_OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

void mplat_stream_interrupt(mplat_stream *stream)
{
    // Starting a read or write resets its event, but whoever starts one looks at the word after it.
    (void)InterlockedExchange(&stream->is_interrupted, 1);
    (void)SetEvent(stream->read.hEvent);
    (void)SetEvent(stream->write.hEvent);
}

void mplat_stream_peer(const mplat_stream *stream, mplat_peer *ret_peer)
{
    ULONG pid = 0;
    *ret_peer = (mplat_peer){.user = -1, .group = -1};
    if (stream->family == MPLAT_FAMILY_PIPE &&
        (stream->is_server ? GetNamedPipeClientProcessId(stream->handle, &pid)
                           : GetNamedPipeServerProcessId(stream->handle, &pid))) {
        ret_peer->pid = (int64_t)pid;
    }
}

void mplat_stream_close(mplat_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    if (stream->is_reading) {
        DWORD size; // it writes to our memory until it has ended
        (void)CancelIoEx(stream->handle, &stream->read);
        (void)GetOverlappedResult(stream->handle, &stream->read, &size, TRUE);
    }
    if (stream->instances != NULL) {
        mproc__win_pipe_close(stream);
    } else {
        mproc__win_close(stream->handle, stream->family);
    }
    (void)CloseHandle(stream->read.hEvent);
    (void)CloseHandle(stream->write.hEvent);
    mproc__free(stream->name);
    mproc__free(stream);
}
