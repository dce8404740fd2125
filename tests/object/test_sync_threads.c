/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sync_threads.c: eight threads of one process at a lock, an rlock, an rwlock, semaphores, an event, a
 * condition and a barrier, so that ThreadSanitizer sees them; what the objects guard is plain memory. In the second
 * case some of them die in the middle: they end at a kill point, whatever they hold. POSIX only.
 */
#include "base/atomic.h"
#include "base/check.h"
#include "base/compiler.h"
#include "family/check.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/ledger.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "mproc/mproc.h"
#include "object/marks.h"

#include <pthread.h>
#include <sched.h>

#define N_THREADS 8
#define N_PERMITS 3
#define BRIEF mproc_milliseconds(5)

/** Two numbers that are equal, but while somebody has what guards them. */
struct pair {
    uint64_t first, second;
};

static mproc_lock *lock, *strict, *guard; /* the last one is the condition's */
static mproc_rlock *rlock;
static mproc_rwlock *rwlock;
static mproc_semaphore *single, *several, *plain;
static mproc_event *event;
static mproc_condition *condition;
static mproc_barrier *barrier;

static struct pair of_lock, of_strict, of_rlock, of_rwlock, of_single, of_plain;
static uint64_t tokens;          /* the condition's */
static uint32_t n_inside;        /* of those with one of several permits */
static uint64_t mark[N_THREADS]; /* the barrier's: what each wrote before it came */
static uint64_t n_acts;
static uint64_t n_crowd, n_crowds; /* who waits to be notified with all; how often that was */

static long n_rounds;
static bool can_die;
static uint32_t n_running;
static uint32_t n_deaths;

static MPROC__THREAD_LOCAL long hits_left; /* 0: does not die */
static MPROC__THREAD_LOCAL bool is_inside;

/* ---- death ----------------------------------------------------------------------------------- */

/**
 * The kernel orders all a thread has stored before its death is seen. ThreadSanitizer cannot know that: an
 * exchange for itself of each word that a thread is found dead by tells it.
 */
static void tell(uint64_t *word)
{
    uint64_t seen = mproc__load64_relaxed(word);
    while (!mproc__cas64(word, &seen, seen)) {
    }
}

/* Those of the rwlock lie behind a cache line; eight threads need no more of them. */
static void tell_marks(void)
{
    struct mproc__marks_shm *marks = (void *)((char *)rwlock->object.shm + 64);
    for (size_t i = 0; i < MPROC__MARKS; i++) {
        tell(&marks->mark[i].thread);
    }
}

/* A mutex comes first in all of them; a semaphore's permits come after four 32-bit words. */
static void tell_all(void)
{
    const struct mproc_object *objects[] = {&lock->object,  &strict->object,    &guard->object,
                                            &rlock->object, &condition->object, &barrier->object};
    for (size_t i = 0; i < MPROC__COUNT(objects); i++) {
        tell(objects[i]->shm);
    }
    tell(rwlock->object.shm);
    tell_marks();
    tell((uint64_t *)single->object.shm + 2);
    for (size_t i = 0; i < N_PERMITS; i++) {
        tell((uint64_t *)several->object.shm + 2 + i);
    }
    tell(&mproc__shm()->lock.word);
}

/* Never returns when it is the thread's turn. */
static void end_thread(const char *name)
{
    (void)name;
    if (hits_left == 0 || --hits_left != 0) {
        return;
    }
    (void)mproc__add32(&n_inside, is_inside ? UINT32_MAX : 0);
    tell_all();
    (void)mproc__add32(&n_deaths, 1);
    mproc__thread_forget(); // or it would leave in good order
    (void)mproc__add32(&n_running, UINT32_MAX);
    pthread_exit(NULL);
}

/* ---- what the threads do --------------------------------------------------------------------- */

/** As their new holder finds them. */
static void check_pair(struct pair *pair, int rc)
{
    CHILD_CHECK(rc == MPROC_OK || (rc == MPROC_OWNER_DIED && can_die));
    CHILD_CHECK(rc == MPROC_OWNER_DIED || pair->first == pair->second);
    pair->second = pair->first;
}

static void use_single(void)
{
    check_pair(&of_single, mproc_semaphore_acquire(single, MPROC_FOREVER));
    of_single.first++;
    of_single.second++;
    CHILD_CHECK(mproc_semaphore_release(single) == 0);
}

static void use_several(void)
{
    CHILD_CHECK(mproc_semaphore_acquire(several, MPROC_FOREVER) >= 0);
    CHILD_CHECK(mproc__add32(&n_inside, 1) < N_PERMITS);
    is_inside = true;
    use_single();
    is_inside = false;
    (void)mproc__add32(&n_inside, UINT32_MAX);
    CHILD_CHECK(mproc_semaphore_release(several) == 0);
    CHILD_CHECK(mproc_semaphore_get_value(several) <= N_PERMITS);
}

