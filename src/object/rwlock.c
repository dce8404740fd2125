/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rwlock.c: mproc_rwlock.
 *
 * How       A reader leaves its id in a mark, and then looks at the gate: open, it has the lock. A writer
 *           takes the mutex, closes the gate, and waits for one mark after the other. So readers only
 *           read what they share. A reader that finds the gate closed says in its mark for the end of
 *           which phase it waits; a phase ends when the gate opens. The writer of that phase does not
 *           wait for it, but the next one does: neither side can starve the other.
 * Always    W1  while nobody has the mutex, the gate is open and `writer` is 0
 *           W2  a mark is a reader's that has the lock, unless the gate is closed and `awaited` is its
 *               phase. What `awaited` was before, by the mark's last reader, is an older phase.
 * Locks     mutex
 * Commit    reader: the compare-and-swap of the mark, undone if the gate is closed; writer: the store of
 *           `writer`; its release: the opening of the gate
 * Death     Ids are never given twice. A dead reader's mark is taken away by whoever finds it; of a dead
 *           owner of the mutex, the next one to take it opens the gate, suspect if `writer` is set.
 */
#include "mproc/rwlock.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/mutex.h"
#include "family/note.h"
#include "family/object.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "object/marks.h"

#include <stddef.h>

/* Of the gate; above them the phase. */
#define CLOSED ((uint64_t)1)
#define SLEEPERS ((uint64_t)2)
#define SUSPECT ((uint64_t)4) /* a writer has died, and no other one has released the lock since */
#define ONE_PHASE ((uint64_t)8)
#define FLAGS (ONE_PHASE - 1)

struct rwlock_shm {
    struct mproc__mutex_shm mutex; /**< whose owner writes, or will when the readers have gone */
    uint64_t gate;     /**< by the mutex's owner; SLEEPERS by anybody, when it is closed */
    uint64_t writer;   /**< by it: its id, when it writes */
    uint64_t deaths;   /**< of writers; by it */
    uint64_t dead_pid; /**< by it: the last dead one's */
    uint64_t reserved[3];
    struct mproc__marks_shm marks; /**< the readers' */
};

_Static_assert(offsetof(struct rwlock_shm, marks) == 64, "marks are aligned");

static struct rwlock_shm *shm_of(const struct mproc_object *object)
{
    return object->shm;
}

static mproc__marks marks_of(const struct mproc_object *object)
{
    return (mproc__marks){&shm_of(object)->marks, object->offset};
}

static int no_rwlock(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the rwlock is NULL", verb);
}

int mproc_rwlock_create(mproc_rwlock **ret_rwlock)
{
    struct mproc_object *object = NULL;
    int rc = ret_rwlock != NULL
                 ? mproc__object_create(MPROC__KIND_RWLOCK, sizeof(struct rwlock_shm),
                                        MPROC__MARKS_SEGMENTS, &object)
                 : no_rwlock("create");
    if (rc >= 0) {
        *ret_rwlock = MPROC__CONTAINER(object, mproc_rwlock, object);
    }
    return rc;
}

/* ---- the gate -------------------------------------------------------------------------------- */

/** What `awaited` is of one who waits for the end of this phase. */
static uint64_t awaited_at(uint64_t gate)
{
    return (gate & ~FLAGS) | CLOSED;
}

/** End the phase: who waited for that has the lock from now on. By the mutex's owner. */
static void open_gate(struct rwlock_shm *shm, uint64_t suspect)
{
    uint64_t gate = mproc__load64_relaxed(&shm->gate);
    gate = mproc__exchange64(&shm->gate, ((gate & ~FLAGS) + ONE_PHASE) | suspect); /* COMMIT */
    MPROC__KILLPOINT("rwlock.opened"); /* DEATH: the sleepers look again */
    if (gate & SLEEPERS) {
        (void)mplat_wake(mproc__low32(&shm->gate), INT32_MAX);
    }
}

/** DEATH: of the mutex's owner, whose heir the caller is: W1 again. */
static void settle(struct rwlock_shm *shm)
{
    uint64_t gate = mproc__load64(&shm->gate);
    uint64_t writer = mproc__load64_relaxed(&shm->writer);
    if (gate & CLOSED) {
        if (writer != 0) {
            mproc__store64_release(&shm->dead_pid, (uint64_t)mproc__thread_pid(writer));
            mproc__store64_release(&shm->deaths, shm->deaths + 1);
            gate |= SUSPECT;
        }
        open_gate(shm, gate & SUSPECT);
    }
    mproc__store64_release(&shm->writer, 0); // last: it says that the gate is still to be opened
}

