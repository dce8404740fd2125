/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_mutex.c: the lock that outlives its owner, and the sleep under it; mutex.c and sleep.c.
 */
#include "base/atomic.h"
#include "base/deadline.h"
#include "family/block.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/mutex.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "mproc/mproc.h"
#include "support/testlib.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#include <string.h>

#define N_THREADS 4

struct state_shm {
    struct mproc__mutex_shm mutex;
    uint64_t a, b;     /* guarded by mutex; always equal outside of it */
    uint32_t progress; /* how far the other process is */
    uint32_t go;
};

static uint64_t reference;
static struct state_shm *state;
static apr_pool_t *pool;

static void set_word(uint32_t *word, uint32_t value)
{
    mproc__store32_release(word, value);
    (void)mplat_wake(word, INT32_MAX);
}

static void wait_for(uint32_t *word, uint32_t value)
{
    for (uint32_t seen; (seen = mproc__load32_acquire(word)) != value;) {
        (void)mplat_wait(word, seen, mplat_now() + 50000000, NULL, NULL);
    }
}

static int acquire(mproc_timeout timeout)
{
    return mproc__mutex_acquire(&state->mutex, mproc__thread_self(), mproc__deadline_in(timeout),
                                NULL);
}

static mproc_process *start(mproc_process_fn fn, long count)
{
    const mproc_context *fork = mproc_get_context("fork");
    const mproc_process_options options = {.context =
                                               fork != NULL ? fork : mproc_get_context("spawn")};
    mproc_process *process = NULL;
    int rc = mproc_process_start(&process, fn, MPROC_ARGS(reference, (int64_t)count), &options);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return process;
}

static int join(mproc_process *process)
{
    int code = -1000;
    CU_ASSERT_EQUAL(mproc_process_join(process, mproc_seconds(60)), 0);
    CU_ASSERT_EQUAL(mproc_process_exit_code(process, &code), 0);
    CU_ASSERT_EQUAL(mproc_process_close(process), 0);
    return code;
}

static int64_t unpack(const mproc_args *args)
{
    int64_t count;
    CHILD_CHECK(mproc__family_enter() == 0); // a copy registers at its first call
    CHILD_CHECK(MPROC_UNPACK(args, &reference, &count) == 0);
    state = mproc__block_at(reference);
    return count;
}

static void test_mutex__free_held_free(void)
{
    memset(state, 0, sizeof(*state));
    CU_ASSERT_EQUAL(acquire(MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(state->mutex.word, mproc__thread_self());
    (void)mproc__mutex_release(&state->mutex);
    CU_ASSERT_EQUAL(state->mutex.word, 0);
}

/* ---- one at a time ------------------------------------------------------------------------------ */

static void increment(int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        CHILD_CHECK(acquire(MPROC_FOREVER) == 0);
        CHILD_CHECK(state->a == state->b);
        state->a++;
        if (i % 64 == 0) {
            apr_thread_yield(); // long enough that others go to sleep
        }
        state->b++;
        (void)mproc__mutex_release(&state->mutex);
    }
}

static int increment_process(const mproc_args *args)
{
    increment(unpack(args));
    return 0;
}

static void *APR_THREAD_FUNC increment_thread(apr_thread_t *thread, void *arg)
{
    CHILD_CHECK(mproc__thread_enter(NULL) == 0);
    increment(*(long *)arg);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_mutex__threads_one_at_a_time(void)
{
    memset(state, 0, sizeof(*state));
    apr_thread_t *threads[N_THREADS];
    long count = testlib_count(20000, 2000000);
    // Without slices: nothing rests on them as long as nobody dies.
    int64_t slice = mproc__slice_ns;
    mproc__slice_ns = INT64_MAX / 4;
    for (int i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, increment_thread, &count, pool),
                              0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        apr_status_t unused;
        CU_ASSERT_EQUAL(apr_thread_join(&unused, threads[i]), 0);
    }
    mproc__slice_ns = slice;
    CU_ASSERT_EQUAL(state->a, (uint64_t)count * N_THREADS);
    CU_ASSERT_EQUAL(state->b, state->a);
}

static void test_mutex__processes_one_at_a_time(void)
{
    memset(state, 0, sizeof(*state));
    mproc_process *processes[3];
    long count = testlib_count(50000, 10000000);
    int64_t slice = mproc__slice_ns;
    mproc__slice_ns = INT64_MAX / 4; // copies inherit it
    for (int i = 0; i < 3; i++) {
        processes[i] = start(increment_process, count);
    }
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(join(processes[i]), 0);
    }
    mproc__slice_ns = slice;
    CU_ASSERT_EQUAL(state->a, (uint64_t)count * 3);
    CU_ASSERT_EQUAL(state->mutex.word, 0);
}

