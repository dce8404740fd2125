/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_progress.c: what a progress says, and when. The clock is the test's.
 */
#include "service/progress.h"

#include "support/testlib.h"

#include <inttypes.h>
#include <string.h>

#define MS ((int64_t)1000000)
#define S (1000 * MS)

/* ---- lines ----------------------------------------------------------------------------------- */

static mproc__progress_state state_of(uint64_t done, uint64_t total, double rate,
                                      int64_t elapsed_ns)
{
    return (mproc__progress_state){.label = "hashing",
                                   .done = done,
                                   .total = total,
                                   .per_second = rate,
                                   .elapsed_ns = elapsed_ns};
}

static void check_bar(const mproc__progress_state *state, int width, const char *expected)
{
    char line[MPROC__PROGRESS_LINE];
    int columns = mproc__progress_bar(state, width, line);
    CU_ASSERT_STRING_EQUAL(line, expected);
    CU_ASSERT(columns <= width);
    if (strcmp(line, expected) != 0) {
        printf("\n%s\n%s\n", line, expected);
    }
}

static void check_plain(const mproc__progress_state *state, const char *expected)
{
    char line[MPROC__PROGRESS_LINE];
    mproc__progress_plain(state, line);
    CU_ASSERT_STRING_EQUAL(line, expected);
    if (strcmp(line, expected) != 0) {
        printf("\n%s\n%s\n", line, expected);
    }
}

static void test_line__bar_takes_what_is_left(void)
{
    mproc__progress_state state = state_of(420, 1000, 140, 3 * S);
    check_bar(&state, 79,
              "hashing  42% [############                 ]   420/1000  140/s  0:03  0:04 left");
    check_bar(&state, 200,
              "hashing  42% [################                        ]   420/1000  140/s  0:03"
              "  0:04 left");
    check_bar(&state, 55, "hashing  42% [##   ]   420/1000  140/s  0:03  0:04 left");
    check_bar(&state, 54, "hashing  42%   420/1000  140/s  0:03  0:04 left");
    check_bar(&state, 47, "hashing  42%   420/1000  140/s  0:03  0:04 left");
    check_bar(&state, 46, "42%   420/1000  140/s  0:03  0:04 left");
    check_bar(&state, 20, "42%   420/1000  140/");
    check_bar(&state, 1, "4");
    check_bar(&state, 0, "");
}

static void test_line__begin_and_end(void)
{
    mproc__progress_state state = state_of(0, 10, 0, 0);
    check_bar(&state, 40, "hashing   0% [            ]   0/10  0:00");
    state = state_of(10, 10, 2.5, 4 * S);
    check_bar(&state, 40, "hashing 100% [#####]  10/10  2.5/s  0:04");
    state = state_of(9999, 10000, 0, S);
    check_bar(&state, 31, "hashing  99%   9999/10000  0:01");
}

static void test_line__without_a_total(void)
{
    mproc__progress_state state = state_of(123, MPROC__PROGRESS_UNKNOWN, 12.34, 3723 * S);
    check_bar(&state, 79, "hashing  123  12.3/s  1:02:03");
    check_bar(&state, 22, "123  12.3/s  1:02:03");
    check_plain(&state, "hashing: 123, 12.3/s, 1:02:03 so far");
    state.label[0] = '\0';
    check_bar(&state, 79, "123  12.3/s  1:02:03");
    check_plain(&state, "123, 12.3/s, 1:02:03 so far");
}

static void test_line__plain(void)
{
    mproc__progress_state state = state_of(42, 1000, 14, 3 * S);
    check_plain(&state, "hashing: 42/1000 (4%), 14.0/s, 0:03 so far, 1:08 left");
    state.idle_ns = 60 * S;
    check_plain(&state, "hashing: 42/1000 (4%), 14.0/s, 0:03 so far, 0:08 left");
    state.idle_ns = 100 * S;
    check_plain(&state, "hashing: 42/1000 (4%), 14.0/s, 0:03 so far, 0:00 left");
    state.is_over = true;
    check_plain(&state, "hashing: 42/1000 (4%), 14.0/s, 0:03 so far");
    state = state_of(0, 0, 0, 0);
    check_plain(&state, "hashing: 0/0 (100%), 0:00 so far");
}

static void test_line__rates(void)
{
    static const struct {
        double rate;
        const char *text;
    } rates[] = {
        {0.004, "0.00/s"},  {0.25, "0.25/s"},  {0.994, "0.99/s"},    {0.996, "1.0/s"},
        {99.94, "99.9/s"},  {99.96, "100/s"},  {999.4, "999/s"},     {999.6, "1.0k/s"},
        {12345, "12.3k/s"}, {1.5e6, "1.5M/s"}, {9.9999e8, "1.0G/s"}, {3e12, "3.0T/s"},
        {5e15, "5000T/s"},
    };
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        char expected[64];
        mproc__progress_state state = state_of(1, MPROC__PROGRESS_UNKNOWN, rates[i].rate, 0);
        (void)snprintf(expected, sizeof(expected), "hashing: 1, %s, 0:00 so far", rates[i].text);
        check_plain(&state, expected);
    }
}

