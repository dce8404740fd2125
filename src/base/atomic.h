/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atomic.h: atomics, named by their memory order; the only user of compilers' own.
 *
 * They work on plain integers, so that structures in the arena are plain structures and the same
 * header serves C11, C++ and MSVC before it had <stdatomic.h>. All are lock-free on every system
 * mproc runs on, which is what makes them work between processes.
 *
 * A C11 compiler's __atomic builtins are used rather than <stdatomic.h>, because the latter needs
 * _Atomic types, which MSVC and C++ lack.
 */
#ifndef MPROC_BASE_ATOMIC_H
#define MPROC_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)

#include <intrin.h>

/* Interlocked operations are full barriers on every MSVC target; plain volatile accesses with a
 * barrier beside them give acquire and release. */
#if defined(_M_ARM64) || defined(_M_ARM)
#define MPROC__BARRIER() __dmb(_ARM_BARRIER_ISH)
#define MPROC__PAUSE() __yield()
#else
#define MPROC__BARRIER() _ReadWriteBarrier()
#define MPROC__PAUSE() _mm_pause()
#endif

static inline uint32_t mproc__load32_relaxed(const uint32_t *p)
{
    return *(const volatile uint32_t *)p;
}

static inline uint32_t mproc__load32_acquire(const uint32_t *p)
{
    uint32_t v = *(const volatile uint32_t *)p;
    MPROC__BARRIER();
    return v;
}

static inline void mproc__store32_relaxed(uint32_t *p, uint32_t v)
{
    *(volatile uint32_t *)p = v;
}

static inline void mproc__store32_release(uint32_t *p, uint32_t v)
{
    MPROC__BARRIER();
    *(volatile uint32_t *)p = v;
}

static inline uint32_t mproc__exchange32(uint32_t *p, uint32_t v)
{
    return (uint32_t)_InterlockedExchange((volatile long *)p, (long)v);
}

static inline uint32_t mproc__add32(uint32_t *p, uint32_t v)
{
    return (uint32_t)_InterlockedExchangeAdd((volatile long *)p, (long)v);
}

static inline uint64_t mproc__add64(uint64_t *p, uint64_t v)
{
    uint64_t old = *(const volatile uint64_t *)p;
    for (;;) {
        uint64_t found = (uint64_t)_InterlockedCompareExchange64((volatile __int64 *)p,
                                                                 (__int64)(old + v), (__int64)old);
        if (found == old) {
            return old;
        }
        old = found;
    }
}

static inline bool mproc__cas32(uint32_t *p, uint32_t *expected, uint32_t v)
{
    uint32_t old =
        (uint32_t)_InterlockedCompareExchange((volatile long *)p, (long)v, (long)*expected);
    bool same = old == *expected;
    *expected = old;
    return same;
}

static inline bool mproc__cas64(uint64_t *p, uint64_t *expected, uint64_t v)
{
    uint64_t old = (uint64_t)_InterlockedCompareExchange64((volatile __int64 *)p, (__int64)v,
                                                           (__int64)*expected);
    bool same = old == *expected;
    *expected = old;
    return same;
}

#if defined(_M_IX86) || defined(_M_ARM)
static inline uint64_t mproc__load64_relaxed(const uint64_t *p)
{
    return (uint64_t)_InterlockedCompareExchange64((volatile __int64 *)p, 0, 0);
}

static inline uint64_t mproc__exchange64(uint64_t *p, uint64_t v)
{
    uint64_t old = mproc__load64_relaxed(p);
    while (!mproc__cas64(p, &old, v)) {
    }
    return old;
}

static inline void mproc__store64_relaxed(uint64_t *p, uint64_t v)
{
    (void)mproc__exchange64(p, v);
}
#else
static inline uint64_t mproc__load64_relaxed(const uint64_t *p)
{
    return *(const volatile uint64_t *)p;
}

static inline uint64_t mproc__exchange64(uint64_t *p, uint64_t v)
{
    return (uint64_t)_InterlockedExchange64((volatile __int64 *)p, (__int64)v);
}

static inline void mproc__store64_relaxed(uint64_t *p, uint64_t v)
{
    *(volatile uint64_t *)p = v;
}
#endif

static inline uint64_t mproc__load64_acquire(const uint64_t *p)
{
    uint64_t v = mproc__load64_relaxed(p);
    MPROC__BARRIER();
    return v;
}

static inline uint32_t mproc__load32(const uint32_t *p)
{
    MPROC__BARRIER();
    return mproc__load32_acquire(p);
}

static inline uint64_t mproc__load64(const uint64_t *p)
{
    MPROC__BARRIER();
    return mproc__load64_acquire(p);
}

static inline void mproc__store64_release(uint64_t *p, uint64_t v)
{
    MPROC__BARRIER();
    mproc__store64_relaxed(p, v);
}

static inline void *mproc__load_pointer_acquire(void *const *p)
{
    void *v = *(void *const volatile *)p;
    MPROC__BARRIER();
    return v;
}

static inline void mproc__store_pointer_release(void **p, void *v)
{
    MPROC__BARRIER();
    *(void *volatile *)p = v;
}

static inline void mproc__compiler_fence(void)
{
    _ReadWriteBarrier();
}

static inline void mproc__fence(void)
{
    volatile long word = 0;
    (void)_InterlockedExchange(&word, 1);
    MPROC__BARRIER();
}

#else

/* clang-tidy takes what the builtins store through for read only. */
// NOLINTBEGIN(readability-non-const-parameter)
#if defined(__x86_64__) || defined(__i386__)
#define MPROC__PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define MPROC__PAUSE() __asm__ volatile("yield" ::: "memory")
#else
#define MPROC__PAUSE() ((void)0)
#endif

static inline uint32_t mproc__load32_relaxed(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline uint32_t mproc__load32_acquire(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void mproc__store32_relaxed(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline void mproc__store32_release(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline uint32_t mproc__exchange32(uint32_t *p, uint32_t v)
{
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}

static inline uint32_t mproc__add32(uint32_t *p, uint32_t v)
{
    return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);
}

static inline uint64_t mproc__add64(uint64_t *p, uint64_t v)
{
    return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);
}

static inline bool mproc__cas32(uint32_t *p, uint32_t *expected, uint32_t v)
{
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline bool mproc__cas64(uint64_t *p, uint64_t *expected, uint64_t v)
{
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline uint64_t mproc__load64_relaxed(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline uint64_t mproc__exchange64(uint64_t *p, uint64_t v)
{
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}

static inline void mproc__store64_relaxed(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline uint64_t mproc__load64_acquire(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline uint32_t mproc__load32(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static inline uint64_t mproc__load64(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static inline void mproc__store64_release(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void *mproc__load_pointer_acquire(void *const *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void mproc__store_pointer_release(void **p, void *v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/**
 * Stores before it come before those after it in the program's order. That is enough towards the
 * death of the calling thread: what a processor has retired is seen by all, in whatever order.
 */
static inline void mproc__compiler_fence(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void mproc__fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
// NOLINTEND(readability-non-const-parameter)

#endif

/** As mproc__fence, after an atomic read-modify-write of the same thread: some systems need no more. */
static inline void mproc__fence_after_rmw(void)
{
#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || defined(_M_IX86)
    mproc__compiler_fence();
#else
    mproc__fence();
#endif
}

/** The half of a 64-bit word that a 32-bit wait can watch: its low bits. */
static inline uint32_t *mproc__low32(uint64_t *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (uint32_t *)p + 1;
#else
    return (uint32_t *)p;
#endif
}

#endif
