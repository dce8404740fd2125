/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor.c: what keeps a pool's workers going, in the process that created it.
 *
 * Why      A worker may end at any instruction. Somebody must find that out, say what becomes of what it was
 *          doing, and start another one; and somebody must kill those whose task has had its time.
 * Thread   One for each pool. It sleeps on rule.orders, which anybody rings; a lookout rings it, too, when
 *          the sentinel of a worker fires. What it knows of workers is its own.
 * Always   V1  a worker is buried in the engine after its sentinel has fired: nothing of it goes on
 *          V2  it is killed for a task only when that is doomed, and then takes no other one: so no
 *              innocent task is killed
 *          V3  before it sleeps it notes until when, and looks once more: a deadline that comes meanwhile
 *              rings it
 * Limiter  Workers that end before they are READY are started again later and later. When many of them have
 *          ended so, one after the other, and none is READY, the pool is broken.
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

#include <stdio.h>
#include <string.h>

#define MILLISECOND ((int64_t)1000000)

/* Back-off of a worker that has ended before it was READY, and how many may in all. */
#define STEP_NS (10 * MILLISECOND)
#define MOST_NS (1000 * MILLISECOND)
#define MOST_FAILURES 10

/* How soon to look again for what nobody will ring for. */
#define SLICE_NS (20 * MILLISECOND)

/** A worker's place, from the supervisor's side. */
typedef struct post {
    void *worker;        /**< the executor's; NULL: nobody has it */
    int64_t due;         /**< not before that another one is started */
    uint32_t n_failures; /**< in a row: of those that were never READY */
    bool is_killed;
} post;

struct mproc__supervisor {
    mproc__member_id member; /**< whose it is */
    mproc_pool *pool;
    mproc__tasks *tasks;
    struct mproc__rule_shm *rule;
    const mproc__executor *executor;
    mplat_thread *thread;    /**< NULL: whoever ends the process has it; the private lock */
    bool is_joined;          /**< and has joined it; likewise */
    mproc__supervisor *next; /**< in the list of this process's; likewise */

    const mproc_context *context;
    char name[64];
    mproc_value initargs;
    bool pin;
    int *cpus;
    size_t n_cpus;

    uint32_t n;
    post *posts;
    mplat_handle *handles; /**< of those that there are ... */
    uint32_t *places;      /**< ... and whose they are */
    bool *ready;
    size_t n_handles;
    mplat_lookout *lookout;
    bool has_change; /**< the lookout does not know all of them */

    uint32_t phase; /**< that has been acted upon */
    uint32_t n_failures;
    char failure[224]; /**< the last one */
    struct mproc__vigil vigil;
};

/** All of this process's, for its end; the private lock. */
static mproc__supervisor *all;

static struct mproc__worker_shm *shm_of(const mproc__supervisor *s, uint32_t i)
{
    return &s->tasks->workers[i];
}

/* ---- starting workers ------------------------------------------------------------------------ */

static int start(mproc__supervisor *s, uint32_t i, bool is_replacement)
{
    char name[sizeof(s->name) + 16];
    struct mproc__worker_shm *shm = shm_of(s, i);
    (void)snprintf(name, sizeof(name), "%s-%u", s->name, i + 1);
    shm->incarnation++;
    shm->restarts += is_replacement ? 1 : 0;
    mproc__store32_release(&shm->life, MPROC__WORKER_STARTING);
    mproc__worker_plan plan = {
        .context = s->context,
        .name = name,
        .args = MPROC_ARGS(s->pool, i, s->initargs),
        .cpus = s->cpus,
        .n_cpus = s->n_cpus,
        .is_replacement = is_replacement,
    };
    if (s->pin && s->n_cpus > 0) {
        plan.cpus = &s->cpus[i % s->n_cpus];
        plan.n_cpus = 1;
    }
    int rc = s->executor->start(&plan, &s->posts[i].worker);
    if (rc < 0) {
        mproc__store32_release(&shm->life, MPROC__WORKER_NONE);
        return rc;
    }
    mproc__store64_release(&shm->member, s->executor->member(s->posts[i].worker));
    s->posts[i].is_killed = false;
    s->has_change = true;
    return MPROC_OK;
}

