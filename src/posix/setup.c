/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup.c: what a new process changes about itself, and what it may use of the machine.
 */
#include "platform.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_set(const int *cpus, size_t count, cpu_set_t *ret_set)
{
    CPU_ZERO(ret_set);
    for (size_t i = 0; i < count; i++) {
        if (cpus[i] < 0 || cpus[i] >= CPU_SETSIZE) {
            return mproc__fail(MPROC_EINVAL, "there is no processor %d", cpus[i]);
        }
        CPU_SET(cpus[i], ret_set);
    }
    return MPROC_OK;
}

int mplat_process_setup_check(const mplat_setup *setup)
{
    cpu_set_t unused;
    return make_set(setup->cpus, setup->n_cpus, &unused); // all else exists here
}

static int set_environment(const char *const *env, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(env[i], '=');
        int failed;
        if (equals == NULL) {
            failed = unsetenv(env[i]);
        } else {
            char name[256];
            size_t length = (size_t)(equals - env[i]);
            if (length >= sizeof(name)) {
                return mproc__fail(MPROC_ETOOBIG,
                                   "the name of environment variable %.40s... is too long", env[i]);
            }
            memcpy(name, env[i], length);
            name[length] = '\0';
            failed = setenv(name, equals + 1, 1);
        }
        if (failed) {
            return mproc__fail_os(errno, "cannot set the environment variable %s", env[i]);
        }
    }
    return MPROC_OK;
}

static int set_processors(const int *cpus, size_t count)
{
    cpu_set_t set;
    int rc = make_set(cpus, count, &set);
    if (rc >= 0 && sched_setaffinity(0, sizeof(set), &set) < 0) {
        rc = mproc__fail_os(errno, "cannot choose processors");
    }
    return rc;
}

int mplat_thread_pin(const int *cpus, size_t count)
{
    return count > 0 ? set_processors(cpus, count)
                     : mproc__fail(MPROC_EINVAL, "a thread needs a processor to run on");
}

size_t mplat_cpu_list(int *ret_cpus, size_t capacity)
{
    cpu_set_t set;
    size_t count = 0;
    if (sched_getaffinity(0, sizeof(set), &set) < 0) {
        return 0;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set)) {
            continue;
        }
        if (count < capacity) {
            ret_cpus[count] = cpu;
        }
        count++;
    }
    return count;
}

static int set_user(uint32_t user, uint32_t group)
{
    // Groups first: afterwards the privilege to change them is gone.
    bool is_done = setgroups(0, NULL) == 0 && setgid((gid_t)group) == 0 && setuid((uid_t)user) == 0;
    return is_done ? MPROC_OK
                   : mproc__fail_os(errno, "cannot become user %lu of group %lu",
                                    (unsigned long)user, (unsigned long)group);
}

int mplat_process_setup(const mplat_setup *setup)
{
    int rc = MPROC_OK;
    if (setup->name != NULL) {
        (void)prctl(PR_SET_NAME, setup->name, 0, 0, 0);
    }
    if (setup->set_umask) {
        (void)umask((mode_t)setup->umask);
    }
    if (setup->n_cpus > 0) {
        rc = set_processors(setup->cpus, setup->n_cpus);
    }
    errno = 0;
    if (rc >= 0 && setup->nice != 0 && nice(setup->nice) == -1 && errno != 0) {
        rc = mproc__fail_os(errno, "cannot change the nice value by %d", setup->nice);
    }
    if (rc >= 0 && setup->set_user) {
        rc = set_user(setup->user, setup->group);
    }
    if (rc >= 0 && setup->directory != NULL && chdir(setup->directory) < 0) {
        rc = mproc__fail_os(errno, "cannot run in %s", setup->directory);
    }
    return rc < 0 ? rc : set_environment(setup->env, setup->n_env);
}

#ifdef __GLIBC__
static void (*copy_hook)(int code);

