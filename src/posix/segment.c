/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment.c: memory by name: files where shm_open has them.
 *
 * Why       not shm_open itself: it makes a name first and its memory afterwards, so that others may
 *           open what is empty or half made, and a kill in between leaves that behind. Here a file gets
 *           its memory, mode and mapping without a name, and then the name, in one step.
 * Races     A name may lead to another file by the time a lock is had. So who has a lock looks again,
 *           and starts over if it does.
 * Users     see segment_file.c, where the files themselves are
 */
#include "platform.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "posix/posix.h"
#include "posix/segment_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How often to look at what somebody else is removing, and how long it takes after the quick looks. */
#define QUICK 100
#define PATIENCE 200
#define LOOK_NS 1000000

/* As systems with pages of 4 KiB have them. */
#define HUGE_PAGE ((size_t)2 << 20)

void mplat_segment_reap(const char *name)
{
    char path[MPROC__SEGMENT_PATH];
    mproc__segment_path(name, path);
    (void)mproc__segment_reap(path);
}

/** Remove the made-up names whose users have all died: nobody else will ever ask for them. */
static void reap_all(void)
{
    DIR *folder = opendir(MPROC__SEGMENT_FOLDER);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, MPLAT_SEGMENT_PREFIX, strlen(MPLAT_SEGMENT_PREFIX)) == 0) {
            mplat_segment_reap(entry->d_name);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}

/* ---- mapping --------------------------------------------------------------------------------- */

/** Map a file where huge pages can be, and ask for them. */
static void *map_aligned(int fd, size_t bytes, int access)
{
    size_t page = (size_t)mplat_get_facts()->page_bytes;
    size_t room_bytes = (bytes + page - 1) / page * page + HUGE_PAGE;
    char *room =
        mmap(NULL, room_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
        return MAP_FAILED;
    }
    size_t before = (HUGE_PAGE - (uintptr_t)room % HUGE_PAGE) % HUGE_PAGE;
    void *base = mmap(room + before, bytes, access, MAP_SHARED | MAP_FIXED, fd, 0);
    if (base == MAP_FAILED) {
        int error = errno;
        (void)munmap(room, room_bytes);
        errno = error;
        return MAP_FAILED;
    }
    if (before > 0) {
        (void)munmap(room, before);
    }
    (void)munmap(room + before + (room_bytes - HUGE_PAGE), HUGE_PAGE - before);
    (void)madvise(base, bytes, MADV_HUGEPAGE); // a system without them says no
    return base;
}

/**
 * Map all of a file.
 *
 * @param note  what its note says, or is to say; NULL: it has none
 */
static int map(int fd, const char *name, uint32_t flags, const struct stat *file,
               const mplat_segment_note *note, mplat_segment *segment)
{
    int access = (flags & MPLAT_SEGMENT_READ_ONLY) != 0 ? PROT_READ : PROT_READ | PROT_WRITE;
    size_t bytes = (size_t)file->st_size;
    bool is_aligned = (flags & MPLAT_SEGMENT_HUGE) != 0 && bytes >= HUGE_PAGE;
    void *base = MAP_FAILED;
    errno = ENOMEM;
    if ((uint64_t)file->st_size <= SIZE_MAX - 2 * HUGE_PAGE) {
        base = is_aligned ? map_aligned(fd, bytes, access)
                          : mmap(NULL, bytes, access, MAP_SHARED, fd, 0);
    }
    if (base == MAP_FAILED) {
        return mproc__fail_os(errno, "cannot map the %llu bytes of shared memory %s",
                              (unsigned long long)file->st_size, name);
    }
    bool is_automatic = mproc__segment_is_automatic(file) || (note != NULL && note->is_ready == 0);
    *segment = (mplat_segment){
        .base = base,
        .size = note != NULL ? note->max_size : (uint64_t)file->st_size,
        .note = note != NULL ? (mplat_segment_note *)(void *)((char *)base + bytes) - 1 : NULL,
        .id = file->st_ino,
        .flags = flags | (is_automatic ? MPLAT_SEGMENT_AUTO : 0),
        .user = MPLAT_NO_HANDLE,
        .more = MPLAT_NO_HANDLE,
    };
    return MPROC_OK;
}

/* ---- create ---------------------------------------------------------------------------------- */

