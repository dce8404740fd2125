/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.c: small messages with descriptors, over pairs of sockets that have no name.
 *
 * Message sockets (SOCK_SEQPACKET) keep messages whole, whoever dies while he sends or receives.
 */
#include "posix/posix.h"

#include "base/deadline.h"
#include "base/status.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int make_pair(int fds[2], bool is_raised)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
        return mproc__fail_os(errno, "no pair of sockets");
    }
    int rc = is_raised ? mproc__posix_raise_fd(&fds[0]) : MPROC_OK;
    if (rc < 0) {
        (void)close(fds[1]);
        return rc;
    }
    rc = is_raised ? mproc__posix_raise_fd(&fds[1]) : MPROC_OK;
    if (rc < 0) {
        (void)close(fds[0]);
    }
    return rc;
}

int mproc__posix_socketpair(int fds[2], bool is_raised)
{
    mproc__posix_private_lock();
    int rc = make_pair(fds, is_raised);
    if (rc >= 0) {
        mproc__posix_mark_locked(fds[0]);
    }
    mproc__posix_private_unlock();
    return rc;
}

/* Control data must be aligned as its header is. */
typedef union control {
    struct cmsghdr head;
    char space[CMSG_SPACE(MPROC__POSIX_MAX_FDS * sizeof(int))];
} control;

int mproc__posix_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds)
{
    control extra;
    memset(&extra, 0, sizeof(extra));
    struct iovec part = {.iov_len = size};
    memcpy(&part.iov_base, &data, sizeof(data)); // sendmsg does not write to it
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (n_fds > 0) {
        message.msg_control = &extra;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(head), fds, n_fds * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size ? MPROC_OK : mproc__fail_os(sent < 0 ? errno : EIO, "cannot send");
}

static size_t collect_fds(struct msghdr *message, int *ret_fds)
{
    size_t count = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL;
         head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
            size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < n && count < MPROC__POSIX_MAX_FDS; i++) {
                memcpy(&ret_fds[count++], CMSG_DATA(head) + i * sizeof(int), sizeof(int));
            }
        }
    }
    return count;
}

/** One try. What comes is private from its first instant. */
static ssize_t receive_now(int fd, struct msghdr *message, int *ret_fds, size_t *ret_n_fds)
{
    mproc__posix_private_lock();
    ssize_t got = recvmsg(fd, message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    int error = errno;
    *ret_n_fds = got > 0 ? collect_fds(message, ret_fds) : 0;
    for (size_t i = 0; i < *ret_n_fds; i++) {
        mproc__posix_mark_locked(ret_fds[i]);
    }
    mproc__posix_private_unlock();
    errno = error;
    return got;
}

static int wait_readable(int fd, int64_t deadline)
{
    mplat_handle handle = {fd};
    size_t index;
    return mplat_sentinel_wait(&handle, 1, deadline, &index);
}

int mproc__posix_receive(int fd, void *data, size_t size, int *ret_fds, size_t *ret_n_fds,
                         int64_t deadline)
{
    control extra;
    struct iovec part = {.iov_base = data, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &extra,
        .msg_controllen = sizeof(extra),
    };
    ssize_t got;
    while ((got = receive_now(fd, &message, ret_fds, ret_n_fds)) < 0) {
        int rc = MPROC_OK;
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            rc = wait_readable(fd, deadline);
        } else if (errno != EINTR) {
            rc = mproc__fail_os(errno, "cannot receive");
        }
        if (rc < 0) {
            return rc;
        }
        message.msg_controllen = sizeof(extra);
    }
    if (got == (ssize_t)size && !(message.msg_flags & (MSG_CTRUNC | MSG_TRUNC))) {
        return MPROC_OK;
    }
    for (size_t i = 0; i < *ret_n_fds; i++) {
        mproc__posix_close(ret_fds[i]);
    }
    *ret_n_fds = 0;
    if (got == 0) {
        return mproc__fail(MPROC_EPEER, "the other side is gone");
    }
    return message.msg_flags & MSG_CTRUNC
               ? mproc__fail(MPROC_EMFILE,
                             "descriptors were sent, but there was no room for them here")
               : mproc__fail(MPROC_ECORRUPT, "a message of another size than expected");
}