/* ---- the ends of workers --------------------------------------------------------------------- */

/** A worker has ended, or could not be started, before it was READY. */
static void note_failure(mproc__supervisor *s, uint32_t i, int64_t now)
{
    post *place = &s->posts[i];
    int64_t delay = place->n_failures * STEP_NS;
    place->n_failures++;
    place->due = now + (delay < MOST_NS ? delay : MOST_NS);
    s->n_failures++;
    for (uint32_t k = 0; k < s->n; k++) {
        if (mproc__load32_acquire(&shm_of(s, k)->life) == MPROC__WORKER_READY) {
            s->n_failures = 0;
        }
    }
}

static void describe(mproc__supervisor *s, const mproc__ending *ending)
{
    if (ending->story[0] != '\0') {
        (void)snprintf(s->failure, sizeof(s->failure), "%s", ending->story);
    } else {
        (void)snprintf(s->failure, sizeof(s->failure), "the last one's exit code was %d%s",
                       ending->code, ending->is_oom ? ", for want of memory" : "");
    }
}

/** A worker is gone: see to what it leaves. */
static void bury(mproc__supervisor *s, uint32_t i, int64_t now)
{
    struct mproc__worker_shm *shm = shm_of(s, i);
    post *place = &s->posts[i];
    mproc__ending ending;
    mproc__recovered recovered = {0};
    s->executor->collect(place->worker, &ending);
    place->worker = NULL;
    place->due = 0;
    uint32_t life = mproc__load32_acquire(&shm->life);
    const mproc__death death = {
        .how = {.exit_code = ending.code,
                .flags = ending.is_oom ? MPLAT_EXIT_OOM : 0,
                .pid = ending.pid},
        .is_orderly = life == MPROC__WORKER_LEAVING,
    };
    mproc__tasks_bury_worker(s->tasks, i, &death, &recovered);
    if (recovered.due_ns != 0) {
        mproc__pool_order_post(s->rule, recovered.due_ns);
    }
    shm->peak_bytes = ending.peak_bytes > shm->peak_bytes ? ending.peak_bytes : shm->peak_bytes;
    mproc__store64_release(&shm->member, 0);
    mproc__store32_release(&shm->life, MPROC__WORKER_NONE);
    if (life != MPROC__WORKER_STARTING) {
        place->n_failures = 0;
        s->n_failures = 0;
    } else if (!place->is_killed) {
        describe(s, &ending);
        note_failure(s, i, now);
    }
}

/** Which sentinels have fired: the lookout tells when to look. */
static void reap(mproc__supervisor *s, int64_t now)
{
    if (s->lookout != NULL && mplat_lookout_is_over(s->lookout)) {
        mplat_lookout_end(s->lookout, s->ready);
        s->lookout = NULL;
        s->has_change = true;
        if (mplat_handles_wait(s->handles, s->n_handles, 0, s->ready) < 0) {
            return; // no memory just now: it is looked at again
        }
        for (size_t k = 0; k < s->n_handles; k++) {
            if (s->ready[k]) {
                bury(s, s->places[k], now);
            }
        }
    }
}

static void ring(void *rule)
{
    mproc__pool_order(rule);
}

/** Have the lookout know all the workers that there are. */
static int look_out(mproc__supervisor *s)
{
    if (!s->has_change) {
        return MPROC_OK;
    }
    mplat_lookout_end(s->lookout, s->ready);
    s->lookout = NULL;
    s->n_handles = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->posts[i].worker != NULL) {
            s->places[s->n_handles] = i;
            s->ready[s->n_handles] = false;
            s->handles[s->n_handles++] = s->executor->sentinel(s->posts[i].worker);
        }
    }
    int rc = MPROC_OK;
    if (s->n_handles > 0) {
        rc = mplat_lookout_begin(s->handles, s->n_handles, ring, s->rule, &s->lookout);
    }
    s->has_change = rc < 0;
    return rc;
}

