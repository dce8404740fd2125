/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c: the life of a worker: it takes a task, runs it, tells of it.
 *
 * Threads  The worker's line in the table of workers is written by one thread only, the one that is here.
 * Time     is looked at when there is nothing to do.
 */
#include "service/worker.h"

#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/sleep.h"
#include "mproc/future.h"
#include "mproc/process.h"
#include "service/payload.h"
#include "service/submit.h"
#include "service/tracing.h"

#include <string.h>

/* To wake another worker costs as much. */
#define SHORT_TASK_NS 2000

/* So many of them, one after the other, and it expects more. */
#define BRISK 16
#define MOST_SHORT 128

/** A worker, in its thread. */
struct worker {
    mproc__tasks *tasks;
    struct mproc__worker_shm *shm;
    uint32_t index;
    int64_t since;     /**< when it began to be busy, or to wait */
    uint64_t n_before; /**< tasks it had ended when it last waited */
    uint64_t n_short;  /**< see count_short */
};

static MPROC__THREAD_LOCAL struct worker *here;

bool mproc__worker_is_here(const mproc__tasks *tasks)
{
    return here != NULL && here->tasks->offset == tasks->offset;
}

/* ---- a task ---------------------------------------------------------------------------------- */

/** The arguments of a CALL, as values that may point into `copy` and into the parcel. */
static int open_args(const mproc__run *run, void *copy, mproc_value *scalars, mproc_value *ret_list)
{
    mproc__payload payload = mproc__task_args(run->tasks, run->index);
    uint32_t form = payload.descriptor & MPROC__FORM_MASK;
    *ret_list = (mproc_value){.type = MPROC_LIST};
    if (form == MPROC__FORM_SCALARS) {
        ret_list->as.list.count = mproc__payload_scalars(&payload, scalars);
        ret_list->as.list.items = scalars;
        return MPROC_OK;
    }
    if (form == MPROC__FORM_NONE) {
        return MPROC_OK;
    }
    if ((payload.descriptor & MPROC__FORM_PARCEL) == 0) {
        memcpy(copy, payload.data, payload.size); // the result may go to the same place
        payload.data = copy;
    }
    int rc = mproc__payload_open(&payload, true, ret_list);
    return rc >= 0 && ret_list->type != MPROC_LIST
               ? mproc__fail(MPROC_ECORRUPT, "a task's arguments are no list")
               : rc;
}

int mproc__run_call(mproc__run *run)
{
    uint64_t copy[MPROC__MORE / 8];
    mproc_value scalars[MPROC__PAYLOAD_SCALARS];
    mproc_value list;
    mproc_value result = {.type = MPROC_NIL};
    int rc = open_args(run, copy, scalars, &list);
    if (rc < 0) {
        return rc;
    }
    const mproc_args args = {.count = list.as.list.count, .items = list.as.list.items};
    mproc__forget_error();
    rc = ((mproc_task_fn)run->function)(&args, &result);
    if (rc >= 0) {
        int set = mproc__task_set_value(run->tasks, run->index, &result);
        rc = set < 0 ? set : rc;
    }
    if (result.owned != NULL) {
        mproc_value_clear(&result);
    }
    if (list.owned != NULL) {
        mproc_value_clear(&list);
    }
    return rc;
}

static int run(struct worker *self, uint32_t index)
{
    struct mproc__slot_shm *slot = mproc__slot_at(self->tasks, index);
    mproc__run task = {.tasks = self->tasks, .index = index, .worker = self->index, .slot = slot};
    uint32_t kind = slot->kind;
    int rc = MPROC_OK;
    if (slot->function != MPROC__NO_FUNCTION) {
        rc = mproc__function_find(self->tasks, slot->function, &task.function);
    }
    if (rc >= 0 && (kind >= MPROC__TASK_KINDS || mproc__task_runners[kind] == NULL)) {
        rc = mproc__fail(MPROC_ECORRUPT, "there are no tasks of kind %u", kind);
    }
    rc = rc >= 0 ? mproc__task_runners[kind](&task) : rc;
    if (rc < 0) {
        mproc__task_set_story(self->tasks, index, mproc_last_error());
    }
    return rc;
}

/** Its task is doomed: it waits for its end. */
static void await_end(struct mproc__slot_shm *slot)
{
    for (;;) {
        uint32_t seen = mproc__load32_acquire(mproc__low32(&slot->state));
        (void)mproc__sleep(mproc__low32(&slot->state), seen, MPROC__NEVER, NULL);
    }
}

static void time_it(struct worker *self, uint32_t index, bool is_end)
{
    const struct mproc__slot_shm *slot = mproc__slot_at(self->tasks, index);
    struct mproc__cold_shm *cold =
        slot->flags & MPROC__TASK_TIMED ? mproc__cold_at(self->tasks, index, false) : NULL;
    if (cold != NULL && is_end) {
        cold->ended_ns = mplat_now();
    } else if (cold != NULL) {
        cold->worker_pid = (uint64_t)mplat_pid();
        cold->worker_thread = mplat_thread_number();
        cold->started_ns = mplat_now();
    }
}

/** Run a task that is TAKEN. */
static void do_task(struct worker *self, uint32_t index)
{
    struct mproc__slot_shm *slot = mproc__slot_at(self->tasks, index);
    time_it(self, index, false);
    if (!mproc__task_start(self->tasks, self->index, index)) {
        return;
    }
    int status = run(self, index);
    time_it(self, index, true);
    mproc__store64_relaxed(&self->shm->n_done, self->shm->n_done + 1);
    if (!mproc__task_finish(self->tasks, self->index, index, status)) {
        await_end(slot);
    }
}

