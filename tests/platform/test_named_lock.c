/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_named_lock.c: locks by name: one of a name, one holder, and deaths that are told.
 */
#include "platform/child.h"

#include <stdio.h>
#ifndef _WIN32
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

enum { HOLD, HOLD_AND_END, WAIT_FOR_IT };

#define BRIEF ((int64_t)20 * 1000000)

static const mplat_named_lock none = {.segment = {.user = {-1}, .more = {-1}}, .object = {-1}};

static const char *name_of(int64_t pid)
{
    static char name[64];
    (void)snprintf(name, sizeof(name), "lock.test_mplat_%lld", (long long)pid);
    return name;
}

static const char *own_name(void)
{
    return name_of(mplat_pid());
}

/* ---- roles ----------------------------------------------------------------------------------- */

static int hold(unsigned me)
{
    mplat_named_lock lock = none;
    (void)me;
    CHILD_CHECK(mplat_named_lock_open(name_of(child_parent.who.pid), 0600, 0, &lock) == 0);
    CHILD_CHECK(mplat_named_lock_acquire(&lock, child_deadline()) == 0);
    child_say_ready();
    return child_stay();
}

static int hold_and_end(unsigned me)
{
    mplat_named_lock lock = none;
    (void)me;
    CHILD_CHECK(mplat_named_lock_open(name_of(child_parent.who.pid), 0600, 0, &lock) == 0);
    CHILD_CHECK(mplat_named_lock_acquire(&lock, child_deadline()) == 0);
    return 7;
}

/** Get it from the parent, who releases it. */
static int wait_for_it(unsigned me)
{
    mplat_named_lock lock = none;
    (void)me;
    CHILD_CHECK(mplat_named_lock_open(name_of(child_parent.who.pid), 0600, shm->number[0], &lock) ==
                0);
    CHILD_CHECK(mplat_named_lock_acquire(&lock, 0) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mplat_named_lock_acquire(&lock, mplat_now() + BRIEF) == MPROC_ETIMEDOUT);
    child_say_ready();
    CHILD_CHECK(mplat_named_lock_acquire(&lock, INT64_MAX) == 0);
    CHILD_CHECK(shm->word[1] == 1);
    CHILD_CHECK(mplat_named_lock_release(&lock) == 0);
    mplat_named_lock_close(&lock);
    return 8;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static bool is_there(void)
{
    mplat_named_lock lock = none;
#ifdef _WIN32
    bool is = mplat_named_lock_open(own_name(), 0600, 1, &lock) == 0;
    mplat_named_lock_close(&lock);
    return is;
#else
    char path[128];
    struct stat file;
    (void)lock;
    (void)snprintf(path, sizeof(path), "/dev/shm/%s", own_name());
    return lstat(path, &file) == 0;
#endif
}

/** Close the last handle of it, and see that the name goes. */
static void finish(mplat_named_lock *lock)
{
    mplat_named_lock_close(lock);
    mplat_segment_reap(own_name());
    CU_ASSERT_FALSE(is_there());
}

static void test_named_lock__there_is_one_of_a_name(void)
{
    mplat_named_lock a = none;
    mplat_named_lock b = none;
    CU_ASSERT_EQUAL_FATAL(mplat_named_lock_open(own_name(), 0600, 0, &a), 0);
    CU_ASSERT(a.id != 0 && is_there());
    CU_ASSERT_EQUAL_FATAL(mplat_named_lock_open(own_name(), 0600, 0, &b), 0);
    CU_ASSERT_EQUAL(a.id, b.id);
    mplat_named_lock_close(&a);
    CU_ASSERT(is_there());
    CU_ASSERT_EQUAL_FATAL(mplat_named_lock_open(own_name(), 0600, b.id, &a), 0);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mplat_named_lock_acquire(&a, INT64_MAX), 0);
        CU_ASSERT_EQUAL(mplat_named_lock_release(&a), 0);
    }
    mplat_named_lock_close(&b);
    uint64_t id = a.id;
    finish(&a);
    CU_ASSERT_EQUAL(mplat_named_lock_open(own_name(), 0600, id, &a), MPROC_ENOENT);
}

static void test_named_lock__is_waited_for(void)
{
    mplat_child child;
    mplat_named_lock lock = none;
    child_found();
    CU_ASSERT_EQUAL_FATAL(mplat_named_lock_open(own_name(), 0600, 0, &lock), 0);
    shm->number[0] = lock.id;
    CU_ASSERT_EQUAL(mplat_named_lock_acquire(&lock, INT64_MAX), 0);
    CU_ASSERT_EQUAL_FATAL(child_start(WAIT_FOR_IT, 1, &child), 0);
    CU_ASSERT(child_wait_for(&shm->ready, 1));
    shm->word[1] = 1;
    CU_ASSERT_EQUAL(mplat_named_lock_release(&lock), 0);
    CU_ASSERT_EQUAL(child_join(&child), 8);
    finish(&lock);
    child_end();
}

