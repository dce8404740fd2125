/* SPDX-License-Identifier: Apache-2.0 */
/*
 * semaphore.pml: a plain semaphore (src/object/semaphore.c): permits and the sleepers' bit in one word.
 *
 * Abstracts  Threads 1 to 3 acquire ROUNDS times, and give the permit back unless KEEPS; with TIMEOUTS the
 *            first may give up. Thread 4 releases PRODUCED times. PERMITS are there at the start.
 * Asserts    P1  no more permits are taken than there are
 *            P2  nobody sleeps while there is a permit: neither without deaths, nor after them, given the alarm
 * Finds      BUG_NO_CHAIN     who was woken does not wake the next one when there are more permits
 *            BUG_DROP_BIT     it does not put the sleepers' bit back
 *            BUG_SILENT_EXIT  who gives up after a sleep does neither
 *            BUG_LOOK_FIRST   it looks for more permits before it puts the bit back
 *            BUG_STALE        it sleeps on a word that it has seen with a permit, which went and came back
 */
#define N 4
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef PRODUCED
#define PRODUCED 2
#endif
#ifndef PERMITS
#define PERMITS 0
#endif
#define WORD 1

byte count = PERMITS;
bool marked;
byte n_made = PERMITS, n_taken;
#include "world.pml"

#ifdef KEEPS
#define GIVES_BACK false
#else
#define GIVES_BACK true
#endif
#ifdef BUG_NO_CHAIN
#define CHAINS false
#else
#define CHAINS (count != 0)
#endif
#ifdef BUG_STALE
#define IS_STALE false
#else
#define IS_STALE (seen != 0)
#endif

/* P1: whoever has a permit gives it back; the producer makes one. */
#define RETURN if :: me != 4 -> n_taken-- :: else -> n_made++ fi

inline release()
{
    atomic { count++; RETURN; seen_mark = marked; marked = false };
    atomic { if :: seen_mark -> WAKE_ONE(WORD) :: else fi; seen_mark = false }
}

inline put_bit_back()
{
#ifndef BUG_DROP_BIT
    marked = true
#else
    skip
#endif
}

inline pass_on() /* S1 */
{
#ifdef BUG_LOOK_FIRST
    atomic { if :: CHAINS -> WAKE_ONE(WORD) :: else fi };
    put_bit_back()
#else
    put_bit_back();
    atomic { more = CHAINS }; /* DEATH: between the look and the wake */
    atomic { if :: more -> WAKE_ONE(WORD) :: else fi; more = false }
#endif
}

proctype Acquirer(byte me)
{
    byte round, seen, looked;
    bool seen_mark, has_slept, has_passed, has_permit, more;
    {
        round = 0;
again:  atomic {
            if
            :: round == ROUNDS -> goto done
            :: else -> looked = alarms; seen = count; seen_mark = marked
            fi
        };
        atomic {
            if
            :: count != 0 -> count--; n_taken++; assert(n_taken <= n_made); has_permit = true; goto out
            :: count == 0 && has_passed -> goto out
            :: count == 0 && !has_passed && IS_STALE -> goto again
            :: count == 0 && !has_passed && !IS_STALE && seen_mark -> goto sleep
            :: else
            fi
        };
        atomic {
            if
            :: count == seen && marked == seen_mark -> marked = true
            :: else -> goto again
            fi
        };
sleep:  atomic {
            if
            :: count == seen && marked && looked == alarms -> bed[me] = WORD
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
out:    if
#ifdef BUG_SILENT_EXIT
        :: has_slept && has_permit -> pass_on()
#else
        :: has_slept -> pass_on()
#endif
        :: else
        fi;
        if
        :: GIVES_BACK && has_permit -> release()
        :: else
        fi;
        atomic { round++; has_slept = false; has_passed = false; has_permit = false; seen = 0; goto again };
done:   skip
    } unless { !alive[me] }
}

proctype Releaser(byte me)
{
    byte round;
    bool seen_mark;
    {
        do
        :: round < PRODUCED -> release(); round++
        :: else -> break
        od
    } unless { !alive[me] }
}

active proctype Judge()
{
    byte t;
    timeout;
    EACH(t, assert(!alive[t] || bed[t] == 0 || count == 0))
}

init { atomic { run Acquirer(1); run Acquirer(2); run Acquirer(3); if :: PRODUCED > 0 -> run Releaser(4) :: else fi } }
