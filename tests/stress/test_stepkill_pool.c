/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_pool.c: a process killed at every instruction of what it does with the tasks of a pool, as a
 * worker and as one who gives them. As test_stepkill_sync.c.
 *
 * There is no supervisor, and there are no workers: the test does what they do. Of three tasks each ends exactly
 * once, with its result or with its worker's death, and only the victim's own may; what the victim gave is
 * withdrawn; and in the end every slot is free.
 */
#include "family/ops.h"
#include "service/payload.h"
#include "service/submit.h"
#include "stress/stepkill.h"
#include "stress/stepkill_pool.h"
#include "stress/survivor.h"

#include <string.h>

enum { TASKS = 3, LARGE = 1000 };

static uint32_t indices[TASKS];
static unsigned char bytes[LARGE];

static struct mproc__slot_shm *slot_of(int i)
{
    return mproc__slot_at(&tasks, indices[i]);
}

/* ---- the pool -------------------------------------------------------------------------------- */

static void give(int i, uint32_t state)
{
    CU_ASSERT_EQUAL_FATAL(mproc__slots_take(&tasks, port, &indices[i], 1), 1);
    struct mproc__slot_shm *slot = slot_of(i);
    slot->function = MPROC__NO_FUNCTION;
    slot->kind = MPROC__TASK_CALL;
    slot->lane = MPROC__LANE_NORMAL;
    slot->flags = 0;
    CU_ASSERT_EQUAL_FATAL(mproc__task_set_args(&tasks, indices[i], MPROC_ARGS(i)), 0);
    if (i == 0) {
        struct mproc__cold_shm *cold = mproc__cold_at(&tasks, indices[i], true);
        CU_ASSERT_PTR_NOT_NULL_FATAL(cold);
        *cold = (struct mproc__cold_shm){.retries = 1};
    }
    post(indices[i], state);
}

static void make_tasks_of(uint32_t state)
{
    make_pool();
    for (int i = 0; i < TASKS; i++) {
        give(i, state);
    }
}

static void make_tasks(void)
{
    make_tasks_of(0);
}

static void make_noted(void)
{
    make_tasks_of(MPROC__TASK_NOTED);
}

static void make_abandoned(void)
{
    make_tasks_of(MPROC__TASK_ABANDONED);
}

static void make_retried(void)
{
    make_pool();
    for (int i = 0; i < TASKS; i++) {
        give(i, 0);
        slot_of(i)->flags = i == 0 ? MPROC__TASK_HAS_RETRIES | MPROC__TASK_RETRY_ERRORS : 0;
    }
}

/* ---- what workers do ------------------------------------------------------------------------- */

static int64_t arg_of(uint32_t index)
{
    mproc__payload args = mproc__task_args(&tasks, index);
    mproc_value items[MPROC__PAYLOAD_SCALARS];
    return mproc__payload_scalars(&args, items) == 1 ? items[0].as.integer : -1;
}

/* Run the next task to its end; false: there is none. */
static bool work(uint32_t w, int status, bool is_large)
{
    uint32_t index;
    if (mproc__task_next(&tasks, w, &index) == 0) {
        return false;
    }
    CHILD_CHECK(mproc__task_start(&tasks, w, index));
    int64_t number = arg_of(index) + PLUS;
    mproc_value value =
        is_large ? MPROC_VALUE(mproc_bytes_of(bytes, sizeof(bytes))) : MPROC_VALUE(number);
    CHILD_CHECK(status < 0 || mproc__task_set_value(&tasks, index, &value) == 0);
    CHILD_CHECK(mproc__task_finish(&tasks, w, index, status));
    return true;
}

static void run_small(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(work(VICTIM, MPROC_OK, false));
}

static void run_large(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(work(VICTIM, MPROC_OK, true));
}

static void run_failing(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(work(VICTIM, MPROC_EINVAL, false));
}

static void run_two(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(work(VICTIM, MPROC_OK, false));
    CHILD_CHECK(work(VICTIM, MPROC_OK, false));
}

