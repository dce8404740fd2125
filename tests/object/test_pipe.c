/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pipe.c: messages through mproc_pipe, between threads and processes.
 */
#include "family/bell.h"
#include "family/block.h"
#include "family/pipe.h"
#include "object/connection.h"
#include "object/pipe_test.h"

#include <stdlib.h>

/* ---- one process ----------------------------------------------------------------------------- */

static void check_way(mproc_connection *from, mproc_connection *to)
{
    mproc_value value;
    mproc_value expected = MPROC_LIST(3, 3.5, "3");
    CU_ASSERT_EQUAL(mproc_connection_poll(to, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_connection_recv(to, &value, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_connection_send(from, MPROC_VALUE(1), MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_send(from, expected, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(from, "two", 3, BRIEF), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_poll(to, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(to, &value, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT(value.type == MPROC_INT && value.as.integer == 1);
    CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(to, &value, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT(mproc_value_equal(&value, &expected));
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(to, &value, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT(value.type == MPROC_BYTES && value.as.bytes.size == 3);
    CU_ASSERT_EQUAL(memcmp(value.as.bytes.data, "two", 3), 0);
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(mproc_connection_poll(to, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_connection_recv(to, &value, BRIEF), MPROC_ETIMEDOUT);
}

static void test_pipe__goes_both_ways(void)
{
    mproc_connection *first;
    mproc_connection *second;
    make(&first, &second);
    CU_ASSERT(mproc_connection_is_readable(first) && mproc_connection_is_writable(first));
    CU_ASSERT(mproc_connection_is_readable(second) && mproc_connection_is_writable(second));
    check_way(first, second);
    check_way(second, first);
    close_both(first, second);
}

static void test_pipe__goes_one_way(void)
{
    mproc_connection *in;
    mproc_connection *out;
    mproc_value value;
    size_t size;
    const mproc_pipe_options options = {.is_one_way = true};
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&in, &out, &options), MPROC_OK);
    CU_ASSERT(mproc_connection_is_readable(in) && !mproc_connection_is_writable(in));
    CU_ASSERT(!mproc_connection_is_readable(out) && mproc_connection_is_writable(out));
    check_way(out, in);
    CU_ASSERT_EQUAL(mproc_connection_send(in, MPROC_VALUE(1), MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(in, "", 0, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_connection_recv(out, &value, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes(out, &value, 1, NULL, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(out, &size, 1, &size, MPROC_NOWAIT),
                    MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_connection_poll(out, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_connection_send(out, MPROC_VALUE(1), MPROC_NOWAIT), MPROC_OK);
    mproc_connection_close(out);
    CU_ASSERT_EQUAL(mproc_connection_recv(in, &value, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_recv(in, &value, MPROC_FOREVER), MPROC_ECLOSED);
    mproc_connection_close(in);
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&in, &out, &options), MPROC_OK);
    mproc_connection_close(in);
    CU_ASSERT_EQUAL(mproc_connection_send(out, MPROC_VALUE(1), MPROC_FOREVER), MPROC_EPEER);
    mproc_connection_close(out);
}

static void test_pipe__refuses_nonsense(void)
{
    mproc_connection *first;
    mproc_connection *second;
    mproc_value value = MPROC_VALUE(1);
    mproc_os_handle handle;
    size_t n;
    char byte;
    make(&first, &second);
    CU_ASSERT_EQUAL(mproc_pipe_create(NULL, &first, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pipe_create(&first, NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_send(NULL, value, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(NULL, "", 0, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(first, NULL, 1, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_recv(NULL, &value, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_recv(first, NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes(first, NULL, 1, &n, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(first, NULL, 1, &n, MPROC_NOWAIT),
                    MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(first, &byte, 1, NULL, MPROC_NOWAIT),
                    MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_poll(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_handle(NULL, &handle), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_handle(first, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_handle(first, &handle), MPROC_ENOTSUP);
    CU_ASSERT(!mproc_connection_is_readable(NULL) && !mproc_connection_is_writable(NULL));
    mproc_connection_close(NULL);
    value.type = (mproc_type)99;
    CU_ASSERT_EQUAL(mproc_connection_send(first, value, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_connection_poll(second, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    close_both(first, second);
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

/** Messages keep their boundaries, also those of no bytes at all. Python: _TestPoll */
static void test_pipe__keeps_boundaries(void)
{
    static const size_t sizes[] = {0, 1, 0, 8, 4096, 8192, 8193, 0, 65536, 200000, 3};
    mproc_arena_stats before = settled_stats();
    mproc_connection *first;
    mproc_connection *second;
    mproc_value value;
    size_t size;
    unsigned char *data = malloc(200000);
    make(&first, &second);
    for (uint32_t i = 0; i < 110; i++) {
        size_t expected = sizes[i % MPROC__COUNT(sizes)];
        size_t next = sizes[(i + 1) % MPROC__COUNT(sizes)];
        fill(data, expected, i);
        CU_ASSERT_EQUAL_FATAL(mproc_connection_send_bytes(first, data, expected, MPROC_NOWAIT),
                              MPROC_OK);
        fill(data, next, i + 1);
        CU_ASSERT_EQUAL_FATAL(mproc_connection_send_bytes(first, data, next, MPROC_NOWAIT),
                              MPROC_OK);
        memset(data, 0, expected);
        CU_ASSERT_EQUAL(mproc_connection_poll(second, MPROC_FOREVER), MPROC_OK);
        CU_ASSERT_EQUAL_FATAL(
            mproc_connection_recv_bytes_into(second, data, expected, &size, MPROC_NOWAIT),
            MPROC_OK);
        CU_ASSERT(size == expected && is_filled(data, size, i));
        CU_ASSERT_EQUAL(mproc_connection_poll(second, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL_FATAL(
            mproc_connection_recv_bytes(second, &value, SIZE_MAX, &size, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT(size == next && value.as.bytes.size == next);
        CU_ASSERT(is_filled(value.as.bytes.data, next, i + 1));
        mproc_value_clear(&value);
        CU_ASSERT_EQUAL(mproc_connection_poll(second, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    }
    free(data);
    close_both(first, second);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static size_t fill_up(mproc_connection *connection, const void *data, size_t size)
{
    size_t n = 0;
    int rc;
    while ((rc = mproc_connection_send_bytes(connection, data, size, MPROC_NOWAIT)) == MPROC_OK) {
        n++;
    }
    CU_ASSERT_EQUAL(rc, MPROC_ETIMEDOUT);
    return n;
}

static size_t empty_out(mproc_connection *connection, size_t expected)
{
    size_t n = 0;
    mproc_value value;
    while (mproc_connection_recv(connection, &value, MPROC_NOWAIT) == MPROC_OK) {
        n += value.type == MPROC_BYTES && value.as.bytes.size == expected ? 1 : 0;
        mproc_value_clear(&value);
    }
    return n;
}

static void check_room(size_t max_bytes, size_t room)
{
    static const size_t sizes[] = {0, 56, 1000, 8192};
    const mproc_pipe_options options = {.max_bytes = max_bytes};
    mproc_connection *first;
    mproc_connection *second;
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&first, &second, &options), MPROC_OK);
    unsigned char *data = calloc(1, 2 * room);
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < MPROC__COUNT(sizes); i++) {
            size_t each = 8 + (sizes[i] + 7) / 8 * 8;
            size_t n = fill_up(first, data, sizes[i]);
            CU_ASSERT(n <= room / each && n >= room / each - 1);
            CU_ASSERT(round > 0 ||
                      mproc_connection_send_bytes(first, data, sizes[i], BRIEF) == MPROC_ETIMEDOUT);
            CU_ASSERT_EQUAL(empty_out(second, sizes[i]), n);
        }
        size_t n = fill_up(first, data, 2 * room);
        CU_ASSERT(n == 3 || n == 4); // one may not fit into the ring's end
        CU_ASSERT_EQUAL(empty_out(second, 2 * room), n);
    }
    free(data);
    close_both(first, second);
}

static void test_pipe__has_room_for_so_much(void)
{
    check_room(0, 65536);
    check_room(1, 32768);
    check_room(65537, 131072);
}

static void test_pipe__what_is_too_large_stays(void)
{
    static const size_t sizes[] = {100, 100000};
    mproc_connection *first;
    mproc_connection *second;
    mproc_value value;
    unsigned char *data = malloc(100000);
    make(&first, &second);
    for (size_t i = 0; i < MPROC__COUNT(sizes); i++) {
        size_t n = sizes[i];
        size_t size = 0;
        fill(data, n, 5);
        CU_ASSERT_EQUAL(mproc_connection_send_bytes(first, data, n, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_connection_send_bytes(first, data, n, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(second, data, n - 1, &size, MPROC_NOWAIT),
                        MPROC_ETOOBIG);
        CU_ASSERT_EQUAL(size, n);
        size = 0;
        CU_ASSERT_EQUAL(mproc_connection_recv_bytes(second, &value, n - 1, &size, MPROC_NOWAIT),
                        MPROC_ETOOBIG);
        CU_ASSERT_EQUAL(size, n);
        CU_ASSERT_EQUAL(mproc_connection_recv_bytes(second, &value, n, NULL, MPROC_NOWAIT),
                        MPROC_OK);
        CU_ASSERT(is_filled(value.as.bytes.data, n, 5));
        mproc_value_clear(&value);
        CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(second, data, n, &size, MPROC_NOWAIT),
                        MPROC_OK);
        CU_ASSERT(size == n && is_filled(data, n, 5));
    }
    size_t size;
    CU_ASSERT_EQUAL(mproc_connection_send(first, MPROC_VALUE("text"), MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(second, data, 100, &size, MPROC_NOWAIT),
                    MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_connection_recv_bytes(second, &value, 100, &size, MPROC_NOWAIT),
                    MPROC_ETYPE);
    CU_ASSERT_EQUAL(mproc_connection_recv(second, &value, MPROC_NOWAIT), MPROC_OK);
    mproc_value_clear(&value);
    free(data);
    close_both(first, second);
}

/** A message of 3 GiB, if the machine has the memory. */
static void test_pipe__takes_gigabytes(void)
{
    const size_t size = (size_t)3 << 30;
    mproc_connection *first;
    mproc_connection *second;
    size_t received = 0;
    if (testlib_count(0, 1) == 0) {
        testlib_skip("only at full length");
        return;
    }
    make(&first, &second);
    unsigned char *data = calloc(1, size);
    if (data == NULL) {
        testlib_skip("no memory for it");
    } else {
        data[0] = 1;
        data[size - 1] = 2;
        int rc = mproc_connection_send_bytes(first, data, size, LIMIT);
        if (rc < 0) {
            CU_ASSERT(rc == MPROC_ENOMEM || rc == MPROC_ENOSPC);
            testlib_skip("no memory for it in the arena");
        } else {
            data[0] = data[size - 1] = 0;
            CU_ASSERT_EQUAL(mproc_connection_recv_bytes_into(second, data, size, &received, LIMIT),
                            MPROC_OK);
            CU_ASSERT(received == size && data[0] == 1 && data[size - 1] == 2);
        }
    }
    free(data);
    close_both(first, second);
}

/* ---- processes ------------------------------------------------------------------------------- */

static void test_pipe__answers(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_connection *ours;
    mproc_connection *theirs;
    mproc_value value;
    make(&ours, &theirs);
    mproc_process *child = start(echo, MPROC_ARGS(theirs));
    mproc_connection_close(theirs);
    for (int i = 0; i < 1000; i++) {
        CU_ASSERT_EQUAL_FATAL(mproc_connection_send(ours, MPROC_VALUE(i), LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(ours, &value, LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(value.as.integer, i);
    }
    CU_ASSERT_EQUAL(mproc_connection_send(ours, MPROC_NIL_VALUE, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_recv(ours, &value, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(value.type, MPROC_NIL);
    expect_end(ours); // before the child is joined: it is gone, and so is its end
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc_connection_close(ours);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** Numbers, from any of those who have this end. */
static int produce(const mproc_args *args)
{
    mproc_connection *connection;
    uint32_t who;
    uint32_t count;
    CHILD_CHECK(MPROC_UNPACK(args, &connection, &who, &count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        CHILD_CHECK(mproc_connection_send(connection, MPROC_LIST(who, i), LIMIT) == 0);
    }
    return 0;
}

/** Take them, until all of those are gone. The sum goes to the queue. */
static int consume(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_queue *sums;
    mproc_value value;
    uint32_t next[8] = {0};
    uint64_t sum = 0;
    int rc;
    CHILD_CHECK(MPROC_UNPACK(args, &connection, &sums) == 0);
    while ((rc = mproc_connection_recv(connection, &value, LIMIT)) == 0) {
        uint32_t who;
        uint32_t i;
        CHILD_CHECK(MPROC_UNPACK_LIST(&value, &who, &i) == 0);
        CHILD_CHECK(who < 8 && i >= next[who]);
        next[who] = i + 1;
        sum += i + 1;
        mproc_value_clear(&value);
    }
    CHILD_CHECK(rc == MPROC_ECLOSED);
    return -mproc_queue_put(sums, MPROC_VALUE(sum), LIMIT);
}

static void test_pipe__many_have_the_same_end(void)
{
    enum { N = 3 };
    mproc_arena_stats before = settled_stats();
    mproc_connection *in;
    mproc_connection *out;
    mproc_queue *sums = NULL;
    mproc_process *consumers[N];
    mproc_process *producers[N];
    uint32_t count = (uint32_t)testlib_count(2000, 100000);
    uint64_t sum = 0;
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&in, &out, NULL), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&sums, NULL), MPROC_OK);
    for (uint32_t i = 0; i < N; i++) {
        producers[i] = start(produce, MPROC_ARGS(out, i, count));
    }
    mproc_connection_close(out); // or the consumers, if they are copies, would have it, too
    for (uint32_t i = 0; i < N; i++) {
        consumers[i] = start(consume, MPROC_ARGS(in, sums));
    }
    for (size_t i = 0; i < N; i++) {
        mproc_value value;
        CU_ASSERT_EQUAL(end_of(consumers[i]), 0);
        CU_ASSERT_EQUAL(end_of(producers[i]), 0);
        CU_ASSERT_EQUAL(mproc_queue_get(sums, &value, MPROC_NOWAIT), MPROC_OK);
        sum += (uint64_t)value.as.integer;
    }
    CU_ASSERT_EQUAL(sum, (uint64_t)N * count * (count + 1) / 2);
    mproc_connection_close(in);
    mproc_queue_close(sums);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- wakes ----------------------------------------------------------------------------------- */

enum manner { POLLS, REFUSES, RECEIVES, SENDS };

/** Nothing but a wake ends the sleep of this process. */
static int await_one(const mproc_args *args)
{
    mproc_connection *connection;
    mproc_value value;
    int manner;
    CHILD_CHECK(MPROC_UNPACK(args, &connection, &manner) == 0);
    switch_slices_off();
    switch (manner) {
    case POLLS:
        return -mproc_connection_poll(connection, LIMIT);
    case REFUSES:
        return -mproc_connection_recv_bytes(connection, &value, 1, NULL, LIMIT);
    case SENDS:
        return -mproc_connection_send_bytes(connection, "bytes", 5, MPROC_FOREVER);
    default:
        CHILD_CHECK(mproc_connection_recv(connection, &value, LIMIT) == 0);
        CHILD_CHECK(value.type == MPROC_BYTES && value.as.bytes.size == 5);
        mproc_value_clear(&value);
        return 0;
    }
}

/** Wait until so many threads have said that they wait for something other than processes. */
static void await_waiting(uint32_t count)
{
    int64_t limit = mplat_now() + LIMIT;
    uint32_t n_waiting;
    do {
        uint32_t n;
        const struct mproc__thread_shm *slots = mproc__thread_slots(&n);
        n_waiting = 0;
        for (uint32_t i = 0; i < n; i++) {
            bool is_dead = mplat_life_next_dead(&slots[i].life, 1, sizeof(slots[i]), 0) == 0;
            n_waiting += mproc__load64_acquire(&slots[i].waits_for) != 0 && !is_dead ? 1 : 0;
        }
    } while (n_waiting < count && mplat_now() < limit);
    CU_ASSERT_EQUAL(n_waiting, count);
}

/** Who is woken by a message and leaves it where it is, has the next one woken. */
static void test_pipe__a_wake_is_passed_on(void)
{
    for (int manner = POLLS; manner <= REFUSES; manner++) {
        mproc_connection *first;
        mproc_connection *second;
        make(&first, &second);
        mproc_process *other = start(await_one, MPROC_ARGS(second, manner));
        await_waiting(1);
        mproc_process *receiver = start(await_one, MPROC_ARGS(second, (int)RECEIVES));
        await_waiting(2);
        CU_ASSERT_EQUAL(mproc_connection_send_bytes(first, "bytes", 5, LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(end_of(receiver), 0);
        // The receiver may have been quicker.
        CU_ASSERT_EQUAL(mproc_connection_send_bytes(first, "bytes", 5, LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(end_of(other), manner == POLLS ? 0 : -MPROC_ETOOBIG);
        close_both(first, second);
    }
}

/** Wait until several senders have noted that they are about to sleep. */
static void await_senders(const mproc_connection *connection)
{
    const struct mproc__pipe_end_shm *end = connection->object.shm;
    const struct mproc__pipe_shm *pipe = mproc__block_at(end->pipe);
    const struct mproc__bell_shm *bell = &pipe->ring[end->side].putters;
    int64_t limit = mplat_now() + LIMIT;
    while ((mproc__bell_notes(bell) & MPROC__BELL_SEVERAL) == 0 && mplat_now() < limit) {
    }
    CU_ASSERT((mproc__bell_notes(bell) & MPROC__BELL_SEVERAL) != 0);
}

/** One large message leaves room for several small ones: all who wait for some are woken. */
static void test_pipe__room_for_many_wakes_many(void)
{
    enum { N = 3 };
    static unsigned char data[20000];
    mproc_connection *first;
    mproc_connection *second;
    mproc_process *senders[N];
    mproc_value value;
    make(&first, &second);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(mproc_connection_send_bytes(first, data, sizeof(data), MPROC_NOWAIT),
                        MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_connection_send_bytes(first, "", 0, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    for (uint32_t i = 0; i < N; i++) {
        senders[i] = start(await_one, MPROC_ARGS(first, (int)SENDS));
        await_waiting(i + 1);
    }
    await_senders(first);
    CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(second, &value, LIMIT), MPROC_OK);
    mproc_value_clear(&value);
    for (int i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(end_of(senders[i]), 0);
    }
    close_both(first, second);
}

static const testlib_case cases[] = {
    {"goes_both_ways", test_pipe__goes_both_ways},
    {"goes_one_way", test_pipe__goes_one_way},
    {"refuses_nonsense", test_pipe__refuses_nonsense},
    {"keeps_boundaries", test_pipe__keeps_boundaries},
    {"has_room_for_so_much", test_pipe__has_room_for_so_much},
    {"what_is_too_large_stays", test_pipe__what_is_too_large_stays},
    {"takes_gigabytes", test_pipe__takes_gigabytes},
    {"answers", test_pipe__answers},
    {"many_have_the_same_end", test_pipe__many_have_the_same_end},
    {"a_wake_is_passed_on", test_pipe__a_wake_is_passed_on},
    {"room_for_many_wakes_many", test_pipe__room_for_many_wakes_many},
};

PROCESS_TEST_MAIN("object.pipe", cases)
