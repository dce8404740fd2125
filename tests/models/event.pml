/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.pml: an event (src/object/event.c): flag, sleepers' bit and count of sets in one word.
 *
 * Abstracts  Threads 1 and 2 wait once; threads 3 and 4 set and clear at once, SETS times each.
 * Asserts    E1  who waits returns when the event was set after its first look, however soon it was cleared:
 *                neither without deaths, nor after them, given the alarm, does it sleep on
 *            E2  it returns only then
 * Finds      BUG_NO_COUNT    sets are not counted: a set that is cleared at once is missed
 *            BUG_CLEAR_BIT   clear takes the sleepers' bit away
 *            BUG_WAKE_ONE    set wakes one
 *            BUG_WAKE_EARLY  set wakes before it changes the word
 */
#define N 4
#ifndef SETS
#define SETS 2
#endif
#define WORD 1

bool flag, marked;
byte count;       /* as the word has it */
byte n_sets;      /* what it should have */
byte before[N + 1];
#include "world.pml"

#ifdef BUG_NO_COUNT
#define ONE_SET 0
#else
#define ONE_SET 1
#endif
#ifdef BUG_WAKE_ONE
#define WAKE(word) WAKE_ONE(word)
#else
#define WAKE(word) WAKE_ALL(word)
#endif

proctype Waiter(byte me)
{
    byte first, seen, looked;
    bool seen_mark;
    {
        atomic {
            first = count; before[me] = n_sets;
            if :: flag -> goto done :: else fi
        };
again:  atomic {
            looked = alarms; seen = count; seen_mark = marked;
            if
            :: flag || seen != first -> assert(n_sets != before[me]); goto done
            :: else
            fi;
            if :: seen_mark -> goto sleep :: else fi
        };
        atomic {
            if
            :: !flag && count == seen && !marked -> marked = true
            :: else -> goto again
            fi
        };
sleep:  atomic {
            if
            :: !flag && count == seen && marked && looked == alarms -> bed[me] = WORD
            :: else -> goto again
            fi
        };
        atomic { bed[me] == 0 -> goto again };
done:   skip
    } unless { !alive[me] }
}

proctype Setter(byte me)
{
    byte round;
    bool seen_mark;
    {
        do
        :: round == SETS -> break
        :: round < SETS ->
#ifdef BUG_WAKE_EARLY
           atomic { if :: !flag && marked -> WAKE(WORD) :: else fi };
#endif
           atomic { /* already set: nothing to do */
               if
               :: !flag -> flag = true; count = count + ONE_SET; n_sets++; seen_mark = marked; marked = false
               :: else -> seen_mark = false
               fi
           };
#ifndef BUG_WAKE_EARLY
           atomic { if :: seen_mark -> WAKE(WORD) :: else fi };
#endif
           atomic {
               flag = false; round++;
#ifdef BUG_CLEAR_BIT
               marked = false
#endif
           }
        od
    } unless { !alive[me] }
}

active proctype Judge()
{
    byte t;
    timeout;
    EACH(t, assert(!alive[t] || bed[t] == 0 || n_sets == before[t]))
}

init { atomic { run Waiter(1); run Waiter(2); run Setter(3); run Setter(4) } }
