/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor.c: what keeps a pool going, in the process that created it.
 *
 * Thread   One for each pool. It sleeps on rule.orders, which anybody rings; a lookout rings it, too, when a
 *          worker has ended. It looks at everything each time: an order says no more than that there is something.
 * Always   V1  before it sleeps it notes until when, and looks once more: a deadline that comes meanwhile rings it
 *          V2  when `is_over` is set nothing is begun any more; who posts a task looks at it afterwards, and takes
 *              that back
 */
#include "service/supervisor.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "family/watch.h"
#include "object/process.h"
#include "service/client.h"
#include "service/crew.h"

#include <stdio.h>

/* How soon to look again for what nobody will ring for. */
#define SLICE_NS ((int64_t)20 * 1000000)

/* So many workers, or two for each place, may end one after the other before they are READY. */
#define MOST_FAILURES 10

struct mproc__supervisor {
    mproc__member_id member; /**< whose it is */
    mproc__crew crew;
    mproc__tasks *tasks;
    struct mproc__rule_shm *rule;
    uint32_t phase; /**< that has been acted upon */
    struct mproc__vigil vigil;
    mplat_interrupt interrupt; /**< caught if fn is not NULL */

    /* The private lock: */
    mplat_thread *thread;    /**< NULL: whoever ends the process has it */
    bool is_joined;          /**< and has joined it */
    mproc__supervisor *next; /**< in the list of this process's */
};

static void terminate(mproc__supervisor *s)
{
    uint32_t old = mproc__load32_acquire(&s->rule->phase);
    while (old < MPROC__POOL_TERMINATED &&
           !mproc__cas32(&s->rule->phase, &old, MPROC__POOL_TERMINATED)) {
    }
    mproc__pool_order(s->rule);
}

/** Ctrl-C. In a signal handler, or in a thread of the system's. */
static void interrupt(void *arg)
{
    mproc__supervisor *s = arg;
    mproc__store32_release(&s->rule->is_interrupted, 1);
    terminate(s);
}

/** All of this process's, for its end; the private lock. */
static mproc__supervisor *all;
/** Act upon a phase that is new. */
static void obey(mproc__supervisor *s)
{
    uint32_t phase = mproc__load32_acquire(&s->rule->phase);
    if (phase == s->phase) {
        return;
    }
    s->phase = phase;
    if (phase >= MPROC__POOL_TERMINATED) {
        // No more tasks, and none of those that there are.
        int status = mproc__pool_drop(s->rule);
        mproc__tasks_end_all(s->tasks, status, mproc_last_error(), true);
        mproc__crew_kill(&s->crew);
    }
    mproc__lanes_call(s->tasks);
}

/** Whether none of its workers will ever come to its first task. */
static bool is_hopeless(const mproc__supervisor *s)
{
    uint32_t most = 2 * s->crew.n > MOST_FAILURES ? 2 * s->crew.n : MOST_FAILURES;
    return s->crew.n_failures > most && s->phase < MPROC__POOL_TERMINATED;
}

static void give_up(mproc__supervisor *s)
{
    struct mproc__rule_shm *rule = s->rule;
    bool has_word = mproc__load32_acquire(&rule->has_failure) == 2;
    (void)snprintf(rule->story, sizeof(rule->story),
                   "%u workers have ended, one after the other, before their first task: %.180s",
                   s->crew.n_failures, has_word ? rule->failure : s->crew.failure);
    uint32_t old = mproc__load32_acquire(&rule->phase);
    /* COMMIT: a pool that was terminated stays so */
    while (old < MPROC__POOL_TERMINATED && !mproc__cas32(&rule->phase, &old, MPROC__POOL_BROKEN)) {
    }
}

/** How many workers there are to be. */
static uint64_t count_wanted(mproc__supervisor *s)
{
    uint32_t n_there = mproc__crew_count(&s->crew);
    if (s->phase == MPROC__POOL_OPEN) {
        return s->crew.n;
    }
    if (s->phase > MPROC__POOL_SHUT) {
        return 0;
    }
    // Those that have left did so for want of tasks; what was posted since needs others.
    return n_there < s->crew.n ? n_there + mproc__tasks_count_pending(s->tasks) : n_there;
}

