/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c: how a process ended, and whether the kernel killed it for want of memory.
 *
 * No twin: Windows has no out-of-memory killer. The kernel's killer leaves no mark on the process;
 * but its cgroup counts, so a SIGKILL during which the count has grown was one.
 */
#include "posix/posix.h"

#include "base/atomic.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t kills_seen;

static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/** How many processes of this cgroup were killed for want of memory; 0 if nobody counts. */
static uint64_t count_kills(void)
{
    char groups[2048];
    char path[2300];
    char events[512];
    if (!read_text("/proc/self/cgroup", groups, sizeof(groups))) {
        return 0;
    }
    const char *unified = strstr(groups, "0::/");
    const char *memory = strstr(groups, ":memory:/");
    if (memory != NULL) {
        memory += strlen(":memory:");
        (void)snprintf(path, sizeof(path), "/sys/fs/cgroup/memory%.*s/memory.oom_control",
                       (int)strcspn(memory, "\n"), memory);
    } else if (unified != NULL) {
        unified += strlen("0::");
        (void)snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s/memory.events",
                       (int)strcspn(unified, "\n"), unified);
    } else {
        return 0;
    }
    const char *line = read_text(path, events, sizeof(events)) ? strstr(events, "oom_kill ") : NULL;
    return line != NULL ? strtoull(line + strlen("oom_kill "), NULL, 10) : 0;
}

void mproc__posix_watch_memory(void)
{
    static uint32_t is_watching;
    if (mproc__exchange32(&is_watching, 1) == 0) {
        mproc__store64_release(&kills_seen, count_kills());
    }
}

static bool was_out_of_memory(void)
{
    uint64_t now = count_kills();
    return mproc__exchange64(&kills_seen, now) < now;
}

static int64_t to_ns(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

int mplat_signal_of(int32_t code)
{
    return code < 0 ? -code : 0;
}

mplat_exit mproc__posix_exit(int status, const struct rusage *usage)
{
    mplat_exit result = {
        .code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status),
        .user_ns = to_ns(usage->ru_utime),
        .system_ns = to_ns(usage->ru_stime),
        .max_rss_bytes = (int64_t)usage->ru_maxrss * 1024,
    };
    if (WIFSIGNALED(status) && WCOREDUMP(status)) {
        result.flags |= MPLAT_EXIT_CORE;
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && was_out_of_memory()) {
        result.flags |= MPLAT_EXIT_OOM;
    }
    return result;
}
