/* SPDX-License-Identifier: Apache-2.0 */
/*
 * note.c: see note.h.
 */
#include "family/note.h"

#include "base/atomic.h"
#include "base/compiler.h"
#include "family/thread.h"

#include <stdbool.h>
#include <stddef.h>

static MPROC__THREAD_LOCAL uint64_t note; /* 0: none */
static MPROC__THREAD_LOCAL bool is_shown;

void mproc__note_begin(uint64_t what, mproc__deadline deadline)
{
    note = what | (deadline != MPROC__NEVER ? MPROC__NOTE_TIMED : 0);
}

void mproc__note_show(void)
{
    struct mproc__thread_shm *slot = note != 0 && !is_shown ? mproc__thread_slot() : NULL;
    if (slot != NULL) {
        is_shown = true;
        mproc__store64_release(&slot->waits_since, (uint64_t)mplat_now());
        mproc__store64_release(&slot->waits_for, note);
    }
}

void mproc__note_end(void)
{
    note = 0;
    if (is_shown) {
        is_shown = false;
        mproc__store64_release(&mproc__thread_slot()->waits_for, 0);
    }
}
