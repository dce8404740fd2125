/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen.c: how strangers meet: named pipes, for which see named_pipe.c, and TCP.
 */
#include "win32/stream.h"

#include "base/compiler.h"
#include "base/status.h"
#include "win32/win32.h"

#include <ws2tcpip.h>

#include <stdio.h>

/* ---- TCP ------------------------------------------------------------------------------------- */

static BOOL CALLBACK start_sockets(PINIT_ONCE once, PVOID parameter, PVOID *context)
{
    (void)once;
    (void)parameter;
    (void)context;
    WSADATA data;
    return WSAStartup(MAKEWORD(2, 2), &data) == 0; // for as long as the process lives
}

bool mproc__win_sockets(void)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    return InitOnceExecuteOnce(&once, start_sockets, NULL, NULL);
}

static int resolve(const mplat_address *address, bool to_listen, ADDRINFOA **ret_list)
{
    char port[8];
    const ADDRINFOA hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_protocol = IPPROTO_TCP,
                             .ai_flags = to_listen ? AI_PASSIVE : 0};
    if (!mproc__win_sockets()) {
        return mproc__fail(MPROC_ESYSTEM, "there are no sockets");
    }
    (void)snprintf(port, sizeof(port), "%u", address->port);
    int error = getaddrinfo(address->name, port, &hints, ret_list);
    return error == 0 ? MPROC_OK
                      : mproc__fail(MPROC_ENOENT, "cannot find the host \"%s\" (system error %d)",
                                    address->name, error);
}

/** Sockets have errors of their own. */
static int fail_socket(int error, const char *verb, const mplat_address *address)
{
    switch (error) {
    case WSAEADDRINUSE:
        error = ERROR_ALREADY_EXISTS;
        break;
    case WSAEACCES:
        error = ERROR_ACCESS_DENIED;
        break;
    case WSAECONNREFUSED:
    case WSAEADDRNOTAVAIL:
        error = ERROR_FILE_NOT_FOUND;
        break;
    case WSAEMFILE:
        error = ERROR_TOO_MANY_OPEN_FILES;
        break;
    case WSAENOBUFS:
        error = ERROR_NOT_ENOUGH_MEMORY;
        break;
    case WSAETIMEDOUT:
        error = ERROR_TIMEOUT;
        break;
    case WSAEAFNOSUPPORT:
        error = ERROR_NOT_SUPPORTED;
        break;
    default:
        break;
    }
    return mproc__fail_os(error, "cannot %s %s, port %u", verb, address->name, address->port);
}

static SOCKET make_socket(const ADDRINFOA *info)
{
    return WSASocketW(info->ai_family, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

static int listen_at(const ADDRINFOA *info, const mplat_address *address, int backlog,
                     mplat_stream **ret_listener, mplat_address *ret_address)
{
    const BOOL on = TRUE;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } bound = {.in6 = {0}};
    int size = sizeof(bound);
    SOCKET made = make_socket(info);
    if (made == INVALID_SOCKET) {
        return fail_socket(WSAGetLastError(), "listen at", address);
    }
    // Or else another program could take the port over.
    (void)setsockopt(made, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof(on));
    if (info->ai_family == AF_INET6) {
        (void)setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&on, sizeof(on));
    }
    if (bind(made, info->ai_addr, (int)info->ai_addrlen) != 0 || listen(made, backlog) != 0 ||
        getsockname(made, &bound.any, &size) != 0) {
        int error = WSAGetLastError();
        (void)closesocket(made);
        return fail_socket(error, "listen at", address);
    }
    int rc = mproc__win_stream((HANDLE)(uintptr_t)made, MPLAT_FAMILY_TCP, ret_listener);
    if (rc >= 0 && WSAEventSelect(made, (*ret_listener)->read.hEvent, FD_ACCEPT) != 0) {
        rc = fail_socket(WSAGetLastError(), "listen at", address);
        mplat_stream_close(*ret_listener);
    }
    if (rc >= 0) {
        (*ret_listener)->is_listener = true;
        ret_address->port =
            ntohs(bound.any.sa_family == AF_INET6 ? bound.in6.sin6_port : bound.in.sin_port);
    }
    return rc;
}

/** Wait for a connection that is being made. 0 or an error of the system's. */
static int await_connect(SOCKET made, HANDLE event, int64_t deadline)
{
    WSANETWORKEVENTS found = {0};
    DWORD rc;
    do {
        rc = WaitForSingleObject(event, mproc__win_milliseconds(deadline));
    } while (rc == WAIT_TIMEOUT && deadline > 0 && mplat_now() < deadline);
    if (rc == WAIT_TIMEOUT) {
        return WSAETIMEDOUT;
    }
    return WSAEnumNetworkEvents(made, event, &found) != 0 ? WSAGetLastError()
                                                          : found.iErrorCode[FD_CONNECT_BIT];
}

