/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue_threads.c: eight threads of one process at a queue, so that ThreadSanitizer sees them: what an
 * item stands for is plain memory that its producer writes before it puts the item. POSIX only.
 */
#include "base/atomic.h"
#include "base/compiler.h"
#include "family/check.h"
#include "family/sleep.h"
#include "mproc/mproc.h"

#include <pthread.h>
#include <string.h>

#define N_PRODUCERS 4
#define N_CONSUMERS 4
#define N_THREADS (N_PRODUCERS + N_CONSUMERS)
#define MOST_AT_ONCE 8
#define PARCEL_BYTES 20000
#define BRIEF mproc_milliseconds(5)

static mproc_queue *queue;
static mproc_block *block; /* goes through the queue now and then */
static uint64_t
    *slots; /* one for each item: its number and 1 from before the put until after the get */
static uint64_t n_each; /* items of a producer */
static bool is_cut;     /* the first producer shuts the queue down half-way */
static bool has_leases; /* items are taken on lease, too, and come back: in any order */

struct worker {
    pthread_t thread;
    uint64_t number;
    uint32_t seed;
    uint64_t n, sum;            /* items that it has put or taken, and their numbers */
    uint64_t next[N_PRODUCERS]; /* a consumer's: the least that may come of each producer */
};

/* ---- producers ------------------------------------------------------------------------------- */

static int put_value(mproc_value item, mproc_timeout timeout)
{
    int rc;
    while ((rc = mproc_queue_put(queue, item, timeout)) == MPROC_ETIMEDOUT) {
        timeout = MPROC_FOREVER;
    }
    return rc;
}

static int put_in_place(uint64_t number)
{
    mproc_loan loan;
    CHILD_CHECK(mproc_queue_reserve(queue, PARCEL_BYTES, &loan) == 0);
    memset(loan.data, (int)number & 0xff, loan.size);
    memcpy(loan.data, &number, sizeof(number));
    int rc = mproc_queue_commit(queue, &loan, MPROC_FOREVER);
    mproc_loan_release(&loan);
    return rc;
}

static int put_parcel(uint64_t number)
{
    if (number % 2 == 0) {
        return put_in_place(number);
    }
    unsigned char data[PARCEL_BYTES];
    memset(data, (int)number & 0xff, sizeof(data));
    memcpy(data, &number, sizeof(number));
    return mproc_queue_put_bytes(queue, data, sizeof(data), MPROC_FOREVER);
}

static int put_one(uint64_t number, uint32_t random)
{
    switch (random % 16) {
    case 0:
        return put_parcel(number);
    case 1:
        return put_value(MPROC_LIST(number, block), MPROC_FOREVER);
    case 2:
    case 3:
        return mproc_queue_put_bytes(queue, &number, sizeof(number), MPROC_FOREVER);
    case 4:
        return put_value(MPROC_LIST(number, "a list"), MPROC_NOWAIT);
    default:
        return put_value(MPROC_VALUE(number), random & 16 ? BRIEF : MPROC_FOREVER);
    }
}

static int put_many(uint64_t first, uint64_t count, size_t *ret_count)
{
    mproc_value items[MOST_AT_ONCE];
    for (uint64_t i = 0; i < count; i++) {
        items[i] = MPROC_VALUE(first + i);
    }
    return mproc_queue_put_many(queue, items, (size_t)count, ret_count, MPROC_FOREVER);
}

static void produce(struct worker *self)
{
    uint64_t number = self->number * n_each;
    uint64_t end = number + n_each;
    int rc = 0;
    while (rc == 0 && number < end) {
        uint32_t random = testlib_next(&self->seed);
        uint64_t count = random % 4 == 0 ? 1 + random / 4 % MOST_AT_ONCE : 1;
        size_t n_put = 0;
        count = count < end - number ? count : end - number;
        for (uint64_t i = 0; i < count; i++) {
            slots[number + i] = number + i + 1;
        }
        if (random % 4 == 0) {
            rc = put_many(number, count, &n_put);
        } else {
            rc = put_one(number, random / 4);
            n_put = rc == 0 ? 1 : 0;
        }
        CHILD_CHECK(rc == 0 ? n_put == count : rc == MPROC_ECLOSED && is_cut);
        memset(&slots[number + n_put], 0, (size_t)(count - n_put) * sizeof(*slots));
        self->n += n_put;
        for (size_t i = 0; i < n_put; i++) {
            self->sum += number++;
        }
        if (is_cut && self->number == 0 && rc == 0 && number >= n_each / 2) {
            CHILD_CHECK(mproc_queue_shutdown(queue) == 0);
        }
    }
}

