/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_pipe.c: a process killed at every instruction of what it does with a pipe. As
 * test_stepkill_queue.c.
 *
 * However far the victim has come: what was sent is received once, and who waits for an end that nobody
 * has any more is told so.
 */
#include "family/ops.h"
#include "stress/stepkill.h"
#include "stress/stepkill_pipe.h"

#include "base/compiler.h"

#include <string.h>

#define LARGE 40000u /* copied when the others can go on */

enum { FILLER = OTHERS + 1 };

/* What is in the pipe: numbers, as messages of three sorts. */
enum sort { SMALL, PARCEL, OBJECT };

static enum sort sort;
static mproc_lock *lock;
static unsigned char bytes[LARGE];

static int send_number(mproc_connection *connection, int number, mproc_timeout timeout)
{
    if (sort == PARCEL) {
        memset(bytes, number, sizeof(bytes));
        return mproc_connection_send_bytes(connection, bytes, sizeof(bytes), timeout);
    }
    if (sort == SMALL) {
        return mproc_connection_send(connection, MPROC_VALUE(number), timeout);
    }
    return mproc_connection_send(connection, MPROC_LIST(lock, number), timeout);
}

/** The number that was received; below 0: a status. */
static int receive_number(mproc_connection *connection, mproc_timeout timeout)
{
    mproc_value value;
    mproc_lock *same;
    int number = -1;
    int rc = mproc_connection_recv(connection, &value, timeout);
    if (rc < 0) {
        return rc;
    }
    if (value.type == MPROC_BYTES) {
        number = *(const unsigned char *)value.as.bytes.data;
    } else if (value.type == MPROC_INT) {
        number = (int)value.as.integer;
    } else {
        CHILD_CHECK(MPROC_UNPACK_LIST(&value, &same, &number) == 0);
        CHILD_CHECK(mproc_lock_acquire(same, SURVIVOR_LIMIT) >= 0);
        CHILD_CHECK(mproc_lock_release(same) == 0);
    }
    mproc_value_clear(&value);
    return number;
}

static void make_pipe(enum sort of)
{
    const mproc_pipe_options options = {.max_bytes = 1};
    sort = of;
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&here, &there, &options), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), 0);
}

static void close_pipe(void)
{
    close_ends();
    mproc_lock_close(lock);
}

static int receive_one(void)
{
    return receive_number(here, SURVIVOR_LIMIT);
}

static int send_one(void)
{
    return send_number(here, OTHERS, SURVIVOR_LIMIT);
}

/* ---- send ------------------------------------------------------------------------------------ */

static void make_small(void)
{
    make_pipe(SMALL);
}

static void make_parcel(void)
{
    make_pipe(PARCEL);
}

static void make_object(void)
{
    make_pipe(OBJECT);
}

static void wait_for_message(void)
{
    survivor_start(0, receive_one);
    survivor_await_asleep(1);
}

static void victim_sends(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(send_number(there, VICTIMS, MPROC_FOREVER) == 0);
}

