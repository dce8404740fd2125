/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_named.c: a process killed at every instruction of what it does with a lock by name: of its
 * making, too, and of its going. The victim is a copy of the test by fork, and has its handles.
 */
#include "family/ops.h"
#include "stress/stepkill.h"
#include "stress/survivor.h"
#include "support/testlib.h"

#include "base/compiler.h"
#include "family/family.h"
#include "family/guard.h"
#include "platform.h"

#include <stdio.h>
#include <sys/stat.h>

static mproc_named_lock *lock;

/** A name that no other test has; the victims', too, whose family is the test's. */
static const char *name(void)
{
    static char text[64];
    if (text[0] == '\0') {
        (void)snprintf(text, sizeof(text), "test_mproc_step_%lld", (long long)mplat_pid());
    }
    return text;
}

static bool is_there(void)
{
    char path[128];
    struct stat file;
    (void)snprintf(path, sizeof(path), "/dev/shm/lock.%s", name());
    return lstat(path, &file) == 0;
}

static int take(void)
{
    return mproc_named_lock_acquire(lock, SURVIVOR_LIMIT);
}

static int use(void)
{
    int rc = take();
    return rc < 0 || mproc_named_lock_release(lock) == 0 ? rc : -1;
}

/* ---- the victim's ---------------------------------------------------------------------------- */

static void acquire(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(take() >= 0);
}

static void release(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_named_lock_release(lock) == 0);
}

static void open_it(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_named_lock_open(&lock, name(), NULL) == 0);
}

/** Its whole life. */
static void come_and_go(uint64_t shared)
{
    open_it(shared);
    acquire(shared);
    mproc_named_lock_close(lock);
}

static void close_it(uint64_t shared)
{
    (void)shared;
    mproc_named_lock_close(lock);
}

/* ---- the test's ------------------------------------------------------------------------------ */

static void make(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc_named_lock_open(&lock, name(), NULL), 0);
}

static void make_dead(void)
{
    make();
    survivor_die(take);
}

static void unmake(void)
{
    mproc_named_lock_close(lock);
    CU_ASSERT_FALSE(is_there());
}

/** What is done the first time only is not the victim's to do, nor kept from one to the next. */
static void warm_up(void)
{
    make();
    unmake();
}

static void check(int must_be_told)
{
    int rc = use();
    CU_ASSERT(rc == MPROC_OK || rc == MPROC_OWNER_DIED);
    CU_ASSERT(must_be_told < 0 || rc == (must_be_told ? MPROC_OWNER_DIED : MPROC_OK));
    CU_ASSERT_EQUAL(use(), MPROC_OK);
}

static void after_acquire(bool is_done)
{
    check(is_done ? 1 : -1);
}

/** Who has not had it is not told of. */
static void after_mere_open(bool is_done)
{
    (void)is_done;
    check(0);
}

static void after_inherit(bool is_done)
{
    (void)is_done;
    check(1);
}

static void wait_for_it(void)
{
    survivor_start(0, use);
}

static void after_release(bool is_done)
{
    int rc = survivor_end(0);
    CU_ASSERT(rc == MPROC_OK || (!is_done && rc == MPROC_OWNER_DIED));
    CU_ASSERT_EQUAL(use(), MPROC_OK);
}

/** Whoever wants the name has it, at once, while the victim may still be on its way out. */
static void after_open(bool is_done)
{
    (void)is_done;
    make();
    check(-1);
    mproc_named_lock_close(lock);
}

static void bury(void)
{
    mproc__family_lock();
    mproc__family_unlock();
}

/** The victim's family has removed it. */
static void unmake_open(void)
{
    bury();
    CU_ASSERT_FALSE(is_there());
}

/* ---- the table ------------------------------------------------------------------------------- */

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"acquire", NULL, acquire, PART(make, NULL, after_acquire, unmake)},
    {"take over", NULL, acquire, PART(make_dead, NULL, after_inherit, unmake)},
    {"release", acquire, release, PART(make, wait_for_it, after_release, unmake)},
    {"make", NULL, open_it, PART(warm_up, NULL, after_open, unmake_open)},
    {"open", NULL, open_it, PART(make, NULL, after_mere_open, unmake)},
    {"come and go", NULL, come_and_go, PART(warm_up, NULL, after_open, unmake_open)},
    {"close as the last user", open_it, close_it, PART(warm_up, NULL, after_open, unmake_open)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    (void)name(); // before there are copies, which have other numbers
    return stepkill_main(argc, argv, "stress.stepkill_named", 2000);
}
