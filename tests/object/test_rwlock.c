/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rwlock.c: mproc_rwlock between processes.
 */
#include "object/sync_test.h"

#include <apr_general.h>

static mproc_rwlock *make_rwlock(void)
{
    mproc_rwlock *rwlock = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_rwlock_create(&rwlock), MPROC_OK);
    return rwlock;
}

static mproc_rwlock_info info_of(const mproc_rwlock *rwlock)
{
    mproc_rwlock_info info = {.n_readers = UINT32_MAX};
    CU_ASSERT_EQUAL(mproc_rwlock_get_info(rwlock, &info), MPROC_OK);
    return info;
}

/** Nobody has it, and it can be had either way. */
static void check_free(mproc_rwlock *rwlock)
{
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(rwlock, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(rwlock, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    mproc_rwlock_info info = info_of(rwlock);
    CU_ASSERT(info.n_readers == 0 && info.writer_pid == 0 && !info.is_suspect);
}

static void test_rwlock__is_acquired_and_released(void)
{
    mproc_rwlock *rwlock = make_rwlock();
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(rwlock, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(info_of(rwlock).writer_pid, mplat_pid());
    CU_ASSERT_EQUAL(info_of(rwlock).n_readers, 0);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(rwlock, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(info_of(rwlock).n_readers, 1);
    CU_ASSERT_EQUAL(info_of(rwlock).writer_pid, 0);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_ESTATE);
    check_free(rwlock);
    mproc_rwlock_close(rwlock);
}

static void test_rwlock__refuses_null(void)
{
    mproc_rwlock_info info;
    CU_ASSERT_EQUAL(mproc_rwlock_create(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_rwlock_release(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_rwlock_get_info(NULL, &info), MPROC_EINVAL);
    mproc_rwlock_close(NULL);
}

/** Where it would wait for itself, a thread is told; reading it may go on to read. */
static void test_rwlock__knows_its_holder(void)
{
    mproc_rwlock *rwlock = make_rwlock();
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(rwlock, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(rwlock, MPROC_FOREVER), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(rwlock, MPROC_FOREVER), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(rwlock, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(rwlock, MPROC_FOREVER), MPROC_ESTATE);
        CU_ASSERT_EQUAL(info_of(rwlock).n_readers, 1);
    }
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(info_of(rwlock).n_readers, 1);
        CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_ESTATE);
    check_free(rwlock);
    mproc_rwlock_close(rwlock);
}

/* ---- many read, or one writes ------------------------------------------------------------------ */

enum { A, B, ARRIVED, ORDER, GO, N_WORDS }; /* a and b are equal, but while somebody writes */

static int try_it(const mproc_args *args)
{
    mproc_rwlock *rwlock;
    bool can_read;
    CHILD_CHECK(MPROC_UNPACK(args, &rwlock, &can_read) == 0);
    CHILD_CHECK(mproc_rwlock_release(rwlock) == MPROC_ESTATE);
    CHILD_CHECK(mproc_rwlock_acquire_write(rwlock, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_rwlock_acquire_write(rwlock, BRIEF) == MPROC_ETIMEDOUT);
    int expected = can_read ? MPROC_OK : MPROC_ETIMEDOUT;
    CHILD_CHECK(mproc_rwlock_acquire_read(rwlock, MPROC_NOWAIT) == expected);
    CHILD_CHECK(mproc_rwlock_release(rwlock) == (can_read ? MPROC_OK : MPROC_ESTATE));
    CHILD_CHECK(mproc_rwlock_acquire_read(rwlock, BRIEF) == expected);
    CHILD_CHECK(mproc_rwlock_release(rwlock) == (can_read ? MPROC_OK : MPROC_ESTATE));
    return 0;
}

static void test_rwlock__is_shared_by_readers_alone(void)
{
    mproc_rwlock *rwlock = make_rwlock();
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(rwlock, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(try_it, MPROC_ARGS(rwlock, true))), 0);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(rwlock, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(try_it, MPROC_ARGS(rwlock, false))), 0);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    check_free(rwlock);
    mproc_rwlock_close(rwlock);
}

static void write_once(mproc_rwlock *rwlock, uint32_t *words, bool is_long)
{
    CHILD_CHECK(mproc_rwlock_acquire_write(rwlock, MPROC_FOREVER) == 0);
    CHILD_CHECK(words[A] == words[B]);
    words[A]++;
    if (is_long) {
        apr_thread_yield(); // long enough that others go to sleep
    }
    words[B]++;
    CHILD_CHECK(mproc_rwlock_release(rwlock) == 0);
}

static void read_once(mproc_rwlock *rwlock, const uint32_t *words, bool is_long)
{
    CHILD_CHECK(mproc_rwlock_acquire_read(rwlock, MPROC_FOREVER) == 0);
    uint32_t a = words[A];
    if (is_long) {
        apr_thread_yield();
    }
    CHILD_CHECK(words[B] == a && words[A] == a);
    CHILD_CHECK(mproc_rwlock_release(rwlock) == 0);
}

static int use_it(const mproc_args *args)
{
    mproc_rwlock *rwlock;
    mproc_block *block;
    int count;
    int every; // so many is a write
    CHILD_CHECK(MPROC_UNPACK(args, &rwlock, &block, &count, &every) == 0);
    switch_slices_off();
    for (int i = 0; i < count; i++) {
        (i % every == 0 ? write_once(rwlock, words_of(block), i % 32 == 0)
                        : read_once(rwlock, words_of(block), i % 32 == 1));
    }
    return 0;
}

/** With slices off, a wake that is lost hangs the test. */
static void test_rwlock__lets_many_read_or_one_write(void)
{
    static const int every[] = {1, 2, 2, 10};
    mproc_process *children[4];
    mproc_rwlock *rwlock = make_rwlock();
    mproc_block *block = make_words(N_WORDS);
    int count = (int)testlib_count(3000, 300000);
    uint32_t n_writes = 0;
    for (size_t i = 0; i < 4; i++) {
        children[i] = start(use_it, MPROC_ARGS(rwlock, block, count, every[i]));
        n_writes += (uint32_t)(count / every[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    CU_ASSERT_EQUAL(words_of(block)[A], n_writes);
    CU_ASSERT_EQUAL(words_of(block)[B], n_writes);
    check_free(rwlock);
    mproc_block_close(block);
    mproc_rwlock_close(rwlock);
}

/* ---- turns ------------------------------------------------------------------------------------- */

static int acquire(mproc_rwlock *rwlock, bool writes, mproc_timeout timeout)
{
    return writes ? mproc_rwlock_acquire_write(rwlock, timeout)
                  : mproc_rwlock_acquire_read(rwlock, timeout);
}

/** 10 * the status of its acquire + its place among those who got it. */
static int wait_for_it(const mproc_args *args)
{
    mproc_rwlock *rwlock;
    mproc_block *block;
    bool writes;
    CHILD_CHECK(MPROC_UNPACK(args, &rwlock, &block, &writes) == 0);
    add_word(&words_of(block)[ARRIVED]);
    int rc = acquire(rwlock, writes, LIMIT);
    CHILD_CHECK(rc >= 0);
    int place = (int)mproc__add32(&words_of(block)[ORDER], 1);
    CHILD_CHECK(mproc_rwlock_release(rwlock) == 0);
    return 10 * rc + place;
}

static void test_rwlock__a_waiting_writer_holds_readers_up(void)
{
    mproc_rwlock *rwlock = make_rwlock();
    mproc_block *block = make_words(N_WORDS);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(rwlock, MPROC_FOREVER), MPROC_OK);
    mproc_process *writer = start(wait_for_it, MPROC_ARGS(rwlock, block, true));
    CU_ASSERT(await_asleep(1));
    mproc_process *reader = start(wait_for_it, MPROC_ARGS(rwlock, block, false));
    CU_ASSERT(await_asleep(2));
    CU_ASSERT_EQUAL(info_of(rwlock).n_readers, 1);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(rwlock, MPROC_NOWAIT), MPROC_OK); // once more
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    CU_ASSERT_EQUAL(words_of(block)[ORDER], 0);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(writer), 0);
    CU_ASSERT_EQUAL(end_of(reader), 1);
    check_free(rwlock);
    mproc_block_close(block);
    mproc_rwlock_close(rwlock);
}

static void test_rwlock__readers_who_waited_go_before_the_next_writer(void)
{
    mproc_process *readers[3];
    mproc_rwlock *rwlock = make_rwlock();
    mproc_block *block = make_words(N_WORDS);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(rwlock, MPROC_FOREVER), MPROC_OK);
    mproc_process *writer = start(wait_for_it, MPROC_ARGS(rwlock, block, true));
    CU_ASSERT(await_asleep(1));
    for (size_t i = 0; i < 3; i++) {
        readers[i] = start(wait_for_it, MPROC_ARGS(rwlock, block, false));
    }
    CU_ASSERT(await_asleep(4));
    CU_ASSERT_EQUAL(info_of(rwlock).n_readers, 0);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(readers[0]) + end_of(readers[1]) + end_of(readers[2]), 0 + 1 + 2);
    CU_ASSERT_EQUAL(end_of(writer), 3);
    check_free(rwlock);
    mproc_block_close(block);
    mproc_rwlock_close(rwlock);
}

static void test_rwlock__who_gives_up_holds_nobody_up(void)
{
    mproc_rwlock *rwlock = make_rwlock();
    mproc_block *block = make_words(N_WORDS);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(rwlock, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(try_it, MPROC_ARGS(rwlock, true))), 0);
    CU_ASSERT_EQUAL(end_of(start(wait_for_it, MPROC_ARGS(rwlock, block, false))), 0);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    check_free(rwlock);
    mproc_block_close(block);
    mproc_rwlock_close(rwlock);
}

