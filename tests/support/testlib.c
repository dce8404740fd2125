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

int testlib_main(int argc, char **argv, const char *suite, const testlib_case *cases, size_t count)
{
    // What a crash leaves unprinted is worth nothing.
    setvbuf(stdout, NULL, _IONBF, 0);
    if (mplat_init() < 0 || CU_initialize_registry() != CUE_SUCCESS) {
        return EXIT_FAILURE;
    }
    CU_pSuite registry = CU_add_suite(suite, NULL, NULL);
    for (size_t i = 0; registry != NULL && i < count; i++) {
        if (is_wanted(argc, argv, cases[i].name)) {
            (void)CU_add_test(registry, cases[i].name, cases[i].run);
        }
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    (void)CU_basic_run_tests();
    unsigned ran = CU_get_number_of_tests_run();
    unsigned failures = CU_get_number_of_failures() + CU_get_number_of_tests_failed();
    CU_cleanup_registry();
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

uint32_t testlib_random(void)
{
    static uint32_t state;
    if (state == 0) {
        const char *seed = getenv("MPROC_TEST_SEED");
        state = seed != NULL ? (uint32_t)strtoul(seed, NULL, 0) : (uint32_t)time(NULL);
        state |= 1;
        printf("MPROC_TEST_SEED=%lu ... ", (unsigned long)state);
    }
    // xorshift32
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

int64_t testlib_now(void)
{
    return mplat_now();
}
