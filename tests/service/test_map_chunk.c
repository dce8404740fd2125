/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_map_chunk.c: items that are one task, without a pool: the worker is this thread, and dies by a jump.
 */
#include "support/testlib.h"

#include "base/status.h"
#include "mproc/mproc.h"
#include "service/chunk.h"

#include <setjmp.h>
#include <string.h>

#define N 1000

static uint64_t state;         /* of the task */
static int64_t dies_at = -1;   /* the item whose function does not return */
static int64_t leaves_at = -1; /* the item in which the task becomes unwanted */
static int n_calls[N];
static jmp_buf grave;

static int count_call(int64_t i)
{
    n_calls[i]++;
    if (i == dies_at) {
        dies_at = -1;
        longjmp(grave, 1);
    }
    state = i == leaves_at ? MPROC__TASK_ABANDONED : 0;
    return 0;
}

static int cube(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    if (rc >= 0) {
        rc = count_call(x);
        *result = MPROC_VALUE(x * x * x);
    }
    return rc;
}

static mproc_value numbers[N];

static void reset(void)
{
    state = 0;
    dies_at = leaves_at = -1;
    memset(n_calls, 0, sizeof(n_calls));
    for (int i = 0; i < N; i++) {
        numbers[i] = MPROC_VALUE(i);
    }
}

static const struct mproc__task_death death = {.exit_code = 7, .pid = 42};

/* Run a chunk of values as a worker would; false: it died. */
static bool run_values(mproc__hold hold, mproc_task_fn fn, int expected)
{
    if (setjmp(grave) != 0) {
        return false;
    }
    mproc__chunk_run run;
    CU_ASSERT(mproc__chunk_enter(&run, hold.offset, &state) == 0);
    CU_ASSERT(mproc__chunk_run_values(&run, fn) == expected);
    return true;
}

/* Read all outcomes. How many have failed. */
static size_t read_all(mproc__hold hold, mproc_value *values, int *statuses, size_t count)
{
    mproc__chunk_reader reader;
    mproc__item_error error;
    size_t at = 0, n = 0, n_errors = 0;
    CU_ASSERT_FATAL(mproc__chunk_read_begin(&reader, hold.offset) == 0);
    while (mproc__chunk_read(&reader, values + at, count - at, &n, &error) == 1) {
        for (size_t i = 0; i < n; i++) {
            statuses[at++] = 0;
        }
        if (n == 0) {
            CU_ASSERT_FATAL(error.item == at && at < count);
            values[at] = MPROC_NIL_VALUE;
            statuses[at++] = error.status;
            n_errors++;
        }
    }
    CU_ASSERT(at == count && mproc__chunk_n_ended(hold.offset) == count);
    return n_errors;
}

static mproc_value results[N];
static int statuses[N];

static void check_cubes(int64_t but)
{
    for (int64_t i = 0; i < N; i++) {
        CU_ASSERT(i == but ? results[i].type == MPROC_NIL : results[i].as.integer == i * i * i);
        CU_ASSERT(i == but || (n_calls[i] == 1 && statuses[i] == 0));
    }
}

static void test_chunk__knows_pythons_rule(void)
{
    CU_ASSERT(mproc__chunk_rule(0, 2) == 0);
    CU_ASSERT(mproc__chunk_rule(1, 2) == 1);
    CU_ASSERT(mproc__chunk_rule(8, 2) == 1);
    CU_ASSERT(mproc__chunk_rule(9, 2) == 2);
    CU_ASSERT(mproc__chunk_rule(1000000, 2) == 125000);
    CU_ASSERT(mproc__chunk_rule(10, 0) == 3);
    CU_ASSERT(mproc__chunk_rule(SIZE_MAX, 1) == SIZE_MAX / 4 + 1);
}

static void test_chunk__runs_values(void)
{
    const mproc__chunk_plan plan = {0};
    mproc__hold hold;
    reset();
    CU_ASSERT_FATAL(mproc__chunk_make(&plan, numbers, N, &hold) == 0);
    CU_ASSERT(run_values(hold, cube, 0));
    CU_ASSERT(read_all(hold, results, statuses, N) == 0);
    check_cubes(-1);
    mproc__block_release(hold);
}

