/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard.h: the family lock, taken and given back with everything whole.
 */
#ifndef MPROC_FAMILY_GUARD_H
#define MPROC_FAMILY_GUARD_H

/** Take the family lock; what a dead owner had committed is finished first. */
void mproc__family_lock(void);

/** Free what nobody holds any more, and release the lock. */
void mproc__family_unlock(void);

/** Have carried out what a dead owner of the lock had committed: for heirs of its other locks. */
void mproc__family_settle(void);

#endif