/* ---- death ------------------------------------------------------------------------------------- */

static int hold_it(const mproc_args *args)
{
    mproc_rwlock *rwlock;
    mproc_block *block;
    bool writes;
    CHILD_CHECK(MPROC_UNPACK(args, &rwlock, &block, &writes) == 0);
    CHILD_CHECK(acquire(rwlock, writes, MPROC_FOREVER) >= 0);
    add_word(&words_of(block)[ARRIVED]);
    return stay();
}

/** Ends with it; what its acquire returned. */
static int end_with_it(const mproc_args *args)
{
    mproc_rwlock *rwlock;
    bool writes;
    CHILD_CHECK(MPROC_UNPACK(args, &rwlock, &writes) == 0);
    return acquire(rwlock, writes, LIMIT);
}

static mproc_process *start_holder(mproc_rwlock *rwlock, mproc_block *block, bool writes)
{
    uint32_t n = mproc__load32_acquire(&words_of(block)[ARRIVED]);
    mproc_process *holder = start(hold_it, MPROC_ARGS(rwlock, block, writes));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], n + 1));
    return holder;
}

/** Readers are told until a writer has been told and has released it. */
static void check_suspect(mproc_rwlock *rwlock)
{
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(rwlock, LIMIT), MPROC_OWNER_DIED);
        CU_ASSERT(info_of(rwlock).is_suspect);
        CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(rwlock, LIMIT), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    check_free(rwlock);
}

