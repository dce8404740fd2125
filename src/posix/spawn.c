/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn.c: new processes, fresh or copied, and their first steps.
 *
 * Parent and child share a pair of sockets, the wire. Before it starts a fresh child, the parent puts
 * what the child must know into it; afterwards nothing is ever sent. The kernel kills the child when
 * the parent's end is closed, that is when the parent is gone. A fresh child finds its end, the arena
 * and the bag under fixed numbers.
 */
#include "platform.h"

#include "base/status.h"
#include "mproc_platform_config.h"
#include "posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char marker[] = "--mproc-child";

static char program[4096];

void mproc__posix_find_program(void)
{
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[n > 0 ? n : 0] = '\0';
    static const char gone[] = " (deleted)";
    size_t length = strlen(program);
    if (length > sizeof(gone) && strcmp(program + length - (sizeof(gone) - 1), gone) == 0) {
        // The file has been replaced or removed, but the kernel still knows it.
        (void)snprintf(program, sizeof(program), "/proc/self/exe");
    }
}

const char *mproc__posix_program(void)
{
    return program[0] != '\0' ? program : NULL;
}

/** The pair that ties a child to its parent; the child's half knows the boot already. */
static int make_wire(const mplat_boot *boot, int ret_wire[2])
{
    int rc = mproc__posix_socketpair(ret_wire, true);
    if (rc < 0) {
        return rc;
    }
    rc = mproc__posix_send(ret_wire[0], boot, sizeof(*boot), NULL, 0);
    if (rc < 0) {
        mproc__posix_close(ret_wire[0]);
        mproc__posix_close(ret_wire[1]);
    }
    return rc;
}

/** The child's handles; without them nobody could wait for it, so it is ended then. */
static int fill_child(mplat_child *ret_child, pid_t pid, int wire)
{
    int pidfd = mproc__posix_pidfd(pid);
    uint64_t birth = mproc__posix_birth(pid, pidfd);
    // Without pidfds the wire itself must do: it ends with the process, or when that closes it.
    if (pidfd < 0) {
        pidfd = fcntl(wire, F_DUPFD_CLOEXEC, MPROC__POSIX_FIRST_FD);
    }
    if (pidfd < 0) {
        (void)kill(pid, SIGKILL);
        mproc__posix_close(wire);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
        return mproc__fail(MPROC_EMFILE, "no descriptor is left to wait for a child with");
    }
    mproc__posix_private_lock();
    mproc__posix_mark_locked(pidfd); // in a copy it would be of no use
    mproc__posix_private_unlock();
    *ret_child = (mplat_child){.who = {pid, birth}, .sentinel = {pidfd}, .tree = {wire}};
    return MPROC_OK;
}

static int add_actions(posix_spawn_file_actions_t *actions, const mplat_start *start, int wire)
{
    const int extra = start->extra != NULL ? (int)start->extra->os : -1;
    const mplat_bag *bag = &start->arena->bag;
    const bool has_bag = bag->in.os >= 0;
    int first_free = MPROC__EXTRA_FD(has_bag);
    int error = start->stdio[0].os >= 0
                    ? posix_spawn_file_actions_adddup2(actions, (int)start->stdio[0].os, 0)
                    : posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    for (int i = 1; i < 3 && error == 0; i++) {
        if (start->stdio[i].os >= 0) {
            error = posix_spawn_file_actions_adddup2(actions, (int)start->stdio[i].os, i);
        }
    }
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(actions, wire, MPROC__WIRE_FD);
    }
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(actions, (int)start->arena->handle.os,
                                                 MPROC__ARENA_FD);
    }
    if (error == 0 && has_bag) {
        error = posix_spawn_file_actions_adddup2(actions, (int)bag->in.os, MPROC__BAG_IN_FD);
        error = error != 0 ? error
                           : posix_spawn_file_actions_adddup2(actions, (int)bag->out.os,
                                                              MPROC__BAG_OUT_FD);
    }
    if (error == 0 && extra >= 0) {
        error = posix_spawn_file_actions_adddup2(actions, extra, first_free++);
    }
#ifdef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP
    if (error == 0) {
        error = posix_spawn_file_actions_addclosefrom_np(actions, first_free);
    }
#endif
    return error;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int error =
        posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (error == 0) {
        error = posix_spawnattr_setsigmask(attributes, &none);
    }
    return error == 0 ? posix_spawnattr_setsigdefault(attributes, &all) : error;
}

