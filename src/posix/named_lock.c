/* SPDX-License-Identifier: Apache-2.0 */
/*
 * named_lock.c: locks by name: robust mutexes in automatic segments.
 *
 * Why       The kernel finds a holder's death for whoever has the mutex mapped, family or not; and the
 *           segment's users are known by locks of the kernel's, so the name goes with the last of them.
 * Layout    struct shared is all of a segment's data. The mutex is ready before the segment has its name.
 * Death     A dead holder's mutex is marked by the kernel, and goes to the next one, who makes it
 *           consistent; killed before that, it leaves it marked. A wake that was given to one who was then
 *           killed is lost if somebody has got the mutex meanwhile, for nothing in the mutex says then
 *           that others sleep. So no sleep is long: each is at most as long as all before it together.
 * Trust     The C library follows pointers that lie in the mutex: who may write there is trusted with all
 *           of this process. So another user's lock is refused unless it is asked for.
 */
#include "platform.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "posix/life.h"
#include "posix/segment_file.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* How long the first sleep is, and the longest. */
#define FIRST_NS ((int64_t)20 * 1000000)
#define LONGEST_NS ((int64_t)1000 * 1000000)

struct shared {
    pthread_mutex_t mutex;
    uint64_t space; /* of the numbers that threads have in it; 0: unknown */
};

#ifdef __GLIBC__
#define LIBRARY 1
#else
#define LIBRARY 2
#endif

/* Where the C library, or the width of its pointers, is another one, so is the mutex. */
#define LAYOUT (UINT64_C(0x6d6c6f636b000000) + (sizeof(struct shared) << 8) + LIBRARY)

static struct shared *shared_of(const mplat_named_lock *lock)
{
    return lock->segment.base;
}

/* ---- open ------------------------------------------------------------------------------------ */

/** The numbers of holders mean something only to those who have the same ones. */
static uint64_t pid_namespace(void)
{
    struct stat space;
    return stat("/proc/self/ns/pid", &space) == 0 ? space.st_ino : 0;
}

static void prepare(void *base)
{
    struct shared *shared = base;
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    (void)pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    int error = pthread_mutex_init(&shared->mutex, &attributes);
    MPROC__CHECK(error == 0);
    (void)pthread_mutexattr_destroy(&attributes);
    shared->space = pid_namespace();
}

/** Whether what was opened is a lock that this process can use: see unfit(), or MPROC_EACCES. */
static int check(const char *name, uint32_t mode, const mplat_segment *segment)
{
    struct stat file;
    const struct shared *shared = segment->base;
    uint64_t space = pid_namespace();
    if (segment->size != sizeof(*shared) || (segment->flags & MPLAT_SEGMENT_AUTO) == 0) {
        return MPROC_ETYPE;
    }
    if (fstat((int)segment->user.os, &file) < 0 ||
        ((mode & 077) == 0 && file.st_uid != geteuid())) {
        return mproc__fail(
            MPROC_EACCES,
            "the lock %s is another user's; such a one is opened with a mode only that "
            "lets others use it, too",
            name);
    }
    return shared->space != 0 && space != 0 && shared->space != space ? MPROC_ENOTSUP : MPROC_OK;
}

/** Open what has the name, with users or without: a lock that its holder's death has left knows of that. */
static int open_present(const char *name, uint32_t mode, mplat_segment *segment)
{
    char path[MPROC__SEGMENT_PATH];
    struct stat file;
    mproc__segment_path(name, path);
    if (lstat(path, &file) < 0) {
        return errno == ENOENT ? MPROC_ENOENT
                               : mproc__fail_os(errno, "cannot look for the lock %s", name);
    }
    int rc = mplat_segment_open(name, 0, LAYOUT, file.st_ino, segment);
    rc = rc < 0 ? rc : check(name, mode, segment);
    if (rc < 0) {
        mplat_segment_close(segment);
    }
    return rc;
}

/** What has the name is in use, or is to stay, but is nothing for us. */
static int unfit(int rc, const char *name)
{
    return rc == MPROC_ETYPE
               ? mproc__fail(rc, "what has the name %s is no lock, or one of another C library's",
                             name)
               : mproc__fail(
                     rc,
                     "the lock %s is used in another PID namespace, of another container: the "
                     "kernel cannot tell threads there from those here",
                     name);
}

