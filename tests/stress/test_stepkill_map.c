/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_map.c: a process killed at every instruction inside of a map: as a worker in the midst of a chunk,
 * and as one who gives chunks and takes their results. As test_stepkill_pool.c.
 *
 * Each item of a chunk ends exactly once. Only the one that the victim was at may be lost, and that is reported;
 * what had ended is neither run again nor lost; an item that has a retry is not lost at all.
 */
#include "family/ops.h"
#include "service/chunk.h"
#include "stress/stepkill.h"
#include "stress/stepkill_pool.h"
#include "stress/survivor.h"

#include <string.h>

enum { ITEMS = 4, LARGE = 300 };

static uint32_t index_of_task;
static uint64_t chunk;
static size_t n_items; /* of the chunk */
static mproc_lock *lock;
static uint32_t *n_calls; /* of each item, in the arena */
static mproc__hold calls;

/* ---- items ----------------------------------------------------------------------------------- */

static int note_call(int64_t i)
{
    if (i < 0 || i >= ITEMS) {
        return MPROC_ERANGE;
    }
    return (int)mproc__add32(&n_calls[i], 1);
}

static int run_number(const mproc_args *args, mproc_value *result)
{
    int64_t i = args->items[0].as.integer;
    int rc = note_call(i);
    *result = MPROC_VALUE(i + PLUS);
    return rc < 0 ? rc : MPROC_OK;
}

/** Too large for the room in the chunk. */
static int run_large(const mproc_args *args, mproc_value *result)
{
    static unsigned char bytes[LARGE];
    int64_t i = args->items[0].as.integer;
    int rc = note_call(i);
    memset(bytes, (int)(i + PLUS), sizeof(bytes));
    *result = MPROC_VALUE(mproc_bytes_of(bytes, sizeof(bytes)));
    return rc < 0 ? rc : MPROC_OK;
}

static int run_object(const mproc_args *args, mproc_value *result)
{
    mproc_lock *same;
    int64_t i;
    int rc = MPROC_UNPACK_LIST(&args->items[0], &same, &i);
    rc = rc < 0 ? rc : note_call(i);
    const mproc_value borrowed = MPROC_LIST(same, i + PLUS);
    return rc < 0 ? rc : mproc_value_copy(result, &borrowed);
}

/** Each fails at first, if there was no death before. */
static int run_failing(const mproc_args *args, mproc_value *result)
{
    int64_t i = args->items[0].as.integer;
    *result = MPROC_VALUE(i + PLUS);
    return note_call(i) == 0 ? MPROC_EINVAL : MPROC_OK;
}

static int run_element(const void *in, void *out, const mproc_args *args)
{
    int32_t i = *(const int32_t *)in;
    int rc = note_call(i);
    *(int32_t *)out = i + (int32_t)args->items[0].as.integer;
    return rc < 0 ? rc : MPROC_OK;
}

