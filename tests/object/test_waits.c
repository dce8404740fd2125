/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_waits.c: who waits for whom, as others see it.
 */
#include "base/check.h"
#include "family/watch.h"
#include "object/report_test.h"

#define MOST 32

enum { COME, GO, N_WORDS };

static mproc_wait_info infos[MOST];

/** Look until `count` threads wait, of which `n_circle` in circles; what they are is in `infos`. */
static bool await_waits(size_t count, size_t n_circle)
{
    int64_t deadline = mplat_now() + LIMIT;
    size_t found = 0;
    size_t in_circle = 0;
    do {
        CU_ASSERT_EQUAL(mproc_list_waits(infos, MOST, &found), MPROC_OK);
        in_circle = 0;
        for (size_t i = 0; i < found && i < MOST; i++) {
            in_circle += infos[i].circle != 0 ? 1 : 0;
        }
        apr_thread_yield();
    } while ((found != count || in_circle != n_circle) && mplat_now() < deadline);
    return found == count && in_circle == n_circle;
}

/** What the process `pid` waits for. */
static const mproc_wait_info *wait_of(int64_t pid)
{
    static const mproc_wait_info none;
    for (size_t i = 0; i < MOST; i++) {
        if (infos[i].pid == pid) {
            return &infos[i];
        }
    }
    return &none;
}

static mproc_rlock *make_rlock(void)
{
    mproc_rlock *rlock = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_rlock_create(&rlock, NULL), MPROC_OK);
    return rlock;
}

static mproc_lock *make_lock(void)
{
    mproc_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    return lock;
}

