/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_room.c: a process killed at every instruction of what it does with a condition or a
 * barrier. The victim is a copy of the test by fork, and has its handles.
 */
#include "base/atomic.h"
#include "base/compiler.h"
#include "family/ops.h"
#include "family/thread.h"
#include "object/room.h"
#include "stress/stepkill.h"
#include "stress/survivor.h"
#include "support/testlib.h"

#include <sched.h>

#define BRIEF mproc_milliseconds(10)

static mproc_condition *condition;
static mproc_barrier *barrier;

/* ---- the room -------------------------------------------------------------------------------- */

/** A condition's or barrier's; it comes first in its payload. */
static mproc__room room_of(const struct mproc_object *object)
{
    uint32_t first_part = object->kind == MPROC__KIND_CONDITION ? 1 : 0;
    return (mproc__room){object->shm, object->offset, first_part};
}

static uint32_t count_waiting(const mproc__room *room)
{
    return mproc__load32_acquire(&room->shm->line[MPROC__LINE_WAITING].length);
}

/** R1 and R2, when nobody waits: each seat is free, or somebody's who has not come back. */
static void check_empty(const struct mproc_object *object)
{
    const mproc__room room = room_of(object);
    uint32_t n_free = 0;
    uint32_t n_taken = 0;
    CU_ASSERT_EQUAL(mproc__room_lock(&room), MPROC_OK);
    for (int line = 0; line < MPROC__LINES; line++) {
        CU_ASSERT(room.shm->line[line].first == 0 && room.shm->line[line].last == 0);
        CU_ASSERT_EQUAL(room.shm->line[line].length, 0);
    }
    for (uint32_t link = room.shm->free; link != 0 && n_free <= room.shm->n_used; n_free++) {
        const struct mproc__seat_shm *seat = mproc__room_seat(&room, link - 1);
        CU_ASSERT(seat->thread == 0 && seat->state == MPROC__SEAT_FREE);
        link = seat->next;
    }
    for (uint32_t i = 0; i < room.shm->n_used; i++) {
        const struct mproc__seat_shm *seat = mproc__room_seat(&room, i);
        bool is_dead = seat->thread == 0 || mproc__thread_is_dead(seat->thread);
        CU_ASSERT(seat->state > MPROC__SEAT_ASLEEP && (seat->state == MPROC__SEAT_FREE || is_dead));
        n_taken += seat->state != MPROC__SEAT_FREE ? 1 : 0;
    }
    CU_ASSERT_EQUAL(n_free + n_taken, room.shm->n_used);
    mproc__room_unlock(&room);
}

/* ---- conditions ------------------------------------------------------------------------------ */

static void make_condition(void)
{
    mproc_condition_options options = {NULL, NULL};
    CU_ASSERT_EQUAL_FATAL(mproc_rlock_create(&options.rlock, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_condition_create(&condition, &options), 0);
    survivor_locks[0] = options.rlock->object.shm; // the mutex comes first in both
    survivor_locks[1] = condition->object.shm;
    mproc_rlock_close(options.rlock);
}

/** Wait for one notice. */
static int wait_once(void)
{
    if (mproc_condition_acquire(condition, SURVIVOR_LIMIT) < 0) {
        return -1;
    }
    int rc =
        mproc__load32_acquire(&survivor_stop) ? 0 : mproc_condition_wait(condition, SURVIVOR_LIMIT);
    return mproc_condition_release(condition) == 0 ? rc : -1;
}

/** The same, behind the victim in the line. */
static int wait_behind(void)
{
    const mproc__room room = room_of(&condition->object);
    while (count_waiting(&room) == 0 && !mproc__load32_acquire(&survivor_stop)) {
        (void)sched_yield();
    }
    return wait_once();
}

static int notify_as(uint32_t n_waiting, uint32_t n)
{
    const mproc__room room = room_of(&condition->object);
    while (count_waiting(&room) != n_waiting && !mproc__load32_acquire(&survivor_stop)) {
        (void)sched_yield();
    }
    if (mproc__load32_acquire(&survivor_stop)) {
        return 0;
    }
    int rc = mproc_condition_acquire(condition, SURVIVOR_LIMIT);
    if (rc >= 0) {
        (void)mproc_condition_notify(condition, n);
        rc = mproc_condition_release(condition);
    }
    return rc;
}

static int notify_first_of_two(void)
{
    return notify_as(2, 1);
}

static int notify_four(void)
{
    return notify_as(4, UINT32_MAX);
}

static int notify_all(void)
{
    CU_ASSERT(mproc_condition_acquire(condition, SURVIVOR_LIMIT) >= 0);
    int n = mproc_condition_notify_all(condition);
    CU_ASSERT_EQUAL(mproc_condition_release(condition), MPROC_OK);
    return n;
}

/** Whether somebody is due to come back: a survivor, or another one in the place of the dead. */
static bool is_any_due(void)
{
    const mproc__room room = room_of(&condition->object);
    uint32_t n_used = mproc__load32_acquire(&room.shm->n_used);
    bool is_due = false;
    for (uint32_t i = 0; i < n_used; i++) {
        const struct mproc__seat_shm *seat = mproc__room_seat(&room, i);
        uint64_t thread = mproc__load64_acquire(&seat->thread);
        uint32_t state = mproc__load32_acquire(&seat->state);
        is_due = is_due || (state == MPROC__SEAT_CALLED && thread != 0) ||
                 (state == MPROC__SEAT_RELEASED && survivor_is(thread));
    }
    return is_due;
}

/** All who are due come by themselves, and the others when they are notified. */
static void gather(int n_survivors)
{
    int64_t limit = testlib_now() + SURVIVOR_LIMIT;
    while (is_any_due() && testlib_now() < limit) {
        (void)sched_yield();
    }
    CU_ASSERT_FATAL(!is_any_due());
    (void)notify_all();
    for (int i = 0; i < n_survivors; i++) {
        CU_ASSERT(survivor_end(i) >= 0);
    }
}

static void close_condition(void)
{
    CU_ASSERT_EQUAL(notify_all(), 0); // the dead do not count
    survivor_start(0, wait_once);
    survivor_await_asleep(1);
    CU_ASSERT_EQUAL(notify_all(), 1);
    CU_ASSERT_EQUAL(survivor_end(0), MPROC_OK);
    check_empty(&condition->object);
    mproc_condition_close(condition);
}

static void wait_in_vain(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_condition_acquire(condition, SURVIVOR_LIMIT) >= 0);
    CHILD_CHECK(mproc_condition_wait(condition, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_condition_release(condition) == 0);
}

static void wait_for_notice(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_condition_acquire(condition, SURVIVOR_LIMIT) >= 0);
    CHILD_CHECK(mproc_condition_wait(condition, MPROC_FOREVER) >= 0);
    CHILD_CHECK(mproc_condition_release(condition) == 0);
}

