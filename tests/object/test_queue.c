/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue.c: mproc_queue between threads and processes.
 */
#include "family/bell.h"
#include "object/queue.h"
#include "object/sync_test.h"

#include <stdlib.h>

static mproc_queue *make(size_t max_items)
{
    mproc_queue *queue = NULL;
    const mproc_queue_options options = {.max_items = max_items, .is_joinable = true};
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, &options), MPROC_OK);
    return queue;
}

/** Bytes that tell which message they are. */
static void fill(unsigned char *data, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++) {
        data[i] = (unsigned char)(seed * 31 + i * 7 + i / 255);
    }
}

static bool is_filled(const void *data, size_t size, uint32_t seed)
{
    const unsigned char *bytes = data;
    bool is = true;
    for (size_t i = 0; is && i < size; i++) {
        is = bytes[i] == (unsigned char)(seed * 31 + i * 7 + i / 255);
    }
    return is;
}

/* ---- one process ----------------------------------------------------------------------------- */

static void test_queue__is_first_in_first_out(void)
{
    mproc_queue *queue = make(0);
    mproc_value item;
    CU_ASSERT(mproc_queue_is_empty(queue) && !mproc_queue_is_full(queue));
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(1), MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE("two"), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_LIST(3, 3.5, "3"), BRIEF), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 3);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &item, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT(item.type == MPROC_INT && item.as.integer == 1);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &item, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT(item.type == MPROC_STRING && strcmp(item.as.string.data, "two") == 0);
    mproc_value_clear(&item);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &item, MPROC_FOREVER), MPROC_OK);
    mproc_value expected = MPROC_LIST(3, 3.5, "3");
    CU_ASSERT(mproc_value_equal(&item, &expected));
    mproc_value_clear(&item);
    CU_ASSERT_EQUAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_queue_get(queue, &item, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT(mproc_queue_is_empty(queue));
    mproc_queue_close(queue);
}

static void test_queue__refuses_nonsense(void)
{
    mproc_queue *queue = make(1);
    mproc_value item = MPROC_VALUE(1);
    size_t n;
    char byte;
    CU_ASSERT_EQUAL(mproc_queue_create(NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_put(NULL, item, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, NULL, 1, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_put_many(queue, NULL, 1, &n, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_get(NULL, &item, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_get(queue, NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, NULL, 1, &n, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, &byte, 1, NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_get_many(queue, &item, 0, &n, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_task_done(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_join(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(NULL), MPROC_EINVAL);
    CU_ASSERT(mproc_queue_size(NULL) == 0 && mproc_queue_is_empty(NULL));
    CU_ASSERT(!mproc_queue_is_full(NULL) && !mproc_queue_is_shut_down(NULL));
    mproc_queue_close(NULL);
    item.type = (mproc_type)99;
    CU_ASSERT_EQUAL(mproc_queue_put(queue, item, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 0);
    mproc_queue_close(queue);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_task_done(queue), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_ESTATE);
    mproc_queue_close(queue);
}

static void test_queue__is_full(void)
{
    mproc_queue *queue = make(3);
    mproc_value item;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 3; i++) {
            CU_ASSERT_FALSE(mproc_queue_is_full(queue));
            CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(i), MPROC_NOWAIT), MPROC_OK);
        }
        CU_ASSERT(mproc_queue_is_full(queue));
        CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(3), MPROC_NOWAIT), MPROC_ETIMEDOUT);
        if (round == 0) {
            CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(3), BRIEF), MPROC_ETIMEDOUT);
        }
        for (int i = 0; i < 3; i++) {
            CU_ASSERT_EQUAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_OK);
            CU_ASSERT_EQUAL(item.as.integer, i);
        }
    }
    mproc_queue_close(queue);
}