static void test_waits__refuses_nonsense(void)
{
    size_t count = 0;
    CU_ASSERT_EQUAL(mproc_list_waits(NULL, 1, &count), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_waits(infos, 1, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_list_waits(NULL, 0, &count), MPROC_OK);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_EQUAL(mproc_report_waits(NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_object_reference(MPROC_VALUE(3)), 0);
    CU_ASSERT_EQUAL(mproc_object_reference(MPROC_NIL_VALUE), 0);
}

/* ---- every kind ------------------------------------------------------------------------------ */

static int wait_for_lock(const mproc_args *args)
{
    mproc_lock *lock;
    CHILD_CHECK(MPROC_UNPACK(args, &lock) == 0);
    CHILD_CHECK(mproc_lock_acquire(lock, LIMIT) >= 0);
    return -mproc_lock_release(lock);
}

static int wait_for_rlock(const mproc_args *args)
{
    mproc_rlock *rlock;
    CHILD_CHECK(MPROC_UNPACK(args, &rlock) == 0);
    CHILD_CHECK(mproc_rlock_acquire(rlock, MPROC_FOREVER) >= 0);
    return -mproc_rlock_release(rlock);
}

static int wait_for_named_lock(const mproc_args *args)
{
    mproc_named_lock *lock;
    CHILD_CHECK(MPROC_UNPACK(args, &lock) == 0);
    CHILD_CHECK(mproc_named_lock_acquire(lock, LIMIT) >= 0);
    return -mproc_named_lock_release(lock);
}

static int wait_for_semaphore(const mproc_args *args)
{
    mproc_semaphore *semaphore;
    CHILD_CHECK(MPROC_UNPACK(args, &semaphore) == 0);
    return -mproc_semaphore_acquire(semaphore, MPROC_FOREVER);
}

static int wait_for_event(const mproc_args *args)
{
    mproc_event *event;
    CHILD_CHECK(MPROC_UNPACK(args, &event) == 0);
    return -mproc_event_wait(event, MPROC_FOREVER);
}

static int wait_for_condition(const mproc_args *args)
{
    mproc_condition *condition;
    CHILD_CHECK(MPROC_UNPACK(args, &condition) == 0);
    CHILD_CHECK(mproc_condition_acquire(condition, MPROC_FOREVER) == 0);
    CHILD_CHECK(mproc_condition_wait(condition, MPROC_FOREVER) == 0);
    return -mproc_condition_release(condition);
}

static int wait_at_barrier(const mproc_args *args)
{
    mproc_barrier *barrier;
    CHILD_CHECK(MPROC_UNPACK(args, &barrier) == 0);
    return mproc_barrier_wait(barrier, MPROC_FOREVER) < 0 ? 1 : 0;
}

static int wait_for_parent(const mproc_args *args)
{
    CHILD_CHECK(args->count == 0);
    return stay();
}

/** Whether a child waits for that, and who holds it; 0: nobody. */
static bool is_wait(const mproc_process *child, const char *kind, uint64_t object, int64_t holder)
{
    const mproc_wait_info *info = wait_of(mproc_process_pid(child));
    bool is_so = info->kind != NULL && strcmp(info->kind, kind) == 0 && info->object == object &&
                 info->holder_pid == holder && info->circle == 0 && !info->is_deadlock &&
                 info->waited_ns >= 0 && info->waited_ns < LIMIT && info->thread != 0;
    if (!is_so) {
        printf("%s (%llx), held by %lld ... ", info->kind != NULL ? info->kind : "nothing",
               (unsigned long long)info->object, (long long)info->holder_pid);
    }
    return is_so;
}

/** Have a child wait for an object, look at it, and let it go on by calling `release` of that. */
#define CHECK_WAIT(function, name, text, holder, has_time, release)                         \
    do {                                                                                    \
        mproc_process *child = start(function, MPROC_ARGS(name));                           \
        CU_ASSERT(await_waits(1, 0));                                                       \
        CU_ASSERT(is_wait(child, text, mproc_object_reference(MPROC_VALUE(name)), holder)); \
        CU_ASSERT_EQUAL(infos[0].has_timeout, has_time);                                    \
        CU_ASSERT((release) >= 0);                                                          \
        CU_ASSERT_EQUAL(end_of(child), 0);                                                  \
        CU_ASSERT(await_waits(0, 0));                                                       \
    } while (0)

static void test_waits__names_what_is_waited_for(void)
{
    mproc_lock *lock = make_lock();
    mproc_rlock *rlock = make_rlock();
    mproc_semaphore *semaphore = NULL;
    mproc_event *event = NULL;
    mproc_barrier *barrier = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_semaphore_create(&semaphore, 0, NULL), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_barrier_create(&barrier, 2, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rlock_acquire(rlock, MPROC_FOREVER), MPROC_OK);
    int64_t self = mplat_pid();
    CHECK_WAIT(wait_for_lock, lock, "a lock", self, true, mproc_lock_release(lock));
    CHECK_WAIT(wait_for_rlock, rlock, "an rlock", self, false, mproc_rlock_release(rlock));
    CHECK_WAIT(wait_for_semaphore, semaphore, "a semaphore", 0, false,
               mproc_semaphore_release(semaphore));
    CHECK_WAIT(wait_for_event, event, "an event", 0, false, mproc_event_set(event));
    CHECK_WAIT(wait_at_barrier, barrier, "a barrier", 0, false,
               mproc_barrier_wait(barrier, MPROC_FOREVER));
    mproc_barrier_close(barrier);
    mproc_event_close(event);
    mproc_semaphore_close(semaphore);
    mproc_rlock_close(rlock);
    mproc_lock_close(lock);
}

static int notify(mproc_condition *condition)
{
    CU_ASSERT_EQUAL(mproc_condition_acquire(condition, MPROC_FOREVER), MPROC_OK);
    int n = mproc_condition_notify_all(condition);
    CU_ASSERT_EQUAL(mproc_condition_release(condition), MPROC_OK);
    return n == 1 ? 0 : -1;
}

static void test_waits__names_conditions_and_processes(void)
{
    mproc_condition *condition = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_condition_create(&condition, NULL), MPROC_OK);
    CHECK_WAIT(wait_for_condition, condition, "a condition", 0, false, notify(condition));
    mproc_process *child = start(wait_for_parent, NULL);
    CU_ASSERT(await_waits(1, 0));
    int64_t self = mplat_pid();
    CU_ASSERT(is_wait(child, "a process", (uint64_t)self, self));
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    mproc_condition_close(condition);
}

static void test_waits__names_locks_by_name(void)
{
    char name[64];
    mproc_named_lock *lock = NULL;
    (void)snprintf(name, sizeof(name), "test-waits-%lld", (long long)mplat_pid());
    CU_ASSERT_EQUAL_FATAL(mproc_named_lock_open(&lock, name, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(lock, MPROC_FOREVER), MPROC_OK);
    CHECK_WAIT(wait_for_named_lock, lock, "a named lock", 0, true, mproc_named_lock_release(lock));
    mproc_named_lock_close(lock);
}

static void test_waits__lists_no_more_than_there_is_room_for(void)
{
    mproc_lock *lock = make_lock();
    mproc_process *children[3];
    mproc_wait_info two[2] = {{0}};
    size_t count = 0;
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_FOREVER), MPROC_OK);
    for (size_t i = 0; i < 3; i++) {
        children[i] = start(wait_for_lock, MPROC_ARGS(lock));
    }
    CU_ASSERT(await_waits(3, 0));
    CU_ASSERT_EQUAL(mproc_list_waits(two, 1, &count), MPROC_OK);
    CU_ASSERT(count == 3 && two[0].pid != 0 && two[1].pid == 0);
    // Killed while they wait, the dead do not show.
    CU_ASSERT_EQUAL(mproc_process_kill(children[0]), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(children[0]), CODE_KILLED);
    CU_ASSERT_EQUAL(mproc_list_waits(two, 2, &count), MPROC_OK);
    CU_ASSERT_EQUAL(count, 2);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(children[1]), 0);
    CU_ASSERT_EQUAL(end_of(children[2]), 0);
    mproc_lock_close(lock);
}

