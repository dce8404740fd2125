/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c: reading from sockets, writing to them, waiting for them.
 */
#include "posix/stream.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/status.h"
#include "posix/posix.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* So many descriptors are waited for without taking memory. */
#define FEW 16

int mproc__posix_stream(int fd, enum mplat_family family, mplat_stream **ret_stream)
{
    mplat_stream *stream = mproc__malloc(sizeof(*stream));
    if (stream == NULL) {
        mproc__posix_close(fd);
        return mproc__fail(MPROC_ENOMEM, "no memory for a connection");
    }
    *stream = (mplat_stream){.fd = fd, .owner = getpid(), .family = family};
    if (family == MPLAT_FAMILY_TCP) {
        // Small messages are not held back, and a peer whose machine is gone is found out some day.
        const int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
    *ret_stream = stream;
    return MPROC_OK;
}

bool mplat_stream_has_messages(const mplat_stream *stream)
{
    (void)stream;
    return false;
}

mplat_handle mplat_stream_handle(const mplat_stream *stream)
{
    return (mplat_handle){stream->fd};
}

/* ---- waiting --------------------------------------------------------------------------------- */

/** poll() until a deadline. How many are ready, 0 when it has passed, -1 with errno. */
static int poll_until(struct pollfd *fds, size_t count, int64_t deadline)
{
    for (;;) {
        struct timespec left = {0, 0};
        if (deadline != INT64_MAX && deadline > 0) {
            int64_t now = mplat_now();
            int64_t ns = deadline > now ? deadline - now : 0;
            left = (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
        }
        int n = ppoll(fds, count, deadline == INT64_MAX ? NULL : &left, NULL);
        if (n >= 0 || errno != EINTR) {
            return n;
        }
    }
}

int mproc__posix_await(int fd, short events, int64_t deadline)
{
    struct pollfd item = {.fd = fd, .events = events};
    int n = poll_until(&item, 1, deadline);
    if (n == 0) {
        return mproc__fail(MPROC_ETIMEDOUT, "a connection: timed out");
    }
    return n > 0 ? MPROC_OK : mproc__fail_os(errno, "waiting for a connection");
}

int mplat_stream_wait(mplat_stream *const *streams, bool *ret_ready, size_t count,
                      mplat_handle sentinel, int64_t deadline)
{
    struct pollfd few[FEW];
    struct pollfd *fds = count + 1 <= FEW ? few : mproc__calloc(count + 1, sizeof(*fds));
    if (fds == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory to wait for %zu connections", count);
    }
    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = streams[i]->fd, .events = POLLIN};
    }
    fds[count] = (struct pollfd){.fd = (int)sentinel.os, .events = POLLIN}; // -1: left out
    int n = poll_until(fds, count + 1, deadline);
    int error = errno;
    for (size_t i = 0; i < count; i++) {
        ret_ready[i] = n > 0 && fds[i].revents != 0;
    }
    if (fds != few) {
        mproc__free(fds);
    }
    if (n < 0) {
        return mproc__fail_os(error, "waiting for connections");
    }
    return n > 0 ? MPROC_OK : mproc__fail_shortly(MPROC_ETIMEDOUT, "a connection: timed out");
}

/* ---- reading and writing --------------------------------------------------------------------- */

int mplat_stream_read(mplat_stream *stream, void *data, size_t size, size_t *ret_size,
                      bool *ret_is_end)
{
    ssize_t n;
    do {
        n = recv(stream->fd, data, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    *ret_is_end = false;
    if (n > 0) {
        *ret_size = (size_t)n;
        return MPROC_OK;
    }
    if (n == 0) {
        return mproc__fail_shortly(MPROC_ECLOSED, "the other end has closed the connection");
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return mproc__fail_shortly(MPROC_ETIMEDOUT, "nothing has come");
    }
    return mproc__fail_os(errno, "receiving from a connection");
}

/** Drop what has been written from the front of the pieces. */
static size_t advance(struct iovec *pieces, size_t count, size_t size)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        size_t done = size < pieces[i].iov_len ? size : pieces[i].iov_len;
        pieces[i].iov_base = (char *)pieces[i].iov_base + done;
        pieces[i].iov_len -= done;
        size -= done;
        left += pieces[i].iov_len;
    }
    return left;
}

int mplat_stream_write(mplat_stream *stream, const mplat_piece *pieces, size_t count,
                       int64_t deadline, size_t *ret_written)
{
    struct iovec vector[MPLAT_PIECES];
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = count};
    for (size_t i = 0; i < count; i++) {
        vector[i] = (struct iovec){(void *)(uintptr_t)pieces[i].data, pieces[i].size};
    }
    *ret_written = 0;
    while (advance(vector, count, 0) > 0) {
        ssize_t n = sendmsg(stream->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        int rc = MPROC_OK;
        if (n >= 0) {
            *ret_written += (size_t)n;
            (void)advance(vector, count, (size_t)n);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            rc = mproc__posix_await(stream->fd, POLLOUT, deadline);
        } else if (errno != EINTR) {
            rc = mproc__fail_os(errno, "sending over a connection");
        }
        if (rc < 0) {
            return rc;
        }
    }
    return MPROC_OK;
}

intptr_t mplat_stream_rest_of(mplat_stream *stream, mplat_stream_rest *ret_rest,
                              const void **ret_data)
{
    *ret_rest = (mplat_stream_rest){.family = (uint32_t)stream->family};
    *ret_data = NULL;
    return stream->fd;
}

int mplat_stream_adopt(intptr_t native, const mplat_stream_rest *rest, const void *data,
                       mplat_stream **ret_stream)
{
    (void)data;
    if (rest->size > 0) {
        mproc__posix_close((int)native);
        return mproc__fail(MPROC_ECORRUPT, "somebody has written over a connection on its way");
    }
    return mproc__posix_stream((int)native, (enum mplat_family)rest->family, ret_stream);
}

void mplat_stream_interrupt(mplat_stream *stream)
{
    (void)shutdown(stream->fd, SHUT_RDWR);
}

void mplat_stream_peer(const mplat_stream *stream, mplat_peer *ret_peer)
{
    struct ucred who;
    socklen_t size = sizeof(who);
    *ret_peer = (mplat_peer){.user = -1, .group = -1};
    if (stream->family == MPLAT_FAMILY_UNIX &&
        getsockopt(stream->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0) {
        *ret_peer = (mplat_peer){who.pid, who.uid, who.gid};
    }
}

void mplat_stream_close(mplat_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    bool is_own = stream->owner == getpid(); // in a copy, the number is somebody else's by now
    // Not a name that somebody else has taken meanwhile.
    struct stat status;
    if (is_own && stream->path != NULL && lstat(stream->path, &status) == 0 &&
        status.st_dev == stream->device && status.st_ino == stream->inode) {
        (void)unlink(stream->path);
    }
    mproc__posix_close(is_own ? stream->fd : -1);
    mproc__free(stream->path);
    mproc__free(stream);
}
