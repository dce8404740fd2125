/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_clock_step.c: the wall clock jumps by hours, and no timed wait notices. Linux only.
 *
 * This program has the C library's clock functions itself: each look at the wall clock finds another
 * time. A filter of system calls ends it, by SIGSYS, when it has the kernel wait until a time of the
 * wall clock. Timed waits may neither end before their time on the monotonic clock nor hang.
 */
#include "object/memory_test.h"

#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* ---- a wall clock that jumps ----------------------------------------------------------------- */

enum direction { FORWARDS, BACKWARDS, TO_AND_FRO };

static enum direction direction = TO_AND_FRO;
static uint32_t n_looks;

/** The C library's name for a function of this program, in the eyes of libraries, too. */
#define IN_PLACE_OF(name) __asm__(name) __attribute__((visibility("default")))

int jumping_clock(clockid_t clock, struct timespec *ret_time) IN_PLACE_OF("clock_gettime");
int jumping_day(struct timeval *ret_time, void *zone) IN_PLACE_OF("gettimeofday");
time_t jumping_seconds(time_t *ret_time) IN_PLACE_OF("time");

int jumping_clock(clockid_t clock, struct timespec *ret_time)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, ret_time);
    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        uint32_t look = mproc__add32(&n_looks, 1) + 1;
        long hours = direction == TO_AND_FRO ? 5 : (long)(look % 1000);
        bool is_back = direction == BACKWARDS || (direction == TO_AND_FRO && look % 2 != 0);
        ret_time->tv_sec += (is_back ? -hours : hours) * 3600;
    }
    return rc;
}

int jumping_day(struct timeval *ret_time, void *zone)
{
    struct timespec now;
    (void)zone;
    int rc = jumping_clock(CLOCK_REALTIME, &now);
    ret_time->tv_sec = now.tv_sec;
    ret_time->tv_usec = now.tv_nsec / 1000;
    return rc;
}

time_t jumping_seconds(time_t *ret_time)
{
    struct timespec now;
    (void)jumping_clock(CLOCK_REALTIME, &now);
    if (ret_time != NULL) {
        *ret_time = now.tv_sec;
    }
    return now.tv_sec;
}

/** What no code of this program can change. */
static int64_t kernel_now(void)
{
    struct timespec now;
    CHILD_CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- and that the kernel is not asked for ---------------------------------------------------- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(field))
#define ARG(n) (offsetof(struct seccomp_data, args) + 8 * (size_t)(n))
#define JUMP(test, value, from, yes, no)                                               \
    BPF_JUMP(BPF_JMP | (test) | BPF_K, (uint32_t)(value), (uint8_t)((yes) - (from)-1), \
             (uint8_t)((no) - (from)-1))