static void notify(uint32_t n)
{
    CHILD_CHECK(mproc_condition_acquire(condition, SURVIVOR_LIMIT) >= 0);
    CHILD_CHECK(mproc_condition_notify(condition, n) >= 1);
    CHILD_CHECK(mproc_condition_release(condition) == 0);
}

static void notify_one(uint64_t shared)
{
    (void)shared;
    notify(1);
}

static void notify_three(uint64_t shared)
{
    (void)shared;
    notify(UINT32_MAX);
}

static void start_waiting(int n)
{
    mproc__store32_release(&survivor_stop, 0);
    for (int i = 0; i < n; i++) {
        survivor_start(i, wait_once);
    }
    survivor_await_asleep((uint32_t)n);
}

static void one_waits(void)
{
    start_waiting(1);
}

static void three_wait(void)
{
    start_waiting(3);
}

static void four_wait(void)
{
    start_waiting(4);
}

static void one_will_wait(void)
{
    mproc__store32_release(&survivor_stop, 0);
    survivor_start(0, wait_behind);
    survivor_start(1, notify_first_of_two);
}

static void three_will_wait(void)
{
    mproc__store32_release(&survivor_stop, 0);
    for (int i = 0; i < 3; i++) {
        survivor_start(i, wait_behind);
    }
    survivor_start(3, notify_four);
}

static void after_none(bool is_done)
{
    (void)is_done;
    mproc__store32_release(&survivor_stop, 0);
    CU_ASSERT(mproc_condition_acquire(condition, SURVIVOR_LIMIT) >= 0);
    CU_ASSERT_EQUAL(mproc_condition_wait(condition, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_condition_release(condition), MPROC_OK);
}

static void after_one(bool is_done)
{
    (void)is_done;
    gather(1);
}

static void after_three(bool is_done)
{
    (void)is_done;
    gather(3);
}

/** One more than there are seats to begin with. */
static void after_four(bool is_done)
{
    (void)is_done;
    survivor_start(4, wait_once);
    survivor_await_asleep(5);
    gather(5);
}

static void after_called(bool is_done)
{
    (void)is_done;
    mproc__store32_release(&survivor_stop, 1);
    CU_ASSERT_EQUAL(survivor_end(1), MPROC_OK);
    gather(1);
    mproc__store32_release(&survivor_stop, 0);
}

static void after_released(bool is_done)
{
    (void)is_done;
    mproc__store32_release(&survivor_stop, 1);
    CU_ASSERT_EQUAL(survivor_end(3), MPROC_OK);
    gather(3);
    mproc__store32_release(&survivor_stop, 0);
}

/* ---- barriers -------------------------------------------------------------------------------- */

static int act(void)
{
    return 0;
}

static void make_barrier(uint32_t parties, const mproc_barrier_options *options)
{
    mproc__store32_release(&survivor_stop, 0);
    CU_ASSERT_EQUAL_FATAL(mproc_barrier_create(&barrier, parties, options), 0);
    survivor_locks[0] = NULL;
    survivor_locks[1] = barrier->object.shm;
}

static void for_two(void)
{
    make_barrier(2, NULL);
}

static void for_three(void)
{
    make_barrier(3, NULL);
}

static void for_two_with_action(void)
{
    const mproc_barrier_options options = {.action = act};
    make_barrier(2, &options);
}

static int come(void)
{
    return mproc_barrier_wait(barrier, SURVIVOR_LIMIT);
}

/** When the victim has. */
static int come_then(void)
{
    const mproc__room room = room_of(&barrier->object);
    while (count_waiting(&room) == 0 && !mproc__load32_acquire(&survivor_stop)) {
        (void)sched_yield();
    }
    return come();
}

static void one_comes(void)
{
    survivor_start(0, come);
    survivor_await_asleep(1);
}

static void two_come(void)
{
    survivor_start(0, come);
    survivor_start(1, come);
    survivor_await_asleep(2);
}

static void one_will_come(void)
{
    survivor_start(0, come_then);
}

static void come_briefly(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_barrier_wait(barrier, BRIEF) == MPROC_ETIMEDOUT);
}

