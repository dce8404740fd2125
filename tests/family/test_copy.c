/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_copy.c: copies of a process by the application's own fork(). POSIX only.
 */
#include "family/block.h"
#include "family/check.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/member.h"
#include "mproc/mproc.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_THREADS 8

/* Run `fn` in a copy; how it ended. */
static int run_copy(void (*fn)(void))
{
    int status = -1;
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        fn();
        _exit(0);
    }
    CU_ASSERT_FATAL(pid > 0);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    return status;
}

static void be_killed(void)
{
    mproc__hold hold;
    CHILD_CHECK(mproc__family_enter() == 0);
    CHILD_CHECK(mproc__self_id() != mproc__shm()->root);
    CHILD_CHECK(mproc__block_create(MPROC__KIND_TEST, 100000, 0, false, &hold) == 0);
    (void)kill(getpid(), SIGKILL);
}

/* A bug once: a copy that nobody of the family had started was buried by nobody. */
static void test_copy__is_buried(void)
{
    const check_figures before = check_read();
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(run_copy(be_killed), SIGKILL);
        mproc__member_sweep();
        CHECK_FAMILY();
        CHECK_BACK_TO(before);
    }
}

static void *enter(void *barrier)
{
    (void)pthread_barrier_wait(barrier);
    CHILD_CHECK(mproc__family_enter() == 0);
    return NULL;
}

static void enter_with_threads(void)
{
    pthread_barrier_t barrier;
    pthread_t threads[N_THREADS];
    const uint64_t before = mproc__shm()->used_members;
    CHILD_CHECK(pthread_barrier_init(&barrier, NULL, N_THREADS) == 0);
    for (int i = 0; i < N_THREADS; i++) {
        CHILD_CHECK(pthread_create(&threads[i], NULL, enter, &barrier) == 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        CHILD_CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHILD_CHECK(mproc__shm()->used_members == before + 1);
}

/* A bug once: each of its threads that came first made a member of its own. */
static void test_copy__is_one_member(void)
{
    const check_figures before = check_read();
    for (long i = 0; i < testlib_count(50, 2000); i++) {
        CU_ASSERT_EQUAL(run_copy(enter_with_threads), 0);
        mproc__member_sweep();
    }
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void use_handle(void)
{
    mproc_block *block;
    CHILD_CHECK(mproc_block_create(&block, 100) == 0);
    mproc_block_close(block);
}

/* Handles that it saw in its parent are the parent's. */
static mproc_block *parents;

static void close_parents(void)
{
    use_handle();
    mproc_block_close(parents);
}

static void test_copy__does_not_close_its_parents_handles(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&parents, 60 << 20), 0);
    char *data = mproc_block_data(parents);
    data[(60 << 20) - 1] = 7;
    CU_ASSERT_EQUAL(run_copy(close_parents), 0);
    mproc__member_sweep();
    CU_ASSERT_EQUAL(data[(60 << 20) - 1], 7);
    CHECK_FAMILY();
    mproc_block_close(parents);
}

static void child(int argc, char **argv)
{
    if (mproc_main(argc, argv) < 0) {
        exit(EXIT_FAILURE);
    }
    check_widen(70);
}

static const testlib_case cases[] = {
    {"is_buried", test_copy__is_buried},
    {"is_one_member", test_copy__is_one_member},
    {"does_not_close_its_parents_handles", test_copy__does_not_close_its_parents_handles},
};

TESTLIB_MAIN_CHILD("family.copy", cases, child)