/* ---- circles --------------------------------------------------------------------------------- */

/** Take one rlock, meet the other, want his. 10 + the status of that. */
static int take_two(const mproc_args *args)
{
    mproc_rlock *first;
    mproc_rlock *second;
    mproc_block *block;
    int64_t timeout;
    CHILD_CHECK(MPROC_UNPACK(args, &first, &second, &block, &timeout) == 0);
    CHILD_CHECK(mproc_rlock_acquire(first, LIMIT) == 0);
    meet(block, 2);
    int rc = mproc_rlock_acquire(second, timeout);
    if (rc >= 0) {
        CHILD_CHECK(mproc_rlock_release(second) == 0);
    }
    CHILD_CHECK(mproc_rlock_release(first) == 0);
    return 10 + rc;
}

typedef struct lines {
    size_t count;
    char text[8][200];
} lines;

static void keep_line(const char *line, void *context)
{
    lines *all = context;
    if (all->count < 8) {
        (void)snprintf(all->text[all->count++], sizeof(all->text[0]), "%s", line);
    }
}

static bool says(const char *line, const char *wanted)
{
    bool result = strstr(line, wanted) != NULL;
    if (!result) {
        printf("\"%s\" ... ", line);
    }
    return result;
}

/** Two who wait for each other for `timeout`, looked at by a third. */
static void check_two(mproc_timeout timeout)
{
    mproc_rlock *rlocks[2] = {make_rlock(), make_rlock()};
    mproc_block *block = make_words(N_WORDS);
    bool is_for_ever = timeout < 0;
    int64_t wait = timeout;
    mproc_process *one = start(take_two, MPROC_ARGS(rlocks[0], rlocks[1], block, wait));
    mproc_process *two = start(take_two, MPROC_ARGS(rlocks[1], rlocks[0], block, wait));
    int64_t pids[2] = {mproc_process_pid(one), mproc_process_pid(two)};
    CU_ASSERT(await_waits(2, 2));
    for (size_t i = 0; i < 2; i++) {
        const mproc_wait_info *info = wait_of(pids[i]);
        const mproc_wait_info *other = wait_of(pids[1 - i]);
        CU_ASSERT_EQUAL(info->holder_pid, pids[1 - i]);
        CU_ASSERT_EQUAL(info->holder_thread, other->thread);
        CU_ASSERT_EQUAL(info->object, mproc_object_reference(MPROC_VALUE(rlocks[1 - i])));
        CU_ASSERT_EQUAL(info->circle, other->circle);
        CU_ASSERT_EQUAL(info->has_timeout, !is_for_ever);
        CU_ASSERT_EQUAL(info->is_deadlock, is_for_ever);
    }
    lines all = {0};
    CU_ASSERT_EQUAL(mproc_report_waits(keep_line, &all), MPROC_OK);
    CU_ASSERT_EQUAL(all.count, 3);
    CU_ASSERT(says(all.text[0], " s for an rlock (0x"));
    CU_ASSERT(says(all.text[1], ", which process "));
    CU_ASSERT(says(all.text[2], is_for_ever ? "deadlock: process " : "circle: process "));
    // Nothing but an end helps: the other one is the heir, and goes on.
    CU_ASSERT_EQUAL(mproc_process_kill(one), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(one), CODE_KILLED);
    CU_ASSERT_EQUAL(end_of(two), 10 + MPROC_OWNER_DIED);
    CU_ASSERT(await_waits(0, 0));
    mproc_block_close(block);
    mproc_rlock_close(rlocks[0]);
    mproc_rlock_close(rlocks[1]);
}

