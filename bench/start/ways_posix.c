/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_posix.c: fork, posix_spawn and vfork + exec; stamps in a nameless file that children inherit.
 *
 * No waits by anything but the child's own number, no handlers: mproc's children live beside these.
 */
#include "start.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- stamps ---- */

static int stamp_file = -1;

/* A file that nobody can name, kept over exec; not on a disk where that can be had. */
static int open_nameless_file(void)
{
#ifdef MFD_CLOEXEC
    int fd = memfd_create("bench-start", 0);
    if (fd >= 0) {
        return fd;
    }
#endif
    char path[] = "/tmp/bench-start-XXXXXX";
    int named = mkstemp(path);
    if (named >= 0) {
        unlink(path);
    }
    return named;
}

volatile int64_t *start_stamps(void)
{
    static volatile int64_t *stamps;
    if (stamps) {
        return stamps;
    }
    size_t size = START_BURST * sizeof *stamps;
    int fd = open_nameless_file();
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0) {
        bench_fail("stamps: %s", strerror(errno));
        return NULL;
    }
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        bench_fail("stamps: %s", strerror(errno));
        return NULL;
    }
    stamp_file = fd;
    stamps = at;
    return stamps;
}

int start_child_argv(size_t index, char *ret_argv[START_CHILD_ARGC + 1])
{
    static char flag[] = START_CHILD_FLAG, where[16], number[16];
    char *self = bench_self();
    if (!self) {
        bench_skip("the program's own file is not known");
        return BENCH_SKIPPED;
    }
    if (!start_stamps()) {
        return BENCH_FAILED;
    }
    snprintf(where, sizeof where, "%d", stamp_file);
    snprintf(number, sizeof number, "%zu", index);
    char *argv[] = {self, flag, where, number, NULL};
    memcpy(ret_argv, argv, sizeof argv);
    return 0;
}

void start_child_main(const char *where, const char *index)
{
    int64_t now = bench_now();
    off_t offset = (off_t)(strtol(index, NULL, 10) * (long)sizeof now);
    ssize_t written = pwrite((int)strtol(where, NULL, 10), &now, sizeof now, offset);
    _exit(written == (ssize_t)sizeof now ? 0 : 1);
}

static int finish(const struct start_way *way, struct start_child *child)
{
    int status;
    pid_t pid;
    do {
        pid = waitpid((pid_t)child->os, &status, 0);
    } while (pid < 0 && errno == EINTR);
    if (pid < 0) {
        return bench_fail("%s: waitpid: %s", way->name, strerror(errno));
    }
    return status == 0 ? 0 : bench_fail("%s: the child's status is %#x", way->name, status);
}

/* ---- fork ---- */

static char *payload;

/* For fork any memory of the parent is an argument: the child has it, shared or copied on write. */
static int prepare_fork(const struct start_way *way, enum start_payload kind)
{
    if (kind == START_NOTHING) {
        return 0;
    }
    int flags = MAP_ANONYMOUS | (kind == START_BY_REFERENCE ? MAP_SHARED : MAP_PRIVATE);
    int access = PROT_READ | PROT_WRITE;
    // cppcheck-suppress invalidFunctionArg
    void *at = mmap(NULL, START_PAYLOAD_BYTES, access, flags, -1, 0);
    if (at == MAP_FAILED) {
        return bench_fail("%s: mmap: %s", way->name, strerror(errno));
    }
    memset(at, 1, START_PAYLOAD_BYTES);
    payload = at;
    return 0;
}

static void clean_fork(const struct start_way *way, enum start_payload kind)
{
    (void)way;
    if (kind != START_NOTHING) {
        munmap(payload, START_PAYLOAD_BYTES);
        payload = NULL;
    }
}

static int begin_fork(const struct start_way *way, struct start_child *child, size_t index)
{
    int rc = start_take_stamp(child, index);
    if (rc != 0) {
        return rc;
    }
    pid_t pid = fork();
    if (pid == 0) {
        int64_t now = bench_now();
        if (!payload || payload[START_PAYLOAD_BYTES - 1] == 1) {
            *child->stamp = now;
        }
        _exit(0);
    }
    child->os = pid;
    return pid > 0 ? 0 : bench_fail("%s: %s", way->name, strerror(errno));
}

static const struct start_way bare_fork = {
    .subject = "fork",
    .name = "fork",
    .prepare = prepare_fork,
    .clean = clean_fork,
    .begin = begin_fork,
    .finish = finish,
};

/* ---- a fresh instance of this program ---- */

static int begin_spawn(const struct start_way *way, struct start_child *child, size_t index)
{
    char *argv[START_CHILD_ARGC + 1] = {NULL};
    int rc = start_take_stamp(child, index);
    rc = rc != 0 ? rc : start_child_argv(index, argv);
    if (rc != 0) {
        return rc;
    }
    pid_t pid;
    int error = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
    child->os = pid;
    return error == 0 ? 0 : bench_fail("%s: %s", way->name, strerror(error));
}

static const struct start_way same_program = {
    .subject = "posix_spawn",
    .name = "posix_spawn",
    .begin = begin_spawn,
    .finish = finish,
};

static int begin_vfork(const struct start_way *way, struct start_child *child, size_t index)
{
    char *argv[START_CHILD_ARGC + 1] = {NULL};
    int rc = start_take_stamp(child, index);
    rc = rc != 0 ? rc : start_child_argv(index, argv);
    if (rc != 0) {
        return rc;
    }
    pid_t pid = vfork(); // NOLINT: a peer, however insecure
    if (pid == 0) {
        execve(argv[0], argv, environ);
        _exit(127);
    }
    child->os = pid;
    return pid > 0 ? 0 : bench_fail("%s: %s", way->name, strerror(errno));
}

static const struct start_way by_vfork = {
    .subject = "vfork + exec",
    .name = "vfork",
    .begin = begin_vfork,
    .finish = finish,
};

const struct start_way *const start_bare_fork = &bare_fork;
const struct start_way *const start_same_program = &same_program;
const struct start_way *const start_vfork = &by_vfork;
const char *const start_python_program = "python3";