static void after_send(bool is_done)
{
    bool was_sent = is_sent(is_done);
    CU_ASSERT(was_sent || send_number(there, OTHERS, MPROC_NOWAIT) == 0);
    CU_ASSERT_EQUAL(survivor_end(0), was_sent ? VICTIMS : OTHERS);
    CU_ASSERT_EQUAL(receive_number(here, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(send_number(there, OTHERS, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(receive_number(here, MPROC_NOWAIT), OTHERS);
}

/* ---- receive --------------------------------------------------------------------------------- */

/** One for the victim, and so many behind it that there is no more room, not even for the smallest. */
static void fill_pipe(enum sort of)
{
    static unsigned char filling[6000];
    make_pipe(of);
    CU_ASSERT_EQUAL(send_number(here, VICTIMS, MPROC_NOWAIT), 0);
    memset(filling, FILLER, sizeof(filling));
    for (size_t size = sizeof(filling); size > 0; size /= 2) {
        while (mproc_connection_send_bytes(here, filling, size, MPROC_NOWAIT) == 0) {
        }
    }
}

static void fill_small(void)
{
    fill_pipe(SMALL);
}

static void fill_parcel(void)
{
    fill_pipe(PARCEL);
}

static void wait_for_room(void)
{
    survivor_start(0, send_one);
    survivor_await_asleep(1);
}

static void victim_receives(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(receive_number(there, MPROC_FOREVER) == VICTIMS);
}

/** The first one behind the filling. */
static int receive_next(void)
{
    int number;
    do {
        number = receive_number(there, SURVIVOR_LIMIT);
    } while (number == FILLER);
    return number;
}

static void after_receive(bool is_done)
{
    int first = receive_number(there, MPROC_FOREVER);
    CU_ASSERT(first == FILLER || (first == VICTIMS && !is_done));
    CU_ASSERT_EQUAL(receive_next(), OTHERS);
    CU_ASSERT_EQUAL(survivor_end(0), 0);
    CU_ASSERT_EQUAL(receive_number(there, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(send_number(here, OTHERS, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(receive_number(there, MPROC_NOWAIT), OTHERS);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void wait_for_end(void)
{
    leave_it_to_victim();
    survivor_start(0, receive_one);
    survivor_start(1, receive_one);
    survivor_await_asleep(2);
}

static void wait_full_for_end(void)
{
    leave_it_to_victim();
    survivor_start(0, send_one);
    survivor_start(1, send_one);
    survivor_await_asleep(2);
}

static void after_end(bool is_done)
{
    (void)is_done; // killed before, its end is gone with it
    CU_ASSERT_EQUAL(survivor_end(0), MPROC_ECLOSED);
    CU_ASSERT_EQUAL(survivor_end(1), MPROC_ECLOSED);
    CU_ASSERT_EQUAL(send_number(here, OTHERS, MPROC_FOREVER), MPROC_EPEER);
}

static void after_full_end(bool is_done)
{
    (void)is_done;
    CU_ASSERT_EQUAL(survivor_end(0), MPROC_EPEER);
    CU_ASSERT_EQUAL(survivor_end(1), MPROC_EPEER);
    CU_ASSERT_EQUAL(receive_number(here, MPROC_FOREVER), MPROC_ECLOSED);
}

static void make_with_carrier(void)
{
    make_small();
    make_carrier();
}

static void make_loaded_carrier(void)
{
    make_small();
    load_carrier();
}

static void wait_for_carried_end(void)
{
    survivor_start(0, receive_one);
    survivor_start(1, receive_one);
    survivor_await_asleep(2);
}

static void after_carried_end(bool is_done)
{
    close_carrier();
    after_end(is_done);
}

/* ---- create ---------------------------------------------------------------------------------- */

static void victim_creates(uint64_t shared)
{
    (void)shared;
    mproc_connection *first;
    mproc_connection *second;
    const mproc_pipe_options options = {.is_one_way = true, .max_bytes = 1};
    CHILD_CHECK(mproc_pipe_create(&first, &second, &options) == 0);
    CHILD_CHECK(mproc_connection_send(second, MPROC_VALUE(1), MPROC_FOREVER) == 0);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"send a message", NULL, victim_sends,
     PART(make_small, wait_for_message, after_send, close_pipe)},
    {"send a parcel", NULL, victim_sends,
     PART(make_parcel, wait_for_message, after_send, close_pipe)},
    {"send an object", NULL, victim_sends,
     PART(make_object, wait_for_message, after_send, close_pipe)},
    {"receive a message", NULL, victim_receives,
     PART(fill_small, wait_for_room, after_receive, close_pipe)},
    {"receive a parcel", NULL, victim_receives,
     PART(fill_parcel, wait_for_room, after_receive, close_pipe)},
    {"close the last end", NULL, victim_closes,
     PART(make_small, wait_for_end, after_end, close_pipe)},
    {"close the last end of a full pipe", NULL, victim_closes,
     PART(fill_small, wait_full_for_end, after_full_end, close_pipe)},
    {"send an end", NULL, victim_sends_its_end,
     PART(make_with_carrier, wait_for_end, after_carried_end, close_pipe)},
    {"receive an end", NULL, victim_receives_its_end,
     PART(make_loaded_carrier, wait_for_carried_end, after_carried_end, close_pipe)},
    {"create a pipe", NULL, victim_creates, NULL},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_pipe", 300);
}
