/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutex.pml: the lock that outlives its owner (src/family/mutex.c).
 *
 * Abstracts  the word to its owner and the sleepers' bit; spinning is left out. Each of N threads acquires and
 *            releases ROUNDS times; with TIMEOUTS the first may
 *            give up.
 * Asserts    M1  of the living, one at most holds the lock
 *            M2  each death of an owner is told once: OWNER_DIED so far, and a dead owner in the word now, are
 *                as many as died holding it
 *            M3  nobody sleeps for ever: neither without deaths, nor after them, given the alarm
 * Finds      BUG_DROP_BIT      who was woken takes the lock without putting the sleepers' bit back
 *            BUG_SILENT_EXIT   who gives up after a sleep does not put it back
 *            BUG_BLIND_STORE   the lock is taken from a dead owner by a store, not a compare-and-swap
 *            BUG_NO_ALARM      nobody tells of a death
 */
#ifndef N
#define N 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define WORD 1

byte owner;
bool marked;
byte inside;                 /* who is between acquire and release */
byte n_told, n_died_holding; /* M2 */
#define AT_DEATH(t) n_died_holding = n_died_holding + (owner == t -> 1 : 0); inside = (inside == t -> 0 : inside)
#ifdef BUG_NO_ALARM
#define OWN_ALARM
#endif
#include "world.pml"

#ifdef BUG_DROP_BIT
#define KEPT false
#else
#define KEPT has_slept
#endif
#ifdef BUG_SILENT_EXIT
#define MARKS_IF_PASSED !has_passed
#else
#define MARKS_IF_PASSED (has_slept || !has_passed)
#endif
#ifdef BUG_BLIND_STORE
#define STILL(what) true
#else
#define STILL(what) what
#endif

proctype Thread(byte me)
{
    byte round, seen, looked;
    bool seen_mark, has_slept, has_passed;
    {
        round = 0;
again:  atomic {
            if
            :: round == ROUNDS -> goto done
            :: else -> looked = alarms; seen = owner; seen_mark = marked
            fi;
            if
            :: seen == 0 -> goto take_free
            :: seen != 0 && !alive[seen] -> goto take_over
            :: seen != 0 && alive[seen] && !seen_mark && MARKS_IF_PASSED -> skip
            :: else -> goto sleep
            fi
        };
        atomic { /* mark that somebody sleeps */
            if
            :: owner == seen && !marked -> marked = true
            :: else -> goto again
            fi
        };
sleep:  atomic {
            if
            :: has_passed -> goto next
            :: !has_passed && owner == seen && marked && looked == alarms -> bed[me] = WORD
            :: else -> has_slept = true; goto again
            fi
        };
        atomic {
            if
            :: bed[me] == 0
#ifdef TIMEOUTS
            :: me == 1 -> bed[me] = 0; has_passed = true /* asleep, or just woken */
#endif
            fi;
            has_slept = true; goto again
        };
take_free:
        atomic {
            if
            :: owner == 0 -> owner = me; marked = KEPT; goto taken
            :: else -> goto again
            fi
        };
take_over:
        atomic {
            if
            :: STILL(owner == seen && marked == seen_mark) -> owner = me; marked = true; n_told++
            :: else -> goto again
            fi
        };
taken:  atomic { assert(inside == 0); inside = me };
        atomic { assert(inside == me); inside = 0; seen_mark = marked; owner = 0; marked = false };
        atomic { if :: seen_mark -> WAKE_ONE(WORD) :: else fi };
next:   atomic { round++; has_slept = false; has_passed = false; goto again };
done:   skip
    } unless { !alive[me] }
}

active proctype Judge()
{
    byte t;
    timeout;
    assert(n_told + (owner != 0 && !alive[owner] -> 1 : 0) == n_died_holding);
    EACH(t, assert(!alive[t] || bed[t] == 0))
}

init { atomic { byte t; EACH(t, run Thread(t)) } }