/* ---- an owner that lives ------------------------------------------------------------------------ */

static int hold(const mproc_args *args)
{
    (void)unpack(args);
    CHILD_CHECK(acquire(MPROC_FOREVER) == 0);
    set_word(&state->progress, 1);
    wait_for(&state->go, 1);
    (void)mproc__mutex_release(&state->mutex);
    return 0;
}

static void test_mutex__times_out(void)
{
    memset(state, 0, sizeof(*state));
    mproc_process *holder = start(hold, 0);
    wait_for(&state->progress, 1);
    CU_ASSERT_EQUAL(acquire(MPROC_NOWAIT), MPROC_ETIMEDOUT);
    int64_t begin = testlib_now();
    CU_ASSERT_EQUAL(acquire(120 * 1000000), MPROC_ETIMEDOUT);
    CU_ASSERT(testlib_now() - begin >= 120 * 1000000);
    set_word(&state->go, 1);
    CU_ASSERT_EQUAL(acquire(MPROC_FOREVER), 0);
    (void)mproc__mutex_release(&state->mutex);
    CU_ASSERT_EQUAL(join(holder), 0);
}

/* ---- an owner that dies ------------------------------------------------------------------------- */

static int die_with_it(const mproc_args *args)
{
    int64_t is_at_once = unpack(args);
    CHILD_CHECK(acquire(MPROC_FOREVER) == 0);
    set_word(&state->progress, 1);
    wait_for(&state->go, is_at_once ? 0 : 1);
    const mplat_identity who = mplat_self();
    (void)mplat_process_signal(&who, MPLAT_KILL);
    for (;;) {
        MPROC__PAUSE();
    }
}

static void test_mutex__next_owner_learns_of_death(void)
{
    memset(state, 0, sizeof(*state));
    mproc_process *victim = start(die_with_it, 1);
    wait_for(&state->progress, 1);
    CU_ASSERT_EQUAL(acquire(MPROC_FOREVER), MPROC_OWNER_DIED);
    (void)mproc__mutex_release(&state->mutex);
    CU_ASSERT_EQUAL(acquire(MPROC_FOREVER), 0); // told once
    (void)mproc__mutex_release(&state->mutex);
    CU_ASSERT_NOT_EQUAL(join(victim), 0);
}

static void test_mutex__a_sleeper_learns_of_death(void)
{
    memset(state, 0, sizeof(*state));
    mproc_process *victim = start(die_with_it, 0);
    wait_for(&state->progress, 1);
    set_word(&state->go, 1);
    CU_ASSERT_EQUAL(acquire(mproc_seconds(30)), MPROC_OWNER_DIED);
    (void)mproc__mutex_release(&state->mutex);
    CU_ASSERT_NOT_EQUAL(join(victim), 0);
}

/* A bug once: who does not wait was never told. */
static void test_mutex__not_waiting_learns_of_death_too(void)
{
    memset(state, 0, sizeof(*state));
    mproc_process *victim = start(die_with_it, 1);
    wait_for(&state->progress, 1);
    CU_ASSERT_NOT_EQUAL(join(victim), 0);
    CU_ASSERT_EQUAL(acquire(MPROC_NOWAIT), MPROC_OWNER_DIED);
    (void)mproc__mutex_release(&state->mutex);
}

