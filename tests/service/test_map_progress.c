/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_map_progress.c: the progress bars of maps: lines in a file, and a bar on a terminal.
 */
#include "object/report_test.h"
#include "service/pool_test.h"

#include "mproc/mproc.h"

#include <string.h>
#ifndef _WIN32
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#endif

enum { N = 40, STDERR = 2 };

enum way { MAP, ARRAY, RANGE, IMAP, UNORDERED, IMAP_SOURCE, IMAP_PART, N_WAYS };

static int cube(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    *result = MPROC_VALUE(x * x * x);
    return rc;
}

static int cube_element(const void *in, void *out, const mproc_args *args)
{
    (void)args;
    *(int *)out = *(const int *)in * 3;
    return 0;
}

static int do_range(int64_t begin, int64_t end, const mproc_args *args)
{
    (void)begin, (void)end, (void)args;
    return 0;
}

/** A source that does not know how many there are. */
static int make_number(mproc_value *ret_item, void *arg)
{
    int64_t *next = arg;
    *ret_item = MPROC_VALUE(*next);
    return (*next)++ < N ? 1 : 0;
}

static void show_iterator(mproc_pool *pool, enum way way, const mproc_args *items,
                          const mproc_map_options *options)
{
    mproc_args_source given = {.items = items};
    int64_t next = 0;
    mproc_iterator *it = NULL;
    mproc_value result;
    mproc_source_fn source = way == IMAP_SOURCE ? make_number : mproc_source_args;
    void *arg = way == IMAP_SOURCE ? (void *)&next : &given;
    int rc = way == UNORDERED ? mproc_pool_imap_unordered(pool, cube, source, arg, options, &it)
                              : mproc_pool_imap(pool, cube, source, arg, options, &it);
    CHILD_CHECK(rc == 0);
    for (int i = 0; i < (way == IMAP_PART ? N / 4 : N); i++) {
        CHILD_CHECK(mproc_iterator_next(it, &result, LIMIT) == 1);
    }
    if (way != IMAP_PART) {
        CHILD_CHECK(mproc_iterator_next(it, &result, LIMIT) == 0);
    }
    mproc_iterator_close(it);
}

/** In a process whose standard error is looked at. */
static int show(const mproc_args *args)
{
    int way;
    mproc_block *block;
    mproc_pool *pool = NULL;
    mproc_value items[N], results[N];
    int in[N], out[N];
    const mproc_args all = {N, items};
    const mproc_map_options options = {.name = "cubes", .progress = STDERR, .chunk_size = 4};
    CHILD_CHECK(MPROC_UNPACK(args, &way, &block) == 0);
    CHILD_CHECK(mproc_pool_create(&pool, &(mproc_pool_options){.processes = 2}) == 0);
    for (int i = 0; i < N; i++) {
        items[i] = MPROC_VALUE(i);
        in[i] = i;
    }
    if (way == MAP) {
        CHILD_CHECK(mproc_pool_map(pool, cube, &all, results, &options, LIMIT) == 0);
    } else if (way == ARRAY) {
        CHILD_CHECK(mproc_pool_map_array(
                        pool, cube_element, (mproc_elements){in, sizeof(*in), NULL},
                        (mproc_elements){out, sizeof(*out), NULL}, N, NULL, &options, LIMIT) == 0);
    } else if (way == RANGE) {
        CHILD_CHECK(mproc_pool_for(pool, do_range, 0, N, NULL, &options, LIMIT) == 0);
    } else {
        show_iterator(pool, (enum way)way, &all, &options);
    }
    mproc_pool_close(pool);
    return 0;
}

static void run_child(mproc_process_fn function, enum way way, const char *stderr_path)
{
    const mproc_process_options options = {.stderr_path = stderr_path};
    mproc_block *block = make_words(2);
    CU_ASSERT_EQUAL(end_of(start_with(function, MPROC_ARGS((int)way, block), &options)), 0);
    mproc_block_close(block);
}

static bool begins_with(const char *text, const char *what)
{
    return strncmp(text, what, strlen(what)) == 0;
}

/** The last line of a text, with its end. */
static const char *last_line(const char *text)
{
    size_t at = strlen(text);
    for (at -= at > 0 ? 1 : 0; at > 0 && text[at - 1] != '\n'; at--) {
    }
    return text + at;
}

static void test_map_progress__is_lines_in_a_file(void)
{
    for (int way = 0; way < N_WAYS; way++) {
        report told = make_report("progress");
        run_child(show, (enum way)way, told.path);
        const char *text = read_report(&told);
        const char *last = last_line(text);
        bool is_right =
            begins_with(text,
                        way == IMAP_SOURCE ? "cubes: 0, 0:00 so far\n" : "cubes: 0/40 (0%), ") &&
            last > text &&
            begins_with(last, way == IMAP_PART ? "cubes: 10/40 (25%)" : "cubes: 40/40 (100%)") &&
            strstr(last, " left") == NULL && last[strlen(last) - 1] == '\n';
        if (!is_right) {
            printf("way %d: %s ... ", way, text);
        }
        CU_ASSERT(is_right);
        close_report(&told);
    }
}

