/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system.c: facts, time, errors, and the moments when threads end and processes are copied.
 */
#include "platform.h"

#include "base/compiler.h"
#include "base/status.h"
#include "posix/posix.h"

#include <apr_errno.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <sys/single_threaded.h>
#endif

/* linux/sched.h keeps it to itself, but /proc shows it: proc(5). */
#define PF_EXITING 0x4u

static mplat_facts facts;
static pthread_key_t exit_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int init_error;

/* The key's value is never the hook itself: functions do not fit void pointers in ISO C. */
static MPROC__THREAD_LOCAL void (*thread_hook)(void);

static void run_thread_hook(void *unused)
{
    (void)unused;
    thread_hook();
}

/** Twice the machine's memory, for an arena cannot hold more, rounded up to a power of two. */
static uint64_t reserve_bytes(void)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t most = (uint64_t)1 << (sizeof(void *) > 4 ? 40 : 28);
    uint64_t size = (uint64_t)1 << (sizeof(void *) > 4 ? 30 : 26);
    while (size < most && size < memory * 2) {
        size <<= 1;
    }
    return size;
}

static void init_once(void)
{
    init_error = pthread_key_create(&exit_key, run_thread_hook);
    facts = (mplat_facts){
        .page_bytes = (size_t)sysconf(_SC_PAGESIZE),
        .reserve_bytes = reserve_bytes(),
        .is_smp = sysconf(_SC_NPROCESSORS_ONLN) > 1,
    };
    mproc__posix_find_program();
}

int mplat_init(void)
{
    (void)pthread_once(&once, init_once);
    return init_error == 0 ? MPROC_OK : mproc__fail_os(init_error, "no thread key left");
}

const mplat_facts *mplat_get_facts(void)
{
    return &facts;
}

int64_t mplat_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int mplat_error(int os_error, char *text, size_t size)
{
    static const struct {
        int os, status;
    } table[] = {
        {EINVAL, MPROC_EINVAL},        {ENOMEM, MPROC_ENOMEM},       {ETIMEDOUT, MPROC_ETIMEDOUT},
        {ENOSYS, MPROC_ENOTSUP},       {EMFILE, MPROC_EMFILE},       {ENFILE, MPROC_EMFILE},
        {EAGAIN, MPROC_ENPROC},        {EACCES, MPROC_EACCES},       {EPERM, MPROC_EACCES},
        {ENOENT, MPROC_ENOENT},        {ENOTDIR, MPROC_ENOENT},      {ESRCH, MPROC_ENOENT},
        {ENOEXEC, MPROC_ENOEXEC},      {EPIPE, MPROC_EPEER},         {ECONNRESET, MPROC_EPEER},
        {ENOSPC, MPROC_ENOSPC},        {E2BIG, MPROC_ETOOBIG},       {ENAMETOOLONG, MPROC_ETOOBIG},
        {EISDIR, MPROC_EINVAL},        {EEXIST, MPROC_EEXIST},       {ETOOMANYREFS, MPROC_EMFILE},
        {EADDRINUSE, MPROC_EEXIST},    {ECONNREFUSED, MPROC_ENOENT}, {EAFNOSUPPORT, MPROC_ENOTSUP},
        {EADDRNOTAVAIL, MPROC_ENOENT}, {ENOTCONN, MPROC_EPEER},
    };
    (void)apr_strerror(os_error, text, size);
    for (size_t i = 0; i < MPROC__COUNT(table); i++) {
        if (table[i].os == os_error) {
            return table[i].status;
        }
    }
    return MPROC_ESYSTEM;
}

int mplat_thread_at_exit(void (*hook)(void))
{
    thread_hook = hook; // this thread's own: several may come here at once
    int error = pthread_setspecific(exit_key, &thread_hook);
    return error == 0 ? MPROC_OK : mproc__fail_os(error, "cannot watch the thread's end");
}

uint32_t mplat_thread_number(void)
{
    return (uint32_t)syscall(SYS_gettid); // the C library's own call came late
}

/** Whether a thread of this process is past its last instruction: joined, but not yet forgotten. */
static bool is_exiting(const char *thread)
{
    char path[300];
    char text[512];
    (void)snprintf(path, sizeof(path), "/proc/self/task/%s/stat", thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    // Field 9 is the kernel's flags; the name before it, in parentheses, may hold anything.
    const char *field = strrchr(text, ')');
    for (int i = 2; i < 9 && field != NULL; i++) {
        field = strchr(field + 1, ' ');
    }
    return field == NULL || (strtoul(field + 1, NULL, 10) & PF_EXITING) != 0;
}

bool mplat_has_threads(void)
{
#ifdef __GLIBC__
    if (__libc_single_threaded) {
        return false;
    }
#endif
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) {
        return true; // who cannot be counted may be there
    }
    uint32_t self = mplat_thread_number();
    uint32_t n_unborn = 0;
    uint32_t n_others = 0;
    mproc__posix_private_lock();
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        uint32_t number = (uint32_t)strtoul(entry->d_name, NULL, 10);
        bool is_other = number != 0 && number != self && !is_exiting(entry->d_name);
        n_others += is_other && !mproc__posix_is_own_locked(number, &n_unborn) ? 1 : 0;
    }
    mproc__posix_private_unlock();
    (void)closedir(tasks);
    return n_others > n_unborn;
}

static mplat_fork_hooks fork_hooks;

static void before_fork(void)
{
    fork_hooks.before();
    mproc__posix_private_lock();
    mproc__posix_interrupt_lock();
}

static void after_fork(void)
{
    mproc__posix_interrupt_unlock();
    mproc__posix_private_unlock();
    fork_hooks.parent();
}

static void after_fork_in_copy(void)
{
    mproc__posix_interrupt_forget();
    mproc__posix_threads_forget();
    mproc__posix_private_forget();
    fork_hooks.child();
}

int mplat_at_fork(const mplat_fork_hooks *hooks)
{
    fork_hooks = *hooks;
    int error = pthread_atfork(before_fork, after_fork, after_fork_in_copy);
    return error == 0 ? MPROC_OK : mproc__fail_os(error, "cannot watch for fork()");
}