static void test_named_lock__tells_of_a_death(void)
{
    mplat_child child;
    mplat_named_lock lock = none;
    child_found();
    CU_ASSERT_EQUAL_FATAL(mplat_named_lock_open(own_name(), 0600, 0, &lock), 0);
    for (uint32_t i = 1; i <= 3; i++) {
        CU_ASSERT_EQUAL_FATAL(child_start(HOLD, 1, &child), 0);
        CU_ASSERT(child_wait_for(&shm->ready, i));
        CU_ASSERT_EQUAL(mplat_named_lock_acquire(&lock, 0), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mplat_process_signal(&child.who, MPLAT_KILL), 0);
        CU_ASSERT_EQUAL(mplat_named_lock_acquire(&lock, child_deadline()), 1);
        CU_ASSERT_EQUAL(mplat_named_lock_release(&lock), 0);
        CU_ASSERT_EQUAL(mplat_named_lock_acquire(&lock, 0), 0); // it is told once
        CU_ASSERT_EQUAL(mplat_named_lock_release(&lock), 0);
        (void)child_join(&child);
    }
    CU_ASSERT_EQUAL_FATAL(child_start(HOLD_AND_END, 1, &child), 0);
    CU_ASSERT_EQUAL(child_join(&child), 7);
    CU_ASSERT_EQUAL(mplat_named_lock_acquire(&lock, child_deadline()), 1);
    CU_ASSERT_EQUAL(mplat_named_lock_release(&lock), 0);
    finish(&lock);
    child_end();
}

/** The last user's name can be used at once; where that user's lock is still there, it tells of it. */
static void test_named_lock__of_one_who_died_alone(void)
{
    mplat_child child;
    mplat_named_lock lock = none;
    child_found();
    CU_ASSERT_EQUAL_FATAL(child_start(HOLD, 1, &child), 0);
    CU_ASSERT(child_wait_for(&shm->ready, 1));
    CU_ASSERT_EQUAL(mplat_process_signal(&child.who, MPLAT_KILL), 0);
    (void)child_join(&child);
    CU_ASSERT_EQUAL_FATAL(mplat_named_lock_open(own_name(), 0600, 0, &lock), 0);
#ifdef _WIN32
    CU_ASSERT_EQUAL(mplat_named_lock_acquire(&lock, 0), 0);
#else
    CU_ASSERT_EQUAL(mplat_named_lock_acquire(&lock, 0), 1);
#endif
    CU_ASSERT_EQUAL(mplat_named_lock_release(&lock), 0);
    finish(&lock);
    child_end();
}

static void test_named_lock__refuses_what_is_none(void)
{
    mplat_named_lock lock = none;
#ifdef _WIN32
    mplat_segment segment = {.user = MPLAT_NO_HANDLE, .more = MPLAT_NO_HANDLE};
    const mplat_segment_plan plan = {.size = 40, .mode = 0600};
    CU_ASSERT_EQUAL_FATAL(mplat_segment_create(own_name(), &plan, &segment), 0);
    CU_ASSERT_EQUAL(mplat_named_lock_open(own_name(), 0600, 0, &lock), MPROC_ETYPE);
    mplat_segment_close(&segment);
#else
    // Without a layout, with another one, with or without a user; empty.
    const mplat_segment_plan plans[] = {
        {.size = 40, .mode = 0600},
        {.size = 40, .mode = 0600, .layout = 1},
        {.size = 40, .mode = 0600, .flags = MPLAT_SEGMENT_AUTO},
    };
    for (size_t i = 0; i < MPROC__COUNT(plans); i++) {
        mplat_segment segment = {.user = MPLAT_NO_HANDLE, .more = MPLAT_NO_HANDLE};
        CU_ASSERT_EQUAL_FATAL(mplat_segment_create(own_name(), &plans[i], &segment), 0);
        CU_ASSERT_EQUAL(mplat_named_lock_open(own_name(), 0600, 0, &lock), MPROC_ETYPE);
        CU_ASSERT(strstr(mproc_last_error(), "is no lock") != NULL);
        mplat_segment_close(&segment);
        bool is_left = i == 0; // the others have no user now
        CU_ASSERT_EQUAL(mplat_named_lock_open(own_name(), 0600, 0, &lock),
                        is_left ? MPROC_ETYPE : 0);
        mplat_named_lock_close(&lock);
        lock = none;
        CU_ASSERT_EQUAL(mplat_segment_unlink(own_name(), 0), 0);
    }
    char path[128];
    (void)snprintf(path, sizeof(path), "/dev/shm/%s", own_name());
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fclose(file);
    CU_ASSERT(mplat_named_lock_open(own_name(), 0600, 0, &lock) < 0);
    CU_ASSERT_EQUAL(unlink(path), 0);
#endif
    CU_ASSERT_FALSE(is_there());
}

#ifndef _WIN32
#define NOT_HERE 78