static void test_queue__is_full_of_bytes(void)
{
    static unsigned char data[30001];
    mproc_queue *queue = NULL;
    const mproc_queue_options options = {.max_bytes = 30000};
    size_t size;
    mproc_value text = MPROC_VALUE("a string is as long as its encoding");
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, &options), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 30001, MPROC_FOREVER), MPROC_ETOOBIG);
    for (int round = 0; round < 50; round++) {
        // Records and a parcel; exactly as many as allowed, wherever the ring is.
        CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 20001, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 8192, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 1770, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_queue_put(queue, text, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT(mproc_queue_is_full(queue) && mproc_queue_size(queue) == 4);
        CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 1, MPROC_NOWAIT), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 0, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, data, 30000, &size, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 20002, MPROC_NOWAIT), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, data, 30000, &size, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 28193, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT(mproc_queue_is_full(queue));
        mproc_value items[4];
        CU_ASSERT_EQUAL(mproc_queue_get_many(queue, items, 4, &size, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL_FATAL(size, 4);
        for (size_t i = 0; i < 4; i++) {
            mproc_value_clear(&items[i]);
        }
        CU_ASSERT(!mproc_queue_is_full(queue));
    }
    mproc_queue_close(queue);
}

/** Sizes around all that matters: words, records, parcels, segments. */
static size_t size_number(uint32_t i)
{
    static const size_t sizes[] = {0,    1,    7,    8,     9,     63,    64,     65,     4096,
                                   8185, 8191, 8192, 8193,  16384, 65536, 131072, 250000, 1000000,
                                   3,    100,  2000, 30000, 12,    8192,  8192,   5000};
    return sizes[i % MPROC__COUNT(sizes)];
}

static void test_queue__takes_all_sizes(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    unsigned char *data = malloc(1000000);
    for (uint32_t depth = 1; depth < 200; depth = depth * 3 + 1) {
        uint32_t n_put = 0;
        uint32_t n_got = 0;
        while (n_got < 300) {
            for (; n_put < n_got + depth; n_put++) {
                fill(data, size_number(n_put), n_put);
                CU_ASSERT_EQUAL_FATAL(
                    mproc_queue_put_bytes(queue, data, size_number(n_put), MPROC_NOWAIT), MPROC_OK);
            }
            size_t size = 0;
            CU_ASSERT_EQUAL(mproc_queue_size(queue), depth);
            CU_ASSERT_EQUAL_FATAL(mproc_queue_get_bytes(queue, data, 1000000, &size, MPROC_NOWAIT),
                                  MPROC_OK);
            CU_ASSERT_EQUAL(size, size_number(n_got));
            CU_ASSERT(is_filled(data, size, n_got));
            n_got++;
        }
        while (!mproc_queue_is_empty(queue)) {
            mproc_value item;
            CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_OK);
            CU_ASSERT(item.type == MPROC_BYTES && item.as.bytes.size == size_number(n_got));
            CU_ASSERT(is_filled(item.as.bytes.data, item.as.bytes.size, n_got));
            mproc_value_clear(&item);
            n_got++;
        }
    }
    free(data);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** Many items that nobody takes; some of them are, the others go with the queue. */
static void test_queue__grows(void)
{
    enum { N = 200000 };
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    mproc_value item;
    mproc_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    for (int i = 0; i < N; i++) {
        bool is_plain = i < N / 2 || i % 50000 != 0;
        mproc_value sent = MPROC_VALUE(i);
        if (!is_plain) {
            sent = MPROC_VALUE(lock);
        }
        CU_ASSERT_EQUAL_FATAL(mproc_queue_put(queue, sent, MPROC_NOWAIT), MPROC_OK);
    }
    mproc_lock_close(lock);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), N);
    for (int i = 0; i < N / 2; i++) {
        CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL_FATAL(item.as.integer, i);
    }
    CU_ASSERT_EQUAL(mproc_queue_size(queue), N / 2);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_queue__too_small_a_buffer_loses_nothing(void)
{
    static const size_t sizes[] = {100, 100000};
    mproc_queue *queue = make(0);
    unsigned char *data = malloc(100000);
    for (size_t i = 0; i < MPROC__COUNT(sizes); i++) {
        size_t size = 0;
        fill(data, sizes[i], 5);
        CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, sizes[i], MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, data, sizes[i] - 1, &size, MPROC_NOWAIT),
                        MPROC_ETOOBIG);
        CU_ASSERT(size == sizes[i] && mproc_queue_size(queue) == 1);
        CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, data, size, &size, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT(is_filled(data, size, 5));
    }
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE("text"), MPROC_NOWAIT), MPROC_OK);
    size_t size;
    CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, data, 100, &size, MPROC_NOWAIT), MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 1);
    free(data);
    mproc_queue_close(queue);
}

