/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.h: operations on the arena that a process is killed in, at named points (test_kill.c) or at every
 * instruction (stress/stepkill.h).
 *
 * An operation is prepared and run by the victim, in whose memory its state lies; whatever it made is
 * its own, so that its burial alone must bring the family back to where it was.
 */
#ifndef TESTS_FAMILY_OPS_H
#define TESTS_FAMILY_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the test does for an operation, in stress/stepkill.c only; each may be NULL. */
typedef struct ops_part {
    void (*make)(void);          /* before the victim is started */
    void (*meet)(void);          /* when it is prepared, before it goes */
    void (*after)(bool is_done); /* when it is killed, which may be after the operation's end */
    void (*unmake)(void);        /* when it is buried */
} ops_part;

typedef struct ops_op {
    const char *name;
    void (*prepare)(uint64_t shared); /* NULL: nothing to prepare */
    void (*run)(uint64_t shared);
    const ops_part *part; /* NULL: none */
} ops_op;

extern const ops_op ops_table[];
extern const size_t ops_count;

/* Places of those that need something of the test besides; SIZE_MAX: a table without it. */
extern const size_t ops_dead_slot, ops_grow, ops_takeover, ops_recover;

#endif
