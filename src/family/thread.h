/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.h: thread slots: who holds a lock, and whether it lives.
 *
 * Why       A lock must name its owner so that its death can be proved, and names must never be
 *           given twice, or a dead owner would pass for a living stranger.
 * Layout    struct mproc__thread_shm at MPROC__THREADS_AT; slots [0, n_threads) are formatted.
 * Always    T1  a slot whose life token is held by a living thread has that thread's generation
 *           T2  generations only grow: an id whose generation is not the slot's is dead; those of
 *               living threads are odd
 * Locks     the token of a slot guards its other fields; that of family_shm.thread_growth guards
 *           the formatting of the next batch
 * Commit    registration: the store of the generation; growth: the store of n_threads
 * Death     a dead thread's token is claimed by whoever comes across it, who raises the generation and
 *           has all who sleep look again (watch.h); killed in between, the token is found dead once more
 */
#ifndef MPROC_FAMILY_THREAD_H
#define MPROC_FAMILY_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "platform.h"

/** A thread's id: bit 0 is zero, left to lock words; 16 bits slot + 1; the rest generation. */
typedef uint64_t mproc__thread_id;

struct mproc__thread_shm {
    mplat_life life;
    mplat_parker parker;
    uint64_t generation;  /**< by the token's holder; read by anybody, atomically */
    uint64_t asleep;      /**< by it: offset of the word it has long been sleeping on; 0: none */
    uint32_t expected;    /**< by it: what that word was */
    uint32_t noted;       /**< by it: the alarms it had seen when it looked, before it noted that */
    uint64_t who;         /**< of the last odd generation: number << 32, pid; 0: not yet known */
    uint64_t waits_for;   /**< by it: see note.h; 0: nothing */
    uint64_t waits_since; /**< by it: when that began; changes only while it waits for nothing */
};

_Static_assert(sizeof(struct mproc__thread_shm) == 128, "two cache lines a thread");

/**
 * Register the calling thread if it is not yet, in the family that this process belongs to.
 *
 * @param ret_id  its id until it ends
 * @return 0, MPROC_ENOSPC (all slots in use), or what the system says
 */
int mproc__thread_enter(mproc__thread_id *ret_id);

/** The calling thread's id, 0 before it has entered: for who cannot afford a call to find out. */
extern MPROC__THREAD_LOCAL mproc__thread_id mproc__thread_current;

/**
 * What the calling thread holds that others may wait for: locks, permits, seats. If it ends with any,
 * they are told.
 */
extern MPROC__THREAD_LOCAL int32_t mproc__thread_holds;

/** The calling thread's id; it has entered. */
mproc__thread_id mproc__thread_self(void);

/** The slots, and how many of them are formatted; for the watch. */
struct mproc__thread_shm *mproc__thread_slots(uint32_t *ret_count);

/** The slot of the calling thread; NULL if it has not entered. */
struct mproc__thread_shm *mproc__thread_slot(void);

/** Give the calling thread's slot back; it may enter again. */
void mproc__thread_leave(void);

/** In the copy made by fork: the slot is the parent's, forget it. */
void mproc__thread_forget(void);

/** The place of its slot among all. */
uint32_t mproc__thread_index(mproc__thread_id id);

/** The life token of a thread named by an id, bit 0 ignored; to sleep on. NULL for no valid id. */
mplat_life *mproc__thread_life(mproc__thread_id id);

/** Whether the thread named by an id has ended; never guessed. Bit 0 is ignored. */
bool mproc__thread_is_dead(mproc__thread_id id);

/** The process of the thread named by an id, dead or alive; 0 if that is no longer known. */
int64_t mproc__thread_pid(mproc__thread_id id);

/** Its number in the eyes of the system, likewise. */
uint32_t mproc__thread_number(mproc__thread_id id);

/** The thread that has a slot just now; 0: none. It may be dead. */
mproc__thread_id mproc__thread_at(uint32_t index);

/** Its slot; NULL if the thread is no more. */
const struct mproc__thread_shm *mproc__thread_slot_of(mproc__thread_id id);

/** Look for threads that have died, and bury them: their ids are dead, and who sleeps looks again. */
void mproc__thread_bury_dead(void);

/** Tell the platform where the parkers are; once per process. */
void mproc__thread_setup(void);

/** In a new arena: the first batch of slots. */
int mproc__thread_found(void);

#endif
