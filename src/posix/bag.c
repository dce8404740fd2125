/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bag.c: the bag: descriptors on their way in a pair of sockets that never arrive.
 *
 * Why       A descriptor lives in some process's table, or in the kernel in a message that nobody has
 *           received. The second one belongs to no process: so whoever passes a descriptor puts it in a
 *           message to the family, and may die.
 * How       Every member has both ends. A message is an owner and its serial, and one descriptor. To have
 *           a copy one looks at the message where it lies (MSG_PEEK, which copies descriptors too;
 *           SO_PEEK_OFF says which one). Only the first message can be taken out. So what lies before an
 *           unwanted one goes to the end: first its copy is sent, then it is taken out.
 * Always    B1  what is wanted is in the bag, at every instant
 *           B2  at most one message is in it twice, and then it is the first and the last one
 * Bounds    The kernel limits the bytes (net.core.wmem_max) and what a user may have on its way
 *           (RLIMIT_NOFILE, but for root). At the second limit nothing can be moved: what is unwanted behind
 *           a wanted one then stays until another one goes.
 * Death     Killed between copy and taking out leaves B2's pair, of which the heir removes one. When all
 *           members are gone, so are the sockets and what is in them.
 */
#include "platform.h"

#include "base/status.h"
#include "posix/posix.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is asked for, and the system gives some of: a descriptor takes 768 bytes or so. */
#define WISHED_BYTES (1 << 20)

/* Left free by who puts something in: the room for a copy of what is moved to the end. */
#define MARGIN 4096

/* What each message says. */
struct label {
    uint64_t owner;
    uint64_t serial;
};

/* Control data must be aligned as its header is. */
typedef union control {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
} control;

/** Which socket a descriptor is; 0: none. */
static uint64_t mark_of(mplat_handle handle)
{
    struct stat status;
    return handle.os >= 0 && fstat((int)handle.os, &status) == 0 && S_ISSOCK(status.st_mode)
               ? (uint64_t)status.st_ino
               : 0;
}

mplat_bag mproc__posix_bag_at(int in, int out)
{
    mplat_bag bag = {.in = {in}, .out = {out}};
    bag.in_mark = mark_of(bag.in);
    bag.out_mark = mark_of(bag.out);
    return bag;
}

void mproc__posix_bag_make(mplat_bag *ret_bag)
{
    int fds[2];
    const int first = 0;
    *ret_bag = MPLAT_NO_BAG;
    if (mproc__posix_socketpair(fds, true) < 0) {
        return; // the family gets along without it
    }
    if (setsockopt(fds[1], SOL_SOCKET, SO_PEEK_OFF, &first, sizeof(first)) < 0) {
        mproc__posix_close(fds[0]); // not quite Linux
        mproc__posix_close(fds[1]);
        return;
    }
    mproc__posix_share(fds[0]); // with copies, too
    const int wished = WISHED_BYTES;
    (void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &wished, sizeof(wished));
    *ret_bag = mproc__posix_bag_at(fds[0], fds[1]);
}

/** Whether the bag is there: not if the application has closed all descriptors, whose numbers may be others' now. */
static bool is_there(mplat_bag *bag)
{
    bool is_ours =
        bag->in.os >= 0 && mark_of(bag->in) == bag->in_mark && mark_of(bag->out) == bag->out_mark;
    if (!is_ours) {
        *bag = MPLAT_NO_BAG;
    }
    return is_ours;
}

static int no_bag(void)
{
    return mproc__fail(MPROC_ENOTSUP,
                       "this process has no descriptors to pass others by: the system "
                       "gave the family none, or the application has closed them");
}

/* ---- messages -------------------------------------------------------------------------------- */