/* Whoever stops where, the next one goes on: nothing is run twice. */
static void test_chunk__goes_on_after_the_unwanted(void)
{
    const mproc__chunk_plan plan = {0};
    mproc__hold hold;
    static const int64_t places[] = {0, 1, 62, 63, 64, 127, 500, N - 1};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        reset();
        leaves_at = places[i];
        CU_ASSERT_FATAL(mproc__chunk_make(&plan, numbers, N, &hold) == 0);
        CU_ASSERT(run_values(hold, cube, 0));
        CU_ASSERT(mproc__chunk_n_ended(hold.offset) == places[i] + 1);
        mproc__chunk_bury(hold.offset, MPROC_EWORKERDIED, &death);
        state = 0;
        CU_ASSERT(run_values(hold, cube, 0));
        CU_ASSERT(read_all(hold, results, statuses, N) == 0);
        check_cubes(-1);
        mproc__block_release(hold);
    }
}

/* The item at which a worker dies is charged, and no other. */
static void test_chunk__charges_one_item(void)
{
    mproc__hold hold;
    static const int64_t places[] = {0, 1, 63, 64, 500, N - 1};
    for (uint32_t retries = 0; retries < 2; retries++) {
        const mproc__chunk_plan plan = {.retries = retries};
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            reset();
            dies_at = places[i];
            CU_ASSERT_FATAL(mproc__chunk_make(&plan, numbers, N, &hold) == 0);
            CU_ASSERT(!run_values(hold, cube, 0));
            CU_ASSERT(mproc__chunk_n_ended(hold.offset) == places[i]);
            mproc__chunk_bury(hold.offset, MPROC_EWORKERDIED, &death);
            CU_ASSERT(run_values(hold, cube, 0));
            CU_ASSERT(read_all(hold, results, statuses, N) == (retries == 0));
            n_calls[places[i]] -= (int)retries; // that one was run twice
            check_cubes(retries == 0 ? places[i] : -1);
            CU_ASSERT(statuses[places[i]] == (retries == 0 ? MPROC_EWORKERDIED : 0));
            mproc__block_release(hold);
        }
    }
}

/* A death after a death, in the same item and the next one. */
static void test_chunk__charges_twice(void)
{
    const mproc__chunk_plan plan = {.retries = 1};
    mproc__hold hold;
    reset();
    CU_ASSERT_FATAL(mproc__chunk_make(&plan, numbers, N, &hold) == 0);
    static const int64_t deaths[] = {5, 5, 6, 6, 8};
    for (size_t i = 0; i < 5; i++) {
        dies_at = deaths[i];
        CU_ASSERT(!run_values(hold, cube, 0));
        mproc__chunk_bury(hold.offset, MPROC_EWORKERDIED, &death);
    }
    CU_ASSERT(run_values(hold, cube, 0));
    CU_ASSERT(read_all(hold, results, statuses, N) == 2);
    CU_ASSERT(statuses[5] == MPROC_EWORKERDIED && statuses[6] == MPROC_EWORKERDIED);
    CU_ASSERT(statuses[7] == 0 && statuses[8] == 0 && n_calls[8] == 2);
    mproc__block_release(hold);
}

/* Fails the odd ones; the first time, or always. */
static int fail_odd(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    (void)result;
    if (rc >= 0 && x % 2 == 1 && n_calls[x]++ < 1) {
        rc = mproc__fail(MPROC_ERANGE, "%d is odd", (int)x);
    }
    return rc;
}

