/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sync_storm.c: processes killed at random instants while they lock, wait, notify and meet.
 *
 * Each worker does one thing after the other at random, with what all share. The test kills one worker,
 * starts another in its place, and so on; the others look whether what the locks guard is whole, and how
 * long each call took. In the end everything must work as if nothing had happened, and nothing be left.
 */
#include "stress/storm.h"

#include <apr_thread_proc.h>

#define N_WORKERS 5
#define N_PERMITS 2u
#define N_PARTIES 3

struct storm_shm {
    uint32_t stop;
    uint32_t n_operations; /* all workers'; the test waits on it */
    uint32_t a, b;         /* the lock's: equal, or a one ahead when its holder died */
    uint32_t c, d;         /* the rlock's */
    uint32_t e, f;         /* the rwlock's */
    uint32_t tokens;       /* the condition's */
    uint32_t n_owner_died; /* of lock, rlock and rwlock */
    uint32_t n_rounds;     /* passed by all of the barrier's parties */
    uint64_t longest_ns;   /* the longest call that has nothing to wait for but others' deaths */
};

/* What a worker works with. */
static mproc_lock *lock;
static mproc_rlock *rlock;
static mproc_rwlock *rwlock;
static mproc_semaphore *permits;
static mproc_event *event;
static mproc_condition *condition;
static mproc_barrier *barrier;
static mproc_block *block;
static struct storm_shm *shm;
static uint32_t seed;

/* ---- what workers do --------------------------------------------------------------------------- */

/** The first of two words is one ahead when a holder died between them. */
static void go_on_with(int rc, uint32_t *first, uint32_t *second)
{
    CHILD_CHECK(rc == MPROC_OK || rc == MPROC_OWNER_DIED);
    if (rc == MPROC_OWNER_DIED) {
        (void)mproc__add32(&shm->n_owner_died, 1);
        CHILD_CHECK(*first - *second <= 1);
        mproc__store32_release(second, *first);
    }
    CHILD_CHECK(*first == *second);
    mproc__store32_release(first, *first + 1);
    for (uint32_t i = testlib_next(&seed) % 2000; i > 0; i--) {
        MPROC__PAUSE(); // a good target
    }
    mproc__store32_release(second, *second + 1);
}

static void use_lock(void)
{
    int64_t begin = mplat_now();
    int rc = mproc_lock_acquire(lock, LIMIT);
    note_time(&shm->longest_ns, begin);
    go_on_with(rc, &shm->a, &shm->b);
    CHILD_CHECK(mproc_lock_release(lock) == 0);
}

static void use_rlock(void)
{
    int64_t begin = mplat_now();
    int rc = mproc_rlock_acquire(rlock, LIMIT);
    note_time(&shm->longest_ns, begin);
    uint32_t depth = testlib_next(&seed) % 5;
    for (uint32_t i = 0; i < depth; i++) {
        CHILD_CHECK(mproc_rlock_acquire(rlock, MPROC_NOWAIT) == 0);
    }
    go_on_with(rc, &shm->c, &shm->d);
    for (uint32_t i = 0; i <= depth; i++) {
        CHILD_CHECK(mproc_rlock_release(rlock) == 0);
    }
    CHILD_CHECK(mproc_rlock_release(rlock) == MPROC_ESTATE);
}

/** Who reads sees what a writer has left: whole, unless that one died. */
static void use_rwlock(void)
{
    bool writes = testlib_next(&seed) % 3 == 0;
    int64_t begin = mplat_now();
    int rc = writes ? mproc_rwlock_acquire_write(rwlock, LIMIT)
                    : mproc_rwlock_acquire_read(rwlock, LIMIT);
    note_time(&shm->longest_ns, begin);
    if (writes) {
        go_on_with(rc, &shm->e, &shm->f);
    } else {
        CHILD_CHECK(rc == MPROC_OK || rc == MPROC_OWNER_DIED);
        uint32_t first = mproc__load32_relaxed(&shm->e);
        CHILD_CHECK(first - mproc__load32_relaxed(&shm->f) <= (uint32_t)rc);
        CHILD_CHECK(mproc_rwlock_acquire_read(rwlock, MPROC_NOWAIT) >= 0);
        CHILD_CHECK(mproc_rwlock_release(rwlock) == 0);
        CHILD_CHECK(mproc__load32_relaxed(&shm->e) == first);
    }
    CHILD_CHECK(mproc_rwlock_release(rwlock) == 0);
}