bool mproc__worker_help(uint32_t index, uint64_t record)
{
    struct worker *self = here;
    mproc__store32_release(&self->shm->n_nested, self->shm->n_nested + 1); // T3
    bool is_taken = mproc__task_take(self->tasks, self->index, index, record);
    if (is_taken) {
        do_task(self, index);
    }
    mproc__store32_release(&self->shm->n_nested, self->shm->n_nested - 1);
    return is_taken;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void begin_time(struct worker *self, int64_t now)
{
    self->since = now;
    mproc__store64_relaxed((uint64_t *)&self->shm->since_ns, (uint64_t)now);
}

/** A time is over; the next one begins. How long it was. */
static int64_t account(struct worker *self, int64_t *total)
{
    int64_t now = mplat_now();
    int64_t took = now - self->since;
    mproc__store64_relaxed((uint64_t *)total, (uint64_t)(*total + took));
    begin_time(self, now);
    return took;
}

/** How many short tasks it has had lately, this time included, and fewer the longer there are none. */
static uint64_t count_short(const struct worker *self, int64_t took)
{
    uint64_t n_tasks = self->shm->n_done - self->n_before;
    if (n_tasks == 0) {
        return self->n_short / 2;
    }
    bool are_short = took / (int64_t)n_tasks < SHORT_TASK_NS;
    return !are_short                             ? 0
           : self->n_short + n_tasks < MOST_SHORT ? self->n_short + n_tasks
                                                  : MOST_SHORT;
}

static void idle(struct worker *self, uint32_t seen)
{
    int64_t took = account(self, &self->shm->busy_ns);
    self->n_short = count_short(self, took);
    self->n_before = self->shm->n_done;
    mproc__store32_relaxed(&self->shm->is_idle, 1);
    mproc__lanes_await(self->tasks, self->index, seen, self->n_short >= BRISK, MPROC__NEVER);
    mproc__store32_relaxed(&self->shm->is_idle, 0);
    (void)account(self, &self->shm->wait_ns);
}

static void work(struct worker *self)
{
    const struct mproc__pool_shm *shm = self->tasks->shm;
    uint64_t n_tasks = 0;
    begin_time(self, mplat_now());
    for (;;) {
        // The tail's cache line is its writers': who has more in its hand does not look.
        bool has_hand = self->shm->n_hand != 0;
        uint32_t seen = has_hand ? 0 : mproc__lanes_seen(self->tasks);
        uint32_t phase = mproc__load32_acquire(&shm->rule.phase);
        uint32_t index;
        if (phase == MPROC__POOL_TERMINATED || phase == MPROC__POOL_BROKEN) {
            break;
        }
        if (mproc__task_next(self->tasks, self->index, &index) > 0) {
            do_task(self, index);
            n_tasks++;
            if (mproc__worker_is_worn(n_tasks, shm->max_tasks, shm->max_memory)) {
                break;
            }
        } else if (phase == MPROC__POOL_SHUT) {
            break;
        } else if (!has_hand) {
            idle(self, seen);
        }
    }
    (void)account(self, &self->shm->busy_ns);
}

/** What is left in its hand is for the others. */
static void leave(struct worker *self)
{
    mproc__store32_release(&self->shm->life, MPROC__WORKER_LEAVING);
    if (mproc__load32_relaxed(&self->shm->n_hand) != 0) {
        mproc__lanes_call(self->tasks);
    }
}

static int initialize(struct worker *self, const mproc_value *initargs)
{
    const struct mproc__pool_shm *shm = self->tasks->shm;
    mproc__function function;
    if (shm->initializer == MPROC__NO_FUNCTION) {
        return MPROC_OK;
    }
    const mproc_args args = {.count = initargs->type == MPROC_LIST ? initargs->as.list.count : 0,
                             .items = initargs->as.list.items};
    int rc = mproc__function_find(self->tasks, shm->initializer, &function);
    if (rc >= 0) {
        mproc__forget_error();
        rc = ((mproc_initializer_fn)function)(&args);
    }
    return rc;
}

static void finalize(struct worker *self)
{
    uint32_t finalizer = self->tasks->shm->finalizer;
    mproc__function function;
    if (finalizer != MPROC__NO_FUNCTION &&
        mproc__function_find(self->tasks, finalizer, &function) >= 0) {
        ((mproc_finalizer_fn)function)();
    }
}

int mproc__worker_run(const mproc_args *args)
{
    mproc_pool *pool;
    uint32_t index;
    mproc_value initargs;
    mproc__client *client;
    int rc = MPROC_UNPACK(args, &pool, &index, &initargs);
    if (rc < 0 || (rc = mproc__client_of(pool, &client)) < 0) {
        return rc;
    }
    struct worker self = {.tasks = mproc__client_tasks(client), .index = index};
    struct mproc__pool_shm *shm = self.tasks->shm;
    self.shm = &self.tasks->workers[index];
    mproc__worker_become(self.tasks->offset, index, shm->rule.is_local != 0);
    rc = initialize(&self, &initargs);
    if (rc < 0) {
        mproc__pool_tell_failure(&shm->rule);
        return rc;
    }
    mproc__tracing_name(self.tasks, mproc_process_name(NULL));
    mproc__store32_release(&self.shm->life, MPROC__WORKER_READY);
    here = &self;
    work(&self);
    leave(&self);
    here = NULL;
    finalize(&self);
    return MPROC_OK;
}
