/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forkserver.c: the fork server's own process: one thread, which does nothing but fork and collect.
 *
 * Why      Only here may the library own SIGCHLD and wait for any child: all of them are its own.
 * State    clients, each a connection; children, each a pid and its member slot.
 * Death    The server is tied to the process that started it, as every child is. Children survive it:
 *          each is tied to its client. When a client is gone so are its wires, and the kernel ends
 *          its children; they are collected here like any others.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "family/family.h"
#include "family/layout.h"
#include "object/process.h"
#include "object/server.h"
#include "posix/methods.h"
#include "posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct child {
    pid_t pid;
    mproc__member_id member;
} child;

/* pollers[0] is the door, [1] the signals, the rest are clients, clients[i] belonging to [i]. */
static struct {
    struct pollfd *pollers;
    mproc__member_id *clients;
    size_t n_pollers, pollers_room;
    child *children;
    size_t n_children, children_room;
    int preload_status;
    char preload_story[sizeof(((struct mproc__message *)0)->story)];
} server;

/** Make room for one more element. */
static int reserve(void **array, size_t *room, size_t count, size_t size)
{
    if (count < *room) {
        return MPROC_OK;
    }
    size_t wanted = *room == 0 ? 16 : *room * 2;
    void *larger = mproc__calloc(wanted, size);
    if (larger == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for another %zu entries", wanted);
    }
    if (count > 0) {
        memcpy(larger, *array, count * size);
    }
    mproc__free(*array);
    *array = larger;
    *room = wanted;
    return MPROC_OK;
}

static int add_poller(int fd, mproc__member_id client)
{
    void *pollers = server.pollers;
    void *clients = server.clients;
    size_t room = server.pollers_room;
    int rc = reserve(&pollers, &room, server.n_pollers, sizeof(*server.pollers));
    server.pollers = pollers;
    if (rc >= 0) {
        rc = reserve(&clients, &server.pollers_room, server.n_pollers, sizeof(*server.clients));
        server.clients = clients;
    }
    if (rc >= 0) {
        server.pollers[server.n_pollers] = (struct pollfd){.fd = fd, .events = POLLIN};
        server.clients[server.n_pollers++] = client;
    }
    return rc;
}

static void drop_client(size_t index)
{
    mproc__posix_close(server.pollers[index].fd);
    server.n_pollers--;
    server.pollers[index] = server.pollers[server.n_pollers];
    server.clients[index] = server.clients[server.n_pollers];
    mproc__member_sweep();
}

static void welcome(void)
{
    struct mproc__message hello;
    int fds[MPROC__POSIX_MAX_FDS];
    size_t n_fds;
    if (mproc__posix_receive(server.pollers[0].fd, &hello, sizeof(hello), fds, &n_fds, 0) < 0) {
        if (server.pollers[0].revents & POLLHUP) {
            exit(EXIT_SUCCESS); // nobody is left who could knock
        }
        return;
    }
    if (n_fds != 1 || hello.word != MPROC__WORD_HELLO || add_poller(fds[0], hello.member) < 0) {
        for (size_t i = 0; i < n_fds; i++) {
            mproc__posix_close(fds[i]);
        }
    }
}

static void set_interrupt(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    (void)sigaction(SIGINT, &action, NULL);
}

