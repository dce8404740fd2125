/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell.c: doorbells: pairs of connected sockets on the loopback interface. To ring one is to send a byte.
 *
 * Why       The system's own objects that can be waited for, events above all, know nothing of who has them: no
 *           process learns from one that another was killed. Named pipes do, but cannot be waited for.
 * Stranger  Any process of the machine could connect to the listener while it is there. The port is known to
 *           nobody beforehand, and who has connected is compared with whom we know. What goes through is a byte that
 *           says nothing.
 */
#include "platform.h"

#include "base/status.h"
#include "win32/stream.h"
#include "win32/win32.h"

#include <ws2tcpip.h>

static SOCKET make_socket(void)
{
    return WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

static bool is_same(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
}

/** Accept until `mine` comes, whoever else does. */
static SOCKET accept_mine(SOCKET listener, const struct sockaddr_in *mine)
{
    for (;;) {
        struct sockaddr_in who = {.sin_family = AF_INET};
        int size = sizeof(who);
        SOCKET accepted = accept(listener, (struct sockaddr *)&who, &size);
        if (accepted == INVALID_SOCKET || is_same(&who, mine)) {
            return accepted;
        }
        (void)closesocket(accepted);
    }
}

/** 0, or an error of the system's. */
static int connect_pair(SOCKET listener, SOCKET client, SOCKET *ret_accepted)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
        connect(client, (struct sockaddr *)&address, size) != 0 ||
        getsockname(client, (struct sockaddr *)&address, &size) != 0) {
        return WSAGetLastError();
    }
    *ret_accepted = accept_mine(listener, &address);
    return *ret_accepted == INVALID_SOCKET ? WSAGetLastError() : 0;
}

static void close_socket(SOCKET made)
{
    if (made != INVALID_SOCKET) {
        (void)closesocket(made);
    }
}

/** Not inherited, and a byte goes at once. */
static void prepare(SOCKET made)
{
    const BOOL on = TRUE;
    u_long is_patient = 1;
    (void)SetHandleInformation((HANDLE)made, HANDLE_FLAG_INHERIT, 0);
    (void)setsockopt(made, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on));
    (void)ioctlsocket(made, (long)FIONBIO, &is_patient);
}

int mplat_doorbell_make(mplat_handle ret_ends[2])
{
    if (!mproc__win_sockets()) {
        return mproc__fail(MPROC_ESYSTEM, "there are no sockets");
    }
    SOCKET listener = make_socket();
    SOCKET client = make_socket();
    SOCKET accepted = INVALID_SOCKET;
    int error = listener == INVALID_SOCKET || client == INVALID_SOCKET
                    ? WSAGetLastError()
                    : connect_pair(listener, client, &accepted);
    close_socket(listener);
    if (error != 0) {
        close_socket(client);
        return error == WSAEMFILE
                   ? mproc__fail(MPROC_EMFILE, "there is no room for one more socket")
                   : mproc__fail_os(error, "making a pair of sockets");
    }
    prepare(client);
    prepare(accepted);
    ret_ends[0] = (mplat_handle){(intptr_t)client};
    ret_ends[1] = (mplat_handle){(intptr_t)accepted};
    return 0;
}

int mplat_doorbell_ring(mplat_handle end)
{
    int n = send((SOCKET)end.os, "", 1, 0);
    int error = n < 0 ? WSAGetLastError() : 0;
    switch (error) {
    case 0:
    case WSAEWOULDBLOCK: // there is no room for another one beside those that it has not heard
        return 0;
    case WSAECONNRESET:
    case WSAECONNABORTED:
    case WSAESHUTDOWN:
    case WSAENOTCONN:
        return mproc__fail_shortly(MPROC_EPEER, "nobody has the other end any more");
    default:
        return mproc__fail_os(error, "ringing a pipe's socket");
    }
}

/** Whether a byte, or the end, is there: whether the socket waits is whoever's choice that has a copy. */
static bool is_readable(SOCKET end)
{
    WSAPOLLFD item = {.fd = end, .events = POLLRDNORM};
    return WSAPoll(&item, 1, 0) > 0;
}

int mplat_doorbell_hush(mplat_handle end)
{
    char heard[64];
    int n = 1;
    while (n > 0 && is_readable((SOCKET)end.os)) {
        n = recv((SOCKET)end.os, heard, sizeof(heard), 0);
    }
    bool is_end = n == 0 || (n < 0 && WSAGetLastError() != WSAEWOULDBLOCK);
    return is_end ? mproc__fail_shortly(MPROC_ECLOSED, "nobody has the other end any more") : 0;
}

void mplat_doorbell_close(mplat_handle end)
{
    close_socket((SOCKET)end.os);
}