/* ---- consumers ------------------------------------------------------------------------------- */

static void deal_with(struct worker *self, uint64_t number)
{
    uint64_t producer = number / n_each;
    CHILD_CHECK(producer < N_PRODUCERS && (has_leases || number >= self->next[producer]));
    CHILD_CHECK(slots[number] == number + 1);
    slots[number] = 0;
    self->next[producer] = number + 1;
    self->n++;
    self->sum += number;
}

static void take(struct worker *self, uint64_t number)
{
    deal_with(self, number);
    CHILD_CHECK(mproc_queue_task_done(queue) == 0);
}

static uint64_t number_in_bytes(const unsigned char *data, size_t size)
{
    uint64_t number;
    CHILD_CHECK(size == sizeof(number) || size == PARCEL_BYTES);
    memcpy(&number, data, sizeof(number));
    CHILD_CHECK(size == sizeof(number) || data[size - 1] == (number & 0xff));
    return number;
}

static uint64_t number_in(const mproc_value *item)
{
    const mproc_value *first = item;
    if (item->type == MPROC_LIST) {
        CHILD_CHECK(item->as.list.count == 2);
        first = &item->as.list.items[0];
    }
    if (first->type == MPROC_BYTES) {
        return number_in_bytes(first->as.bytes.data, first->as.bytes.size);
    }
    CHILD_CHECK(first->type == MPROC_INT);
    return (uint64_t)first->as.integer;
}

static void take_value(struct worker *self, mproc_value *item)
{
    take(self, number_in(item));
    mproc_value_clear(item);
}

static int get_many(struct worker *self, size_t count)
{
    mproc_value items[MOST_AT_ONCE];
    int rc = mproc_queue_get_many(queue, items, count, &count, MPROC_FOREVER);
    for (size_t i = 0; i < count; i++) {
        take_value(self, &items[i]);
    }
    return rc;
}

static int get_bytes(struct worker *self)
{
    unsigned char data[PARCEL_BYTES];
    size_t size;
    int rc = mproc_queue_get_bytes(queue, data, sizeof(data), &size, MPROC_FOREVER);
    if (rc == 0) {
        take(self, number_in_bytes(data, size));
    }
    return rc == MPROC_ETYPE ? get_many(self, 1) : rc;
}

static int get_in_place(struct worker *self)
{
    mproc_loan loan;
    int rc = mproc_queue_peek(queue, &loan, MPROC_FOREVER);
    if (rc == 0) {
        take(self, number_in_bytes(loan.data, loan.size));
        mproc_loan_release(&loan);
    }
    return rc == MPROC_ETYPE ? get_many(self, 1) : rc;
}

/** Two at once, of which one is dealt with and the other one mostly given back. */
static int get_leased(struct worker *self, uint32_t random)
{
    mproc_lease leases[2];
    mproc_value item;
    int rc = MPROC_OK;
    int n = 0;
    while (n < 2 && (rc = mproc_queue_get_leased(queue, &item, &leases[n],
                                                 n == 0 ? MPROC_FOREVER : MPROC_NOWAIT)) == 0) {
        if (n == 0 || random % 4 == 0) {
            deal_with(self, number_in(&item));
            CHILD_CHECK(mproc_lease_acknowledge(&leases[n]) == 0);
        }
        mproc_value_clear(&item);
        n++;
    }
    CHILD_CHECK(n < 2 || random % 4 == 0 || mproc_lease_return(&leases[1]) == 0);
    return n > 0 ? MPROC_OK : rc;
}

static int get_value(struct worker *self, mproc_timeout timeout)
{
    mproc_value item;
    int rc = mproc_queue_get(queue, &item, timeout);
    if (rc == 0) {
        take_value(self, &item);
    }
    return rc == MPROC_ETIMEDOUT ? 0 : rc;
}

static int get_some(struct worker *self, uint32_t random)
{
    if (has_leases && random / 8 % 2 == 0) {
        return get_leased(self, random / 16);
    }
    switch (random % 8) {
    case 0:
    case 4:
        return get_many(self, 1 + random / 8 % MOST_AT_ONCE);
    case 1:
        return get_bytes(self);
    case 2:
    case 6:
        return get_value(self, random & 4 ? MPROC_NOWAIT : BRIEF);
    case 5:
        return get_in_place(self);
    default:
        return get_value(self, MPROC_FOREVER);
    }
}

