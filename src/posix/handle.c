/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle.c: descriptors, none of which survives an exec by accident.
 */
#include "platform.h"

#include "base/status.h"
#include "posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

void mplat_handle_close(mplat_handle handle)
{
    mproc__posix_close((int)handle.os);
}

int mproc__posix_raise_fd(int *fd)
{
    if (*fd >= MPROC__POSIX_FIRST_FD) {
        return MPROC_OK;
    }
    int raised = fcntl(*fd, F_DUPFD_CLOEXEC, MPROC__POSIX_FIRST_FD);
    int error = errno;
    (void)close(*fd);
    *fd = raised;
    // A limit below the place asked for is an invalid argument to the kernel.
    return raised >= 0 ? MPROC_OK
                       : mproc__fail_os(error == EINVAL ? EMFILE : error, "out of descriptors");
}

int mplat_file_open(const char *path, bool for_writing, mplat_handle *ret_handle)
{
    int flags = for_writing ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY;
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return mproc__fail_os(errno, "cannot open %s", path);
    }
    int rc = mproc__posix_raise_fd(&fd);
    if (rc >= 0) {
        *ret_handle = (mplat_handle){fd};
    }
    return rc;
}

int mplat_signal_make(mplat_handle *ret_sentinel)
{
    mproc__posix_private_lock();
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = fd < 0 ? mproc__fail_os(errno, "making a sentinel") : mproc__posix_raise_fd(&fd);
    if (rc >= 0) {
        mproc__posix_mark_locked(fd);
        *ret_sentinel = (mplat_handle){fd};
    }
    mproc__posix_private_unlock();
    return rc;
}

void mplat_signal_raise(mplat_handle sentinel)
{
    (void)eventfd_write((int)sentinel.os, 1); // fails only after 2^64 - 2 of them
}

int mplat_directory(char *ret_path, size_t size)
{
    return getcwd(ret_path, size) != NULL
               ? MPROC_OK
               : mproc__fail_os(errno == ERANGE ? ENAMETOOLONG : errno, "no current directory");
}

int mproc__posix_redirect(int from, int to)
{
    // The copy lives through exec; the original does not, unless it is its own copy.
    if (from == to) {
        return fcntl(from, F_SETFD, 0) == 0
                   ? MPROC_OK
                   : mproc__fail_os(errno, "cannot redirect stream %d", to);
    }
    return dup2(from, to) >= 0 ? MPROC_OK : mproc__fail_os(errno, "cannot redirect stream %d", to);
}

/* The null device, opened before the first copy is made, so that copies need not look it up. */
static int null_fd = -1;

void mproc__posix_open_null(void)
{
    if (null_fd < 0) {
        null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null_fd >= 0) {
            (void)mproc__posix_raise_fd(&null_fd);
        }
    }
}

int mproc__posix_child_streams(const mplat_handle stdio[3])
{
    int input = stdio[0].os >= 0 ? (int)stdio[0].os : null_fd;
    int rc = input >= 0 ? mproc__posix_redirect(input, 0)
                        : mproc__fail(MPROC_EMFILE, "the null device cannot be opened");
    for (int i = 1; i < 3 && rc >= 0; i++) {
        if (stdio[i].os >= 0) {
            rc = mproc__posix_redirect((int)stdio[i].os, i);
        }
    }
    return rc;
}

void mproc__posix_close_from(int first)
{
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0) == 0) {
        return;
    }
    // Before Linux 5.9, or denied.
    struct rlimit limit;
    int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1 << 20
                  ? (int)limit.rlim_cur
                  : 1 << 20;
    for (int fd = first; fd < end; fd++) {
        (void)close(fd);
    }
}

int mproc__posix_die_with(int fd)
{
    // The kernel sends the owner of the socket a signal when its other end is gone: SIGKILL, which
    // needs no handler and no thread of ours, and works whichever thread of the parent made us.
    if (fcntl(fd, F_SETOWN, getpid()) < 0 || fcntl(fd, F_SETSIG, SIGKILL) < 0 ||
        fcntl(fd, F_SETFL, O_ASYNC) < 0) {
        return mproc__fail_os(errno, "cannot tie this process to its parent");
    }
    return MPROC_OK;
}
