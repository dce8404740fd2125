/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c: who a process is, whether it lives, how it ended.
 *
 * A pid is pinned while its process is our child and not yet collected; everybody else's may be
 * reused at any moment. There a pidfd is opened first and its identity compared afterwards: then
 * they cannot be two processes.
 */
#include "platform.h"

#include "base/alloc.h"
#include "base/deadline.h"
#include "base/status.h"
#include "posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

/* waitid's P_PIDFD, since Linux 5.4; in some headers a constant of an enum. */
#define WAITID_PIDFD 3

/* statfs type of a pidfd on Linux 6.9 and later, where its inode number is unique for ever. */
#define PIDFS_MAGIC 0x50494446

/* Births of the two kinds must not be compared with each other. */
#define BIRTH_IS_START_TIME ((uint64_t)1 << 63)

int mproc__posix_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/** The inode number of a pidfd if that is unique; else 0. */
static uint64_t birth_of_pidfd(int pidfd)
{
    struct statfs system;
    struct stat status;
    if (pidfd < 0 || fstatfs(pidfd, &system) < 0 || system.f_type != PIDFS_MAGIC ||
        fstat(pidfd, &status) < 0) {
        return 0;
    }
    return (uint64_t)status.st_ino;
}

#define STATE 3 /* fields of /proc/PID/stat */
#define N_THREADS 20
#define START_TIME 22

/** A field of what /proc says of a process, as text in `text`; NULL if it does not tell. */
static const char *field_of_pid(pid_t pid, int number, char *text, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    ssize_t n = read(fd, text, size - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    // Counted from behind the name, which may hold anything.
    const char *field = strrchr(text, ')');
    for (int i = 2; i < number && field != NULL; i++) {
        field = strchr(field + 1, ' ');
    }
    return field != NULL ? field + 1 : NULL;
}

/** A process's start time in clock ticks since boot, marked as such; 0 if /proc does not tell. */
static uint64_t birth_of_pid(pid_t pid)
{
    char text[1024];
    const char *field = field_of_pid(pid, START_TIME, text, sizeof(text));
    return field != NULL ? strtoull(field, NULL, 10) | BIRTH_IS_START_TIME : 0;
}

/** Whether a process has ended, all its threads, and waits for its parent to take notice. */
static bool is_zombie(pid_t pid)
{
    char text[1024];
    const char *state = field_of_pid(pid, STATE, text, sizeof(text));
    if (state == NULL || (*state != 'Z' && *state != 'X')) {
        return false;
    }
    const char *n_threads = field_of_pid(pid, N_THREADS, text, sizeof(text));
    return n_threads != NULL && strtol(n_threads, NULL, 10) <= 1;
}

uint64_t mproc__posix_birth(pid_t pid, int pidfd)
{
    uint64_t birth = birth_of_pidfd(pidfd);
    return birth != 0 ? birth : birth_of_pid(pid);
}

int64_t mplat_pid(void)
{
    return getpid();
}

mplat_identity mplat_self(void)
{
    mplat_identity self = {.pid = getpid()};
    int pidfd = mproc__posix_pidfd((pid_t)self.pid);
    self.birth = mproc__posix_birth((pid_t)self.pid, pidfd);
    if (pidfd >= 0) {
        (void)close(pidfd);
    }
    return self;
}

/** Whether a process that now has the pid is the one that is meant; unknown births count as yes. */
static bool is_same(const mplat_identity *who, int pidfd)
{
    uint64_t birth =
        who->birth & BIRTH_IS_START_TIME ? birth_of_pid((pid_t)who->pid) : birth_of_pidfd(pidfd);
    return who->birth == 0 || birth == 0 || birth == who->birth;
}

static bool has_ended(int pidfd)
{
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    return poll(&poller, 1, 0) > 0;
}

bool mplat_process_alive(const mplat_identity *who)
{
    int pidfd = mproc__posix_pidfd((pid_t)who->pid);
    if (pidfd >= 0) {
        bool is_alive = is_same(who, pidfd) && !has_ended(pidfd);
        (void)close(pidfd);
        return is_alive;
    }
    if (errno == ESRCH) {
        return false;
    }
    // No pidfd to be had: a process that is there, and is not known to be another one, is alive.
    return (kill((pid_t)who->pid, 0) == 0 || errno != ESRCH) &&
           (!(who->birth & BIRTH_IS_START_TIME) || is_same(who, -1)) && !is_zombie((pid_t)who->pid);
}

int mplat_process_signal(const mplat_identity *who, enum mplat_signal what)
{
    static const int signals[] = {
        [MPLAT_INTERRUPT] = SIGINT, [MPLAT_TERMINATE] = SIGTERM, [MPLAT_KILL] = SIGKILL};
    int pidfd = mproc__posix_pidfd((pid_t)who->pid);
    long rc = 0;
    if (pidfd >= 0) {
        if (is_same(who, pidfd)) {
            rc = syscall(SYS_pidfd_send_signal, pidfd, signals[what], NULL, 0);
            if (rc < 0 && (errno == ENOSYS || errno == EPERM)) {
                rc = kill((pid_t)who->pid,
                          signals[what]); // a filter may deny the one, not the other
            }
        }
    } else if (errno != ESRCH && is_same(who, -1)) {
        rc = kill((pid_t)who->pid, signals[what]);
    }
    int error = errno;
    if (pidfd >= 0) {
        (void)close(pidfd);
    }
    return rc == 0 || error == ESRCH
               ? MPROC_OK
               : mproc__fail_os(error, "cannot signal process %lld", (long long)who->pid);
}

/** As wait4 does, but of the process behind a descriptor, whose number may be another's by now. */
static long wait_for_pidfd(int pidfd, int *ret_status, struct rusage *ret_usage)
{
    siginfo_t info;
    long rc;
    do {
        rc = syscall(SYS_waitid, WAITID_PIDFD, pidfd, &info, WEXITED, ret_usage);
    } while (rc < 0 && errno == EINTR);
    if (rc == 0) {
        *ret_status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status;
        *ret_status |= info.si_code == CLD_DUMPED ? 0x80 : 0;
    }
    return rc;
}

/** Without pidfds a sentinel fires a moment before there is a status. */
static long wait_for_number(const mplat_identity *who, int *ret_status, struct rusage *ret_usage)
{
    for (;;) {
        pid_t pid = wait4((pid_t)who->pid, ret_status, WNOHANG, ret_usage);
        if (pid != 0 && !(pid < 0 && errno == EINTR)) {
            return pid;
        }
        if (!is_same(who, -1)) {
            return -1;
        }
        const struct timespec moment = {.tv_nsec = 100000};
        (void)nanosleep(&moment, NULL);
    }
}

int mplat_process_reap(const mplat_child *child, mplat_exit *ret_exit)
{
    int status = 0;
    struct rusage usage = {0};
    long rc = wait_for_pidfd((int)child->sentinel.os, &status, &usage);
    if (rc < 0 && errno != ECHILD) { // it is no pidfd, or the kernel cannot wait for one
        rc = wait_for_number(&child->who, &status, &usage);
    }
    if (rc < 0) {
        return mproc__fail(MPROC_EUNKNOWN, "somebody else has collected the status of process %lld",
                           (long long)child->who.pid);
    }
    *ret_exit = mproc__posix_exit(status, &usage);
    return MPROC_OK;
}

void mplat_process_leave(int code)
{
    (void)fflush(NULL);
    _exit(code);
}
