/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_rwlock.c: a process killed at every instruction of what it does with an rwlock, a once, a
 * latch or a word that others wait for. The victim is a copy of the test by fork, and has its handles.
 */
#include "base/atomic.h"
#include "family/ops.h"
#include "family/thread.h"
#include "object/marks.h"
#include "stress/stepkill.h"
#include "stress/survivor.h"
#include "support/testlib.h"

#include "base/compiler.h"
#include "platform.h"

#include <pthread.h>

#define BRIEF mproc_milliseconds(10)

static mproc_rwlock *rwlock;
static mproc_once *once;
static mproc_latch *latch;
static mproc_block *block;

/* ---- rwlocks --------------------------------------------------------------------------------- */

static int take_read(void)
{
    return mproc_rwlock_acquire_read(rwlock, SURVIVOR_LIMIT);
}

static int take_write(void)
{
    return mproc_rwlock_acquire_write(rwlock, SURVIVOR_LIMIT);
}

static int use_read(void)
{
    int rc = take_read();
    return rc < 0 || mproc_rwlock_release(rwlock) == 0 ? rc : -1;
}

static int use_write(void)
{
    int rc = take_write();
    return rc < 0 || mproc_rwlock_release(rwlock) == 0 ? rc : -1;
}

static void acquire_read(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(take_read() >= 0);
}

static void acquire_write(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(take_write() >= 0);
}

static void release(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_rwlock_release(rwlock) == 0);
}

static void fail_to_read(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_rwlock_acquire_read(rwlock, BRIEF) == MPROC_ETIMEDOUT);
}

static void fail_to_write(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_rwlock_acquire_write(rwlock, BRIEF) == MPROC_ETIMEDOUT);
}

static void make_rwlock(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc_rwlock_create(&rwlock), 0);
}

static void make_dead_read(void)
{
    make_rwlock();
    survivor_die(take_read);
}

static void make_dead_write(void)
{
    make_rwlock();
    survivor_die(take_write);
}

static void make_read(void)
{
    make_rwlock();
    CU_ASSERT_EQUAL(take_read(), MPROC_OK);
}

static void make_written(void)
{
    make_rwlock();
    CU_ASSERT_EQUAL(take_write(), MPROC_OK);
}

static void close_rwlock(void)
{
    mproc_rwlock_close(rwlock);
}

/* All are told of a death until a writer has been: if they must be (1), must not (0), or may be (-1). */
static void check_rwlock(int must_be_told)
{
    mproc_rwlock_info info;
    int rc = use_read();
    CU_ASSERT_FATAL(rc == MPROC_OK || rc == MPROC_OWNER_DIED);
    CU_ASSERT(must_be_told < 0 || rc == (must_be_told ? MPROC_OWNER_DIED : MPROC_OK));
    CU_ASSERT_EQUAL(use_read(), rc);
    CU_ASSERT_EQUAL(use_write(), rc);
    CU_ASSERT_EQUAL(mproc_rwlock_get_info(rwlock, &info), 0);
    CU_ASSERT(info.n_readers == 0 && info.writer_pid == 0 && !info.is_suspect);
    CU_ASSERT(rc == MPROC_OK || (info.deaths > 0 && info.deaths <= 2));
    CU_ASSERT_EQUAL(use_write(), MPROC_OK);
    CU_ASSERT_EQUAL(use_read(), MPROC_OK);
}

/* No reader's death is anything to be told of, nor that of one who only waited to write. */
static void after_read(bool is_done)
{
    (void)is_done;
    check_rwlock(0);
}

static void after_write(bool is_done)
{
    check_rwlock(is_done ? 1 : -1);
}

static void after_dead_write(bool is_done)
{
    (void)is_done;
    check_rwlock(1);
}

static void wait_to_write(void)
{
    survivor_start(0, use_write);
    survivor_await_asleep(1);
}

static void after_release_read(bool is_done)
{
    CU_ASSERT_EQUAL(survivor_end(0), MPROC_OK);
    after_read(is_done);
}

static void wait_for_both(void)
{
    survivor_start(0, use_write);
    survivor_await_asleep(1);
    survivor_start(1, use_read);
    survivor_await_asleep(2);
}

