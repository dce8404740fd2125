/* SPDX-License-Identifier: Apache-2.0 */
/*
 * barrier.c: mproc_barrier.
 *
 * How       Who waits has a seat in a room, and sleeps on the common word `phase`. The last one to
 *           come, or whoever breaks the barrier, gives all seats the verdict, PASSED or BROKEN, so that
 *           each finds out what became of its own round, however late it looks.
 * Always    B1  the line is the round that is being filled, or whose action runs
 * Locks     the room's; the action runs without it
 * Commit    the store of `verdict`: from then on the round is over, and who finds the room without its
 *           owner completes it
 * Death     of a party in the line: the others see it. Of one that was yet to come: its process had
 *           the barrier open, and the block's count of losses tells.
 */
#include "mproc/barrier.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/entry.h"
#include "family/family.h"
#include "family/note.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "family/watch.h"
#include "object/room.h"

#include <stddef.h>

#define SLEEPERS 1u
#define ONE_PHASE 2u

enum state { FILLING, ACTING, BROKEN };

/* barrier_shm.verdict */
#define VERDICT(seats, barrier) ((uint32_t)(seats) << 8 | (uint32_t)(barrier))

struct barrier_shm {
    struct mproc__room_shm room;
    uint32_t phase; /**< changes with each verdict; its lowest bit: somebody may sleep on it */
    uint32_t parties;
    uint32_t state;   /**< enum state */
    uint32_t verdict; /**< being given to the line, see VERDICT; 0: none */
    uint32_t is_due;  /**< sleepers of a round that is over are still to be woken, by who unlocks */
    uint64_t losses;  /**< of the block, when the barrier was as good as new */
    uint64_t dead_pid; /**< of a broken one: whose death broke it; 0: nobody's, or not known */
    uint32_t has_action;
    struct mproc__entry action;
};

typedef int (*action_fn)(void);

static struct barrier_shm *shm_of(const mproc_barrier *barrier)
{
    return barrier->object.shm;
}

static int no_barrier(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the barrier is NULL", verb);
}

static int broken(uint64_t dead_pid)
{
    return dead_pid == 0
               ? mproc__fail_shortly(MPROC_EBROKEN, "wait: the barrier is broken")
               : mproc__fail(MPROC_EBROKEN, "wait: the barrier is broken: process %llu has died",
                             (unsigned long long)dead_pid);
}

int mproc_barrier_create(mproc_barrier **ret_barrier, uint32_t parties,
                         const mproc_barrier_options *options)
{
    if (ret_barrier == NULL) {
        return no_barrier("create");
    }
    if (parties == 0 || parties > MPROC_BARRIER_MAX) {
        return mproc__fail(MPROC_EINVAL, "a barrier has 1 to %u parties, not %u", MPROC_BARRIER_MAX,
                           parties);
    }
    bool has_action = options != NULL && options->action != NULL;
    struct mproc__entry entry;
    struct mproc_object *object;
    int rc = has_action ? mproc__entry_of((mproc__function)options->action, &entry) : MPROC_OK;
    if (rc >= 0) {
        rc = mproc__object_create(MPROC__KIND_BARRIER, sizeof(struct barrier_shm),
                                  MPROC__ROOM_SEGMENTS, &object);
    }
    if (rc >= 0) {
        struct barrier_shm *shm = object->shm;
        shm->parties = parties;
        shm->has_action = has_action;
        if (has_action) {
            shm->action = entry;
        }
        *ret_barrier = MPROC__CONTAINER(object, mproc_barrier, object);
    }
    return rc;
}

/* ---- verdicts -------------------------------------------------------------------------------- */

