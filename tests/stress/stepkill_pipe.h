/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepkill_pipe.h: what test_stepkill_pipe.c and test_stepkill_kernel.c have in common: a pipe whose one end is the
 * survivors', the other one the victim's; and how the latter comes to its end, at home or on its way through
 * another pipe.
 */
#ifndef TESTS_STRESS_STEPKILL_PIPE_H
#define TESTS_STRESS_STEPKILL_PIPE_H

#include "family/block.h"
#include "family/pipe.h"
#include "mproc/mproc.h"
#include "object/connection.h"
#include "stress/survivor.h"
#include "support/testlib.h"

enum { VICTIMS = 7, OTHERS = 8 };

static mproc_connection *here, *there; /* the survivors' end, and the victim's */
static mproc_connection *in, *out;     /* of the pipe that carries the victim's end */

static inline struct mproc__pipe_shm *pipe_of(const mproc_connection *connection)
{
    const struct mproc__pipe_end_shm *end = connection->object.shm;
    return mproc__block_at(end->pipe);
}

/** Whether the victim has sent what it was to send, and if it is done it has. */
static inline bool is_sent(bool is_done)
{
    bool is_there = mproc__load64_acquire(&pipe_of(here)->ring[1].tail) != 0;
    CU_ASSERT(is_there || !is_done);
    return is_there;
}

static inline void close_ends(void)
{
    mproc_connection_close(here);
    mproc_connection_close(there);
    here = there = NULL;
}

/** From here on the victim's end is the victim's alone. */
static inline void leave_it_to_victim(void)
{
    mproc_connection_close(there);
    there = NULL;
}

static inline void victim_closes(uint64_t shared)
{
    (void)shared;
    leave_it_to_victim();
}

/* ---- an end that another pipe carries -------------------------------------------------------- */

/** Behind making the pipe. */
static inline void make_carrier(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&in, &out, NULL), 0);
}

static inline void load_carrier(void)
{
    make_carrier();
    CU_ASSERT_EQUAL(mproc_connection_send(out, MPROC_LIST(there, 1), MPROC_NOWAIT), 0);
    leave_it_to_victim();
}

static inline void victim_sends_its_end(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_connection_send(out, MPROC_LIST(there, 1), MPROC_FOREVER) == 0);
    leave_it_to_victim();
}

static inline void victim_receives_its_end(uint64_t shared)
{
    (void)shared;
    mproc_value value;
    CHILD_CHECK(mproc_connection_recv(in, &value, MPROC_FOREVER) == 0);
    mproc_value_clear(&value);
}

/** Received or not: with the pipe that carries it, it is gone. */
static inline void close_carrier(void)
{
    mproc_connection_close(in);
    mproc_connection_close(out);
}

#endif
