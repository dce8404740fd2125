/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stir.h: a thread that waits for many things at once sleeps on one word.
 *
 * Why       A sleeper watches one word. Who waits for a hundred queues watches a stir instead, and leaves
 *           a mark at each queue: whoever changes one of them then stirs those who have marked it.
 * Layout    family_shm.stir[]: each thread has one of these words, by its slot; beyond their number
 *           threads share them, at the price of a look in vain. Bit 0: somebody may sleep on it; above,
 *           how often it was stirred. Marks are 64 bits beside a thing, one for each stir.
 * Always    S1  who waits has read its stir, then left its marks, and then looked at the things; who
 *               changes one of them takes the marks away, and then changes the stirs they are of. So a
 *               mark is in its place, or the stir has changed since it was read
 *           S2  nobody need take back a mark: one left behind costs one look in vain
 * Death     of who left marks: they are left behind. Of who took marks away and did not stir: all who
 *           sleep look again (watch.h), and leave their marks anew. Of one who is stopped there the watch
 *           sees nothing, for the stir has not changed: so nobody sleeps on one for longer than a slice
 *           of its own
 * Model     tests/models/stir.pml
 */
#ifndef MPROC_FAMILY_STIR_H
#define MPROC_FAMILY_STIR_H

#include <stdint.h>

#include "base/deadline.h"

/** Length of that slice in nanoseconds; tests change it. No shorter than mproc__slice_ns. */
extern int64_t mproc__stir_slice_ns;

/** The calling thread's stir; it has entered. */
uint32_t *mproc__stir_mine(void);

/** Leave the calling thread's mark, if it is not there. */
void mproc__stir_mark(uint64_t *marks);

/** Take all marks away, and stir those who left them. */
void mproc__stir_marked(uint64_t *marks);

/** Stir those who sleep on a stir. */
void mproc__stir(uint32_t *stir);

/** Look at the stir for a while, then sleep, until it is no longer what was seen: as mproc__bell_await. */
void mproc__stir_await(uint32_t *stir, uint32_t seen, mproc__deadline deadline);

#endif