static uint32_t count_workers(const mproc__supervisor *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        n += s->posts[i].worker != NULL ? 1 : 0;
    }
    return n;
}

/* ---- what is to be done ---------------------------------------------------------------------- */

static void kill_worker(mproc__supervisor *s, uint32_t i)
{
    if (s->posts[i].worker != NULL && !s->executor->is_local) {
        s->executor->kill(s->posts[i].worker);
        s->posts[i].is_killed = true;
    }
}

/** No more tasks, and none of those that there are; `status` says why. */
static void stop(mproc__supervisor *s, int status, const char *story)
{
    mproc__tasks_end_all(s->tasks, status, story, true);
    for (uint32_t i = 0; i < s->n; i++) {
        kill_worker(s, i);
    }
}

/** Act upon a phase that is new. */
static void obey(mproc__supervisor *s)
{
    uint32_t phase = mproc__load32_acquire(&s->rule->phase);
    if (phase == s->phase) {
        return;
    }
    s->phase = phase;
    if (phase == MPROC__POOL_TERMINATED) {
        stop(s, MPROC_ECANCELLED, "the pool was terminated");
    } else if (phase == MPROC__POOL_BROKEN) {
        stop(s, MPROC_EBROKEN, s->rule->story);
    }
    mproc__lanes_call(s->tasks);
}

/** Give the pool up: its workers do not come to their first task. */
static void give_up(mproc__supervisor *s)
{
    struct mproc__rule_shm *rule = s->rule;
    bool has_word = mproc__load32_acquire(&rule->has_failure) == 2;
    (void)snprintf(rule->story, sizeof(rule->story),
                   "%u workers have ended, one after the other, before their first task: %.180s",
                   s->n_failures, has_word ? rule->failure : s->failure);
    uint32_t old = mproc__load32_acquire(&rule->phase);
    /* COMMIT: a pool that was terminated stays so */
    while (old < MPROC__POOL_TERMINATED && !mproc__cas32(&rule->phase, &old, MPROC__POOL_BROKEN)) {
    }
}

/** Kill the workers whose task is doomed, or has had its time. The next deadline. */
static int64_t execute(mproc__supervisor *s, int64_t now)
{
    int64_t next = MPROC__NEVER;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->posts[i].worker == NULL || s->posts[i].is_killed || s->executor->is_local) {
            continue;
        }
        int64_t deadline = (int64_t)mproc__load64_acquire(&shm_of(s, i)->deadline_ns);
        if (deadline != 0 && deadline <= now && !mproc__tasks_expire(s->tasks, i, now)) {
            deadline = now + MILLISECOND; // it has just ended, and the worker is about to say so
        }
        if (deadline > now) {
            next = deadline < next ? deadline : next;
        }
        if (mproc__tasks_is_doomed(s->tasks, i)) {
            kill_worker(s, i);
        }
    }
    return next;
}

/** How many workers there are to be. */
static uint64_t count_wanted(mproc__supervisor *s, uint32_t n_there)
{
    if (s->phase == MPROC__POOL_OPEN) {
        return s->n;
    }
    if (s->phase > MPROC__POOL_SHUT) {
        return 0;
    }
    // Those that have left did so for want of tasks; what was posted since needs others.
    uint64_t n_posted = mproc__lanes_count(s->tasks);
    return n_posted > n_there ? n_posted : n_there;
}