static void test_rwlock__of_a_killed_writer_is_suspect(void)
{
    mproc_rwlock *rwlock = make_rwlock();
    mproc_block *block = make_words(N_WORDS);
    for (uint64_t i = 1; i <= 3; i++) {
        mproc_process *holder = start_holder(rwlock, block, true);
        int64_t pid = mproc_process_pid(holder);
        CU_ASSERT_EQUAL(info_of(rwlock).writer_pid, pid);
        CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(rwlock, MPROC_NOWAIT), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mproc_process_kill(holder), MPROC_OK);
        CU_ASSERT_EQUAL(end_of(holder), CODE_KILLED);
        if (i == 2) { // a writer comes first
            CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(rwlock, MPROC_NOWAIT), MPROC_OWNER_DIED);
            CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
            check_free(rwlock);
        } else {
            check_suspect(rwlock);
        }
        mproc_rwlock_info info = info_of(rwlock);
        CU_ASSERT(info.deaths == i && info.dead_pid == pid && info.writer_pid == 0);
    }
    mproc_block_close(block);
    mproc_rwlock_close(rwlock);
}

static void test_rwlock__of_a_writer_that_ended_is_suspect(void)
{
    mproc_rwlock *rwlock = make_rwlock();
    CU_ASSERT_EQUAL(end_of(start(end_with_it, MPROC_ARGS(rwlock, true))), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(end_with_it, MPROC_ARGS(rwlock, false))), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(end_of(start(end_with_it, MPROC_ARGS(rwlock, true))), MPROC_OWNER_DIED);
    check_suspect(rwlock); // its heir, too, ended with it
    mproc_rwlock_close(rwlock);
}

