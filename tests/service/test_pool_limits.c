/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pool_limits.c: pools for which there is not enough: each allocation that fails, the arena full, no descriptors
 * left. Whatever fails says so, nothing hangs or leaks, and the pool is good for the next one.
 */
#include "mproc/pool_map.h"
#include "service/pool_test.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <sys/resource.h>
#include <unistd.h>
#endif

/* So little that it is soon full. */
#define ARENA_BYTES "67108864"

#define ITEMS 40
#define LARGE 5000

static int task_echo(const mproc_args *args, mproc_value *result)
{
    return mproc_value_copy(result, &args->items[0]);
}

/** End the worker in the midst of it. */
static int task_exit_now(const mproc_args *args, mproc_value *result)
{
    (void)args;
    (void)result;
    exit(9);
}

static char text[LARGE + 1];

static mproc_value large_text(void)
{
    memset(text, 'x', LARGE);
    return mproc__value_string(text);
}

static bool is_large_text(mproc_value *value)
{
    bool is_right = value->type == MPROC_STRING && value->as.string.size == LARGE;
    mproc_value_clear(value);
    return is_right;
}

/** A worker is there, and runs tasks. */
static void check_works(mproc_pool *pool)
{
    CU_ASSERT_EQUAL(result_of(submit(pool, task_add, MPROC_ARGS(1, 2))), 3);
}

/** Once per start method: what a process keeps when it has had a pool. */
static mproc_arena_stats stats_after_one(void)
{
    mproc_pool *pool = make_pool(2);
    check_works(pool);
    mproc_pool_close(pool);
    return settled_stats();
}

/* ---- this process's own memory ---------------------------------------------------------------- */

/* What is done with a pool: 0, or that there is no memory, with nothing left of it. */

static bool is_want(int rc)
{
    return rc == MPROC_ENOMEM || rc == MPROC_ENOSPC;
}

static int use_submit(mproc_pool *pool)
{
    const mproc_task_options options = {.name = "large", .priority = 1};
    mproc_future *future = NULL;
    mproc_value value;
    int rc = mproc_pool_apply_async(pool, task_echo, MPROC_ARGS(large_text()), &options, &future);
    if (rc < 0) {
        CU_ASSERT_PTR_NULL(future);
        return rc;
    }
    rc = mproc_future_get(future, &value, LIMIT);
    CU_ASSERT(rc < 0 || is_large_text(&value));
    mproc_future_close(future);
    return rc;
}

static int use_wait(mproc_pool *pool)
{
    mproc_future *futures[2] = {submit(pool, task_pid, NULL), submit(pool, task_pid, NULL)};
    int rc = mproc_futures_wait(futures, 2, MPROC_ALL_COMPLETED, NULL, LIMIT);
    CU_ASSERT(rc < 0 || rc == 2);
    mproc_future_close(futures[0]);
    mproc_future_close(futures[1]);
    return rc;
}

static int use_map(mproc_pool *pool)
{
    mproc_value items[ITEMS];
    mproc_value results[ITEMS];
    int statuses[ITEMS];
    const mproc_args args = {ITEMS, items};
    const mproc_map_options options = {.chunk_size = 10, .name = "map", .statuses = statuses};
    for (int i = 0; i < ITEMS; i++) {
        items[i] = i % 10 == 0 ? large_text() : MPROC_VALUE(i);
    }
    int rc = mproc_pool_map(pool, task_echo, &args, results, &options, LIMIT);
    for (int i = 0; i < ITEMS; i++) {
        CU_ASSERT(rc < 0 ? statuses[i] == 0 || statuses[i] == rc : statuses[i] == 0);
        CU_ASSERT(statuses[i] < 0 || i % 10 == 0 || results[i].as.integer == i);
        CU_ASSERT(statuses[i] < 0 || i % 10 != 0 || results[i].type == MPROC_STRING);
        CU_ASSERT(statuses[i] == 0 || results[i].type == MPROC_NIL);
        mproc_value_clear(&results[i]);
    }
    return rc;
}

