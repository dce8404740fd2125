/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.h: whoever sleeps for long is woken when somebody has died.
 *
 * Why       A wake can be lost with the process that was to give it, or to act on it. To look again
 *           after short slices finds that, but a thousand sleepers would then never let the machine
 *           rest. So only one of them keeps short slices, and looks whether somebody has died; two do
 *           so less often, should that one be stopped; the others sleep long. If nobody has died, no
 *           wake was lost.
 * How       Who has slept for a slice notes in its thread slot what it sleeps on, and takes a watch if
 *           there is one to be had. Whoever finds a dead thread - a watch, a lock's next owner, a
 *           newcomer who gets its slot - raises the alarm: all who have noted what they sleep on are
 *           woken, and look again. A process is gone somewhat later than its threads: for some time after
 *           an alarm the watch buries processes at each look, so that what they held is given back.
 * Always    W1  after a death, everybody asleep looks again within two slices of the first watch that
 *               is not stopped; if all are, or die in the same moment, within two long ones
 * Locks     the life tokens family_shm.watch; no other
 * Commit    the alarm: the increment of family_shm.alarms. It comes before the look at the slots, and
 *           a sleeper's note before its look at the counter, so one of them sees the other. Who was
 *           not yet asleep when it was woken is woken again by a watch, slice by slice, for its note
 *           tells which alarms it had seen.
 * Death     of a watch: the other ones go on, and one of those who sleep is woken and takes its place,
 *           as when a watch goes away. Of who raises the alarm: it is found dead itself.
 * Model     tests/models/watch.pml, with one watch
 */
#ifndef MPROC_FAMILY_WATCH_H
#define MPROC_FAMILY_WATCH_H

#include <stdint.h>

#include "base/deadline.h"
#include "platform.h"

/** Length of a long slice in nanoseconds; tests change it. */
extern int64_t mproc__long_slice_ns;

/** Alarms so far; a sleeper reads it before it looks at what it waits for. */
uint64_t mproc__watch_alarms(void);

/**
 * As mplat_wait, for a long slice at most, for a thread that has entered.
 *
 * @param seen_alarms  what mproc__watch_alarms returned before the caller last looked
 */
int mproc__watch_sleep(uint32_t *word, uint32_t expected, mproc__deadline deadline,
                       mplat_life *owner, uint64_t seen_alarms);

/**
 * For who asks again and again and never sleeps: look for the dead, if that has not been done for a slice.
 * The caller has entered, and holds no lock.
 */
void mproc__watch_look(void);

/** A thread was found dead, and can no longer be taken for alive: have everybody look again. */
void mproc__watch_alarm(void);

#endif