/** In place of a dead owner of the mutex, by a reader who waits. */
static void inherit(struct rwlock_shm *shm)
{
    int rc = mproc__mutex_acquire(&shm->mutex, mproc__thread_self(), 0, NULL);
    if (rc == MPROC_OWNER_DIED) {
        settle(shm);
    }
    if (rc >= 0) {
        (void)mproc__mutex_release(&shm->mutex);
    }
}

/* ---- readers --------------------------------------------------------------------------------- */

/** What a reader is told that has the lock. */
static int told_at(uint64_t gate)
{
    return gate & SUSPECT ? MPROC_OWNER_DIED : MPROC_OK;
}

/** Once more, by a thread whose mark it is; no writer is about. */
static int read_again(const struct rwlock_shm *shm, struct mproc__mark_shm *mark)
{
    if (mark->depth == UINT32_MAX) {
        return mproc__fail_shortly(MPROC_ERANGE, "acquire: the rwlock has been acquired too often");
    }
    mproc__store32_relaxed(&mark->depth, mark->depth + 1);
    mproc__thread_holds++;
    return told_at(mproc__load64(&shm->gate));
}

/** Say that the mark's reader waits, also to a writer that sleeps on it because it seemed to read. */
static void await_phase(struct mproc__mark_shm *mark, uint64_t awaited)
{
    (void)mproc__exchange64(&mark->awaited, awaited);
    uint64_t seen = mproc__load64(&mark->thread);
    if ((seen & MPROC__MARK_SLEEPER) &&
        mproc__cas64(&mark->thread, &seen, seen & ~MPROC__MARK_SLEEPER)) {
        MPROC__KILLPOINT("rwlock.awaits"); /* DEATH: the writer looks again */
        (void)mplat_wake(mproc__low32(&mark->thread), INT32_MAX);
    }
}

/** Until the gate opens, or has been open. The mark stays, whatever comes of it. */
static int wait_at_gate(struct rwlock_shm *shm, struct mproc__mark_shm *mark, uint64_t gate,
                        mproc__deadline deadline)
{
    uint64_t awaited = awaited_at(gate);
    await_phase(mark, awaited);
    if (deadline != 0) {
        (void)mproc__spin(mproc__low32(&shm->gate), (uint32_t)gate);
    }
    for (;;) {
        gate = mproc__load64(&shm->gate);
        if (!(gate & CLOSED) || awaited_at(gate) != awaited) {
            return told_at(gate);
        }
        uint64_t owner = mproc__mutex_owner(&shm->mutex);
        if (owner != 0 && mproc__thread_is_dead(owner)) {
            inherit(shm);
            continue;
        }
        if (mproc__deadline_passed(deadline)) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT,
                                       "acquire: timed out; a writer has the rwlock, or waits");
        }
        if ((gate & SLEEPERS) || mproc__cas64(&shm->gate, &gate, gate | SLEEPERS)) {
            (void)mproc__sleep(mproc__low32(&shm->gate), (uint32_t)(gate | SLEEPERS), deadline,
                               mproc__thread_life(owner));
            MPROC__KILLPOINT("rwlock.woken");
        }
    }
}

/** With a mark that is the calling thread's, and is given up when nothing comes of it. */
static int pass_gate(const struct mproc_object *object, struct mproc__mark_shm *mark,
                     mproc_timeout timeout)
{
    struct rwlock_shm *shm = shm_of(object);
    const mproc__marks marks = marks_of(object);
    uint64_t self = mproc__thread_self();
    uint64_t gate = mproc__load64(&shm->gate);
    int rc = MPROC_OK;
    if (!(gate & CLOSED)) {
        rc = told_at(gate);
    } else if (mproc__load64_relaxed(&shm->writer) == self) {
        rc = mproc__fail_shortly(MPROC_ESTATE, "acquire: the calling thread writes already");
    } else {
        struct mproc__mark_shm *other = mproc__marks_find(&marks, self, mark);
        if (other != NULL) { // the gate was open then; whose mark that is must not wait here
            mproc__mark_erase(mark);
            return read_again(shm, other);
        }
        mproc__deadline deadline = mproc__deadline_in(timeout);
        mproc__note_begin(object->offset, deadline);
        rc = wait_at_gate(shm, mark, gate, deadline);
        mproc__note_end();
    }
    if (rc < 0) {
        mproc__mark_erase(mark);
    } else {
        mproc__thread_holds++;
    }
    return rc;
}

