/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_loan.c: a process killed at every instruction of what it does with loans of a queue. As
 * test_stepkill_queue.c; what a victim has on loan goes with it.
 */
#include "family/ops.h"
#include "stress/stepkill.h"
#include "stress/survivor.h"
#include "support/testlib.h"

#include "base/compiler.h"

#include <string.h>

#define LARGE 40000u

enum { VICTIMS = 7, OTHERS = 8 };

static mproc_queue *queue;

static int put(int number, size_t size, mproc_timeout timeout)
{
    mproc_loan loan;
    CHILD_CHECK(mproc_queue_reserve(queue, size, &loan) == 0);
    memset(loan.data, number, size);
    int rc = mproc_queue_commit(queue, &loan, timeout);
    mproc_loan_release(&loan);
    return rc;
}

static int get(mproc_timeout timeout)
{
    mproc_loan loan;
    int rc = mproc_queue_peek(queue, &loan, timeout);
    if (rc >= 0) {
        rc = *(const unsigned char *)loan.data;
        CHILD_CHECK(((const unsigned char *)loan.data)[loan.size - 1] == rc);
        mproc_loan_release(&loan);
    }
    return rc;
}

static int take_one(void)
{
    return get(SURVIVOR_LIMIT);
}

static int put_other(void)
{
    return put(OTHERS, LARGE, SURVIVOR_LIMIT);
}

static void make(size_t max_items)
{
    const mproc_queue_options options = {.max_items = max_items, .is_joinable = true};
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, &options), 0);
}

static void close_queue(void)
{
    mproc_queue_close(queue);
}

/* ---- put ------------------------------------------------------------------------------------- */

static void make_empty(void)
{
    make(0);
}

static void wait_for_item(void)
{
    survivor_start(0, take_one);
    survivor_await_asleep(1);
}

static void put_loan(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(put(VICTIMS, LARGE, MPROC_FOREVER) == 0);
}

static void after_put(bool is_done)
{
    bool is_due = mproc_queue_join(queue, MPROC_NOWAIT) == MPROC_ETIMEDOUT;
    CU_ASSERT(is_due || !is_done);
    CU_ASSERT(is_due || put(OTHERS, LARGE, MPROC_NOWAIT) == 0);
    CU_ASSERT_EQUAL(survivor_end(0), is_due ? VICTIMS : OTHERS);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), MPROC_ETIMEDOUT);
}

static void give_up(uint64_t shared)
{
    mproc_loan loan;
    (void)shared;
    CHILD_CHECK(mproc_queue_reserve(queue, LARGE, &loan) == 0);
    mproc_loan_release(&loan);
}

/* ---- get ------------------------------------------------------------------------------------- */

static void make_full(void)
{
    make(1);
    CU_ASSERT_EQUAL(put(VICTIMS, LARGE, MPROC_NOWAIT), 0);
}

static void make_full_small(void)
{
    static const unsigned char byte = VICTIMS;
    make(1);
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, &byte, 1, MPROC_NOWAIT), 0);
}

static void wait_for_room(void)
{
    survivor_start(0, put_other);
    survivor_await_asleep(1);
}

static void get_loan(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(get(MPROC_FOREVER) == VICTIMS);
}

/** The first item is the victim's if it has not been taken; then the test takes it. */
static void after_get(bool is_done)
{
    int first = get(SURVIVOR_LIMIT);
    CU_ASSERT(first == OTHERS || (first == VICTIMS && !is_done));
    CU_ASSERT(first == OTHERS || get(SURVIVOR_LIMIT) == OTHERS);
    CU_ASSERT_EQUAL(survivor_end(0), 0);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), MPROC_ETIMEDOUT);
}

/** Take it out, and put it back in. */
static void pass_on(uint64_t shared)
{
    mproc_loan loan;
    (void)shared;
    CHILD_CHECK(mproc_queue_peek(queue, &loan, MPROC_FOREVER) == 0);
    CHILD_CHECK(mproc_queue_commit(queue, &loan, MPROC_FOREVER) == 0);
}

static void after_passing(bool is_done)
{
    int first = get(MPROC_NOWAIT);
    CU_ASSERT(first == VICTIMS || (first == MPROC_ETIMEDOUT && !is_done));
    CU_ASSERT_EQUAL(put(OTHERS, LARGE, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), OTHERS);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"put a loan", NULL, put_loan, PART(make_empty, wait_for_item, after_put, close_queue)},
    {"give a loan up", NULL, give_up, PART(make_empty, NULL, NULL, close_queue)},
    {"peek at a parcel", NULL, get_loan, PART(make_full, wait_for_room, after_get, close_queue)},
    {"peek at an item", NULL, get_loan,
     PART(make_full_small, wait_for_room, after_get, close_queue)},
    {"pass a loan on", NULL, pass_on, PART(make_full, NULL, after_passing, close_queue)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_loan", 4000);
}
