/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill.c: a process killed at every instruction of each operation (tests/family/ops.h).
 *
 * A victim is single-stepped k instructions into the operation and killed there. Then the test's process
 * takes the family lock, buries the victim, walks over the whole family, and finds nothing left. Whole,
 * k is 0, 1, 2 ... to the operation's end; everyday it goes in steps, from a random one on, such that a
 * quarter of a minute is enough. Linux only: it needs ptrace.
 */
#include "base/atomic.h"
#include "family/check.h"
#include "family/guard.h"
#include "family/ops.h"
#include "family/victim.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define DONE 2u
#define LIMIT_NS ((int64_t)10 * 1000000000)

static long kills;
static long slow; /* survivors that took more than 100 ms for the lock: a loaded machine */
static int64_t slowest;

static int victim(const mproc_args *args)
{
    uint64_t shared;
    uint64_t place;
    CHILD_CHECK(MPROC_UNPACK(args, &shared, &place) == 0);
    victim_prepare(shared, place);
    CHILD_CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
    CHILD_CHECK(kill(getpid(), SIGSTOP) == 0);
    ops_table[place].run(shared);
    victim_set_word(&ops_at(shared)->progress, DONE);
    for (;;) {
        (void)kill(getpid(), SIGSTOP);
    }
}

/* Go `count` instructions on, or until the operation has ended; how many they were. */
static long step(pid_t pid, long count, const uint32_t *progress)
{
    int status;
    long n = 0;
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, __WALL), pid);
    CU_ASSERT_FATAL(WIFSTOPPED(status));
    while (n < count && mproc__load32_acquire(progress) != DONE) {
        CU_ASSERT_EQUAL_FATAL(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, __WALL), pid);
        CU_ASSERT_FATAL(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
        n++;
    }
    return n;
}

/* Kill a victim after `count` instructions of an operation; how many there were. */
static long kill_one(uint64_t shared, uint64_t place, long count, const check_figures *before)
{
    victim_set set = {.shared = shared, .place = place};
    mproc_process *process = victim_begin(&set, victim, MPROC_ARGS(shared, place));
    pid_t pid = (pid_t)mproc_process_pid(process);
    long n = step(pid, count, &ops_at(shared)->progress);
    int64_t begin = testlib_now();
    CU_ASSERT_EQUAL_FATAL(kill(pid, SIGKILL), 0);
    mproc__family_lock();
    mproc__family_unlock();
    int64_t took = testlib_now() - begin;
    CU_ASSERT(took < LIMIT_NS);
    slowest = took > slowest ? took : slowest;
    slow += took > 100 * 1000000 ? 1 : 0;
    CU_ASSERT_EQUAL(victim_join(process), -SIGKILL);
    victim_end(&set);
    const char *wrong = check_family();
    const check_figures now = check_read();
    if (wrong != NULL || memcmp(&now, before, sizeof(now)) != 0) {
        printf("%s, killed after %ld instructions: %s\n", ops_table[place].name, n,
               wrong != NULL ? wrong : "something is left");
        CU_FAIL_FATAL("a family that is not whole");
    }
    kills++;
    return n;
}

/* How far apart the kills are, so that all of them together take so many steps. */
static long stride(long length)
{
    long most = testlib_count(100000, 1L << 60);
    long n = testlib_count(7, 1);
    while (length / 2 * (length / n + 1) > most) {
        n += 2;
    }
    return n;
}

static void kill_all(uint64_t place)
{
    uint64_t shared = ops_share();
    const check_figures before = check_read();
    kills = slow = 0;
    slowest = 0;
    int64_t begin = testlib_now();
    long length = kill_one(shared, place, 1L << 60, &before);
    long distance = stride(length);
    for (long k = distance == 1 ? 0 : (long)(testlib_random() % (uint32_t)distance); k < length;
         k += distance) {
        (void)kill_one(shared, place, k, &before);
    }
    printf("%ld instructions, every %ld., %ld kills in %.1f s; lock after at most %.1f ms, %ld over 100 ms "
           "... ",
           length, distance, kills, (double)(testlib_now() - begin) / 1e9, (double)slowest / 1e6, slow);
}

static void run(void);

static void child(int argc, char **argv)
{
    if (mproc_main(argc, argv) < 0) {
        exit(EXIT_FAILURE);
    }
}

static size_t next_place;
static void run(void)
{
    kill_all(next_place++);
}

int main(int argc, char **argv)
{
    testlib_case cases[64];
    child(argc, argv);
    for (size_t i = 0; i < ops_count; i++) {
        cases[i] = (testlib_case){ops_table[i].name, run};
        if (argc > 1 && strcmp(argv[1], ops_table[i].name) == 0) {
            next_place = i;
        }
    }
    return testlib_main(argc, argv, "stress.stepkill", cases, ops_count);
}