/** Start workers where there is none. When to look again. */
static int64_t fill(mproc__supervisor *s, int64_t now)
{
    int64_t next = MPROC__NEVER;
    uint32_t n_there = count_workers(s);
    uint64_t n_wanted = n_there < s->n ? count_wanted(s, n_there) : n_there;
    for (uint32_t i = 0; i < s->n && n_there < n_wanted; i++) {
        post *place = &s->posts[i];
        if (place->worker != NULL) {
            continue;
        }
        if (place->due <= now) {
            if (start(s, i, true) >= 0) {
                n_there++;
                continue;
            }
            (void)snprintf(s->failure, sizeof(s->failure), "%s", mproc_last_error());
            note_failure(s, i, now);
        }
        next = place->due < next ? place->due : next;
    }
    uint32_t most = 2 * s->n > MOST_FAILURES ? 2 * s->n : MOST_FAILURES;
    if (s->n_failures > most && s->phase < MPROC__POOL_TERMINATED) {
        give_up(s);
        next = now;
    }
    return next;
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

/** Whether the pool has ended, or when to look again. */
static bool is_over(mproc__supervisor *s, int64_t now, int64_t *next)
{
    if (s->phase == MPROC__POOL_OPEN || count_workers(s) > 0) {
        return false;
    }
    if (s->phase == MPROC__POOL_SHUT && !mproc__tasks_are_done(s->tasks)) {
        // Who has made it PENDING has not posted it yet, or it is to be posted later.
        *next = now + SLICE_NS < *next ? now + SLICE_NS : *next;
        return false;
    }
    return true;
}

/* ---- its thread ------------------------------------------------------------------------------ */

/** Whether something is to be done between `now` and `next`. */
static bool is_pressed(const mproc__supervisor *s, int64_t now, int64_t next)
{
    bool result = (int64_t)mproc__load64_acquire(&s->rule->due_at) < next;
    for (uint32_t i = 0; i < s->n && !result; i++) {
        int64_t deadline = (int64_t)mproc__load64_acquire(&shm_of(s, i)->deadline_ns);
        result = deadline > now && deadline < next && !s->posts[i].is_killed;
    }
    return result;
}

/** Sleep until somebody rings, but not beyond `next`. */
static void rest(mproc__supervisor *s, uint32_t seen, int64_t now, int64_t next)
{
    if (next <= now) {
        return;
    }
    mproc__store64_release(&s->rule->wake_at, (uint64_t)next);
    mproc__fence(); // V3
    if (!is_pressed(s, now, next) &&
        mproc__sleep_vigilantly(&s->rule->orders, seen, next, &s->vigil)) {
        mproc__member_bury_gone();
        mproc__tasks_bury_ports(s->tasks);
    }
    mproc__store64_release(&s->rule->wake_at, 0);
}

static void end_all(mproc__supervisor *s)
{
    bool is_broken = s->phase == MPROC__POOL_BROKEN;
    bool is_shut = s->phase == MPROC__POOL_SHUT;
    mproc__store32_release(&s->rule->is_over, 1); /* COMMIT */
    mproc__fence(); // who has posted since looks at it, or is seen here
    mproc__tasks_end_all(s->tasks,
                         is_broken ? MPROC_EBROKEN
                         : is_shut ? MPROC_ECLOSED
                                   : MPROC_ECANCELLED,
                         is_broken ? s->rule->story
                         : is_shut ? "the pool was shut down"
                                   : "the pool was terminated",
                         false);
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
        reap(s, now);
        obey(s);
        int64_t next = post_due(s, now);
        int64_t deadline = execute(s, now);
        next = deadline < next ? deadline : next;
        deadline = fill(s, now);
        next = deadline < next ? deadline : next;
        if (is_over(s, now, &next)) {
            break;
        }
        if (look_out(s) < 0) {
            next = now + SLICE_NS < next ? now + SLICE_NS : next;
        }
        rest(s, seen, now, next);
    }
    mplat_lookout_end(s->lookout, s->ready);
    if (rc >= 0) {
        end_all(s);
    }
}