static int read_slowly(const struct mproc_object *object, mproc_timeout timeout)
{
    const mproc__marks marks = marks_of(object);
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    struct mproc__mark_shm *mark = mproc__marks_find(&marks, mproc__thread_self(), NULL);
    if (mark != NULL) {
        return read_again(shm_of(object), mark);
    }
    rc = mproc__marks_leave(&marks, mproc__thread_self(), &mark);
    return rc < 0 ? rc : pass_gate(object, mark, timeout);
}

int mproc_rwlock_acquire_read(mproc_rwlock *rwlock, mproc_timeout timeout)
{
    if (rwlock == NULL) {
        return no_rwlock("acquire");
    }
    struct rwlock_shm *shm = shm_of(&rwlock->object);
    mproc__thread_id self = mproc__thread_current;
    struct mproc__mark_shm *mark = mproc__mark_home(&shm->marks, self);
    uint64_t nobody = 0;
    if (self == 0 || !mproc__cas64(&mark->thread, &nobody, self)) {
        return read_slowly(&rwlock->object, timeout);
    }
    mproc__store32_relaxed(&mark->depth, 0);
    MPROC__KILLPOINT("rwlock.marked");
    // The writer closes the gate and then looks at the marks: one of us sees the other.
    if (mproc__load64(&shm->gate) & (CLOSED | SUSPECT)) {
        return pass_gate(&rwlock->object, mark, timeout);
    }
    mproc__thread_holds++;
    return MPROC_OK;
}

/* ---- writers --------------------------------------------------------------------------------- */

static int holds_it(void)
{
    return mproc__fail_shortly(MPROC_ESTATE,
                               "acquire: the calling thread holds the rwlock already");
}

/** Wait until a mark is not that of one who reads. */
static int await_reader(struct mproc__mark_shm *mark, uint64_t awaited, mproc__deadline deadline)
{
    bool may_spin = deadline != 0;
    for (;;) {
        uint64_t seen = mproc__load64(&mark->thread);
        if (seen == 0 || mproc__load64(&mark->awaited) == awaited) {
            return MPROC_OK;
        }
        if (mproc__mark_is(mark, mproc__thread_self())) {
            return holds_it();
        }
        if (mproc__thread_is_dead(seen)) {
            (void)mproc__cas64(&mark->thread, &seen, 0); /* DEATH: of a reader */
            continue;
        }
        if (mproc__deadline_passed(deadline)) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT, "acquire: timed out; the rwlock is held");
        }
        if (may_spin && mproc__spin(mproc__low32(&mark->thread), (uint32_t)seen)) {
            continue;
        }
        may_spin = false;
        if (!(seen & MPROC__MARK_SLEEPER) &&
            !mproc__cas64(&mark->thread, &seen, seen | MPROC__MARK_SLEEPER)) {
            continue;
        }
        if (mproc__load64(&mark->awaited) != awaited) {
            (void)mproc__sleep(mproc__low32(&mark->thread), (uint32_t)(seen | MPROC__MARK_SLEEPER),
                               deadline, mproc__thread_life(seen));
            MPROC__KILLPOINT("rwlock.writer_woken");
        }
    }
}