/** Whoever waits until a time of the wall clock, CLOCK_REALTIME, which is 0, dies of SIGSYS. */
static bool forbid_wall_clock(void)
{
    enum { NANOSLEEP = 11, WAITV = 8, TIMERFD = 16, FINE = 19, FATAL = 20 };
    struct sock_filter filter[] = {
        LOAD(offsetof(struct seccomp_data, nr)),
        JUMP(BPF_JEQ, SYS_futex, 1, 2, WAITV),
        LOAD(ARG(1)),
        JUMP(BPF_JSET, FUTEX_CLOCK_REALTIME, 3, 4, FINE),
        LOAD(ARG(3)), // a wait without an end names that clock, too: its timeout is NULL
        JUMP(BPF_JEQ, 0, 5, 6, FATAL),
        LOAD(ARG(3) + 4),
        JUMP(BPF_JEQ, 0, 7, FINE, FATAL),
        [WAITV] = JUMP(BPF_JEQ, SYS_futex_waitv, WAITV, WAITV + 1, NANOSLEEP),
        LOAD(ARG(4)),
        JUMP(BPF_JEQ, CLOCK_REALTIME, 10, FATAL, FINE),
        [NANOSLEEP] = JUMP(BPF_JEQ, SYS_clock_nanosleep, NANOSLEEP, NANOSLEEP + 1, TIMERFD),
        LOAD(ARG(1)),
        JUMP(BPF_JSET, TIMER_ABSTIME, 13, 14, FINE), // from now on, any clock does
        LOAD(ARG(0)),
        JUMP(BPF_JEQ, CLOCK_REALTIME, 15, FATAL, FINE),
        [TIMERFD] = JUMP(BPF_JEQ, SYS_timerfd_create, TIMERFD, TIMERFD + 1, FINE),
        LOAD(ARG(0)),
        JUMP(BPF_JEQ, CLOCK_REALTIME, 18, FATAL, FINE),
        [FINE] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        [FATAL] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const struct sock_fprog program = {.len = MPROC__COUNT(filter), .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool is_forbidden; /* in this process */

/* ---- waits of every kind --------------------------------------------------------------------- */

enum { HOLDING, STEP, NOTHING, N_WORDS };

static mproc_lock *lock;
static mproc_rlock *rlock;
static mproc_semaphore *semaphore;
static mproc_semaphore *robust;
static mproc_event *event;
static mproc_condition *condition;
static mproc_barrier *barrier;
static mproc_array *array;
static mproc_shared_value *value;
static mproc_shared_memory *memory;
static mproc_named_lock *named;
static mproc_block *block;
static mproc_process *child;

static void make_all(void)
{
    const mproc_semaphore_options options = {.is_robust = true};
    const mproc_shared_memory_options unready = {.layout = 1};
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_rlock_create(&rlock, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_semaphore_create(&semaphore, 0, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_semaphore_create(&robust, 1, &options), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_condition_create(&condition, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_barrier_create(&barrier, 2, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_array_create(&array, 'i', 1, NULL, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_shared_value_create(&value, 'i', NULL, NULL), 0);
    memory = make(own_name("clock"), SIZE, &unready);
    CU_ASSERT_EQUAL_FATAL(mproc_named_lock_open(&named, own_name("clock"), NULL), 0);
    block = make_words(N_WORDS);
}

static void close_all(void)
{
    mproc_lock_close(lock);
    mproc_rlock_close(rlock);
    mproc_semaphore_close(semaphore);
    mproc_semaphore_close(robust);
    mproc_event_close(event);
    mproc_condition_close(condition);
    mproc_barrier_close(barrier);
    mproc_array_close(array);
    mproc_shared_value_close(value);
    finish(memory, own_name("clock"));
    mproc_named_lock_close(named);
    mproc_block_close(block);
}

#define ALL \
    lock, rlock, semaphore, robust, event, condition, barrier, array, value, memory, named, block

static void unpack_all(const mproc_args *args)
{
    mproc__slice_ns = mproc_milliseconds(1);
    CHILD_CHECK(MPROC_UNPACK(args, &lock, &rlock, &semaphore, &robust, &event, &condition, &barrier,
                             &array, &value, &memory, &named, &block) == 0);
}

static void hold_all(void)
{
    CHILD_CHECK(mproc_lock_acquire(lock, LIMIT) == 0);
    CHILD_CHECK(mproc_rlock_acquire(rlock, LIMIT) == 0);
    CHILD_CHECK(mproc_semaphore_acquire(robust, LIMIT) == 0);
    CHILD_CHECK(mproc_array_acquire(array, LIMIT) == 0);
    CHILD_CHECK(mproc_shared_value_acquire(value, LIMIT) == 0);
    CHILD_CHECK(mproc_named_lock_acquire(named, LIMIT) == 0);
    add_word(&words_of(block)[HOLDING]);
}

static int wait_lock(mproc_timeout timeout)
{
    return mproc_lock_acquire(lock, timeout);
}

static void wake_lock(void)
{
    CHILD_CHECK(mproc_lock_release(lock) == 0);
}

static int wait_rlock(mproc_timeout timeout)
{
    return mproc_rlock_acquire(rlock, timeout);
}

static void wake_rlock(void)
{
    CHILD_CHECK(mproc_rlock_release(rlock) == 0);
}

static int wait_semaphore(mproc_timeout timeout)
{
    return mproc_semaphore_acquire(semaphore, timeout);
}

static void wake_semaphore(void)
{
    CHILD_CHECK(mproc_semaphore_release(semaphore) == 0);
}

static int wait_robust(mproc_timeout timeout)
{
    return mproc_semaphore_acquire(robust, timeout);
}

static void wake_robust(void)
{
    CHILD_CHECK(mproc_semaphore_release(robust) == 0);
}

static int wait_event(mproc_timeout timeout)
{
    return mproc_event_wait(event, timeout);
}

static void wake_event(void)
{
    CHILD_CHECK(mproc_event_set(event) == 0);
}

static int wait_condition(mproc_timeout timeout)
{
    CU_ASSERT_EQUAL(mproc_condition_acquire(condition, LIMIT), 0);
    int rc = mproc_condition_wait(condition, timeout);
    CU_ASSERT_EQUAL(mproc_condition_release(condition), 0);
    return rc;
}

static void wake_condition(void)
{
    CHILD_CHECK(mproc_condition_acquire(condition, LIMIT) == 0);
    CHILD_CHECK(mproc_condition_notify(condition, 1) == 1);
    CHILD_CHECK(mproc_condition_release(condition) == 0);
}

static int is_there_now(void *data)
{
    return *(const int *)data != 0;
}

static int wait_for_condition(mproc_timeout timeout)
{
    int *data = mproc_array_data(array);
    CU_ASSERT_EQUAL(mproc_condition_acquire(condition, LIMIT), 0);
    int rc = mproc_condition_wait_for(condition, is_there_now, data, timeout);
    CU_ASSERT_EQUAL(mproc_condition_release(condition), 0);
    return rc == 1 ? 0 : rc;
}

static void wake_for_condition(void)
{
    CHILD_CHECK(mproc_condition_acquire(condition, LIMIT) == 0);
    *(int *)mproc_array_data(array) = 1;
    CHILD_CHECK(mproc_condition_notify(condition, 1) == 1);
    CHILD_CHECK(mproc_condition_release(condition) == 0);
}

static int wait_barrier(mproc_timeout timeout)
{
    int rc = mproc_barrier_wait(barrier, timeout);
    CU_ASSERT(rc >= 0 || mproc_barrier_reset(barrier) == 0); // broken by the timeout
    return rc < 0 ? rc : 0;
}

static void wake_barrier(void)
{
    CHILD_CHECK(mproc_barrier_wait(barrier, LIMIT) >= 0);
}

static int wait_array(mproc_timeout timeout)
{
    return mproc_array_acquire(array, timeout);
}

static void wake_array(void)
{
    CHILD_CHECK(mproc_array_release(array) == 0);
}

static int wait_value(mproc_timeout timeout)
{
    return mproc_shared_value_acquire(value, timeout);
}

static void wake_value(void)
{
    CHILD_CHECK(mproc_shared_value_release(value) == 0);
}

static int wait_memory(mproc_timeout timeout)
{
    const mproc_shared_memory_options options = {.layout = 1, .timeout = timeout};
    mproc_shared_memory *again = NULL;
    int rc = mproc_shared_memory_open(&again, mproc_shared_memory_name(memory), &options);
    mproc_shared_memory_close(again);
    return rc;
}

static void wake_memory(void)
{
    CHILD_CHECK(mproc_shared_memory_publish(memory) == 0);
}

static int wait_named(mproc_timeout timeout)
{
    return mproc_named_lock_acquire(named, timeout);
}

static void wake_named(void)
{
    CHILD_CHECK(mproc_named_lock_release(named) == 0);
}

static int wait_join(mproc_timeout timeout)
{
    return mproc_process_join(child, timeout);
}

static int wait_any(mproc_timeout timeout)
{
    size_t index = 1;
    return mproc_process_wait_any(&child, 1, timeout, &index);
}

static int wait_shutdown(mproc_timeout timeout)
{
    return mproc_shutdown(timeout);
}

static void wake_nobody(void)
{
    // The child ends.
}

static const struct {
    const char *name;
    int (*wait)(mproc_timeout timeout);
    void (*wake)(void);
    bool is_slept; /* on something of the family's, so that others can see it */
} kinds[] = {
    {"lock", wait_lock, wake_lock, true},
    {"rlock", wait_rlock, wake_rlock, true},
    {"semaphore", wait_semaphore, wake_semaphore, true},
    {"robust semaphore", wait_robust, wake_robust, true},
    {"event", wait_event, wake_event, true},
    {"condition", wait_condition, wake_condition, true},
    {"condition and predicate", wait_for_condition, wake_for_condition, true},
    {"barrier", wait_barrier, wake_barrier, true},
    {"array", wait_array, wake_array, true},
    {"shared value", wait_value, wake_value, true},
    {"shared memory", wait_memory, wake_memory, false},
    {"named lock", wait_named, wake_named, false},
    {"wait for any", wait_any, wake_nobody, false},
    {"join", wait_join, wake_nobody, false},
    {"shutdown", wait_shutdown, wake_nobody, false},
};

/* ---- cases ----------------------------------------------------------------------------------- */

static void test_clock_step__is_what_it_says(void)
{
    struct timespec coarse = {.tv_sec = 0};
    direction = FORWARDS;
    CU_ASSERT(time(NULL) + 3000 < time(NULL));
    direction = BACKWARDS;
    CU_ASSERT(time(NULL) > time(NULL) + 3000);
    direction = TO_AND_FRO;
    int64_t before = kernel_now();
    int64_t now = mplat_now();
    CU_ASSERT(before <= now && now <= kernel_now());
    if (!is_forbidden) {
        testlib_skip("no seccomp filters to be had here");
        return;
    }
    (void)fflush(NULL);
    for (int i = 0; i < 2; i++) {
        static uint32_t word;
        int status = -1;
        pid_t pid = fork();
        if (pid == 0) {
            (void)syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | (i != 0 ? FUTEX_CLOCK_REALTIME : 0),
                          0, &coarse, NULL, FUTEX_BITSET_MATCH_ANY);
            _exit(0);
        }
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        CU_ASSERT(i != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
                         : WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static int hold_and_stay(const mproc_args *args)
{
    unpack_all(args);
    hold_all();
    CHILD_CHECK(await_word(&words_of(block)[STEP], 1));
    return 0;
}

static void test_clock_step__nothing_ends_early(void)
{
    mproc__slice_ns = mproc_milliseconds(1);
    make_all();
    child = start(hold_and_stay, MPROC_ARGS(ALL));
    CU_ASSERT(await_word(&words_of(block)[HOLDING], 1));
    for (int d = FORWARDS; d <= TO_AND_FRO; d++) {
        direction = (enum direction)d;
        for (size_t i = 0; i < MPROC__COUNT(kinds); i++) {
            int64_t deadline = kernel_now() + BRIEF;
            int rc = kinds[i].wait(BRIEF);
            bool is_early = kernel_now() < deadline;
            if (rc != MPROC_ETIMEDOUT || is_early) {
                printf("%s: %d, early: %d ... ", kinds[i].name, rc, is_early);
            }
            CU_ASSERT_EQUAL(rc, MPROC_ETIMEDOUT);
            CU_ASSERT_FALSE(is_early);
        }
    }
    set_word(&words_of(block)[STEP], 1);
    CU_ASSERT_EQUAL(end_of(child), 0);
    close_all();
}

/** In a child: go on when the one who waits sleeps. */
static void see_asleep(void)
{
    int64_t deadline = mplat_now() + LIMIT;
    while (count_asleep() != 1) {
        CHILD_CHECK(mplat_now() < deadline);
        (void)mplat_wait(&words_of(block)[NOTHING], 0, mplat_now() + mproc_milliseconds(1), NULL,
                         NULL);
    }
}

static int wake_all(const mproc_args *args)
{
    unpack_all(args);
    hold_all();
    for (uint32_t i = 0; i < MPROC__COUNT(kinds); i++) {
        CHILD_CHECK(await_word(&words_of(block)[STEP], i + 1));
        if (kinds[i].is_slept) {
            see_asleep();
        }
        kinds[i].wake();
        if (kinds[i].wake == wake_nobody) {
            break;
        }
    }
    return 0;
}

static void test_clock_step__who_waits_is_woken(void)
{
    mproc__slice_ns = mproc_milliseconds(1);
    for (int d = FORWARDS; d <= TO_AND_FRO; d++) {
        make_all();
        direction = (enum direction)d;
        child = start(wake_all, MPROC_ARGS(ALL));
        CU_ASSERT(await_word(&words_of(block)[HOLDING], 1));
        for (uint32_t i = 0; i < MPROC__COUNT(kinds); i++) {
            set_word(&words_of(block)[STEP], i + 1);
            int rc = kinds[i].wait(LIMIT);
            if (rc != 0) {
                printf("%s: %d ... ", kinds[i].name, rc);
            }
            CU_ASSERT_EQUAL(rc, 0);
        }
        CU_ASSERT_EQUAL(end_of(child), 0);
        close_all();
    }
}

static int heed_nothing(const mproc_args *args)
{
    mproc_block *word;
    CHILD_CHECK(MPROC_UNPACK(args, &word) == 0);
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    CHILD_CHECK(sigaction(SIGTERM, &ignore, NULL) == 0);
    add_word(words_of(word));
    return stay();
}

static void test_clock_step__grace_is_given(void)
{
    for (int d = FORWARDS; d <= TO_AND_FRO; d++) {
        int code = 0;
        mproc_block *word = make_words(1);
        direction = (enum direction)d;
        mproc_process *deaf = start(heed_nothing, MPROC_ARGS(word));
        CU_ASSERT(await_word(words_of(word), 1));
        int64_t deadline = kernel_now() + BRIEF;
        CU_ASSERT_EQUAL(mproc_process_stop(deaf, BRIEF), 0);
        CU_ASSERT(kernel_now() >= deadline);
        CU_ASSERT(mproc_process_exit_code(deaf, &code) == 0 && code == -SIGKILL);
        CU_ASSERT_EQUAL(mproc_process_close(deaf), 0);
        mproc_block_close(word);
    }
}

static const testlib_case cases[] = {
    {"is_what_it_says", test_clock_step__is_what_it_says},
    {"nothing_ends_early", test_clock_step__nothing_ends_early},
    {"who_waits_is_woken", test_clock_step__who_waits_is_woken},
    {"grace_is_given", test_clock_step__grace_is_given},
};

int main(int argc, char **argv)
{
    is_forbidden = forbid_wall_clock(); // in children, too
    (void)mproc_main(argc, argv);
    return process_test_main(argc, argv, "object.clock_step", cases, MPROC__COUNT(cases));
}