/* ---- the beginning and the end --------------------------------------------------------------- */

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
    const mproc__executor *executor = context != NULL ? mproc__executor_of(context) : NULL;
    if (executor == NULL) {
        return MPROC_ENOTSUP;
    }
    if (executor->is_local && (options->pin || options->n_cpus > 0)) {
        return mproc__fail(MPROC_ENOTSUP, "processors can be chosen for processes only");
    }
    return MPROC_OK;
}

static void free_all(mproc__supervisor *s)
{
    mproc_value_clear(&s->initargs);
    mproc__free(s->cpus);
    mproc__free(s->posts);
    mproc__free(s->handles);
    mproc__free(s->places);
    mproc__free(s->ready);
    mproc__free(s);
}

static int copy_options(mproc__supervisor *s, const mproc_pool_options *options)
{
    static const mproc_args none;
    const mproc_args *args = options->initargs != NULL ? options->initargs : &none;
    const mproc_value list = {.type = MPROC_LIST, .as.list = {args->items, args->count}};
    (void)snprintf(s->name, sizeof(s->name), "%s",
                   options->name != NULL ? options->name : "PoolWorker");
    s->pin = options->pin;
    s->n_cpus = options->n_cpus;
    s->posts = mproc__calloc(s->n, sizeof(*s->posts));
    s->handles = mproc__calloc(s->n, sizeof(*s->handles));
    s->places = mproc__calloc(s->n, sizeof(*s->places));
    s->ready = mproc__calloc(s->n, sizeof(*s->ready));
    s->cpus = mproc__calloc(s->n_cpus + 1, sizeof(*s->cpus));
    if (s->posts == NULL || s->handles == NULL || s->places == NULL || s->ready == NULL ||
        s->cpus == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a pool's workers");
    }
    if (s->n_cpus > 0) {
        memcpy(s->cpus, options->cpus, s->n_cpus * sizeof(*s->cpus));
    }
    return mproc_value_copy(&s->initargs, &list);
}

/** Start the first ones, in the thread that creates the pool. */
static int start_all(mproc__supervisor *s)
{
    int rc = MPROC_OK;
    for (uint32_t i = 0; i < s->n && rc >= 0; i++) {
        rc = start(s, i, false);
    }
    return rc;
}

/** The supervisor's thread could not be started. */
static void stop_all(mproc__supervisor *s)
{
    mproc__store32_release(&s->rule->phase, MPROC__POOL_TERMINATED);
    mproc__lanes_call(s->tasks);
    for (uint32_t i = 0; i < s->n; i++) {
        mproc__ending unused;
        if (s->posts[i].worker != NULL) {
            kill_worker(s, i);
            s->executor->collect(s->posts[i].worker, &unused);
        }
    }
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

static void terminate(mproc__supervisor *s)
{
    uint32_t old = mproc__load32_acquire(&s->rule->phase);
    while (old < MPROC__POOL_TERMINATED &&
           !mproc__cas32(&s->rule->phase, &old, MPROC__POOL_TERMINATED)) {
    }
    mproc__pool_order(s->rule);
}

/** One that has not been ended with the process yet, terminated; its thread is the caller's to join. */
static mproc__supervisor *take_next(mplat_thread **ret_thread)
{
    mproc__private_lock();
    mproc__supervisor *s = all;
    // One whose workers are threads cannot be waited for: one of them may be who ends the process.
    while (s != NULL && (s->executor->is_local || s->thread == NULL)) {
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
    s->pool = pool;
    s->rule = &shm->rule;
    s->n = shm->n_workers;
    s->context = context;
    s->executor = mproc__executor_of(context);
    int rc = mproc__client_of(pool, &client);
    if (rc >= 0) {
        s->tasks = mproc__client_tasks(client);
        rc = copy_options(s, options);
    }
    if (rc >= 0 && ((rc = start_all(s)) < 0 || (rc = start_thread(s)) < 0)) {
        stop_all(s);
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