static void test_queue__holds_objects_on_the_way(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    mproc_lock *lock = NULL;
    mproc_lock *same = NULL;
    mproc_value item;
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_LIST(lock, queue, "both"), MPROC_NOWAIT),
                        MPROC_OK);
        mproc_lock_close(lock);
    }
    for (int i = 0; i < 2; i++) {
        mproc_queue *inner;
        const char *text;
        CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(MPROC_UNPACK_LIST(&item, &same, &inner, &text), MPROC_OK);
        CU_ASSERT(mproc_lock_is_locked(same) && strcmp(text, "both") == 0);
        CU_ASSERT_EQUAL(mproc_queue_size(inner), (size_t)(2 - i));
        mproc_value_clear(&item);
    }
    // The last one contains the queue that it is in: somebody has to take it out.
    CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_OK);
    mproc_value_clear(&item);
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(lock), MPROC_NOWAIT), MPROC_OK);
    mproc_lock_close(lock);
    mproc_queue_close(queue); // with what is in it
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_queue__shuts_down(void)
{
    mproc_queue *queue = make(2);
    mproc_value item;
    CU_ASSERT_FALSE(mproc_queue_is_shut_down(queue));
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(1), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(queue), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(queue), MPROC_ESTATE);
    CU_ASSERT(mproc_queue_is_shut_down(queue));
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(2), MPROC_FOREVER), MPROC_ECLOSED);
    CU_ASSERT_EQUAL(mproc_queue_get(queue, &item, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(item.as.integer, 1);
    CU_ASSERT_EQUAL(mproc_queue_get(queue, &item, MPROC_FOREVER), MPROC_ECLOSED);
    CU_ASSERT_EQUAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_ECLOSED);
    mproc_queue_close(queue);
}

