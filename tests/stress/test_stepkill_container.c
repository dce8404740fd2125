/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_container.c: a process killed at every instruction of what it does with a list or a dict.
 * The victim is a copy of the test by fork, and has its handles.
 *
 * A twin shows how the container is before the operation and after it; what is found must be one of
 * these, whole, and go on working.
 */
#include "base/check.h"
#include "family/family.h"
#include "family/ops.h"
#include "family/thread.h"
#include "object/container_check.h"
#include "stress/stepkill.h"
#include "stress/survivor.h"

#include "base/compiler.h"

#include <pthread.h>
#include <string.h>

static mproc_list *list;
static mproc_dict *dict;
static mproc_lock *lock; /* what containers hold */
static mproc_value before, after;

static const char text[] = "a text that does not fit a cell";
static char large[3000];

static mproc_value large_text(void)
{
    memset(large, 'x', sizeof(large) - 1);
    return MPROC_VALUE((const char *)large);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static mproc_value items_of(const mproc_list *any)
{
    mproc_value all = MPROC_NIL_VALUE;
    CU_ASSERT_EQUAL_FATAL(mproc_list_slice(any, 0, MPROC_LIST_END, &all), MPROC_OK);
    return all;
}

static mproc_list *new_list(void)
{
    const mproc_value values[] = {MPROC_VALUE(1),    MPROC_VALUE(text), large_text(),
                                  MPROC_VALUE(lock), MPROC_VALUE(2.5),  MPROC_LIST(lock, text),
                                  MPROC_VALUE("end")};
    mproc_list *made = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_list_create(&made), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_list_extend(made, values, MPROC__COUNT(values), NULL), MPROC_OK);
    return made;
}

static mproc_list *empty_list(void)
{
    mproc_list *made = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_list_create(&made), MPROC_OK);
    return made;
}

static void make_list(int (*run)(mproc_list *), mproc_list *(*make)(void))
{
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    mproc_list *twin = make();
    before = items_of(twin);
    CU_ASSERT(run(twin) >= 0);
    after = items_of(twin);
    mproc_list_close(twin);
    list = make();
}

static void check_one_of_both(mproc_value found, bool is_done)
{
    bool is_after = mproc_value_equal(&found, &after);
    CU_ASSERT(is_after || (!is_done && mproc_value_equal(&found, &before)));
}

static void after_list(bool is_done)
{
    mproc_value found = items_of(list);
    check_one_of_both(found, is_done);
    CHECK_CONTAINER(check_list(list));
    CU_ASSERT_EQUAL(mproc_list_extend(list, MPROC_VALUES(text, lock, 3), 3, NULL), MPROC_OK);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_list_pop(list, -1, NULL), MPROC_OK);
    }
    mproc_value again = items_of(list);
    CU_ASSERT(mproc_value_equal(&found, &again));
    CHECK_CONTAINER(check_list(list));
    mproc_value_clear(&again);
    mproc_value_clear(&found);
}

static void close_all(void)
{
    mproc_value_clear(&before);
    mproc_value_clear(&after);
    mproc_list_close(list);
    mproc_dict_close(dict);
    mproc_lock_close(lock);
    list = NULL;
    dict = NULL;
}

static int append_small(mproc_list *any)
{
    return mproc_list_append(any, MPROC_VALUE(7), NULL);
}

static int append_text(mproc_list *any)
{
    return mproc_list_append(any, MPROC_VALUE(text), NULL);
}

static int append_large(mproc_list *any)
{
    return mproc_list_append(any, large_text(), NULL);
}

static int extend(mproc_list *any)
{
    return mproc_list_extend(
        any, MPROC_VALUES(text, lock, 1, MPROC_LIST(lock, lock), text, 2, 3, large_text(), text), 9,
        NULL);
}

/** More than what is left of the first segment, and of the second. */
static int extend_much(mproc_list *any)
{
    mproc_value values[30];
    static char page[1000];
    memset(page, 'y', sizeof(page) - 1);
    for (size_t i = 0; i < MPROC__COUNT(values); i++) {
        values[i] = MPROC_VALUE((const char *)page);
    }
    return mproc_list_extend(any, values, MPROC__COUNT(values), NULL);
}

static int insert_first(mproc_list *any)
{
    return mproc_list_insert(any, 0, MPROC_VALUE(text));
}