/** Post the tasks that are due. When the next one is. */
static int64_t post_due(mproc__supervisor *s, int64_t now)
{
    int64_t due = (int64_t)mproc__load64_acquire(&s->rule->due_at);
    if (due > now) {
        return due;
    }
    (void)mproc__exchange64(&s->rule->due_at, (uint64_t)MPROC__NEVER);
    due = mproc__tasks_post_due(s->tasks, now);
    if (due != 0) {
        mproc__pool_order_post(s->rule, due);
    }
    return (int64_t)mproc__load64_acquire(&s->rule->due_at);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/** Whether the pool has ended, or when to look again. */
static bool is_over(mproc__supervisor *s, int64_t now, int64_t *next)
{
    if (s->phase == MPROC__POOL_OPEN || mproc__crew_count(&s->crew) > 0) {
        return false;
    }
    if (s->phase == MPROC__POOL_SHUT && !mproc__tasks_are_done(s->tasks)) {
        // Who has made it PENDING has not posted it yet, or it is to be posted later.
        *next = earlier(*next, now + SLICE_NS);
        return false;
    }
    return true;
}

/** Whether something is to be done between `now` and `next`. */
static bool is_pressed(const mproc__supervisor *s, int64_t now, int64_t next)
{
    return (int64_t)mproc__load64_acquire(&s->rule->due_at) < next ||
           mproc__crew_is_pressed(&s->crew, now, next);
}

/** Sleep until somebody rings, but not beyond `next`. */
static void rest(mproc__supervisor *s, uint32_t seen, int64_t now, int64_t next)
{
    if (next <= now) {
        return;
    }
    mproc__store64_release(&s->rule->wake_at, (uint64_t)next);
    mproc__fence(); // V1
    if (!is_pressed(s, now, next) &&
        mproc__sleep_vigilantly(&s->rule->orders, seen, next, &s->vigil)) {
        mproc__member_bury_gone();
        mproc__tasks_bury_ports(s->tasks);
    }
    mproc__store64_release(&s->rule->wake_at, 0);
}

static void end_all(mproc__supervisor *s)
{
    mproc__store32_release(&s->rule->is_over, 1); /* COMMIT */
    mproc__fence(); // who has posted since looks at it, or is seen here
    int status = mproc__pool_drop(s->rule);
    mproc__tasks_end_all(s->tasks, status, mproc_last_error(), false);
    (void)mplat_wake(&s->rule->is_over, INT32_MAX);
}

static void supervise(void *arg)
{
    mproc__supervisor *s = arg;
    int rc = mproc__family_enter();
    mproc__store64_release(&s->rule->owner_thread, rc >= 0 ? mproc__thread_self() : 0);
    mproc__store32_release(&s->rule->is_up, rc >= 0 ? 1 : 2);
    (void)mplat_wake(&s->rule->is_up, INT32_MAX);
    s->vigil.alarms = rc >= 0 ? mproc__watch_alarms() : 0;
    while (rc >= 0) {
        uint32_t seen = mproc__load32_acquire(&s->rule->orders);
        int64_t now = mplat_now();
        mproc__crew_reap(&s->crew, now);
        obey(s);
        int64_t next = post_due(s, now);
        next = earlier(next, mproc__crew_execute(&s->crew, now));
        next = earlier(next, mproc__crew_fill(&s->crew, count_wanted(s), now));
        if (is_hopeless(s)) {
            give_up(s);
            continue;
        }
        if (is_over(s, now, &next)) {
            break;
        }
        if (mproc__crew_look_out(&s->crew) < 0) {
            next = earlier(next, now + SLICE_NS);
        }
        rest(s, seen, now, next);
    }
    if (rc >= 0) {
        end_all(s);
    }
}

int mproc__supervisor_check(const mproc_pool_options *options, const mproc_context *context)
{
    if (options->processes < 0 || options->processes > MPROC_POOL_MAX_WORKERS) {
        return mproc__fail(MPROC_EINVAL, "a pool has 1 to %d workers, not %d",
                           MPROC_POOL_MAX_WORKERS, options->processes);
    }
    if (options->n_cpus > 0 && options->cpus == NULL) {
        return mproc__fail(MPROC_EINVAL, "%zu processors are to be used, but none is named",
                           options->n_cpus);
    }
    return context != NULL && mproc__executor_of(context) != NULL ? MPROC_OK : MPROC_ENOTSUP;
}

static void free_all(mproc__supervisor *s)
{
    if (s->interrupt.fn != NULL) {
        mplat_interrupt_release(&s->interrupt);
    }
    mproc__crew_free(&s->crew);
    mproc__free(s);
}

static int start_thread(mproc__supervisor *s)
{
    int rc = mplat_thread_start(supervise, s, &s->thread);
    if (rc < 0) {
        return rc;
    }
    uint32_t is_up;
    while ((is_up = mproc__load32_acquire(&s->rule->is_up)) == 0) {
        (void)mproc__sleep(&s->rule->is_up, 0, MPROC__NEVER, NULL);
    }
    if (is_up == 1) {
        return MPROC_OK;
    }
    mplat_thread_join(s->thread);
    return mproc__fail(MPROC_ENOSPC, "no more threads can take part in the family");
}

/** In a copy of this process: these are another one's. */
static void forget(void)
{
    all = NULL;
}

/** One that has not been ended with the process yet, terminated; its thread is the caller's to join. */
static mproc__supervisor *take_next(mplat_thread **ret_thread)
{
    mproc__private_lock();
    mproc__supervisor *s = all;
    // One whose workers are threads cannot be waited for: one of them may be who ends the process.
    while (s != NULL && (s->crew.executor->is_local || s->thread == NULL)) {
        s = s->next;
    }
    if (s != NULL) {
        *ret_thread = s->thread;
        s->thread = NULL;
        terminate(s);
    }
    mproc__private_unlock();
    return s;
}

/** This process ends: its pools do before its other children, for they would replace theirs. */
static void end_with_process(void)
{
    mplat_thread *thread;
    for (mproc__supervisor *s; (s = take_next(&thread)) != NULL;) {
        mplat_thread_join(thread);
        mproc__private_lock();
        s->is_joined = true;
        mproc__private_unlock();
    }
    mproc__callbacks_end();
}

static void list(mproc__supervisor *s)
{
    static bool is_known;
    mproc__private_lock();
    if (!is_known) {
        is_known = true;
        mproc__on_forget(forget);
        mproc__on_shutdown(end_with_process);
    }
    s->next = all;
    all = s;
    mproc__private_unlock();
}

int mproc__supervisor_begin(mproc_pool *pool, const mproc_pool_options *options,
                            const mproc_context *context, mproc__supervisor **ret_supervisor)
{
    struct mproc__pool_shm *shm = pool->object.shm;
    mproc__client *client;
    mproc__supervisor *s = mproc__calloc(1, sizeof(*s));
    if (s == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a pool");
    }
    s->member = mproc__self_id();
    s->rule = &shm->rule;
    int rc = mproc__client_of(pool, &client);
    if (rc >= 0) {
        s->tasks = mproc__client_tasks(client);
        s->crew = (mproc__crew){.pool = pool,
                                .tasks = s->tasks,
                                .rule = s->rule,
                                .n = shm->n_workers,
                                .context = context,
                                .executor = mproc__executor_of(context)};
        rc = mproc__crew_init(&s->crew, options);
    }
    if (rc >= 0 && options->catch_interrupt) {
        s->interrupt = (mplat_interrupt){.fn = interrupt, .arg = s};
        rc = mplat_interrupt_catch(&s->interrupt);
        s->interrupt.fn = rc >= 0 ? interrupt : NULL;
    }
    if (rc >= 0 && ((rc = mproc__crew_start(&s->crew)) < 0 || (rc = start_thread(s)) < 0)) {
        mproc__crew_stop(&s->crew);
    }
    if (rc < 0) {
        free_all(s);
        return rc;
    }
    list(s);
    *ret_supervisor = s;
    return MPROC_OK;
}

bool mproc__supervisor_is_mine(const mproc__supervisor *supervisor)
{
    return supervisor->member == mproc__self_id();
}

/** Out of the list, with its thread; false: the end of the process has that, and will not return it. */
static bool unlist(mproc__supervisor *s, mplat_thread **ret_thread)
{
    mproc__private_lock();
    *ret_thread = s->thread;
    bool is_ours = s->thread != NULL || s->is_joined;
    for (mproc__supervisor **link = &all; *link != NULL && is_ours; link = &(*link)->next) {
        if (*link == s) {
            *link = s->next;
            break;
        }
    }
    mproc__private_unlock();
    return is_ours;
}

void mproc__supervisor_end(mproc__supervisor *supervisor)
{
    mplat_thread *thread;
    terminate(supervisor);
    if (unlist(supervisor, &thread)) {
        mplat_thread_join(thread);
        free_all(supervisor);
    }
}