static void use_lock(void)
{
    mproc_lock_info info;
    check_pair(&of_lock, mproc_lock_acquire(lock, MPROC_FOREVER));
    of_lock.first++;
    use_several();
    of_lock.second++;
    CHILD_CHECK(mproc_lock_release(lock) == 0);
    CHILD_CHECK(mproc_lock_get_info(lock, &info) == 0 && !info.is_poisoned);
    CHILD_CHECK(can_die || info.deaths == 0);
}

/* Whoever inherits it makes the pair whole; but only some say so. */
static void use_strict(uint32_t random)
{
    int rc = mproc_lock_acquire(strict, MPROC_FOREVER);
    if (rc == MPROC_EPOISONED && can_die) {
        (void)mproc_lock_consistent(strict); // another one may have been quicker
        return;
    }
    check_pair(&of_strict, rc);
    of_strict.first++;
    use_single();
    of_strict.second++;
    CHILD_CHECK(rc == MPROC_OK || random % 2 == 0 || mproc_lock_consistent(strict) == 0);
    CHILD_CHECK(mproc_lock_release(strict) == 0);
}

/* The permits of the dead are lost. */
static void use_plain(void)
{
    check_pair(&of_plain, mproc_semaphore_acquire(plain, MPROC_FOREVER));
    of_plain.first++;
    of_plain.second++;
    CHILD_CHECK(mproc_semaphore_release(plain) == 0);
}

static void use_rlock(void)
{
    mproc_lock_info info;
    check_pair(&of_rlock, mproc_rlock_acquire(rlock, MPROC_FOREVER));
    of_rlock.first++;
    CHILD_CHECK(mproc_rlock_acquire(rlock, MPROC_NOWAIT) == 0);
    use_single();
    CHILD_CHECK(mproc_rlock_get_info(rlock, &info) == 0 && info.depth == 2);
    CHILD_CHECK(mproc_rlock_release(rlock) == 0);
    of_rlock.second++;
    CHILD_CHECK(mproc_rlock_release(rlock) == 0);
    CHILD_CHECK(mproc_rlock_get_info(rlock, &info) == 0 && info.depth <= 2);
}

/* Readers change nothing; who is told of a dead writer may find the pair unequal until one has written. */
static void use_rwlock(uint32_t random)
{
    bool writes = random % 3 == 0;
    int rc = writes ? mproc_rwlock_acquire_write(rwlock, MPROC_FOREVER)
                    : mproc_rwlock_acquire_read(rwlock, MPROC_FOREVER);
    if (writes) {
        check_pair(&of_rwlock, rc);
        of_rwlock.first++;
        use_single();
        of_rwlock.second++;
    } else {
        CHILD_CHECK(rc == MPROC_OK || (rc == MPROC_OWNER_DIED && can_die));
        CHILD_CHECK(rc == MPROC_OWNER_DIED || of_rwlock.first == of_rwlock.second);
        CHILD_CHECK(mproc_rwlock_acquire_read(rwlock, MPROC_NOWAIT) == rc);
        CHILD_CHECK(mproc_rwlock_release(rwlock) == 0);
    }
    CHILD_CHECK(mproc_rwlock_release(rwlock) == 0);
}

/* The test's own thread sets it again and again. */
static void use_event(uint32_t random)
{
    CHILD_CHECK(mproc_event_wait(event, MPROC_FOREVER) == 0);
    CHILD_CHECK((random % 2 == 0 ? mproc_event_clear(event) : mproc_event_set(event)) == 0);
}

static int has_token(void *context)
{
    (void)context;
    return tokens > 0;
}

/* Each thread puts a token down before it takes one, so that there are always enough. */
static void use_condition(uint32_t random)
{
    CHILD_CHECK(mproc_condition_acquire(condition, MPROC_FOREVER) >= 0);
    tokens++;
    CHILD_CHECK(mproc_condition_notify(condition, 1) >= 0);
    CHILD_CHECK(mproc_condition_release(condition) == 0);
    CHILD_CHECK(mproc_condition_acquire(condition, MPROC_FOREVER) >= 0);
    if (random % 4 == 0) {
        int rc = mproc_condition_wait(condition, random % 8 == 0 ? MPROC_NOWAIT : BRIEF);
        CHILD_CHECK(rc >= 0 || rc == MPROC_ETIMEDOUT);
        // The notice was for somebody who wants a token.
        CHILD_CHECK((random % 3 == 0 ? mproc_condition_notify_all(condition)
                                     : mproc_condition_notify(condition, 1)) >= 0);
    }
    CHILD_CHECK(mproc_condition_wait_for(condition, has_token, NULL, MPROC_FOREVER) == 1);
    tokens--;
    CHILD_CHECK(mproc_condition_release(condition) == 0);
}