/** Complete a verdict, perhaps one that a dead thread has begun. Locked. */
static void carry_out(struct barrier_shm *shm, const mproc__room *room)
{
    uint32_t verdict = shm->verdict;
    uint64_t dead_pid = (verdict & 0xff) == BROKEN ? shm->dead_pid : 0;
    while (shm->room.line[MPROC__LINE_WAITING].first != 0) {
        uint32_t number = shm->room.line[MPROC__LINE_WAITING].first - 1;
        struct mproc__seat_shm *seat = mproc__room_seat(room, number);
        seat->dead_pid = dead_pid;
        mproc__store32_release(&seat->state, verdict >> 8);
        mproc__room_unlink(room, number);
    }
    MPROC__KILLPOINT("barrier.told");
    mproc__store32_release(&shm->state, verdict & 0xff);
    uint32_t old = mproc__load32_relaxed(&shm->phase);
    while (!mproc__cas32(&shm->phase, &old, (old & ~SLEEPERS) + ONE_PHASE)) {
    }
    if (old & SLEEPERS) {
        mproc__store32_release(&shm->is_due, 1);
    }
    mproc__store32_release(&shm->verdict, 0);
}

static void give_verdict(struct barrier_shm *shm, const mproc__room *room, uint32_t seats,
                         enum state barrier)
{
    mproc__store32_release(&shm->verdict, VERDICT(seats, barrier)); /* COMMIT: the round is over */
    MPROC__KILLPOINT("barrier.verdict");
    carry_out(shm, room);
}

/** `dead_pid`: whose death does it; 0: nobody's, or not known. */
static void break_it(struct barrier_shm *shm, const mproc__room *room, int64_t dead_pid)
{
    if (shm->state != BROKEN) {
        // Only then it has a meaning: killed before the verdict, nothing has happened.
        mproc__store64_release(&shm->dead_pid, (uint64_t)dead_pid);
        give_verdict(shm, room, MPROC__SEAT_BROKEN, BROKEN);
    }
}

static mproc__room enter(const mproc_barrier *barrier)
{
    struct barrier_shm *shm = shm_of(barrier);
    const mproc__room room = {&shm->room, barrier->object.offset, 0};
    if (mproc__room_lock(&room) == MPROC_OWNER_DIED && shm->verdict != 0) {
        carry_out(shm, &room);
    }
    return room;
}

/** Unlock, and only then wake who slept: they come back for the lock. */
static void leave(const mproc_barrier *barrier, const mproc__room *room)
{
    struct barrier_shm *shm = shm_of(barrier);
    bool is_due = shm->is_due != 0;
    if (is_due) {
        mproc__store32_release(&shm->is_due, 0);
    }
    mproc__room_unlock(room);
    if (is_due) {
        MPROC__KILLPOINT("barrier.unlocked"); /* DEATH: the sleepers look again */
        (void)mplat_wake(&shm->phase, INT32_MAX);
    }
}

/** Whether one who had the barrier open was killed since it was as good as new. */
static bool has_lost_one(const mproc_barrier *barrier)
{
    return mproc__block_losses(barrier->object.offset) !=
           mproc__load64_acquire(&shm_of(barrier)->losses);
}

/** Break if one in the line is dead, or one who had the barrier open was killed. Locked. */
static void break_if_lost(const mproc_barrier *barrier, const mproc__room *room)
{
    struct barrier_shm *shm = shm_of(barrier);
    uint32_t link = room->shm->line[MPROC__LINE_WAITING].first;
    while (link != 0) {
        const struct mproc__seat_shm *seat = mproc__room_seat(room, link - 1);
        if (mproc__thread_is_dead(seat->thread)) {
            break_it(shm, room, mproc__thread_pid(seat->thread));
            return;
        }
        link = seat->next;
    }
    if (has_lost_one(barrier)) {
        break_it(shm, room, mproc__block_lost_pid(barrier->object.offset));
    }
}

/** Somebody has died: break if that concerns us. */
static void look_around(const mproc_barrier *barrier)
{
    mproc__member_bury_gone();
    const mproc__room room = enter(barrier);
    break_if_lost(barrier, &room);
    leave(barrier, &room);
}

/* ---- wait ------------------------------------------------------------------------------------ */

/** One sleep of who waits for the phase to change, with a look around when somebody has died. */
static void sleep_once(const mproc_barrier *barrier, uint32_t seen, mproc__deadline deadline,
                       struct mproc__vigil *vigil)
{
    uint32_t *phase = &shm_of(barrier)->phase;
    if ((seen & SLEEPERS) == 0 && !mproc__cas32(phase, &seen, seen | SLEEPERS)) {
        return;
    }
    bool is_alarmed = mproc__sleep_vigilantly(phase, seen | SLEEPERS, deadline, vigil);
    MPROC__KILLPOINT("barrier.woken");
    if (is_alarmed && mproc__load32_acquire(phase) == (seen | SLEEPERS)) {
        look_around(barrier);
    }
}

