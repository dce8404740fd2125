/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_apr.c: apr_proc_mutex, by each of its mechanisms.
 */
#include "loops.h"
#include "sync.h"

#include "../support/bench.h"

#include <apr_proc_mutex.h>

static apr_pool_t *pool;

static int fail(const struct sync_lock_way *way, apr_status_t status)
{
    char text[100];
    apr_strerror(status, text, sizeof text);
    return status == APR_ENOTIMPL ? bench_skip("%s", text)
                                  : bench_fail("%s: %s", way->subject, text);
}

static int open_mutex(const struct sync_lock_way *way, void **ret_lock)
{
    apr_proc_mutex_t *mutex;
    apr_status_t status = apr_pool_create(&pool, NULL);
    if (status != APR_SUCCESS) {
        return fail(way, status);
    }
    status = apr_proc_mutex_create(&mutex, NULL, (apr_lockmech_e)way->option, pool);
    if (status != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return fail(way, status);
    }
    *ret_lock = mutex;
    return 0;
}

static void close_mutex(void *mutex)
{
    apr_proc_mutex_destroy(mutex);
    apr_pool_destroy(pool);
}

/* Some mechanisms exclude only who has opened the file anew. */
static int enter_mutex(void **lock)
{
    apr_proc_mutex_t *mutex = *lock;
    apr_status_t status =
        mutex ? apr_proc_mutex_child_init(&mutex, apr_proc_mutex_lockfile(mutex), pool)
              : APR_EINVAL;
    *lock = mutex;
    return status == APR_SUCCESS ? 0 : 1;
}

SYNC_INLINE int acquire_mutex(void *mutex)
{
    return apr_proc_mutex_lock(mutex);
}

SYNC_INLINE int release_mutex(void *mutex)
{
    return apr_proc_mutex_unlock(mutex);
}

SYNC_LOOPS(mutex)

#define MECHANISM(text, number)                                                    \
    {                                                                              \
        .subject = "apr_proc_mutex " text, .option = (number), .open = open_mutex, \
        .close = close_mutex, .enter = enter_mutex, .repeat = repeat_mutex,        \
        .contend = contend_mutex                                                   \
    }

const struct sync_lock_way sync_apr_locks[] = {
    MECHANISM("default", APR_LOCK_DEFAULT),
#if APR_HAS_PROC_PTHREAD_SERIALIZE
    MECHANISM("pthread", APR_LOCK_PROC_PTHREAD),
#endif
#if APR_HAS_POSIXSEM_SERIALIZE
    MECHANISM("posixsem", APR_LOCK_POSIXSEM),
#endif
#if APR_HAS_SYSVSEM_SERIALIZE
    MECHANISM("sysvsem", APR_LOCK_SYSVSEM),
#endif
#if APR_HAS_FCNTL_SERIALIZE
    MECHANISM("fcntl", APR_LOCK_FCNTL),
#endif
#if APR_HAS_FLOCK_SERIALIZE
    MECHANISM("flock", APR_LOCK_FLOCK),
#endif
    {0},
};
