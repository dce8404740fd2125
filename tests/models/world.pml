/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.pml: what all models stand on: threads that may die, sleeping and waking, the alarm.
 *
 * Threads   are numbered 1 to N; each is a process of its own. Killer kills KILLS of them, each at any point
 *           between two steps or after the last; "check" runs each model with none, one and two.
 * Memory    is sequentially consistent: the code uses acquire, release and full barriers throughout.
 * Sleep     bed[t] is the word that t sleeps on. A wake for one takes any of those who sleep on the word. There
 *           are no slices: unless a model says otherwise, only a wake or a thread's own time-out ends a sleep.
 * Alarm     stands for what watch.pml proves: some time after a death all who sleep look again, and who
 *           looked before the alarm does not go to sleep any more. Nothing else helps after a death.
 * Verdict   "timeout" is true when nobody can move; what a model's Judge then asserts says that nobody sleeps
 *           who should not. Deadlocks as such are no errors (pan -E): who waits for nothing may wait.
 */
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE N /* the first so many */
#endif

#define EACH(t, what) t = 1; do :: t <= N -> what; t++ :: else -> t = 0; break od

bool alive[5] = true; /* N is 4 at most; 0 is nobody */
byte bed[5];          /* 0: awake */
byte alarms;          /* raised so far */
byte n_killed;
bool alarm_owed;

/* Within atomic: wake any of those who sleep on a word; all of them. */
#define WAKE_ONE(word) if \
    :: bed[1] == word -> bed[1] = 0 \
    :: bed[2] == word -> bed[2] = 0 \
    :: bed[3] == word -> bed[3] = 0 \
    :: bed[4] == word -> bed[4] = 0 \
    :: else fi
#define WAKE_IF(t, word) bed[t] = (bed[t] == word -> 0 : bed[t])
#define WAKE_ALL(word) WAKE_IF(1, word); WAKE_IF(2, word); WAKE_IF(3, word); WAKE_IF(4, word)

/* What a model adds to a death and to an alarm, atomically. */
#ifndef AT_DEATH
#define AT_DEATH(t) skip
#endif

active proctype Killer()
{
    byte t;
    do
    :: atomic { n_killed < KILLS ->
           if
           :: alive[1] -> t = 1
           :: alive[2] -> t = 2
           :: KILLABLE >= 3 && alive[3] -> t = 3
           :: KILLABLE >= 4 && alive[4] -> t = 4
           fi;
           AT_DEATH(t);
           alive[t] = false; bed[t] = 0; n_killed++; alarm_owed = true; t = 0 }
    od
}

#ifndef OWN_ALARM
active proctype Alarm()
{
    byte t;
    do
    :: d_step { alarm_owed -> alarm_owed = false; alarms++; EACH(t, bed[t] = 0) }
    od
}
#endif