static int insert_inside(mproc_list *any)
{
    return mproc_list_insert(any, 3, MPROC_VALUE(lock));
}

static int set_text(mproc_list *any)
{
    return mproc_list_set(any, 1, MPROC_VALUE("another text that is long"));
}

static int set_object(mproc_list *any)
{
    return mproc_list_set(any, 3, MPROC_LIST(lock, 1));
}

static int pop_first(mproc_list *any)
{
    return mproc_list_pop(any, 0, NULL);
}

static int pop_inside(mproc_list *any)
{
    mproc_value value = MPROC_NIL_VALUE;
    int rc = mproc_list_pop(any, 3, &value);
    mproc_value_clear(&value);
    return rc;
}

static int read_list(mproc_list *any)
{
    mproc_value value = MPROC_NIL_VALUE;
    int rc = mproc_list_get(any, 2, &value);
    mproc_value_clear(&value);
    if (rc >= 0) {
        rc = mproc_list_slice(any, 3, 6, &value);
        mproc_value_clear(&value);
    }
    return rc;
}

/* ---- dicts ----------------------------------------------------------------------------------- */

static mproc_value pairs_of(const mproc_dict *any)
{
    mproc_value all = MPROC_NIL_VALUE;
    CU_ASSERT_EQUAL_FATAL(mproc_dict_items(any, &all), MPROC_OK);
    return all;
}

/** Its table has room for two more. */
static mproc_dict *new_dict(void)
{
    mproc_dict *made = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_dict_create(&made), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_dict_update(
                        made, MPROC_MAP(MPROC_PAIR("small", 1), MPROC_PAIR("text", text),
                                        MPROC_PAIR("large", large_text()), MPROC_PAIR("lock", lock),
                                        MPROC_PAIR(MPROC_LIST(1, text), MPROC_LIST(lock, 1)))),
                    MPROC_OK);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(mproc_dict_set(made, MPROC_VALUE(i), MPROC_VALUE(i)), MPROC_OK);
    }
    return made;
}

static int die_in(mproc_dict *any);

/** `is_inherited`: the mutex is a dead one's, who has yet to put in what is pending. */
static void make_dict(int (*run)(mproc_dict *), bool is_inherited)
{
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    mproc_dict *twin = new_dict();
    CU_ASSERT(!is_inherited || die_in(twin) >= 0);
    before = pairs_of(twin);
    CU_ASSERT(run(twin) >= 0);
    after = pairs_of(twin);
    mproc_dict_close(twin);
    dict = new_dict();
}