static inline int await_table(struct mproc__mark_shm *table, uint32_t count, uint64_t awaited,
                              mproc__deadline deadline)
{
    for (uint32_t i = 0; i < count; i++) {
        if (mproc__load64(&table[i].thread) != 0) {
            int rc = await_reader(&table[i], awaited, deadline);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return MPROC_OK;
}

/** With the gate closed: until nobody reads. */
static int await_readers(const struct mproc_object *object, uint64_t awaited,
                         mproc__deadline deadline)
{
    const mproc__marks marks = marks_of(object);
    int rc = await_table(marks.shm->mark, MPROC__MARKS, awaited, deadline);
    uint64_t n = mproc__marks_tables(&marks);
    for (uint64_t number = 1; rc >= 0 && number < n; number++) {
        uint32_t count;
        struct mproc__mark_shm *table = mproc__marks_table(&marks, number, &count);
        rc = await_table(table, count, awaited, deadline);
    }
    return rc;
}

/** With the mutex, which is given back when nothing comes of it. */
static int write_when_empty(const struct mproc_object *object, mproc__deadline deadline)
{
    struct rwlock_shm *shm = shm_of(object);
    uint64_t gate = mproc__load64_relaxed(&shm->gate);
    (void)mproc__exchange64(&shm->gate, gate | CLOSED); // before the look at the marks
    MPROC__KILLPOINT("rwlock.closed");
    mproc__note_begin(object->offset, deadline);
    int rc = await_readers(object, awaited_at(gate), deadline);
    mproc__note_end();
    if (rc < 0) {
        open_gate(shm, gate & SUSPECT);
        (void)mproc__mutex_release(&shm->mutex);
        return rc;
    }
    mproc__thread_holds++;
    mproc__store64_release(&shm->writer, mproc__thread_self()); /* COMMIT */
    MPROC__KILLPOINT("rwlock.writes");
    return told_at(gate);
}

int mproc_rwlock_acquire_write(mproc_rwlock *rwlock, mproc_timeout timeout)
{
    int rc = rwlock == NULL               ? no_rwlock("acquire")
             : mproc__thread_current != 0 ? MPROC_OK
                                          : mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    struct rwlock_shm *shm = shm_of(&rwlock->object);
    const mproc__marks marks = marks_of(&rwlock->object);
    mproc__thread_id self = mproc__thread_self();
    mproc__deadline deadline = mproc__deadline_in(timeout);
    if (!mproc__mutex_try(&shm->mutex, self)) {
        // Whoever has it may be ourselves, or wait for us to read no more: it would be for ever.
        if (mproc__mutex_owner(&shm->mutex) == self ||
            mproc__marks_find(&marks, self, NULL) != NULL) {
            return holds_it();
        }
        mproc__note_begin(rwlock->object.offset, deadline);
        rc = mproc__mutex_acquire(&shm->mutex, self, deadline, NULL);
        mproc__note_end();
        if (rc < 0) {
            return mproc__fail_shortly(rc, "acquire: timed out; the rwlock is held");
        }
        if (rc == MPROC_OWNER_DIED) {
            settle(shm);
        }
    }
    return write_when_empty(&rwlock->object, deadline);
}

/* ---- both ------------------------------------------------------------------------------------ */

static void release_write(struct rwlock_shm *shm)
{
    open_gate(shm, 0);
    mproc__store64_release(&shm->writer, 0);
    mproc__thread_holds--;
    (void)mproc__mutex_release(&shm->mutex);
}

static void release_read(struct mproc__mark_shm *mark)
{
    mproc__thread_holds--;
    if (mark->depth > 0) {
        mproc__store32_relaxed(&mark->depth, mark->depth - 1);
    } else {
        mproc__mark_erase(mark);
    }
}

int mproc_rwlock_release(mproc_rwlock *rwlock)
{
    if (rwlock == NULL) {
        return no_rwlock("release");
    }
    struct rwlock_shm *shm = shm_of(&rwlock->object);
    mproc__thread_id self = mproc__thread_current;
    struct mproc__mark_shm *mark = mproc__mark_home(&shm->marks, self);
    if (self != 0 && mproc__load64_relaxed(&shm->writer) == self) {
        release_write(shm);
        return MPROC_OK;
    }
    if (self != 0 && !mproc__mark_is(mark, self)) {
        const mproc__marks marks = marks_of(&rwlock->object);
        mark = mproc__marks_find(&marks, self, NULL);
    }
    if (self == 0 || mark == NULL) {
        return mproc__fail_shortly(MPROC_ESTATE,
                                   "release: the calling thread does not hold the rwlock");
    }
    release_read(mark);
    return MPROC_OK;
}

static uint32_t count_readers(const struct mproc_object *object, uint64_t gate)
{
    uint32_t n_readers = 0;
    const mproc__marks marks = marks_of(object);
    uint64_t n = mproc__marks_tables(&marks);
    for (uint64_t number = 0; number < n; number++) {
        uint32_t count;
        const struct mproc__mark_shm *table = mproc__marks_table(&marks, number, &count);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t reader = mproc__load64(&table[i].thread);
            bool waits = (gate & CLOSED) && mproc__load64(&table[i].awaited) == awaited_at(gate);
            n_readers += reader != 0 && !waits && !mproc__thread_is_dead(reader) ? 1 : 0;
        }
    }
    return n_readers;
}

int mproc_rwlock_get_info(const mproc_rwlock *rwlock, mproc_rwlock_info *ret_info)
{
    if (rwlock == NULL || ret_info == NULL) {
        return no_rwlock("get_info");
    }
    const struct rwlock_shm *shm = shm_of(&rwlock->object);
    uint64_t gate = mproc__load64(&shm->gate);
    uint64_t writer = mproc__load64(&shm->writer);
    *ret_info = (mproc_rwlock_info){
        .n_readers = count_readers(&rwlock->object, gate),
        .is_suspect = (gate & SUSPECT) != 0,
        .deaths = mproc__load64_acquire(&shm->deaths),
        .writer_pid = writer != 0 ? mproc__thread_pid(writer) : 0,
        .dead_pid = (int64_t)mproc__load64_acquire(&shm->dead_pid),
    };
    return MPROC_OK;
}
