/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_handle_storm.c: processes killed at random instants while they pass handles on: each takes one from a
 * queue, makes another one of what it has opened, and puts that into the queue.
 *
 * All of them are one pipe's write end. So when all is over its read end tells whether a single copy is left
 * anywhere. (On Windows a death may leave one in the family's first process, see win32/bag.c.)
 */
#include "object/native.h"
#include "stress/storm.h"

#define N_JUGGLERS 4
#define N_HANDLES 8

struct storm_shm {
    uint32_t stop;
    uint32_t n_passed; /* the test waits on it */
};

static int juggle(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_block *block;
    mproc_handle *origin;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &block, &origin) == 0);
    struct storm_shm *shm = mproc_block_data(block);
    if (mproc_queue_size(queue) < N_HANDLES) { // who was killed may have had one
        CHILD_CHECK(mproc_queue_put(queue, MPROC_LIST(origin), LIMIT) == 0);
    }
    while (mproc__load32_acquire(&shm->stop) == 0) {
        mproc_value item;
        mproc_handle *handle;
        CHILD_CHECK(mproc_queue_get(queue, &item, LIMIT) == 0);
        CHILD_CHECK(MPROC_UNPACK_LIST(&item, &handle) == 0);
        intptr_t native = native_open(handle);
        mproc_value_clear(&item);
        handle = native_give(native);
        CHILD_CHECK(mproc_queue_put(queue, MPROC_LIST(handle), LIMIT) == 0);
        mproc_handle_close(handle);
        add_word(&shm->n_passed);
    }
    return 0;
}

#ifdef _WIN32
static void check_ended(intptr_t read_end)
{
    native_close(read_end);
}
#else
static void check_ended(intptr_t read_end)
{
    char text[32];
    CU_ASSERT_EQUAL(fcntl((int)read_end, F_SETFL, O_NONBLOCK), 0);
    native_read(read_end, text);
    CU_ASSERT_STRING_EQUAL(text, "");
    native_close(read_end);
    CU_ASSERT(recv((int)mproc__arena.bag.out.os, text, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
}
#endif

static void test_handle_storm__leaves_nothing(void)
{
    mproc_queue *queue = NULL;
    mproc_process *all[N_JUGGLERS];
    intptr_t ends[2];
    use_everything();
    const belongings before = take_stock();
    long n_kills = testlib_count(EVERYDAY_KILLS, WHOLE_KILLS);
    native_pipe(ends);
    mproc_handle *origin = native_give(ends[1]);
    mproc_block *block = make_words(2);
    struct storm_shm *shm = mproc_block_data(block);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    for (size_t i = 0; i < N_JUGGLERS; i++) {
        all[i] = start(juggle, MPROC_ARGS(queue, block, origin));
    }
    long n_killed = 0;
    for (; testlib_goes_on(n_killed, n_kills); n_killed++) {
        size_t victim = testlib_random() % N_JUGGLERS;
        let_work(&shm->n_passed, 4);
        pass_time(500000);
        kill_one(all[victim]);
        all[victim] = start(juggle, MPROC_ARGS(queue, block, origin));
    }
    let_work(&shm->n_passed, 100);
    mproc__store32_release(&shm->stop, 1);
    await_all(all, N_JUGGLERS);
    printf("%ld kills, handles passed %u times ... ", n_killed, shm->n_passed);
    mproc_handle_close(origin);
    mproc_queue_close(queue);
    mproc_block_close(block);
    check_ended(ends[0]);
    const belongings after = take_stock();
    check_belongings(&before, &after);
}

static const testlib_case cases[] = {{"leaves_nothing", test_handle_storm__leaves_nothing}};

PROCESS_TEST_MAIN("stress.handle_storm", cases)