static int open_or_make(const char *name, uint32_t mode, mplat_segment *segment)
{
    const mplat_segment_plan plan = {
        .size = sizeof(struct shared), .layout = LAYOUT, .flags = MPLAT_SEGMENT_AUTO, .mode = mode};
    for (;;) {
        int rc = open_present(name, mode, segment);
        if (rc != MPROC_ENOENT && rc != MPROC_ETYPE && rc != MPROC_ENOTSUP) {
            return rc;
        }
        MPROC__KILLPOINT("named_lock.making");
        // What is of no use here, but automatic and without users, makes room.
        int made = mproc__segment_create(name, &plan, prepare, segment);
        if (made != MPROC_EEXIST || rc != MPROC_ENOENT) {
            return made != MPROC_EEXIST ? made : unfit(rc, name);
        }
    }
}

int mplat_named_lock_open(const char *name, uint32_t mode, uint64_t id, mplat_named_lock *ret_lock)
{
    mplat_segment segment = {.user = MPLAT_NO_HANDLE, .more = MPLAT_NO_HANDLE};
    int rc = id != 0 ? mplat_segment_open(name, 0, LAYOUT, id, &segment)
                     : open_or_make(name, mode, &segment);
    if (rc >= 0) {
        *ret_lock = (mplat_named_lock){segment.id, segment, MPLAT_NO_HANDLE};
    }
    return rc;
}

void mplat_named_lock_close(mplat_named_lock *lock)
{
    mplat_segment_close(&lock->segment);
}

/* ---- acquire and release --------------------------------------------------------------------- */

/** Sleep while somebody living holds the mutex, with the mark by which its release wakes one. */
static void sleep_while_held(pthread_mutex_t *mutex, int64_t until)
{
    uint32_t *word = mproc__posix_life_word((mplat_life *)(void *)mutex);
    uint32_t seen = mproc__load32_relaxed(word);
    if (!mproc__posix_life_is_over(seen) &&
        ((seen & FUTEX_WAITERS) != 0 || mproc__cas32(word, &seen, seen | FUTEX_WAITERS))) {
        (void)mplat_wait(word, seen | FUTEX_WAITERS, until, NULL, NULL);
    }
}

/** The calling thread has slept for the mutex, and taken it: others may sleep still. */
static void pass_mark_on(pthread_mutex_t *mutex)
{
    uint32_t *word = mproc__posix_life_word((mplat_life *)(void *)mutex);
    uint32_t seen = mproc__load32_relaxed(word);
    while (!mproc__cas32(word, &seen, seen | FUTEX_WAITERS)) {
    }
}

int mplat_named_lock_acquire(mplat_named_lock *lock, int64_t deadline)
{
    pthread_mutex_t *mutex = &shared_of(lock)->mutex;
    int error = pthread_mutex_trylock(mutex);
    bool has_slept = false;
    for (int64_t slice = FIRST_NS; error == EBUSY; has_slept = true) {
        int64_t now = mplat_now();
        if (now >= deadline) {
            return MPROC_ETIMEDOUT;
        }
        sleep_while_held(mutex, deadline - now < slice ? deadline : now + slice);
        slice = slice < LONGEST_NS / 2 ? 2 * slice : LONGEST_NS;
        error = pthread_mutex_trylock(mutex);
    }
    if (error == EOWNERDEAD) {
        MPROC__KILLPOINT("named_lock.inherited"); /* DEATH: the next one inherits it */
        (void)pthread_mutex_consistent(mutex);
    } else if (error != 0) {
        return mproc__fail(MPROC_ECORRUPT, "a lock by name was overwritten: %s",
                           strerror(error)); // NOLINT(concurrency-mt-unsafe)
    }
    if (has_slept) {
        pass_mark_on(mutex);
    }
    return error == EOWNERDEAD ? 1 : MPROC_OK;
}

int mplat_named_lock_release(mplat_named_lock *lock)
{
    int error = pthread_mutex_unlock(&shared_of(lock)->mutex);
    return error == 0 ? MPROC_OK
                      : mproc__fail(MPROC_ESTATE, "the calling thread does not hold the lock");
}