/** Another user: 0 if he can use it, 1 if he is refused. */
static int use_as_another(uint32_t mode)
{
    mplat_named_lock lock = none;
    const char *name = name_of(getppid());
    if (setgid(65534) < 0 || setuid(65534) < 0) {
        return NOT_HERE;
    }
    if (mplat_named_lock_open(name, mode, 0, &lock) == MPROC_EACCES) {
        return 1;
    }
    CHILD_CHECK(mplat_named_lock_acquire(&lock, 0) == 0);
    return 0; // holding it
}

/** The exit code of a copy that calls fn(mode). */
static int code_of(int (*fn)(uint32_t mode), uint32_t mode)
{
    int status = -1;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(fn(mode));
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int ask_another(uint32_t mode)
{
    return code_of(use_as_another, mode);
}

static const char *name_here; /* where numbers of processes are others */

static int use_elsewhere(uint32_t mode)
{
    mplat_named_lock lock = none;
    int rc = mplat_named_lock_open(name_here, mode, 0, &lock);
    if (rc == MPROC_ENOTSUP && strstr(mproc_last_error(), "namespace") != NULL) {
        return 1;
    }
    CHILD_CHECK(rc == 0 && mplat_named_lock_acquire(&lock, 0) == 0);
    return 0;
}

static int go_elsewhere(uint32_t mode)
{
    return unshare(CLONE_NEWPID) < 0 ? NOT_HERE : code_of(use_elsewhere, mode);
}
#endif

static void test_named_lock__is_for_one_pid_namespace(void)
{
#ifdef _WIN32
    testlib_skip("there are no such on this system");
#else
    mplat_named_lock lock = none;
    name_here = own_name();
    CU_ASSERT_EQUAL_FATAL(mplat_named_lock_open(name_here, 0600, 0, &lock), 0);
    int code = code_of(go_elsewhere, 0600);
    mplat_named_lock_close(&lock);
    if (code == NOT_HERE) {
        testlib_skip("no namespaces to be had here");
    } else {
        CU_ASSERT_EQUAL(code, 1);
        // Without users it can be another one, and then it is that in turn.
        CU_ASSERT_EQUAL(code_of(go_elsewhere, 0600), 0);
        CU_ASSERT_EQUAL_FATAL(mplat_named_lock_open(name_here, 0600, 0, &lock), 0);
        CU_ASSERT_EQUAL(mplat_named_lock_acquire(&lock, 0), 0);
        CU_ASSERT_EQUAL(mplat_named_lock_release(&lock), 0);
    }
    finish(&lock);
#endif
}

static void test_named_lock__is_for_those_who_trust_each_other(void)
{
#ifdef _WIN32
    testlib_skip("it is one user's on this system");
#else
    mplat_named_lock lock = none;
    CU_ASSERT_EQUAL_FATAL(mplat_named_lock_open(own_name(), 0600, 0, &lock), 0);
    int code = ask_another(0666);
    finish(&lock);
    if (code == NOT_HERE) {
        testlib_skip("nobody else can be played here: not root");
        return;
    }
    CU_ASSERT_EQUAL(code, 1);
    CU_ASSERT_EQUAL_FATAL(mplat_named_lock_open(own_name(), 0666, 0, &lock), 0);
    CU_ASSERT_EQUAL(ask_another(0600), 1);
    CU_ASSERT_EQUAL(ask_another(0), 1);
    CU_ASSERT_EQUAL(ask_another(0666), 0);
    CU_ASSERT_EQUAL(mplat_named_lock_acquire(&lock, 0), 1);
    CU_ASSERT_EQUAL(mplat_named_lock_release(&lock), 0);
    mplat_named_lock_close(&lock);
    // Without users it is still not his to remove, but his to use.
    CU_ASSERT(is_there());
    CU_ASSERT_EQUAL(ask_another(0666), 0);
    CU_ASSERT_EQUAL_FATAL(mplat_named_lock_open(own_name(), 0666, 0, &lock), 0);
    CU_ASSERT_EQUAL(mplat_named_lock_acquire(&lock, 0), 1);
    CU_ASSERT_EQUAL(mplat_named_lock_release(&lock), 0);
    finish(&lock);
#endif
}

static const child_role roles[] = {
    [HOLD] = hold,
    [HOLD_AND_END] = hold_and_end,
    [WAIT_FOR_IT] = wait_for_it,
};

static void child(int argc, char **argv)
{
    child_run(argc, argv, roles, MPROC__COUNT(roles));
}

static const testlib_case cases[] = {
    {"there_is_one_of_a_name", test_named_lock__there_is_one_of_a_name},
    {"is_waited_for", test_named_lock__is_waited_for},
    {"tells_of_a_death", test_named_lock__tells_of_a_death},
    {"of_one_who_died_alone", test_named_lock__of_one_who_died_alone},
    {"refuses_what_is_none", test_named_lock__refuses_what_is_none},
    {"is_for_one_pid_namespace", test_named_lock__is_for_one_pid_namespace},
    {"is_for_those_who_trust_each_other", test_named_lock__is_for_those_who_trust_each_other},
};

TESTLIB_MAIN_CHILD("platform.named_lock", cases, child)
