/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sleep.h: no sleep without an end.
 *
 * A wake is a hint: it may be given to a process that is killed before it acts on it. So whoever
 * sleeps looks again after a slice. Slices are the safety net, never the mechanism: with them
 * switched off and nobody killed everything still works, and the tests run it so.
 */
#ifndef MPROC_FAMILY_SLEEP_H
#define MPROC_FAMILY_SLEEP_H

#include <stdint.h>

#include "base/deadline.h"
#include "platform.h"

/** Length of a slice in nanoseconds; tests change it. */
extern int64_t mproc__slice_ns;

/** As mplat_wait, but for one slice at most; the caller looks again and loops. */
int mproc__sleep(uint32_t *word, uint32_t expected, mproc__deadline deadline, mplat_life *owner);

#endif
