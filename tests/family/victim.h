/* SPDX-License-Identifier: Apache-2.0 */
/*
 * victim.h: processes that are started to die.
 */
#ifndef TESTS_FAMILY_VICTIM_H
#define TESTS_FAMILY_VICTIM_H

#include "mproc/mproc.h"

#include <stdint.h>

/** A victim of an operation (ops.h), and the one that must have died before it in some of them. */
typedef struct victim_set {
    uint64_t shared; /* ops_share() */
    uint64_t place;  /* of the operation */
    mproc_process *first;
} victim_set;

/* In the test: */

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