/** errno, or 0. */
static int send_copy(const mplat_bag *bag, const struct label *label, int fd)
{
    control extra;
    struct label copy = *label;
    struct iovec part = {.iov_base = &copy, .iov_len = sizeof(copy)};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &extra,
        .msg_controllen = sizeof(extra),
    };
    memset(&extra, 0, sizeof(extra));
    extra.head.cmsg_level = SOL_SOCKET;
    extra.head.cmsg_type = SCM_RIGHTS;
    extra.head.cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(&extra.head), &fd, sizeof(fd));
    ssize_t sent;
    do {
        sent = sendmsg((int)bag->in.os, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof(copy) ? 0 : sent < 0 ? errno : EIO;
}

/**
 * Receive a message, or look at it.
 *
 * @param ret_fd  NULL, or set to its descriptor; -1: there was no room for it
 * @return whether there is one
 */
static bool receive(const mplat_bag *bag, int flags, struct label *ret_label, int *ret_fd)
{
    control extra;
    struct iovec part = {.iov_base = ret_label, .iov_len = sizeof(*ret_label)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t got;
    do {
        message.msg_control = ret_fd != NULL ? &extra : NULL;
        message.msg_controllen = ret_fd != NULL ? sizeof(extra) : 0;
        got = recvmsg((int)bag->out.os, &message, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (ret_fd != NULL) {
        const struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
        *ret_fd = -1;
        if (head != NULL && head->cmsg_type == SCM_RIGHTS &&
            head->cmsg_len >= CMSG_LEN(sizeof(int))) {
            memcpy(ret_fd, CMSG_DATA(&extra.head), sizeof(*ret_fd));
        }
    }
    return got == (ssize_t)sizeof(*ret_label);
}

static void set_peek_offset(const mplat_bag *bag, int offset)
{
    (void)setsockopt((int)bag->out.os, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset));
}

/** Which message is looked at next; each look goes on to the one behind it. */
static void look_from(const mplat_bag *bag, uint64_t index)
{
    set_peek_offset(bag, (int)(index * sizeof(struct label)));
}

/** Look at the first one, each time. */
static void look_at_first(const mplat_bag *bag)
{
    set_peek_offset(bag, -1);
}

static bool look(const mplat_bag *bag, struct label *ret_label, int *ret_fd)
{
    return receive(bag, MSG_PEEK, ret_label, ret_fd);
}

static void take_out(const mplat_bag *bag)
{
    struct label unused;
    (void)receive(bag, 0, &unused, NULL); // without room for its descriptor, which is closed
}

/** How many messages there are. */
static uint64_t count(const mplat_bag *bag)
{
    struct label unused;
    uint64_t n = 0;
    look_from(bag, 0);
    while (look(bag, &unused, NULL)) {
        n++;
    }
    return n;
}

/* ---- put and get ----------------------------------------------------------------------------- */

/** Whether there is room for one more, and for a copy of one that is moved. */
static bool has_room(const mplat_bag *bag)
{
    int used = 0;
    int limit = 0;
    socklen_t size = sizeof(limit);
    return ioctl((int)bag->in.os, SIOCOUTQ, &used) < 0 ||
           getsockopt((int)bag->in.os, SOL_SOCKET, SO_SNDBUF, &limit, &size) < 0 ||
           used + MARGIN <= limit;
}

static unsigned long long most_fds(void)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return (unsigned long long)limit.rlim_cur;
}

int mplat_bag_put(mplat_bag *bag, mplat_bagged *entry, const mplat_identity *keeper,
                  intptr_t native)
{
    (void)keeper;
    if (!is_there(bag)) {
        return no_bag();
    }
    const struct label label = {entry->owner, entry->serial};
    int error = has_room(bag) ? send_copy(bag, &label, (int)native) : EAGAIN;
    switch (error) {
    case 0:
        return MPROC_OK; /* COMMIT: it is in the bag */
    case EAGAIN:
        return mproc__fail(MPROC_ENOSPC,
                           "%llu handles are on their way, or not closed by all who "
                           "have them: the kernel keeps no more (net.core.wmem_max)",
                           (unsigned long long)count(bag));
    case ETOOMANYREFS:
        return mproc__fail(MPROC_EMFILE,
                           "%llu handles of this family are on their way, and the "
                           "kernel lets a user have %llu (RLIMIT_NOFILE)",
                           (unsigned long long)count(bag), most_fds());
    case EBADF:
    case EINVAL:
        return mproc__fail(MPROC_EINVAL, "%lld is no descriptor that can be passed",
                           (long long)native);
    default:
        return mproc__fail_os(error, "cannot pass descriptor %lld", (long long)native);
    }
}

/** Where a message is; false: nowhere. */
static bool find(const mplat_bag *bag, uint64_t serial, uint64_t *ret_index)
{
    struct label label;
    look_from(bag, 0);
    for (uint64_t i = 0; look(bag, &label, NULL); i++) {
        if (label.serial == serial) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

int mplat_bag_get(mplat_bag *bag, const mplat_bagged *entry, bool is_private, intptr_t *ret_native)
{
    uint64_t index;
    struct label label;
    int fd = -1;
    if (!is_there(bag)) {
        return no_bag();
    }
    if (!find(bag, entry->serial, &index)) {
        return mproc__fail(MPROC_ECORRUPT,
                           "somebody has taken the handle out of where it was kept");
    }
    look_from(bag, index);
    mproc__posix_private_lock();
    (void)look(bag, &label, &fd);
    if (is_private) {
        mproc__posix_mark_locked(fd);
    }
    mproc__posix_private_unlock();
    if (fd < 0) {
        return mproc__fail(
            MPROC_EMFILE,
            "there is no room for the handle's descriptor: this process has all of the "
            "%llu that it may have (RLIMIT_NOFILE); try again when it has closed one",
            most_fds());
    }
    *ret_native = fd;
    return MPROC_OK;
}

/* ---- taking out ------------------------------------------------------------------------------ */

bool mplat_bag_drop(mplat_bagged *entry)
{
    (void)entry;
    return false; // what lies in the middle cannot be reached
}

/** How many messages there are up to the last unwanted one; no farther than `n` of these. */
static uint64_t find_unwanted(const mplat_bag *bag, uint64_t n, mplat_bag_wanted_fn is_wanted)
{
    struct label label;
    uint64_t end = 0;
    look_from(bag, 0);
    for (uint64_t i = 0; n > 0 && look(bag, &label, NULL); i++) {
        if (!is_wanted(label.owner, label.serial)) {
            end = i + 1;
            n--;
        }
    }
    return end;
}

/** Take the first message out, or to the end if it is wanted. */
static int sweep_first(const mplat_bag *bag, mplat_bag_wanted_fn is_wanted)
{
    struct label label;
    int fd = -1;
    int error = 0;
    mproc__posix_private_lock();
    bool is_there = look(bag, &label, &fd);
    mproc__posix_mark_locked(
        fd); // it is nobody's business here: no copy of this process shall have it
    mproc__posix_private_unlock();
    if (is_there && is_wanted(label.owner, label.serial)) {
        error = fd >= 0 ? send_copy(bag, &label, fd) : EMFILE;
    }
    if (is_there && error == 0) {
        take_out(bag); /* DEATH: before it, both are there; the heir removes one */
    }
    mproc__posix_close(fd);
    return error == 0 ? MPROC_OK : MPROC_EMFILE;
}

static int sweep(const mplat_bag *bag, uint64_t n, mplat_bag_wanted_fn is_wanted)
{
    uint64_t left = find_unwanted(bag, n, is_wanted);
    int rc = MPROC_OK;
    look_at_first(bag);
    while (left-- > 0 && rc >= 0) {
        rc = sweep_first(bag, is_wanted);
    }
    return rc;
}

int mplat_bag_sweep(mplat_bag *bag, uint64_t n, mplat_bag_wanted_fn is_wanted)
{
    int error = errno;
    int rc = is_there(bag) ? sweep(bag, n, is_wanted) : MPROC_ENOTSUP;
    errno = error;
    return rc;
}

int mplat_bag_mend(mplat_bag *bag)
{
    struct label label;
    uint64_t first = 0;
    uint64_t last = 0;
    if (!is_there(bag)) {
        return MPROC_ENOTSUP;
    }
    look_from(bag, 0);
    for (uint64_t n = 0; look(bag, &label, NULL); n++) {
        first = n == 0 ? label.serial : first;
        last = n == 0 ? 0 : label.serial;
    }
    if (first != 0 && first == last) {
        take_out(bag);
    }
    return MPROC_OK;
}
