/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_barrier.c: mproc_barrier between processes.
 */
#include "object/sync_test.h"

#include <apr_general.h>

static mproc_barrier *make_barrier(uint32_t parties, const mproc_barrier_options *options)
{
    mproc_barrier *barrier = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_barrier_create(&barrier, parties, options), MPROC_OK);
    return barrier;
}

/** Whether the barrier is broken, by the death of `pid`; 0: by nobody's. */
static bool is_broken_by(const mproc_barrier *barrier, int64_t pid)
{
    mproc_barrier_info info = {0};
    CU_ASSERT_EQUAL(mproc_barrier_get_info(barrier, &info), MPROC_OK);
    CU_ASSERT_EQUAL(info.parties, mproc_barrier_parties(barrier));
    CU_ASSERT_EQUAL(info.n_waiting, 0);
    return info.is_broken && info.dead_pid == pid;
}

/** Whether the last error says that the barrier is broken, by the death of `pid`. */
static bool is_told(int64_t pid)
{
    char sentence[100];
    (void)snprintf(sentence, sizeof(sentence), "wait: the barrier is broken: process %lld has died",
                   (long long)pid);
    return strcmp(mproc_last_error(), sentence) == 0;
}

static void test_barrier__of_one_is_open(void)
{
    mproc_barrier *barrier = make_barrier(1, NULL);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_barrier_wait(barrier, MPROC_NOWAIT), 0);
    }
    CU_ASSERT_EQUAL(mproc_barrier_parties(barrier), 1);
    CU_ASSERT_EQUAL(mproc_barrier_n_waiting(barrier), 0);
    CU_ASSERT_FALSE(mproc_barrier_is_broken(barrier));
    mproc_barrier_close(barrier);
}