/** One item that is all of the indices. */
static int run_range(int64_t begin, int64_t end, const mproc_args *args)
{
    (void)args;
    for (int64_t i = begin; i < end; i++) {
        CHILD_CHECK(note_call(i) >= 0);
    }
    return MPROC_OK;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static void make_all(void)
{
    make_pool();
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(
        mproc__block_create(MPROC__KIND_TEST, ITEMS * sizeof(*n_calls), 0, true, &calls), 0);
    n_calls = mproc__block_at(calls.offset);
    memset(n_calls, 0, ITEMS * sizeof(*n_calls));
}

static void give(enum mproc__task_kind kind, mproc__function function, mproc__hold hold)
{
    n_items = ((const struct mproc__chunk_shm *)mproc__block_at(hold.offset))->n_items;
    uint32_t number;
    CU_ASSERT_EQUAL_FATAL(mproc__slots_take(&tasks, port, &index_of_task, 1), 1);
    CU_ASSERT_EQUAL_FATAL(mproc__function_number(&tasks, function, &number), 0);
    struct mproc__slot_shm *slot = mproc__slot_at(&tasks, index_of_task);
    slot->function = (uint16_t)number;
    slot->kind = (uint8_t)kind;
    slot->lane = MPROC__LANE_NORMAL;
    slot->flags = 0;
    slot->status = MPROC_OK;
    slot->args = slot->result = MPROC__FORM_NONE;
    mproc__task_attach(&tasks, index_of_task, MPROC__PARCEL_ARGS, hold, MPROC__FORM_BYTES);
    chunk = hold.offset;
    post(index_of_task, 0);
}

static void make_values(mproc_task_fn function, mproc__chunk_plan plan, const mproc_value *items,
                        size_t count)
{
    mproc__hold hold;
    CU_ASSERT_EQUAL_FATAL(mproc__chunk_make(&plan, items, count, &hold), 0);
    give(MPROC__TASK_VALUES, (mproc__function)function, hold);
}

static void make_numbers_for(mproc_task_fn function, mproc__chunk_plan plan)
{
    make_all();
    make_values(function, plan, MPROC_VALUES(0, 1, 2, 3), ITEMS);
}

static void make_numbers(void)
{
    make_numbers_for(run_number, (mproc__chunk_plan){0});
}

static void make_large(void)
{
    make_numbers_for(run_large, (mproc__chunk_plan){0});
}

static void make_objects(void)
{
    make_all();
    make_values(run_object, (mproc__chunk_plan){0},
                MPROC_VALUES(MPROC_LIST(lock, 0), MPROC_LIST(lock, 1)), 2);
}

static void make_retried(void)
{
    make_numbers_for(run_failing,
                     (mproc__chunk_plan){.retries = 2, .flags = MPROC__CHUNK_RETRY_ERRORS});
}

static void make_array(enum mproc__task_kind kind, mproc__function function,
                       const mproc__chunk_elements *elements, const mproc_value *list, size_t count)
{
    const mproc__chunk_plan plan = {.flags = MPROC__CHUNK_NO_RESULTS};
    mproc__hold hold;
    CU_ASSERT_EQUAL_FATAL(mproc__chunk_make_array(&plan, elements, list, count, &hold), 0);
    give(kind, function, hold);
}

static void make_elements(void)
{
    static const int32_t in[ITEMS] = {0, 1, 2, 3};
    const mproc__chunk_elements elements = {
        .in = in, .in_size = sizeof(*in), .out_size = sizeof(*in), .has_out = true};
    const mproc_value list = MPROC_LIST(mproc__value_nil(), mproc__value_nil(), MPROC_LIST(PLUS));
    make_all();
    make_array(MPROC__TASK_ARRAY, (mproc__function)run_element, &elements, &list, ITEMS);
}

static void make_range(void)
{
    static const mproc__chunk_elements none = {0};
    const mproc_value list = MPROC_LIST(0, (int)ITEMS, mproc__value_nil());
    make_all();
    make_array(MPROC__TASK_RANGE, (mproc__function)run_range, &none, &list, 1);
}

/* ---- workers --------------------------------------------------------------------------------- */

/** Run the next task to its end; false: there is none. */
static bool work(uint32_t w)
{
    mproc__run run = {.tasks = &tasks, .worker = w};
    if (mproc__task_next(&tasks, w, &run.index) == 0) {
        return false;
    }
    run.slot = mproc__slot_at(&tasks, run.index);
    CHILD_CHECK(mproc__task_start(&tasks, w, run.index));
    CHILD_CHECK(mproc__function_find(&tasks, run.slot->function, &run.function) == 0);
    int rc = mproc__task_runners[run.slot->kind](&run);
    CHILD_CHECK(mproc__task_finish(&tasks, w, run.index, rc));
    return true;
}

static void run_chunk(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(work(VICTIM));
}

static void settle(void)
{
    bury_victim();
    while (work(SURVIVOR)) {
    }
    CU_ASSERT(mproc__tasks_are_done(&tasks));
}

/* ---- what has come of a chunk ---------------------------------------------------------------- */

static bool is_result(mproc_value *value, size_t i)
{
    mproc_lock *same;
    int64_t number = -1;
    if (value->type == MPROC_BYTES) {
        const unsigned char *bytes = value->as.bytes.data;
        number = value->as.bytes.size == LARGE && bytes[0] == bytes[LARGE - 1] ? bytes[0] : -1;
    } else if (value->type == MPROC_LIST) {
        bool is_whole = MPROC_UNPACK_LIST(value, &same, &number) == 0 &&
                        mproc_lock_acquire(same, MPROC_NOWAIT) >= 0 &&
                        mproc_lock_release(same) == 0;
        number = is_whole ? number : -1;
    } else {
        number = value->as.integer;
    }
    mproc_value_clear(value);
    return number == (int64_t)i + PLUS;
}

/** Of all items: those that were lost are so for the death, and were begun once at most. */
static size_t count_lost(bool has_results)
{
    mproc__chunk_reader reader;
    mproc__item_error error;
    mproc_value results[ITEMS];
    size_t n_lost = 0, n_values = 0, n;
    int rc = mproc__chunk_read_begin(&reader, chunk);
    while (rc >= 0 && (rc = mproc__chunk_read(&reader, results, ITEMS, &n, &error)) == 1) {
        for (size_t i = 0; i < n; i++) {
            CU_ASSERT(is_result(&results[i], n_values + n_lost + i));
        }
        n_values += n;
        if (n == 0) {
            CU_ASSERT(error.item < n_items && error.status == MPROC_EWORKERDIED);
            CU_ASSERT(error.item == n_values + n_lost || !has_results);
            CU_ASSERT(n_calls[error.item] <= 1);
            n_lost++;
        }
    }
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(n_values, has_results ? n_items - n_lost : 0);
    CU_ASSERT_EQUAL(mproc__chunk_n_ended(chunk), n_items);
    return n_lost;
}

static void free_all(void)
{
    mproc__slot_drop_parcels(&tasks, index_of_task);
    mproc__slots_give(&tasks, &index_of_task, 1);
    mproc_lock_close(lock);
    mproc__block_release(calls);
    close_pool();
}

/** At most one item is lost, and those that are not have been run once. */
static void check_chunk(bool has_results)
{
    const struct mproc__slot_shm *slot = mproc__slot_at(&tasks, index_of_task);
    settle();
    CU_ASSERT(mproc__task_state(slot->state) == MPROC__TASK_DONE && slot->status == MPROC_OK);
    size_t n_lost = count_lost(has_results);
    CU_ASSERT(n_lost == 0 || (n_lost == 1 && !is_done));
    size_t n_run = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        CU_ASSERT(n_calls[i] <= 1);
        n_run += n_calls[i];
    }
    // A range is one item of as many calls.
    CU_ASSERT(n_lost == 1 || n_run == (n_items > 1 ? n_items : ITEMS));
    CU_ASSERT(n_run + 1 >= n_items);
}