/* The reader goes first, and what it is told the writer is told, too. */
static void after_release_write(bool is_done)
{
    int rc = survivor_end(1);
    CU_ASSERT(rc == MPROC_OK || (rc == MPROC_OWNER_DIED && !is_done));
    CU_ASSERT_EQUAL(survivor_end(0), rc);
    check_rwlock(0);
}

/* Of what the test's own thread holds, others may have a part. */
static void after_failure(bool is_done)
{
    (void)is_done;
    mproc_rwlock_info info;
    CU_ASSERT_EQUAL(mproc_rwlock_get_info(rwlock, &info), 0);
    if (info.writer_pid == 0) {
        survivor_start(0, use_read);
        CU_ASSERT_EQUAL(survivor_end(0), MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), 0);
    check_rwlock(0);
}

static void wait_to_read(void)
{
    survivor_start(0, use_read);
    survivor_await_asleep(1);
}

/* One that waited for the victim, which waited to write behind the test's own thread. */
static void after_failure_with_reader(bool is_done)
{
    CU_ASSERT_EQUAL(mproc_rwlock_release(rwlock), 0);
    CU_ASSERT_EQUAL(survivor_end(0), MPROC_OK);
    after_read(is_done);
}

/* ---- marks ----------------------------------------------------------------------------------- */

static void fill_marks(uint64_t thread)
{
    struct mproc__marks_shm *marks = (void *)((char *)rwlock->object.shm + 64);
    for (size_t i = 0; i < MPROC__MARKS; i++) {
        mproc__store64_release(&marks->mark[i].thread, thread);
    }
}

static uint64_t dead_thread;

static int note_thread(void)
{
    dead_thread = mproc__thread_self();
    return 0;
}

static void make_full(void)
{
    make_rwlock();
    fill_marks(mproc__thread_self());
}

static void make_full_of_dead(void)
{
    make_rwlock();
    survivor_die(note_thread);
    fill_marks(dead_thread);
}

static void after_full(bool is_done)
{
    survivor_start(0, use_read);
    CU_ASSERT_EQUAL(survivor_end(0), MPROC_OK);
    fill_marks(0);
    after_read(is_done);
}

/* ---- onces ----------------------------------------------------------------------------------- */

static int succeed(void *data)
{
    (void)data;
    return 0;
}

static int die_inside(void *data)
{
    (void)data;
    mproc__thread_forget(); // or it would leave in good order
    pthread_exit(NULL);
}

static int call_and_die(void)
{
    return mproc_once_call(once, die_inside, NULL);
}

static void call_once_only(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_once_call(once, succeed, NULL) == 0);
}

static void make_once(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc_once_create(&once), 0);
}

static void make_dead_once(void)
{
    make_once();
    survivor_die(call_and_die);
}

static void after_call(bool is_done)
{
    CU_ASSERT(mproc_once_is_done(once) || !is_done);
    CU_ASSERT_EQUAL(mproc_once_call_within(once, succeed, NULL, SURVIVOR_LIMIT), 0);
    CU_ASSERT(mproc_once_is_done(once));
}

static void close_once(void)
{
    mproc_once_close(once);
}

/* ---- latches --------------------------------------------------------------------------------- */

static int wait_for_latch(void)
{
    return mproc_latch_wait(latch, SURVIVOR_LIMIT);
}

static void count_down(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_latch_count_down(latch, 1) == 0);
}

static void wait_briefly(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_latch_wait(latch, BRIEF) == MPROC_ETIMEDOUT);
}

static void make_latch(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc_latch_create(&latch, 1), 0);
}

/* One may keep the watch, and wake the second; the third needs the alarm. */
static void three_wait(void)
{
    for (int i = 0; i < 3; i++) {
        survivor_start(i, wait_for_latch);
    }
    survivor_await_asleep(3);
}

/* Either the victim has opened it, or it is missed. */
static void after_count_down(bool is_done)
{
    bool is_open = mproc_latch_is_open(latch);
    CU_ASSERT(is_open || !is_done);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(survivor_end(i), is_open ? MPROC_OK : MPROC_EBROKEN);
    }
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 1), is_open ? MPROC_ERANGE : MPROC_OK);
    CU_ASSERT_EQUAL(wait_for_latch(), MPROC_OK);
}