/** No more events. It does not block from then on, either, which matters to no overlapped call. */
static void forget_events(SOCKET made)
{
    (void)WSAEventSelect(made, NULL, 0);
}

static int connect_at(const ADDRINFOA *info, const mplat_address *address, int64_t deadline,
                      mplat_stream **ret_stream)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    SOCKET made = event != NULL ? make_socket(info) : INVALID_SOCKET;
    int error = made == INVALID_SOCKET ? WSAGetLastError() : 0;
    if (error == 0 && WSAEventSelect(made, event, FD_CONNECT) != 0) {
        error = WSAGetLastError();
    }
    if (error == 0 && connect(made, info->ai_addr, (int)info->ai_addrlen) != 0) {
        error = WSAGetLastError();
        error = error == WSAEWOULDBLOCK ? await_connect(made, event, deadline) : error;
    }
    if (error == 0) {
        forget_events(made);
    }
    mplat_handle_close(mproc__win_handle(event));
    if (error != 0) {
        if (made != INVALID_SOCKET) {
            (void)closesocket(made);
        }
        return fail_socket(error, "connect to", address);
    }
    return mproc__win_stream((HANDLE)(uintptr_t)made, MPLAT_FAMILY_TCP, ret_stream);
}

static int accept_tcp(mplat_stream *listener, mplat_stream **ret_stream)
{
    // First: what comes after the accept that finds nobody sets it again.
    (void)ResetEvent(listener->read.hEvent);
    SOCKET made = accept(mproc__win_socket(listener), NULL, NULL);
    if (made == INVALID_SOCKET) {
        int error = WSAGetLastError();
        if (error == WSAEMFILE || error == WSAENOBUFS) {
            (void)SetEvent(listener->read.hEvent); // it is still there
            return mproc__fail_os(error == WSAEMFILE ? ERROR_TOO_MANY_OPEN_FILES
                                                     : ERROR_NOT_ENOUGH_MEMORY,
                                  "cannot accept a connection");
        }
        return mproc__fail_shortly(MPROC_ETIMEDOUT, "nobody has connected");
    }
    (void)SetHandleInformation((HANDLE)(uintptr_t)made, HANDLE_FLAG_INHERIT, 0);
    forget_events(made);
    return mproc__win_stream((HANDLE)(uintptr_t)made, MPLAT_FAMILY_TCP, ret_stream);
}

/* ---- the interface --------------------------------------------------------------------------- */

int mplat_address_choose(mplat_address *ret_address)
{
    uint64_t random[2];
    int rc = mplat_random(random, sizeof(random));
    if (rc >= 0) {
        *ret_address = (mplat_address){.family = MPLAT_FAMILY_PIPE};
        (void)snprintf(ret_address->name, sizeof(ret_address->name), "mproc-%016llx%016llx",
                       (unsigned long long)random[0], (unsigned long long)random[1]);
    }
    return rc;
}

static int no_unix(void)
{
    return mproc__fail(MPROC_ENOTSUP, "addresses that begin with unix: are not for Windows");
}

int mplat_listen(const mplat_address *address, int backlog, bool is_public,
                 mplat_stream **ret_listener, mplat_address *ret_address)
{
    *ret_address = *address;
    if (address->family != MPLAT_FAMILY_TCP) {
        return address->family == MPLAT_FAMILY_PIPE
                   ? mproc__win_pipe_listen(address, backlog, is_public, ret_listener)
                   : no_unix();
    }
    ADDRINFOA *list = NULL;
    int rc = resolve(address, true, &list);
    if (rc >= 0) {
        rc = MPROC_ENOENT;
        for (const ADDRINFOA *info = list; info != NULL && rc < 0; info = info->ai_next) {
            rc = listen_at(info, address, backlog, ret_listener, ret_address);
        }
        freeaddrinfo(list);
    }
    return rc;
}

int mplat_connect(const mplat_address *address, int64_t deadline, mplat_stream **ret_stream)
{
    if (address->family != MPLAT_FAMILY_TCP) {
        return address->family == MPLAT_FAMILY_PIPE
                   ? mproc__win_pipe_connect(address, deadline, ret_stream)
                   : no_unix();
    }
    ADDRINFOA *list = NULL;
    int rc = resolve(address, false, &list);
    if (rc >= 0) {
        rc = MPROC_ENOENT;
        for (const ADDRINFOA *info = list; info != NULL && rc < 0; info = info->ai_next) {
            rc = connect_at(info, address, deadline, ret_stream);
        }
        freeaddrinfo(list);
    }
    return rc;
}

int mplat_accept(mplat_stream *listener, mplat_stream **ret_stream)
{
    return listener->family == MPLAT_FAMILY_PIPE ? mproc__win_pipe_accept(listener, ret_stream)
                                                 : accept_tcp(listener, ret_stream);
}
