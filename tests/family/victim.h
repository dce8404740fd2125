/* SPDX-License-Identifier: Apache-2.0 */
/*
 * victim.h: processes that are started to die.
 */
#ifndef TESTS_FAMILY_VICTIM_H
#define TESTS_FAMILY_VICTIM_H

#include "mproc/mproc.h"

#include <stdint.h>

/* What a test shares with its victims: the payload of a block. */
struct victim_shm {
    uint64_t mutex;    /* a struct mproc__mutex_shm that the test's first victim has died with */
    uint32_t progress; /* 1: prepared, 2: the operation has ended */
    uint32_t go;       /* the victim may begin */
};

/** A victim of an operation (ops.h), and the one that must have died before it in some of them. */
typedef struct victim_set {
    uint64_t shared; /* victim_share() */
    uint64_t place;  /* of the operation */
    mproc_process *first;
} victim_set;

/** The state that a test shares with its victims. */
struct victim_shm *victim_shm(uint64_t shared);

/* In the test: */

/** Make a block as the victims get it; its reference. */
uint64_t victim_share(void);

/** Start a process, by fork where there is one. */
mproc_process *victim_start(mproc_process_fn fn, const mproc_args *args);

/** Wait for its end, and give up its handle; its exit code. */
int victim_join(mproc_process *process);

/** Bring all about that the operation needs, and let the victim go; `fn` calls victim_prepare. */
mproc_process *victim_begin(victim_set *set, mproc_process_fn fn, const mproc_args *args);

/** When the victim is joined: everything besides it. */
void victim_end(victim_set *set);

/* In a victim: */

/** Prepare the operation, and wait until the test says go. */
void victim_prepare(uint64_t shared, uint64_t place);

/** Die at the n-th kill point of this name from now on; NULL: of any. Needs MPROC_KILLPOINTS. */
void victim_die_at(const char *name, int nth);

/** Not any more. */
void victim_live(void);

/* Words in the arena: */
void victim_set_word(uint32_t *word, uint32_t value);
void victim_wait_for(uint32_t *word, uint32_t value);

#endif