/** Give a file its length and its mode, and the maker its place among the users. */
static int shape(int fd, const char *name, const mplat_segment_plan *plan, uint64_t bytes,
                 struct stat *ret_file)
{
    bool is_automatic = (plan->flags & MPLAT_SEGMENT_AUTO) != 0;
    mode_t mode = (mode_t)(plan->mode & 0777) | (is_automatic ? S_ISVTX : 0);
    int rc = mproc__segment_check_room(fd, name, bytes, plan->size);
    if (rc >= 0 &&
        (ftruncate(fd, (off_t)bytes) < 0 || fchmod(fd, mode) < 0 || fstat(fd, ret_file) < 0)) {
        rc = mproc__fail_os(errno, "cannot set size and mode of shared memory %s", name);
    }
    if (rc >= 0 && (is_automatic || plan->layout != 0) && !mproc__segment_lock_users(fd, F_RDLCK)) {
        rc = mproc__fail_os(errno, "cannot lock shared memory %s", name);
    }
    return rc;
}

/** All of a new segment but its name. */
static int furnish(int fd, const char *name, const mplat_segment_plan *plan,
                   void (*prepare)(void *base), mplat_segment *segment)
{
    struct stat file = {0};
    bool has_note = plan->max_size != 0 || plan->layout != 0;
    mplat_segment_note note = {
        .size = plan->size,
        .max_size = plan->max_size != 0 ? plan->max_size : plan->size,
        .layout = plan->layout,
        .is_ready = plan->layout == 0 || prepare != NULL,
    };
    uint64_t bytes = has_note ? mproc__segment_bytes_with_note(note.max_size) : plan->size;
    int rc = shape(fd, name, plan, bytes, &file);
    rc = rc < 0 ? rc
                : map(fd, name, plan->flags & MPLAT_SEGMENT_HUGE, &file, has_note ? &note : NULL,
                      segment);
    rc = rc < 0 ? rc : mproc__segment_take(fd, name, segment, 0, plan->size);
    if (rc >= 0 && has_note) {
        rc = mproc__segment_take(fd, name, segment, bytes - sizeof(note), bytes);
    }
    if (rc >= 0 && has_note) {
        mproc__segment_mark_note(&note, &file);
        *segment->note = note;
    }
    if (rc >= 0 && prepare != NULL) {
        prepare(segment->base);
    }
    return rc;
}

#define TEMPORARY_BYTES sizeof(MPROC__SEGMENT_FOLDER "/.mproc-12345678901-12345678901")