static void test_waits__finds_two_who_wait_for_each_other(void)
{
    check_two(MPROC_FOREVER);
}

static void test_waits__tells_those_who_will_give_up(void)
{
    check_two(LIMIT);
}

/** Acquire a lock, which is no rlock, twice. */
static int wait_for_itself(const mproc_args *args)
{
    mproc_lock *lock;
    CHILD_CHECK(MPROC_UNPACK(args, &lock) == 0);
    CHILD_CHECK(mproc_lock_acquire(lock, MPROC_FOREVER) == 0);
    CHILD_CHECK(mproc_lock_acquire(lock, MPROC_FOREVER) == 0);
    return -mproc_lock_release(lock);
}

static void test_waits__finds_one_who_waits_for_itself(void)
{
    mproc_lock *lock = make_lock();
    lines all = {0};
    mproc_process *child = start(wait_for_itself, MPROC_ARGS(lock));
    CU_ASSERT(await_waits(1, 1));
    CU_ASSERT_FALSE(infos[0].is_deadlock); // others may release it
    CU_ASSERT_EQUAL(mproc_report_waits(keep_line, &all), MPROC_OK);
    CU_ASSERT(all.count == 2 && says(all.text[1], ") waits for itself, unless "));
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc_lock_close(lock);
}

/** Have a child that wants the rlock its parent holds, and wait for its end. */
static int hold_and_join(const mproc_args *args)
{
    mproc_rlock *rlock;
    mproc_process *child;
    CHILD_CHECK(MPROC_UNPACK(args, &rlock) == 0);
    CHILD_CHECK(mproc_rlock_acquire(rlock, MPROC_FOREVER) == 0);
    CHILD_CHECK(mproc_process_start(&child, wait_for_rlock, MPROC_ARGS(rlock), NULL) == 0);
    (void)mproc_process_join(child, MPROC_FOREVER);
    return 1;
}

static void test_waits__finds_a_holder_that_joins_who_wants_it(void)
{
    mproc_rlock *rlock = make_rlock();
    mproc_process *child = start(hold_and_join, MPROC_ARGS(rlock));
    CU_ASSERT(await_waits(2, 2));
    const mproc_wait_info *info = wait_of(mproc_process_pid(child));
    CU_ASSERT(info->is_deadlock && strcmp(info->kind, "a process") == 0);
    CU_ASSERT_EQUAL(wait_of(info->holder_pid)->holder_pid, mproc_process_pid(child));
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    mproc_rlock_close(rlock);
}

