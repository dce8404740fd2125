/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell.c: doorbells: pairs of message sockets. To ring one is to send a byte.
 */
#include "platform.h"

#include "base/status.h"
#include "posix/posix.h"

#include <errno.h>
#include <sys/socket.h>

int mplat_doorbell_make(mplat_handle ret_ends[2])
{
    int fds[2];
    int rc = mproc__posix_socketpair(fds, false);
    if (rc >= 0) {
        mproc__posix_share(fds[0]); // with copies
        ret_ends[0] = (mplat_handle){fds[0]};
        ret_ends[1] = (mplat_handle){fds[1]};
    }
    return rc;
}

int mplat_doorbell_ring(mplat_handle end)
{
    ssize_t n;
    do {
        n = send((int)end.os, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n >= 0 || errno == EAGAIN || errno == EWOULDBLOCK) {
        return MPROC_OK; // there is no room for another one beside those that it has not heard
    }
    return errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED || errno == ENOTCONN
               ? mproc__fail_shortly(MPROC_EPEER, "nobody has the other end any more")
               : mproc__fail_os(errno, "ringing a pipe's descriptor %d", (int)end.os);
}

int mplat_doorbell_hush(mplat_handle end)
{
    char heard[8];
    ssize_t n;
    do {
        n = recv((int)end.os, heard, sizeof(heard), MSG_DONTWAIT);
        // Reset: the other end went without having heard all; behind that there may be more.
    } while (n > 0 || (n < 0 && (errno == EINTR || errno == ECONNRESET)));
    return n == 0 ? mproc__fail_shortly(MPROC_ECLOSED, "nobody has the other end any more")
                  : MPROC_OK;
}

void mplat_doorbell_close(mplat_handle end)
{
    mproc__posix_close((int)end.os);
}
