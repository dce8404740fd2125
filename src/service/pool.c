/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c: mproc_pool: made, ended, waited for.
 *
 * Layout  struct mproc__pool_shm, see tasks.h; its `rule` is what this file changes
 * Commit  the compare-and-swap of the phase
 * Death   of who has changed the phase and not rung: the supervisor looks again, see watch.h
 */
#include "service/pool.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/note.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "service/submit.h"
#include "service/supervisor.h"
#include "service/tracing.h"

#include <stdio.h>
#include <string.h>

static struct mproc__rule_shm *rule_of(const mproc_pool *pool)
{
    return &((struct mproc__pool_shm *)pool->object.shm)->rule;
}

static int is_null(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the pool is NULL", verb);
}

/* ---- handles --------------------------------------------------------------------------------- */

static void close_local(struct mproc_object *object, bool is_held)
{
    struct mproc__pool_local *local = (struct mproc__pool_local *)object->local;
    if (is_held && local->supervisor != NULL && mproc__supervisor_is_mine(local->supervisor)) {
        mproc__supervisor_end(local->supervisor);
    }
    if (is_held && local->client != NULL) {
        mproc__tracing_flush(mproc__client_tasks(local->client));
    }
    mproc__client_close(local->client);
    object->local = NULL;
    mproc__free(local);
}

int mproc__pool_local_of(mproc_pool *pool, struct mproc__pool_local **ret_local)
{
    struct mproc__pool_local *local = mproc__load_pointer_acquire(&pool->object.local);
    if (local == NULL) {
        struct mproc__pool_local *made = mproc__calloc(1, sizeof(*made));
        if (made == NULL) {
            return mproc__fail(MPROC_ENOMEM, "no memory for a pool's handle");
        }
        made->face.close = close_local;
        mproc__private_lock();
        if (pool->object.local == NULL) {
            mproc__store_pointer_release(&pool->object.local, made);
            made = NULL;
        }
        local = pool->object.local;
        mproc__private_unlock();
        mproc__free(made); // another thread was quicker
    }
    *ret_local = local;
    return MPROC_OK;
}

/* ---- orders ---------------------------------------------------------------------------------- */

void mproc__pool_order(struct mproc__rule_shm *rule)
{
    (void)mproc__add32(&rule->orders, 1);
    (void)mplat_wake(&rule->orders, INT32_MAX);
}

void mproc__pool_order_at(struct mproc__rule_shm *rule, int64_t when)
{
    // The supervisor notes when it will wake up, and then looks at the deadlines once more.
    mproc__fence();
    if (when < (int64_t)mproc__load64(&rule->wake_at)) {
        mproc__pool_order(rule);
    }
}

void mproc__pool_order_post(struct mproc__rule_shm *rule, int64_t when)
{
    uint64_t old = mproc__load64_acquire(&rule->due_at);
    while (when < (int64_t)old && !mproc__cas64(&rule->due_at, &old, (uint64_t)when)) {
    }
    mproc__pool_order_at(rule, when);
}

int mproc__pool_refuse(const struct mproc__rule_shm *rule)
{
    uint32_t phase = mproc__load32_acquire(&rule->phase);
    if (phase == MPROC__POOL_BROKEN) {
        return mproc__fail(MPROC_EBROKEN, "the pool is broken: %s", rule->story);
    }
    if (mproc__load32_acquire(&rule->is_interrupted) != 0) {
        return mproc__fail(MPROC_EINTERRUPTED, "the pool was interrupted");
    }
    return mproc__fail(MPROC_ECLOSED, phase == MPROC__POOL_SHUT ? "the pool was shut down"
                                                                : "the pool was terminated");
}

int mproc__pool_drop(const struct mproc__rule_shm *rule)
{
    int status = mproc__pool_refuse(rule);
    bool is_cancelled =
        status == MPROC_ECLOSED && mproc__load32_acquire(&rule->phase) == MPROC__POOL_TERMINATED;
    return is_cancelled ? MPROC_ECANCELLED : status;
}

bool mproc__pool_is_orphaned(const struct mproc__rule_shm *rule)
{
    mproc__thread_id thread = mproc__load64_acquire(&rule->owner_thread);
    return rule->owner != mproc__self_id() && thread != 0 && mproc__thread_is_dead(thread) &&
           mproc__load32_acquire(&rule->is_over) == 0;
}

static int fail_orphaned(const char *verb)
{
    return mproc__fail(MPROC_EPEER, "%s: the process that owns the pool is gone", verb);
}

/** Have the pool enter a phase unless it is past that. */
static int enter(mproc_pool *pool, uint32_t phase, const char *verb)
{
    if (pool == NULL) {
        return is_null(verb);
    }
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    struct mproc__rule_shm *rule = rule_of(pool);
    uint32_t old = mproc__load32_acquire(&rule->phase);
    while (old < phase && !mproc__cas32(&rule->phase, &old, phase)) {
    }
    MPROC__KILLPOINT("pool.phase");
    if (old < phase) {
        mproc__pool_order(rule);
    }
    return mproc__pool_is_orphaned(rule) ? fail_orphaned(verb) : MPROC_OK;
}