static void test_chunk__carries_errors(void)
{
    mproc__hold hold;
    for (unsigned retries = 0; retries < 2; retries++) {
        const mproc__chunk_plan plan = {.flags = MPROC__CHUNK_RETRY_ERRORS, .retries = retries};
        reset();
        CU_ASSERT_FATAL(mproc__chunk_make(&plan, numbers, N, &hold) == 0);
        CU_ASSERT(run_values(hold, fail_odd, 0));
        CU_ASSERT(read_all(hold, results, statuses, N) == (retries == 0 ? N / 2 : 0));
        CU_ASSERT(statuses[4] == 0 && statuses[7] == (retries == 0 ? MPROC_ERANGE : 0));
        mproc__block_release(hold);
    }
    // The sentence comes along.
    const mproc__chunk_plan plan = {.flags = MPROC__CHUNK_NO_RESULTS};
    mproc__chunk_reader reader;
    mproc__item_error error;
    size_t n;
    reset();
    CU_ASSERT_FATAL(mproc__chunk_make(&plan, numbers, N, &hold) == 0);
    CU_ASSERT(run_values(hold, fail_odd, 0));
    CU_ASSERT(mproc__chunk_read_begin(&reader, hold.offset) == 0);
    CU_ASSERT(mproc__chunk_read(&reader, NULL, 0, &n, &error) == 1 && n == 0);
    CU_ASSERT(error.item == 1 && error.size == 8 && memcmp(error.story, "1 is odd", 8) == 0);
    CU_ASSERT(mproc__chunk_read(&reader, NULL, 0, &n, &error) == 1 && error.item == 3);
    mproc__block_release(hold);
}

static int blow_up(const mproc_args *args, mproc_value *result)
{
    static char text[1000];
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    if (rc < 0) {
        return rc;
    }
    memset(text, 'x', sizeof(text));
    rc = count_call(x);
    const mproc_value list = MPROC_LIST(x, MPROC_VALUE(mproc_bytes_of(text, sizeof(text))));
    return rc < 0 ? rc : mproc_value_copy(result, &list);
}

static void test_chunk__grows_with_its_results(void)
{
    const mproc__chunk_plan plan = {0};
    mproc__hold hold;
    reset();
    CU_ASSERT_FATAL(mproc__chunk_make(&plan, numbers, N, &hold) == 0);
    static const int64_t deaths[] = {1, 2, 9, 10, 90, 500, 501, 999};
    for (size_t i = 0; i < 8; i++) {
        dies_at = deaths[i];
        CU_ASSERT(!run_values(hold, blow_up, 0));
        mproc__chunk_bury(hold.offset, MPROC_EWORKERDIED, &death);
    }
    CU_ASSERT(run_values(hold, blow_up, 0));
    CU_ASSERT(read_all(hold, results, statuses, N) == 8);
    mproc__block_release(hold);
    for (int i = 0; i < N; i++) {
        CU_ASSERT(statuses[i] == MPROC_EWORKERDIED ||
                  (results[i].as.list.count == 2 && results[i].as.list.items[0].as.integer == i &&
                   results[i].as.list.items[1].as.bytes.size == 1000));
        mproc_value_clear(&results[i]);
    }
}

/* Sends its argument back, and what it is. */
static int echo(const mproc_args *args, mproc_value *result)
{
    *result = args->items[0];
    return 0;
}

static void pass_objects(void)
{
    const mproc__chunk_plan plan = {0};
    mproc__hold hold;
    mproc_value items[100], values[100];
    mproc_block *blocks[100];
    for (int i = 0; i < 100; i++) {
        CU_ASSERT_FATAL(mproc_block_create(&blocks[i], 8) == 0);
        memcpy(mproc_block_data(blocks[i]), &i, sizeof(i));
        items[i] = i % 3 == 0 ? MPROC_VALUE("no object") : MPROC_VALUE(blocks[i]);
    }
    state = 0;
    CU_ASSERT_FATAL(mproc__chunk_make(&plan, items, 100, &hold) == 0);
    CU_ASSERT(run_values(hold, echo, 0));
    CU_ASSERT(read_all(hold, values, statuses, 100) == 0);
    mproc__block_release(hold);
    for (int i = 0; i < 100; i++) {
        mproc_block *block = NULL;
        int number = -1;
        mproc_block_close(blocks[i]);
        const mproc_args args = {1, &values[i]};
        CU_ASSERT(i % 3 == 0 ? values[i].as.string.size == 9 : MPROC_UNPACK(&args, &block) == 0);
        if (block != NULL) {
            memcpy(&number, mproc_block_data(block), sizeof(number));
        }
        CU_ASSERT(block == NULL || number == i);
        mproc_value_clear(&values[i]);
    }
}

static void test_chunk__passes_objects(void)
{
    mproc_arena_stats before, after;
    pass_objects(); // the ledger grows
    CU_ASSERT(mproc_arena_get_stats(&before) == 0);
    pass_objects();
    CU_ASSERT(mproc_arena_get_stats(&after) == 0 && after.live_blocks == before.live_blocks);
}

