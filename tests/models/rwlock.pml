/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rwlock.pml: marks and a gate, and turns between readers and writers (src/object/rwlock.c).
 *
 * Abstracts  Threads 1 to 3 each read or write ROUNDS times, as they like. Each has one mark; what it was
 *            awaited for in the round before stays in it, as when a mark goes from thread to thread. The mutex, whose matter is
 *            mutex.pml, is taken in one step. With TIMEOUTS the first may give up. Spinning is left out.
 * Asserts    R1  who writes is alone
 *            R2  who acquires is told of a death if, and only if, a writer has died that had the lock, and none
 *                has released it since
 *            R3  nobody begins to write before those who waited for the writer before have had their turn
 *            R4  everybody comes to an end: neither without deaths, nor after them, given the alarm, does
 *                anybody sleep or wait for ever
 * Finds      BUG_LOOK_FIRST   a reader looks at the gate before it leaves its mark
 *            BUG_NO_TELL      a reader that begins to wait does not wake the writer that sleeps on its mark
 *            BUG_NO_RECHECK   a writer goes to sleep on a mark without another look what it waits for
 *            BUG_ANY_PHASE    a writer passes over whoever has waited, for whatever phase
 *            BUG_NO_INHERIT   only writers take over from a dead one
 *            BUG_CLEAR_FIRST  the heir forgets who wrote before it opens the gate
 */
#define N 3
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define GATE 9
#define MARK(t) (t)

bool mark[5], marked[5]; /* somebody's; a writer may sleep on it */
byte awaited[5];         /* phase + 1 */
byte phase;
bool closed, sleepers, suspect; /* one word with the phase */
byte owner, writer;

bool reads[5], writes[5], waits[5], ended[5]; /* what is the case, for the assertions */
bool writer_died;
#define AT_DEATH(t) writer_died = writer_died || writes[t]; writes[t] = false; reads[t] = false; waits[t] = false
#include "world.pml"

#define NOBODY(what, me) ((me == 1 || !what[1]) && (me == 2 || !what[2]) && (me == 3 || !what[3]))
#define HAS_TURN(t) (alive[t] && waits[t] && awaited[t] != seen + 1)

#ifdef BUG_ANY_PHASE
#define PASSED_OVER(t) (awaited[t] != 0)
#else
#define PASSED_OVER(t) (awaited[t] == seen + 1)
#endif
#ifdef BUG_NO_RECHECK
#define STILL_READS(t) true
#else
#define STILL_READS(t) (!PASSED_OVER(t))
#endif
#ifdef BUG_NO_INHERIT
#define INHERITS false
#else
#define INHERITS (owner != 0 && !alive[owner])
#endif

/* The gate's word changes; d_steps cannot contain what may be killed, atomics suffice. */
inline open_gate(is_suspect)
{
    atomic { old_bit = sleepers; phase++; closed = false; sleepers = false; suspect = is_suspect };
    atomic { if :: old_bit -> WAKE_ALL(GATE) :: else fi; old_bit = false }
}

inline settle()
{
    atomic { told = suspect || (closed && writer != 0); was_closed = closed };
#ifdef BUG_CLEAR_FIRST
    writer = 0;
#endif
    if
    :: was_closed -> open_gate(told)
    :: else
    fi;
    writer = 0
}

inline erase_mark()
{
    atomic { old_bit = marked[me]; mark[me] = false; marked[me] = false; reads[me] = false; waits[me] = false };
    atomic { if :: old_bit -> WAKE_ALL(MARK(me)) :: else fi; old_bit = false }
}

#define BEGIN_TO_READ reads[me] = true; waits[me] = false; \
    assert(NOBODY(writes, me)); assert(suspect == writer_died)

proctype Thread(byte me)
{
    byte round, seen, known, t;
    bool old_bit, told, was_closed, has_passed;
    {
        round = 0;
again:  atomic {
            has_passed = false; seen = 0; told = false; was_closed = false; t = 0;
            if
            :: round == ROUNDS -> ended[me] = true; goto done
            :: else -> round++
            fi;
            if :: goto read :: goto write fi
        };

read:
#ifdef BUG_LOOK_FIRST
        atomic { was_closed = closed; seen = phase };
        mark[me] = true;
        if :: !was_closed -> BEGIN_TO_READ; goto reading :: else -> goto wait fi;
#else
        mark[me] = true;
        atomic { if :: !closed -> BEGIN_TO_READ; goto reading :: else -> seen = phase fi };
#endif
wait:   atomic { awaited[me] = seen + 1; waits[me] = true };
#ifndef BUG_NO_TELL
        atomic { old_bit = marked[me]; marked[me] = false };
        atomic { if :: old_bit -> WAKE_ALL(MARK(me)) :: else fi; old_bit = false };
#endif
look:   atomic {
            known = alarms;
            if :: !closed || phase != seen -> BEGIN_TO_READ; goto reading :: else fi
        };
        atomic { if :: INHERITS -> owner = me :: else -> goto nap fi };
        settle();
        owner = 0;
        goto look;
nap:    if :: has_passed -> erase_mark(); goto again :: else fi;
        atomic { if :: closed && phase == seen -> sleepers = true :: else -> goto look fi };
        atomic { if :: closed && phase == seen && known == alarms -> bed[me] = GATE :: else fi };
        atomic {
            if
            :: bed[me] == 0
#ifdef TIMEOUTS
            :: me == 1 -> bed[me] = 0; has_passed = true
#endif
            fi
        };
        goto look;
reading:
        erase_mark();
        goto again;

write:  atomic {
            if
            :: owner == 0 -> owner = me; goto close
            :: owner != 0 && !alive[owner] -> owner = me
            fi
        };
        settle();
close:  atomic { closed = true; seen = phase; t = 1 };
next:   atomic { if :: t == me -> t++ :: else fi; if :: t > N -> goto writing :: else fi };
drain:  atomic { known = alarms; if :: !mark[t] -> t++; goto next :: else fi };
        atomic { if :: PASSED_OVER(t) -> t++; goto next :: else fi };
        atomic { if :: !alive[t] -> mark[t] = false; marked[t] = false; goto drain :: else fi };
        if
        :: has_passed -> open_gate(suspect); owner = 0; goto again
        :: else
        fi;
        atomic { if :: mark[t] -> marked[t] = true :: else -> goto drain fi };
        if :: STILL_READS(t) :: else -> goto drain fi;
        atomic { if :: mark[t] && marked[t] && known == alarms -> bed[me] = MARK(t) :: else fi };
        atomic {
            if
            :: bed[me] == 0
#ifdef TIMEOUTS
            :: me == 1 -> bed[me] = 0; has_passed = true
#endif
            fi
        };
        goto drain;
writing:
        atomic { /* COMMIT */
            writer = me; writes[me] = true;
            assert(NOBODY(writes, me) && NOBODY(reads, me));
            assert(suspect == writer_died);
            assert(!HAS_TURN(1) && !HAS_TURN(2) && !HAS_TURN(3))
        };
        atomic { /* COMMIT */
            writes[me] = false; writer_died = false;
            old_bit = sleepers; phase++; closed = false; sleepers = false; suspect = false
        };
        atomic { if :: old_bit -> WAKE_ALL(GATE) :: else fi; old_bit = false };
        writer = 0;
        owner = 0;
        goto again;
done:   skip
    } unless { !alive[me] }
}

active proctype Judge()
{
    byte t;
    timeout;
    EACH(t, assert(!alive[t] || ended[t]))
}

init {
    atomic { run Thread(1); run Thread(2); run Thread(3) }
}
