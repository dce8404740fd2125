/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew.c: see crew.h.
 */
#include "service/crew.h"

#include "base/alloc.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>

#define MILLISECOND ((int64_t)1000000)

/* Back-off of a worker that has ended before it was READY. */
#define STEP_NS (10 * MILLISECOND)
#define MOST_NS (1000 * MILLISECOND)

static struct mproc__worker_shm *shm_of(const mproc__crew *crew, uint32_t i)
{
    return &crew->tasks->workers[i];
}

static int64_t deadline_of(const mproc__crew *crew, uint32_t i)
{
    return (int64_t)mproc__load64_acquire((const uint64_t *)&shm_of(crew, i)->deadline_ns);
}

static int start(mproc__crew *crew, uint32_t i, bool is_replacement)
{
    char name[sizeof(crew->name) + 16];
    struct mproc__worker_shm *shm = shm_of(crew, i);
    (void)snprintf(name, sizeof(name), "%s-%u", crew->name, i + 1);
    shm->incarnation++;
    shm->restarts += is_replacement ? 1 : 0;
    mproc__store32_release(&shm->life, MPROC__WORKER_STARTING);
    mproc__worker_plan plan = {
        .context = crew->context,
        .name = name,
        .args = MPROC_ARGS(crew->pool, i, crew->initargs),
        .cpus = crew->cpus,
        .n_cpus = crew->n_cpus,
        .is_replacement = is_replacement,
    };
    if (crew->pin && crew->n_cpus > 0) {
        plan.cpus = &crew->cpus[i % crew->n_cpus];
        plan.n_cpus = 1;
    }
    int rc = crew->executor->start(&plan, &crew->posts[i].worker);
    if (rc < 0) {
        mproc__store32_release(&shm->life, MPROC__WORKER_NONE);
        return rc;
    }
    mproc__store64_release(&shm->pid, (uint64_t)crew->executor->pid(crew->posts[i].worker));
    mproc__store64_release(&shm->member, crew->executor->member(crew->posts[i].worker));
    crew->posts[i].is_killed = false;
    crew->has_change = true;
    return MPROC_OK;
}

/** A worker has ended, or could not be started, before it was READY. */
static void note_failure(mproc__crew *crew, uint32_t i, int64_t now)
{
    mproc__post *place = &crew->posts[i];
    int64_t delay = place->n_failures * STEP_NS;
    place->n_failures++;
    place->due = now + (delay < MOST_NS ? delay : MOST_NS);
    crew->n_failures++;
    for (uint32_t k = 0; k < crew->n; k++) {
        if (mproc__load32_acquire(&shm_of(crew, k)->life) == MPROC__WORKER_READY) {
            crew->n_failures = 0;
        }
    }
}

static void describe(mproc__crew *crew, const mproc__ending *ending)
{
    if (ending->story[0] != '\0') {
        (void)snprintf(crew->failure, sizeof(crew->failure), "%s", ending->story);
    } else {
        (void)snprintf(crew->failure, sizeof(crew->failure), "the last one's exit code was %d%s",
                       ending->code, ending->is_oom ? ", for want of memory" : "");
    }
}

/** A worker is gone: see to what it leaves. */
static void bury(mproc__crew *crew, uint32_t i, int64_t now)
{
    struct mproc__worker_shm *shm = shm_of(crew, i);
    mproc__post *place = &crew->posts[i];
    mproc__ending ending;
    mproc__recovered recovered = {0};
    crew->executor->collect(place->worker, &ending);
    place->worker = NULL;
    place->due = 0;
    uint32_t life = mproc__load32_acquire(&shm->life);
    const mproc__death death = {
        .how = {.exit_code = ending.code,
                .flags = ending.is_oom ? MPLAT_EXIT_OOM : 0,
                .pid = ending.pid},
        .is_orderly = life == MPROC__WORKER_LEAVING,
    };
    mproc__tasks_bury_worker(crew->tasks, i, &death, &recovered);
    if (recovered.due_ns != 0) {
        mproc__pool_order_post(crew->rule, recovered.due_ns);
    }
    shm->peak_bytes = ending.peak_bytes > shm->peak_bytes ? ending.peak_bytes : shm->peak_bytes;
    mproc__store64_release(&shm->member, 0);
    mproc__store32_release(&shm->life, MPROC__WORKER_NONE);
    if (life != MPROC__WORKER_STARTING) {
        place->n_failures = 0;
        crew->n_failures = 0;
    } else if (!place->is_killed) {
        describe(crew, &ending);
        note_failure(crew, i, now);
    }
}

void mproc__crew_reap(mproc__crew *crew, int64_t now)
{
    if (crew->lookout != NULL && !mplat_lookout_is_over(crew->lookout)) {
        return;
    }
    mplat_lookout_end(crew->lookout, crew->ready);
    crew->lookout = NULL;
    crew->has_change = true;
    if (crew->n_handles == 0 ||
        mplat_handles_wait(crew->handles, crew->n_handles, 0, crew->ready) < 0) {
        return; // no memory just now: it is looked at again
    }
    for (size_t k = 0; k < crew->n_handles; k++) {
        if (crew->ready[k]) {
            bury(crew, crew->places[k], now);
        }
    }
    crew->n_handles = 0; // until the next look out
}

static void ring(void *rule)
{
    mproc__pool_order(rule);
}

