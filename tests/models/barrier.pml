/* SPDX-License-Identifier: Apache-2.0 */
/*
 * barrier.pml: a round ends with a verdict that outlives its giver (src/object/barrier.c).
 *
 * Abstracts  Threads 1 to 3 wait ROUNDS times at a barrier for PARTIES, the third resets it instead with RESETS.
 *            With ACTION the last one to come runs an action. With TIMEOUTS the first may give up. The room's
 *            lock is taken in one step. The loss of a process is counted some time after its threads' death.
 *            Who has heard an alarm looks around once, not LOOKS times, before it sleeps again.
 * Asserts    B1  it opens for just as many as it takes; for whom it has opened passes, and nobody else
 *            B2  nobody sleeps who has a verdict; nobody sleeps while one in the line is dead, a loss is not
 *                answered, or the line is full: neither without deaths, nor after them, given the alarm
 * Finds      BUG_NO_RECOVERY    the next owner of the books does not complete what a dead one has begun
 *            BUG_SILENT_BURIAL  a loss is counted without an alarm
 *            BUG_NO_LOOK        after an alarm nobody looks around
 *            BUG_ACT_BLIND      after the action nobody looks whether the round was broken meanwhile
 *            BUG_EARLY_PHASE    the phase changes before the seats have their verdict
 */
#define N 3
#ifndef PARTIES
#define PARTIES 2
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define PHASE 1

/* seats */
#define FREE 0
#define WAITING 1
#define PASSED 2
#define BROKE 3
/* the barrier */
#define FILLING 0
#define ACTING 1
#define BROKEN 2

byte seat[5];
bool line[5];
byte room;
byte state;
byte verdict, next_state; /* one word; 0: none */
byte phase;
bool marked;              /* its lowest bit */
byte losses, known_losses, losses_owed;
bool may_pass[5];         /* the barrier has opened for it */
#define AT_DEATH(t) losses_owed++
#include "world.pml"

#define IS_FREE(owner) (owner == 0 || !alive[owner])
#define RELINK(t) line[t] = (seat[t] == WAITING)
#define ENTER atomic { IS_FREE(room) -> \
    if :: room != 0 -> RELINK(1); RELINK(2); RELINK(3); is_heir = true :: else fi; room = me }; \
    if :: is_heir && verdict != 0 && RECOVERS -> carry_out() :: else fi; is_heir = false
#define LEAVE room = 0
#define LENGTH (line[1] + line[2] + line[3])
#define IS_DEAD(t) (line[t] && !alive[t])
#define HAS_LOSSES (losses != known_losses || IS_DEAD(1) || IS_DEAD(2) || IS_DEAD(3))

#ifdef BUG_NO_RECOVERY
#define RECOVERS false
#else
#define RECOVERS true
#endif
#ifdef BUG_SILENT_BURIAL
#define RAISE_ALARM skip
#else
#define RAISE_ALARM alarms++; EACH(t, bed[t] = 0)
#endif

/* A process is gone: somebody counts it. */
active proctype Burier()
{
    byte t;
    do
    :: d_step { losses_owed > 0 && !alarm_owed -> losses_owed--; losses++; RAISE_ALARM }
    od
}

#define TELL(t) atomic { if :: line[t] -> seat[t] = verdict; line[t] = false :: else fi }
#define OPEN(t) may_pass[t] = may_pass[t] || line[t]

inline change_phase()
{
    atomic { old_mark = marked; phase++; marked = false }
}

inline carry_out()
{
#ifdef BUG_EARLY_PHASE
    change_phase();
    atomic { if :: old_mark -> WAKE_ALL(PHASE) :: else fi; old_mark = false };
#endif
    TELL(1); TELL(2); TELL(3);
    state = next_state;
#ifndef BUG_EARLY_PHASE
    change_phase();
#endif
    atomic { verdict = 0; next_state = 0 };
    atomic { if :: old_mark -> WAKE_ALL(PHASE) :: else fi; old_mark = false }
}

inline give_verdict(seats, barrier)
{
    atomic { /* COMMIT */
        if
        :: seats == PASSED -> assert(LENGTH == PARTIES); OPEN(1); OPEN(2); OPEN(3)
        :: else
        fi;
        verdict = seats; next_state = barrier
    };
    carry_out()
}

inline break_it()
{
    if
    :: state != BROKEN -> give_verdict(BROKE, BROKEN)
    :: else
    fi
}

proctype Party(byte me)
{
    byte round, known, seen;
    bool is_heir, old_mark, has_passed, is_filling, must_look;
    {
        round = 0;
start:  atomic { if :: round == ROUNDS -> goto done :: else -> round++; known = alarms; has_passed = false; must_look = false fi };
        ENTER;
        if :: HAS_LOSSES -> break_it() :: else fi;
filling:
        if
        :: state == ACTING -> atomic { seen = phase; is_filling = true }; LEAVE; goto nap
        :: state == BROKEN -> LEAVE; goto start
        :: state == FILLING -> is_filling = false
        fi;
        atomic { seat[me] = WAITING }; /* COMMIT */
        line[me] = true;
        if
        :: LENGTH < PARTIES -> LEAVE; goto await
#ifdef ACTION
        :: LENGTH == PARTIES -> state = ACTING; LEAVE; goto act
#else
        :: LENGTH == PARTIES -> give_verdict(PASSED, FILLING); LEAVE; goto told
#endif
        fi;
await:  atomic { seen = phase; if :: seat[me] != WAITING -> goto told :: else fi };
        if :: has_passed -> goto give_up :: else fi;
nap:    atomic { if :: phase != seen -> goto look :: else -> marked = true fi };
        atomic { if :: phase == seen && marked && known == alarms && !must_look -> bed[me] = PHASE :: else fi };
        atomic {
            if
            :: bed[me] == 0
#ifdef TIMEOUTS
            :: me == 1 && !is_filling -> bed[me] = 0; has_passed = true
#endif
            fi
        };
#ifndef BUG_NO_LOOK
        atomic { if :: known != alarms -> known = alarms; must_look = true :: else fi };
        if
        :: must_look && phase == seen ->
           must_look = false; ENTER; if :: HAS_LOSSES -> break_it() :: else fi; LEAVE
        :: else
        fi;
#else
        known = alarms;
#endif
look:   if
        :: is_filling -> ENTER; goto filling
        :: else -> goto await
        fi;
give_up:
        ENTER;
        if :: seat[me] == WAITING -> break_it() :: else fi;
        LEAVE;
        goto told;
act:    skip; /* the action */
        ENTER;
#ifdef BUG_ACT_BLIND
        give_verdict(PASSED, FILLING);
#else
        if :: seat[me] == WAITING -> give_verdict(PASSED, FILLING) :: else fi;
#endif
        LEAVE;
told:   atomic {
            assert((seat[me] == PASSED) == may_pass[me]);
            seat[me] = FREE; may_pass[me] = false; seen = 0;
            goto start
        };
done:   skip
    } unless { !alive[me] }
}

proctype Resetter(byte me)
{
    bool is_heir, old_mark;
    {
        is_heir = false;
        ENTER;
        known_losses = losses;
        give_verdict(BROKE, FILLING);
        LEAVE
    } unless { !alive[me] }
}

active proctype Judge()
{
    byte t;
    timeout;
    EACH(t, assert(!alive[t] || bed[t] == 0 || (state == FILLING && seat[t] == WAITING && line[t] && !HAS_LOSSES && LENGTH < PARTIES)))
}

init {
    atomic {
        run Party(1); run Party(2);
#ifdef RESETS
        run Resetter(3)
#else
        run Party(3)
#endif
    }
}