/* ---- an owner's slot that is somebody else's by now ------------------------------------------- */

static mproc__thread_id dead_id;

static void *APR_THREAD_FUNC come_and_go(apr_thread_t *thread, void *arg)
{
    (void)thread;
    CHILD_CHECK(mproc__thread_enter((mproc__thread_id *)arg) == 0);
    return NULL;
}

static void *APR_THREAD_FUNC come_and_stay(apr_thread_t *thread, void *arg)
{
    (void)thread;
    (void)arg;
    mproc__thread_id id;
    uint32_t index = ((uint32_t)(dead_id >> 1) & 0xffff) - 1;
    mproc__store32_release(&mproc__shm()->thread_hint, index);
    CHILD_CHECK(mproc__thread_enter(&id) == 0);
    CHILD_CHECK(((uint32_t)(id >> 1) & 0xffff) - 1 == index);
    set_word(&state->progress, 2);
    wait_for(&state->go, 1);
    return NULL;
}

/* A bug once: it watched the new thread's life for a slice before it looked whose the lock was. */
static void test_mutex__dead_owners_slot_in_use_again(void)
{
    memset(state, 0, sizeof(*state));
    apr_thread_t *thread;
    apr_status_t unused;
    int64_t slice = mproc__slice_ns;
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, come_and_go, &dead_id, pool), 0);
    (void)apr_thread_join(&unused, thread);
    mproc__store64_relaxed(&state->mutex.word, dead_id);
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, come_and_stay, NULL, pool), 0);
    wait_for(&state->progress, 2);
    mproc__slice_ns = INT64_MAX / 4;
    CU_ASSERT_EQUAL(acquire(mproc_seconds(20)), MPROC_OWNER_DIED);
    mproc__slice_ns = slice;
    (void)mproc__mutex_release(&state->mutex);
    set_word(&state->go, 1);
    (void)apr_thread_join(&unused, thread);
}

static void test_sleep__ends_after_a_slice(void)
{
    memset(state, 0, sizeof(*state));
    int64_t slice = mproc__slice_ns;
    mproc__slice_ns = 10 * 1000000;
    int64_t begin = testlib_now();
    while (testlib_now() - begin < 10 * 1000000) { // it may return early for no reason
        (void)mproc__sleep(&state->go, 0, MPROC__NEVER, NULL);
    }
    CU_ASSERT_EQUAL(mproc__sleep(&state->go, 1, MPROC__NEVER, NULL), 0); // does not hold: no sleep
    CU_ASSERT_EQUAL(mproc__sleep(&state->go, 0, mproc__deadline_in(1), NULL), MPROC_ETIMEDOUT);
    mproc__slice_ns = slice;
}

static void child(int argc, char **argv)
{
    mproc__hold hold;
    if (mproc_main(argc, argv) < 0 || apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        mproc__block_create(MPROC__KIND_TEST, sizeof(*state), 0, true, &hold) < 0) {
        exit(EXIT_FAILURE);
    }
    reference = hold.offset;
    state = mproc__block_at(reference);
}

static const testlib_case cases[] = {
    {"free_held_free", test_mutex__free_held_free},
    {"processes_one_at_a_time", test_mutex__processes_one_at_a_time},
    {"times_out", test_mutex__times_out},
    {"next_owner_learns_of_death", test_mutex__next_owner_learns_of_death},
    {"a_sleeper_learns_of_death", test_mutex__a_sleeper_learns_of_death},
    {"not_waiting_learns_of_death_too", test_mutex__not_waiting_learns_of_death_too},
    {"threads_one_at_a_time", test_mutex__threads_one_at_a_time},
    {"dead_owners_slot_in_use_again", test_mutex__dead_owners_slot_in_use_again},
    {"sleep_ends_after_a_slice", test_sleep__ends_after_a_slice},
};

TESTLIB_MAIN_CHILD("family.mutex", cases, child)
