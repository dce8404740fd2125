/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment.c: memory by name: files where shm_open has them.
 *
 * Why       not shm_open itself: it makes a name first and its memory afterwards, so that others may
 *           open what is empty or half made, and a kill in between leaves that behind. Here a file gets
 *           its memory, mode and mapping without a name, and then the name, in one step.
 * Automatic The sticky bit, which means nothing else for a file, tells that the name goes with the last
 *           user. Each user has a shared lock of its own open file on one byte; the kernel takes it back
 *           however the user ends. Who gets that byte exclusively knows that there is no user, and
 *           removes the name; nobody takes it so for anything else. Strangers hold no lock, and do not
 *           count. A copy made by fork() shares the open file, and so does a mapping: the lock stays
 *           until all of them are gone.
 * Races     A name may lead to another file by the time a lock is had. So who has a lock looks again,
 *           and starts over if it does.
 * Death     killed with the exclusive lock, the file is as it was: without users, for the next to find
 */
#include "platform.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "posix/posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FOLDER "/dev/shm"
#define PATH_BYTES (sizeof(FOLDER) + 1 + MPLAT_SEGMENT_NAME)

/* Beyond all data, so that it meets no lock of somebody else's. */
#define USERS_BYTE ((off_t)1 << 62)

/* Memory is taken in pieces: a signal that comes again and again lets a large one never end. */
#define PIECE ((uint64_t)16 << 20)

static void path_of(const char *name, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, FOLDER "/%s", name);
}