static void test_line__extremes_fit(void)
{
    char line[MPROC__PROGRESS_LINE];
    mproc__progress_state state = state_of(UINT64_MAX - 2, UINT64_MAX - 1, 1e300, INT64_MAX);
    for (int width = 0; width < 300; width++) {
        CU_ASSERT(mproc__progress_bar(&state, width, line) <= width);
        CU_ASSERT(strlen(line) <= (size_t)width);
    }
    mproc__progress_plain(&state, line);
    CU_ASSERT(strlen(line) < sizeof(line) - 1);
    // As long as the universe is not told.
    state = state_of(1, UINT64_MAX - 1, 1e-300, 0);
    check_plain(&state, "hashing: 1/18446744073709551614 (0%), 0.00/s, 0:00 so far");
    state = state_of(5, 4, 1, S); // more than all
    check_plain(&state, "hashing: 5/4 (100%), 1.0/s, 0:01 so far");
}

static void test_line__letters_are_not_bytes(void)
{
    mproc__progress_state state = state_of(1, 2, 0, S);
    (void)snprintf(state.label, sizeof(state.label), "%s",
                   "pr\xc3\xbc"
                   "fen");
    check_bar(&state, 32,
              "pr\xc3\xbc"
              "fen  50% [###    ]  1/2  0:01");
    check_bar(&state, 17, "50%  1/2  0:01");
}

/* ---- when ------------------------------------------------------------------------------------ */

static char written[1 << 16];
static size_t n_written;
static int n_writes;

static void keep(void *arg, const char *text, size_t size)
{
    CU_ASSERT_PTR_EQUAL(arg, written);
    CU_ASSERT_FATAL(n_written + size < sizeof(written));
    memcpy(written + n_written, text, size);
    n_written += size;
    written[n_written] = '\0';
    n_writes++;
}

static mproc__progress progress_of(int columns)
{
    n_written = 0;
    n_writes = 0;
    written[0] = '\0';
    return (mproc__progress){.columns = columns, .write = keep, .arg = written};
}

static void test_when__a_terminals_line_is_drawn_ten_times_a_second(void)
{
    mproc__progress progress = progress_of(60);
    mproc__progress_begin_at(&progress, "a", 10000, 5 * S);
    CU_ASSERT_EQUAL(n_writes, 1);
    for (uint64_t i = 1; i <= 10000; i++) {
        mproc__progress_update_at(&progress, i, 5 * S + (int64_t)i * S / 10000);
    }
    CU_ASSERT_EQUAL(n_writes, 1 + 10);
    CU_ASSERT_PTR_NULL(strchr(written, '\n'));
    mproc__progress_end_at(&progress, 6 * S);
    CU_ASSERT_EQUAL(n_writes, 1 + 10 + 1);
    const char *last = strrchr(written, '\r');
    CU_ASSERT_PTR_NOT_NULL_FATAL(last);
    CU_ASSERT_STRING_EQUAL(last, "\ra 100% [######################]  10000/10000  10.0k/s  0:01\n");
    // Whatever was drawn, it had room.
    for (const char *line = written; line != NULL && *line != '\0'; line = strchr(line + 1, '\r')) {
        CU_ASSERT(strcspn(line + 1, "\r\n") <= 59);
    }
}

static void test_when__a_shorter_line_leaves_nothing_behind(void)
{
    mproc__progress progress = progress_of(40);
    mproc__progress_begin_at(&progress, "a", MPROC__PROGRESS_UNKNOWN, 0);
    mproc__progress_update_at(&progress, 1, S);
    mproc__progress_update_at(&progress, 999600, 2 * S);
    mproc__progress_update_at(&progress, 999600, 3 * S);
    mproc__progress_update_at(&progress, 5, 4 * S); // whoever counts backwards
    mproc__progress_end_at(&progress, 5 * S);
    CU_ASSERT_STRING_EQUAL(written, "\ra  0  0:00"
                                    "\ra  1  1.0/s  0:01"
                                    "\ra  999600  500k/s  0:02"
                                    "\ra  999600  500k/s  0:03"
                                    "\ra  5  500k/s  0:04     "
                                    "\ra  5  1.0/s  0:05 \n");
}

static void test_when__the_clock_goes_on_while_nothing_is_done(void)
{
    mproc__progress progress = progress_of(40);
    mproc__progress_begin_at(&progress, NULL, 4, 0);
    CU_ASSERT_EQUAL(progress.due, 100 * MS);
    mproc__progress_update_at(&progress, 1, 10 * S);
    mproc__progress_update_at(&progress, 1, 14 * S);
    CU_ASSERT_EQUAL(progress.due, 14 * S + 100 * MS);
    mproc__progress_end_at(&progress, 14 * S + 1);
    CU_ASSERT_STRING_EQUAL(written, "\r  0% [                     ]  0/4  0:00"
                                    "\r 25%  1/4  0.10/s  0:10  0:30 left     "
                                    "\r 25%  1/4  0.10/s  0:14  0:26 left"
                                    "\r 25% [###          ]  1/4  0.07/s  0:14\n");
}