static int act(void)
{
    n_acts++;
    return 0;
}

/* All come, see what the others wrote before, and come again before they write anew. */
static void use_barrier(size_t self, uint64_t round)
{
    mark[self] = round;
    int rc = mproc_barrier_wait(barrier, MPROC_FOREVER);
    CHILD_CHECK(rc >= 0 && rc < N_THREADS);
    for (size_t i = 0; i < N_THREADS; i++) {
        CHILD_CHECK(mark[i] == round);
    }
    CHILD_CHECK(n_acts % 2 == 1);
    CHILD_CHECK(mproc_barrier_wait(barrier, MPROC_FOREVER) >= 0);
    CHILD_CHECK(!mproc_barrier_is_broken(barrier));
}

/* All but one wait, and that one notifies them when they all do: each must be woken. */
static void use_crowd(size_t self, uint64_t round)
{
    bool has_notified = false;
    CHILD_CHECK(mproc_condition_acquire(condition, MPROC_FOREVER) == 0);
    n_crowd += self != 0 ? 1 : 0;
    while (self != 0 && n_crowds <= round) {
        CHILD_CHECK(mproc_condition_wait(condition, MPROC_FOREVER) == 0);
    }
    while (self == 0 && !has_notified) {
        has_notified = n_crowd == N_THREADS - 1;
        if (has_notified) {
            n_crowd = 0;
            n_crowds++;
            CHILD_CHECK(mproc_condition_notify_all(condition) == N_THREADS - 1);
        } else {
            CHILD_CHECK(mproc_condition_release(condition) == 0);
            (void)sched_yield();
            CHILD_CHECK(mproc_condition_acquire(condition, MPROC_FOREVER) == 0);
        }
    }
    CHILD_CHECK(mproc_condition_release(condition) == 0);
}

/* Two pass, if they come soon enough and neither dies. */
static void try_barrier(void)
{
    (void)mproc_barrier_n_waiting(barrier);
    int rc = mproc_barrier_wait(barrier, BRIEF);
    CHILD_CHECK(rc == 0 || rc == 1 || rc == MPROC_EBROKEN || rc == MPROC_ETIMEDOUT);
    if (mproc_barrier_is_broken(barrier)) {
        CHILD_CHECK(mproc_barrier_reset(barrier) == 0);
    }
}

static void operate(uint32_t random)
{
    switch (random % 10) {
    case 0:
        use_lock();
        break;
    case 1:
        use_strict(random / 10);
        break;
    case 2:
        use_rlock();
        break;
    case 3:
        use_several();
        break;
    case 4:
        use_event(random / 10);
        break;
    case 5:
        if (can_die) {
            try_barrier();
        } else {
            use_plain();
        }
        break;
    case 8:
    case 9:
        use_rwlock(random / 10);
        break;
    default:
        use_condition(random / 10);
    }
}

struct worker {
    pthread_t thread;
    size_t number;
    uint32_t seed;
};

static void *work(void *arg)
{
    struct worker *self = arg;
    hits_left = can_die && testlib_next(&self->seed) % 2 == 0 ? testlib_next(&self->seed) % 500 : 0;
    CHILD_CHECK(mproc__thread_enter(NULL) == 0);
    for (long i = 0; i < n_rounds; i++) {
        operate(testlib_next(&self->seed));
        if (!can_die && i % 16 == 0) {
            use_barrier(self->number, (uint64_t)i / 16);
            use_crowd(self->number, (uint64_t)i / 16);
            use_barrier(self->number, (uint64_t)i / 16);
        }
    }
    hits_left = 0;
    (void)mproc__add32(&n_running, UINT32_MAX);
    return NULL;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void make_all(void)
{
    const mproc_semaphore_options robust = {.is_robust = true};
    const mproc_lock_options strictly = {.is_strict = true};
    const mproc_barrier_options acting = {.action = act};
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_rlock_create(&rlock, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_rwlock_create(&rwlock), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_semaphore_create(&single, 1, &robust), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_semaphore_create(&several, N_PERMITS, &robust), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&strict, &strictly), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_semaphore_create(&plain, 1, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&guard, NULL), 0);
    const mproc_condition_options options = {.lock = guard};
    CU_ASSERT_EQUAL_FATAL(mproc_condition_create(&condition, &options), 0);
    CU_ASSERT_EQUAL_FATAL(can_die ? mproc_barrier_create(&barrier, 2, NULL)
                                  : mproc_barrier_create(&barrier, N_THREADS, &acting),
                          0);
    of_lock = of_strict = of_rlock = of_rwlock = of_single = of_plain = (struct pair){0, 0};
    tokens = n_acts = n_inside = 0;
    n_crowd = n_crowds = 0;
}

