/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen.c: how strangers meet: Unix sockets, by path or abstract, and TCP.
 *
 * Private  A socket file has mode 0600 from its first instant on. An abstract name has no mode: whoever
 *          connects to one is asked for his user, and turned away if it is another's; root may.
 * Stale    A socket file outlives its owner. Whoever wants its name tries to connect: refused means that
 *          nobody has it. All of that happens with the folder locked, so that two who come at once do
 *          not take each other's new file for a stale one.
 */
#include "posix/stream.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/status.h"
#include "posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Somebody may hold the lock of a folder for ever, to annoy: then it is done without. */
#define MOST_NS_FOR_A_LOCK 1000000000

/** A socket that copies of this process do not keep. */
static int make_socket(int domain, bool is_blocking, int *ret_fd)
{
    mproc__posix_private_lock();
    int fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC | (is_blocking ? 0 : SOCK_NONBLOCK), 0);
    int rc = fd < 0 ? mproc__fail_os(errno, "making a socket") : mproc__posix_raise_fd(&fd);
    if (rc >= 0) {
        mproc__posix_mark_locked(fd);
        *ret_fd = fd;
    }
    mproc__posix_private_unlock();
    return rc;
}

/* ---- Unix sockets ---------------------------------------------------------------------------- */

static int unix_address(const mplat_address *address, struct sockaddr_un *ret_un,
                        socklen_t *ret_size)
{
    size_t length = strlen(address->name);
    bool is_abstract = address->name[0] == '@';
    // A path has a NUL, an abstract name has one in front.
    if (length == 0 || length >= sizeof(ret_un->sun_path)) {
        return mproc__fail(MPROC_ETOOBIG,
                           "the address unix:%s has %zu bytes, the system takes 1 to %zu",
                           address->name, length, sizeof(ret_un->sun_path) - 1);
    }
    *ret_un = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_un->sun_path, address->name, length);
    if (is_abstract) {
        ret_un->sun_path[0] = '\0';
    }
    *ret_size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (is_abstract ? 0 : 1));
    return MPROC_OK;
}

/** Lock the folder of a path; -1 if that cannot be. */
static int lock_folder(const char *path)
{
    char folder[sizeof(((mplat_address *)NULL)->name)];
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 0 : (int)(slash - path) + 1;
    (void)snprintf(folder, sizeof(folder), "%.*s.", length, path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int64_t deadline = mplat_now() + MOST_NS_FOR_A_LOCK;
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && mplat_now() < deadline) {
        (void)sched_yield();
    }
    return fd;
}

/** Remove a socket file on which nobody listens. 0, MPROC_EEXIST or what the system says. */
static int remove_stale(const struct sockaddr_un *un, socklen_t size)
{
    struct stat status;
    const char *path = un->sun_path;
    if (lstat(path, &status) < 0) {
        return errno == ENOENT ? MPROC_OK : mproc__fail_os(errno, "cannot look at %s", path);
    }
    if (!S_ISSOCK(status.st_mode)) {
        return mproc__fail(MPROC_EEXIST, "cannot listen at %s: that is no socket", path);
    }
    // A socket of another type: whose owner lives is found, but not disturbed.
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return mproc__fail_os(errno, "making a socket");
    }
    bool is_stale = connect(fd, (const struct sockaddr *)un, size) < 0 && errno == ECONNREFUSED;
    (void)close(fd);
    if (!is_stale) {
        return mproc__fail(MPROC_EEXIST, "cannot listen at %s: somebody does already", path);
    }
    return unlink(path) == 0 || errno == ENOENT
               ? MPROC_OK
               : mproc__fail_os(errno, "cannot remove the stale socket %s", path);
}

/** Bind a socket to its path, and listen, so that nobody finds it half made. */
static int bind_path(mplat_stream *stream, const struct sockaddr_un *un, socklen_t size,
                     int backlog)
{
    const mode_t mode = stream->is_public ? 0666 : 0600;
    struct stat status;
    int rc = remove_stale(un, size);
    if (rc < 0) {
        return rc;
    }
    // What the new file is given, less the umask.
    if (fchmod(stream->fd, mode) < 0 || bind(stream->fd, (const struct sockaddr *)un, size) < 0) {
        return mproc__fail_os(errno, "cannot listen at %s", un->sun_path);
    }
    if (lstat(un->sun_path, &status) == 0) {
        stream->device = status.st_dev;
        stream->inode = status.st_ino;
        stream->path = mproc__malloc(size);
        if (stream->path != NULL) {
            memcpy(stream->path, un->sun_path, strlen(un->sun_path) + 1);
        }
    }
    if (stream->path == NULL || (stream->is_public && chmod(un->sun_path, mode) < 0) ||
        listen(stream->fd, backlog) < 0) {
        int error = stream->path == NULL ? ENOMEM : errno;
        (void)unlink(un->sun_path);
        return mproc__fail_os(error, "cannot listen at %s", un->sun_path);
    }
    return MPROC_OK;
}