static void run_copy_hook(int code, void *unused)
{
    (void)unused;
    copy_hook(code);
}
#endif

void mplat_copy_at_exit(void (*hook)(int code))
{
#ifdef __GLIBC__
    // Last registered, first called; and, unlike atexit, it is told the code.
    copy_hook = hook;
    (void)on_exit(run_copy_hook, NULL);
#else
    (void)hook;
#endif
}

/** Up to two numbers from a file; how many there were. */
static int read_numbers(const char *path, long long numbers[2])
{
    char text[128];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    int count = 0;
    char *next = fgets(text, sizeof(text), file);
    for (char *end; next != NULL && count < 2; next = end) {
        numbers[count] = strtoll(next, &end, 10);
        if (end == next) {
            break; // "max": no limit
        }
        count++;
    }
    (void)fclose(file);
    return count;
}

int64_t mplat_memory_now(void)
{
    // Not kept open: in a copy it would still tell of the original. Size, then what is resident, then what of that is
    // files' or others' as well; in pages.
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    char *next = text;
    (void)strtoll(next, &next, 10);
    long long resident = strtoll(next, &next, 10);
    long long shared = strtoll(next, &next, 10);
    return (resident - shared) * (int64_t)mplat_get_facts()->page_bytes;
}

int64_t mplat_memory_peak(void)
{
    // Not getrusage's: that one counts what the process was before it executed the program, its parent's copy.
    static const char mark[] = "VmHWM:";
    char line[256];
    int64_t bytes = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && bytes == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, mark, sizeof(mark) - 1) == 0) {
            bytes = strtoll(line + sizeof(mark) - 1, NULL, 10) * 1024;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return bytes;
}

/** The path of this process's cgroup in a hierarchy; "/" if it cannot be told. */
static void find_group(const char *mark, char *ret_path, size_t size)
{
    char line[1024];
    (void)snprintf(ret_path, size, "/");
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *found = strstr(line, mark);
        if (found != NULL) {
            (void)snprintf(ret_path, size, "%.*s", (int)strcspn(found + strlen(mark), "\n"),
                           found + strlen(mark));
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/** Processors that a quota in [group] or one above it amounts to, rounded up; 0: no quota. */
static long long quota_of(const char *root, char *group, bool is_unified)
{
    long long least = 0;
    for (;;) {
        char path[1300];
        long long quota[2] = {0}; // how much of a period, and its length
        int n = 0;
        if (is_unified) {
            (void)snprintf(path, sizeof(path), "%s%s/cpu.max", root, group);
            n = read_numbers(path, quota);
        } else {
            long long period[2] = {0};
            (void)snprintf(path, sizeof(path), "%s%s/cpu.cfs_quota_us", root, group);
            n = read_numbers(path, quota);
            (void)snprintf(path, sizeof(path), "%s%s/cpu.cfs_period_us", root, group);
            n += read_numbers(path, period);
            quota[1] = period[0];
        }
        if (n == 2 && quota[0] > 0 && quota[1] > 0) {
            long long cpus = (quota[0] + quota[1] - 1) / quota[1];
            least = least == 0 || cpus < least ? cpus : least;
        }
        char *slash = strrchr(group, '/');
        if (slash == NULL || group[0] == '\0') {
            return least;
        }
        *slash = '\0';
    }
}

int mplat_cpu_count(void)
{
    cpu_set_t set;
    long long count = sysconf(_SC_NPROCESSORS_ONLN);
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        count = CPU_COUNT(&set);
    }
    char group[1024];
    find_group("0::", group, sizeof(group));
    long long quota = quota_of("/sys/fs/cgroup", group, true);
    if (quota == 0) {
        find_group("cpu,cpuacct:", group, sizeof(group));
        quota = quota_of("/sys/fs/cgroup/cpu,cpuacct", group, false);
    }
    count = quota > 0 && quota < count ? quota : count;
    return count < 1 ? 1 : (int)count;
}