/** Make an empty file: without a name, or with a temporary one where that cannot be. */
static int make_file(char temporary[TEMPORARY_BYTES])
{
    static uint32_t count;
    temporary[0] = '\0';
    // Without /proc such a file could not be given a name.
    int fd = access("/proc/self/fd", X_OK) == 0
                 ? open(MPROC__SEGMENT_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                 : (errno = EOPNOTSUPP, -1);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) {
        return fd;
    }
    do {
        (void)snprintf(temporary, TEMPORARY_BYTES, MPROC__SEGMENT_FOLDER "/.mproc-%ld-%lu",
                       (long)getpid(), (unsigned long)mproc__add32(&count, 1));
        fd = open(temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    } while (fd < 0 && errno == EEXIST);
    return fd;
}

/** Give the file its name. */
static int publish(int fd, const char *temporary, const char *name)
{
    char path[MPROC__SEGMENT_PATH];
    char nameless[32];
    mproc__segment_path(name, path);
    (void)snprintf(nameless, sizeof(nameless), "/proc/self/fd/%d", fd);
    const char *from = temporary[0] != '\0' ? temporary : nameless;
    for (int i = 0; linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0; i++) {
        if (errno != EEXIST) {
            return mproc__fail_os(errno, "cannot create shared memory %s", name);
        }
        if (mproc__segment_reap(path)) {
            continue;
        }
        MPROC__KILLPOINT("segment.exists");
        // Without users it is free: who is removing it is done in a moment, if he is not stopped.
        if (i >= PATIENCE || !mproc__segment_is_going(path)) {
            return mproc__fail(MPROC_EEXIST, "there is shared memory of the name %s already", name);
        }
        const struct timespec pause = {.tv_nsec = i < QUICK ? 0 : LOOK_NS};
        (void)nanosleep(&pause, NULL);
    }
    return MPROC_OK;
}

/** Keep the descriptor of a user's lock, or of what may grow, and no other. */
static void keep(int fd, mplat_segment *segment)
{
    if ((segment->flags & MPLAT_SEGMENT_AUTO) != 0 || segment->note != NULL) {
        segment->user.os = fd;
    } else {
        (void)close(fd);
    }
}

int mproc__segment_create(const char *name, const mplat_segment_plan *plan,
                          void (*prepare)(void *base), mplat_segment *ret_segment)
{
    static uint32_t has_reaped;
    char temporary[TEMPORARY_BYTES];
    mplat_segment segment = {.user = MPLAT_NO_HANDLE, .more = MPLAT_NO_HANDLE};
    if (mproc__exchange32(&has_reaped, 1) == 0) {
        reap_all();
    }
    int fd = make_file(temporary);
    if (fd < 0) {
        int error = errno == ENOENT ? ENOSYS : errno; // it is the folder that is missing
        return mproc__fail_os(error, "no file in " MPROC__SEGMENT_FOLDER " for shared memory %s",
                              name);
    }
    int rc = mproc__posix_raise_fd(&fd);
    if (rc >= 0) {
        rc = furnish(fd, name, plan, prepare, &segment);
        rc = rc < 0 ? rc : publish(fd, temporary, name); /* COMMIT: it is there, as a whole */
    }
    if (temporary[0] != '\0') {
        (void)unlink(temporary);
    }
    if (rc >= 0) {
        keep(fd, &segment);
        *ret_segment = segment;
    } else {
        mplat_segment_close(&segment);
        mproc__posix_close(fd);
    }
    return rc;
}

int mplat_segment_create(const char *name, const mplat_segment_plan *plan,
                         mplat_segment *ret_segment)
{
    return mproc__segment_create(name, plan, NULL, ret_segment);
}

/* ---- open ------------------------------------------------------------------------------------ */

/** What mplat_segment_open was asked for. */
struct want {
    uint32_t flags;
    uint64_t layout;
    uint64_t id;
};

static int not_there(const char *name)
{
    return mproc__fail(MPROC_ENOENT, "there is no shared memory of the name %s", name);
}

/** Whether a file was made ready just now, and needs no users any more. */
static bool needs_no_users(int fd, const struct stat *file)
{
    mplat_segment_note note;
    return !mproc__segment_is_automatic(file) && mproc__segment_read_note(fd, file, &note) &&
           note.is_ready != 0;
}

/**
 * Become a user of an automatic file, or of one that is not ready.
 *
 * @param is_known  whether it may be without users
 * @return 1; 0: its last user is gone, and the name as far as possible, so look again; MPROC_ENOENT
 */
static int join_users(int fd, const char *path, const char *name, bool is_known)
{
    struct stat file = {0};
    short users = is_known ? F_RDLCK : mproc__segment_users(fd);
    MPROC__KILLPOINT("segment.joining");
    bool is_user = users == F_RDLCK && mproc__segment_lock_users(fd, F_RDLCK);
    if (fstat(fd, &file) == 0 && mproc__segment_leads_to(path, &file)) {
        if (is_user) {
            return 1;
        }
        // Who removes it, or is not allowed to, has it under this name still; nobody else may.
        if (users != F_UNLCK || !mproc__segment_reap(path)) {
            return needs_no_users(fd, &file) ? 0 : not_there(name);
        }
    }
    return 0;
}

/** Why a file is not to be had that is not ready: MPROC_ESTATE, MPROC_ENOENT; 0: look again. */
static int await_ready(int fd, const char *path, const char *name, const struct stat *file)
{
    short users = mproc__segment_users(fd);
    MPROC__KILLPOINT("segment.awaiting");
    if (!mproc__segment_leads_to(path, file)) {
        return 0;
    }
    if (users == F_RDLCK) {
        return mproc__fail(MPROC_ESTATE, "the shared memory %s is not ready yet", name);
    }
    if (users == F_UNLCK && mproc__segment_reap(path)) {
        return 0;
    }
    // Without users it stays as it is, and is being removed, unless it was made ready before.
    return needs_no_users(fd, file) ? 0 : not_there(name);
}

/** 1; 0: look again; or why not. The descriptor stays the caller's. */
static int open_once(int fd, const char *path, const char *name, const struct want *want,
                     mplat_segment *segment)
{
    struct stat file = {0};
    mplat_segment_note note = {.is_ready = 1};
    if (fstat(fd, &file) < 0 || !S_ISREG(file.st_mode)) {
        return mproc__fail(MPROC_EINVAL, "%s is no shared memory", path);
    }
    if (want->id != 0 && want->id != file.st_ino) {
        return mproc__fail(MPROC_ENOENT,
                           "the shared memory %s is gone; another one has its name now", name);
    }
    if (file.st_size == 0) {
        return mproc__fail(MPROC_ESTATE, "the shared memory %s has no size yet", name);
    }
    bool has_note = mproc__segment_read_note(fd, &file, &note);
    bool is_ready = !has_note || note.is_ready != 0;
    if (want->layout != 0 && (!has_note || note.layout != want->layout)) {
        return mproc__fail(MPROC_ETYPE, "the shared memory %s has another layout", name);
    }
    if (want->id == 0 && !is_ready) {
        return await_ready(fd, path, name, &file);
    }
    int rc = 1;
    if (mproc__segment_is_automatic(&file) || !is_ready) {
        rc = join_users(fd, path, name, want->id != 0);
    }
    if (rc == 1) {
        rc = map(fd, name, want->flags, &file, has_note ? &note : NULL, segment);
        rc = rc < 0 ? rc : 1;
    }
    if (rc == 1 && has_note) {
        // What was written before it was made ready is seen after this.
        (void)mproc__load32_acquire(&segment->note->is_ready);
    }
    return rc;
}

int mplat_segment_open(const char *name, uint32_t flags, uint64_t layout, uint64_t id,
                       mplat_segment *ret_segment)
{
    const struct want want = {flags & (MPLAT_SEGMENT_READ_ONLY | MPLAT_SEGMENT_HUGE), layout, id};
    char path[MPROC__SEGMENT_PATH];
    mproc__segment_path(name, path);
    for (;;) {
        int fd = mproc__segment_open_file(path, (flags & MPLAT_SEGMENT_READ_ONLY) != 0 ? O_RDONLY
                                                                                       : O_RDWR);
        if (fd < 0) {
            return errno == ENOENT ? not_there(name)
                                   : mproc__fail_os(errno, "cannot open shared memory %s", name);
        }
        MPROC__KILLPOINT("segment.opened");
        int rc = mproc__posix_raise_fd(&fd);
        rc = rc < 0 ? rc : open_once(fd, path, name, &want, ret_segment);
        if (rc == 1) {
            keep(fd, ret_segment);
            return MPROC_OK;
        }
        mproc__posix_close(fd);
        if (rc < 0) {
            return rc;
        }
    }
}

/* ---- close and unlink ------------------------------------------------------------------------ */

void mplat_segment_leave(mplat_segment *segment)
{
    if (segment->user.os >= 0) {
        // What holds on to the memory without being a user: to free it takes long if it is large.
        char self[32];
        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", (int)segment->user.os);
        segment->more.os = open(self, O_PATH | O_CLOEXEC);
    }
    if (segment->base != NULL) {
        uint64_t bytes =
            segment->note != NULL ? mproc__segment_bytes_with_note(segment->size) : segment->size;
        (void)munmap(segment->base, (size_t)bytes); // it, too, keeps the lock
    }
    mproc__posix_close((int)segment->user.os);
    segment->base = NULL;
    segment->note = NULL;
    segment->user = MPLAT_NO_HANDLE;
}

void mplat_segment_close(mplat_segment *segment)
{
    mplat_segment_leave(segment);
    mplat_handle_close(segment->more);
    segment->more = MPLAT_NO_HANDLE;
}

int mplat_segment_unlink(const char *name, uint64_t id)
{
    char path[MPROC__SEGMENT_PATH];
    struct stat now;
    mproc__segment_path(name, path);
    if (lstat(path, &now) < 0 || (id != 0 && now.st_ino != id)) {
        return not_there(name);
    }
    if (unlink(path) < 0) {
        return errno == ENOENT ? not_there(name)
                               : mproc__fail_os(errno, "cannot unlink shared memory %s", name);
    }
    return MPROC_OK;
}