static void after_values(void)
{
    check_chunk(true);
    free_all();
}

static void after_elements(void)
{
    check_chunk(false);
    const int32_t *out = mproc__chunk_results(chunk);
    for (int i = 0; i < ITEMS; i++) {
        CU_ASSERT(out[i] == i + PLUS || !is_done);
    }
    free_all();
}

static void after_range(void)
{
    check_chunk(false);
    free_all();
}

static void after_retries(void)
{
    settle();
    CU_ASSERT_EQUAL(count_lost(true), 0);
    for (size_t i = 0; i < ITEMS; i++) {
        CU_ASSERT(n_calls[i] == 2 || (n_calls[i] <= 3 && !is_done));
    }
    free_all();
}

/* ---- who gives chunks ------------------------------------------------------------------------ */

static struct counter {
    int64_t next;
} source;

static int next_number(mproc_value *ret_item, void *arg)
{
    struct counter *counter = arg;
    *ret_item = MPROC_VALUE(counter->next);
    return counter->next++ < ITEMS ? 1 : 0;
}

static mproc_iterator *begin_imap(bool is_ordered)
{
    const mproc_map_options options = {.chunk_size = 2, .window = ITEMS};
    mproc_iterator *it = NULL;
    source.next = 0;
    int rc = is_ordered
                 ? mproc_pool_imap(pool_itself(), run_number, next_number, &source, &options, &it)
                 : mproc_pool_imap_unordered(pool_itself(), run_number, next_number, &source,
                                             &options, &it);
    CHILD_CHECK(rc == 0);
    return it;
}

