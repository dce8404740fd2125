/* SPDX-License-Identifier: Apache-2.0 */
/*
 * condition.pml: who waits has a seat, and is called by name or released (src/object/condition.c, room.c).
 *
 * Abstracts  Threads 1 to 3 wait once, thread 4 notifies NOTICES times, each time NOTIFY of them (9: all). With
 *            TIMEOUTS the first may give up. The order of the line is left open. The room's and the condition's
 *            own lock are taken in one step, which mutex.pml proves. Who is to be woken by the holder of
 *            the lock is `due`, and woken after its release.
 * Asserts    C1  without deaths as many are told as notify says that it called
 *            C2  nobody sleeps who has been called or released; nobody sleeps while a seat that was called after
 *                it had come is a dead thread's: neither without deaths, nor after them, given the alarm
 *            C3  notify never waits for who waits: it only takes the room's lock, in which nobody sleeps
 * Finds      BUG_NO_PASS_ON     the call of a dead thread is nobody's
 *            BUG_LEAVE_FIRST    its seat is freed before another one is called
 *            BUG_EARLY_LEAVE    who was called gives its seat back before it has the lock again
 *            BUG_NO_CHAIN       who comes back does not wake the next of the herd
 *            BUG_CALL_MISSED    who gives up does not look whether it was called in the last moment
 *            BUG_NOT_DUE        the release of the lock forgets who is due
 *            BUG_WAKE_UNSEEN    who falls asleep does not look whether it was called meanwhile
 */
#define N 4
#ifndef NOTIFY
#define NOTIFY 1
#endif
#ifndef NOTICES
#define NOTICES 1
#endif
#define ALL 9

#define FREE 0
#define WAITING 1
#define ASLEEP 2
#define CALLED 3
#define RELEASED 4

#define NONE 0
#define LINE 1
#define HERD 2

byte state[5], line[5];
byte room, lock;  /* their owners */
byte due;         /* who is to be woken by the release of the lock; 0: nobody */
byte n_calls;     /* notices given to somebody */
byte n_told;      /* who came back with one */
byte entered[5];  /* n_calls when it came */
byte call_no[5];  /* n_calls when it was called; 0: it was not, or it has the lock, or the call was passed on */
#include "world.pml"

#define IS_FREE(owner) (owner == 0 || !alive[owner])
#define RELINK(t) line[t] = ((state[t] == WAITING || state[t] == ASLEEP) -> LINE : (state[t] == RELEASED -> HERD : NONE))
#define ENTER_ROOM atomic { IS_FREE(room) -> \
    if :: room != 0 -> RELINK(1); RELINK(2); RELINK(3) :: else fi; room = me }
#define LEAVE_ROOM room = 0
#define HAVE_WOKEN(t) if :: lock == me -> bed[due] = 0; due = t :: else -> bed[t] = 0 fi
#ifdef BUG_NOT_DUE
#define RELEASE atomic { due = 0; lock = 0 }
#else
#define RELEASE atomic { w = due; due = 0; lock = 0 }; atomic { bed[w] = 0; w = 0 }
#endif
#define LEAVE_SEAT(t) state[t] = FREE; line[t] = NONE

/* Some living thread in a line; 0: none. Those of the dead lose their seats. Within atomic. */
#define DROP_DEAD(t, where) if :: line[t] == where && !alive[t] -> LEAVE_SEAT(t) :: else fi
#define CHOOSE(t, where) \
    DROP_DEAD(1, where); DROP_DEAD(2, where); DROP_DEAD(3, where); \
    if \
    :: line[1] == where -> t = 1 \
    :: line[2] == where -> t = 2 \
    :: line[3] == where -> t = 3 \
    :: else -> t = 0 \
    fi

inline call(n, as)
{
    left = n; n_woken = 0;
    do
    :: atomic { left > 0 ->
           CHOOSE(t, LINE);
           if
           :: t == 0 -> break
           :: else -> old = state[t]; state[t] = as; n_calls++; call_no[t] = (as == CALLED -> n_calls : 0) /* COMMIT */
           fi
       };
       atomic {
           line[t] = NONE; left--;
           if
           :: old == ASLEEP && n_woken == 0 -> HAVE_WOKEN(t); n_woken = (as == RELEASED -> 1 : 0)
           :: old == ASLEEP && n_woken != 0 -> line[t] = HERD
           :: else
           fi;
           t = 0; old = 0
       }
    :: atomic { left == 0 -> break }
    od;
    n_woken = 0; left = 0
}