static int open_file(const char *path, int flags)
{
    int fd;
    do {
        // Neither a link to elsewhere nor a pipe without a writer shall lead anybody astray.
        fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/** Whether a name leads to this file. */
static bool leads_to(const char *path, const struct stat *file)
{
    struct stat now;
    return lstat(path, &now) == 0 && now.st_ino == file->st_ino && now.st_dev == file->st_dev;
}

static bool is_automatic(const struct stat *file)
{
    return S_ISREG(file->st_mode) && (file->st_mode & S_ISVTX) != 0;
}

/* ---- users ----------------------------------------------------------------------------------- */

static struct flock users_lock(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = USERS_BYTE, .l_len = 1};
}

static bool lock_users(int fd, short type)
{
    struct flock lock = users_lock(type);
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/** F_RDLCK: there are users; F_WRLCK: somebody removes the name; F_UNLCK: neither. */
static short users_of(int fd)
{
    struct flock lock = users_lock(F_WRLCK);
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 ? lock.l_type : F_RDLCK;
}

/** Remove the name of an automatic file without users. Whether the name is free now. */
static bool reap(const char *path)
{
    struct stat file = {0};
    int fd = open_file(path, O_RDWR);
    if (fd < 0) {
        return errno == ENOENT;
    }
    MPROC__KILLPOINT("segment.reaping");
    bool is_free = fstat(fd, &file) == 0 && is_automatic(&file) && lock_users(fd, F_WRLCK);
    if (is_free && leads_to(path, &file)) {
        is_free = unlink(path) == 0 || errno == ENOENT;
    }
    (void)close(fd);
    return is_free;
}

void mplat_segment_reap(const char *name)
{
    char path[PATH_BYTES];
    path_of(name, path);
    (void)reap(path);
}

/** Remove the made-up names whose users have all died: nobody else will ever ask for them. */
static void reap_all(void)
{
    DIR *folder = opendir(FOLDER);
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

/* ---- create ---------------------------------------------------------------------------------- */

static int no_room(const char *name, uint64_t size)
{
    return mproc__fail(MPROC_ENOSPC, "there is no room in " FOLDER " for the %llu bytes of %s",
                       (unsigned long long)size, name);
}

/** Have memory for all of the file. */
static int take_memory(int fd, const char *name, uint64_t size)
{
    struct statvfs room;
    struct rlimit limit;
    // Beyond this limit the kernel sends a signal rather than an error.
    bool is_limited = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
                      size > limit.rlim_cur;
    // Asked first, for memory that is taken bit by bit until there is none is missed by others.
    bool is_full = fstatvfs(fd, &room) == 0 && room.f_blocks > 0 &&
                   (size - 1) / room.f_frsize + 1 > room.f_bavail;
    if (size > INT64_MAX || is_limited || is_full) {
        return no_room(name, size);
    }
    for (uint64_t at = 0; at < size;) {
        uint64_t bytes = size - at < PIECE ? size - at : PIECE;
        int error = posix_fallocate(fd, (off_t)at, (off_t)bytes);
        if (error == ENOSPC || error == EFBIG) {
            return no_room(name, size);
        }
        if (error != 0 && error != EINTR) {
            return mproc__fail_os(error, "no memory for the %llu bytes of shared memory %s",
                                  (unsigned long long)size, name);
        }
        at += error == 0 ? bytes : 0;
    }
    return MPROC_OK;
}

static int map(int fd, const char *name, uint32_t flags, const struct stat *file,
               mplat_segment *segment)
{
    int access = (flags & MPLAT_SEGMENT_READ_ONLY) != 0 ? PROT_READ : PROT_READ | PROT_WRITE;
    size_t size = (size_t)file->st_size;
    void *base = (uint64_t)file->st_size > SIZE_MAX ? (errno = ENOMEM, MAP_FAILED)
                                                    : mmap(NULL, size, access, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return mproc__fail_os(errno, "cannot map the %llu bytes of shared memory %s",
                              (unsigned long long)file->st_size, name);
    }
    *segment = (mplat_segment){
        .base = base,
        .size = (uint64_t)file->st_size,
        .id = file->st_ino,
        .flags = flags | (is_automatic(file) ? MPLAT_SEGMENT_AUTO : 0),
        .user = MPLAT_NO_HANDLE,
        .more = MPLAT_NO_HANDLE,
    };
    return MPROC_OK;
}

/** All of a new segment but its name. */
static int furnish(int fd, const char *name, uint64_t size, mode_t mode, mplat_segment *segment)
{
    struct stat file = {0};
    int rc = take_memory(fd, name, size);
    if (rc >= 0 && (fchmod(fd, mode) < 0 || fstat(fd, &file) < 0)) {
        rc = mproc__fail_os(errno, "cannot set the mode of shared memory %s", name);
    }
    if (rc >= 0 && is_automatic(&file) && !lock_users(fd, F_RDLCK)) {
        rc = mproc__fail_os(errno, "cannot lock shared memory %s", name);
    }
    return rc < 0 ? rc : map(fd, name, 0, &file, segment);
}

#define TEMPORARY_BYTES sizeof(FOLDER "/.mproc-12345678901-12345678901")

/** Make an empty file: without a name, or with a temporary one where that cannot be. */
static int make_file(char temporary[TEMPORARY_BYTES])
{
    static uint32_t count;
    temporary[0] = '\0';
    // Without /proc such a file could not be given a name.
    int fd = access("/proc/self/fd", X_OK) == 0 ? open(FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                                                : (errno = EOPNOTSUPP, -1);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) {
        return fd;
    }
    do {
        (void)snprintf(temporary, TEMPORARY_BYTES, FOLDER "/.mproc-%ld-%lu", (long)getpid(),
                       (unsigned long)mproc__add32(&count, 1));
        fd = open(temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    } while (fd < 0 && errno == EEXIST);
    return fd;
}

/** Give the file its name. */
static int publish(int fd, const char *temporary, const char *name)
{
    char path[PATH_BYTES];
    char nameless[32];
    path_of(name, path);
    (void)snprintf(nameless, sizeof(nameless), "/proc/self/fd/%d", fd);
    const char *from = temporary[0] != '\0' ? temporary : nameless;
    while (linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0) {
        if (errno != EEXIST) {
            return mproc__fail_os(errno, "cannot create shared memory %s", name);
        }
        if (!reap(path)) {
            return mproc__fail(MPROC_EEXIST, "there is shared memory of the name %s already", name);
        }
    }
    return MPROC_OK;
}

/** Keep the descriptor of a user's lock, and no other. */
static void keep(int fd, mplat_segment *segment)
{
    if ((segment->flags & MPLAT_SEGMENT_AUTO) != 0) {
        segment->user.os = fd;
    } else {
        (void)close(fd);
    }
}

int mplat_segment_create(const char *name, uint64_t size, uint32_t flags, uint32_t mode,
                         mplat_segment *ret_segment)
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
        return mproc__fail_os(error, "no file in " FOLDER " for shared memory %s", name);
    }
    int rc = mproc__posix_raise_fd(&fd);
    if (rc >= 0) {
        mode_t bits = (mode_t)(mode & 0777) | ((flags & MPLAT_SEGMENT_AUTO) != 0 ? S_ISVTX : 0);
        rc = furnish(fd, name, size, bits, &segment);
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

/* ---- open ------------------------------------------------------------------------------------ */

static int not_there(const char *name)
{
    return mproc__fail(MPROC_ENOENT, "there is no shared memory of the name %s", name);
}

/**
 * Become a user of an automatic file.
 *
 * @param is_known  whether it may be without users
 * @return 1; 0: its last user is gone, and the name as far as possible, so look again; MPROC_ENOENT
 */
static int join_users(int fd, const char *path, const char *name, bool is_known)
{
    struct stat file = {0};
    short users = is_known ? F_RDLCK : users_of(fd);
    MPROC__KILLPOINT("segment.joining");
    bool is_user = users == F_RDLCK && lock_users(fd, F_RDLCK);
    if (fstat(fd, &file) == 0 && leads_to(path, &file)) {
        if (is_user) {
            return 1;
        }
        // Who removes it, or is not allowed to, has it under this name still; nobody else may.
        if (users != F_UNLCK || !reap(path)) {
            return not_there(name);
        }
    }
    return 0;
}

/** 1; 0: look again; or why not. The descriptor stays the caller's. */
static int open_once(int fd, const char *path, const char *name, uint32_t flags, uint64_t id,
                     mplat_segment *segment)
{
    struct stat file = {0};
    if (fstat(fd, &file) < 0 || !S_ISREG(file.st_mode)) {
        return mproc__fail(MPROC_EINVAL, "%s is no shared memory", path);
    }
    if (id != 0 && id != file.st_ino) {
        return mproc__fail(MPROC_ENOENT,
                           "the shared memory %s is gone; another one has its name now", name);
    }
    if (file.st_size == 0) {
        return mproc__fail(MPROC_ESTATE, "the shared memory %s has no size yet", name);
    }
    int rc = is_automatic(&file) ? join_users(fd, path, name, id != 0) : 1;
    if (rc == 1) {
        rc = map(fd, name, flags & MPLAT_SEGMENT_READ_ONLY, &file, segment);
        rc = rc < 0 ? rc : 1;
    }
    return rc;
}

int mplat_segment_open(const char *name, uint32_t flags, uint64_t id, mplat_segment *ret_segment)
{
    char path[PATH_BYTES];
    path_of(name, path);
    for (;;) {
        int fd = open_file(path, (flags & MPLAT_SEGMENT_READ_ONLY) != 0 ? O_RDONLY : O_RDWR);
        if (fd < 0) {
            return errno == ENOENT ? not_there(name)
                                   : mproc__fail_os(errno, "cannot open shared memory %s", name);
        }
        MPROC__KILLPOINT("segment.opened");
        int rc = mproc__posix_raise_fd(&fd);
        rc = rc < 0 ? rc : open_once(fd, path, name, flags, id, ret_segment);
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
        (void)munmap(segment->base, (size_t)segment->size); // it, too, keeps the lock
    }
    mproc__posix_close((int)segment->user.os);
    segment->base = NULL;
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
    char path[PATH_BYTES];
    struct stat now;
    path_of(name, path);
    if (lstat(path, &now) < 0 || (id != 0 && now.st_ino != id)) {
        return not_there(name);
    }
    if (unlink(path) < 0) {
        return errno == ENOENT ? not_there(name)
                               : mproc__fail_os(errno, "cannot unlink shared memory %s", name);
    }
    return MPROC_OK;
}