/** A circle, and others that wait for its members without being part of it. */
static void test_waits__tells_who_only_waits_for_a_circle(void)
{
    mproc_rlock *rlocks[2] = {make_rlock(), make_rlock()};
    mproc_block *block = make_words(N_WORDS);
    int64_t wait = MPROC_FOREVER;
    mproc_process *one = start(take_two, MPROC_ARGS(rlocks[0], rlocks[1], block, wait));
    mproc_process *two = start(take_two, MPROC_ARGS(rlocks[1], rlocks[0], block, wait));
    CU_ASSERT(await_waits(2, 2));
    mproc_process *other = start(wait_for_rlock, MPROC_ARGS(rlocks[0]));
    CU_ASSERT(await_waits(3, 2));
    CU_ASSERT_EQUAL(wait_of(mproc_process_pid(other))->circle, 0);
    CU_ASSERT_EQUAL(wait_of(mproc_process_pid(other))->holder_pid, mproc_process_pid(one));
    CU_ASSERT_EQUAL(mproc_process_kill(two), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(two), CODE_KILLED);
    CU_ASSERT_EQUAL(end_of(one), 10 + MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(end_of(other), 0);
    mproc_block_close(block);
    mproc_rlock_close(rlocks[0]);
    mproc_rlock_close(rlocks[1]);
}

/* ---- change ---------------------------------------------------------------------------------- */

/** Take two locks, always in the same order, so that nobody ever waits in a circle. */
static int take_in_order(const mproc_args *args)
{
    mproc_rlock *first;
    mproc_rlock *second;
    int count;
    CHILD_CHECK(MPROC_UNPACK(args, &first, &second, &count) == 0);
    for (int i = 0; i < count; i++) {
        CHILD_CHECK(mproc_rlock_acquire(first, MPROC_FOREVER) == 0);
        apr_thread_yield();
        CHILD_CHECK(mproc_rlock_acquire(second, MPROC_FOREVER) == 0);
        apr_thread_yield(); // long enough that others go to sleep
        CHILD_CHECK(mproc_rlock_release(second) == 0);
        CHILD_CHECK(mproc_rlock_release(first) == 0);
    }
    return 0;
}

#ifdef MPROC_KILLPOINTS
/** Between one look and the next: let others change what has been seen. */
static void let_others_go_on(const char *name)
{
    for (int i = 0; i < 20 && strcmp(name, "waits.step") == 0; i++) {
        apr_thread_yield();
    }
}
#endif

/** Look all the time, until told to go; 1: saw a circle, 2: saw nobody wait. */
static int look_for_circles(const mproc_args *args)
{
    mproc_block *block;
    size_t n_seen = 0;
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
#ifdef MPROC_KILLPOINTS
    mproc__killpoint_fn = let_others_go_on;
#endif
    add_word(&words_of(block)[COME]);
    while (mproc__load32_acquire(&words_of(block)[GO]) == 0) {
        size_t count = 0;
        CHILD_CHECK(mproc_list_waits(infos, MOST, &count) == 0);
        for (size_t i = 0; i < count && i < MOST; i++) {
            CHILD_CHECK(infos[i].pid != 0 && infos[i].thread != 0);
            if (infos[i].circle != 0) {
                return 1;
            }
        }
        n_seen += count;
        apr_thread_yield();
    }
    return n_seen > 0 ? 0 : 2;
}

/** A lock that lives for one wait only. */
static void use_a_lock_once(void)
{
    mproc_lock *lock = make_lock();
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_FOREVER), MPROC_OK);
    mproc_process *child = start(wait_for_lock, MPROC_ARGS(lock));
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    mproc_lock_close(lock);
    CU_ASSERT_EQUAL(end_of(child), 0);
}

static void test_waits__sees_no_circle_where_there_is_none(void)
{
    mproc_rlock *rlocks[3] = {make_rlock(), make_rlock(), make_rlock()};
    mproc_block *block = make_words(N_WORDS);
    mproc_process *children[6];
    int count = (int)testlib_count(500, 100000);
    mproc_process *looker = start(look_for_circles, MPROC_ARGS(block));
    CU_ASSERT(await_word(&words_of(block)[COME], 1));
    for (size_t i = 0; i < 6; i++) {
        size_t first = i % 3 == 2 ? 1 : 0;
        size_t second = i % 3 == 0 ? 1 : 2;
        children[i] = start(take_in_order, MPROC_ARGS(rlocks[first], rlocks[second], count));
    }
    for (long i = 0; i < testlib_count(20, 1000); i++) {
        use_a_lock_once();
    }
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    set_word(&words_of(block)[GO], 1);
    CU_ASSERT_EQUAL(end_of(looker), 0);
    mproc_block_close(block);
    for (size_t i = 0; i < 3; i++) {
        mproc_rlock_close(rlocks[i]);
    }
}

/* ---- unasked --------------------------------------------------------------------------------- */

static int take_two_impatiently(const mproc_args *args)
{
    mproc__long_slice_ns = 10 * 1000000;
    return take_two(args);
}