static void after_dict(bool is_done)
{
    mproc_value found = pairs_of(dict);
    check_one_of_both(found, is_done);
    CHECK_CONTAINER(check_dict(dict));
    CU_ASSERT_EQUAL(
        mproc_dict_update(dict, MPROC_MAP(MPROC_PAIR("after", text), MPROC_PAIR("after it", lock))),
        MPROC_OK);
    CU_ASSERT_EQUAL(mproc_dict_pop(dict, MPROC_VALUE("after"), NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_dict_pop(dict, MPROC_VALUE("after it"), NULL), MPROC_OK);
    mproc_value again = pairs_of(dict);
    CU_ASSERT(mproc_value_equal(&found, &again));
    CHECK_CONTAINER(check_dict(dict));
    mproc_value_clear(&again);
    mproc_value_clear(&found);
}

static int set_new(mproc_dict *any)
{
    return mproc_dict_set(any, MPROC_VALUE("new"), MPROC_VALUE(text));
}

static int set_again(mproc_dict *any)
{
    return mproc_dict_set(any, MPROC_VALUE("text"), MPROC_VALUE("another text that is long"));
}

static int set_other_object(mproc_dict *any)
{
    return mproc_dict_set(any, MPROC_VALUE("lock"), MPROC_LIST(lock, 1));
}

static int update_little(mproc_dict *any)
{
    return mproc_dict_update(
        any, MPROC_MAP(MPROC_PAIR("text", "another text, a long one"), MPROC_PAIR("new", text)));
}

static int update(mproc_dict *any)
{
    return mproc_dict_update(any, MPROC_MAP(MPROC_PAIR("small", lock), MPROC_PAIR("lock", 1),
                                            MPROC_PAIR("new", text), MPROC_PAIR("new", lock),
                                            MPROC_PAIR(11, 1), MPROC_PAIR(12, text)));
}

static int pop_text(mproc_dict *any)
{
    return mproc_dict_pop(any, MPROC_VALUE("text"), NULL);
}

static int pop_object(mproc_dict *any)
{
    mproc_value value = MPROC_NIL_VALUE;
    int rc = mproc_dict_pop(any, MPROC_VALUE("lock"), &value);
    mproc_value_clear(&value);
    return rc;
}

static int increment(mproc_dict *any)
{
    return mproc_dict_increment(any, MPROC_VALUE("small"), INT64_C(1) << 40, NULL);
}

static int setdefault(mproc_dict *any)
{
    return mproc_dict_setdefault(any, MPROC_VALUE("new"), MPROC_VALUE(lock), NULL);
}

static int compare_and_set(mproc_dict *any)
{
    return mproc_dict_compare_and_set(any, MPROC_VALUE("lock"), MPROC_VALUE(lock), large_text());
}

static int read_dict(mproc_dict *any)
{
    mproc_value value = MPROC_NIL_VALUE;
    int rc = mproc_dict_get(any, MPROC_VALUE("lock"), &value);
    mproc_value_clear(&value);
    return rc;
}

/* ---- the dead one before ----------------------------------------------------------------------- */

static int deaths_left;

static void die_here(const char *name)
{
    if (strcmp(name, "journal.after") == 0 && --deaths_left == 0) {
        mproc__killpoint_fn = NULL;
        mproc__thread_forget(); // or it would leave in good order
        pthread_exit(NULL);
    }
}

/** What the dead one has committed before it dies, and what of that is due. */
static int die_in(mproc_dict *any)
{
    return update_little(any);
}

static void *update_and_die(void *arg)
{
    CHILD_CHECK(mproc__family_enter() == 0);
    // The first commit is the pending items', the second puts the first one in.
    deaths_left = 2;
    mproc__killpoint_fn = die_here;
    (void)die_in(arg);
    CHILD_CHECK(deaths_left == 0); // not reached
    return NULL;
}

static void leave_a_dead_one(void)
{
    pthread_t thread;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, update_and_die, dict), 0);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define LIST_OPS(X) \
    X(append_small) \
    X(append_text)  \
    X(append_large) \
    X(extend)       \
    X(extend_much)  \
    X(insert_first) \
    X(set_text)     \
    X(insert_inside) X(set_object) X(pop_first) X(pop_inside) X(mproc_list_clear) X(read_list)

#define DICT_OPS(X)     \
    X(set_new)          \
    X(set_again)        \
    X(set_other_object) \
    X(update_little)    \
    X(update)           \
    X(pop_text)         \
    X(pop_object) X(increment) X(setdefault) X(compare_and_set) X(mproc_dict_clear) X(read_dict)

#define DEFINE_LIST_OP(op)                \
    static void make_for_##op(void)       \
    {                                     \
        make_list(op, new_list);          \
    }                                     \
    static void run_##op(uint64_t shared) \
    {                                     \
        (void)shared;                     \
        CHILD_CHECK(op(list) >= 0);       \
    }
LIST_OPS(DEFINE_LIST_OP)

#define DEFINE_DICT_OP(op)                \
    static void make_for_##op(void)       \
    {                                     \
        make_dict(op, false);             \
    }                                     \
    static void run_##op(uint64_t shared) \
    {                                     \
        (void)shared;                     \
        CHILD_CHECK(op(dict) >= 0);       \
    }
DICT_OPS(DEFINE_DICT_OP)

static void make_for_first(void)
{
    make_list(append_text, empty_list);
}

static void make_for_inherit(void)
{
    make_dict(set_again, true);
    leave_a_dead_one();
}

#define PART(...) (&(const ops_part){__VA_ARGS__})
#define LIST_OP(op) \
    {"list: " #op, NULL, run_##op, PART(make_for_##op, NULL, after_list, close_all)},
#define DICT_OP(op) \
    {"dict: " #op, NULL, run_##op, PART(make_for_##op, NULL, after_dict, close_all)},

const ops_op ops_table[] = {
    LIST_OPS(LIST_OP) DICT_OPS(DICT_OP){"list: first append", NULL, run_append_text,
                                        PART(make_for_first, NULL, after_list, close_all)},
    {"dict: inherit", NULL, run_set_again, PART(make_for_inherit, NULL, after_dict, close_all)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_container", 9000);
}
