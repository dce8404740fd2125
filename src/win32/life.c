/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.c: life tokens.
 *
 * Why     Threads do not die alone on Windows: a thread ends by returning, which gives its token
 *         back, or with its process. So a token names a process, and the kernel is asked about
 *         that.
 * Layout  opaque[HOLDER] of mplat_life: the holder's peer word (peer.h), 0: nobody. The rest is
 *         unused.
 * Always  the word is all there is: whoever finds it can find out whether the holder lives, however
 *         early after taking it that one was killed
 * Commit  the compare-and-swap of the word.
 * Death   a dead holder's word stays until somebody claims the token and gets 1.
 */
#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "platform.h"
#include "win32/peer.h"

#include <string.h>

enum { HOLDER };

#define LIVING 32

void mplat_life_format(mplat_life *first, size_t count, size_t stride)
{
    for (size_t i = 0; i < count; i++) {
        memset((char *)first + i * stride, 0, sizeof(*first));
    }
}

uint64_t mproc__life_holder(const mplat_life *life)
{
    return mproc__load64_acquire(&life->opaque[HOLDER]);
}

int mplat_life_claim(mplat_life *life)
{
    uint64_t self = mproc__peer_self();
    uint64_t holder = 0;
    MPROC__KILLPOINT("life_claim_free");
    /* COMMIT: a free token is ours. */
    if (mproc__cas64(&life->opaque[HOLDER], &holder, self)) {
        return 0;
    }
    if (mproc__peer_alive(holder)) {
        return MPROC_ESTATE;
    }
    MPROC__KILLPOINT("life_claim_dead");
    /* COMMIT: a dead holder's token is ours; of many who try, one swaps just this word. */
    if (mproc__cas64(&life->opaque[HOLDER], &holder, self)) {
        return 1;
    }
    return MPROC_ESTATE; // somebody was quicker, and lived a moment ago
}

size_t mplat_life_next_dead(const mplat_life *first, size_t count, size_t stride, size_t from)
{
    // Most tokens are a few processes': each is asked about once a look.
    uint64_t living[LIVING] = {0};
    size_t n_living = 0;
    size_t i = from;
    for (; i < count; i++) {
        uint64_t holder = mproc__life_holder(
            (const mplat_life *)(const void *)((const char *)first + i * stride));
        size_t known = 0;
        while (known < LIVING && living[known] != holder) {
            known++;
        }
        if (holder == 0 || known < LIVING) {
            continue;
        }
        if (!mproc__peer_alive(holder)) {
            break;
        }
        living[n_living++ % LIVING] = holder;
    }
    return i;
}

void mplat_life_release(mplat_life *life)
{
    MPROC__KILLPOINT("life_release");
    /* COMMIT: free. Release: what the holder did comes before. */
    mproc__store64_release(&life->opaque[HOLDER], 0);
}
