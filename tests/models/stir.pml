/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stir.pml: who waits for many things (src/family/stir.c, bell.c): marks at things, and one word to sleep on.
 *
 * Abstracts  Threads 1 and 2 make things ready, ROUNDS times each; all but the last are soon taken by somebody
 *            else. Thread 3 waits for both things, as does thread 4 if TWO wait: with one stir for the two, as
 *            threads beyond their number have, or each with its own (OWN_STIRS). A bell is its note that
 *            somebody watches, and the marks beside it.
 * Asserts    T1  nobody sleeps while a thing is ready: neither without deaths, nor after them, given the alarm
 * Finds      BUG_LOOK_FIRST  who waits looks, and then leaves its marks
 *            BUG_READ_LATE   it reads its stir after it has left them
 *            BUG_NOTE_FIRST  it notes that it watches before it leaves its mark
 *            BUG_TAKE_FIRST  who changes a thing takes the marks away, and then the note
 *            BUG_TRUST_MARK  who waits takes its mark for a sign that the note is there
 */
#define N 4
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define STIR_A 1
#define STIR_B 2
#ifdef OWN_STIRS
#define STIR_OF(t) (t - 2)
#else
#define STIR_OF(t) STIR_A
#endif

bool ready[2], watched[2];
byte marks[2];     /* a bit for each stir */
byte stir[3];      /* how often each was stirred */
bool sleepers[3];  /* somebody may sleep on it */
#include "world.pml"

#define BIT(s) (1 << (s))

/* Leave a mark at thing i, then note that somebody watches. */
#define MARK(i) atomic { marks[i] = marks[i] | BIT(mine) }
#define NOTE(i) atomic { watched[i] = true }
#ifdef BUG_NOTE_FIRST
#define WATCH(i) NOTE(i); MARK(i)
#else
#ifdef BUG_TRUST_MARK
#define WATCH(i) if :: atomic { (marks[i] & BIT(mine)) -> skip } :: else -> MARK(i); NOTE(i) fi
#else
#define WATCH(i) MARK(i); NOTE(i)
#endif
#endif

proctype Waiter(byte me)
{
    byte mine = STIR_OF(me), seen, looked;
    bool seen_mark;
    {
        skip;
again:  atomic { looked = alarms };
#ifndef BUG_READ_LATE
        atomic { seen = stir[mine]; seen_mark = sleepers[mine] };
#endif
#ifdef BUG_LOOK_FIRST
        atomic { if :: ready[0] -> goto done :: else fi };
        atomic { if :: ready[1] -> goto done :: else fi };
#endif
        WATCH(0);
        WATCH(1);
#ifdef BUG_READ_LATE
        atomic { seen = stir[mine]; seen_mark = sleepers[mine] };
#endif
#ifndef BUG_LOOK_FIRST
        atomic { if :: ready[0] -> goto done :: else fi };
        atomic { if :: ready[1] -> goto done :: else fi };
#endif
        atomic {
            if
            :: seen_mark -> skip
            :: !seen_mark && stir[mine] == seen && !sleepers[mine] -> sleepers[mine] = true
            :: else -> goto again
            fi
        };
        atomic {
            if
            :: stir[mine] == seen && sleepers[mine] && looked == alarms -> bed[me] = mine
            :: else -> goto again
            fi
        };
        atomic { bed[me] == 0 -> goto again };
done:   skip
    } unless { !alive[me] }
}

proctype Changer(byte me)
{
    byte thing, taken, s, round;
    bool was_watched, wakes;
    {
        do
        :: round == ROUNDS -> break
        :: round < ROUNDS ->
           atomic { thing = (me == 2 && round + 1 < ROUNDS -> 1 : 0); taken = 0; ready[thing] = true };
#ifdef BUG_TAKE_FIRST
           atomic { was_watched = watched[thing]; taken = marks[thing]; marks[thing] = 0 };
           atomic { watched[thing] = false };
#else
           atomic { was_watched = watched[thing]; watched[thing] = false };
           atomic { if :: was_watched -> taken = marks[thing]; marks[thing] = 0 :: else fi };
#endif
           for (s : STIR_A .. STIR_B) {
               if
               :: was_watched && (taken & BIT(s)) ->
                  atomic { stir[s] = stir[s] + 1; wakes = sleepers[s]; sleepers[s] = false };
                  atomic { if :: wakes -> WAKE_ALL(s) :: else fi }
               :: else
               fi
           };
           atomic { round++; if :: round < ROUNDS -> ready[thing] = false :: else fi }
        od
    } unless { !alive[me] }
}

active proctype Judge()
{
    byte t;
    timeout;
    EACH(t, assert(!alive[t] || bed[t] == 0 || (!ready[0] && !ready[1])))
}

init {
    atomic {
        run Changer(1); run Changer(2); run Waiter(3);
#ifdef TWO
        run Waiter(4)
#endif
    }
}
