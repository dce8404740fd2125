/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_kernel.c: a process killed at every instruction of what it does with a pipe that the system can
 * wait for. As test_stepkill_pipe.c; the survivors wait in the system's call.
 *
 * However far the victim has come: while a message is there, or nobody has the other end any more, the end is
 * readable, and who has then looked in vain leaves it unreadable.
 */
#include "family/layout.h"
#include "family/ops.h"
#include "object/doorbell.h"
#include "object/native.h"
#include "stress/stepkill.h"
#include "stress/stepkill_pipe.h"

#include "base/compiler.h"

#include <errno.h>

#define LARGE 9000u

static size_t message_size;
static unsigned char bytes[LARGE];

static int send_number(mproc_connection *connection, int number)
{
    unsigned char message[LARGE];
    memset(message, number, message_size);
    return mproc_connection_send_bytes(connection, message, message_size, MPROC_NOWAIT);
}

/** The number that was received; below 0: a status. */
static int receive_number(mproc_connection *connection)
{
    size_t size;
    int rc = mproc_connection_recv_bytes_into(connection, bytes, LARGE, &size, MPROC_NOWAIT);
    CHILD_CHECK(rc < 0 || (size == message_size && bytes[0] == bytes[size - 1]));
    return rc < 0 ? rc : bytes[0];
}

static bool poll_end(const mproc_connection *connection, int milliseconds)
{
    mproc_os_handle handle = -1;
    CHILD_CHECK(mproc_connection_handle(connection, &handle) == 0);
    return native_poll(handle, milliseconds);
}

/** The end has been looked at in vain, and tells when that changes. */
static void check_end(mproc_connection *from, mproc_connection *to)
{
    CU_ASSERT_EQUAL(receive_number(to), MPROC_ETIMEDOUT);
    CU_ASSERT(!poll_end(to, 0));
    CU_ASSERT_EQUAL(send_number(from, OTHERS), 0);
    CU_ASSERT(poll_end(to, 0));
    CU_ASSERT_EQUAL(receive_number(to), OTHERS);
    CU_ASSERT(!poll_end(to, 0));
}

static void make_pipe(void)
{
    const mproc_pipe_options options = {.kernel = true};
    message_size = 1;
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&here, &there, &options), 0);
}

static void make_pipe_for_parcels(void)
{
    make_pipe();
    message_size = LARGE;
}

/** Besides, nothing is left in the bag. */
static void close_pipe(void)
{
    char byte;
    close_ends();
    ssize_t n = recv((int)mproc__arena.bag.out.os, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    CU_ASSERT(n < 0 && errno == EAGAIN);
}

/* ---- send ------------------------------------------------------------------------------------ */

/** Receive, waiting in the system's call; below 0: a status. */
static int receive_polling(void)
{
    int rc = MPROC_ETIMEDOUT;
    while (rc == MPROC_ETIMEDOUT && poll_end(here, 10000)) {
        rc = receive_number(here);
    }
    return rc;
}

static void start_receiver(void)
{
    survivor_start(0, receive_polling);
}

static void victim_sends(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(send_number(there, VICTIMS) == 0);
}

static void after_send(bool is_done)
{
    bool was_sent = is_sent(is_done);
    CU_ASSERT(was_sent || send_number(there, OTHERS) == 0);
    CU_ASSERT_EQUAL(survivor_end(0), was_sent ? VICTIMS : OTHERS);
    check_end(there, here);
}

/* ---- receive --------------------------------------------------------------------------------- */

static void make_with_message(void)
{
    make_pipe();
    CU_ASSERT_EQUAL(send_number(here, VICTIMS), 0);
}

static void make_with_two(void)
{
    make_with_message();
    CU_ASSERT_EQUAL(send_number(here, OTHERS), 0);
}

static void victim_receives(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(receive_number(there) == VICTIMS);
}

static void after_receive_of_two(bool is_done)
{
    CU_ASSERT(poll_end(there, 0));
    int number = receive_number(there);
    if (number == VICTIMS) {
        CU_ASSERT(!is_done && poll_end(there, 0));
        number = receive_number(there);
    }
    CU_ASSERT_EQUAL(number, OTHERS);
    check_end(here, there);
}

/** The next one is sent before anybody has looked, who could mend what the victim has left. */
static void after_receive(bool is_done)
{
    CU_ASSERT_EQUAL(send_number(here, OTHERS), 0);
    after_receive_of_two(is_done);
}

/** As one who was killed between the ring and the commit. */
static void make_rung(void)
{
    make_pipe();
    CU_ASSERT_EQUAL(mplat_doorbell_ring(mproc__doorbell_of(&here->object)->end), 0);
    pipe_of(here)->is_rung[0] = 1;
}

static void victim_looks_in_vain(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(receive_number(there) == MPROC_ETIMEDOUT);
}

static void after_look(bool is_done)
{
    CU_ASSERT(!is_done || !poll_end(there, 0));
    after_receive(true);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void wait_for_end(void)
{
    leave_it_to_victim();
    survivor_start(0, receive_polling);
    survivor_start(1, receive_polling);
}

static void after_end(bool is_done)
{
    (void)is_done; // killed before, its end is gone with it
    CU_ASSERT_EQUAL(survivor_end(0), MPROC_ECLOSED);
    CU_ASSERT_EQUAL(survivor_end(1), MPROC_ECLOSED);
    CU_ASSERT(poll_end(here, 0));
    CU_ASSERT_EQUAL(send_number(here, OTHERS), MPROC_EPEER);
}

static void make_with_carrier(void)
{
    make_pipe();
    make_carrier();
}

static void make_loaded_carrier(void)
{
    make_pipe();
    load_carrier();
}

/** The family must notice that nobody will receive the end, for which one of it has to wait. */
static int receive_sleeping(void)
{
    mproc_value value;
    return mproc_connection_recv(here, &value, SURVIVOR_LIMIT);
}

static void wait_for_carried_end(void)
{
    if (there != NULL) {
        leave_it_to_victim();
    }
    survivor_start(0, receive_sleeping);
    survivor_start(1, receive_polling);
    survivor_await_asleep(1);
}

static void after_carried_end(bool is_done)
{
    close_carrier();
    after_end(is_done);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"send a message", NULL, victim_sends, PART(make_pipe, start_receiver, after_send, close_pipe)},
    {"send a parcel", NULL, victim_sends,
     PART(make_pipe_for_parcels, start_receiver, after_send, close_pipe)},
    {"receive the last message", NULL, victim_receives,
     PART(make_with_message, NULL, after_receive, close_pipe)},
    {"receive one of two", NULL, victim_receives,
     PART(make_with_two, NULL, after_receive_of_two, close_pipe)},
    {"look in vain", NULL, victim_looks_in_vain, PART(make_rung, NULL, after_look, close_pipe)},
    {"close the last end", NULL, victim_closes,
     PART(make_pipe, wait_for_end, after_end, close_pipe)},
    {"send an end", NULL, victim_sends_its_end,
     PART(make_with_carrier, wait_for_carried_end, after_carried_end, close_pipe)},
    {"receive an end", NULL, victim_receives_its_end,
     PART(make_loaded_carrier, wait_for_carried_end, after_carried_end, close_pipe)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_kernel", 300);
}
