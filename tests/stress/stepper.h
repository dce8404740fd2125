/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepper.h: brings a traced process to the k-th instruction of what it does.
 *
 * Single steps are slow (ten microseconds and more), so the first run writes down where each led, and
 * later runs leap by a breakpoint to an instruction near the wanted one. Linux; elsewhere than on x86-64
 * without leaps.
 */
#ifndef TESTS_STRESS_STEPPER_H
#define TESTS_STRESS_STEPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct stepper {
    uint64_t *at;  /* where instruction k stands */
    uint32_t *nth; /* how often that place has been passed by then, itself included */
    long length;
} stepper;

/** Step a process that has just stopped itself, until *progress is `done`; false: it went astray. */
bool stepper_record(stepper *s, pid_t pid, const uint32_t *progress, uint32_t done);

/** Bring another one, which does the same, before instruction k, or to its end if that comes first. */
bool stepper_go(const stepper *s, pid_t pid, long k, const uint32_t *progress, uint32_t done);

/** What stepper_go costs, in single steps. */
long stepper_cost(const stepper *s, long k);

void stepper_free(stepper *s);

#endif
