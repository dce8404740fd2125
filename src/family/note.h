/* SPDX-License-Identifier: Apache-2.0 */
/*
 * note.h: what a thread waits for, left in its slot for whoever asks.
 *
 * Why       Of a family that stands still it must be found out who waits for whom (object/waits.c).
 * How       The slow path of each object says what it is about to wait for, in a variable of the thread;
 *           it gets to the slot with the first sleep, so that who need not sleep pays next to nothing.
 * Always    N1  waits_since changes only while waits_for is 0: read before and after waits_for, and the
 *               same, it belongs to that
 *           N2  no two waits of a thread began at the same time, so thread and time name a wait for ever
 * Death     a dead thread's note is taken away with its id
 */
#ifndef MPROC_FAMILY_NOTE_H
#define MPROC_FAMILY_NOTE_H

#include <stdint.h>

#include "base/deadline.h"

/* thread_shm.waits_for: a block's reference, or the offset of a member's slot, and these: */
#define MPROC__NOTE_MEMBER 1u /* it is a member's slot: it waits for that process's end */
#define MPROC__NOTE_TIMED 2u  /* it will not wait for ever */
#define MPROC__NOTE_OWN 4u    /* it held the lock itself when it began to wait */
#define MPROC__NOTE_FLAGS 7u

/** The calling thread is about to wait for `what`: an offset and flags, but for MPROC__NOTE_TIMED. */
void mproc__note_begin(uint64_t what, mproc__deadline deadline);

/** It goes to sleep: leave the note in the slot, unless it is there. Without mproc__note_begin: nothing. */
void mproc__note_show(void);

/** It waits no longer. */
void mproc__note_end(void);

#endif
