/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loops.h: the measured loops of locks, made anew for each way: what is measured is the call that a
 * program would make, without one through a pointer in front of it.
 */
#ifndef MPROC_BENCH_SYNC_LOOPS_H
#define MPROC_BENCH_SYNC_LOOPS_H

#include "../support/crew.h"

#include <stdbool.h>

#include "../support/system.h"

#if defined(_MSC_VER)
#define SYNC_INLINE static __forceinline
#else
#define SYNC_INLINE static inline __attribute__((always_inline))
#endif

typedef int (*sync_call)(void *lock);

SYNC_INLINE int sync_loop_repeat(sync_call acquire, sync_call release, void *lock, size_t n)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        failed |= acquire(lock);
        failed |= release(lock);
    }
    return failed;
}

SYNC_INLINE void sync_use(struct bench_shared *shared, bool reads)
{
    for (int i = 0; i < 4; i++) {
        if (reads) {
            (void)shared->words[i];
        } else {
            shared->words[i]++;
        }
    }
}

/* In the first part undisturbed; in the second with a look at the clock before and after each acquire. */
SYNC_INLINE int sync_loop_contend(sync_call acquire, sync_call release, bool reads, void *lock,
                                  struct bench_shared *shared, struct bench_result *result)
{
    int failed = 0;
    uint64_t count = 0;
    int64_t longest = 0;
    while (shared->stop == 0 && failed == 0) {
        failed |= acquire(lock);
        sync_use(shared, reads);
        failed |= release(lock);
        count++;
    }
    result->count = count;
    while (shared->stop == 1 && failed == 0) {
        int64_t before = bench_now();
        failed |= acquire(lock);
        int64_t took = bench_now() - before;
        sync_use(shared, reads);
        failed |= release(lock);
        longest = took > longest ? took : longest;
        count++;
    }
    result->total = count;
    result->longest_ns = longest;
    return failed;
}

/* repeat_NAME and contend_NAME for a struct sync_lock_way, of acquire_NAME and release_NAME. */
#define SYNC_LOOPS(name) SYNC_LOOPS_OF(name, false)
/* The same for is_shared. */
#define SYNC_READ_LOOPS(name) SYNC_LOOPS_OF(name, true)

#define SYNC_LOOPS_OF(name, reads)                                                             \
    static int repeat_##name(void *lock, size_t n)                                             \
    {                                                                                          \
        return sync_loop_repeat(acquire_##name, release_##name, lock, n);                      \
    }                                                                                          \
    static int contend_##name(void *lock, struct bench_shared *shared,                         \
                              struct bench_result *result)                                     \
    {                                                                                          \
        return sync_loop_contend(acquire_##name, release_##name, reads, lock, shared, result); \
    }

#endif