/** The first thing that fails; the iterator goes on. */
static int use_imap(mproc_pool *pool)
{
    const mproc_value items[] = {large_text(), large_text(), MPROC_VALUE(2), large_text()};
    const mproc_args args = {MPROC__COUNT(items), items};
    mproc_args_source source = {.items = &args};
    const mproc_map_options options = {.chunk_size = 2, .name = "imap"};
    mproc_iterator *it = NULL;
    mproc_value value;
    int failed = 0;
    int rc = mproc_pool_imap_unordered(pool, task_echo, mproc_source_args, &source, &options, &it);
    if (rc < 0) {
        CU_ASSERT_PTR_NULL(it);
        return rc;
    }
    size_t n = 0;
    while ((rc = mproc_iterator_next(it, &value, LIMIT)) != 0) {
        failed = rc < 0 ? rc : failed;
        CU_ASSERT_FATAL(rc == 1 || is_want(rc));
        n += rc == 1 ? 1 : 0;
        CU_ASSERT(rc < 0 || value.type == MPROC_INT || is_large_text(&value));
    }
    CU_ASSERT(failed < 0 || n == MPROC__COUNT(items));
    mproc_iterator_close(it);
    return failed;
}

static int square(const void *in, void *out, const mproc_args *args)
{
    (void)args;
    *(int *)out = *(const int *)in * *(const int *)in;
    return MPROC_OK;
}

static int use_map_array(mproc_pool *pool)
{
    int data[ITEMS];
    int statuses[ITEMS];
    const mproc_map_options options = {.chunk_size = 15, .statuses = statuses};
    const mproc_elements elements = {.data = data, .size_bytes = sizeof(*data)};
    for (int i = 0; i < ITEMS; i++) {
        data[i] = i;
    }
    int rc = mproc_pool_map_array(pool, square, elements, elements, ITEMS, NULL, &options, LIMIT);
    for (int i = 0; i < ITEMS; i++) {
        CU_ASSERT(rc < 0 || data[i] == i * i);
        CU_ASSERT(statuses[i] < 0 || data[i] == i * i);
    }
    return rc;
}

static int do_nothing(int64_t begin, int64_t end, const mproc_args *args)
{
    (void)args;
    return begin < end ? MPROC_OK : MPROC_EINVAL;
}

static int use_for(mproc_pool *pool)
{
    return mproc_pool_for(pool, do_nothing, 0, 100, MPROC_ARGS(1), NULL, LIMIT);
}

static int (*const uses[])(mproc_pool *pool) = {use_submit, use_wait,      use_map,
                                                use_imap,   use_map_array, use_for};

static void use_all(mproc_pool *pool)
{
    for (size_t i = 0; i < MPROC__COUNT(uses); i++) {
        CU_ASSERT_EQUAL(uses[i](pool), uses[i] == use_wait ? 2 : 0);
    }
}

#ifdef MPROC_KILLPOINTS
/** Have the n-th allocation fail, for every n; false: there were not so many. */
static bool is_failing(uint32_t n)
{
    CU_ASSERT_FATAL(n < 1000);
    mproc__store32_release(&mproc__alloc_fail_after, n);
    return true;
}

static bool has_failed(void)
{
    return mproc__exchange32(&mproc__alloc_fail_after, 0) == 0;
}

static void check_use(mproc_pool *pool, int (*use)(mproc_pool *pool))
{
    uint32_t n_failed = 0;
    for (uint32_t n = 1; is_failing(n); n++) {
        int rc = use(pool);
        bool is_over = !has_failed();
        if (rc < 0) {
            n_failed++;
            CU_ASSERT_EQUAL(rc, MPROC_ENOMEM);
            CU_ASSERT(strlen(mproc_last_error()) > 0);
        }
        check_works(pool);
        if (is_over) {
            break;
        }
    }
    CU_ASSERT(n_failed > 0 || use == use_for || use == use_submit);
}