static void test_when__plain_lines_are_few(void)
{
    mproc__progress progress = progress_of(0);
    mproc__progress_begin_at(&progress, "a", 1000, 0);
    // Ten a second, 100 seconds: every tenth.
    for (uint64_t i = 1; i <= 1000; i++) {
        mproc__progress_update_at(&progress, i, (int64_t)i * S / 10);
    }
    mproc__progress_end_at(&progress, 100 * S);
    CU_ASSERT(n_writes >= 12 && n_writes <= 25);
    CU_ASSERT_PTR_NOT_NULL(strstr(written, "a: 0/1000 (0%), 0:00 so far\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(written, "a: 500/1000 (50%), 10.0/s, 0:50 so far, 0:50 left\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(written, "a: 1000/1000 (100%), 10.0/s, 1:40 so far\n"));

    // Over in an instant: the begin and the end.
    progress = progress_of(0);
    mproc__progress_begin_at(&progress, "a", 1000, 0);
    for (uint64_t i = 1; i <= 1000; i++) {
        mproc__progress_update_at(&progress, i, (int64_t)i * MS / 10);
    }
    mproc__progress_end_at(&progress, 100 * MS);
    CU_ASSERT_STRING_EQUAL(written, "a: 0/1000 (0%), 0:00 so far\n"
                                    "a: 1000/1000 (100%), 10.0k/s, 0:00 so far\n");

    // For a day, and nobody knows how much there is: a line when a tenth of the time has passed.
    progress = progress_of(0);
    mproc__progress_begin_at(&progress, "a", MPROC__PROGRESS_UNKNOWN, 0);
    for (uint64_t i = 1; i <= 86400; i++) {
        mproc__progress_update_at(&progress, i, (int64_t)i * S);
    }
    mproc__progress_end_at(&progress, 86400 * S);
    CU_ASSERT(n_writes > 50 && n_writes < 120);
    const char *end = "a: 86400, 1.0/s, 24:00:00 so far\n";
    CU_ASSERT(n_written > strlen(end));
    CU_ASSERT_STRING_EQUAL(written + n_written - strlen(end), end);
}

static void test_when__rate_forgets(void)
{
    mproc__progress progress = progress_of(60);
    mproc__progress_begin_at(&progress, NULL, 1000000, 0);
    uint64_t done = 0;
    int64_t now = 0;
    for (int i = 0; i < 100; i++) { // 10 s: 1000 a second
        mproc__progress_update_at(&progress, done += 100, now += 100 * MS);
    }
    CU_ASSERT(progress.state.per_second > 999 && progress.state.per_second < 1001);
    for (int i = 0; i < 600; i++) { // a minute: 10 a second
        mproc__progress_update_at(&progress, done += 1, now += 100 * MS);
    }
    CU_ASSERT(progress.state.per_second > 9.9 && progress.state.per_second < 20);
}

static void test_when__labels_are_made_harmless(void)
{
    char label[200];
    mproc__progress progress = progress_of(0);
    mproc__progress_begin_at(&progress, "a\nb\x1b[2J", MPROC__PROGRESS_UNKNOWN, 0);
    CU_ASSERT_STRING_EQUAL(written, "a?b?[2J: 0, 0:00 so far\n");
    // Cut where a letter ends: 31 of two bytes fit into 63.
    for (size_t i = 0; i < sizeof(label) - 1; i += 2) {
        memcpy(label + i, "\xc3\xbc", i + 2 < sizeof(label) ? 2 : 1);
    }
    label[198] = '\0';
    mproc__progress_begin_at(&progress, label, MPROC__PROGRESS_UNKNOWN, 0);
    CU_ASSERT_EQUAL(strlen(progress.state.label), 62);
}

/** With the clock and a stream of this process. */
static void test_progress__real(void)
{
    mproc__progress progress;
    mproc__progress_begin(&progress, "real", 3, 2);
    for (uint64_t i = 1; i <= 3; i++) {
        mproc__progress_update(&progress, i);
    }
    mproc__progress_end(&progress);
    CU_ASSERT(progress.state.done == 3 && progress.state.elapsed_ns >= 0);
}

static const testlib_case cases[] = {
    {"bar_takes_what_is_left", test_line__bar_takes_what_is_left},
    {"begin_and_end", test_line__begin_and_end},
    {"without_a_total", test_line__without_a_total},
    {"plain", test_line__plain},
    {"rates", test_line__rates},
    {"extremes_fit", test_line__extremes_fit},
    {"letters_are_not_bytes", test_line__letters_are_not_bytes},
    {"ten_times_a_second", test_when__a_terminals_line_is_drawn_ten_times_a_second},
    {"shorter_line", test_when__a_shorter_line_leaves_nothing_behind},
    {"clock_goes_on", test_when__the_clock_goes_on_while_nothing_is_done},
    {"plain_lines_are_few", test_when__plain_lines_are_few},
    {"rate_forgets", test_when__rate_forgets},
    {"labels", test_when__labels_are_made_harmless},
    {"real", test_progress__real},
};
TESTLIB_MAIN("service.progress", cases)
