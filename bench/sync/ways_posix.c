/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_posix.c: pthreads, semaphores and bare futexes; all in memory that forked children share.
 */
#include "loops.h"
#include "sync.h"

#include "../support/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

static int fail(const char *what, int error)
{
    return bench_fail("%s: %s", what, strerror(error));
}

/* Pages of its own for each object: nothing else is in its cache lines. */
static int map_shared(size_t size, void **ret_at)
{
    // cppcheck-suppress invalidFunctionArg
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *ret_at = at;
    return at != MAP_FAILED ? 0 : fail("mmap", errno);
}

/* ---- pthread_mutex ---- */

enum mutex_kind { MUTEX_PRIVATE, MUTEX_SHARED, MUTEX_ROBUST };

static int init_mutex(pthread_mutex_t *mutex, enum mutex_kind kind)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    if (kind != MUTEX_PRIVATE) {
        pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    }
    if (kind == MUTEX_ROBUST) {
        pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    }
    int error = pthread_mutex_init(mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    return error;
}

static int open_mutex(const struct sync_lock_way *way, void **ret_lock)
{
    int rc = map_shared(sizeof(pthread_mutex_t), ret_lock);
    if (rc != 0) {
        return rc;
    }
    int error = init_mutex(*ret_lock, (enum mutex_kind)way->option);
    return error == 0 ? 0 : fail(way->subject, error);
}

static void close_mutex(void *mutex)
{
    pthread_mutex_destroy(mutex);
    munmap(mutex, sizeof(pthread_mutex_t));
}

SYNC_INLINE int acquire_mutex(void *mutex)
{
    return pthread_mutex_lock(mutex);
}

SYNC_INLINE int release_mutex(void *mutex)
{
    return pthread_mutex_unlock(mutex);
}

SYNC_LOOPS(mutex)

/* ---- pthread_rwlock ---- */

static int open_rwlock(const struct sync_lock_way *way, void **ret_lock)
{
    int rc = map_shared(sizeof(pthread_rwlock_t), ret_lock);
    if (rc != 0) {
        return rc;
    }
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    int error = pthread_rwlock_init(*ret_lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    return error == 0 ? 0 : fail(way->subject, error);
}

static void close_rwlock(void *rwlock)
{
    pthread_rwlock_destroy(rwlock);
    munmap(rwlock, sizeof(pthread_rwlock_t));
}

SYNC_INLINE int acquire_read(void *rwlock)
{
    return pthread_rwlock_rdlock(rwlock);
}

SYNC_INLINE int release_read(void *rwlock)
{
    return pthread_rwlock_unlock(rwlock);
}

SYNC_READ_LOOPS(read)

SYNC_INLINE int acquire_write(void *rwlock)
{
    return pthread_rwlock_wrlock(rwlock);
}

SYNC_INLINE int release_write(void *rwlock)
{
    return pthread_rwlock_unlock(rwlock);
}

SYNC_LOOPS(write)

/* ---- sem_t ---- */

static int open_semaphore(const struct sync_lock_way *way, void **ret_lock)
{
    int rc = map_shared(sizeof(sem_t), ret_lock);
    if (rc != 0) {
        return rc;
    }
    return sem_init(*ret_lock, 1, 1) == 0 ? 0 : fail(way->subject, errno);
}

static void close_semaphore(void *semaphore)
{
    sem_destroy(semaphore);
    munmap(semaphore, sizeof(sem_t));
}

/* The name is gone before anybody else can see it; children have the mapping. */
static int open_named(const struct sync_lock_way *way, void **ret_lock)
{
    char name[48];
    snprintf(name, sizeof name, "/bench-sync-%ld", (long)getpid());
    sem_t *semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    if (semaphore == SEM_FAILED) {
        return fail(way->subject, errno);
    }
    sem_unlink(name);
    *ret_lock = semaphore;
    return 0;
}

static void close_named(void *semaphore)
{
    sem_close(semaphore);
}

SYNC_INLINE int acquire_semaphore(void *semaphore)
{
    return sem_wait(semaphore);
}

SYNC_INLINE int release_semaphore(void *semaphore)
{
    return sem_post(semaphore);
}

SYNC_LOOPS(semaphore)

#define PTHREAD(text, kind, is_of_one)                                                      \
    {                                                                                       \
        .subject = (text), .is_private = (is_of_one), .option = (kind), .open = open_mutex, \
        .close = close_mutex, .repeat = repeat_mutex, .contend = contend_mutex              \
    }
#define RWLOCK(text, name, is_of_many)                                                            \
    {                                                                                             \
        .subject = (text), .is_shared = (is_of_many), .open = open_rwlock, .close = close_rwlock, \
        .repeat = repeat_##name, .contend = contend_##name                                        \
    }
#define SEMAPHORE(text, opener, closer)                                                     \
    {                                                                                       \
        .subject = (text), .open = (opener), .close = (closer), .repeat = repeat_semaphore, \
        .contend = contend_semaphore                                                        \
    }

const struct sync_lock_way sync_system_locks[] = {
    PTHREAD("private pthread mutex", MUTEX_PRIVATE, true),
    PTHREAD("shared pthread mutex", MUTEX_SHARED, false),
    PTHREAD("robust pthread mutex", MUTEX_ROBUST, false),
    RWLOCK("pthread rwlock, read", read, true),
    RWLOCK("pthread rwlock, write", write, false),
    SEMAPHORE("sem_t", open_semaphore, close_semaphore),
    SEMAPHORE("named sem_t", open_named, close_named),
    {0},
};

/* ---- two words and futexes ---- */

#ifdef __linux__

/* One word for each side, in cache lines of their own. */
struct futexes {
    struct {
        uint32_t word;
        char pad[2 * BENCH_LINE - 4];
    } side[2];
};

static int open_futexes(const struct bench_pair_way *way, void *ret_objects[2])
{
    (void)way;
    return map_shared(sizeof(struct futexes), &ret_objects[0]);
}

static void close_futexes(void *const objects[2])
{
    munmap(objects[0], sizeof(struct futexes));
}

static int wait_futex(void *const objects[2], enum bench_side side)
{
    uint32_t *word = &((struct futexes *)objects[0])->side[side].word;
    while (__atomic_exchange_n(word, 0, __ATOMIC_ACQUIRE) == 0) {
        if (syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0) < 0 && errno != EAGAIN) {
            return errno;
        }
    }
    return 0;
}