/** Until the seat has its verdict. */
static int await_verdict(const mproc_barrier *barrier, uint32_t number, uint32_t seen,
                         mproc__deadline deadline, struct mproc__vigil *vigil)
{
    struct barrier_shm *shm = shm_of(barrier);
    const mproc__room view = {&shm->room, barrier->object.offset, 0};
    struct mproc__seat_shm *seat = mproc__room_seat(&view, number);
    if (deadline != 0) {
        (void)mproc__spin(&shm->phase, seen);
    }
    for (;;) {
        seen = mproc__load32_acquire(&shm->phase);
        uint32_t state = mproc__load32_acquire(&seat->state);
        if (state != MPROC__SEAT_WAITING) {
            uint64_t dead_pid = seat->dead_pid;
            mproc__room_slip_away(seat);
            return state == MPROC__SEAT_PASSED ? MPROC_OK : broken(dead_pid);
        }
        if (!mproc__wait_is_over(deadline)) {
            sleep_once(barrier, seen, deadline, vigil);
            continue;
        }
        const mproc__room room = enter(barrier);
        bool is_mine = mproc__load32_acquire(&seat->state) == MPROC__SEAT_WAITING;
        if (is_mine) {
            break_it(shm, &room, 0);
        }
        leave(barrier, &room);
        if (is_mine) {
            mproc__room_slip_away(seat);
            return mproc__fail_shortly(MPROC_ETIMEDOUT,
                                       "wait: timed out, which breaks the barrier");
        }
    }
}

/** The last one has come, and runs the action. Locked before; unlocked after. */
static int act(const mproc_barrier *barrier, mproc__room room, struct mproc__seat_shm *seat)
{
    struct barrier_shm *shm = shm_of(barrier);
    mproc__function function = NULL;
    mproc__store32_release(&shm->state, ACTING);
    leave(barrier, &room);
    int rc = mproc__entry_find(&shm->action, &function);
    if (rc >= 0) {
        rc = ((action_fn)function)();
        rc = rc < 0 ? mproc__fail(MPROC_EBROKEN, "wait: the barrier's action failed with %d", rc)
                    : MPROC_OK;
    }
    room = enter(barrier);
    // It may have been broken or reset meanwhile; then this round is over, and ours no longer.
    if (mproc__load32_acquire(&seat->state) != MPROC__SEAT_WAITING) {
        rc = broken(seat->dead_pid);
    } else if (rc < 0) {
        break_it(shm, &room, 0);
    } else {
        give_verdict(shm, &room, MPROC__SEAT_PASSED, FILLING);
    }
    leave(barrier, &room);
    mproc__room_slip_away(seat);
    return rc;
}

/** Wait while another round's action runs. Locked before and after; 0, or MPROC_ETIMEDOUT. */
static int await_filling(const mproc_barrier *barrier, mproc__room *room, mproc__deadline deadline,
                         struct mproc__vigil *vigil)
{
    const struct barrier_shm *shm = shm_of(barrier);
    while (shm->state == ACTING) {
        uint32_t seen = mproc__load32_acquire(&shm->phase);
        leave(barrier, room);
        bool has_passed = mproc__wait_is_over(deadline);
        if (!has_passed) {
            sleep_once(barrier, seen, deadline, vigil);
        }
        *room = enter(barrier);
        if (has_passed && shm->state == ACTING) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT,
                                       "wait: timed out; the action of the last round runs");
        }
    }
    return MPROC_OK;
}

