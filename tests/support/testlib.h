/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testlib.h: one test executable: a table of cases, run by CUnit, one by name if asked.
 *
 *     static void test_thing__does_this(void) { CU_ASSERT(...); }
 *
 *     static const testlib_case cases[] = {
 *         {"does_this", test_thing__does_this},
 *     };
 *     TESTLIB_MAIN("floor.thing", cases)
 *
 * A failing CU_ASSERT in a child process would be lost: children use CHILD_CHECK, which prints the
 * place and ends the child with a code that no child uses otherwise; parents assert exit codes.
 */
#ifndef TESTS_SUPPORT_TESTLIB_H
#define TESTS_SUPPORT_TESTLIB_H

#include "mproc/error.h"

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/** One case: its name on the command line, and its function. */
typedef struct testlib_case {
    const char *name;
    void (*run)(void);
} testlib_case;

/** The exit code of a child whose CHILD_CHECK failed. */
#define TESTLIB_CHILD_FAILED 97

/** The exit code by which a whole executable says that it cannot run here. */
#define TESTLIB_SKIPPED 77

#define CHILD_CHECK(condition)                                                                 \
    ((condition) ? (void)0                                                                     \
                 : (fprintf(stderr, "child: %s:%d: %s (last error: %s)\n", __FILE__, __LINE__, \
                            #condition, mproc_last_error()),                                   \
                    fflush(stderr), exit(TESTLIB_CHILD_FAILED)))

/** A main() without children. */
#define TESTLIB_MAIN(suite, cases)                                                         \
    int main(int argc, char **argv)                                                        \
    {                                                                                      \
        return testlib_main(argc, argv, suite, cases, sizeof(cases) / sizeof((cases)[0])); \
    }

/** A main() that lets `child_fn(argc, argv)` have its children first. */
#define TESTLIB_MAIN_CHILD(suite, cases, child_fn)                                         \
    int main(int argc, char **argv)                                                        \
    {                                                                                      \
        child_fn(argc, argv);                                                              \
        return testlib_main(argc, argv, suite, cases, sizeof(cases) / sizeof((cases)[0])); \
    }

/** Run the cases, or those named on the command line. 0, or 1 if any failed. */
int testlib_main(int argc, char **argv, const char *suite, const testlib_case *cases, size_t count);

/** Say why the case that runs cannot run here; it counts as passed, and the reason is printed. */
void testlib_skip(const char *reason);

/** How often to repeat: `everyday` times, or `whole` times under ./dev stress. */
long testlib_count(long everyday, long whole);

/**
 * Whether to repeat once more: `done` times it has been done, of `wanted`. Where MPROC_STRESS_SECONDS says how
 * long the executable may take, each case has its share of that: then it ends sooner, at least once done, and
 * says so.
 */
bool testlib_goes_on(long done, long wanted);

/** Whether the share of the case that runs is used up, for who does not count. */
bool testlib_time_is_up(void);

/** Pseudo-random numbers; the seed is MPROC_TEST_SEED or the time, and is printed at first use. */
uint32_t testlib_random(void);

/** The next number of a row of one's own, for threads and children; *state is never 0. */
uint32_t testlib_next(uint32_t *state);

/** Monotonic time in nanoseconds, for limits of tests that wait; never a pass condition by itself. */
int64_t testlib_now(void);

#endif
