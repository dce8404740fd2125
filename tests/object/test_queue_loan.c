/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue_loan.c: items of a queue that are written and read in place.
 */
#include "object/sync_test.h"

#include <string.h>

static mproc_queue *make(size_t max_items, size_t max_bytes)
{
    mproc_queue *queue = NULL;
    const mproc_queue_options options = {.max_items = max_items, .max_bytes = max_bytes};
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, &options), MPROC_OK);
    return queue;
}

static bool is_filled(const mproc_loan *loan, size_t size, unsigned char with)
{
    const unsigned char *data = loan->data;
    bool is = loan->size == size;
    for (size_t i = 0; is && i < size; i++) {
        is = data[i] == (unsigned char)(with + i);
    }
    return is;
}

static void fill(mproc_loan *loan, unsigned char with)
{
    for (size_t i = 0; i < loan->size; i++) {
        ((unsigned char *)loan->data)[i] = (unsigned char)(with + i);
    }
}

static mproc_loan reserve(mproc_queue *queue, size_t size, unsigned char with)
{
    mproc_loan loan = {.data = NULL};
    CU_ASSERT_EQUAL_FATAL(mproc_queue_reserve(queue, size, &loan), MPROC_OK);
    CU_ASSERT(loan.size == size && (uintptr_t)loan.data % 64 == 0);
    fill(&loan, with);
    return loan;
}

