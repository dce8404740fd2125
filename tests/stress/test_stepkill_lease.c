/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_lease.c: a process killed at every instruction of what it does with an item on lease, or
 * with one that has come back. As test_stepkill_queue.c; an item that was taken on lease and has not been
 * acknowledged is there again.
 */
#include "family/ops.h"
#include "stress/stepkill.h"
#include "stress/survivor.h"
#include "support/testlib.h"

#include "base/compiler.h"
#include "family/guard.h"
#include "family/member.h"

#include <sched.h>
#include <string.h>

#define LARGE 40000u

enum { VICTIMS = 7, OTHERS = 8 };

static mproc_queue *queue;
static mproc_process *dead; /* one who has died with a lease */

static int number_of(mproc_value *item)
{
    int number =
        item->type == MPROC_BYTES ? *(const char *)item->as.bytes.data : (int)item->as.integer;
    mproc_value_clear(item);
    return number;
}

/** The number of the item that was taken; below 0: a status. */
static int get(mproc_timeout timeout)
{
    mproc_value item;
    int rc = mproc_queue_get(queue, &item, timeout);
    return rc < 0 ? rc : number_of(&item);
}

static int lease(mproc_lease *ret_lease)
{
    mproc_value item;
    int rc = mproc_queue_get_leased(queue, &item, ret_lease, MPROC_FOREVER);
    return rc < 0 ? rc : number_of(&item);
}

static void make(bool is_large)
{
    static char bytes[LARGE];
    const mproc_queue_options options = {.is_joinable = true};
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, &options), 0);
    memset(bytes, VICTIMS, sizeof(bytes));
    CU_ASSERT_EQUAL(is_large ? mproc_queue_put_bytes(queue, bytes, LARGE, MPROC_NOWAIT)
                             : mproc_queue_put(queue, MPROC_VALUE(VICTIMS), MPROC_NOWAIT),
                    0);
}

static void make_small(void)
{
    make(false);
}

static void make_large(void)
{
    make(true);
}

static void close_queue(void)
{
    mproc_queue_close(queue);
}

/** The item has come back. */
static void make_returned(void)
{
    mproc_lease a;
    make(false);
    CU_ASSERT_EQUAL(lease(&a), VICTIMS);
    CU_ASSERT_EQUAL(mproc_lease_return(&a), 0);
}

static int join_queue(void)
{
    return mproc_queue_join(queue, SURVIVOR_LIMIT);
}

static void wait_for_rest(void)
{
    survivor_start(0, join_queue);
    survivor_await_asleep(1);
}

/** The victim's item can be got, or it has been dealt with: never both, never neither. */
static void after_lease(bool is_done)
{
    mproc__family_settle();
    if (mproc_queue_join(queue, MPROC_NOWAIT) != 0) {
        CU_ASSERT_FALSE(is_done);
        CU_ASSERT_EQUAL(get(SURVIVOR_LIMIT), VICTIMS);
        CU_ASSERT_EQUAL(mproc_queue_task_done(queue), 0);
    }
    CU_ASSERT_EQUAL(survivor_end(0), 0);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_queue_task_done(queue), MPROC_ESTATE);
}

static void do_leased(uint64_t shared)
{
    mproc_lease a;
    (void)shared;
    CHILD_CHECK(lease(&a) == VICTIMS);
    CHILD_CHECK(mproc_lease_acknowledge(&a) == 0);
}

static void give_back(uint64_t shared)
{
    mproc_lease a;
    (void)shared;
    CHILD_CHECK(lease(&a) == VICTIMS);
    CHILD_CHECK(mproc_lease_return(&a) == 0);
}

static void after_return(bool is_done)
{
    (void)is_done;
    CU_ASSERT_EQUAL(get(SURVIVOR_LIMIT), VICTIMS);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), MPROC_ETIMEDOUT);
}

static void get_plainly(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(get(MPROC_FOREVER) == VICTIMS);
}

static void get_in_place(uint64_t shared)
{
    mproc_loan loan;
    (void)shared;
    CHILD_CHECK(mproc_queue_peek(queue, &loan, MPROC_FOREVER) == 0);
    mproc_loan_release(&loan);
}

static void make_large_returned(void)
{
    mproc_lease a;
    make(true);
    CU_ASSERT_EQUAL(lease(&a), VICTIMS);
    CU_ASSERT_EQUAL(mproc_lease_return(&a), 0);
}

static void after_get(bool is_done)
{
    int first = get(MPROC_NOWAIT);
    CU_ASSERT(first == MPROC_ETIMEDOUT || (first == VICTIMS && !is_done));
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(OTHERS), MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), OTHERS);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 0);
}

/* ---- burying --------------------------------------------------------------------------------- */

static int keep_one(const mproc_args *args)
{
    mproc_event *event;
    mproc_lease a;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &event) == 0);
    CHILD_CHECK(lease(&a) == VICTIMS && mproc_event_set(event) == 0);
    return mproc_queue_join(queue, MPROC_FOREVER);
}

/** Somebody has died with a lease, and nobody has buried him. */
static void make_dead(void)
{
    mproc_event *event = NULL;
    const mproc_process_options options = {.context = mproc_get_context("fork")};
    make(false);
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_process_start(&dead, keep_one, MPROC_ARGS(queue, event), &options),
                          0);
    CU_ASSERT_EQUAL(mproc_event_wait(event, SURVIVOR_LIMIT), 0);
    mproc_event_close(event);
    const mplat_identity who = {.pid = mproc_process_pid(dead)};
    CU_ASSERT_EQUAL(mproc_process_kill(dead), 0);
    while (mplat_process_alive(&who)) {
        (void)sched_yield();
    }
}

static void end_dead(void)
{
    CU_ASSERT(mproc_process_join(dead, SURVIVOR_LIMIT) >= 0);
    mproc_process_close(dead);
    close_queue();
}

static void bury(uint64_t shared)
{
    (void)shared;
    mproc__member_bury_gone();
}

/* ---- the table ------------------------------------------------------------------------------- */

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"deal with an item", NULL, do_leased,
     PART(make_small, wait_for_rest, after_lease, close_queue)},
    {"deal with a parcel", NULL, do_leased,
     PART(make_large, wait_for_rest, after_lease, close_queue)},
    {"deal with what came back", NULL, do_leased,
     PART(make_returned, wait_for_rest, after_lease, close_queue)},
    {"return an item", NULL, give_back, PART(make_small, NULL, after_return, close_queue)},
    {"return it once more", NULL, give_back, PART(make_returned, NULL, after_return, close_queue)},
    {"get what came back", NULL, get_plainly, PART(make_returned, NULL, after_get, close_queue)},
    {"get a parcel that came back", NULL, get_plainly,
     PART(make_large_returned, NULL, after_get, close_queue)},
    {"peek at what came back", NULL, get_in_place,
     PART(make_large_returned, NULL, after_get, close_queue)},
    {"bury a leaseholder", NULL, bury, PART(make_dead, NULL, after_return, end_dead)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_lease", 1500);
}
