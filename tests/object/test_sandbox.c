/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sandbox.c: kernels and sandboxes that lack or deny system calls, and containers in which the
 * program is process 1 and has no room to write to. Linux only.
 *
 * The core of the process suite runs in a process of its own under each condition, by all methods.
 */
#include "object/core.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SCENE "MPROC_TEST_SCENE"
#define NOT_HERE 78

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

/* ---- denied system calls ----------------------------------------------------------------------- */

#define MAX_DENIED 8

/** Have the kernel answer these calls with an error, for this process and all that come of it. */
static bool deny(const long *calls, size_t count, unsigned error)
{
    struct sock_filter filter[MAX_DENIED + 3];
    CHILD_CHECK(count <= MAX_DENIED);
    size_t n = 0;
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                               (uint32_t)offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < count; i++) {
        // A match jumps to the last instruction, everything else falls through.
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i],
                                                   (uint8_t)(count - i), 0);
    }
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
    const struct sock_fprog program = {.len = (unsigned short)n, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

typedef struct profile {
    const char *name;
    long calls[MAX_DENIED];
    size_t count;
    bool only_enosys; /* what the C library itself can do without only if it does not exist */
} profile;

static const profile profiles[] = {
    {"pidfd_open", {SYS_pidfd_open}, 1, false},
    {"pidfd_send_signal", {SYS_pidfd_send_signal}, 1, false},
    {"futex_waitv", {SYS_futex_waitv}, 1, false},
    {"memfd_create", {SYS_memfd_create}, 1, false},
    {"close_range", {SYS_close_range}, 1, false},
    {"clone3", {SYS_clone3}, 1, true},
    {"all of them",
     {SYS_pidfd_open, SYS_pidfd_send_signal, SYS_futex_waitv, SYS_memfd_create, SYS_close_range},
     5,
     false},
};

/* ---- containers -------------------------------------------------------------------------------- */

/** Whether the program's own file would be hidden by what is mounted on /tmp. */
static bool lives_in_tmp(void)
{
    char path[4096] = "";
    return readlink("/proc/self/exe", path, sizeof(path) - 1) < 0 || strncmp(path, "/tmp/", 5) == 0;
}

/** In new namespaces: be process 1, with little or no room in /dev/shm and none in /tmp. */
static void be_container(bool has_shm, int n_children)
{
    const unsigned long flags = has_shm ? 0 : MS_RDONLY;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("proc", "/proc", "proc", 0, NULL) < 0 ||
        mount("tmpfs", "/dev/shm", "tmpfs", flags, "size=64m") < 0 ||
        (!lives_in_tmp() && mount("tmpfs", "/tmp", "tmpfs", MS_RDONLY, NULL) < 0)) {
        exit(NOT_HERE);
    }
    CHILD_CHECK(getpid() == 1);
    core_run_all(n_children);
    if (has_shm) {
        DIR *directory = opendir("/dev/shm");
        CHILD_CHECK(directory != NULL);
        for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
            CHILD_CHECK(entry->d_name[0] == '.'); // no name is left behind
        }
        (void)closedir(directory);
    }
    exit(EXIT_SUCCESS);
}

/* ---- scenes ------------------------------------------------------------------------------------ */

static void be_scene(const char *name)
{
    unsigned number;
    unsigned error;
    if (sscanf(name, "deny %u %u", &number, &error) == 2) {
        core_run_all(3);
        exit(EXIT_SUCCESS);
    }
    if (sscanf(name, "container %u", &number) == 1) {
        be_container(number != 0, (int)testlib_count(33, 333));
    }
    exit(EXIT_FAILURE);
}

/** The exit code of a scene that a process has become. */
static int end_of_scene(pid_t pid)
{
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int play_denied(const profile *what, unsigned number, unsigned error)
{
    char name[100];
    (void)snprintf(name, sizeof(name), "deny %u %u", number, error);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        // The filter comes before the program, so that what it probes for at its start is missing too.
        if (setenv(SCENE, name, 1) < 0 || !deny(what->calls, what->count, error)) {
            _exit(NOT_HERE);
        }
        (void)execl("/proc/self/exe", "test_sandbox", (char *)NULL);
        _exit(NOT_HERE);
    }
    return end_of_scene(pid);
}

