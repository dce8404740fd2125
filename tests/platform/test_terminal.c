/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_terminal.c: terminals and interrupts; memory and processors, which a pool wants to know of its workers.
 *
 * Interrupts: POSIX raises SIGINT at this process. On Windows the event would reach all who share the console, and under
 * Wine there is none: so what the system would call is called instead, and what is not seen there is the order of handlers,
 * the end of a process that nobody saves from it, and whether one that ignores is spared.
 */
#include "platform/child.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#ifdef _WIN32
#include "win32/win32.h"
#else
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#define MIB ((size_t)1 << 20)

static void test_memory__own_memory_counts_when_it_is_used(void)
{
    const size_t size = 64 * MIB;
    int64_t before = mplat_memory_now();
    CU_ASSERT(before > 0);
    CU_ASSERT(mplat_memory_peak() >= before);
    char *memory = malloc(size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    memset(memory, 1, size);
    int64_t then = mplat_memory_now();
    CU_ASSERT(then - before > (int64_t)(size / 2));
    CU_ASSERT(then - before < (int64_t)(size * 8)); // sanitizers take their share
    CU_ASSERT(mplat_memory_peak() >= then);
    CU_ASSERT_EQUAL(memory[size / 2], 1); // so that nobody leaves it out
    free(memory);
    CU_ASSERT(mplat_memory_peak() - before > (int64_t)(size / 2));
}

/* It keeps account of the arena in memory of the process's own, four times as large. */
#if defined(__has_feature)
#define HAS_THREAD_SANITIZER __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define HAS_THREAD_SANITIZER 1
#else
#define HAS_THREAD_SANITIZER 0
#endif

static void test_memory__the_arena_is_nobodys_own(void)
{
    if (HAS_THREAD_SANITIZER) {
        testlib_skip("ThreadSanitizer's account is the process's own");
        return;
    }
    child_found();
    const uint64_t size = 8 * MIB;
    CU_ASSERT_EQUAL_FATAL(mplat_arena_commit(&child_arena, CHILD_FREE_BYTES, size), 0);
    int64_t before = mplat_memory_now();
    memset(child_arena.base + CHILD_FREE_BYTES, 1, size);
    CU_ASSERT(mplat_memory_now() - before < (int64_t)size / 2);
    child_end();
}

static void test_cpus__are_listed_in_order(void)
{
    int cpus[1024];
    int first = -1;
    size_t count = mplat_cpu_list(cpus, sizeof(cpus) / sizeof(cpus[0]));
    CU_ASSERT_FATAL(count >= 1);
    CU_ASSERT((int)count >= mplat_cpu_count());
    for (size_t i = 1; i < count && i < sizeof(cpus) / sizeof(cpus[0]); i++) {
        CU_ASSERT(cpus[i - 1] < cpus[i]);
    }
    CU_ASSERT_EQUAL(mplat_cpu_list(&first, 1), count);
    CU_ASSERT_EQUAL(first, cpus[0]);
    CU_ASSERT_EQUAL(mplat_cpu_list(NULL, 0), count);
}

/** In a thread of its own, which may be left as it is. */
static void *APR_THREAD_FUNC pin(apr_thread_t *thread, void *arg)
{
    int cpus[1024];
    int now[1024];
    bool *is_right = arg;
    const int none = -1;
    size_t count = mplat_cpu_list(cpus, 1024);
    *is_right = mplat_thread_pin(&none, 1) == MPROC_EINVAL &&
                mplat_thread_pin(cpus, 0) == MPROC_EINVAL && mplat_cpu_list(now, 1024) == count;
    for (size_t i = 0; i < count && i < 64; i++) {
        *is_right = *is_right && mplat_thread_pin(&cpus[i], 1) == 0 &&
                    mplat_cpu_list(now, 1024) == 1 && now[0] == cpus[i];
    }
    *is_right = *is_right && mplat_thread_pin(cpus, count) == 0 &&
                mplat_cpu_list(now, 1024) == count && memcmp(now, cpus, count * sizeof(int)) == 0;
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_cpus__a_thread_is_pinned_alone(void)
{
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_status_t status;
    bool is_right = false;
    size_t count = mplat_cpu_list(NULL, 0);
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, pin, &is_right, pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_thread_join(&status, thread), APR_SUCCESS);
    CU_ASSERT(is_right);
    CU_ASSERT_EQUAL(mplat_cpu_list(NULL, 0), count);
    apr_pool_destroy(pool);
    apr_terminate();
}

/** Who is told writes down how often. */
static uint32_t told[3];

static void tell(void *arg)
{
    (void)mproc__add32(arg, 1);
}

static mplat_interrupt catcher(int i)
{
    return (mplat_interrupt){.fn = tell, .arg = &told[i]};
}

static uint32_t told_to(int i)
{
    return mproc__load32(&told[i]);
}

/** The program's own handler. */
static uint32_t n_own;

#ifdef _WIN32
static void interrupt(void)
{
    (void)mproc__add32(&n_own, mproc__win_interrupted() ? 0 : 1);
}

static void begin(void)
{
    memset(told, 0, sizeof(told));
    n_own = 0;
}

static void end(void)
{
}
#else
static void on_interrupt(int number)
{
    (void)number;
    n_own++;
}

static void interrupt(void)
{
    CU_ASSERT_EQUAL(raise(SIGINT), 0);
}

static struct sigaction own_action;

static void begin(void)
{
    memset(told, 0, sizeof(told));
    n_own = 0;
    own_action = (struct sigaction){.sa_handler = on_interrupt, .sa_flags = SA_NODEFER};
    (void)sigemptyset(&own_action.sa_mask);
    (void)sigaddset(&own_action.sa_mask, SIGUSR2);
    CU_ASSERT_EQUAL(sigaction(SIGINT, &own_action, NULL), 0);
}

/** What was there before is there again, to the letter. */
static void end(void)
{
    struct sigaction now;
    CU_ASSERT_EQUAL(sigaction(SIGINT, NULL, &now), 0);
    CU_ASSERT(now.sa_handler == on_interrupt);
    CU_ASSERT(now.sa_flags & SA_NODEFER);
    CU_ASSERT(sigismember(&now.sa_mask, SIGUSR2) == 1 && sigismember(&now.sa_mask, SIGUSR1) == 0);
    sigset_t mask;
    CU_ASSERT_EQUAL(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    CU_ASSERT_EQUAL(sigismember(&mask, SIGINT), 0);
    struct sigaction plain = {.sa_handler = SIG_DFL};
    CU_ASSERT_EQUAL(sigaction(SIGINT, &plain, NULL), 0);
}
#endif

static void test_interrupt__the_first_is_caught_the_second_is_not(void)
{
    begin();
    mplat_interrupt who = catcher(0);
    CU_ASSERT_EQUAL(mplat_interrupt_catch(&who), 0);
    interrupt();
    CU_ASSERT(told_to(0) == 1 && n_own == 0);
    interrupt();
    CU_ASSERT(told_to(0) == 1 && n_own == 1);
    interrupt();
    CU_ASSERT(told_to(0) == 1 && n_own == 2);
    mplat_interrupt_release(&who);
    interrupt();
    CU_ASSERT(told_to(0) == 1 && n_own == 3);
    end();
}

static void test_interrupt__nests(void)
{
    begin();
    mplat_interrupt outer = catcher(0);
    mplat_interrupt inner = catcher(1);
    mplat_interrupt later = catcher(2);
    CU_ASSERT_EQUAL(mplat_interrupt_catch(&outer), 0);
    CU_ASSERT_EQUAL(mplat_interrupt_catch(&inner), 0);
    interrupt();
    CU_ASSERT(told_to(0) == 1 && told_to(1) == 1 && n_own == 0);
    // Not in the order of their coming.
    mplat_interrupt_release(&outer);
    CU_ASSERT_EQUAL(mplat_interrupt_catch(&later), 0);
    interrupt();
    CU_ASSERT(told_to(1) == 1 && told_to(2) == 1 && n_own == 0);
    interrupt();
    CU_ASSERT(told_to(1) == 1 && told_to(2) == 1 && n_own == 1);
    // Whoever comes after that is told, nevertheless.
    CU_ASSERT_EQUAL(mplat_interrupt_catch(&outer), 0);
    interrupt();
    CU_ASSERT(told_to(0) == 2 && n_own == 1);
    mplat_interrupt_release(&inner);
    mplat_interrupt_release(&later);
    mplat_interrupt_release(&outer);
    mplat_interrupt_release(&outer); // again: nothing
    interrupt();
    CU_ASSERT(told_to(0) == 2 && told_to(1) == 1 && told_to(2) == 1 && n_own == 2);
    end();
}

/** Catches and lets go while others do, and interrupts come. */
static uint32_t stop;
static uint32_t n_failed;

static void *APR_THREAD_FUNC catch_again_and_again(apr_thread_t *thread, void *arg)
{
    (void)arg;
    for (uint32_t seen = 0; mproc__load32(&stop) == 0;) {
        mplat_interrupt who = {.fn = tell, .arg = &seen};
        (void)mproc__add32(&n_failed, mplat_interrupt_catch(&who) < 0 ? 1 : 0);
        mplat_interrupt_release(&who);
    }
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_interrupt__in_threads(void)
{
    enum { N_THREADS = 2 };
    apr_pool_t *pool;
    apr_thread_t *threads[N_THREADS];
    apr_status_t status;
    begin();
    mproc__store32_release(&stop, 0);
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (int i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(
            apr_thread_create(&threads[i], NULL, catch_again_and_again, NULL, pool), APR_SUCCESS);
    }
    long rounds = testlib_count(2000, 200000);
    for (long i = 1; i <= rounds; i++) {
        mplat_interrupt who = catcher(0);
        CU_ASSERT_EQUAL_FATAL(mplat_interrupt_catch(&who), 0);
        interrupt();
        CU_ASSERT_EQUAL_FATAL(told_to(0), (uint32_t)i);
        mplat_interrupt_release(&who);
    }
    mproc__store32_release(&stop, 1);
    for (int i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL(apr_thread_join(&status, threads[i]), APR_SUCCESS);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    CU_ASSERT(n_own == 0 && mproc__load32(&n_failed) == 0);
    end();
}

#ifdef _WIN32
static void test_interrupt__ignoring_can_be_asked_for_twice(void)
{
    mplat_interrupt_ignore();
    mplat_interrupt_ignore();
}

static void test_terminal__other_streams_have_no_columns(void)
{
    (void)mplat_terminal_columns(1); // there may be a console
    CU_ASSERT(mplat_terminal_columns(1) >= 0 && mplat_terminal_columns(2) >= 0);
}
#else
/** What becomes of a copy of this process that does `run`: its status, as waitpid has it. */
static int status_of(void (*run)(void))
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        struct sigaction plain = {.sa_handler = SIG_DFL};
        (void)sigaction(SIGINT, &plain, NULL);
        run();
        _exit(0);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    return status;
}

static void catch_two(void)
{
    mplat_interrupt who = catcher(0);
    told[0] = 0;
    (void)mplat_interrupt_catch(&who);
    (void)raise(SIGINT);
    if (told[0] != 1) {
        _exit(1);
    }
    (void)raise(SIGINT);
    _exit(2); // it should have ended us
}

static void ignore_two(void)
{
    mplat_interrupt who = catcher(0);
    told[0] = 0;
    mplat_interrupt_ignore();
    (void)raise(SIGINT);
    (void)mplat_interrupt_catch(&who);
    (void)raise(SIGINT);
    mplat_interrupt_release(&who);
    (void)raise(SIGINT);
    _exit(told[0] == 0 ? 0 : 1);
}

static void put_another(void)
{
    mplat_interrupt who = catcher(0);
    struct sigaction own = {.sa_handler = on_interrupt};
    (void)mplat_interrupt_catch(&who);
    (void)sigaction(SIGINT, &own, NULL);
    mplat_interrupt_release(&who);
    n_own = 0;
    (void)raise(SIGINT);
    _exit(n_own == 1 ? 0 : 1);
}

static void test_interrupt__what_the_system_would_do(void)
{
    int status = status_of(catch_two);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    status = status_of(ignore_two);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    status = status_of(put_another);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void nothing(void)
{
}

/** A copy has what the program had, and tells nobody. */
static void test_interrupt__copies_catch_nothing(void)
{
    static const mplat_fork_hooks hooks = {nothing, nothing, nothing};
    mplat_interrupt who = catcher(0);
    int status = -1;
    CU_ASSERT_EQUAL(mplat_at_fork(&hooks), 0);
    begin();
    CU_ASSERT_EQUAL(mplat_interrupt_catch(&who), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)raise(SIGINT);
        mplat_interrupt again = catcher(1);
        bool is_right = told[0] == 0 && n_own == 1 && mplat_interrupt_catch(&again) == 0;
        (void)raise(SIGINT);
        _exit(is_right && told[0] == 0 && told[1] == 1 && n_own == 1 ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    interrupt();
    CU_ASSERT(told_to(0) == 1 && n_own == 0);
    mplat_interrupt_release(&who);
    end();
}

static void test_terminal__columns(void)
{
    int of_pipe[2];
    struct winsize size = {.ws_row = 10, .ws_col = 33};
    CU_ASSERT_EQUAL_FATAL(pipe(of_pipe), 0);
    CU_ASSERT_EQUAL(mplat_terminal_columns(of_pipe[1]), 0);
    (void)close(of_pipe[0]);
    (void)close(of_pipe[1]);
    CU_ASSERT_EQUAL(mplat_terminal_columns(of_pipe[1]), 0);
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
        testlib_skip("no terminals to be had");
        return;
    }
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    CU_ASSERT_FATAL(terminal >= 0);
    CU_ASSERT_EQUAL(ioctl(terminal, TIOCSWINSZ, &size), 0);
    CU_ASSERT_EQUAL(mplat_terminal_columns(terminal), 33);
    size.ws_col = 0;
    CU_ASSERT_EQUAL(ioctl(terminal, TIOCSWINSZ, &size), 0);
    CU_ASSERT_EQUAL(mplat_terminal_columns(terminal), 80);
    mplat_terminal_write(terminal, "hello", 5);
    char text[16] = "";
    CU_ASSERT_EQUAL(read(master, text, sizeof(text) - 1), 5);
    CU_ASSERT_STRING_EQUAL(text, "hello");
    (void)close(master);
    (void)close(terminal);
}
#endif

static void child_fn(int argc, char **argv)
{
    child_run(argc, argv, NULL, 0);
}

static const testlib_case cases[] = {
    {"own_memory", test_memory__own_memory_counts_when_it_is_used},
    {"arena_is_nobodys_own", test_memory__the_arena_is_nobodys_own},
    {"cpus_in_order", test_cpus__are_listed_in_order},
    {"thread_is_pinned_alone", test_cpus__a_thread_is_pinned_alone},
    {"first_is_caught", test_interrupt__the_first_is_caught_the_second_is_not},
    {"nests", test_interrupt__nests},
    {"in_threads", test_interrupt__in_threads},
#ifdef _WIN32
    {"ignoring_twice", test_interrupt__ignoring_can_be_asked_for_twice},
    {"other_streams", test_terminal__other_streams_have_no_columns},
#else
    {"what_the_system_would_do", test_interrupt__what_the_system_would_do},
    {"copies_catch_nothing", test_interrupt__copies_catch_nothing},
    {"columns", test_terminal__columns},
#endif
};
TESTLIB_MAIN_CHILD("platform.terminal", cases, child_fn)
