/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family.h: which family this process belongs to, and as whom.
 *
 * The first process founds one, by mproc_main or by the first call that needs it; processes that
 * mproc starts join it. A copy made by the application's own fork() becomes a member of its own at
 * its first call, without the references it saw in its parent.
 */
#ifndef MPROC_FAMILY_FAMILY_H
#define MPROC_FAMILY_FAMILY_H

#include <stdbool.h>
#include <stdint.h>

#include "family/member.h"
#include "platform.h"

/** Found a family if this process has none, and register the calling thread: first in every call. */
int mproc__family_enter(void);

/** Join the family whose arena the boot attached, as the member it was told. */
int mproc__family_join(const mplat_arena *arena, mproc__member_id id);

/** In a copy forked by the fork server: become the member that was made for it, without handles. */
int mproc__family_become(mproc__member_id id);

/**
 * In a copy of a process that was working: become the member that was made for it. Its ledger is a
 * clone of the original's, so handles stay good. It registers at its first call, as a rule never.
 */
void mproc__family_become_copy(mproc__member_id id);

/** In a copy: who the original is. */
mproc__member_id mproc__copied_id(void);

/** Who this process is; it has entered. */
mproc__member_id mproc__self_id(void);

/** Its slot. */
struct mproc__member_shm *mproc__self_member(void);

/**
 * Which process a handle belongs to, as a number that changes when a copy of the process must not
 * use its parent's handles.
 */
uint32_t mproc__handle_epoch(void);

/** One lock for all of the library's private state in this process; held for moments only. */
void mproc__private_lock(void);
void mproc__private_unlock(void);

/**
 * Around the making of handles that tie a child to this process, until they are in a list that a copy
 * of the process forgets: no copy is made meanwhile that would hold them unknowingly, and keep the
 * child alive when this process is gone.
 *
 * @param is_fork  what is being made is a copy itself: then nobody else is making anything
 */
void mproc__making_begin(bool is_fork);
void mproc__making_end(bool is_fork);

/** Have `fn` called in a copy of this process made by fork(), to forget private state. */
void mproc__on_forget(void (*fn)(void));

#endif