static void test_barrier__refuses_nonsense(void)
{
    mproc_barrier *barrier = NULL;
    CU_ASSERT_EQUAL(mproc_barrier_create(&barrier, 0, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_barrier_create(&barrier, MPROC_BARRIER_MAX + 1, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_barrier_create(NULL, 1, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_barrier_wait(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_barrier_reset(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_barrier_abort(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_barrier_parties(NULL), 0);
    CU_ASSERT_EQUAL(mproc_barrier_n_waiting(NULL), 0);
    CU_ASSERT_FALSE(mproc_barrier_is_broken(NULL));
    mproc_barrier_info info;
    CU_ASSERT_EQUAL(mproc_barrier_get_info(NULL, &info), MPROC_EINVAL);
    mproc_barrier_close(NULL);
}

static void test_barrier__breaks_when_time_is_up(void)
{
    mproc_barrier *barrier = make_barrier(2, NULL);
    CU_ASSERT_EQUAL(mproc_barrier_wait(barrier, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT(mproc_barrier_is_broken(barrier));
    CU_ASSERT_EQUAL(mproc_barrier_wait(barrier, MPROC_FOREVER), MPROC_EBROKEN);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "wait: the barrier is broken");
    CU_ASSERT(is_broken_by(barrier, 0));
    CU_ASSERT_EQUAL(mproc_barrier_reset(barrier), MPROC_OK);
    CU_ASSERT_FALSE(mproc_barrier_is_broken(barrier));
    CU_ASSERT_EQUAL(mproc_barrier_wait(barrier, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_barrier_reset(barrier), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_barrier_abort(barrier), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_barrier_abort(barrier), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_barrier_wait(barrier, MPROC_FOREVER), MPROC_EBROKEN);
    mproc_barrier_close(barrier);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

enum { COME, ROUNDS_DONE, VICTIM, PLACES, N_PARTIES = 4 };

/** Everybody counts itself before and after: nobody passes before all have come. */
static int go_round(const mproc_args *args)
{
    mproc_barrier *barrier;
    mproc_block *block;
    int count;
    CHILD_CHECK(MPROC_UNPACK(args, &barrier, &block, &count) == 0);
    switch_slices_off();
    uint32_t *words = words_of(block);
    for (int i = 0; i < count; i++) {
        (void)mproc__add32(&words[COME], 1);
        int place = mproc_barrier_wait(barrier, MPROC_FOREVER);
        CHILD_CHECK(place >= 0 && place < N_PARTIES);
        CHILD_CHECK(mproc__load32_acquire(&words[COME]) >= (uint32_t)(N_PARTIES * (i + 1)));
        (void)mproc__add32(&words[PLACES + place], 1);
        if (place == 0) {
            (void)mproc__add32(&words[ROUNDS_DONE], 1);
        }
    }
    return 0;
}

static void test_barrier__all_pass_together(void)
{
    mproc_process *children[N_PARTIES];
    mproc_barrier *barrier = make_barrier(N_PARTIES, NULL);
    mproc_block *block = make_words(PLACES + N_PARTIES);
    int count = (int)testlib_count(1000, 100000);
    for (size_t i = 0; i < N_PARTIES; i++) {
        children[i] = start(go_round, MPROC_ARGS(barrier, block, count));
    }
    for (size_t i = 0; i < N_PARTIES; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    CU_ASSERT_EQUAL(words_of(block)[ROUNDS_DONE], (uint32_t)count);
    for (size_t i = 0; i < N_PARTIES; i++) {
        CU_ASSERT_EQUAL(words_of(block)[PLACES + i], (uint32_t)count); // each place once a round
    }
    CU_ASSERT_FALSE(mproc_barrier_is_broken(barrier));
    mproc_block_close(block);
    mproc_barrier_close(barrier);
}

static uint32_t *action_word; /* of the process that runs the action */

static int count_action(void)
{
    (void)mproc__add32(action_word, 1);
    return 0;
}

static int fail_action(void)
{
    return MPROC_EINVAL;
}

/** 10 + what the wait returned; broken by the death of who stands in VICTIM, if somebody does. */
static int pass(const mproc_args *args)
{
    mproc_barrier *barrier;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &barrier, &block) == 0);
    action_word = &words_of(block)[ROUNDS_DONE];
    add_word(&words_of(block)[COME]);
    int rc = mproc_barrier_wait(barrier, LIMIT);
    CHILD_CHECK(rc < 0 || mproc__load32_acquire(action_word) == 1);
    uint32_t victim = mproc__load32_acquire(&words_of(block)[VICTIM]);
    CHILD_CHECK(victim == 0 || rc >= 0 || is_told(victim));
    return rc < 0 ? 100 - rc : 10 + rc;
}

static void test_barrier__runs_its_action_once(void)
{
    const mproc_barrier_options options = {.action = count_action};
    mproc_barrier *barrier = make_barrier(3, &options);
    mproc_block *block = make_words(PLACES);
    action_word = &words_of(block)[ROUNDS_DONE];
    mproc_process *one = start(pass, MPROC_ARGS(barrier, block));
    mproc_process *two = start(pass, MPROC_ARGS(barrier, block));
    int place = mproc_barrier_wait(barrier, LIMIT);
    CU_ASSERT(place >= 0 && place < 3);
    CU_ASSERT_EQUAL(place + end_of(one) - 10 + end_of(two) - 10, 0 + 1 + 2);
    CU_ASSERT_EQUAL(*action_word, 1);
    mproc_block_close(block);
    mproc_barrier_close(barrier);
}

static void test_barrier__breaks_when_its_action_fails(void)
{
    const mproc_barrier_options options = {.action = fail_action};
    mproc_barrier *barrier = make_barrier(2, &options);
    mproc_block *block = make_words(PLACES);
    mproc_process *one = start(pass, MPROC_ARGS(barrier, block));
    CU_ASSERT_EQUAL(mproc_barrier_wait(barrier, LIMIT), MPROC_EBROKEN);
    CU_ASSERT_EQUAL(end_of(one), 100 - MPROC_EBROKEN);
    CU_ASSERT(mproc_barrier_is_broken(barrier));
    mproc_block_close(block);
    mproc_barrier_close(barrier);
}

static bool await_n_waiting(const mproc_barrier *barrier, uint32_t n)
{
    int64_t deadline = mplat_now() + LIMIT;
    while (mproc_barrier_n_waiting(barrier) != n && mplat_now() < deadline) {
        apr_thread_yield();
    }
    return mproc_barrier_n_waiting(barrier) == n;
}

static void test_barrier__abort_and_reset_let_go(void)
{
    mproc_barrier *barrier = make_barrier(3, NULL);
    mproc_block *block = make_words(PLACES);
    for (int with_reset = 0; with_reset < 2; with_reset++) {
        mproc_process *one = start(pass, MPROC_ARGS(barrier, block));
        mproc_process *two = start(pass, MPROC_ARGS(barrier, block));
        CU_ASSERT(await_n_waiting(barrier, 2));
        int rc = with_reset ? mproc_barrier_reset(barrier) : mproc_barrier_abort(barrier);
        CU_ASSERT_EQUAL(rc, MPROC_OK);
        CU_ASSERT_EQUAL(mproc_barrier_is_broken(barrier), with_reset == 0);
        CU_ASSERT_EQUAL(end_of(one), 100 - MPROC_EBROKEN);
        CU_ASSERT_EQUAL(end_of(two), 100 - MPROC_EBROKEN);
        CU_ASSERT_EQUAL(mproc_barrier_reset(barrier), MPROC_OK);
    }
    mproc_block_close(block);
    mproc_barrier_close(barrier);
}

/** Kill a child, after telling those who wait that it will be so. Its pid. */
static int64_t kill_it(mproc_process *child, const mproc_block *block)
{
    int64_t pid = mproc_process_pid(child);
    mproc__store32_release(&words_of(block)[VICTIM], (uint32_t)pid);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    return pid;
}

/* ---- death ----------------------------------------------------------------------------------- */

static int have_it_and_stay(const mproc_args *args)
{
    mproc_barrier *barrier;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &barrier, &block) == 0);
    add_word(&words_of(block)[COME]);
    return stay();
}

/** Without a call that would make the copy's thread known. */
static int stay_alone(const mproc_args *args)
{
    (void)args;
    return stay();
}

static int have_it_and_end(const mproc_args *args)
{
    mproc_barrier *barrier;
    CHILD_CHECK(MPROC_UNPACK(args, &barrier) == 0);
    return 5;
}

static void test_barrier__breaks_when_a_waiter_is_killed(void)
{
    mproc_barrier *barrier = make_barrier(3, NULL);
    mproc_block *block = make_words(PLACES);
    mproc_process *one = start(pass, MPROC_ARGS(barrier, block));
    mproc_process *two = start(pass, MPROC_ARGS(barrier, block));
    CU_ASSERT(await_n_waiting(barrier, 2));
    int64_t pid = kill_it(one, block);
    CU_ASSERT_EQUAL(end_of(two), 100 - MPROC_EBROKEN);
    CU_ASSERT_EQUAL(end_of(one), CODE_KILLED);
    CU_ASSERT_EQUAL(mproc_barrier_wait(barrier, LIMIT), MPROC_EBROKEN);
    CU_ASSERT(is_told(pid));
    CU_ASSERT(is_broken_by(barrier, pid));
    CU_ASSERT_EQUAL(mproc_barrier_reset(barrier), MPROC_OK);
    CU_ASSERT_FALSE(is_broken_by(barrier, 0));
    CU_ASSERT_EQUAL(mproc_barrier_wait(barrier, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT(is_broken_by(barrier, 0));
    mproc_block_close(block);
    mproc_barrier_close(barrier);
}

static void test_barrier__breaks_when_one_is_killed_that_was_to_come(void)
{
    mproc_barrier *barrier = make_barrier(3, NULL);
    mproc_block *block = make_words(PLACES);
    mproc_process *one = start(pass, MPROC_ARGS(barrier, block));
    mproc_process *late = start(have_it_and_stay, MPROC_ARGS(barrier, block));
    CU_ASSERT(await_n_waiting(barrier, 1));
    CU_ASSERT(await_word(&words_of(block)[COME], 2));
    int64_t pid = kill_it(late, block);
    CU_ASSERT_EQUAL(end_of(one), 100 - MPROC_EBROKEN);
    CU_ASSERT_EQUAL(end_of(late), CODE_KILLED);
    CU_ASSERT_EQUAL(mproc_barrier_wait(barrier, LIMIT), MPROC_EBROKEN);
    CU_ASSERT(is_told(pid));
    CU_ASSERT(is_broken_by(barrier, pid));
    mproc_block_close(block);
    mproc_barrier_close(barrier);
}

/* A bug once: a copy that has not called us has no thread whose death is found; it was buried by join. */
static void test_barrier__breaks_when_a_killed_one_is_joined_first(void)
{
    mproc_barrier *barrier = make_barrier(3, NULL);
    mproc_block *block = make_words(PLACES);
    mproc_process *one = start(pass, MPROC_ARGS(barrier, block));
    CU_ASSERT(await_n_waiting(barrier, 1));
    CU_ASSERT(await_asleep(1));
    bool is_copy = strcmp(mproc_get_start_method(), "fork") == 0;
    mproc_process *late =
        start(is_copy ? stay_alone : have_it_and_stay, MPROC_ARGS(barrier, block));
    CU_ASSERT(is_copy || await_word(&words_of(block)[COME], 2));
    (void)kill_it(late, block);
    CU_ASSERT_NOT_EQUAL(mproc_process_join(late, LIMIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_close(late), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(one), 100 - MPROC_EBROKEN);
    mproc_block_close(block);
    mproc_barrier_close(barrier);
}

/** Before it has unpacked its arguments, perhaps: the barrier is on its way to it. */
static void test_barrier__breaks_when_one_is_killed_at_its_start(void)
{
    mproc_barrier *barrier = make_barrier(2, NULL);
    mproc_block *block = make_words(PLACES);
    mproc_process *late = start(have_it_and_stay, MPROC_ARGS(barrier, block));
    int64_t pid = kill_it(late, block);
    CU_ASSERT_EQUAL(mproc_barrier_wait(barrier, LIMIT), MPROC_EBROKEN);
    CU_ASSERT(is_told(pid));
    int rc = mproc_process_join(late, LIMIT);
    CU_ASSERT(rc == MPROC_OK || rc == MPROC_ESTART);
    CU_ASSERT_EQUAL(mproc_process_close(late), MPROC_OK);
    mproc_block_close(block);
    mproc_barrier_close(barrier);
}

static void test_barrier__stands_when_one_ends(void)
{
    mproc_barrier *barrier = make_barrier(2, NULL);
    mproc_block *block = make_words(PLACES);
    mproc_process *one = start(pass, MPROC_ARGS(barrier, block));
    CU_ASSERT(await_n_waiting(barrier, 1));
    CU_ASSERT_EQUAL(end_of(start(have_it_and_end, MPROC_ARGS(barrier))), 5);
    CU_ASSERT_FALSE(mproc_barrier_is_broken(barrier));
    mproc__store32_release(&words_of(block)[ROUNDS_DONE], 1);
    CU_ASSERT_EQUAL(mproc_barrier_wait(barrier, LIMIT), 1);
    CU_ASSERT_EQUAL(end_of(one), 10);
    mproc_block_close(block);
    mproc_barrier_close(barrier);
}

static void test_barrier__leaves_nothing(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_barrier *barrier = make_barrier(2, NULL);
    mproc_barrier *same = NULL;
    CU_ASSERT_EQUAL(mproc_barrier_attach(&same, barrier), MPROC_OK);
    mproc_barrier_close(barrier);
    CU_ASSERT_EQUAL(end_of(start(have_it_and_end, MPROC_ARGS(same))), 5);
    mproc_barrier_close(same);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"of_one_is_open", test_barrier__of_one_is_open},
    {"refuses_nonsense", test_barrier__refuses_nonsense},
    {"breaks_when_time_is_up", test_barrier__breaks_when_time_is_up},
    {"all_pass_together", test_barrier__all_pass_together},
    {"runs_its_action_once", test_barrier__runs_its_action_once},
    {"breaks_when_its_action_fails", test_barrier__breaks_when_its_action_fails},
    {"abort_and_reset_let_go", test_barrier__abort_and_reset_let_go},
    {"breaks_when_a_waiter_is_killed", test_barrier__breaks_when_a_waiter_is_killed},
    {"breaks_when_one_is_killed_that_was_to_come",
     test_barrier__breaks_when_one_is_killed_that_was_to_come},
    {"breaks_when_a_killed_one_is_joined_first",
     test_barrier__breaks_when_a_killed_one_is_joined_first},
    {"breaks_when_one_is_killed_at_its_start",
     test_barrier__breaks_when_one_is_killed_at_its_start},
    {"stands_when_one_ends", test_barrier__stands_when_one_ends},
    {"leaves_nothing", test_barrier__leaves_nothing},
};

PROCESS_TEST_MAIN("object.barrier", cases)
