/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookout.c: waiting for descriptors, in this thread or in one made for that.
 *
 * Nothing but a thread waits for descriptors and for a word in memory at once: the kernel has no such call,
 * but for io_uring's, which is new, and forbidden in many a container. A lookout's thread lives as long as one
 * wait, so that none is about when the process forks; it sleeps in poll() all the time.
 */
#include "platform.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/deadline.h"
#include "base/status.h"
#include "mproc/error.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

/** Wait for one descriptor of many; poll's timeout is coarse, so the deadline decides. How many; or 0. */
static int poll_until(struct pollfd *pollers, size_t count, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline == MPROC__NEVER ? -1 : deadline == 0 ? 0 : deadline - mplat_now();
        left = deadline != MPROC__NEVER && left < 0 ? 0 : left;
        struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000),
                                   .tv_nsec = (long)(left % 1000000000)};
        int n = ppoll(pollers, (nfds_t)count, left < 0 ? NULL : &timeout, NULL);
        if (n > 0) {
            return n;
        }
        if (n < 0 && errno != EINTR) {
            return mproc__fail_os(errno, "cannot wait for %zu descriptors", count);
        }
        if (mproc__deadline_passed(deadline)) {
            return 0;
        }
    }
}

static void fill(struct pollfd *pollers, const mplat_handle *handles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pollers[i] = (struct pollfd){.fd = (int)handles[i].os, .events = POLLIN};
    }
}

int mplat_handles_wait(const mplat_handle *handles, size_t count, int64_t deadline, bool *ready)
{
    struct pollfd few[16];
    struct pollfd *pollers = few;
    if (count > MPROC__COUNT(few)) {
        pollers = mproc__calloc(count, sizeof(*pollers));
        if (pollers == NULL) {
            return mproc__fail(MPROC_ENOMEM, "no memory to wait for %zu descriptors", count);
        }
    }
    fill(pollers, handles, count);
    int rc = poll_until(pollers, count, deadline);
    for (size_t i = 0; i < count && rc > 0; i++) {
        if (pollers[i].revents & POLLNVAL) {
            rc = mproc__fail(MPROC_EINVAL, "wait: descriptor %d is not open", pollers[i].fd);
        } else if (pollers[i].revents != 0) {
            ready[i] = true;
        }
    }
    if (pollers != few) {
        mproc__free(pollers);
    }
    return rc;
}

int mplat_sentinel_wait(const mplat_handle *sentinels, size_t count, int64_t deadline,
                        size_t *ret_index)
{
    bool few[16] = {false};
    bool *ready = count <= MPROC__COUNT(few) ? few : mproc__calloc(count, sizeof(*ready));
    if (ready == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory to wait for %zu processes", count);
    }
    int rc = mplat_handles_wait(sentinels, count, deadline, ready);
    if (rc == 0) {
        rc = mproc__fail(MPROC_ETIMEDOUT, "timed out");
    }
    for (size_t i = 0; i < count && rc > 0; i++) {
        if (ready[i]) {
            *ret_index = i;
            rc = MPROC_OK;
        }
    }
    if (ready != few) {
        mproc__free(ready);
    }
    return rc;
}

/* ---- lookouts -------------------------------------------------------------------------------- */

struct mplat_lookout {
    mplat_thread *thread;
    void (*fn)(void *arg);
    void *arg;
    uint32_t is_over;
    mplat_handle stop; /* the last one of those that are waited for */
    size_t count;
    struct pollfd pollers[];
};

static void look_out(void *arg)
{
    mplat_lookout *lookout = arg;
    int n;
    do {
        n = poll(lookout->pollers, (nfds_t)lookout->count, -1);
    } while (n < 0 && errno == EINTR);
    if (n < 0 || lookout->pollers[lookout->count - 1].revents == 0) {
        mproc__store32_release(&lookout->is_over, 1);
        lookout->fn(lookout->arg);
    }
}

int mplat_lookout_begin(const mplat_handle *handles, size_t count, void (*fn)(void *arg), void *arg,
                        mplat_lookout **ret_lookout)
{
    mplat_lookout *lookout =
        mproc__calloc(1, sizeof(*lookout) + (count + 1) * sizeof(lookout->pollers[0]));
    if (lookout == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory to wait for %zu descriptors", count);
    }
    lookout->fn = fn;
    lookout->arg = arg;
    lookout->count = count + 1;
    int rc = mplat_signal_make(&lookout->stop);
    if (rc >= 0) {
        fill(lookout->pollers, handles, count);
        fill(lookout->pollers + count, &lookout->stop, 1);
        rc = mplat_thread_start(look_out, lookout, &lookout->thread);
        if (rc < 0) {
            mplat_handle_close(lookout->stop);
        }
    }
    if (rc < 0) {
        mproc__free(lookout);
        return rc;
    }
    *ret_lookout = lookout;
    return MPROC_OK;
}

bool mplat_lookout_is_over(const mplat_lookout *lookout)
{
    return mproc__load32_acquire(&lookout->is_over) != 0;
}

// NOLINTNEXTLINE(readability-non-const-parameter): on other systems it is written to
void mplat_lookout_end(mplat_lookout *lookout, bool *ready)
{
    (void)ready; // to look takes nothing
    if (lookout != NULL) {
        mplat_signal_raise(lookout->stop);
        mplat_thread_join(lookout->thread);
        mplat_handle_close(lookout->stop);
        mproc__free(lookout);
    }
}