static void check_uses(mproc_pool *(*make)(void))
{
    mproc_arena_stats before = stats_after_one();
    mproc_pool *pool = make();
    use_all(pool); // lanes, and what a few tasks need, stay
    for (size_t i = 0; i < MPROC__COUNT(uses); i++) {
        check_use(pool, uses[i]);
    }
    use_all(pool);
    mproc_pool_close(pool);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static mproc_pool *make_two(void)
{
    return make_pool(2);
}

static mproc_pool *make_threads(void)
{
    mproc_pool *pool = NULL;
    const mproc_pool_options options = {.processes = 2};
    CU_ASSERT_EQUAL_FATAL(mproc_thread_pool_create(&pool, &options), MPROC_OK);
    return pool;
}

static void test_limits__every_allocation_of_a_call(void)
{
    check_uses(make_two);
}

/** Here it may fail in a worker, too: then the task's outcome says so. */
static void test_limits__every_allocation_of_threads(void)
{
    check_uses(make_threads);
}

static void check_create(int (*create)(mproc_pool **, const mproc_pool_options *))
{
    mproc_arena_stats before = stats_after_one();
    const mproc_pool_options options = {.processes = 2, .initargs = MPROC_ARGS(large_text())};
    uint32_t n_failed = 0;
    for (uint32_t n = 1; is_failing(n); n++) {
        mproc_pool *pool = NULL;
        int rc = create(&pool, &options);
        bool is_over = !has_failed();
        CU_ASSERT(rc == 0 || (rc == MPROC_ENOMEM && strlen(mproc_last_error()) > 0));
        CU_ASSERT((rc == 0) == (pool != NULL));
        n_failed += rc < 0 ? 1 : 0;
        if (rc == 0) {
            check_works(pool);
        }
        mproc_pool_close(pool);
        if (is_over) {
            break;
        }
    }
    CU_ASSERT(n_failed > 0);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_limits__every_allocation_of_create(void)
{
    check_create(mproc_pool_create);
    check_create(mproc_thread_pool_create);
}

/** In a worker: from now on, the n-th one is to fail. What was left of the last wish. */
static int task_fail_after(const mproc_args *args, mproc_value *result)
{
    uint32_t n;
    int rc = MPROC_UNPACK(args, &n);
    *result = MPROC_VALUE(mproc__exchange32(&mproc__alloc_fail_after, n));
    return rc;
}

static void test_limits__every_allocation_of_a_worker(void)
{
    mproc_arena_stats before = stats_after_one();
    mproc_pool *pool = make_pool(1);
    use_all(pool);
    for (size_t i = 0; i < MPROC__COUNT(uses); i++) {
        int64_t left = 0;
        for (uint32_t n = 1; left == 0; n++) {
            CU_ASSERT_FATAL(n < 1000);
            CU_ASSERT_EQUAL(result_of(submit(pool, task_fail_after, MPROC_ARGS(n))), 0);
            int rc = uses[i](pool);
            CU_ASSERT(rc >= 0 || rc == MPROC_ENOMEM);
            left = result_of(submit(pool, task_fail_after, MPROC_ARGS((uint32_t)0)));
        }
    }
    use_all(pool);
    mproc_pool_close(pool);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}
#endif

/* ---- the arena's memory ----------------------------------------------------------------------- */

#define MOST_BLOCKS 20000

static mproc_block *blocks[MOST_BLOCKS];

/** Take all of it, down to blocks of that size. */
static size_t take_arena(size_t least)
{
    size_t n = 0;
    for (size_t size = (size_t)1 << 20; size >= least && n < MOST_BLOCKS;) {
        int rc = mproc_block_create(&blocks[n], size);
        CU_ASSERT_FATAL(rc == 0 || is_want(rc));
        n += rc == 0 ? 1 : 0;
        size /= rc == 0 ? 1 : 2;
    }
    CU_ASSERT_FATAL(n < MOST_BLOCKS);
    return n;
}

static void give_arena_back(size_t n)
{
    while (n > 0) {
        mproc_block_close(blocks[--n]);
    }
}

static bool is_small_arena(void)
{
    mproc_arena_stats stats = {0};
    CU_ASSERT_EQUAL(mproc_arena_get_stats(&stats), MPROC_OK);
    return stats.reserved_bytes <= (size_t)strtoul(ARENA_BYTES, NULL, 10);
}

/** What fails for want of shared memory says so; what needs none goes on. */
static void check_full(mproc_pool *pool, size_t least)
{
    size_t n = take_arena(least);
    for (size_t i = 0; i < MPROC__COUNT(uses); i++) {
        int rc = uses[i](pool);
        CU_ASSERT(rc >= 0 || is_want(rc));
    }
    check_works(pool);
    give_arena_back(n);
    use_all(pool);
}

static void test_limits__of_the_arena(void)
{
    CU_ASSERT_FATAL(is_small_arena());
    mproc_arena_stats before = stats_after_one();
    mproc_pool *pool = make_pool(2);
    use_all(pool);
    check_full(pool, 100000);
    check_full(pool, 3000);
    check_full(pool, 64);
    mproc_pool_close(pool);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** A pool for which there is no room. */
static void test_limits__create_in_a_full_arena(void)
{
    static const size_t least[] = {1 << 20, 1 << 17, 1 << 14, 64};
    CU_ASSERT_FATAL(is_small_arena());
    mproc_arena_stats before = stats_after_one();
    for (size_t i = 0; i < MPROC__COUNT(least); i++) {
        size_t n = take_arena(least[i]);
        mproc_pool *pool = NULL;
        int rc = mproc_pool_create(&pool, &(mproc_pool_options){.processes = 2});
        CU_ASSERT(rc == 0 || is_want(rc));
        mproc_pool_close(pool);
        give_arena_back(n);
    }
    mproc_pool *pool = make_pool(2);
    use_all(pool);
    mproc_pool_close(pool);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** Both meet, which takes two workers. */
static void check_two_work(mproc_pool *pool)
{
    mproc_block *block = make_words(2);
    mproc_future *futures[2] = {submit(pool, task_meet, MPROC_ARGS(block)),
                                submit(pool, task_meet, MPROC_ARGS(block))};
    CU_ASSERT(await_word(words_of(block), 2));
    set_word(words_of(block) + 1, 1);
    CU_ASSERT_NOT_EQUAL(result_of(futures[0]), result_of(futures[1]));
    mproc_block_close(block);
}

/** One worker of two is killed while there is no room for another one: the pool goes on, and has two again. */
static void check_replacement(size_t (*take)(void), void (*give_back)(size_t n))
{
    mproc_pool *pool = make_pool(2);
    check_two_work(pool);
    size_t n = take();
    mproc_future *killer = submit(pool, task_exit_now, NULL);
    CU_ASSERT_EQUAL(outcome_of(killer, NULL), MPROC_EWORKERDIED);
    for (int i = 0; i < 100; i++) {
        check_works(pool);
    }
    give_back(n);
    check_two_work(pool);
    mproc_pool_close(pool);
}

static size_t take_all_of_arena(void)
{
    return take_arena(64);
}

static void test_limits__replacement_in_a_full_arena(void)
{
    mproc_arena_stats before = stats_after_one();
    check_replacement(take_all_of_arena, give_arena_back);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- descriptors ------------------------------------------------------------------------------ */

#ifndef _WIN32
static rlim_t usual;

/** None is to be had any more. */
static size_t take_descriptors(void)
{
    struct rlimit limit;
    int free_one = dup(0);
    CU_ASSERT_FATAL(free_one >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    usual = limit.rlim_cur;
    limit.rlim_cur = 3;
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    (void)close(free_one);
    CU_ASSERT(dup(0) < 0);
    return 0;
}

static void give_descriptors_back(size_t n)
{
    struct rlimit limit;
    (void)n;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = usual;
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_limits__replacement_without_descriptors(void)
{
    mproc_arena_stats before = stats_after_one();
    check_replacement(take_descriptors, give_descriptors_back);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** No worker is left, and none can be started: nobody waits for ever. */
static void test_limits__no_worker_can_be_started(void)
{
    mproc_pool *pool = make_pool(1);
    check_works(pool);
    (void)take_descriptors();
    CU_ASSERT_EQUAL(outcome_of(submit(pool, task_exit_now, NULL), NULL), MPROC_EWORKERDIED);
    int rc = mproc_pool_apply(pool, task_add, MPROC_ARGS(1, 2), NULL, LIMIT);
    CU_ASSERT_EQUAL(rc, MPROC_EBROKEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "before their first task"));
    give_descriptors_back(0);
    mproc_pool_close(pool);
}
#endif

static const testlib_case cases[] = {
#ifdef MPROC_KILLPOINTS
    {"every_allocation_of_create", test_limits__every_allocation_of_create},
    {"every_allocation_of_a_call", test_limits__every_allocation_of_a_call},
    {"every_allocation_of_threads", test_limits__every_allocation_of_threads},
    {"every_allocation_of_a_worker", test_limits__every_allocation_of_a_worker},
#endif
    {"of_the_arena", test_limits__of_the_arena},
    {"create_in_a_full_arena", test_limits__create_in_a_full_arena},
    {"replacement_in_a_full_arena", test_limits__replacement_in_a_full_arena},
#ifndef _WIN32
    {"replacement_without_descriptors", test_limits__replacement_without_descriptors},
    {"no_worker_can_be_started", test_limits__no_worker_can_be_started},
#endif
};

int main(int argc, char **argv)
{
#ifdef _WIN32
    (void)_putenv_s("MPROC_ARENA_RESERVE", ARENA_BYTES);
#else
    (void)setenv("MPROC_ARENA_RESERVE", ARENA_BYTES, 1);
#endif
    (void)mproc_main(argc, argv);
    return process_test_main(argc, argv, "service.pool_limits", cases, MPROC__COUNT(cases));
}
