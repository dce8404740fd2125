/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.pml: whoever sleeps for long is woken when somebody has died (src/family/watch.c).
 *
 * Abstracts  Each of N threads waits for something of its own: gift[t], which Giver gives to some of them, with
 *            the wake that belongs to it. It looks, sleeps for a slice (which ends by itself: a step), looks
 *            again, and sleeps long. Long slices never end here; the watch's short ones do when there is
 *            something for it to do. A sleeper also waits for the end of the watch's term, as futex_waitv does.
 * Asserts    W1  no living thread sleeps that has not looked since the last death was found, and none while a
 *                death has not been found; unless who is about to take the watch is killed in that moment
 * Finds      BUG_NO_ROUNDS      a wake that comes between that look and the sleep is not repeated
 *            BUG_NO_SUCCESSOR   the watch goes away without a wake for another one, by the kernel or by itself
 *            BUG_LOST_HEIR      who was woken to take the watch, and has no need of it, wakes nobody
 */
#define N 3
#ifndef GIFTS
#define GIFTS 1
#endif
#define OWN_ALARM

bool gift[5];
bool note[5];    /* the slot says what the thread sleeps on */
byte noted[5];   /* alarms it had seen when it looked */
byte looked[5];  /* deaths there had been when it looked; for W1 */
bool found[5];   /* its token has been claimed since its death */
byte burier[5];  /* by whom, until the alarm is raised: killed before, the token is dead once more */
byte watch;      /* who holds the token, dead or alive */
bool is_excused; /* somebody asleep was killed just when there was no watch: it may have been the heir */
#define AT_DEATH(t) FORGET(1, t); FORGET(2, t); FORGET(3, t); FORGET(4, t); \
    is_excused = is_excused || (note[t] && IS_VACANT); \
    if :: watch == t -> RELEASE_WAITERS :: else fi
#define FORGET(v, t) found[v] = found[v] && burier[v] != t
/* The token's end wakes one of those who wait for it. */
#ifdef BUG_NO_SUCCESSOR
#define RELEASE_WAITERS skip
#else
#define RELEASE_WAITERS if \
    :: bed[1] != 0 -> bed[1] = 0 \
    :: bed[2] != 0 -> bed[2] = 0 \
    :: bed[3] != 0 -> bed[3] = 0 \
    :: bed[4] != 0 -> bed[4] = 0 \
    :: else fi
#endif
#define IS_VACANT (watch == 0 || !alive[watch])
#include "world.pml"

#define IS_UNFOUND(v) (!alive[v] && !found[v])
#define IS_STRAGGLER(t) (bed[t] != 0 && noted[t] != alarms)
#ifdef BUG_NO_ROUNDS
#define HAS_STRAGGLERS false
#else
#define HAS_STRAGGLERS (IS_STRAGGLER(1) || IS_STRAGGLER(2) || IS_STRAGGLER(3))
#endif
#ifdef BUG_LOST_HEIR
#define KNOWS_HEIRS false
#else
#define KNOWS_HEIRS true
#endif

#define WAKE_STRAGGLER(t) if :: IS_STRAGGLER(t) -> bed[t] = 0 :: else fi

/* Claim the token of a dead thread, end its id, raise the alarm. */
inline bury(v)
{
    if
    :: atomic { IS_UNFOUND(v) -> found[v] = true; burier[v] = me; note[v] = false };
       alarms++; /* COMMIT */
       i = 1;
       do
       :: atomic { i <= N -> if :: note[i] -> bed[i] = 0 :: else fi; i++ }
       :: atomic { i > N -> i = 0; burier[v] = 0; break }
       od
    :: else
    fi
}

/* The first whose note is found is woken. */
inline find_successor()
{
    atomic {
        i = 1;
        do
        :: i <= N && (i == me || !note[i]) -> i++
        :: i <= N && i != me && note[i] -> bed[i] = 0; break
        :: i > N -> break
        od;
        i = 0
    }
}

proctype Thread(byte me)
{
    byte seen, i;
    {
        i = 0;
look:   seen = alarms;
        atomic { looked[me] = n_killed; if :: gift[me] -> goto done :: else fi };
        atomic { noted[me] = seen; note[me] = true };
        if :: alarms != seen -> goto wake :: else fi;
        atomic { if :: IS_VACANT -> watch = me; goto keep :: else fi };
        atomic { if :: !gift[me] && !IS_VACANT -> bed[me] = me :: else fi };
        bed[me] == 0;
        atomic { if :: KNOWS_HEIRS && IS_VACANT -> watch = me; goto keep :: else -> goto wake fi };
keep:   bury(1); bury(2); bury(3);
        if :: alarms != seen -> goto leave :: else fi;
#ifndef BUG_NO_ROUNDS
        atomic { WAKE_STRAGGLER(1); WAKE_STRAGGLER(2); WAKE_STRAGGLER(3) };
#endif
        if
        :: gift[me] -> skip
        :: IS_UNFOUND(1) || IS_UNFOUND(2) || IS_UNFOUND(3) || HAS_STRAGGLERS || alarms != seen -> goto keep
        fi;
leave:  atomic { watch = 0; RELEASE_WAITERS };
#ifndef BUG_NO_SUCCESSOR
        find_successor();
#endif
wake:   note[me] = false;
        goto look;
done:   skip
    } unless { !alive[me] }
}

/* Gives to some, and wakes them. */
active proctype Giver()
{
    byte n;
    do
    :: atomic { n < GIFTS -> n++; if :: gift[1] = true; bed[1] = 0 :: gift[2] = true; bed[2] = 0 :: gift[3] = true; bed[3] = 0 fi }
    :: n == GIFTS -> break
    od
}

active proctype Judge()
{
    byte t;
    timeout;
    EACH(t, assert(!alive[t] || bed[t] == 0 || looked[t] == n_killed || is_excused))
}

init { atomic { byte t; EACH(t, run Thread(t)) } }