/** Who looks at the bar in between waits in slices, and to the end nevertheless. */
static int show_slowly(const mproc_args *args)
{
    int way;
    mproc_pool *pool = NULL;
    mproc_value result = {0};
    mproc_iterator *it = NULL;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &way, &block) == 0);
    const mproc_args items = {1, MPROC_VALUES(block)};
    mproc_args_source source = {.items = &items};
    const mproc_map_options options = {.progress = STDERR};
    const mproc_timeout slices = mproc_milliseconds(150);
    CHILD_CHECK(mproc_pool_create(&pool, &(mproc_pool_options){.processes = 1}) == 0);
    int rc =
        way == UNORDERED
            ? mproc_pool_imap_unordered(pool, task_meet, mproc_source_args, &source, &options, &it)
            : mproc_pool_imap(pool, task_meet, mproc_source_args, &source, &options, &it);
    CHILD_CHECK(rc == 0);
    CHILD_CHECK(mproc_iterator_next(it, &result, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_iterator_next(it, &result, slices) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_pool_map(pool, task_meet, &items, &result, &options, slices) ==
                MPROC_ETIMEDOUT);
    set_word(words_of(block) + 1, 1);
    CHILD_CHECK(mproc_iterator_next(it, &result, LIMIT) == 1);
    mproc_iterator_close(it);
    CHILD_CHECK(mproc_pool_map(pool, task_meet, &items, &result, &options, LIMIT) == 0);
    CHILD_CHECK(mproc_pool_map(pool, task_meet, &items, &result,
                               &(mproc_map_options){.progress = 3}, LIMIT) == MPROC_EINVAL);
    mproc_pool_close(pool);
    return 0;
}

static void test_map_progress__waits_to_the_end(void)
{
    report told = make_report("slow");
    run_child(show_slowly, IMAP, told.path);
    CU_ASSERT_EQUAL(count_in_report(&told, "1/1 (100%)"), 2);
    run_child(show_slowly, UNORDERED, told.path);
    CU_ASSERT_EQUAL(count_in_report(&told, "1/1 (100%)"), 2);
    CU_ASSERT_EQUAL(count_in_report(&told, "0/1 (0%)"), 4); // three begin, one ends so
    close_report(&told);
}

#ifdef _WIN32
static void test_map_progress__is_a_bar_on_a_terminal(void)
{
    testlib_skip("there are no consoles to be had whose content can be read");
}
#else
/** Open a terminal of 70 columns; its other end, or -1. */
static int open_terminal(int *ret_slave)
{
    const struct winsize size = {.ws_row = 10, .ws_col = 70};
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
        return -1;
    }
    *ret_slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    CU_ASSERT_FATAL(*ret_slave >= 0);
    CU_ASSERT_EQUAL(ioctl(*ret_slave, TIOCSWINSZ, &size), 0);
    CU_ASSERT_EQUAL(fcntl(master, F_SETFL, O_NONBLOCK), 0);
    return master;
}

static void test_map_progress__is_a_bar_on_a_terminal(void)
{
    static char text[4096];
    int slave;
    int master = open_terminal(&slave);
    if (master < 0) {
        testlib_skip("no terminals to be had");
        return;
    }
    for (int way = 0; way < N_WAYS; way++) {
        size_t size = 0;
        run_child(show, (enum way)way, ptsname(master));
        for (ssize_t n; (n = read(master, text + size, sizeof(text) - 1 - size)) > 0;) {
            size += (size_t)n;
        }
        text[size] = '\0';
        const char *last = strrchr(text, ']');
        bool is_right =
            begins_with(text, way == IMAP_SOURCE ? "\rcubes  0  0:00" : "\rcubes   0% [ ") &&
            last != NULL && strchr(last, '\r') == last + strlen(last) - 2 &&
            strstr(last, way == IMAP_PART ? "]  10/40 " : "]  40/40 ") == last &&
            strstr(text, way == IMAP_PART ? "cubes  25% [#" : "cubes 100% [###") != NULL;
        if (!is_right) {
            printf("way %d: %s ... ", way, text);
        }
        CU_ASSERT(is_right);
    }
    (void)close(slave);
    (void)close(master);
}
#endif

static const testlib_case cases[] = {
    {"is_lines_in_a_file", test_map_progress__is_lines_in_a_file},
    {"waits_to_the_end", test_map_progress__waits_to_the_end},
    {"is_a_bar_on_a_terminal", test_map_progress__is_a_bar_on_a_terminal},
};

PROCESS_TEST_MAIN("service.map_progress", cases)