static int wait_until(const mproc_barrier *barrier, mproc__deadline deadline)
{
    struct barrier_shm *shm = shm_of(barrier);
    struct mproc__vigil vigil = {mproc__watch_alarms(), 0};
    mproc__room room = enter(barrier);
    uint32_t number = 0;
    break_if_lost(barrier, &room);
    mproc__note_begin(barrier->object.offset, deadline);
    int rc = await_filling(barrier, &room, deadline, &vigil);
    mproc__note_end(); // an action is not part of the wait
    if (rc >= 0) {
        rc = shm->state == BROKEN ? broken(shm->dead_pid) : mproc__room_enter(&room, &number);
    }
    if (rc < 0) {
        leave(barrier, &room);
        return rc;
    }
    int place = (int)shm->room.line[MPROC__LINE_WAITING].length - 1;
    uint32_t seen = mproc__load32_acquire(&shm->phase);
    bool is_last = (uint32_t)place + 1 == shm->parties;
    if (is_last && shm->has_action) {
        rc = act(barrier, room, mproc__room_seat(&room, number));
        return rc < 0 ? rc : place;
    }
    if (is_last) {
        give_verdict(shm, &room, MPROC__SEAT_PASSED, FILLING);
        mproc__room_leave(&room, number);
    }
    leave(barrier, &room);
    if (!is_last) {
        mproc__note_begin(barrier->object.offset, deadline);
        rc = await_verdict(barrier, number, seen, deadline, &vigil);
        mproc__note_end();
    }
    return rc < 0 ? rc : place;
}

int mproc_barrier_wait(mproc_barrier *barrier, mproc_timeout timeout)
{
    int rc = barrier != NULL ? mproc__family_enter() : no_barrier("wait");
    return rc < 0 ? rc : wait_until(barrier, mproc__deadline_in(timeout));
}

/* ---- the rest -------------------------------------------------------------------------------- */

int mproc_barrier_reset(mproc_barrier *barrier)
{
    int rc = barrier != NULL ? mproc__family_enter() : no_barrier("reset");
    if (rc < 0) {
        return rc;
    }
    mproc__member_bury_gone(); // whom it has lost by now counts no more
    const mproc__room room = enter(barrier);
    uint64_t losses = mproc__block_losses(barrier->object.offset);
    give_verdict(shm_of(barrier), &room, MPROC__SEAT_BROKEN, FILLING);
    // Last: whoever is killed before leaves a barrier that has still to be reset.
    mproc__store64_release(&shm_of(barrier)->losses, losses);
    leave(barrier, &room);
    return MPROC_OK;
}

int mproc_barrier_abort(mproc_barrier *barrier)
{
    int rc = barrier != NULL ? mproc__family_enter() : no_barrier("abort");
    if (rc < 0) {
        return rc;
    }
    const mproc__room room = enter(barrier);
    break_it(shm_of(barrier), &room, 0);
    leave(barrier, &room);
    return MPROC_OK;
}

uint32_t mproc_barrier_parties(const mproc_barrier *barrier)
{
    return barrier != NULL ? shm_of(barrier)->parties : 0;
}

uint32_t mproc_barrier_n_waiting(const mproc_barrier *barrier)
{
    if (barrier == NULL || mproc__load32_acquire(&shm_of(barrier)->state) != FILLING) {
        return 0;
    }
    return mproc__load32_acquire(&shm_of(barrier)->room.line[MPROC__LINE_WAITING].length);
}

bool mproc_barrier_is_broken(const mproc_barrier *barrier)
{
    return barrier != NULL &&
           (mproc__load32_acquire(&shm_of(barrier)->state) == BROKEN || has_lost_one(barrier));
}

/** Whose death it is that has broken the barrier; 0: nobody's, or not known. */
static int64_t find_dead(const mproc_barrier *barrier)
{
    const struct barrier_shm *shm = shm_of(barrier);
    const mproc__room room = enter(barrier);
    int64_t pid = shm->state == BROKEN    ? (int64_t)shm->dead_pid
                  : has_lost_one(barrier) ? mproc__block_lost_pid(barrier->object.offset)
                                          : 0;
    leave(barrier, &room);
    return pid;
}

int mproc_barrier_get_info(const mproc_barrier *barrier, mproc_barrier_info *ret_info)
{
    if (barrier == NULL || ret_info == NULL) {
        return no_barrier("get_info");
    }
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    bool is_broken = mproc_barrier_is_broken(barrier);
    *ret_info = (mproc_barrier_info){
        .parties = mproc_barrier_parties(barrier),
        .n_waiting = mproc_barrier_n_waiting(barrier),
        .is_broken = is_broken,
        .dead_pid = is_broken ? find_dead(barrier) : 0,
    };
    return MPROC_OK;
}
