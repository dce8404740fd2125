/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pipe_threads.c: eight threads of one process at a pipe, four at each end, so that ThreadSanitizer
 * sees them: what a message stands for is plain memory that its sender writes before it sends it. Each has
 * a handle of its own, so that the last one of an end to close it is any of them. POSIX only.
 */
#include "base/compiler.h"
#include "family/check.h"
#include "family/sleep.h"
#include "mproc/mproc.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#define N_EACH 4 /* threads that send, and that receive */
#define N_THREADS (2 * N_EACH)
#define PARCEL_BYTES 20000
#define BRIEF mproc_milliseconds(5)

static uint64_t
    *slots; /* one for each message: its number and 1 from before it is sent until after it came */
static uint64_t n_each; /* messages of a sender */
static uint64_t
    n_taken; /* so many a receiver takes before it goes away; UINT64_MAX: all that come */

static mproc_pipe_options options;

struct worker {
    pthread_t thread;
    mproc_connection *connection;
    uint64_t number; /* senders are those below N_EACH */
    uint32_t seed;
    uint64_t n, sum;
};

static int send_one(mproc_connection *connection, uint64_t number, uint32_t random)
{
    unsigned char data[PARCEL_BYTES];
    int rc;
    switch (random % 8) {
    case 0:
        memset(data, (int)(number & 0xff), sizeof(data));
        memcpy(data, &number, sizeof(number));
        return mproc_connection_send_bytes(connection, data, sizeof(data), MPROC_FOREVER);
    case 1:
        while ((rc = mproc_connection_send(connection, MPROC_VALUE(number), BRIEF)) ==
               MPROC_ETIMEDOUT) {
        }
        return rc;
    default:
        return mproc_connection_send_bytes(connection, &number, sizeof(number), MPROC_FOREVER);
    }
}

/** Until all is sent, or nobody is there to receive it. */
static void send_all(struct worker *self)
{
    uint64_t number = self->number * n_each;
    uint64_t end = number + n_each;
    for (int rc = 0; rc == 0 && number < end; number++) {
        slots[number] = number + 1;
        rc = send_one(self->connection, number, testlib_next(&self->seed));
        CHILD_CHECK(rc == 0 || (rc == MPROC_EPEER && n_taken < n_each));
        self->n += rc == 0 ? 1 : 0;
        self->sum += rc == 0 ? number : 0;
    }
}

static void take(struct worker *self, const mproc_value *value)
{
    uint64_t number = (uint64_t)value->as.integer;
    if (value->type == MPROC_BYTES) {
        const unsigned char *data = value->as.bytes.data;
        memcpy(&number, data, sizeof(number));
        CHILD_CHECK(
            value->as.bytes.size == sizeof(number) ||
            (value->as.bytes.size == PARCEL_BYTES && data[PARCEL_BYTES - 1] == (number & 0xff)));
    }
    CHILD_CHECK(number < N_EACH * n_each && slots[number] == number + 1);
    slots[number] = 0;
    self->n++;
    self->sum += number;
}

/** Wait in the system's call; then whatever is there is there at once. */
static mproc_timeout poll_it(const mproc_connection *connection)
{
    mproc_os_handle handle = -1;
    CHILD_CHECK(mproc_connection_handle(connection, &handle) == 0);
    struct pollfd item = {.fd = (int)handle, .events = POLLIN};
    CHILD_CHECK(poll(&item, 1, -1) == 1 && (item.revents & POLLNVAL) == 0);
    return MPROC_NOWAIT;
}

/** Until nobody is there to send more, or enough has come. */
static void receive_all(struct worker *self)
{
    int rc = 0;
    while (rc != MPROC_ECLOSED && self->n < n_taken) {
        mproc_value value;
        uint32_t random = testlib_next(&self->seed);
        if (random % 4 == 0) {
            rc = mproc_connection_poll(self->connection, random & 4 ? BRIEF : MPROC_FOREVER);
            CHILD_CHECK(rc == 0 || rc == MPROC_ETIMEDOUT);
        }
        if (random % 4 == 1) {
            size_t size;
            rc = mproc_connection_recv_bytes(self->connection, &value, 4, &size, MPROC_NOWAIT);
            CHILD_CHECK(rc < 0); // none is as small; it stays
            continue;
        }
        mproc_timeout timeout = random & 8 ? BRIEF : MPROC_FOREVER;
        if (options.kernel && random & 16) {
            timeout = poll_it(self->connection);
        }
        rc = mproc_connection_recv(self->connection, &value, timeout);
        if (rc == 0) {
            take(self, &value);
            mproc_value_clear(&value);
        }
    }
}

static void *work(void *arg)
{
    struct worker *self = arg;
    if (self->number < N_EACH) {
        send_all(self);
    } else {
        receive_all(self);
    }
    mproc_connection_close(self->connection);
    return NULL;
}

static void run_threads(void)
{
    const check_figures before = check_read();
    struct worker workers[N_THREADS];
    mproc_connection *ends[2];
    uint64_t n[2] = {0, 0};
    uint64_t sum[2] = {0, 0};
    int64_t slice = mproc__slice_ns;
    mproc__slice_ns = INT64_MAX / 4; // nothing rests on slices as long as nobody dies
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&ends[0], &ends[1], &options), 0);
    slots = calloc((size_t)(N_EACH * n_each), sizeof(*slots));
    CU_ASSERT_PTR_NOT_NULL_FATAL(slots);
    for (size_t i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.number = i, .seed = testlib_random() | 1};
        CU_ASSERT_EQUAL_FATAL(mproc_connection_attach(&workers[i].connection, ends[i / N_EACH]), 0);
    }
    mproc_connection_close(ends[0]);
    mproc_connection_close(ends[1]);
    for (size_t i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(workers[i].thread, NULL), 0);
        n[i / N_EACH] += workers[i].n;
        sum[i / N_EACH] += workers[i].sum;
    }
    if (n_taken == UINT64_MAX) {
        CU_ASSERT(n[0] == N_EACH * n_each && n[1] == n[0] && sum[1] == sum[0]);
    } else {
        CU_ASSERT(n[1] == N_EACH * n_taken && n[1] <= n[0]);
    }
    free(slots);
    mproc__slice_ns = slice;
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_pipe__threads_hand_over_plain_memory(void)
{
    n_each = (uint64_t)testlib_count(5000, 100000);
    n_taken = UINT64_MAX;
    run_threads();
}

static void test_pipe__threads_go_away(void)
{
    n_each = 100;
    for (long i = 0; i < testlib_count(100, 4000); i++) {
        n_taken = i % 2 == 0 ? UINT64_MAX : (uint64_t)i % 50;
        run_threads();
    }
}

/** The same with pipes that the system can wait for. */
static void test_pipe__threads_wait_in_the_systems_calls(void)
{
    options.kernel = true;
    test_pipe__threads_hand_over_plain_memory();
    test_pipe__threads_go_away();
    options.kernel = false;
}

static void child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    check_enter(N_THREADS * 4);
}

static const testlib_case cases[] = {
    {"threads_hand_over_plain_memory", test_pipe__threads_hand_over_plain_memory},
    {"threads_go_away", test_pipe__threads_go_away},
    {"threads_wait_in_the_systems_calls", test_pipe__threads_wait_in_the_systems_calls},
};

TESTLIB_MAIN_CHILD("object.pipe_threads", cases, child)