static void test_queue_loan__takes_all_sizes(void)
{
    static const size_t sizes[] = {0, 1, 8192, 8193, 100000, 5000000};
    mproc_block_close(make_words(1)); // what is there when everything has been used once
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0, 0);
    for (size_t i = 0; i < MPROC__COUNT(sizes); i++) {
        mproc_loan loan = reserve(queue, sizes[i], (unsigned char)i);
        CU_ASSERT_EQUAL(mproc_queue_commit(queue, &loan, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT(loan.data == NULL && loan.size == 0);
    }
    CU_ASSERT_EQUAL(mproc_queue_size(queue), MPROC__COUNT(sizes));
    for (size_t i = 0; i < MPROC__COUNT(sizes); i++) {
        mproc_loan loan;
        CU_ASSERT_EQUAL_FATAL(mproc_queue_peek(queue, &loan, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT(is_filled(&loan, sizes[i], (unsigned char)i));
        mproc_loan_release(&loan);
        CU_ASSERT_EQUAL(loan.data, NULL);
        mproc_loan_release(&loan);
    }
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** Whoever puts, and whoever gets, need not know how the other one does it. */
static void test_queue_loan__mixes_with_copies(void)
{
    static unsigned char data[50000];
    mproc_queue *queue = make(0, 0);
    mproc_value item;
    mproc_loan loan = reserve(queue, 50000, 3);
    CU_ASSERT_EQUAL(mproc_queue_commit(queue, &loan, MPROC_NOWAIT), MPROC_OK);
    loan = reserve(queue, 10, 4);
    CU_ASSERT_EQUAL(mproc_queue_commit(queue, &loan, MPROC_NOWAIT), MPROC_OK);
    size_t size;
    CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, data, 50000, &size, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT(size == 50000 && data[0] == 3 && data[49999] == (unsigned char)(3 + 49999));
    CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT(item.type == MPROC_BYTES && item.as.bytes.size == 10);
    mproc_value_clear(&item);
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 50000, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 100, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE("text"), MPROC_NOWAIT), MPROC_OK);
    for (size = 50000; size > 0; size = size == 50000 ? 100 : 0) {
        CU_ASSERT_EQUAL_FATAL(mproc_queue_peek(queue, &loan, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT(is_filled(&loan, size, 3));
        mproc_loan_release(&loan);
    }
    CU_ASSERT_EQUAL(mproc_queue_peek(queue, &loan, MPROC_NOWAIT), MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 1);
    mproc_queue_close(queue);
}

/** Several at once; one is given back, one passed on. */
static void test_queue_loan__is_passed_on(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *first = make(0, 0);
    mproc_queue *second = make(0, 0);
    mproc_loan a = reserve(first, 1000, 1);
    mproc_loan b = reserve(first, 100000, 2);
    mproc_loan c = reserve(first, 100000, 3);
    const void *data = b.data;
    CU_ASSERT_EQUAL(mproc_queue_commit(first, &b, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_commit(first, &a, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_commit(first, &a, MPROC_NOWAIT), MPROC_ESTATE);
    mproc_loan_release(&c);
    CU_ASSERT_EQUAL(mproc_queue_size(first), 2);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_peek(first, &b, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_commit(second, &b, MPROC_NOWAIT), MPROC_OK);
    mproc_queue_close(first); // with what is in it
    CU_ASSERT_EQUAL_FATAL(mproc_queue_peek(second, &b, MPROC_NOWAIT), MPROC_OK);
    mproc_queue_close(second);
    CU_ASSERT(b.data == data && is_filled(&b, 100000, 2));
    mproc_loan_release(&b);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_queue_loan__outlives_a_failure(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(1, 100000);
    mproc_loan big;
    CU_ASSERT_EQUAL(mproc_queue_reserve(queue, 100001, &big), MPROC_ETOOBIG);
    CU_ASSERT_EQUAL(mproc_queue_reserve(NULL, 1, &big), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_reserve(queue, 1, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_commit(queue, NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_peek(queue, NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_peek(queue, &big, BRIEF), MPROC_ETIMEDOUT);
    mproc_loan_release(NULL);
    mproc_loan loan = reserve(queue, 100000, 1);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(1), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_commit(queue, &loan, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_queue_commit(NULL, &loan, BRIEF), MPROC_EINVAL);
    mproc_value item;
    CU_ASSERT_EQUAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_OK);
    mproc_queue *small = make(0, 10);
    CU_ASSERT_EQUAL(mproc_queue_commit(small, &loan, BRIEF), MPROC_ETOOBIG);
    CU_ASSERT(is_filled(&loan, 100000, 1));
    CU_ASSERT_EQUAL(mproc_queue_commit(queue, &loan, BRIEF), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(queue), MPROC_OK);
    loan = reserve(queue, 10, 1);
    CU_ASSERT_EQUAL(mproc_queue_commit(queue, &loan, BRIEF), MPROC_ECLOSED);
    mproc_loan_release(&loan);
    CU_ASSERT_EQUAL(mproc_queue_peek(queue, &loan, BRIEF), MPROC_OK);
    mproc_loan_release(&loan);
    CU_ASSERT_EQUAL(mproc_queue_peek(queue, &loan, MPROC_FOREVER), MPROC_ECLOSED);
    mproc_queue_close(small);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- processes ------------------------------------------------------------------------------- */

/** Send what comes back in place, until there is no more. */
static int pass_on(const mproc_args *args)
{
    mproc_queue *in;
    mproc_queue *out;
    mproc_loan loan;
    int rc;
    CHILD_CHECK(MPROC_UNPACK(args, &in, &out) == 0);
    while ((rc = mproc_queue_peek(in, &loan, LIMIT)) == 0) {
        fill(&loan, (unsigned char)(*(unsigned char *)loan.data + 1));
        CHILD_CHECK(mproc_queue_commit(out, &loan, LIMIT) == 0);
    }
    return rc == MPROC_ECLOSED ? 0 : 1;
}

static void test_queue_loan__goes_to_and_fro(void)
{
    enum { SIZE = 200000 };
    mproc_arena_stats before = settled_stats();
    mproc_queue *there = make(2, 0);
    mproc_queue *back = make(0, 0);
    mproc_process *child = start(pass_on, MPROC_ARGS(there, back));
    for (unsigned char i = 0; i < 20; i++) {
        mproc_loan loan = reserve(there, SIZE, i);
        CU_ASSERT_EQUAL_FATAL(mproc_queue_commit(there, &loan, LIMIT), MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_queue_shutdown(there), MPROC_OK);
    for (unsigned char i = 0; i < 20; i++) {
        mproc_loan loan;
        CU_ASSERT_EQUAL_FATAL(mproc_queue_peek(back, &loan, LIMIT), MPROC_OK);
        CU_ASSERT(is_filled(&loan, SIZE, (unsigned char)(i + 1)));
        mproc_loan_release(&loan);
    }
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc_queue_close(there);
    mproc_queue_close(back);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** Have one loan to be put and one that was taken, and wait for the end. */
static int keep_loans(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_event *event;
    mproc_loan loan;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &event) == 0);
    CHILD_CHECK(mproc_queue_reserve(queue, 300000, &loan) == 0);
    CHILD_CHECK(mproc_queue_peek(queue, &loan, LIMIT) == 0);
    CHILD_CHECK(mproc_event_set(event) == 0);
    for (;;) {
        CHILD_CHECK(mproc_queue_peek(queue, &loan, LIMIT) == 0);
    }
}

static void test_queue_loan__goes_with_its_process(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0, 0);
    mproc_event *event = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    mproc_process *child = start(keep_loans, MPROC_ARGS(queue, event));
    mproc_loan loan = reserve(queue, 300000, 1);
    CU_ASSERT_EQUAL(mproc_queue_commit(queue, &loan, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_event_wait(event, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    CU_ASSERT(mproc_queue_is_empty(queue));
    mproc_event_close(event);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"takes_all_sizes", test_queue_loan__takes_all_sizes},
    {"mixes_with_copies", test_queue_loan__mixes_with_copies},
    {"is_passed_on", test_queue_loan__is_passed_on},
    {"outlives_a_failure", test_queue_loan__outlives_a_failure},
    {"goes_to_and_fro", test_queue_loan__goes_to_and_fro},
    {"goes_with_its_process", test_queue_loan__goes_with_its_process},
};

PROCESS_TEST_MAIN("object.queue_loan", cases)
