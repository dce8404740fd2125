/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_file.c: the file that is a segment: its users, its note, its memory. No twin: Windows has
 * sections, which are no files.
 *
 * Automatic The sticky bit, which means nothing else for a file, tells that the name goes with the last
 *           user. Each user has a shared lock of its own open file on one byte; the kernel takes it back
 *           however the user ends. Who gets that byte exclusively knows that there is no user, and
 *           removes the name; nobody takes it so for anything else. Strangers hold no lock, and do not
 *           count. A copy made by fork() shares the open file, and so does a mapping: the lock stays
 *           until all of them are gone.
 * Note      The last bytes of the file, of segments that need one only: the plain ones are all data, and
 *           what strangers make is never longer than they want it. The data's place is as long as they
 *           can ever be, and has memory as far as they are, so that nothing ever moves. What is not
 *           ready is as if automatic: to its users, who can make it ready, it is there.
 * Growth    Under a lock on another byte, of an open file of its own, for two threads share theirs: what
 *           lies beyond the size is given back before and, if there is not enough, after.
 * Death     killed with an exclusive lock, the file is as it was: without users, for the next to find;
 *           or with memory beyond its size, for the next one who wants it larger
 */
#include "posix/segment_file.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Beyond all data, so that they meet no lock of somebody else's. */
#define USERS_BYTE ((off_t)1 << 62)
#define GROWTH_BYTE (USERS_BYTE + 1)

/* Memory is taken in pieces: a signal that comes again and again lets a large one never end. */
#define PIECE ((uint64_t)16 << 20)

#define NOTE_BYTES sizeof(mplat_segment_note)
#define MARK UINT64_C(0x7a1f0c6d706e6f74)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since Linux 5.14 */
#endif

void mproc__segment_path(const char *name, char path[MPROC__SEGMENT_PATH])
{
    (void)snprintf(path, MPROC__SEGMENT_PATH, MPROC__SEGMENT_FOLDER "/%s", name);
}