static void after_wait(bool is_done)
{
    (void)is_done;
    CU_ASSERT_EQUAL(mproc_latch_get_count(latch), 1);
    CU_ASSERT_EQUAL(wait_for_latch(), MPROC_EBROKEN);
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 1), MPROC_OK);
    CU_ASSERT_EQUAL(wait_for_latch(), MPROC_OK);
}

static void close_latch(void)
{
    mproc_latch_close(latch);
}

/* ---- words ----------------------------------------------------------------------------------- */

static uint32_t *word(void)
{
    return mproc_block_data(block);
}

static int wait_for_word(void)
{
    return mproc_atomic_wait(word(), 0, SURVIVOR_LIMIT);
}

static void change_word(uint64_t shared)
{
    (void)shared;
    mproc__store32_release(word(), 1);
    CHILD_CHECK(mproc_atomic_notify_all(word()) == 0);
}

static void wait_briefly_for_word(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_atomic_wait(word(), 0, BRIEF) == MPROC_ETIMEDOUT);
}

static void make_word(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, sizeof(uint32_t)), 0);
}

static void three_wait_for_word(void)
{
    for (int i = 0; i < 3; i++) {
        survivor_start(i, wait_for_word);
    }
    survivor_await_asleep(3);
}

static void after_change(bool is_done)
{
    bool has_changed = mproc__load32_acquire(word()) != 0;
    CU_ASSERT(has_changed || !is_done);
    if (!has_changed) {
        mproc__store32_release(word(), 1);
        CU_ASSERT_EQUAL(mproc_atomic_notify_all(word()), 0);
    }
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(survivor_end(i), MPROC_OK);
    }
}

static void after_wait_for_word(bool is_done)
{
    (void)is_done;
    survivor_start(0, wait_for_word);
    survivor_await_asleep(1);
    mproc__store32_release(word(), 1);
    CU_ASSERT_EQUAL(mproc_atomic_notify_one(word()), 0);
    CU_ASSERT_EQUAL(survivor_end(0), MPROC_OK);
}

static void close_word(void)
{
    mproc_block_close(block);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"acquire to read", NULL, acquire_read, PART(make_rwlock, NULL, after_read, close_rwlock)},
    {"acquire to read again", acquire_read, acquire_read,
     PART(make_rwlock, NULL, after_read, close_rwlock)},
    {"acquire to read from a dead writer", NULL, acquire_read,
     PART(make_dead_write, NULL, after_dead_write, close_rwlock)},
    {"wait to read", NULL, fail_to_read, PART(make_written, NULL, after_failure, close_rwlock)},
    {"release what is read", acquire_read, release,
     PART(make_rwlock, wait_to_write, after_release_read, close_rwlock)},
    {"acquire to write", NULL, acquire_write, PART(make_rwlock, NULL, after_write, close_rwlock)},
    {"acquire to write from a dead reader", NULL, acquire_write,
     PART(make_dead_read, NULL, after_write, close_rwlock)},
    {"acquire to write from a dead writer", NULL, acquire_write,
     PART(make_dead_write, NULL, after_dead_write, close_rwlock)},
    {"wait to write", NULL, fail_to_write, PART(make_read, NULL, after_failure, close_rwlock)},
    {"wait to write beside who waits to read", NULL, fail_to_write,
     PART(make_written, wait_to_read, after_failure_with_reader, close_rwlock)},
    {"release what is written", acquire_write, release,
     PART(make_rwlock, wait_for_both, after_release_write, close_rwlock)},
    {"leave a mark in a new block", NULL, acquire_read,
     PART(make_full, NULL, after_full, close_rwlock)},
    {"leave a mark in place of a dead one's", NULL, acquire_read,
     PART(make_full_of_dead, NULL, after_full, close_rwlock)},
    {"call a once", NULL, call_once_only, PART(make_once, NULL, after_call, close_once)},
    {"take a once over", NULL, call_once_only, PART(make_dead_once, NULL, after_call, close_once)},
    {"count a latch down", NULL, count_down,
     PART(make_latch, three_wait, after_count_down, close_latch)},
    {"wait for a latch", NULL, wait_briefly, PART(make_latch, NULL, after_wait, close_latch)},
    {"change a word", NULL, change_word,
     PART(make_word, three_wait_for_word, after_change, close_word)},
    {"wait for a word", NULL, wait_briefly_for_word,
     PART(make_word, NULL, after_wait_for_word, close_word)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_rwlock", 12000);
}
