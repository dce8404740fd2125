/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testlib.c: CUnit's registry, filled from a table.
 */
#include "support/testlib.h"

#include "platform.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_wanted(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return argc < 2;
}

/* The cases that run, in their order; and when the one that does is to end, 0: whenever it has done all. */
static const testlib_case **wanted;
static size_t n_wanted;
static size_t n_begun;
static int64_t all_end;
static int64_t case_end;

static void run_next(void)
{
    const testlib_case *next = wanted[n_begun++];
    if (all_end != 0) {
        int64_t left = all_end - mplat_now();
        case_end = mplat_now() + (left > 0 ? left / (int64_t)(n_wanted - n_begun + 1) : 0);
    }
    next->run();
}

static int add_cases(CU_pSuite suite, int argc, char **argv, const testlib_case *cases,
                     size_t count)
{
    const char *seconds = getenv("MPROC_STRESS_SECONDS");
    wanted = calloc(count, sizeof(const testlib_case *));
    n_wanted = n_begun = 0; // the suite may run several times, with other start methods
    if (suite == NULL || wanted == NULL) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_wanted(argc, argv, cases[i].name)) {
            wanted[n_wanted++] = &cases[i];
            (void)CU_add_test(suite, cases[i].name, run_next);
        }
    }
    all_end = seconds != NULL ? mplat_now() + strtol(seconds, NULL, 10) * 1000000000 : 0;
    return 0;
}

int testlib_main(int argc, char **argv, const char *suite, const testlib_case *cases, size_t count)
{
    // What a crash leaves unprinted is worth nothing.
    setvbuf(stdout, NULL, _IONBF, 0);
    if (mplat_init() < 0 || CU_initialize_registry() != CUE_SUCCESS) {
        return EXIT_FAILURE;
    }
    if (add_cases(CU_add_suite(suite, NULL, NULL), argc, argv, cases, count) < 0) {
        return EXIT_FAILURE;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    (void)CU_basic_run_tests();
    unsigned ran = CU_get_number_of_tests_run();
    unsigned failures = CU_get_number_of_failures() + CU_get_number_of_tests_failed();
    CU_cleanup_registry();
    free(wanted);
    printf("%s: %u run, %u failed\n", suite, ran, failures);
    return failures == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

void testlib_skip(const char *reason)
{
    printf("skipped: %s ... ", reason);
    CU_PASS("skipped");
}

long testlib_count(long everyday, long whole)
{
    const char *wish = getenv("MPROC_STRESS");
    return wish != NULL && strcmp(wish, "full") == 0 ? whole : everyday;
}

bool testlib_time_is_up(void)
{
    return case_end != 0 && mplat_now() >= case_end;
}

bool testlib_goes_on(long done, long wanted_times)
{
    if (done == 0 || done >= wanted_times) {
        return done < wanted_times;
    }
    bool is_up = testlib_time_is_up();
    if (is_up) {
        printf("cut short: %ld of %ld ... ", done, wanted_times);
    }
    return !is_up;
}

uint32_t testlib_next(uint32_t *state)
{
    // xorshift32
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

uint32_t testlib_random(void)
{
    static uint32_t state;
    if (state == 0) {
        const char *seed = getenv("MPROC_TEST_SEED");
        state = seed != NULL ? (uint32_t)strtoul(seed, NULL, 0) : (uint32_t)time(NULL);
        state |= 1;
        printf("MPROC_TEST_SEED=%lu ... ", (unsigned long)state);
    }
    return testlib_next(&state);
}

int64_t testlib_now(void)
{
    return mplat_now();
}
