/* SPDX-License-Identifier: Apache-2.0 */
/*
 * private.c: descriptors that a copy of this process must not keep. No twin: Windows makes no copies.
 *
 * Why       A wire ties a child to its parent by being closed in no other process than that. A copy that
 *           kept the parent's end, made by another thread in a bad moment, would let the child outlive
 *           its parent; two copies that keep each other's would live for ever.
 * How       What is private is marked in the same critical section that brings it into being, and
 *           fork() waits for the end of that section; the copy closes what is marked, first thing.
 */
#include "posix/posix.h"

#include "base/check.h"

#include <pthread.h>
#include <unistd.h>

/* More than any process has: the kernel's own default limit. The pages in use are few. */
#define MOST_FDS (1 << 20)
#define BITS 64

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t marks[MOST_FDS / BITS];
static int end; /* no descriptor from here on is marked */

void mproc__posix_private_lock(void)
{
    (void)pthread_mutex_lock(&mutex);
}

void mproc__posix_private_unlock(void)
{
    (void)pthread_mutex_unlock(&mutex);
}

void mproc__posix_mark_locked(int fd)
{
    if (fd >= 0 && fd < MOST_FDS) {
        marks[fd / BITS] |= (uint64_t)1 << fd % BITS;
        end = fd >= end ? fd + 1 : end;
    }
}

void mproc__posix_share(int fd)
{
    mproc__posix_private_lock();
    if (fd >= 0 && fd < MOST_FDS) {
        marks[fd / BITS] &= ~((uint64_t)1 << fd % BITS);
    }
    mproc__posix_private_unlock();
}

void mproc__posix_close(int fd)
{
    if (fd < 0) {
        return;
    }
    // In one section: between the two, somebody else could be given the number.
    mproc__posix_private_lock();
    if (fd < MOST_FDS) {
        marks[fd / BITS] &= ~((uint64_t)1 << fd % BITS);
    }
    (void)close(fd);
    mproc__posix_private_unlock();
}

void mproc__posix_private_forget(void)
{
    for (int first = 0; first < end; first += BITS) {
        uint64_t word = marks[first / BITS];
        for (int fd = first; word != 0; fd++, word >>= 1) {
            if (word & 1) {
                (void)close(fd);
            }
        }
        marks[first / BITS] = 0;
    }
    end = 0;
    mproc__posix_private_unlock();
}
