/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.c: life tokens: robust mutexes that are never unlocked while their thread lives.
 *
 * The kernel marks them when the thread dies, before the process's memory is torn down, and wakes
 * who sleeps on the word; nothing tells a death earlier. They are the only libc objects in the arena.
 */
#include "platform.h"

#include "base/atomic.h"
#include "base/check.h"
#include "mproc/error.h"
#include "posix/life.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(mplat_life), "a token holds a mutex");

static pthread_mutex_t *mutex_of(mplat_life *life)
{
    return (pthread_mutex_t *)(void *)life;
}

uint32_t *mproc__posix_life_word(mplat_life *life)
{
#ifdef __GLIBC__
    return (uint32_t *)(void *)life; // glibc and its kin: the lock word comes first
#else
    return (uint32_t *)(void *)life + 1; // musl: after the type
#endif
}

bool mproc__posix_life_is_over(uint32_t word)
{
    return (word & FUTEX_OWNER_DIED) != 0 || (word & FUTEX_TID_MASK) == 0;
}

void mplat_life_format(mplat_life *first, size_t count, size_t stride)
{
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    (void)pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    for (size_t i = 0; i < count; i++) {
        int error = pthread_mutex_init((pthread_mutex_t *)(void *)((char *)first + i * stride),
                                       &attributes);
        MPROC__CHECK(error == 0);
    }
    (void)pthread_mutexattr_destroy(&attributes);
}

int mplat_life_claim(mplat_life *life)
{
    pthread_mutex_t *mutex = mutex_of(life);
    int error = pthread_mutex_trylock(mutex);
    if (error == EBUSY) {
        return MPROC_ESTATE;
    }
    MPROC__CHECK(error == 0 || error == EOWNERDEAD);
    if (error == EOWNERDEAD) {
        (void)pthread_mutex_consistent(mutex);
    }
    // With the mark set, the kernel wakes a sleeper when this thread dies.
    uint32_t *word = mproc__posix_life_word(life);
    uint32_t old = mproc__load32_relaxed(word);
    while (!mproc__cas32(word, &old, old | FUTEX_WAITERS)) {
    }
    return error == EOWNERDEAD ? 1 : 0;
}

size_t mplat_life_next_dead(const mplat_life *first, size_t count, size_t stride, size_t from)
{
    size_t i = from;
    for (; i < count; i++) {
        mplat_life *life = (mplat_life *)(uintptr_t)((const char *)first + i * stride);
        if ((mproc__load32_relaxed(mproc__posix_life_word(life)) & FUTEX_OWNER_DIED) != 0) {
            break;
        }
    }
    return i;
}

void mplat_life_release(mplat_life *life)
{
    (void)pthread_mutex_unlock(mutex_of(life));
}
