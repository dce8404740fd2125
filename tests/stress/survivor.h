/* SPDX-License-Identifier: Apache-2.0 */
/*
 * survivor.h: threads of the test that are about when a victim is killed (stepkill.h), and must go on.
 *
 * A survivor that has lost a wake is to hang: only an alarm (family/watch.h) wakes who has slept for long.
 */
#ifndef TESTS_STRESS_SURVIVOR_H
#define TESTS_STRESS_SURVIVOR_H

#include "mproc/mproc.h"

#include <stdbool.h>
#include <stdint.h>

/** What a survivor waits for at most: it asserts that it did not have to. */
#define SURVIVOR_LIMIT mproc_seconds(10)

/** A part of the test's main(): have short slices last 2 ms, and all others for ever. */
void survivor_setup(void);

/** Start the i-th survivor; `fn`'s result is its own. */
void survivor_start(int i, int (*fn)(void));

/** Wait for its end, which must come; its result. */
int survivor_end(int i);

/** Whether a survivor with this thread id has been started, and has not ended. */
bool survivor_is(uint64_t thread);

/** Locks that survivors take on their way to where they are to sleep. */
extern uint64_t *survivor_locks[2];

/** Wait until so many survivors have long been asleep, and on none of those locks. */
void survivor_await_asleep(uint32_t count);

/** What survivors that wait for the victim look at: the victim is dead, do not wait for it. */
extern uint32_t survivor_stop;

/** Run something in a thread that then dies, with all that it holds. */
void survivor_die(int (*fn)(void));

#endif