static void close_all(void)
{
    mproc_lock_close(lock);
    mproc_lock_close(strict);
    mproc_lock_close(guard);
    mproc_rlock_close(rlock);
    mproc_rwlock_close(rwlock);
    mproc_semaphore_close(single);
    mproc_semaphore_close(several);
    mproc_semaphore_close(plain);
    mproc_event_close(event);
    mproc_condition_close(condition);
    mproc_barrier_close(barrier);
}

/* Who learns that a holder has died knows that a notice may be missing. */
static void notify_all(void)
{
    CU_ASSERT(mproc_condition_acquire(condition, MPROC_FOREVER) >= 0);
    CU_ASSERT(mproc_condition_notify_all(condition) >= 0);
    CU_ASSERT_EQUAL(mproc_condition_release(condition), 0);
}

/* Until all threads have ended: set the event, and see that nobody waits for the dead. */
static void supervise(void)
{
    uint32_t deaths = mproc__load32_acquire(&n_deaths);
    uint32_t running;
    while ((running = mproc__load32_acquire(&n_running)) > 0) {
        CU_ASSERT_EQUAL(mproc_event_set(event), 0);
        CU_ASSERT_EQUAL(mproc_event_clear(event), 0);
        if (mproc__load32_acquire(&n_deaths) != deaths) {
            deaths = mproc__load32_acquire(&n_deaths);
            notify_all();
        }
        (void)mplat_wait(&n_running, running, mplat_now() + 100000, NULL, NULL);
    }
}

/* What survives them is as it was. */
static void check_all(void)
{
    check_pair(&of_lock, mproc_lock_acquire(lock, MPROC_FOREVER));
    check_pair(&of_rlock, mproc_rlock_acquire(rlock, MPROC_FOREVER));
    use_rwlock(0);
    use_several();
    CU_ASSERT_EQUAL(n_inside, 0);
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(several), N_PERMITS);
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(single), 1);
    notify_all();
    CU_ASSERT_EQUAL(mproc_rlock_release(rlock), 0);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), 0);
    CU_ASSERT_EQUAL(mproc_barrier_reset(barrier), 0);
    CU_ASSERT(!mproc_barrier_is_broken(barrier));
    CU_ASSERT_EQUAL(mproc_barrier_n_waiting(barrier), 0);
}

static void run_threads(void)
{
    struct worker workers[N_THREADS];
    make_all();
    mproc__store32_release(&n_running, N_THREADS);
    for (size_t i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.number = i, .seed = testlib_random() | 1};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    supervise();
    for (size_t i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(workers[i].thread, NULL), 0);
    }
    check_all();
    close_all();
}

static void test_sync__threads_share_all(void)
{
    const check_figures before = check_read();
    int64_t slice = mproc__slice_ns;
    mproc__slice_ns = INT64_MAX / 4; // nothing rests on slices as long as nobody dies
    can_die = false;
    n_rounds = testlib_count(2000, 100000);
    run_threads();
    mproc__slice_ns = slice;
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

#ifdef MPROC_KILLPOINTS

static void test_sync__threads_die_in_the_middle(void)
{
    const check_figures before = check_read();
    can_die = true;
    n_rounds = 200;
    long count = testlib_count(50, 3000);
    for (long i = 0; i < count; i++) {
        mproc__killpoint_fn = end_thread;
        run_threads();
        mproc__killpoint_fn = NULL;
        check_release_left(0);
        CHECK_FAMILY();
        CHECK_BACK_TO(before);
    }
    printf("%u threads have died ... ", n_deaths);
    CU_ASSERT(n_deaths > 0);
}

#else

static void test_sync__threads_die_in_the_middle(void)
{
    (void)end_thread;
    testlib_skip("the library was built without MPROC_KILLPOINTS");
}

#endif

static void child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    check_enter(N_THREADS * 4);
    if (mproc__ledger_next(mproc__self_member(), 0) != UINT32_MAX) {
        exit(EXIT_FAILURE); // what the dead leave could not be told from it
    }
}

static const testlib_case cases[] = {
    {"threads_share_all", test_sync__threads_share_all},
    {"threads_die_in_the_middle", test_sync__threads_die_in_the_middle},
};

TESTLIB_MAIN_CHILD("object.sync_threads", cases, child)
