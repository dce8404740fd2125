/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_container_storm.c: processes killed at random instants while they work with one dict and one list.
 *
 * Each worker notes in the dict what it is about to do, does it, and notes that it has, each by an
 * increment; so the books tell how much of what the dead were at may have come to pass. In the end dict and
 * list must be whole and agree with the books, and nothing be left.
 */
#include "family/check.h"
#include "object/container_check.h"
#include "stress/storm.h"

#define N_WORKERS 4
#define N_NAMES 300u

struct storm_shm {
    uint32_t stop;
    uint32_t n_operations; /* all workers'; the test waits on it */
};

static mproc_dict *dict;
static mproc_list *list;
static mproc_block *block;
static struct storm_shm *shm;
static uint32_t seed;

/* ---- what workers do --------------------------------------------------------------------------- */

static int64_t count_up(const char *name)
{
    int64_t sum = 0;
    CHILD_CHECK(mproc_dict_increment(dict, MPROC_VALUE(name), 1, &sum) == 0);
    return sum;
}

static void set_both(void)
{
    uint32_t number = testlib_next(&seed);
    mproc_value value = random_value(number);
    CHILD_CHECK(mproc_dict_update(dict, MPROC_MAP(MPROC_PAIR("left", value),
                                                  MPROC_PAIR(number % N_NAMES, list),
                                                  MPROC_PAIR("right", value))) == 0);
    mproc_value_clear(&value);
}

static void look_at_both(void)
{
    mproc_value all;
    CHILD_CHECK(mproc_dict_items(dict, &all) == 0);
    CHILD_CHECK(mproc_value_equal(mproc_value_find(&all, "left"), mproc_value_find(&all, "right")));
    mproc_value_clear(&all);
}

static void set_any(void)
{
    mproc_value key = random_key(testlib_next(&seed), N_NAMES);
    mproc_value value = random_value(testlib_next(&seed));
    CHILD_CHECK(mproc_dict_set(dict, key, value) == 0);
    mproc_value_clear(&value);
    mproc_value_clear(&key);
}

static void pop_any(void)
{
    mproc_value key = random_key(testlib_next(&seed), N_NAMES);
    mproc_value value = MPROC_NIL_VALUE;
    int rc = mproc_dict_pop(dict, key, &value);
    CHILD_CHECK(rc == 0 || rc == MPROC_ENOENT);
    mproc_value_clear(&value);
    mproc_value_clear(&key);
}

/** Three items at once, of which nobody sees one or two. */
static void extend(void)
{
    int64_t number = count_up("extends begun");
    mproc_value value = random_value(testlib_next(&seed));
    CHILD_CHECK(mproc_list_extend(list, MPROC_VALUES(number, value, number), 3, NULL) == 0);
    (void)count_up("extends done");
    mproc_value_clear(&value);
}

static void slice(void)
{
    mproc_value all;
    CHILD_CHECK(mproc_list_slice(list, 0, MPROC_LIST_END, &all) == 0);
    CHILD_CHECK(all.as.list.count % 3 == 0);
    for (size_t i = 0; i < all.as.list.count; i += 3) {
        const mproc_value *items = &all.as.list.items[i];
        CHILD_CHECK(mproc_value_equal(&items[0], &items[2]) && items[0].type == MPROC_INT);
    }
    mproc_value_clear(&all);
}

static void change_inside(void)
{
    mproc_value value = random_value(testlib_next(&seed));
    int64_t index = 1 + 3 * (int64_t)(testlib_next(&seed) % 20);
    int rc = mproc_list_set(list, index, value);
    CHILD_CHECK(rc == 0 || rc == MPROC_ERANGE);
    mproc_value_clear(&value);
}

static void be_full(void)
{
    if (mproc_list_length(list) > 600) {
        CHILD_CHECK(mproc_list_clear(list) == 0);
    }
}

static int work(const mproc_args *args)
{
    static void (*const uses[])(void) = {set_both,      set_any, set_any, pop_any,
                                         pop_any,       extend,  extend,  extend,
                                         change_inside, slice,   be_full, look_at_both};
    CHILD_CHECK(MPROC_UNPACK(args, &dict, &list, &block, &seed) == 0);
    shm = mproc_block_data(block);
    while (mproc__load32_acquire(&shm->stop) == 0) {
        uses[testlib_next(&seed) % MPROC__COUNT(uses)]();
        add_word(&shm->n_operations);
    }
    return 0;
}

/* ---- the test ---------------------------------------------------------------------------------- */

static mproc_process *start_worker(size_t i)
{
    (void)i;
    return start_with(work, MPROC_ARGS(dict, list, block, testlib_random() | 1), NULL);
}

static void make_all(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc_dict_create(&dict), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_list_create(&list), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, sizeof(struct storm_shm)), 0);
    CU_ASSERT_EQUAL(
        mproc_dict_update(dict, MPROC_MAP(MPROC_PAIR("left", 0), MPROC_PAIR("right", 0))), 0);
    shm = mproc_block_data(block);
}

static int64_t count_of(const char *name)
{
    mproc_value value = MPROC_NIL_VALUE;
    CU_ASSERT_EQUAL(mproc_dict_get(dict, MPROC_VALUE(name), &value), 0);
    return value.as.integer;
}

/** Each of those killed had begun one at most that it did not end. */
static void check_all(int64_t n_kills)
{
    int64_t begun = count_of("extends begun");
    int64_t done = count_of("extends done");
    CU_ASSERT(begun >= done && begun - done <= n_kills);
    CHECK_CONTAINER(check_dict(dict));
    CHECK_CONTAINER(check_list(list));
    look_at_both();
    slice();
}

static void test_container_storm__random_kills(void)
{
    mproc_process *workers[N_WORKERS];
    use_everything();
    check_widen(2 * N_NAMES); // who looks at all of the dict holds the list that often
    belongings before = take_stock();
    long n_kills = testlib_count(EVERYDAY_KILLS, WHOLE_KILLS);
    make_all();
    long n_killed =
        kill_at_random(workers, N_WORKERS, start_worker, &shm->n_operations, 200, n_kills);
    let_work(&shm->n_operations, 200);
    mproc__store32_release(&shm->stop, 1);
    await_all(workers, N_WORKERS);
    check_all(n_killed);
    printf("%ld kills, %u operations, %zu keys, %zu items ... ", n_killed, shm->n_operations,
           mproc_dict_length(dict), mproc_list_length(list));
    mproc_dict_close(dict);
    mproc_list_close(list);
    mproc_block_close(block);
    const belongings after = take_stock();
    if (HAS_SANITIZER) {
        before.n_maps = after.n_maps; // it has some of its own for what the test takes by malloc
    }
    check_belongings(&before, &after);
}

static const testlib_case cases[] = {
    {"random_kills", test_container_storm__random_kills},
};

PROCESS_TEST_MAIN("stress.container_storm", cases)