static int post_futex(void *const objects[2], enum bench_side side)
{
    uint32_t *word = &((struct futexes *)objects[0])->side[side].word;
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    return syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0) < 0 ? errno : 0;
}

#endif

/* ---- a condition with its mutex, and a flag for each side ---- */

struct condition {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool flags[2];
};

static int open_condition(const struct bench_pair_way *way, void *ret_objects[2])
{
    int rc = map_shared(sizeof(struct condition), &ret_objects[0]);
    if (rc != 0) {
        return rc;
    }
    struct condition *c = ret_objects[0];
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    int error = pthread_cond_init(&c->cond, &attr);
    pthread_condattr_destroy(&attr);
    error = error != 0 ? error : init_mutex(&c->mutex, MUTEX_SHARED);
    return error == 0 ? 0 : fail(way->subject, error);
}

static void close_condition(void *const objects[2])
{
    // Not destroyed: that waits for sleepers, which a killed process may have been.
    munmap(objects[0], sizeof(struct condition));
}

static int wait_condition(void *const objects[2], enum bench_side side)
{
    struct condition *c = objects[0];
    int error = pthread_mutex_lock(&c->mutex);
    while (error == 0 && !c->flags[side]) {
        error = pthread_cond_wait(&c->cond, &c->mutex);
    }
    c->flags[side] = false;
    return error != 0 ? error : pthread_mutex_unlock(&c->mutex);
}

static int post_condition(void *const objects[2], enum bench_side side)
{
    struct condition *c = objects[0];
    int error = pthread_mutex_lock(&c->mutex);
    c->flags[side] = true;
    error = error != 0 ? error : pthread_cond_signal(&c->cond);
    return error != 0 ? error : pthread_mutex_unlock(&c->mutex);
}

/* ---- a semaphore for each side ---- */

static int open_semaphores(const struct bench_pair_way *way, void *ret_objects[2])
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = map_shared(sizeof(sem_t), &ret_objects[i]);
        if (rc == 0 && sem_init(ret_objects[i], 1, 0) != 0) {
            rc = fail(way->subject, errno);
        }
    }
    return rc;
}

static void close_semaphores(void *const objects[2])
{
    close_semaphore(objects[0]);
    close_semaphore(objects[1]);
}

static int wait_semaphore(void *const objects[2], enum bench_side side)
{
    return sem_wait(objects[side]);
}

static int post_semaphore(void *const objects[2], enum bench_side side)
{
    return sem_post(objects[side]);
}

const struct bench_pair_way sync_system_pairs[] = {
#ifdef __linux__
    {"futex", false, false, 0, open_futexes, close_futexes, wait_futex, post_futex, NULL},
#endif
    {"pthread cond", false, false, 0, open_condition, close_condition, wait_condition,
     post_condition, NULL},
    {"sem_t", false, false, 0, open_semaphores, close_semaphores, wait_semaphore, post_semaphore,
     NULL},
    {0},
};

/* ---- pthread_barrier ---- */

static int open_barrier(const struct sync_barrier_way *way, unsigned parties, void **ret_barrier)
{
    int rc = map_shared(sizeof(pthread_barrier_t), ret_barrier);
    if (rc != 0) {
        return rc;
    }
    pthread_barrierattr_t attr;
    pthread_barrierattr_init(&attr);
    pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    int error = pthread_barrier_init(*ret_barrier, &attr, parties);
    pthread_barrierattr_destroy(&attr);
    return error == 0 ? 0 : fail(way->subject, error);
}

static void close_barrier(void *barrier)
{
    munmap(barrier, sizeof(pthread_barrier_t)); // not destroyed, as a condition
}

static int wait_barrier(void *barrier)
{
    int error = pthread_barrier_wait(barrier);
    return error == PTHREAD_BARRIER_SERIAL_THREAD ? 0 : error;
}

const struct sync_barrier_way sync_system_barriers[] = {
    {"pthread barrier", false, open_barrier, close_barrier, wait_barrier},
    {0},
};
