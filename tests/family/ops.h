/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.h: operations on the arena that a process is killed in, at named points (test_kill.c) or at every
 * instruction (stress/test_stepkill.c).
 *
 * An operation is prepared and run by the victim, in whose memory its state lies; whatever it made is
 * its own, so that its burial alone must bring the family back to where it was.
 */
#ifndef TESTS_FAMILY_OPS_H
#define TESTS_FAMILY_OPS_H

#include <stddef.h>
#include <stdint.h>

typedef struct ops_op {
    const char *name;
    void (*prepare)(uint64_t shared); /* NULL: nothing to prepare */
    void (*run)(uint64_t shared);
} ops_op;

/* What a test shares with its victims: the payload of a block. */
struct ops_shm {
    uint64_t mutex;    /* a struct mproc__mutex_shm that the test's first victim has died with */
    uint32_t progress; /* 1: prepared, 2: the operation has ended */
    uint32_t go;       /* the victim may begin */
};

extern const ops_op ops_table[];
extern const size_t ops_count;

/* Places of those that need something of the test besides. */
extern const size_t ops_dead_slot, ops_grow, ops_takeover, ops_recover;

/** Make a block as the victims get it; its reference. */
uint64_t ops_share(void);

/** The state that a test shares with its victims. */
struct ops_shm *ops_at(uint64_t shared);

#endif