static mproc_process *start_reporting(mproc_rlock *first, mproc_rlock *second, mproc_block *block,
                                      const report *to)
{
    static const char *const env[] = {"MPROC_DEADLOCKS=1", NULL};
    const mproc_process_options options = {.env = env, .stderr_path = to->path};
    int64_t wait = MPROC_FOREVER;
    return start_with(take_two_impatiently, MPROC_ARGS(first, second, block, wait), &options);
}

static void test_waits__a_deadlock_is_reported_once(void)
{
    static const char wanted[] = "mproc: deadlock: process ";
    mproc_rlock *rlocks[2] = {make_rlock(), make_rlock()};
    mproc_block *block = make_words(N_WORDS);
    report reports[2] = {make_report("one"), make_report("two")};
    mproc_process *one = start_reporting(rlocks[0], rlocks[1], block, &reports[0]);
    mproc_process *two = start_reporting(rlocks[1], rlocks[0], block, &reports[1]);
    int64_t deadline = mplat_now() + LIMIT;
    while (count_in_report(&reports[0], wanted) + count_in_report(&reports[1], wanted) == 0 &&
           mplat_now() < deadline) {
        apr_thread_yield();
    }
    CU_ASSERT_EQUAL(mproc_process_kill(one), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(one), CODE_KILLED);
    CU_ASSERT_EQUAL(end_of(two), 10 + MPROC_OWNER_DIED);
    size_t teller = count_in_report(&reports[0], wanted) != 0 ? 0 : 1;
    CU_ASSERT_EQUAL(count_in_report(&reports[teller], wanted), 1);
    CU_ASSERT_EQUAL(count_in_report(&reports[teller], ", which process "), 2);
    CU_ASSERT_EQUAL(count_in_report(&reports[1 - teller], wanted), 0);
    mproc_block_close(block);
    for (size_t i = 0; i < 2; i++) {
        close_report(&reports[i]);
        mproc_rlock_close(rlocks[i]);
    }
}

/** Where nobody waits in a circle nothing is said, however long it takes. */
static int wait_impatiently(const mproc_args *args)
{
    mproc__long_slice_ns = 1000000;
    return wait_for_lock(args);
}

static void test_waits__nothing_is_said_of_others(void)
{
    static const char *const env[] = {"MPROC_DEADLOCKS=1", NULL};
    mproc_lock *lock = make_lock();
    report quiet = make_report("quiet");
    const mproc_process_options options = {.env = env, .stderr_path = quiet.path};
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_FOREVER), MPROC_OK);
    mproc_process *child = start_with(wait_impatiently, MPROC_ARGS(lock), &options);
    do {
        CU_ASSERT(await_waits(1, 0));
    } while (infos[0].waited_ns < 20 * 1000000); // it has looked by then, as a rule
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), 0);
    CU_ASSERT_STRING_EQUAL(read_report(&quiet), "");
    close_report(&quiet);
    mproc_lock_close(lock);
}

static const testlib_case cases[] = {
    {"refuses_nonsense", test_waits__refuses_nonsense},
    {"names_what_is_waited_for", test_waits__names_what_is_waited_for},
    {"names_locks_by_name", test_waits__names_locks_by_name},
    {"names_conditions_and_processes", test_waits__names_conditions_and_processes},
    {"lists_no_more_than_there_is_room_for", test_waits__lists_no_more_than_there_is_room_for},
    {"finds_two_who_wait_for_each_other", test_waits__finds_two_who_wait_for_each_other},
    {"tells_those_who_will_give_up", test_waits__tells_those_who_will_give_up},
    {"finds_one_who_waits_for_itself", test_waits__finds_one_who_waits_for_itself},
    {"finds_a_holder_that_joins_who_wants_it", test_waits__finds_a_holder_that_joins_who_wants_it},
    {"tells_who_only_waits_for_a_circle", test_waits__tells_who_only_waits_for_a_circle},
    {"sees_no_circle_where_there_is_none", test_waits__sees_no_circle_where_there_is_none},
    {"a_deadlock_is_reported_once", test_waits__a_deadlock_is_reported_once},
    {"nothing_is_said_of_others", test_waits__nothing_is_said_of_others},
};

PROCESS_TEST_MAIN("object.waits", cases)