static int spawn(const mplat_start *start, const char *file, int wire, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    const char *const given = start->arena->bag.in.os < 0 ? start->extra != NULL ? "-+" : "--"
                              : start->extra != NULL      ? "++"
                                                          : "+-";
    const char *const words[] = {file, marker, given, NULL};
    char *argv[4];
    memcpy(argv, words, sizeof(argv)); // posix_spawn writes to none of them
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    error = add_actions(&actions, start, wire);
    if (error == 0) {
        error = set_attributes(&attributes);
    }
    if (error == 0) {
        error = posix_spawn(ret_pid, file, &actions, &attributes, argv, environ);
    }
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

int mplat_process_spawn(const mplat_start *start, mplat_child *ret_child)
{
    const char *file = start->program != NULL ? start->program : mproc__posix_program();
    if (file == NULL) {
        return mproc__fail(MPROC_ENOEXEC,
                           "this program's own file cannot be found: /proc is missing");
    }
    int wire[2];
    int rc = make_wire(&start->boot, wire);
    if (rc < 0) {
        return rc;
    }
    mproc__posix_watch_memory();
    pid_t pid = 0;
    int error = spawn(start, file, wire[1], &pid);
    mproc__posix_close(wire[1]);
    if (error == 0) {
        return fill_child(ret_child, pid, wire[0]);
    }
    mproc__posix_close(wire[0]);
    rc = mproc__fail_os(error, "cannot start %s", file);
    return error == ENOENT || error == EACCES || error == ENOTDIR || error == ENOEXEC
               ? MPROC_ENOEXEC
               : rc;
}

/** Whether the parent is gone already: then the signal that mproc__posix_die_with asks for was missed. */
bool mproc__posix_is_orphaned(int wire)
{
    struct pollfd poller = {.fd = wire, .events = POLLIN};
    return poll(&poller, 1, 0) > 0 && (poller.revents & POLLHUP);
}

void mproc__posix_child_signals(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/**
 * The copy's first steps. Its every new page is a fault, and each of these is on the way to the
 * function: so it does what it must, and nothing twice. (getppid() would be cheaper than to ask the
 * wire, but wrong: a dying parent closes its end some time before its children get another parent.)
 */
static void become_child(const mplat_start *start, const int wire[2])
{
    int rc = mproc__posix_die_with(wire[1]);
    if (rc >= 0 && mproc__posix_is_orphaned(wire[1])) {
        _exit(EXIT_FAILURE); // nobody is left to be told
    }
    if (rc < 0 || mproc__posix_child_streams(start->stdio) < 0) {
        fprintf(stderr, "mproc: %s\n", mproc_last_error());
        _exit(EXIT_FAILURE);
    }
    mproc__posix_child_signals();
}

int mplat_process_fork(const mplat_start *start, mplat_child *ret_child)
{
    // The copy knows everything already: nothing goes over the wire, and any descriptor will do.
    int wire[2];
    int rc = mproc__posix_socketpair(wire, false);
    if (rc < 0) {
        return rc;
    }
    mproc__posix_watch_memory();
    mproc__posix_open_null();
    // Signals stay out until the child has its own mask: no handler of the parent's runs in it early.
    sigset_t all;
    sigset_t old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t parent = getpid();
    pid_t pid = fork();
    int error = errno;
    if (pid == 0) {
        become_child(start, wire);
        *ret_child =
            (mplat_child){.who = {.pid = parent}, .sentinel = {wire[1]}, .tree = MPLAT_NO_HANDLE};
        return 1;
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    mproc__posix_close(wire[1]);
    if (pid < 0) {
        mproc__posix_close(wire[0]);
        return mproc__fail_os(error, "cannot fork");
    }
    return fill_child(ret_child, pid, wire[0]);
}

static int take_fds(bool has_bag, bool has_extra, mplat_handle *ret_extra)
{
    const int last = MPROC__EXTRA_FD(has_bag) - (has_extra ? 0 : 1);
    for (int fd = MPROC__WIRE_FD; fd <= last; fd++) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
            return mproc__fail(MPROC_EINVAL,
                               "%s is for mproc's own use: it started no such process", marker);
        }
    }
#ifndef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP
    mproc__posix_close_from(last + 1);
#endif
    *ret_extra = (mplat_handle){has_extra ? last : -1};
    return MPROC_OK;
}

int mplat_boot_take(int argc, char **argv, mplat_boot *ret_boot, mplat_arena *ret_arena,
                    mplat_child *ret_parent, mplat_handle *ret_extra)
{
    if (argc < 3 || strcmp(argv[1], marker) != 0 || strlen(argv[2]) != 2) {
        return 0;
    }
    int fds[MPROC__POSIX_MAX_FDS];
    size_t n_fds = 0;
    struct ucred parent = {0};
    socklen_t size = sizeof(parent);
    const bool has_bag = argv[2][0] == '+';
    const int wire = MPROC__WIRE_FD;
    int rc = take_fds(has_bag, argv[2][1] == '+', ret_extra);
    if (rc < 0 ||
        (rc = mproc__posix_receive(wire, ret_boot, sizeof(*ret_boot), fds, &n_fds, 0)) < 0 ||
        (rc = mproc__posix_die_with(wire)) < 0) {
        return rc;
    }
    if (mproc__posix_is_orphaned(wire)) {
        return mproc__fail(MPROC_EPEER, "the process that started this one is gone");
    }
    (void)getsockopt(wire, SOL_SOCKET, SO_PEERCRED, &parent, &size);
    *ret_parent = (mplat_child){.who = {.pid = parent.pid}, .sentinel = {wire}, .tree = {-1}};
    rc = mplat_arena_attach((mplat_handle){MPROC__ARENA_FD}, ret_boot->arena_size, ret_arena);
    if (rc >= 0 && has_bag) {
        ret_arena->bag = mproc__posix_bag_at(MPROC__BAG_IN_FD, MPROC__BAG_OUT_FD);
    }
    return rc < 0 ? rc : 1;
}