int mproc__crew_look_out(mproc__crew *crew)
{
    if (!crew->has_change) {
        return MPROC_OK;
    }
    mplat_lookout_end(crew->lookout, crew->ready);
    crew->lookout = NULL;
    crew->n_handles = 0;
    for (uint32_t i = 0; i < crew->n; i++) {
        if (crew->posts[i].worker != NULL) {
            crew->places[crew->n_handles] = i;
            crew->ready[crew->n_handles] = false;
            crew->handles[crew->n_handles++] = crew->executor->sentinel(crew->posts[i].worker);
        }
    }
    int rc = MPROC_OK;
    if (crew->n_handles > 0) {
        rc = mplat_lookout_begin(crew->handles, crew->n_handles, ring, crew->rule, &crew->lookout);
    }
    crew->has_change = rc < 0;
    return rc;
}

uint32_t mproc__crew_count(const mproc__crew *crew)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < crew->n; i++) {
        n += crew->posts[i].worker != NULL ? 1 : 0;
    }
    return n;
}

static void kill_worker(mproc__crew *crew, uint32_t i)
{
    if (crew->posts[i].worker != NULL && !crew->executor->is_local) {
        crew->executor->kill(crew->posts[i].worker);
        crew->posts[i].is_killed = true;
    }
}

int64_t mproc__crew_execute(mproc__crew *crew, int64_t now)
{
    int64_t next = MPROC__NEVER;
    for (uint32_t i = 0; i < crew->n; i++) {
        if (crew->posts[i].worker == NULL || crew->posts[i].is_killed || crew->executor->is_local) {
            continue;
        }
        int64_t deadline = deadline_of(crew, i);
        if (deadline != 0 && deadline <= now && !mproc__tasks_expire(crew->tasks, i, now)) {
            deadline = now + MILLISECOND; // it has just ended, and the worker is about to say so
        }
        if (deadline > now) {
            next = deadline < next ? deadline : next;
        }
        if (mproc__tasks_is_doomed(crew->tasks, i)) {
            kill_worker(crew, i);
        }
    }
    return next;
}

bool mproc__crew_is_pressed(const mproc__crew *crew, int64_t now, int64_t next)
{
    bool result = false;
    for (uint32_t i = 0; i < crew->n && !result; i++) {
        int64_t deadline = deadline_of(crew, i);
        result = deadline > now && deadline < next && !crew->posts[i].is_killed;
    }
    return result;
}

void mproc__crew_kill(mproc__crew *crew)
{
    for (uint32_t i = 0; i < crew->n; i++) {
        kill_worker(crew, i);
    }
}

int64_t mproc__crew_fill(mproc__crew *crew, uint64_t n_wanted, int64_t now)
{
    int64_t next = MPROC__NEVER;
    uint32_t n_there = mproc__crew_count(crew);
    for (uint32_t i = 0; i < crew->n && n_there < n_wanted; i++) {
        mproc__post *place = &crew->posts[i];
        if (place->worker != NULL) {
            continue;
        }
        if (place->due <= now) {
            if (start(crew, i, true) >= 0) {
                n_there++;
                continue;
            }
            (void)snprintf(crew->failure, sizeof(crew->failure), "%s", mproc_last_error());
            note_failure(crew, i, now);
        }
        next = place->due < next ? place->due : next;
    }
    return next;
}

/* ---- the beginning and the end --------------------------------------------------------------- */

void mproc__crew_free(mproc__crew *crew)
{
    mproc_value_clear(&crew->initargs);
    mproc__free(crew->cpus);
    mproc__free(crew->posts);
    mproc__free(crew->handles);
    mproc__free(crew->places);
    mproc__free(crew->ready);
}

int mproc__crew_init(mproc__crew *crew, const mproc_pool_options *options)
{
    static const mproc_args none;
    const mproc_args *args = options->initargs != NULL ? options->initargs : &none;
    const mproc_value list = {.type = MPROC_LIST, .as.list = {args->items, args->count}};
    (void)snprintf(crew->name, sizeof(crew->name), "%s",
                   options->name != NULL ? options->name : "PoolWorker");
    crew->pin = options->pin;
    crew->n_cpus = options->pin && options->n_cpus == 0 ? mplat_cpu_list(NULL, 0) : options->n_cpus;
    crew->posts = mproc__calloc(crew->n, sizeof(*crew->posts));
    crew->handles = mproc__calloc(crew->n, sizeof(*crew->handles));
    crew->places = mproc__calloc(crew->n, sizeof(*crew->places));
    crew->ready = mproc__calloc(crew->n, sizeof(*crew->ready));
    crew->cpus = mproc__calloc(crew->n_cpus + 1, sizeof(*crew->cpus));
    if (crew->posts == NULL || crew->handles == NULL || crew->places == NULL ||
        crew->ready == NULL || crew->cpus == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a pool's workers");
    }
    if (options->n_cpus == 0) {
        (void)mplat_cpu_list(crew->cpus, crew->n_cpus);
    } else {
        memcpy(crew->cpus, options->cpus, crew->n_cpus * sizeof(*crew->cpus));
    }
    return mproc_value_copy(&crew->initargs, &list);
}

int mproc__crew_start(mproc__crew *crew)
{
    int rc = MPROC_OK;
    for (uint32_t i = 0; i < crew->n && rc >= 0; i++) {
        rc = start(crew, i, false);
    }
    return rc;
}

void mproc__crew_stop(mproc__crew *crew)
{
    mproc__store32_release(&crew->rule->phase, MPROC__POOL_TERMINATED);
    mproc__lanes_call(crew->tasks);
    for (uint32_t i = 0; i < crew->n; i++) {
        mproc__ending unused;
        if (crew->posts[i].worker != NULL) {
            kill_worker(crew, i);
            crew->executor->collect(crew->posts[i].worker, &unused);
        }
    }
}
