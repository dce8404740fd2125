/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepkill.c: see stepkill.h.
 */
#include "stress/stepkill.h"

#include "base/atomic.h"
#include "base/compiler.h"
#include "family/check.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/ops.h"
#include "family/victim.h"
#include "stress/stepper.h"

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#define DONE 2u
#define LIMIT_NS ((int64_t)10 * 1000000000)

static long most_cost;
static long kills;
static long slow; /* times that survivors took more than 100 ms to go on: a loaded machine */
static int64_t slowest;

static int victim(const mproc_args *args)
{
    uint64_t shared;
    uint64_t place;
    CHILD_CHECK(mproc__family_enter() == 0 && MPROC_UNPACK(args, &shared, &place) == 0);
    victim_prepare(shared, place);
    CHILD_CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
    CHILD_CHECK(kill(getpid(), SIGSTOP) == 0);
    ops_table[place].run(shared);
    victim_set_word(&victim_shm(shared)->progress, DONE);
    for (;;) {
        (void)kill(getpid(), SIGSTOP);
    }
}

/* What a victim's death has left must be whole, and nothing. */
static void check(uint64_t place, long k, const check_figures *before)
{
    const char *wrong = check_family();
    const check_figures now = check_read();
    if (wrong != NULL || memcmp(&now, before, sizeof(now)) != 0) {
        printf("%s, killed after %ld instructions: %s\n", ops_table[place].name, k,
               wrong != NULL ? wrong : "something is left");
        CU_FAIL_FATAL("a family that is not whole");
    }
}

/* Let the survivors go on, and see how long it takes them. */
static void survive(uint64_t place, bool is_done, int64_t begin)
{
    const ops_part *part = ops_table[place].part;
    if (part != NULL && part->after != NULL) {
        part->after(is_done);
    } else {
        mproc__family_lock();
        mproc__family_unlock();
    }
    int64_t took = testlib_now() - begin;
    CU_ASSERT(took < LIMIT_NS);
    slowest = took > slowest ? took : slowest;
    slow += took > 100 * 1000000 ? 1 : 0;
}

/* Kill a victim before instruction k of an operation; k < 0: after the last one, and record them. */
static void kill_one(stepper *s, uint64_t shared, uint64_t place, long k,
                     const check_figures *before)
{
    const ops_part *part = ops_table[place].part;
    victim_set set = {.shared = shared, .place = place};
    if (part != NULL && part->make != NULL) {
        part->make();
    }
    mproc_process *process = victim_begin(&set, victim, MPROC_ARGS(shared, place));
    pid_t pid = (pid_t)mproc_process_pid(process);
    const uint32_t *progress = &victim_shm(shared)->progress;
    bool is_there =
        k < 0 ? stepper_record(s, pid, progress, DONE) : stepper_go(s, pid, k, progress, DONE);
    int64_t begin = testlib_now();
    CU_ASSERT_EQUAL_FATAL(kill(pid, SIGKILL), 0);
    CU_ASSERT_FATAL(is_there);
    survive(place, mproc__load32_acquire(progress) == DONE, begin);
    CU_ASSERT_EQUAL(victim_join(process), -SIGKILL);
    victim_end(&set);
    if (part != NULL && part->unmake != NULL) {
        part->unmake();
    }
    check(place, k, before);
    kills++;
}

/* What a kill costs besides the steps to it, in steps. */
static long kill_cost(uint64_t place)
{
    return ops_table[place].part != NULL ? 100 : 30;
}

/* How far apart the kills are, so that all of them together cost no more than so many steps. */
static long find_stride(const stepper *s, uint64_t place)
{
    long most = testlib_count(most_cost, 1L << 60);
    long stride = testlib_count(7, 1);
    for (;; stride += 2 + stride / 8) {
        long cost = 0;
        for (long k = 0; k < s->length && cost <= most; k += stride) {
            cost += kill_cost(place) + stepper_cost(s, k);
        }
        if (cost <= most) {
            return stride;
        }
    }
}

static bool have_common_divisor(long a, long b)
{
    while (b != 0) {
        long rest = a % b;
        a = b;
        b = rest;
    }
    return a > 1;
}

/* From one of n instructions to the next: so far that each has its turn, and the first ones are spread over all. */
static long find_leap(long n)
{
    long leap = n * 5 / 8 + 1;
    while (have_common_divisor(n, leap)) {
        leap++;
    }
    return leap;
}

static void kill_all(uint64_t place)
{
    uint64_t shared = victim_share();
    const check_figures before = check_read();
    stepper s;
    kills = slow = 0;
    slowest = 0;
    int64_t begin = testlib_now();
    kill_one(&s, shared, place, -1, &before);
    long stride = find_stride(&s, place);
    bool is_whole = stride == 1; // then there may be less time than that takes
    long first = (long)(testlib_random() % (uint32_t)(is_whole ? s.length : stride));
    long leap = is_whole ? find_leap(s.length) : stride;
    long n_turns = is_whole ? s.length : (s.length - first + stride - 1) / stride;
    for (long i = 0; testlib_goes_on(i, n_turns); i++) {
        kill_one(&s, shared, place, (first + i * leap) % s.length, &before);
    }
    printf("%ld instructions, every %ld., %ld kills in %.1f s; survivors go on after at "
           "most %.1f ms, %ld over 100 ms ... ",
           s.length, stride, kills, (double)(testlib_now() - begin) / 1e9, (double)slowest / 1e6,
           slow);
    stepper_free(&s);
}

static void child(int argc, char **argv)
{
    if (mproc_main(argc, argv) < 0) {
        exit(EXIT_FAILURE);
    }
}

/* Of the cases that run, in their order. */
static size_t places[64];
static size_t next;

static void run(void)
{
    kill_all(places[next++]);
}

static bool is_wanted(int argc, char **argv, const char *name)
{
    bool is_one = argc < 2;
    for (int i = 1; i < argc; i++) {
        is_one = is_one || strcmp(argv[i], name) == 0;
    }
    return is_one;
}

int stepkill_main(int argc, char **argv, const char *suite, long cost)
{
    testlib_case cases[MPROC__COUNT(places)];
    size_t n_wanted = 0;
    child(argc, argv);
    most_cost = cost;
    for (size_t i = 0; i < ops_count; i++) {
        cases[i] = (testlib_case){ops_table[i].name, run};
        if (is_wanted(argc, argv, ops_table[i].name)) {
            places[n_wanted++] = i;
        }
    }
    return testlib_main(argc, argv, suite, cases, ops_count);
}