/* Look for something, with nothing there. */
static void run_looking(uint64_t shared)
{
    (void)shared;
    uint32_t index;
    uint32_t seen = mproc__lanes_seen(&tasks);
    CHILD_CHECK(mproc__task_next(&tasks, VICTIM, &index) == 0);
    mproc__lanes_await(&tasks, VICTIM, seen + 1, true, MPROC__NEVER);
}

/* Have no more short tasks, and sleep for a moment. */
static void run_standing_by(uint64_t shared)
{
    (void)shared;
    mproc__lanes_await(&tasks, VICTIM, mproc__lanes_seen(&tasks), true, MPROC__NEVER);
}

/* ---- afterwards ------------------------------------------------------------------------------ */

/* What the supervisor does, and then the other worker. */
static void settle(void)
{
    bury_victim();
    while (work(SURVIVOR, MPROC_OK, false)) {
    }
    CU_ASSERT(mproc__tasks_are_done(&tasks));
}

static bool is_result(int i)
{
    mproc__payload result = mproc__task_result(&tasks, indices[i]);
    mproc_value value;
    if (mproc__payload_open(&result, false, &value) < 0) {
        return false;
    }
    bool is_right = value.type == MPROC_BYTES ? value.as.bytes.size == LARGE &&
                                                    memcmp(value.as.bytes.data, bytes, LARGE) == 0
                                              : value.as.integer == i + PLUS;
    mproc_value_clear(&value);
    return is_right;
}

/* Each task has ended once; how many of them by a death. */
static int count_dead(void)
{
    int n_dead = 0;
    for (int i = 0; i < TASKS; i++) {
        const struct mproc__slot_shm *slot = slot_of(i);
        CU_ASSERT_EQUAL(mproc__task_state(slot->state), MPROC__TASK_DONE);
        CU_ASSERT_EQUAL(mproc__port_at(&tasks, port)->member, mproc__self_id());
        if (slot->status == MPROC_EWORKERDIED) {
            n_dead++;
            CU_ASSERT_EQUAL(slot->result & MPROC__FORM_MASK, MPROC__FORM_DEATH);
        } else {
            CU_ASSERT_EQUAL(slot->status, MPROC_OK);
            CU_ASSERT(is_result(i));
        }
    }
    return n_dead;
}

static void free_tasks(void)
{
    for (int i = 0; i < TASKS; i++) {
        mproc__slot_drop_parcels(&tasks, indices[i]);
    }
    mproc__slots_give(&tasks, indices, TASKS);
    close_pool();
}

static void after_one(void)
{
    settle();
    int n_dead = count_dead();
    CU_ASSERT(n_dead == 0 || (n_dead == 1 && !is_done));
    free_tasks();
}

static void after_retry(void)
{
    settle();
    CU_ASSERT_EQUAL(count_dead(), 0);
    free_tasks();
}

/* Those that were pushed are all, but for one at most, which is known to have been left. */
static void after_noted(void)
{
    settle();
    int n_left = TASKS;
    for (uint32_t link = mproc__port_pop(&tasks, port); link != 0; n_left--) {
        link = mproc__load32_relaxed(&mproc__slot_at(&tasks, link - 1)->next);
    }
    CU_ASSERT(n_left == 0 || (n_left == 1 && !is_done && mproc__task_was_left(&tasks, indices[0])));
    CU_ASSERT(count_dead() <= 1);
    free_tasks();
}

static void after_abandoned(void)
{
    settle();
    close_pool();
}

/* ---- who gives tasks ------------------------------------------------------------------------- */

static int never_called(const mproc_args *args, mproc_value *result)
{
    (void)args;
    (void)result;
    return MPROC_OK;
}

static mproc_future *give_one(const mproc_args *args, const mproc_task_options *options)
{
    mproc_future *future;
    CHILD_CHECK(mproc_pool_apply_async(pool_itself(), never_called, args, options, &future) == 0);
    return future;
}