static void test_queue__takes_many(void)
{
    enum { N = 1000 };
    mproc_queue *queue = make(N);
    mproc_value items[N + 1];
    mproc_value out[N];
    size_t n = 99;
    for (int i = 0; i <= N; i++) {
        items[i] = MPROC_VALUE(i);
    }
    CU_ASSERT_EQUAL(mproc_queue_put_many(queue, items, 0, &n, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(n, 0);
    CU_ASSERT_EQUAL(mproc_queue_put_many(queue, items, N + 1, &n, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(n, N);
    CU_ASSERT_EQUAL(mproc_queue_get_many(queue, out, 300, &n, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(n, 300);
    CU_ASSERT_EQUAL(mproc_queue_get_many(queue, out + 300, N - 300, &n, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(n, N - 300);
    for (int i = 0; i < N; i++) {
        CU_ASSERT_EQUAL_FATAL(out[i].as.integer, i);
    }
    CU_ASSERT_EQUAL(mproc_queue_get_many(queue, out, N, &n, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(n, 0);
    mproc_queue_close(queue);
}

/** What comes together is cleared in any order, and then no longer there. */
static void test_queue__takes_many_bytes(void)
{
    enum { N = 300 };
    static unsigned char data[250000];
    mproc_queue *queue = make(0);
    mproc_value out[N];
    for (uint32_t round = 0; round < 3; round++) {
        size_t n = 0;
        for (uint32_t i = 0; i < N; i++) {
            size_t size = round == 0 ? i : size_number(i % 17);
            fill(data, size, i);
            CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, size, MPROC_NOWAIT), MPROC_OK);
        }
        CU_ASSERT_EQUAL(mproc_queue_get_many(queue, out, N, &n, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL_FATAL(n, N);
        for (uint32_t step = 0; step < 7; step++) {
            for (uint32_t i = step; i < N; i += 7) {
                size_t size = round == 0 ? i : size_number(i % 17);
                CU_ASSERT(out[i].type == MPROC_BYTES && out[i].as.bytes.size == size);
                CU_ASSERT(is_filled(out[i].as.bytes.data, size, i));
                mproc_value_clear(&out[i]);
            }
        }
    }
    mproc_queue_close(queue);
}

static void test_queue__is_joined(void)
{
    mproc_queue *queue = make(0);
    mproc_value item;
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_task_done(queue), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(1), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_VALUE(2), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_join(queue, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_task_done(queue), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_queue_task_done(queue), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_join(queue, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_task_done(queue), MPROC_ESTATE);
    mproc_queue_close(queue);
}

/** An item of 3 GiB, if the machine has the memory. */
static void test_queue__takes_gigabytes(void)
{
    const size_t size = (size_t)3 << 30;
    size_t received = 0;
    if (testlib_count(0, 1) == 0) {
        testlib_skip("only at full length");
        return;
    }
    mproc_queue *queue = make(0);
    unsigned char *data = calloc(1, size);
    int rc = MPROC_ENOMEM;
    if (data != NULL) {
        data[0] = 1;
        data[size - 1] = 2;
        rc = mproc_queue_put_bytes(queue, data, size, LIMIT);
    }
    if (rc < 0) {
        CU_ASSERT(rc == MPROC_ENOMEM || rc == MPROC_ENOSPC);
        testlib_skip("no memory for it");
    } else {
        data[0] = data[size - 1] = 0;
        CU_ASSERT_EQUAL(mproc_queue_get_bytes(queue, data, size, &received, LIMIT), MPROC_OK);
        CU_ASSERT(received == size && data[0] == 1 && data[size - 1] == 2);
    }
    free(data);
    mproc_queue_close(queue);
}

/* ---- processes ------------------------------------------------------------------------------- */

/** Send back what comes, until it is nil. */
static int echo(const mproc_args *args)
{
    mproc_queue *in;
    mproc_queue *out;
    mproc_value item;
    bool is_last = false;
    CHILD_CHECK(MPROC_UNPACK(args, &in, &out) == 0);
    while (!is_last) {
        CHILD_CHECK(mproc_queue_get(in, &item, LIMIT) == 0);
        is_last = item.type == MPROC_NIL;
        CHILD_CHECK(mproc_queue_put(out, item, LIMIT) == 0);
        mproc_value_clear(&item);
    }
    return 0; // what it has put stays put
}

static void test_queue__goes_to_and_fro(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *there = make(0);
    mproc_queue *back = make(1);
    mproc_value item;
    mproc_process *child = start(echo, MPROC_ARGS(there, back));
    for (int i = 0; i < 1000; i++) {
        CU_ASSERT_EQUAL_FATAL(mproc_queue_put(there, MPROC_VALUE(i), LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL_FATAL(mproc_queue_get(back, &item, LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(item.as.integer, i);
    }
    mproc_value nil = {.type = MPROC_NIL};
    CU_ASSERT_EQUAL(mproc_queue_put(there, nil, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), 0);
    CU_ASSERT_EQUAL(mproc_queue_get(back, &item, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(item.type, MPROC_NIL);
    mproc_queue_close(there);
    mproc_queue_close(back);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** Put numbers, each with the producer's own. */
static int produce(const mproc_args *args)
{
    mproc_queue *queue;
    uint32_t who;
    uint32_t count;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &who, &count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        CHILD_CHECK(mproc_queue_put(queue, MPROC_LIST(who, i), LIMIT) == 0);
    }
    return 0;
}

/** Take them until there are no more; each producer's come in their order. Their sum goes to `sums`. */
static int consume(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_queue *sums;
    uint32_t next[8] = {0};
    uint64_t sum = 0;
    int rc;
    mproc_value item;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &sums) == 0);
    while ((rc = mproc_queue_get(queue, &item, LIMIT)) == 0) {
        uint32_t who;
        uint32_t i;
        CHILD_CHECK(MPROC_UNPACK_LIST(&item, &who, &i) == 0);
        CHILD_CHECK(who < 8 && i >= next[who]);
        next[who] = i + 1;
        sum += i + 1;
        mproc_value_clear(&item);
        CHILD_CHECK(mproc_queue_task_done(queue) == 0);
    }
    CHILD_CHECK(rc == MPROC_ECLOSED);
    return -mproc_queue_put(sums, MPROC_VALUE(sum), LIMIT);
}

static void check_many(size_t max_items)
{
    enum { N = 4 };
    mproc_queue *queue = make(max_items);
    mproc_queue *sums = make(0);
    mproc_process *producers[N];
    mproc_process *consumers[N];
    uint32_t count = (uint32_t)testlib_count(2000, 100000);
    for (uint32_t i = 0; i < N; i++) {
        producers[i] = start(produce, MPROC_ARGS(queue, i, count));
        consumers[i] = start(consume, MPROC_ARGS(queue, sums));
    }
    for (size_t i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(end_of(producers[i]), 0);
    }
    CU_ASSERT_EQUAL(mproc_queue_join(queue, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(queue), MPROC_OK);
    uint64_t sum = 0;
    for (size_t i = 0; i < N; i++) {
        mproc_value item;
        CU_ASSERT_EQUAL(end_of(consumers[i]), 0);
        CU_ASSERT_EQUAL(mproc_queue_get(sums, &item, MPROC_NOWAIT), MPROC_OK);
        sum += (uint64_t)item.as.integer;
    }
    CU_ASSERT_EQUAL(sum, (uint64_t)N * count * (count + 1) / 2);
    mproc_queue_close(queue);
    mproc_queue_close(sums);
}

static void test_queue__many_put_and_get(void)
{
    mproc_arena_stats before = settled_stats();
    check_many(0);
    check_many(1);
    check_many(10);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** A process that ends right after put, in no hurry to be read. */
static int put_much_and_end(const mproc_args *args)
{
    mproc_queue *queue;
    CHILD_CHECK(MPROC_UNPACK(args, &queue) == 0);
    unsigned char *data = malloc(1000000);
    for (uint32_t i = 0; i < 20; i++) {
        fill(data, 1000000, i);
        CHILD_CHECK(mproc_queue_put_bytes(queue, data, 1000000, MPROC_NOWAIT) == 0);
    }
    free(data);
    return 0;
}

static void test_queue__outlives_who_has_put(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_queue *queue = make(0);
    CU_ASSERT_EQUAL(end_of(start(put_much_and_end, MPROC_ARGS(queue))), 0);
    for (uint32_t i = 0; i < 10; i++) {
        mproc_value item;
        CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &item, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT(is_filled(item.as.bytes.data, item.as.bytes.size, i));
        mproc_value_clear(&item);
    }
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 10);
    mproc_queue_close(queue);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** 100 - its status: of a get or a put that waits. */
static int wait_in_get(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_value item;
    CHILD_CHECK(MPROC_UNPACK(args, &queue) == 0);
    return 100 - mproc_queue_get(queue, &item, LIMIT);
}

static int wait_in_put(const mproc_args *args)
{
    mproc_queue *queue;
    CHILD_CHECK(MPROC_UNPACK(args, &queue) == 0);
    return 100 - mproc_queue_put(queue, MPROC_VALUE(2), LIMIT);
}

static void test_queue__shutdown_wakes_all(void)
{
    mproc_queue *empty = make(0);
    mproc_queue *full = make(1);
    mproc_process *children[6];
    CU_ASSERT_EQUAL(mproc_queue_put(full, MPROC_VALUE(1), MPROC_NOWAIT), MPROC_OK);
    for (size_t i = 0; i < 6; i++) {
        children[i] = start(i < 3 ? wait_in_get : wait_in_put, MPROC_ARGS(i < 3 ? empty : full));
    }
    CU_ASSERT(await_asleep(6));
    CU_ASSERT_EQUAL(mproc_process_kill(children[0]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_kill(children[3]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(empty), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(full), MPROC_OK);
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), i % 3 == 0 ? CODE_KILLED : 100 - MPROC_ECLOSED);
    }
    mproc_queue_close(empty);
    mproc_queue_close(full);
}

/** Take bytes into a buffer of the size that is said. */
static int get_into(const mproc_args *args)
{
    static unsigned char buffer[5];
    mproc_queue *queue;
    size_t capacity;
    size_t size;
    mproc_timeout timeout;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &capacity, &timeout) == 0);
    switch_slices_off();
    return 100 - mproc_queue_get_bytes(queue, buffer, capacity, &size, timeout);
}

/** Wait until getters have noted that they are about to sleep: one, or several. */
static bool await_getters(const mproc_queue *queue, uint32_t note)
{
    mproc_block *block = make_words(1);
    int64_t deadline = mplat_now() + LIMIT;
    bool are_there;
    while (!(are_there = (mproc__bell_notes(&mproc__queue_ring(queue)->getters) & note) != 0) &&
           mplat_now() < deadline) {
        (void)mplat_wait(words_of(block), 0, mplat_now() + mproc_milliseconds(2), NULL, NULL);
    }
    mproc_block_close(block);
    return are_there;
}

/** Who is woken by an item and cannot take it has the next one woken. */
static void test_queue__a_wake_is_passed_on(void)
{
    mproc_queue *queue;
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    mproc_process *small = start(get_into, MPROC_ARGS(queue, (size_t)1, MPROC_FOREVER));
    CU_ASSERT(await_getters(queue, MPROC__BELL_ONE));
    mproc_process *large = start(get_into, MPROC_ARGS(queue, (size_t)5, MPROC_FOREVER));
    CU_ASSERT(await_getters(queue, MPROC__BELL_SEVERAL));
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, "bytes", 5, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(large), 100);
    // It may have been quicker.
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, "bytes", 5, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(small), 100 - MPROC_ETOOBIG);
    mproc_queue_close(queue);
}

/** Who is woken by an item, and has no time left to wait for those who use the queue, has the next one woken. */
static void test_queue__who_is_late_passes_it_on(void)
{
    mproc_queue *queue;
    mproc__ring_end end;
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    struct mproc__ring_shm *ring = mproc__queue_ring(queue);
    mproc_process *brief = start(get_into, MPROC_ARGS(queue, (size_t)5, mproc_milliseconds(500)));
    CU_ASSERT(await_getters(queue, MPROC__BELL_ONE));
    mproc_process *patient = start(get_into, MPROC_ARGS(queue, (size_t)5, MPROC_FOREVER));
    CU_ASSERT(await_getters(queue, MPROC__BELL_SEVERAL));
    CU_ASSERT_EQUAL_FATAL(mproc__ring_get_begin(ring, MPROC__NEVER, &end), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, "bytes", 5, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(brief), 100 - MPROC_ETIMEDOUT);
    mproc__ring_get_end(&end);
    CU_ASSERT_EQUAL(end_of(patient), 100);
    mproc_queue_close(queue);
}

static const testlib_case cases[] = {
    {"is_first_in_first_out", test_queue__is_first_in_first_out},
    {"refuses_nonsense", test_queue__refuses_nonsense},
    {"is_full", test_queue__is_full},
    {"is_full_of_bytes", test_queue__is_full_of_bytes},
    {"takes_all_sizes", test_queue__takes_all_sizes},
    {"grows", test_queue__grows},
    {"too_small_a_buffer_loses_nothing", test_queue__too_small_a_buffer_loses_nothing},
    {"holds_objects_on_the_way", test_queue__holds_objects_on_the_way},
    {"shuts_down", test_queue__shuts_down},
    {"takes_many", test_queue__takes_many},
    {"takes_many_bytes", test_queue__takes_many_bytes},
    {"is_joined", test_queue__is_joined},
    {"goes_to_and_fro", test_queue__goes_to_and_fro},
    {"takes_gigabytes", test_queue__takes_gigabytes},
    {"many_put_and_get", test_queue__many_put_and_get},
    {"outlives_who_has_put", test_queue__outlives_who_has_put},
    {"shutdown_wakes_all", test_queue__shutdown_wakes_all},
    {"a_wake_is_passed_on", test_queue__a_wake_is_passed_on},
    {"who_is_late_passes_it_on", test_queue__who_is_late_passes_it_on},
};

PROCESS_TEST_MAIN("object.queue", cases)