#define HAS_DIED(d) (state[d] == CALLED && !alive[d])
inline pass_on_from(d)
{
    if
    :: HAS_DIED(d) ->
#ifdef BUG_LEAVE_FIRST
       atomic { LEAVE_SEAT(d) };
       call(1, CALLED);
       call_no[d] = 0
#else
       call(1, CALLED);
       atomic { LEAVE_SEAT(d); call_no[d] = 0 }
#endif
    :: else
    fi
}

proctype Waiter(byte me)
{
    byte known, t, old, left, n_woken, w;
    bool has_passed, was_called;
    {
        atomic { IS_FREE(lock) -> lock = me; known = alarms };
        ENTER_ROOM;
        atomic { state[me] = WAITING; entered[me] = n_calls }; /* COMMIT */
        line[me] = LINE;
        LEAVE_ROOM;
        RELEASE;
again:  atomic {
            if
            :: state[me] > ASLEEP -> was_called = true; goto resume
            :: state[me] <= ASLEEP && has_passed -> goto give_up
            :: state[me] == ASLEEP && !has_passed -> goto sleep
            :: else
            fi
        };
        atomic {
#ifndef BUG_WAKE_UNSEEN
            if :: state[me] == WAITING -> state[me] = ASLEEP :: else -> goto again fi
#else
            state[me] = ASLEEP
#endif
        };
sleep:  atomic { if :: state[me] == ASLEEP && known == alarms -> bed[me] = me :: else fi };
        atomic {
            if
            :: bed[me] == 0
#ifdef TIMEOUTS
            :: me == 1 -> bed[me] = 0; has_passed = true
#endif
            fi
        };
        atomic { if :: alarms == known -> goto again :: else -> known = alarms fi };
#ifndef BUG_NO_PASS_ON
        ENTER_ROOM;
        pass_on_from(1); pass_on_from(2); pass_on_from(3);
        LEAVE_ROOM;
#endif
        goto again;
give_up:
        ENTER_ROOM;
        atomic {
#ifndef BUG_CALL_MISSED
            if
            :: state[me] > ASLEEP -> was_called = true
            :: else -> LEAVE_SEAT(me)
            fi
#else
            LEAVE_SEAT(me)
#endif
        };
        LEAVE_ROOM;
resume:
#ifdef BUG_EARLY_LEAVE
        ENTER_ROOM;
        atomic { if :: state[me] == CALLED -> LEAVE_SEAT(me) :: else fi };
        LEAVE_ROOM;
#endif
        atomic { IS_FREE(lock) -> lock = me; n_told = n_told + (was_called -> 1 : 0); call_no[me] = 0 };
        if
        :: was_called ->
           ENTER_ROOM;
           atomic { LEAVE_SEAT(me) };
#ifndef BUG_NO_CHAIN
           atomic { CHOOSE(t, HERD); line[t] = NONE };
           atomic { HAVE_WOKEN(t); t = 0 };
#endif
           LEAVE_ROOM
        :: else
        fi;
        RELEASE
    } unless { !alive[me] }
}

proctype Notifier(byte me)
{
    byte round, t, old, left, n_woken, w;
    {
        do
        :: round < NOTICES ->
           atomic { IS_FREE(lock) -> lock = me };
           ENTER_ROOM;
#if NOTIFY == ALL
           call(ALL, RELEASED);
#else
           call(NOTIFY, CALLED);
#endif
           LEAVE_ROOM;
           RELEASE;
           round++
        :: else -> break
        od
    } unless { !alive[me] }
}

#define IS_OWED(t, d) (!alive[d] && call_no[d] > entered[t])

active proctype Judge()
{
    byte t;
    timeout;
    assert(KILLS > 0 || n_told == n_calls);
    t = 1;
    do
    :: t < N ->
       assert(!alive[t] || bed[t] == 0 ||
              (state[t] == ASLEEP && line[t] == LINE && !IS_OWED(t, 1) && !IS_OWED(t, 2) && !IS_OWED(t, 3)));
       t++
    :: else -> break
    od
}

init { atomic { run Waiter(1); run Waiter(2); run Waiter(3); run Notifier(4) } }