static void come_and_pass(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_barrier_wait(barrier, MPROC_FOREVER) >= 0);
}

static void abort_barrier(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_barrier_abort(barrier) == 0);
}

static void reset_barrier(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_barrier_reset(barrier) == 0);
}

static void after_lonely(bool is_done)
{
    int rc = come();
    // One who could have come was killed; or who had come, after both have passed.
    CU_ASSERT(rc == MPROC_EBROKEN || (rc == 1 && !is_done));
}

static void after_broken(bool is_done)
{
    (void)is_done;
    CU_ASSERT_EQUAL(survivor_end(0), MPROC_EBROKEN);
}

static void after_last(bool is_done)
{
    int rc = survivor_end(0);
    CU_ASSERT(rc == 0 || (rc == MPROC_EBROKEN && !is_done));
}

/* Both pass, or neither. */
static void after_last_of_three(bool is_done)
{
    int first = survivor_end(0);
    int second = survivor_end(1);
    bool have_passed = (first == 0 && second == 1) || (first == 1 && second == 0);
    CU_ASSERT(have_passed || (first == MPROC_EBROKEN && second == MPROC_EBROKEN && !is_done));
}

static void after_first(bool is_done)
{
    mproc__store32_release(&survivor_stop, 1);
    int rc = survivor_end(0);
    CU_ASSERT(rc == 1 || (rc == MPROC_EBROKEN && !is_done));
}

static void close_barrier(void)
{
    mproc_barrier_info info = {0};
    CU_ASSERT(mproc_barrier_is_broken(barrier));
    CU_ASSERT_EQUAL(mproc_barrier_get_info(barrier, &info), MPROC_OK);
    const mplat_identity dead = {.pid =
                                     info.dead_pid}; // if it was not the time that was up, or abort
    CU_ASSERT(info.is_broken && (dead.pid == 0 || !mplat_process_alive(&dead)));
    CU_ASSERT_EQUAL(mproc_barrier_reset(barrier), MPROC_OK);
    CU_ASSERT(!mproc_barrier_is_broken(barrier));
    CU_ASSERT_EQUAL(mproc_barrier_n_waiting(barrier), 0);
    check_empty(&barrier->object);
    int parties = (int)mproc_barrier_parties(barrier);
    for (int i = 1; i < parties; i++) {
        survivor_start(i, come);
    }
    int sum = come();
    for (int i = 1; i < parties; i++) {
        sum += survivor_end(i);
    }
    CU_ASSERT_EQUAL(sum, parties * (parties - 1) / 2);
    mproc_barrier_close(barrier);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define CONDITION(...) (&(const ops_part){make_condition, __VA_ARGS__, close_condition})
#define BARRIER(...) (&(const ops_part){__VA_ARGS__, close_barrier})

const ops_op ops_table[] = {
    {"wait for a condition", NULL, wait_in_vain, CONDITION(NULL, after_none)},
    {"be the fifth to wait", NULL, wait_in_vain, CONDITION(four_wait, after_four)},
    {"notify one", NULL, notify_one, CONDITION(one_waits, after_one)},
    {"notify three", NULL, notify_three, CONDITION(three_wait, after_three)},
    {"be notified", NULL, wait_for_notice, CONDITION(one_will_wait, after_called)},
    {"be notified with all", NULL, wait_for_notice, CONDITION(three_will_wait, after_released)},
    {"come first to a barrier", NULL, come_briefly, BARRIER(for_two, NULL, after_lonely)},
    {"come second of three", NULL, come_briefly, BARRIER(for_three, one_comes, after_broken)},
    {"come last", NULL, come_and_pass, BARRIER(for_two, one_comes, after_last)},
    {"come last of three", NULL, come_and_pass, BARRIER(for_three, two_come, after_last_of_three)},
    {"come last, and act", NULL, come_and_pass,
     BARRIER(for_two_with_action, one_comes, after_last)},
    {"come first, and pass", NULL, come_and_pass, BARRIER(for_two, one_will_come, after_first)},
    {"abort a barrier", NULL, abort_barrier, BARRIER(for_two, one_comes, after_broken)},
    {"reset a barrier", NULL, reset_barrier, BARRIER(for_two, one_comes, after_broken)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_room", 9000);
}