/** In the child: wait for the job, and become what it says. */
static MPROC__NORETURN void be_child(int wire, int job_socket, mproc__member_id member)
{
    const int job_fd = MPROC__EXTRA_FD(mproc__arena.bag.in.os >= 0);
    struct mproc__message job = {.word = 0};
    int fds[MPROC__POSIX_MAX_FDS];
    size_t n_fds = 0;
    (void)dup3(wire, MPROC__WIRE_FD, O_CLOEXEC);
    (void)dup3(job_socket, job_fd, O_CLOEXEC);
    mproc__posix_close_from(job_fd + 1);
    set_interrupt(SIG_DFL);
    mproc__posix_child_signals();
    if (mproc__family_become(member) < 0 ||
        mproc__posix_receive(job_fd, &job, sizeof(job), fds, &n_fds, INT64_MAX) < 0) {
        mplat_process_leave(EXIT_SUCCESS); // nobody wants it any more
    }
    (void)close(job_fd);
    size_t next = 0;
    for (int i = 0; i < 3; i++) {
        if (job.streams >> i & 1) {
            (void)mproc__posix_redirect(fds[next], i);
            mproc__posix_close(fds[next++]);
        }
    }
    if (job.streams >> 3 & 1) {
        mproc__server_adopt((mplat_handle){fds[next]});
    }
    if (mproc__posix_die_with(MPROC__WIRE_FD) < 0 || mproc__posix_is_orphaned(MPROC__WIRE_FD)) {
        mplat_process_leave(EXIT_FAILURE);
    }
    const mplat_child parent = {.sentinel = {MPROC__WIRE_FD}, .tree = MPLAT_NO_HANDLE};
    mproc__child_go(&parent);
}

/**
 * Fork a child with a slot of its own. `wire` and `job` are pairs; of each the child gets the second.
 *
 * The wire must not carry the job: the kernel queues a message before it tells the receiver's owner,
 * and a quick child has by then asked to be killed by what comes over the wire.
 */
static int fork_child(const int wire[2], const int job[2], struct mproc__message *ready)
{
    void *children = server.children;
    int rc = reserve(&children, &server.children_room, server.n_children, sizeof(child));
    server.children = children;
    // Ours until its client accepts it: what is never accepted is ours, or our heirs', to let go.
    if (rc < 0 || (rc = mproc__member_new(mproc__self_id(), "ready", &ready->member)) < 0) {
        return rc;
    }
    mproc__member_at(ready->member)->maker = mproc__self_id();
    pid_t pid = fork();
    if (pid == 0) {
        be_child(wire[1], job[1], ready->member);
    }
    if (pid < 0) {
        rc = mproc__fail_os(errno, "cannot fork");
        mproc__member_bury(ready->member);
        mproc__member_free(ready->member);
        return rc;
    }
    server.children[server.n_children++] = (child){pid, ready->member};
    ready->pid = pid;
    return MPROC_OK;
}

/** Make a child for whoever will accept it: its ends of wire and job, and the sentinel. */
static int make_child(struct mproc__message *ready, int ret_fds[MPROC__READY_FDS])
{
    int wire[2];
    int job[2];
    int rc = mproc__posix_socketpair(wire, true);
    if (rc < 0) {
        return rc;
    }
    rc = mproc__posix_socketpair(job, true);
    if (rc < 0) {
        mproc__posix_close(wire[0]);
        mproc__posix_close(wire[1]);
        return rc;
    }
    rc = fork_child(wire, job, ready);
    mproc__posix_close(wire[1]);
    mproc__posix_close(job[1]);
    int sentinel = -1;
    if (rc >= 0) {
        sentinel = mproc__posix_pidfd((pid_t)ready->pid);
        const mplat_identity who = {ready->pid, mproc__posix_birth((pid_t)ready->pid, sentinel)};
        mproc__member_note(ready->member, &who);
        sentinel =
            sentinel >= 0 ? sentinel : fcntl(wire[0], F_DUPFD_CLOEXEC, MPROC__POSIX_FIRST_FD);
        rc = sentinel >= 0 ? MPROC_OK : mproc__fail_os(errno, "out of descriptors");
    }
    if (rc < 0) {
        mproc__posix_close(wire[0]); // a child that has been made ends by itself then
        mproc__posix_close(job[0]);
        return rc;
    }
    ret_fds[0] = wire[0];
    ret_fds[1] = sentinel;
    ret_fds[2] = job[0];
    return MPROC_OK;
}