static void use_permit(void)
{
    int64_t begin = mplat_now();
    CHILD_CHECK(mproc_semaphore_acquire(permits, LIMIT) >= 0);
    note_time(&shm->longest_ns, begin);
    CHILD_CHECK(mproc_semaphore_get_value(permits) < N_PERMITS);
    CHILD_CHECK(mproc_semaphore_release(permits) == 0);
}

static void use_event(void)
{
    if (testlib_next(&seed) % 2 == 0) {
        CHILD_CHECK(mproc_event_set(event) == 0);
    } else {
        int rc = mproc_event_wait(event, 200000);
        CHILD_CHECK(rc == 0 || rc == MPROC_ETIMEDOUT);
        CHILD_CHECK(mproc_event_clear(event) == 0);
    }
}

static int has_token(void *context)
{
    (void)context;
    return shm->tokens > 0;
}

static void use_condition(void)
{
    int rc = mproc_condition_acquire(condition, LIMIT);
    CHILD_CHECK(rc >= 0);
    if (testlib_next(&seed) % 2 == 0) {
        shm->tokens++;
        rc = testlib_next(&seed) % 4 == 0 ? mproc_condition_notify_all(condition)
                                          : mproc_condition_notify(condition, 1);
        CHILD_CHECK(rc >= 0 && rc <= N_WORKERS);
    } else {
        rc = mproc_condition_wait_for(condition, has_token, NULL, 300000);
        CHILD_CHECK(rc == 1 || rc == MPROC_ETIMEDOUT);
        shm->tokens -= rc == 1 ? 1 : 0;
    }
    CHILD_CHECK(mproc_condition_release(condition) == 0);
}

static int work(const mproc_args *args)
{
    static void (*const uses[])(void) = {use_lock,   use_lock,   use_rlock, use_rwlock,
                                         use_rwlock, use_permit, use_event, use_condition};
    CHILD_CHECK(MPROC_UNPACK(args, &lock, &rlock, &rwlock, &permits, &event, &condition, &block,
                             &seed) == 0);
    shm = mproc_block_data(block);
    while (mproc__load32_acquire(&shm->stop) == 0) {
        uses[testlib_next(&seed) % MPROC__COUNT(uses)]();
        add_word(&shm->n_operations);
    }
    return 0;
}

/* ---- the test --------------------------------------------------------------------------------- */

static mproc_process *start_worker(size_t i)
{
    (void)i;
    return start_with(
        work,
        MPROC_ARGS(lock, rlock, rwlock, permits, event, condition, block, testlib_random() | 1),
        NULL);
}

static void make_all(void)
{
    const mproc_semaphore_options robust = {.is_robust = true};
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_rlock_create(&rlock, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_rwlock_create(&rwlock), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_semaphore_create(&permits, N_PERMITS, &robust), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_condition_create(&condition, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, sizeof(struct storm_shm)), 0);
    shm = mproc_block_data(block);
}

static void close_all(void)
{
    mproc_lock_close(lock);
    mproc_rlock_close(rlock);
    mproc_rwlock_close(rwlock);
    mproc_semaphore_close(permits);
    mproc_event_close(event);
    mproc_condition_close(condition);
    mproc_block_close(block);
}