static void give_small(uint64_t shared)
{
    (void)shared;
    (void)give_one(MPROC_ARGS(7), NULL);
}

static void give_large(uint64_t shared)
{
    (void)shared;
    (void)give_one(MPROC_ARGS(mproc_bytes_of(bytes, sizeof(bytes))), NULL);
}

static void give_urgent(uint64_t shared)
{
    const mproc_task_options options = {.name = "urgent", .priority = 2, .retries = 1};
    (void)shared;
    (void)give_one(MPROC_ARGS(7), &options);
}

static void give_and_cancel(uint64_t shared)
{
    (void)shared;
    mproc_future *future = give_one(MPROC_ARGS(7), NULL);
    CHILD_CHECK(mproc_future_cancel(future, false) == 0);
    mproc_future_close(future);
}

static void give_and_forget(uint64_t shared)
{
    (void)shared;
    mproc_future_close(give_one(MPROC_ARGS(7), NULL));
}

/* Who has given one before has a port, and slots. */
static void prepare_to_give(uint64_t shared)
{
    give_and_cancel(shared);
}

/* ---- the free list --------------------------------------------------------------------------- */

static uint32_t victims_port;

static void prepare_port(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc__port_claim(&tasks, &victims_port) == 0);
}

static void take_slots(uint64_t shared)
{
    uint32_t slots[3];
    (void)shared;
    CHILD_CHECK(mproc__slots_take(&tasks, victims_port, slots, 3) == 3);
    mproc__slots_give(&tasks, slots, 2);
}

/* The pool's mutex was a dead thread's, who was about to take slots. */
static int die_taking(void)
{
    uint32_t slots[2];
    CHILD_CHECK(mproc__family_enter() == 0);
    CHILD_CHECK(mproc__slots_take(&tasks, port, slots, 2) == 2);
    mproc__slots_give(&tasks, slots, 2);
    mproc__tasks_lock(&tasks);
    tasks.shm->free = 0;
    return 0;
}

/* When the victim is prepared, which takes the mutex, too. */
static void let_one_die(void)
{
    survivor_die(die_taking);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"run a task", NULL, run_small, PART(make_tasks, NULL, note_done, after_one)},
    {"run a task with a large result", NULL, run_large,
     PART(make_tasks, NULL, note_done, after_one)},
    {"run two tasks", NULL, run_two, PART(make_tasks, NULL, note_done, after_one)},
    {"run a noted task", NULL, run_small, PART(make_noted, NULL, note_done, after_noted)},
    {"run an abandoned task", NULL, run_small,
     PART(make_abandoned, NULL, note_done, after_abandoned)},
    {"run a task that fails and is run again", NULL, run_failing,
     PART(make_retried, NULL, note_done, after_retry)},
    {"look for a task", NULL, run_looking, PART(make_pool, NULL, note_done, after_abandoned)},
    {"stand by", NULL, run_standing_by, PART(make_pool, NULL, note_done, after_abandoned)},
    {"give the first task", NULL, give_small, PART(make_tasks, NULL, note_done, after_retry)},
    {"give a large task", prepare_to_give, give_large,
     PART(make_tasks, NULL, note_done, after_retry)},
    {"give an urgent task", prepare_to_give, give_urgent,
     PART(make_tasks, NULL, note_done, after_retry)},
    {"give a task and cancel it", prepare_to_give, give_and_cancel,
     PART(make_tasks, NULL, note_done, after_retry)},
    {"give a task and forget it", prepare_to_give, give_and_forget,
     PART(make_tasks, NULL, note_done, after_retry)},
    {"take slots", prepare_port, take_slots, PART(make_tasks, NULL, note_done, after_retry)},
    {"take slots after a dead one", prepare_port, take_slots,
     PART(make_tasks, let_one_die, note_done, after_retry)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    memset(bytes, 7, sizeof(bytes));
    return stepkill_main(argc, argv, "stress.stepkill_pool", 1000);
}