int mproc__segment_open_file(const char *path, int flags)
{
    int fd;
    do {
        // Neither a link to elsewhere nor a pipe without a writer shall lead anybody astray.
        fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

bool mproc__segment_leads_to(const char *path, const struct stat *file)
{
    struct stat now;
    return lstat(path, &now) == 0 && now.st_ino == file->st_ino && now.st_dev == file->st_dev;
}

bool mproc__segment_is_automatic(const struct stat *file)
{
    return S_ISREG(file->st_mode) && (file->st_mode & S_ISVTX) != 0;
}

/* ---- note ------------------------------------------------------------------------------------ */

uint64_t mproc__segment_bytes_with_note(uint64_t size)
{
    return size <= INT64_MAX ? (size + NOTE_BYTES - 1) / NOTE_BYTES * NOTE_BYTES + NOTE_BYTES
                             : UINT64_MAX; // which no file has
}

void mproc__segment_mark_note(mplat_segment_note *note, const struct stat *file)
{
    note->mark = MARK;
    note->id = file->st_ino;
}

bool mproc__segment_read_note(int fd, const struct stat *file, mplat_segment_note *ret_note)
{
    off_t at = file->st_size - (off_t)NOTE_BYTES;
    return S_ISREG(file->st_mode) && at > 0 && file->st_size % (off_t)NOTE_BYTES == 0 &&
           pread(fd, ret_note, NOTE_BYTES, at) == (ssize_t)NOTE_BYTES && ret_note->mark == MARK &&
           ret_note->id == file->st_ino && ret_note->size > 0 &&
           ret_note->size <= ret_note->max_size &&
           mproc__segment_bytes_with_note(ret_note->max_size) == (uint64_t)file->st_size;
}

/* ---- users ----------------------------------------------------------------------------------- */

static struct flock lock_of(off_t byte, int type)
{
    return (struct flock){.l_type = (short)type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
}

bool mproc__segment_lock_users(int fd, short type)
{
    struct flock lock = lock_of(USERS_BYTE, type);
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

short mproc__segment_users(int fd)
{
    struct flock lock = lock_of(USERS_BYTE, F_WRLCK);
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 ? lock.l_type : F_RDLCK;
}

bool mproc__segment_reap(const char *path)
{
    struct stat file = {0};
    mplat_segment_note note;
    int fd = mproc__segment_open_file(path, O_RDWR);
    if (fd < 0) {
        return errno == ENOENT;
    }
    MPROC__KILLPOINT("segment.reaping");
    // Without users nobody is left to make it ready; so it is looked at when that is known.
    bool is_free = fstat(fd, &file) == 0 && S_ISREG(file.st_mode) &&
                   mproc__segment_lock_users(fd, F_WRLCK) &&
                   (mproc__segment_is_automatic(&file) ||
                    (mproc__segment_read_note(fd, &file, &note) && note.is_ready == 0));
    if (is_free && mproc__segment_leads_to(path, &file)) {
        is_free = unlink(path) == 0 || errno == ENOENT;
    }
    (void)close(fd);
    return is_free;
}

bool mproc__segment_is_going(const char *path)
{
    struct stat file = {0};
    int fd = mproc__segment_open_file(path, O_RDWR);
    if (fd < 0) {
        return errno == ENOENT;
    }
    short users = mproc__segment_users(fd);
    bool is_free = fstat(fd, &file) == 0 && mproc__segment_is_automatic(&file) && users == F_UNLCK;
    (void)close(fd);
    return users == F_WRLCK || is_free;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int no_room(const char *name, uint64_t bytes)
{
    return mproc__fail(MPROC_ENOSPC,
                       "there is no room in " MPROC__SEGMENT_FOLDER " for the %llu bytes of %s",
                       (unsigned long long)bytes, name);
}

int mproc__segment_check_room(int fd, const char *name, uint64_t file_bytes, uint64_t new_bytes)
{
    struct statvfs room;
    struct rlimit limit;
    // Beyond this limit the kernel sends a signal rather than an error.
    bool is_limited = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
                      file_bytes > limit.rlim_cur;
    bool is_full = new_bytes > 0 && fstatvfs(fd, &room) == 0 && room.f_blocks > 0 &&
                   (new_bytes - 1) / room.f_frsize + 1 > room.f_bavail;
    return file_bytes > INT64_MAX || is_limited || is_full ? no_room(name, new_bytes) : MPROC_OK;
}

int mproc__segment_take(int fd, const char *name, const mplat_segment *segment, uint64_t from,
                        uint64_t to)
{
    uint64_t page = mplat_get_facts()->page_bytes;
    MPROC__KILLPOINT("segment.taking");
    if ((segment->flags & MPLAT_SEGMENT_HUGE) != 0) {
        // Where mappings ask for huge pages it must be a mapping that takes the memory first. What it
        // cannot take is found out below.
        uint64_t first = from / page * page;
        (void)madvise((char *)segment->base + first, (size_t)(to - first), MADV_POPULATE_WRITE);
    }
    for (uint64_t at = from; at < to;) {
        uint64_t bytes = to - at < PIECE ? to - at : PIECE;
        int error = posix_fallocate(fd, (off_t)at, (off_t)bytes);
        if (error == ENOSPC || error == EFBIG) {
            return no_room(name, to - from);
        }
        if (error != 0 && error != EINTR) {
            return mproc__fail_os(error, "no memory for the %llu bytes of shared memory %s",
                                  (unsigned long long)(to - from), name);
        }
        at += error == 0 ? bytes : 0;
    }
    return MPROC_OK;
}

/** Take the lock of growth with a descriptor of its own, or why not. */
static int lock_growth(const mplat_segment *segment, const char *name)
{
    char self[32];
    struct flock lock = lock_of(GROWTH_BYTE, F_WRLCK);
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", (int)segment->user.os);
    mproc__posix_private_lock(); // a copy that kept it would keep the lock
    int fd = open(self, O_RDWR | O_CLOEXEC);
    mproc__posix_mark_locked(fd);
    mproc__posix_private_unlock();
    int error = fd < 0 ? errno : EINTR;
    while (fd >= 0 && error == EINTR) {
        error = fcntl(fd, F_OFD_SETLKW, &lock) < 0 ? errno : 0;
    }
    if (error != 0) {
        mproc__posix_close(fd);
        error = error == ENOENT ? ENOSYS : error; // it is /proc that is missing
        return mproc__fail_os(error, "cannot lock shared memory %s", name);
    }
    return fd;
}

/** Zero [from, to), and give its memory back. */
static void drop(int fd, uint64_t from, uint64_t to)
{
    while (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                     (off_t)(to - from)) < 0 &&
           errno == EINTR) {
    }
}

static int grow_locked(int fd, const char *name, mplat_segment *segment, uint64_t size)
{
    uint64_t page = mplat_get_facts()->page_bytes;
    uint64_t old = mproc__load64_acquire(&segment->note->size);
    uint64_t from = (old + page - 1) / page * page;
    int rc = MPROC_OK;
    if (old == 0 || old > segment->size) {
        return mproc__fail(MPROC_ECORRUPT, "the size of shared memory %s was overwritten", name);
    }
    if (size <= old) {
        return MPROC_OK; // somebody else was quicker
    }
    drop(fd, old, segment->size); // of one who was killed here, or wrote where there was nothing
    if (size > from) {
        rc = mproc__segment_check_room(fd, name, 0, size - from);
        rc = rc < 0 ? rc : mproc__segment_take(fd, name, segment, from, size);
    }
    if (rc < 0) {
        drop(fd, old, segment->size);
        return rc;
    }
    MPROC__KILLPOINT("segment.growing");
    mproc__store64_release(&segment->note->size, size); /* COMMIT: now the bytes may be used */
    return MPROC_OK;
}

int mplat_segment_grow(const char *name, mplat_segment *segment, uint64_t size)
{
    int fd = lock_growth(segment, name);
    if (fd < 0) {
        return fd;
    }
    int rc = grow_locked(fd, name, segment, size);
    struct flock lock = lock_of(GROWTH_BYTE, F_UNLCK);
    (void)fcntl(fd, F_OFD_SETLK, &lock); // a copy of the process may have the descriptor still
    mproc__posix_close(fd);
    return rc;
}