static void test_rwlock__who_waits_gets_it_from_a_dead_writer(void)
{
    mproc_process *heirs[3];
    mproc_rwlock *rwlock = make_rwlock();
    mproc_block *block = make_words(N_WORDS);
    mproc_process *holder = start_holder(rwlock, block, true);
    for (size_t i = 0; i < 3; i++) {
        heirs[i] = start(wait_for_it, MPROC_ARGS(rwlock, block, false));
    }
    CU_ASSERT(await_asleep(3));
    CU_ASSERT_EQUAL(mproc_process_kill(holder), MPROC_OK);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(end_of(heirs[i]) / 10, MPROC_OWNER_DIED);
    }
    CU_ASSERT_EQUAL(end_of(holder), CODE_KILLED);
    check_suspect(rwlock);
    holder = start_holder(rwlock, block, true);
    heirs[0] = start(wait_for_it, MPROC_ARGS(rwlock, block, true));
    CU_ASSERT(await_asleep(1));
    CU_ASSERT_EQUAL(mproc_process_kill(holder), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(heirs[0]) / 10, MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(end_of(holder), CODE_KILLED);
    check_free(rwlock);
    mproc_block_close(block);
    mproc_rwlock_close(rwlock);
}

static void test_rwlock__of_killed_readers_is_free(void)
{
    mproc_process *readers[3];
    mproc_rwlock *rwlock = make_rwlock();
    mproc_block *block = make_words(N_WORDS);
    for (size_t i = 0; i < 3; i++) {
        readers[i] = start_holder(rwlock, block, false);
    }
    CU_ASSERT_EQUAL(info_of(rwlock).n_readers, 3);
    mproc_process *writer = start(wait_for_it, MPROC_ARGS(rwlock, block, true));
    CU_ASSERT(await_asleep(1));
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(words_of(block)[ORDER], 0);
        CU_ASSERT_EQUAL(mproc_process_kill(readers[i]), MPROC_OK);
        CU_ASSERT_EQUAL(end_of(readers[i]), CODE_KILLED);
    }
    CU_ASSERT_EQUAL(end_of(writer), 0); // and told nothing
    CU_ASSERT_EQUAL(end_of(start(end_with_it, MPROC_ARGS(rwlock, false))), MPROC_OK);
    CU_ASSERT_EQUAL(info_of(rwlock).n_readers, 0);
    check_free(rwlock);
    CU_ASSERT_EQUAL(info_of(rwlock).deaths, 0);
    mproc_block_close(block);
    mproc_rwlock_close(rwlock);
}

/** Neither a writer that has closed the gate, nor a reader in front of it. */
static void test_rwlock__a_killed_waiter_holds_nobody_up(void)
{
    mproc_rwlock *rwlock = make_rwlock();
    mproc_block *block = make_words(N_WORDS);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_read(rwlock, MPROC_FOREVER), MPROC_OK);
    mproc_process *writer = start(wait_for_it, MPROC_ARGS(rwlock, block, true));
    CU_ASSERT(await_asleep(1));
    mproc_process *reader = start(wait_for_it, MPROC_ARGS(rwlock, block, false));
    CU_ASSERT(await_asleep(2));
    CU_ASSERT_EQUAL(mproc_process_kill(writer), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(reader), 0); // nobody has written
    CU_ASSERT_EQUAL(end_of(writer), CODE_KILLED);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(rwlock, MPROC_FOREVER), MPROC_OK);
    reader = start(wait_for_it, MPROC_ARGS(rwlock, block, false));
    CU_ASSERT(await_asleep(1));
    CU_ASSERT_EQUAL(mproc_process_kill(reader), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(reader), CODE_KILLED);
    check_free(rwlock);
    CU_ASSERT_EQUAL(info_of(rwlock).deaths, 0);
    mproc_block_close(block);
    mproc_rwlock_close(rwlock);
}

/* ---- threads ----------------------------------------------------------------------------------- */

#define N_THREADS 150 /* more than marks in the lock itself and in its first block */

static mproc_rwlock *shared;
static uint32_t *shared_words;