static int power(const mproc_args *args, mproc_value *result)
{
    int64_t base, exponent, product = 1;
    int rc = MPROC_UNPACK(args, &base, &exponent);
    for (int64_t i = 0; rc >= 0 && i < exponent; i++) {
        product *= base;
    }
    *result = MPROC_VALUE(product);
    return rc;
}

static void test_chunk__takes_lists_apart(void)
{
    const mproc__chunk_plan plan = {.flags = MPROC__CHUNK_STAR};
    const mproc_value items[] = {MPROC_LIST(2, 5), MPROC_LIST(3, 2), MPROC_VALUE(1), MPROC_LIST(1),
                                 MPROC_LIST(10, 3)};
    mproc__hold hold;
    state = 0;
    CU_ASSERT_FATAL(mproc__chunk_make(&plan, items, 5, &hold) == 0);
    CU_ASSERT(run_values(hold, power, 0));
    CU_ASSERT(read_all(hold, results, statuses, 5) == 2);
    CU_ASSERT(results[0].as.integer == 32 && results[1].as.integer == 9);
    CU_ASSERT(statuses[2] == MPROC_ETYPE && statuses[3] == MPROC_ECOUNT);
    CU_ASSERT(results[4].as.integer == 1000);
    mproc__block_release(hold);
}

static int halve(const void *in, void *out, const mproc_args *args)
{
    int32_t x;
    double scale = 2, y;
    memcpy(&x, in, sizeof(x));
    int rc = args != NULL ? MPROC_UNPACK(args, &scale) : 0;
    y = x / scale;
    rc = rc < 0 ? rc : count_call(x);
    memcpy(out, &y, sizeof(y));
    return x == 13 ? mproc__fail(MPROC_ERANGE, "thirteen") : rc;
}

static void run_array(mproc__hold hold)
{
    mproc__chunk_run run;
    state = 0;
    CU_ASSERT(mproc__chunk_enter(&run, hold.offset, &state) == 0);
    CU_ASSERT(mproc__chunk_run_array(&run, (mproc__function)halve) == 0);
}

static void check_array_errors(mproc__hold hold)
{
    mproc__chunk_reader reader;
    mproc__item_error error;
    size_t n;
    CU_ASSERT(mproc__chunk_read_begin(&reader, hold.offset) == 0);
    CU_ASSERT(mproc__chunk_read(&reader, NULL, 0, &n, &error) == 1 && n == 0);
    CU_ASSERT(error.item == 13 && error.status == MPROC_ERANGE);
    CU_ASSERT(mproc__chunk_read(&reader, NULL, 0, &n, &error) == 1 && n == 0);
    CU_ASSERT(error.item == 99 && error.status == MPROC_EWORKERDIED);
    CU_ASSERT(error.kind == MPROC__STORY_DEATH && error.size == sizeof(death));
    CU_ASSERT(mproc__chunk_read(&reader, NULL, 0, &n, &error) == 0);
}

static void test_chunk__runs_elements(void)
{
    const mproc__chunk_plan plan = {.flags = MPROC__CHUNK_NO_RESULTS};
    const mproc_value args = MPROC_LIST(MPROC_NIL_VALUE, MPROC_NIL_VALUE, MPROC_LIST(4.0));
    int32_t in[200];
    mproc__hold hold;
    reset();
    for (int i = 0; i < 200; i++) {
        in[i] = i;
    }
    const mproc__chunk_elements elements = {.in = in, .in_size = 4, .out_size = 8, .has_out = true};
    CU_ASSERT_FATAL(mproc__chunk_make_array(&plan, &elements, &args, 200, &hold) == 0);
    // A jump would leak what a death does not: so it ends after 98, and what is left looks as if 99 had begun.
    leaves_at = 98;
    run_array(hold);
    struct mproc__chunk_shm *shm = mproc__block_at(hold.offset);
    shm->progress |= MPROC__CHUNK_BEGUN;
    n_calls[99]++;
    mproc__chunk_bury(hold.offset, MPROC_EWORKERDIED, &death);
    run_array(hold);
    check_array_errors(hold);
    for (int i = 0; i < 200; i++) {
        double y;
        memcpy(&y, (const char *)mproc__chunk_results(hold.offset) + 8 * (size_t)i, sizeof(y));
        CU_ASSERT(n_calls[i] == 1 && (i == 99 || y == i / 4.0));
    }
    mproc__block_release(hold);
}