int mproc_pool_shutdown(mproc_pool *pool)
{
    return enter(pool, MPROC__POOL_SHUT, "shutdown");
}

int mproc_pool_terminate(mproc_pool *pool)
{
    return enter(pool, MPROC__POOL_TERMINATED, "terminate");
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool is_worker_of(mproc_pool *pool)
{
    return mproc__worker_pool() == pool->object.offset;
}

int mproc_pool_join(mproc_pool *pool, mproc_timeout timeout)
{
    if (pool == NULL) {
        return is_null("join");
    }
    mproc__deadline deadline = mproc__deadline_in(timeout);
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    struct mproc__rule_shm *rule = rule_of(pool);
    if (mproc__load32_acquire(&rule->phase) == MPROC__POOL_OPEN) {
        return mproc__fail(MPROC_ESTATE, "join: shut the pool down, or terminate it, first");
    }
    if (is_worker_of(pool)) {
        return mproc__fail(MPROC_ESTATE, "join: a worker would wait for itself");
    }
    mproc__note_begin(pool->object.offset, deadline);
    while (mproc__load32_acquire(&rule->is_over) == 0 && rc >= 0) {
        if (mproc__pool_is_orphaned(rule)) {
            rc = fail_orphaned("join");
        } else if (mproc__deadline_passed(deadline)) {
            rc = mproc__fail_shortly(MPROC_ETIMEDOUT, "join: timed out; the pool still works");
        } else {
            (void)mproc__sleep(&rule->is_over, 0, deadline, mproc__thread_life(rule->owner_thread));
        }
    }
    mproc__note_end();
    return rc;
}

int mproc_pool_size(const mproc_pool *pool)
{
    return pool != NULL ? (int)((const struct mproc__pool_shm *)pool->object.shm)->n_workers : 0;
}

/* ---- the beginning --------------------------------------------------------------------------- */

static int number(mproc__tasks *tasks, mproc__function function, uint32_t *ret_number)
{
    *ret_number = MPROC__NO_FUNCTION;
    return function != NULL ? mproc__function_number(tasks, function, ret_number) : MPROC_OK;
}

/** Fill in what is constant. */
static int lay_out(mproc_pool *pool, const mproc_pool_options *options,
                   const mproc__executor *executor)
{
    struct mproc__pool_local *local;
    mproc__client *client;
    struct mproc__pool_shm *shm = pool->object.shm;
    int n = options->processes > 0 ? options->processes : mplat_cpu_count();
    int rc = mproc__tasks_create(pool->object.offset, (uint32_t)n);
    if (rc < 0 || (rc = mproc__pool_local_of(pool, &local)) < 0 ||
        (rc = mproc__client_of(pool, &client)) < 0) {
        return rc;
    }
    mproc__tasks *tasks = mproc__client_tasks(client);
    shm->max_tasks = options->max_tasks_per_child;
    shm->max_memory = options->max_memory_per_child;
    shm->rule.owner = mproc__self_id();
    shm->rule.is_local = executor->is_local;
    shm->rule.due_at = (uint64_t)MPROC__NEVER;
    rc = mproc__tracing_begin(pool->object.offset, options->trace_path);
    if (rc >= 0) {
        rc = number(tasks, (mproc__function)options->initializer, &shm->initializer);
    }
    return rc < 0 ? rc : number(tasks, (mproc__function)options->finalizer, &shm->finalizer);
}

static int create(mproc_pool **ret_pool, const mproc_pool_options *options,
                  const mproc_context *context)
{
    if (ret_pool == NULL) {
        return mproc__fail(MPROC_EINVAL, "create: there is no place for the pool");
    }
    struct mproc_object *object = NULL;
    int rc = mproc__family_enter();
    if (rc < 0 || (rc = mproc__supervisor_check(options, context)) < 0 ||
        (rc = mproc__object_create(MPROC__KIND_POOL, sizeof(struct mproc__pool_shm),
                                   MPROC__POOL_WORDS, &object)) < 0) {
        return rc;
    }
    mproc_pool *pool = MPROC__CONTAINER(object, mproc_pool, object);
    struct mproc__pool_local *local = NULL;
    rc = lay_out(pool, options, mproc__executor_of(context));
    if (rc >= 0) {
        rc = mproc__pool_local_of(pool, &local);
    }
    if (rc >= 0) {
        rc = mproc__supervisor_begin(pool, options, context, &local->supervisor);
    }
    if (rc < 0) {
        mproc__object_close(object);
        return rc;
    }
    *ret_pool = pool;
    return MPROC_OK;
}

int mproc_pool_create(mproc_pool **ret_pool, const mproc_pool_options *options)
{
    static const mproc_pool_options defaults;
    options = options != NULL ? options : &defaults;
    return create(ret_pool, options,
                  options->context != NULL ? options->context : mproc_get_context(NULL));
}

int mproc_thread_pool_create(mproc_pool **ret_pool, const mproc_pool_options *options)
{
    static const mproc_pool_options defaults;
    return create(ret_pool, options != NULL ? options : &defaults, mproc_get_context("thread"));
}