static int listen_unix(const mplat_address *address, int backlog, bool is_public,
                       mplat_stream **ret_listener)
{
    struct sockaddr_un un;
    socklen_t size = 0;
    int fd;
    mplat_stream *stream = NULL;
    int rc = unix_address(address, &un, &size);
    if (rc < 0 || (rc = make_socket(AF_UNIX, false, &fd)) < 0 ||
        (rc = mproc__posix_stream(fd, MPLAT_FAMILY_UNIX, &stream)) < 0) {
        return rc;
    }
    stream->is_public = is_public;
    if (un.sun_path[0] != '\0') {
        int lock = lock_folder(un.sun_path);
        rc = bind_path(stream, &un, size, backlog);
        if (lock >= 0) {
            (void)close(lock);
        }
    } else if (bind(fd, (const struct sockaddr *)&un, size) < 0 || listen(fd, backlog) < 0) {
        rc = mproc__fail_os(errno, "cannot listen at unix:%s", address->name);
    }
    if (rc < 0) {
        mplat_stream_close(stream);
        return rc;
    }
    *ret_listener = stream;
    return MPROC_OK;
}

static int connect_unix(const mplat_address *address, int64_t deadline, mplat_stream **ret_stream)
{
    struct sockaddr_un un;
    socklen_t size = 0;
    int fd;
    int rc = unix_address(address, &un, &size);
    // Blocking, for only so the kernel waits for a place among those who are to be accepted.
    if (rc < 0 || (rc = make_socket(AF_UNIX, true, &fd)) < 0) {
        return rc;
    }
    for (;;) {
        struct timeval left = {0, 0}; // none
        if (deadline != INT64_MAX) {
            int64_t ns = deadline - mplat_now();
            int64_t us = ns > 1000 ? ns / 1000 : 1;
            left = (struct timeval){us / 1000000, us % 1000000};
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left));
        if (connect(fd, (const struct sockaddr *)&un, size) == 0) {
            break;
        }
        if (errno != EINTR) {
            rc = errno == EAGAIN
                     ? mproc__fail(MPROC_ETIMEDOUT, "connect: %s accepts nobody", address->name)
                     : mproc__fail_os(errno, "cannot connect to unix:%s", address->name);
            mproc__posix_close(fd);
            return rc;
        }
    }
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    return mproc__posix_stream(fd, MPLAT_FAMILY_UNIX, ret_stream);
}

/* ---- TCP ------------------------------------------------------------------------------------- */

static int resolve(const mplat_address *address, bool to_listen, struct addrinfo **ret_list)
{
    char port[8];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0)};
    (void)snprintf(port, sizeof(port), "%u", address->port);
    int error = getaddrinfo(address->name, port, &hints, ret_list);
    if (error == EAI_SYSTEM) {
        return mproc__fail_os(errno, "cannot find the host \"%s\"", address->name);
    }
    return error == 0
               ? MPROC_OK
               : mproc__fail(error == EAI_MEMORY ? MPROC_ENOMEM : MPROC_ENOENT,
                             "cannot find the host \"%s\": %s", address->name, gai_strerror(error));
}

static int listen_at(const struct addrinfo *info, const mplat_address *address, int backlog,
                     mplat_stream **ret_listener, mplat_address *ret_address)
{
    const int on = 1;
    int fd;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } bound = {.in6 = {0}};
    socklen_t size = sizeof(bound);
    int rc = make_socket(info->ai_family, false, &fd);
    if (rc < 0) {
        return rc;
    }
    // The port of a listener that has just ended is free again.
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, backlog) < 0 ||
        getsockname(fd, &bound.any, &size) < 0) {
        rc = mproc__fail_os(errno, "cannot listen at %s, port %u", address->name, address->port);
        mproc__posix_close(fd);
        return rc;
    }
    ret_address->port =
        ntohs(bound.any.sa_family == AF_INET6 ? bound.in6.sin6_port : bound.in.sin_port);
    return mproc__posix_stream(fd, MPLAT_FAMILY_TCP, ret_listener);
}