static void test_chunk__runs_shared_elements(void)
{
    const mproc__chunk_plan plan = {.flags = MPROC__CHUNK_NO_RESULTS};
    mproc_array *in, *out;
    mproc__hold hold;
    reset();
    CU_ASSERT_FATAL(mproc_array_create(&in, 'i', N, NULL, NULL) == 0);
    CU_ASSERT_FATAL(mproc_array_create(&out, 'd', N, NULL, NULL) == 0);
    for (int i = 0; i < N; i++) {
        ((int *)mproc_array_data(in))[i] = i;
    }
    const mproc_value args = MPROC_LIST(in, out, MPROC_NIL_VALUE);
    const mproc__chunk_elements elements = {.in_size = 4, .out_size = 8, .first = 100};
    CU_ASSERT_FATAL(mproc__chunk_make_array(&plan, &elements, &args, 200, &hold) == 0);
    run_array(hold);
    const double *halves = mproc_array_data(out);
    for (int i = 0; i < N; i++) {
        CU_ASSERT(n_calls[i] == (i >= 100 && i < 300) && halves[i] == (n_calls[i] ? i / 2.0 : 0));
    }
    mproc__block_release(hold);
    // More of them than there are
    const mproc__chunk_elements wrong = {.in_size = 4, .out_size = 8, .first = N - 1};
    CU_ASSERT_FATAL(mproc__chunk_make_array(&plan, &wrong, &args, 2, &hold) == 0);
    mproc__chunk_run run;
    CU_ASSERT(mproc__chunk_enter(&run, hold.offset, &state) == 0);
    CU_ASSERT(mproc__chunk_run_array(&run, (mproc__function)halve) == MPROC_ECORRUPT);
    mproc__block_release(hold);
    mproc_array_close(in);
    mproc_array_close(out);
}

/* Whatever somebody writes over a chunk's head: a status, no crash. */
static void test_chunk__believes_nothing(void)
{
    const mproc__chunk_plan plan = {0};
    for (size_t i = 0; i < 4000; i++) {
        mproc__hold hold;
        mproc__chunk_run run;
        mproc__chunk_reader reader;
        mproc__item_error error;
        size_t n;
        reset();
        CU_ASSERT_FATAL(mproc__chunk_make(&plan, numbers, 20, &hold) == 0);
        if (i % 2 == 1) {
            CU_ASSERT(run_values(hold, cube, 0));
        }
        unsigned char *bytes = mproc__block_at(hold.offset);
        const size_t place = testlib_random() % (sizeof(struct mproc__chunk_shm) + 60);
        bytes[place] = (unsigned char)testlib_random();
        if (mproc__chunk_enter(&run, hold.offset, &state) >= 0 &&
            run.shm->n_items <= MPROC__CHUNK_MAX_ITEMS) {
            (void)mproc__chunk_run_values(&run, echo);
        }
        if (mproc__chunk_read_begin(&reader, hold.offset) >= 0) {
            while (mproc__chunk_read(&reader, results, N, &n, &error) == 1) {
                for (size_t k = 0; k < n; k++) {
                    mproc_value_clear(&results[k]);
                }
            }
        }
        mproc__block_release(hold);
    }
}

static const testlib_case cases[] = {
    {"knows_pythons_rule", test_chunk__knows_pythons_rule},
    {"runs_values", test_chunk__runs_values},
    {"goes_on_after_the_unwanted", test_chunk__goes_on_after_the_unwanted},
    {"charges_one_item", test_chunk__charges_one_item},
    {"charges_twice", test_chunk__charges_twice},
    {"carries_errors", test_chunk__carries_errors},
    {"grows_with_its_results", test_chunk__grows_with_its_results},
    {"passes_objects", test_chunk__passes_objects},
    {"takes_lists_apart", test_chunk__takes_lists_apart},
    {"runs_elements", test_chunk__runs_elements},
    {"runs_shared_elements", test_chunk__runs_shared_elements},
    {"believes_nothing", test_chunk__believes_nothing},
};
TESTLIB_MAIN("service.map_chunk", cases)
