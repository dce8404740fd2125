/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member.h: the processes of the family, each with the references it holds.
 *
 * Why       What a dead process held must be found and given back; a child must be known before it
 *           runs, so that its death at any instant of its start is somebody's business.
 * Layout    struct mproc__member_shm, see layout.h; slots [0, n_members) are formatted.
 * Life      FREE -> STARTING (its parent made the slot) -> RUNNING (the process has found its slot)
 *           -> ENDED (proved gone by the kernel; its references are given back) -> FREE
 * Locks     the family lock, but for `outcome`: written once by the process itself, once by who
 *           reaps it, each time as one word
 * Commit    each change of life is one transaction; the outcome is one store
 * Death     a member is buried by its parent, by the fork server that forked it, or, when these are
 *           dead too, by a sweep of anybody; burying is repeated until it is done
 */
#ifndef MPROC_FAMILY_MEMBER_H
#define MPROC_FAMILY_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "platform.h"

/** A member's name for ever: generation << 16 | slot + 1. 0: none. */
typedef uint64_t mproc__member_id;

enum mproc__life {
    MPROC__LIFE_FREE = 0,
    MPROC__LIFE_STARTING = 1,
    MPROC__LIFE_RUNNING = 2,
    MPROC__LIFE_ENDED = 3
};

/* The outcome word: flags, and the exit code in the high half. */
#define MPROC__OUTCOME_REACHED 1u /* it has reached its function */
#define MPROC__OUTCOME_LEFT 2u    /* it has ended of its own accord, with the code beside */
#define MPROC__OUTCOME_REPORTED \
    4u /* its reaper has filled in the report; the code is the system's */
#define MPROC__OUTCOME_CORE 8u
#define MPROC__OUTCOME_OOM 16u
#define MPROC__OUTCOME_UNKNOWN 32u /* reported, but the system's status was lost */
#define MPROC__OUTCOME_EXITING 64u /* it has called exit() itself: nobody has killed it */

#define MPROC__LEDGER_SEGMENTS 18

struct mproc__member_shm {
    uint64_t id;     /**< while not free: the id; else its last one */
    uint64_t life;   /**< enum mproc__life */
    uint64_t parent; /**< id of the member that started it */
    uint64_t pid;    /**< 0 until the process has found its slot, or its starter knows it */
    uint64_t birth;  /**< see mplat_identity */
    uint64_t start;  /**< reference of its start block, which it holds; 0 when it has taken it */
    uint64_t start_entry; /**< the ledger entry of that hold */
    uint64_t next_free;   /**< while free: next free slot, index + 1 */

    uint64_t outcome; /**< MPROC__OUTCOME_..., code << 32; others may sleep on the low half */
    uint64_t user_ns, system_ns, max_rss_bytes; /**< by the reaper, before it reports */

    uint64_t ledger[MPROC__LEDGER_SEGMENTS]; /**< see ledger.h */
    uint64_t ledger_free;
    uint64_t ledger_fresh;
    uint64_t maker;      /**< the fork server that collects its status; 0: its parent does */
    uint64_t n_children; /**< how many members it has been the parent of */

    char name[64];   /**< for people; by its starter, before it runs */
    char story[176]; /**< why it could not reach its function; by the process itself */
};

_Static_assert(sizeof(struct mproc__member_shm) == 512, "slots do not share cache lines");

/** The slot of an id; NULL for none. The id may be out of date: compare slot->id under the lock. */
struct mproc__member_shm *mproc__member_at(mproc__member_id id);

/**
 * Make a slot for a process that is to be started.
 *
 * @param parent  whose child it will be
 * @param name    for people; cut when too long
 * @return 0, MPROC_ENOSPC or MPROC_ENOMEM
 */
int mproc__member_new(mproc__member_id parent, const char *name, mproc__member_id *ret_id);

/**
 * Become a member: the calling process is the one the slot was made for.
 *
 * @param who  the calling process; birth 0: its starter will note it
 * @return 0, or MPROC_EPEER: it has been given up, the parent is dead
 */
int mproc__member_adopt(mproc__member_id id, const mplat_identity *who);

/**
 * Become the parent of a member that its maker has had in stock; until then it is the maker's child.
 *
 * @return 0, or MPROC_EPEER: it has died while it waited, and its maker lets its slot go
 */
int mproc__member_accept(mproc__member_id id);

/** Note the identity of a child; by its starter, whether or not the child has found its slot. */
void mproc__member_note(mproc__member_id id, const mplat_identity *who);

/** Its identity; pid 0 while unknown. MPROC_ENOENT when the slot is another's by now. */
int mproc__member_identity(mproc__member_id id, mplat_identity *ret_who);

/** The first member after `after` (0: of all) whose parent is `parent` and who has not ended; or 0. */
mproc__member_id mproc__member_next_child(mproc__member_id parent, mproc__member_id after);

/** Set flags in a living member's outcome, by that process itself: one store. */
void mproc__member_mark(mproc__member_id id, uint32_t flags, int32_t code);

/** Leave word why this process cannot go on; by that process itself. */
void mproc__member_tell(mproc__member_id id, const char *story);

/** What is known of its end so far; 0 if the slot is another's. */
uint64_t mproc__member_outcome(mproc__member_id id);

/** Fill in how it ended, and wake who waits for that. By the process that reaped it. */
void mproc__member_report(mproc__member_id id, const mplat_exit *how, bool is_known);

/**
 * Give back everything a member held. The caller knows that the process is gone. Idempotent; any
 * number of processes may do it at once, and be killed at it. If it was killed, all who sleep look again.
 */
void mproc__member_bury(mproc__member_id id);

/**
 * Bury all members that are gone, whoever else will want to know how they ended. Asks the system about
 * each.
 */
void mproc__member_bury_gone(void);

/** Let a slot go that has been buried: nobody will ask for its outcome again. */
void mproc__member_free(mproc__member_id id);

/** Give a member that is still starting what another one holds, for a copy of that process. */
int mproc__member_clone(mproc__member_id from, mproc__member_id to);

/** Bury the dead whom nobody else will: those whose parent is gone. Costs a load when there are none. */
void mproc__member_sweep(void);

/** Whether a member is gone: ended, or proved dead by the kernel. */
bool mproc__member_is_gone(mproc__member_id id);

#endif