static void serve(size_t index)
{
    struct mproc__message order;
    int fds[MPROC__POSIX_MAX_FDS];
    size_t n_fds;
    int line = server.pollers[index].fd;
    int rc = mproc__posix_receive(line, &order, sizeof(order), fds, &n_fds, 0);
    if (rc == MPROC_ETIMEDOUT) {
        return;
    }
    if (rc < 0 || n_fds != 0 || order.word != MPROC__WORD_ORDER) {
        drop_client(index);
        return;
    }
    struct mproc__message ready = {.word = MPROC__WORD_READY, .order = order.order};
    int made[MPROC__READY_FDS];
    rc = server.preload_status;
    if (rc < 0) {
        memcpy(ready.story, server.preload_story, sizeof(ready.story));
    } else {
        rc = make_child(&ready, made);
        (void)snprintf(ready.story, sizeof(ready.story), "%s", rc < 0 ? mproc_last_error() : "");
    }
    ready.status = rc;
    // A client that is gone takes nothing; closing our copies then ends the child.
    int sent = mproc__posix_send(line, &ready, sizeof(ready), made, rc < 0 ? 0 : MPROC__READY_FDS);
    for (int i = 0; rc >= 0 && i < MPROC__READY_FDS; i++) {
        mproc__posix_close(made[i]);
    }
    if (sent < 0) {
        // Too many descriptors are on their way, say. The client must hear of it, or not wait.
        ready.status = sent;
        (void)snprintf(ready.story, sizeof(ready.story), "%s", mproc_last_error());
        if (mproc__posix_send(line, &ready, sizeof(ready), NULL, 0) < 0) {
            drop_client(index);
        }
    }
}

static void bury(pid_t pid, int status, const struct rusage *usage)
{
    for (size_t i = 0; i < server.n_children; i++) {
        if (server.children[i].pid != pid) {
            continue;
        }
        mproc__member_id member = server.children[i].member;
        mplat_exit how = mproc__posix_exit(status, usage);
        server.children[i] = server.children[--server.n_children];
        mproc__member_bury(member);
        mproc__member_report(member, &how, true);
        mproc__member_id parent = mproc__load64_acquire(&mproc__member_at(member)->parent);
        if (parent == mproc__self_id() || mproc__member_is_gone(parent)) {
            mproc__member_free(member); // nobody will ask
        }
        return;
    }
}

static void collect_children(void)
{
    struct signalfd_siginfo unused;
    (void)!read(server.pollers[1].fd, &unused, sizeof(unused));
    for (;;) {
        int status;
        struct rusage usage;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        if (pid <= 0) {
            return;
        }
        bury(pid, status, &usage);
    }
}

static int open_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    set_interrupt(SIG_IGN); // meant for the application; it decides what becomes of us
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void mproc__server_run(mplat_handle door, const mplat_child *parent)
{
    (void)prctl(PR_SET_NAME, "mproc-forkserver", 0, 0, 0);
    mproc__posix_watch_memory();
    int code = mproc__child_run(parent, true);
    (void)fflush(NULL); // what the preload has printed is not to be printed by each child again
    if (code != 0) {
        server.preload_status = MPROC_ESTART;
        (void)snprintf(server.preload_story, sizeof(server.preload_story), "its preload failed: %s",
                       mproc_last_error());
    }
    int door_fd = (int)door.os;
    int signals = open_signals();
    if (signals < 0 || mproc__posix_raise_fd(&door_fd) < 0 || mproc__posix_raise_fd(&signals) < 0 ||
        add_poller(door_fd, 0) < 0 || add_poller(signals, 0) < 0) {
        exit(EXIT_FAILURE);
    }
    for (;;) {
        if (poll(server.pollers, (nfds_t)server.n_pollers, -1) < 0) {
            continue;
        }
        if (server.pollers[1].revents != 0) {
            collect_children();
        }
        // From the end: a client that is dropped is replaced by one that has been looked at.
        for (size_t i = server.n_pollers; i-- > 2;) {
            if (server.pollers[i].revents != 0) {
                serve(i);
            }
        }
        if (server.pollers[0].revents != 0) {
            welcome();
        }
    }
}