static void consume(struct worker *self)
{
    int rc = 0;
    while (rc == 0) {
        rc = get_some(self, testlib_next(&self->seed));
    }
    CHILD_CHECK(rc == MPROC_ECLOSED && mproc_queue_is_shut_down(queue));
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void *work(void *arg)
{
    struct worker *self = arg;
    if (self->number < N_PRODUCERS) {
        produce(self);
    } else {
        consume(self);
    }
    return NULL;
}

static void start_all(struct worker workers[N_THREADS])
{
    for (size_t i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.number = i, .seed = testlib_random() | 1};
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
}

/* Unless the queue is cut off, the end of the producers and then of their items is waited for. */
static void join_all(struct worker workers[N_THREADS])
{
    for (size_t i = 0; i < N_PRODUCERS; i++) {
        CU_ASSERT_EQUAL(pthread_join(workers[i].thread, NULL), 0);
    }
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_FOREVER), 0);
    CU_ASSERT(mproc_queue_is_empty(queue));
    CU_ASSERT_EQUAL(mproc_queue_shutdown(queue), is_cut ? MPROC_ESTATE : 0);
    for (size_t i = N_PRODUCERS; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(workers[i].thread, NULL), 0);
    }
}

static void check_sums(const struct worker workers[N_THREADS])
{
    uint64_t n[2] = {0, 0};
    uint64_t sum[2] = {0, 0};
    uint64_t left = 0;
    for (size_t i = 0; i < N_THREADS; i++) {
        n[i >= N_PRODUCERS] += workers[i].n;
        sum[i >= N_PRODUCERS] += workers[i].sum;
    }
    for (uint64_t i = 0; i < N_PRODUCERS * n_each; i++) {
        left += slots[i] != 0 ? 1 : 0;
    }
    CU_ASSERT(is_cut ? n[0] > 0 : n[0] == N_PRODUCERS * n_each);
    CU_ASSERT_EQUAL(n[0], n[1]);
    CU_ASSERT_EQUAL(sum[0], sum[1]);
    CU_ASSERT_EQUAL(left, 0);
}

static void run_threads(size_t max_items, size_t max_bytes)
{
    const check_figures before = check_read();
    const mproc_queue_options options = {
        .max_items = max_items, .max_bytes = max_bytes, .is_joinable = true};
    struct worker workers[N_THREADS];
    int64_t slice = mproc__slice_ns;
    mproc__slice_ns = INT64_MAX / 4; // nothing rests on slices as long as nobody dies
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, &options), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, 1), 0);
    slots = calloc((size_t)(N_PRODUCERS * n_each), sizeof(*slots));
    CU_ASSERT_PTR_NOT_NULL_FATAL(slots);
    start_all(workers);
    join_all(workers);
    check_sums(workers);
    free(slots);
    mproc_block_close(block);
    mproc_queue_close(queue);
    mproc__slice_ns = slice;
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_queue__threads_hand_over_plain_memory(void)
{
    is_cut = has_leases = false;
    n_each = (uint64_t)testlib_count(5000, 100000);
    run_threads(64, 0);
    run_threads(0, 0);
    run_threads(1, 0);
    run_threads(0, 50000);
}

/** Nobody sleeps on while an item is back. */
static void test_queue__threads_take_on_lease(void)
{
    is_cut = false;
    has_leases = true;
    n_each = (uint64_t)testlib_count(2000, 50000);
    run_threads(64, 0);
    run_threads(1, 0);
    run_threads(2, PARCEL_BYTES);
}

static void test_queue__threads_are_cut_off(void)
{
    is_cut = true;
    has_leases = false;
    n_each = 100;
    for (long i = 0; i < testlib_count(50, 2000); i++) {
        run_threads(i % 2 == 0 ? 4 : 0, 0);
    }
}

static void child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    check_enter(N_THREADS * 4);
}

static const testlib_case cases[] = {
    {"threads_hand_over_plain_memory", test_queue__threads_hand_over_plain_memory},
    {"threads_take_on_lease", test_queue__threads_take_on_lease},
    {"threads_are_cut_off", test_queue__threads_are_cut_off},
};

TESTLIB_MAIN_CHILD("object.queue_threads", cases, child)