static int connect_at(const struct addrinfo *info, const mplat_address *address, int64_t deadline,
                      mplat_stream **ret_stream)
{
    int fd;
    int rc = make_socket(info->ai_family, false, &fd);
    if (rc < 0) {
        return rc;
    }
    int error = connect(fd, info->ai_addr, info->ai_addrlen) < 0 ? errno : 0;
    if (error == EINPROGRESS || error == EINTR) {
        socklen_t size = sizeof(error);
        rc = mproc__posix_await(fd, POLLOUT, deadline);
        if (rc >= 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
            error = errno;
        }
    }
    if (rc >= 0 && error != 0) {
        rc = mproc__fail_os(error, "cannot connect to %s, port %u", address->name, address->port);
    }
    if (rc < 0) {
        mproc__posix_close(fd);
        return rc;
    }
    return mproc__posix_stream(fd, MPLAT_FAMILY_TCP, ret_stream);
}

/* ---- the interface --------------------------------------------------------------------------- */

int mplat_address_choose(mplat_address *ret_address)
{
    uint64_t random[2];
    int rc = mplat_random(random, sizeof(random));
    if (rc >= 0) {
        *ret_address = (mplat_address){.family = MPLAT_FAMILY_UNIX};
        (void)snprintf(ret_address->name, sizeof(ret_address->name), "@mproc-%016llx%016llx",
                       (unsigned long long)random[0], (unsigned long long)random[1]);
    }
    return rc;
}

static int no_pipes(void)
{
    return mproc__fail(MPROC_ENOTSUP, "addresses that begin with pipe: are for Windows");
}

int mplat_listen(const mplat_address *address, int backlog, bool is_public,
                 mplat_stream **ret_listener, mplat_address *ret_address)
{
    *ret_address = *address;
    if (address->family != MPLAT_FAMILY_TCP) {
        return address->family == MPLAT_FAMILY_UNIX
                   ? listen_unix(address, backlog, is_public, ret_listener)
                   : no_pipes();
    }
    struct addrinfo *list = NULL;
    int rc = resolve(address, true, &list);
    if (rc >= 0) {
        rc = MPROC_ENOENT;
        for (const struct addrinfo *info = list; info != NULL && rc < 0; info = info->ai_next) {
            rc = listen_at(info, address, backlog, ret_listener, ret_address);
        }
        freeaddrinfo(list);
    }
    return rc;
}

int mplat_connect(const mplat_address *address, int64_t deadline, mplat_stream **ret_stream)
{
    if (address->family != MPLAT_FAMILY_TCP) {
        return address->family == MPLAT_FAMILY_UNIX ? connect_unix(address, deadline, ret_stream)
                                                    : no_pipes();
    }
    struct addrinfo *list = NULL;
    int rc = resolve(address, false, &list);
    if (rc >= 0) {
        rc = MPROC_ENOENT;
        for (const struct addrinfo *info = list; info != NULL && rc < 0; info = info->ai_next) {
            rc = connect_at(info, address, deadline, ret_stream);
        }
        freeaddrinfo(list);
    }
    return rc;
}

/** Whether who has connected may: asked only where nothing else has kept others away. */
static int check_user(const mplat_stream *listener, mplat_stream *stream)
{
    mplat_peer peer;
    if (listener->is_public || listener->family != MPLAT_FAMILY_UNIX || listener->path != NULL) {
        return MPROC_OK;
    }
    mplat_stream_peer(stream, &peer);
    if (peer.user == 0 || peer.user == (int64_t)geteuid()) {
        return MPROC_OK;
    }
    mplat_stream_close(stream);
    return mproc__fail(MPROC_EACCES, "turned away: a process of user %lld", (long long)peer.user);
}

int mplat_accept(mplat_stream *listener, mplat_stream **ret_stream)
{
    mplat_stream *stream = NULL;
    mproc__posix_private_lock();
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int error = errno;
    int rc = fd < 0 ? MPROC_ETIMEDOUT : mproc__posix_raise_fd(&fd);
    if (rc >= 0) {
        mproc__posix_mark_locked(fd);
    }
    mproc__posix_private_unlock();
    if (fd < 0 && (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS)) {
        return mproc__fail_os(error == ENOBUFS ? ENOMEM : error, "cannot accept a connection");
    }
    if (rc < 0) { // nobody, or one that is gone again
        return rc == MPROC_ETIMEDOUT ? mproc__fail_shortly(rc, "nobody has connected") : rc;
    }
    rc = mproc__posix_stream(fd, listener->family, &stream);
    if (rc >= 0 && (rc = check_user(listener, stream)) >= 0) {
        *ret_stream = stream;
    }
    return rc;
}