static void test_sandbox__denied_system_calls(void)
{
    for (unsigned i = 0; i < MPROC__COUNT(profiles); i++) {
        static const unsigned errors[] = {ENOSYS, EPERM};
        for (size_t e = 0; e < (profiles[i].only_enosys ? 1 : 2); e++) {
            int code = play_denied(&profiles[i], i, errors[e]);
            if (code == NOT_HERE) {
                testlib_skip("no seccomp filters to be had here");
                return;
            }
            if (code != 0) {
                printf("without %s (%s): %d ... ", profiles[i].name,
                       errors[e] == EPERM ? "EPERM" : "ENOSYS", code);
            }
            CU_ASSERT_EQUAL(code, 0);
        }
    }
}

static int play_container(const char *name)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (setenv(SCENE, name, 1) < 0 || unshare(CLONE_NEWPID | CLONE_NEWNS) < 0) {
            _exit(NOT_HERE);
        }
        pid_t init = fork();
        if (init == 0) {
            (void)execl("/proc/self/exe", "test_sandbox", (char *)NULL);
            _exit(NOT_HERE);
        }
        int status = -1;
        (void)waitpid(init, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : TESTLIB_CHILD_FAILED);
    }
    return end_of_scene(pid);
}

static void test_sandbox__containers(void)
{
    static const char *const names[] = {"container 1", "container 0"};
    for (size_t i = 0; i < MPROC__COUNT(names); i++) {
        int code = play_container(names[i]);
        if (code == NOT_HERE) {
            testlib_skip("no namespaces to be had here: not root");
            return;
        }
        CU_ASSERT_EQUAL(code, 0);
    }
}

/* ---- process numbers that are used again ------------------------------------------------------- */

static bool write_last_pid(long long pid)
{
    char text[32];
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    (void)snprintf(text, sizeof(text), "%lld", pid);
    bool is_done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_done;
}

/** In a pid namespace of its own, where nobody else takes numbers. */
static void reuse_numbers(void)
{
    long wrong = 0;
    for (long i = testlib_count(100, 10000); i > 0; i--) {
        int ready[2];
        CHILD_CHECK(pipe2(ready, O_CLOEXEC) == 0);
        mplat_identity first = {0};
        pid_t pid = fork();
        if (pid == 0) {
            first = mplat_self();
            _exit(write(ready[1], &first, sizeof(first)) == (ssize_t)sizeof(first) ? 0 : 1);
        }
        CHILD_CHECK(pid > 0 && read(ready[0], &first, sizeof(first)) == (ssize_t)sizeof(first));
        CHILD_CHECK(waitpid(pid, NULL, 0) == pid);
        CHILD_CHECK(first.pid == pid && first.birth != 0 && !mplat_process_alive(&first));
        if (!write_last_pid(pid - 1)) {
            exit(NOT_HERE);
        }
        pid_t second = fork();
        if (second == 0) {
            (void)pause();
            _exit(0);
        }
        CHILD_CHECK(second == pid);
        // The number is alive, the process is not; and signals to it do not reach the other one.
        wrong += mplat_process_alive(&first);
        CHILD_CHECK(mplat_process_signal(&first, MPLAT_KILL) == 0);
        CHILD_CHECK(waitpid(second, NULL, WNOHANG) == 0);
        CHILD_CHECK(kill(second, SIGKILL) == 0 && waitpid(second, NULL, 0) == second);
        (void)close(ready[0]);
        (void)close(ready[1]);
    }
    CHILD_CHECK(wrong == 0);
    exit(EXIT_SUCCESS);
}

static void test_sandbox__reused_process_numbers(void)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0) {
            _exit(NOT_HERE);
        }
        pid_t init = fork();
        if (init == 0) {
            if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                mount("proc", "/proc", "proc", 0, NULL) < 0) {
                exit(NOT_HERE);
            }
            reuse_numbers();
        }
        int status = -1;
        (void)waitpid(init, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : TESTLIB_CHILD_FAILED);
    }
    int code = end_of_scene(pid);
    if (code == NOT_HERE) {
        testlib_skip("process numbers cannot be chosen here");
        return;
    }
    CU_ASSERT_EQUAL(code, 0);
}

static const testlib_case cases[] = {
    {"denied_system_calls", test_sandbox__denied_system_calls},
    {"containers", test_sandbox__containers},
    {"reused_process_numbers", test_sandbox__reused_process_numbers},
};

static void be_child(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    const char *scene = getenv(SCENE);
    if (scene != NULL) {
        be_scene(scene);
    }
}

TESTLIB_MAIN_CHILD("object.sandbox", cases, be_child)