static void *APR_THREAD_FUNC read_with_all(apr_thread_t *thread, void *arg)
{
    (void)arg;
    CHILD_CHECK(mproc_rwlock_acquire_read(shared, MPROC_FOREVER) == 0);
    add_word(&shared_words[ARRIVED]);
    CHILD_CHECK(await_word(&shared_words[GO], 1));
    CHILD_CHECK(mproc_rwlock_release(shared) == 0);
    CHILD_CHECK(mproc_rwlock_release(shared) == MPROC_ESTATE);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_rwlock__has_room_for_all_readers(void)
{
    apr_pool_t *pool;
    apr_status_t unused;
    static apr_thread_t *threads[N_THREADS];
    mproc_block_close(make_words(1)); // the first block of all makes a ledger
    mproc_arena_stats before = settled_stats();
    mproc_block *block = make_words(N_WORDS);
    shared = make_rwlock();
    shared_words = words_of(block);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (size_t i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, read_with_all, NULL, pool),
                              APR_SUCCESS);
    }
    CU_ASSERT(await_word(&shared_words[ARRIVED], N_THREADS));
    CU_ASSERT_EQUAL(info_of(shared).n_readers, N_THREADS);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(shared, BRIEF), MPROC_ETIMEDOUT);
    set_word(&shared_words[GO], 1);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(shared, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rwlock_release(shared), MPROC_OK);
    for (size_t i = 0; i < N_THREADS; i++) {
        (void)apr_thread_join(&unused, threads[i]);
    }
    check_free(shared);
    mproc_rwlock_close(shared);
    mproc_block_close(block);
    apr_pool_destroy(pool);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void *APR_THREAD_FUNC read_and_end(apr_thread_t *thread, void *arg)
{
    CHILD_CHECK(mproc_rwlock_acquire_read(shared, MPROC_FOREVER) == 0);
    add_word(&shared_words[ARRIVED]);
    CHILD_CHECK(await_asleep(1));
    (void)arg;
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_rwlock__of_a_thread_that_ended_is_free(void)
{
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_status_t unused;
    mproc_block *block = make_words(N_WORDS);
    shared = make_rwlock();
    shared_words = words_of(block);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, read_and_end, NULL, pool), APR_SUCCESS);
    CU_ASSERT(await_word(&shared_words[ARRIVED], 1));
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(shared, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rwlock_release(shared), MPROC_OK);
    (void)apr_thread_join(&unused, thread);
    check_free(shared);
    mproc_rwlock_close(shared);
    mproc_block_close(block);
    apr_pool_destroy(pool);
}

/* ---- values ------------------------------------------------------------------------------------ */

static void test_rwlock__travels_in_values(void)
{
    mproc_block_close(make_words(1)); // the first block of all makes a ledger
    mproc_arena_stats before = settled_stats();
    mproc_rwlock *rwlock = make_rwlock();
    mproc_rwlock *again = NULL;
    CU_ASSERT_EQUAL(mproc_rwlock_attach(&again, rwlock), MPROC_OK);
    mproc_rwlock_close(rwlock);
    CU_ASSERT_EQUAL(mproc_rwlock_acquire_write(again, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(try_it, MPROC_ARGS(again, false))), 0);
    CU_ASSERT_EQUAL(mproc_rwlock_attach(&rwlock, NULL), MPROC_EINVAL);
    mproc_rwlock_close(again);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"is_acquired_and_released", test_rwlock__is_acquired_and_released},
    {"refuses_null", test_rwlock__refuses_null},
    {"knows_its_holder", test_rwlock__knows_its_holder},
    {"is_shared_by_readers_alone", test_rwlock__is_shared_by_readers_alone},
    {"lets_many_read_or_one_write", test_rwlock__lets_many_read_or_one_write},
    {"a_waiting_writer_holds_readers_up", test_rwlock__a_waiting_writer_holds_readers_up},
    {"readers_who_waited_go_before_the_next_writer",
     test_rwlock__readers_who_waited_go_before_the_next_writer},
    {"who_gives_up_holds_nobody_up", test_rwlock__who_gives_up_holds_nobody_up},
    {"of_a_killed_writer_is_suspect", test_rwlock__of_a_killed_writer_is_suspect},
    {"of_a_writer_that_ended_is_suspect", test_rwlock__of_a_writer_that_ended_is_suspect},
    {"who_waits_gets_it_from_a_dead_writer", test_rwlock__who_waits_gets_it_from_a_dead_writer},
    {"of_killed_readers_is_free", test_rwlock__of_killed_readers_is_free},
    {"a_killed_waiter_holds_nobody_up", test_rwlock__a_killed_waiter_holds_nobody_up},
    {"has_room_for_all_readers", test_rwlock__has_room_for_all_readers},
    {"of_a_thread_that_ended_is_free", test_rwlock__of_a_thread_that_ended_is_free},
    {"travels_in_values", test_rwlock__travels_in_values},
};

PROCESS_TEST_MAIN("object.rwlock", cases)
