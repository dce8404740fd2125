/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.c: sleeping on a word of the arena: the shared futex.
 *
 * Where the kernel has futex_waitv (Linux 5.16), a sleeper watches the word and the life of its
 * owner at once. Elsewhere, or where a seccomp filter denies it, the callers' slices stand in.
 */
#include "platform.h"

#include "base/atomic.h"
#include "base/status.h"
#include "posix/life.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* As linux/futex.h has them since 5.16; own names, for older headers. */
struct waitv {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};
#define WAITV_SIZE_32 2u

static uint32_t has_no_waitv;

static struct timespec *to_timespec(int64_t deadline, struct timespec *storage)
{
    if (deadline == INT64_MAX) {
        return NULL;
    }
    *storage = (struct timespec){
        .tv_sec = (time_t)(deadline / 1000000000),
        .tv_nsec = (long)(deadline % 1000000000),
    };
    return storage;
}

/** Wait on the word and on up to two lives; MPROC_ENOTSUP where the kernel cannot. */
static int wait_for_all(uint32_t *word, uint32_t expected, const struct timespec *until,
                        mplat_life *const lives[2])
{
    struct waitv all[3] = {{expected, (uintptr_t)word, WAITV_SIZE_32, 0}};
    unsigned count = 1;
    for (size_t i = 0; i < 2; i++) {
        if (lives[i] != NULL) {
            uint32_t *life = mproc__posix_life_word(lives[i]);
            uint32_t seen = mproc__load32_acquire(life);
            if (mproc__posix_life_is_over(seen)) {
                return MPROC_OK;
            }
            all[count++] = (struct waitv){seen, (uintptr_t)life, WAITV_SIZE_32, 0};
        }
    }
    long result = syscall(SYS_futex_waitv, all, count, 0, until, CLOCK_MONOTONIC);
    if (result < 0 && (errno == ENOSYS || errno == EPERM)) {
        mproc__store32_release(&has_no_waitv, 1);
        return MPROC_ENOTSUP;
    }
    return result < 0 && errno == ETIMEDOUT ? MPROC_ETIMEDOUT : MPROC_OK;
}

int mplat_wait(uint32_t *word, uint32_t expected, int64_t deadline, mplat_life *owner,
               mplat_life *other)
{
    struct timespec storage;
    const struct timespec *until = to_timespec(deadline, &storage);
    if ((owner != NULL || other != NULL) && mproc__load32_relaxed(&has_no_waitv) == 0) {
        mplat_life *const lives[2] = {owner, other};
        int rc = wait_for_all(word, expected, until, lives);
        if (rc != MPROC_ENOTSUP) {
            return rc;
        }
    }
    long result =
        syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, until, NULL, FUTEX_BITSET_MATCH_ANY);
    return result < 0 && errno == ETIMEDOUT ? MPROC_ETIMEDOUT : MPROC_OK;
}

int mplat_wake(uint32_t *word, int n)
{
    long count = syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);
    return count > 0 ? (int)count : 0;
}

/* The kernel finds sleepers by the word itself: parkers stay unused. */

void mplat_wait_setup(const mplat_parking *parking)
{
    (void)parking;
}

int mplat_parker_claim(mplat_parker *parker)
{
    (void)parker;
    return MPROC_OK;
}

void mplat_parker_release(mplat_parker *parker)
{
    (void)parker;
}
