/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepkill_pool.h: what test_stepkill_pool.c and test_stepkill_map.c have in common: a pool without a supervisor and
 * without workers, for the test and its victims do what they do.
 */
#ifndef TESTS_STRESS_STEPKILL_POOL_H
#define TESTS_STRESS_STEPKILL_POOL_H

#include "family/block.h"
#include "family/family.h"
#include "family/object.h"
#include "mproc/mproc.h"
#include "service/tasks.h"
#include "support/testlib.h"

/* Workers; and what is added to a number to make a task's result. */
enum { VICTIM = 0, SURVIVOR = 1, PLUS = 100 };

static struct mproc_object *object;
static mproc__tasks tasks;
static uint32_t port;
static bool is_done; /* the victim had come to the end */

static inline mproc_pool *pool_itself(void)
{
    return MPROC__CONTAINER(object, mproc_pool, object);
}

static inline void make_pool(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc__object_create(MPROC__KIND_POOL, sizeof(struct mproc__pool_shm),
                                               MPROC__POOL_WORDS, &object),
                          0);
    CU_ASSERT_EQUAL_FATAL(mproc__tasks_create(object->offset, 2), 0);
    mproc__tasks_open(&tasks, object->offset);
    CU_ASSERT_EQUAL_FATAL(mproc__port_claim(&tasks, &port), 0);
}

/** Have a slot of the port's, which has been filled in, wait for a worker. */
static inline void post(uint32_t index, uint32_t state)
{
    struct mproc__slot_shm *slot = mproc__slot_at(&tasks, index);
    uint64_t word = (slot->state & MPROC__TASK_GENERATION) + ((uint64_t)1 << 32);
    word |= (uint64_t)MPROC__TASK_PENDING | state;
    mproc__store64_release(&slot->state, word);
    uint64_t record = mproc__record_of(word, index);
    CU_ASSERT_EQUAL_FATAL(mproc__lane_post(&tasks, slot->lane, &record, 1), 0);
}

static inline void note_done(bool was_done)
{
    is_done = was_done;
}

/** All of the victim is gone: what the supervisor does. */
static inline void bury_victim(void)
{
    const mproc__death death = {.how = {.exit_code = -9}};
    mproc__recovered recovered;
    mproc__tasks_bury_worker(&tasks, VICTIM, &death, &recovered);
    mproc__tasks_bury_ports(&tasks);
    CU_ASSERT_EQUAL(tasks.shm->lookout, 0);
    CU_ASSERT_EQUAL(tasks.shm->standby, 0);
}

/** Every slot is free. */
static inline void close_pool(void)
{
    uint32_t n_free = 0;
    for (uint32_t i = 0; i < tasks.shm->n_slots; i++) {
        CU_ASSERT_EQUAL(mproc__task_state(mproc__slot_at(&tasks, i)->state), MPROC__TASK_FREE);
    }
    for (uint32_t at = tasks.shm->free; at != 0 && n_free <= tasks.shm->n_slots; n_free++) {
        at = mproc__slot_at(&tasks, at - 1)->next;
    }
    CU_ASSERT_EQUAL(n_free, tasks.shm->n_slots);
    mproc__object_close(object);
}

#endif