static void give_map(uint64_t shared)
{
    mproc_value results[ITEMS];
    const mproc_map_options options = {.chunk_size = ITEMS};
    (void)shared;
    CHILD_CHECK(mproc_pool_map(pool_itself(), run_number, MPROC_ARGS(0, 1, 2, 3), results, &options,
                               MPROC_NOWAIT) == MPROC_ETIMEDOUT);
}

/** With a port, slots, and a number for the function. */
static void prepare_to_give(uint64_t shared)
{
    give_map(shared);
}

static void give_array(uint64_t shared)
{
    static int32_t data[ITEMS];
    const mproc_map_options options = {.chunk_size = ITEMS};
    const mproc_elements elements = {.data = data, .size_bytes = sizeof(*data)};
    (void)shared;
    CHILD_CHECK(mproc_pool_map_array(pool_itself(), run_element, elements, elements, ITEMS,
                                     MPROC_ARGS(1), &options, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
}

static void give_imap(uint64_t shared)
{
    mproc_value unused;
    (void)shared;
    mproc_iterator *it = begin_imap(false);
    CHILD_CHECK(mproc_iterator_next(it, &unused, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    mproc_iterator_close(it);
}

static mproc_iterator *iterator;

/** Its items have been run: what is left is to take the results. */
static void prepare_imap(uint64_t shared, bool is_ordered)
{
    mproc_value first;
    (void)shared;
    iterator = begin_imap(is_ordered);
    CHILD_CHECK(mproc_iterator_next(iterator, &first, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    while (work(VICTIM)) {
    }
}

static void prepare_ordered(uint64_t shared)
{
    prepare_imap(shared, true);
}

static void prepare_unordered(uint64_t shared)
{
    prepare_imap(shared, false);
}

static void take_results(uint64_t shared)
{
    mproc_value value;
    (void)shared;
    for (int i = 0; i < ITEMS; i++) {
        CHILD_CHECK(mproc_iterator_next(iterator, &value, MPROC_NOWAIT) == 1);
        CHILD_CHECK(value.as.integer == (int64_t)mproc_iterator_index(iterator) + PLUS);
    }
    CHILD_CHECK(mproc_iterator_next(iterator, &value, MPROC_NOWAIT) == 0);
    mproc_iterator_close(iterator);
}

/** All that it gave is withdrawn, and nothing was run. */
static void after_giving(void)
{
    settle();
    mproc_lock_close(lock);
    mproc__block_release(calls);
    close_pool();
}

/* ---- the table ------------------------------------------------------------------------------- */

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"run a chunk", NULL, run_chunk, PART(make_numbers, NULL, note_done, after_values)},
    {"run a chunk with large results", NULL, run_chunk,
     PART(make_large, NULL, note_done, after_values)},
    {"run a chunk of objects", NULL, run_chunk, PART(make_objects, NULL, note_done, after_values)},
    {"run a chunk whose items fail and are run again", NULL, run_chunk,
     PART(make_retried, NULL, note_done, after_retries)},
    {"run elements", NULL, run_chunk, PART(make_elements, NULL, note_done, after_elements)},
    {"run a range", NULL, run_chunk, PART(make_range, NULL, note_done, after_range)},
    {"give a map", prepare_to_give, give_map, PART(make_all, NULL, note_done, after_giving)},
    {"give a map of elements", prepare_to_give, give_array,
     PART(make_all, NULL, note_done, after_giving)},
    {"give an imap", prepare_to_give, give_imap, PART(make_all, NULL, note_done, after_giving)},
    {"take the results of an imap", prepare_ordered, take_results,
     PART(make_all, NULL, note_done, after_giving)},
    {"take the results of an imap in any order", prepare_unordered, take_results,
     PART(make_all, NULL, note_done, after_giving)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_map", 500);
}