/** All is as new for who comes now. */
static void check_all(uint32_t n_kills)
{
    go_on_with(mproc_lock_acquire(lock, LIMIT), &shm->a, &shm->b);
    go_on_with(mproc_rlock_acquire(rlock, LIMIT), &shm->c, &shm->d);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), 0);
    CU_ASSERT_EQUAL(mproc_rlock_release(rlock), 0);
    go_on_with(mproc_rwlock_acquire_write(rwlock, LIMIT), &shm->e, &shm->f);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), 0);
    CU_ASSERT(shm->n_owner_died <= n_kills);
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(permits), N_PERMITS);
    CU_ASSERT(mproc_condition_acquire(condition, LIMIT) >= 0);
    CU_ASSERT_EQUAL(mproc_condition_notify_all(condition), 0);
    CU_ASSERT_EQUAL(mproc_condition_release(condition), 0);
}

static void test_sync_storm__random_kills(void)
{
    mproc_process *workers[N_WORKERS];
    use_everything();
    const belongings before = take_stock();
    long n_kills = testlib_count(EVERYDAY_KILLS, WHOLE_KILLS);
    make_all();
    long n_killed =
        kill_at_random(workers, N_WORKERS, start_worker, &shm->n_operations, 40, n_kills);
    mproc__store32_release(&shm->stop, 1);
    await_all(workers, N_WORKERS);
    check_all((uint32_t)n_killed);
    printf("%ld kills, %u operations, %u locks of the dead, the longest call %.1f ms ... ",
           n_killed, shm->n_operations, shm->n_owner_died, (double)shm->longest_ns / 1e6);
    close_all();
    const belongings after = take_stock();
    check_belongings(&before, &after);
}

/* ---- a barrier --------------------------------------------------------------------------------- */

/** Pass the barrier again and again; who finds it broken repairs it. */
static int meet(const mproc_args *args)
{
    CHILD_CHECK(MPROC_UNPACK(args, &barrier, &block) == 0);
    shm = mproc_block_data(block);
    while (mproc__load32_acquire(&shm->stop) == 0) {
        int rc = mproc_barrier_wait(barrier, LIMIT);
        CHILD_CHECK(rc == MPROC_EBROKEN || (rc >= 0 && rc < N_PARTIES));
        if (rc == 0) {
            (void)mproc__add32(&shm->n_rounds, 1);
        }
        if (rc == MPROC_EBROKEN && mproc_barrier_is_broken(barrier)) {
            CHILD_CHECK(mproc_barrier_reset(barrier) == 0);
        }
        add_word(&shm->n_operations);
    }
    CHILD_CHECK(mproc_barrier_abort(barrier) == 0);
    return 0;
}

static mproc_process *start_party(size_t i)
{
    (void)i;
    return start(meet, MPROC_ARGS(barrier, block));
}

static void test_sync_storm__parties_are_killed(void)
{
    mproc_process *parties[N_PARTIES];
    use_everything();
    const belongings before = take_stock();
    long n_kills = testlib_count(EVERYDAY_KILLS / 3, WHOLE_KILLS / 5);
    CU_ASSERT_EQUAL_FATAL(mproc_barrier_create(&barrier, N_PARTIES, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, sizeof(struct storm_shm)), 0);
    shm = mproc_block_data(block);
    long n_killed =
        kill_at_random(parties, N_PARTIES, start_party, &shm->n_operations, 40, n_kills);
    let_work(&shm->n_operations, 30);
    mproc__store32_release(&shm->stop, 1);
    CU_ASSERT_EQUAL(mproc_barrier_abort(barrier), 0);
    await_all(parties, N_PARTIES);
    CU_ASSERT(shm->n_rounds > 0);
    printf("%ld kills, %u rounds ... ", n_killed, shm->n_rounds);
    mproc_barrier_close(barrier);
    mproc_block_close(block);
    const belongings after = take_stock();
    check_belongings(&before, &after);
}

static const testlib_case cases[] = {
    {"random_kills", test_sync_storm__random_kills},
    {"parties_are_killed", test_sync_storm__parties_are_killed},
};

PROCESS_TEST_MAIN("stress.sync_storm", cases)
