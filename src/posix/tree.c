/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.c: a process with all its descendants. No twin: Windows keeps trees in job objects.
 *
 * Descendants are stopped as they are found, and looked for again until none is new: what is stopped
 * cannot fork away.
 */
#include "platform.h"

#include "base/alloc.h"
#include "base/status.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_TREE 4096

typedef struct tree {
    pid_t pids[MAX_TREE];
    size_t count;
} tree;

static bool has(const tree *found, pid_t pid)
{
    for (size_t i = 0; i < found->count; i++) {
        if (found->pids[i] == pid) {
            return true;
        }
    }
    return false;
}

static pid_t parent_of(const char *pid)
{
    char path[300];
    char text[512];
    (void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    const char *behind_name = strrchr(text, ')');
    return behind_name != NULL && strlen(behind_name) > 4 ? (pid_t)strtol(behind_name + 4, NULL, 10)
                                                          : 0;
}

/** To anybody but ourselves: we have work to do, and go with the tree's root, or after it. */
static void send_signal(pid_t pid, int number)
{
    if (pid != getpid()) {
        (void)kill(pid, number);
    }
}

/** One look through /proc; whether it found somebody new. */
static bool grow(tree *found, DIR *directory)
{
    bool is_new = false;
    rewinddir(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && found->count < MAX_TREE && !has(found, pid) &&
            has(found, parent_of(entry->d_name))) {
            send_signal(pid, SIGSTOP);
            found->pids[found->count++] = pid;
            is_new = true;
        }
    }
    return is_new;
}

int mplat_process_kill_tree(const mplat_identity *who)
{
    tree *found = mproc__calloc(1, sizeof(*found));
    DIR *directory = opendir("/proc");
    if (found != NULL && directory != NULL && mplat_process_alive(who)) {
        found->pids[found->count++] = (pid_t)who->pid;
        send_signal((pid_t)who->pid, SIGSTOP);
        while (grow(found, directory)) {
        }
        // From the leaves: a parent that is gone cannot be asked for its children any more.
        for (size_t i = found->count; i-- > 1;) {
            send_signal(found->pids[i], SIGKILL);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    mproc__free(found);
    return mplat_process_signal(who, MPLAT_KILL);
}
