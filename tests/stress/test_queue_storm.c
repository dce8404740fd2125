/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue_storm.c: producers and consumers killed at random instants.
 *
 * Consumers audit what they take while the getting end is theirs, which is one after the other, before
 * they consume it: so a message whose consumer is killed before that is seen again, with the next one
 * after it. Of each producer the messages come complete, in their order and once, down to the last whose
 * put returned; the one it was killed in may be the last.
 *
 * What is taken on lease is dealt with once, and once more for each death between its being dealt with and
 * the word that it was: nothing is lost, and the queue knows when all is done.
 */
#include "stress/storm.h"

#include "family/ring.h"

#define N_PRODUCERS 4
#define N_CONSUMERS 4
#define MOST_PRODUCERS 16384
#define LARGEST 20000u

struct message {
    uint32_t producer;
    uint32_t number; /* 1, 2 ... */
    uint32_t seed;
};

struct storm_shm {
    uint32_t stop;
    uint32_t n_taken;                 /* the test waits on it */
    uint64_t longest_ns;              /* to take one of the ends */
    uint64_t pending;                 /* position of the message that is audited */
    uint64_t last;                    /* of the last one that was, and ... */
    struct message last_message;      /* what it said */
    uint32_t done[MOST_PRODUCERS];    /* messages whose put returned */
    uint32_t audited[MOST_PRODUCERS]; /* the last message that was seen */
};

static mproc_queue *queue;
static mproc_block *block;
static struct storm_shm *shm;
static uint32_t seed;

/** Mostly small ones; one of sixteen is a parcel, as a rule. */
static uint32_t size_of(uint32_t from)
{
    return (uint32_t)sizeof(struct message) +
           (from % 16 == 0 ? from / 16 % LARGEST : from / 16 % 200);
}

static void fill(unsigned char *data, const struct message *message)
{
    uint32_t size = size_of(message->seed);
    for (uint32_t i = sizeof(*message); i < size; i++) {
        data[i] = (unsigned char)(message->seed + i * 7);
    }
    memcpy(data, message, sizeof(*message));
}

static bool is_filled(const unsigned char *data, uint64_t size, const struct message *message)
{
    bool is = size == size_of(message->seed);
    for (uint64_t i = sizeof(*message); is && i < size; i++) {
        is = data[i] == (unsigned char)(message->seed + i * 7);
    }
    return is;
}

/* ---- producers ------------------------------------------------------------------------------- */

static int produce(const mproc_args *args)
{
    struct message message = {.number = 0};
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &block, &seed, &message.producer) == 0);
    shm = mproc_block_data(block);
    unsigned char *data = malloc(LARGEST + sizeof(message));
    CHILD_CHECK(data != NULL);
    while (mproc__load32_acquire(&shm->stop) == 0) {
        message.number++;
        message.seed = testlib_next(&seed);
        fill(data, &message);
        int rc = mproc_queue_put_bytes(queue, data, size_of(message.seed), LIMIT);
        CHILD_CHECK(rc == 0);
        mproc__store32_release(&shm->done[message.producer], message.number);
    }
    free(data);
    return 0;
}

/* ---- consumers ------------------------------------------------------------------------------- */

/** The getting end is ours: nobody else audits. Killed in it, the next one does the same again. */
static void audit(uint64_t position, const mproc__ring_item *item)
{
    struct message message;
    CHILD_CHECK(item->kind == MPROC__RECORD_BYTES && item->size >= sizeof(message));
    memcpy(&message, item->data, sizeof(message));
    CHILD_CHECK(message.producer < MOST_PRODUCERS && is_filled(item->data, item->size, &message));
    if (shm->last == position) {
        CHILD_CHECK(memcmp(&shm->last_message, &message, sizeof(message)) == 0);
        return;
    }
    uint32_t *audited = &shm->audited[message.producer];
    bool is_again = shm->pending == position && *audited == message.number;
    CHILD_CHECK(is_again || message.number == *audited + 1);
    mproc__store64_release(&shm->pending, position);
    mproc__store32_release(audited, message.number);
    shm->last_message = message;
    mproc__store64_release(&shm->last, position);
}

/** Take one; 0, or MPROC_ECLOSED. */
static int take_one(struct mproc__ring_shm *ring)
{
    for (;;) {
        mproc__ring_end end;
        mproc__ring_item item;
        int64_t begin = mplat_now();
        CHILD_CHECK(mproc__ring_get_begin(ring, MPROC__NEVER, &end) >= 0);
        note_time(&shm->longest_ns, begin);
        int rc = mproc__ring_get_next(&end, &item);
        if (rc > 0) {
            audit(end.position, &item);
            mproc__ring_get_consume(&end, &item);
        }
        mproc__ring_get_end(&end);
        if (rc != 0) {
            CHILD_CHECK(rc > 0 || rc == MPROC_ECLOSED);
            return rc > 0 ? 0 : rc;
        }
        mproc__ring_await_item(&end, MPROC__NEVER);
    }
}

static int consume(const mproc_args *args)
{
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &block) == 0);
    shm = mproc_block_data(block);
    const struct mproc_object *object = (const struct mproc_object *)(const void *)queue;
    while (take_one(object->shm) == 0) {
        add_word(&shm->n_taken);
    }
    return 0;
}

/* ---- the test -------------------------------------------------------------------------------- */

static uint32_t n_producers;

static mproc_process *start_one(size_t i)
{
    if (i >= N_PRODUCERS) {
        return start(consume, MPROC_ARGS(queue, block));
    }
    CU_ASSERT_FATAL(n_producers < MOST_PRODUCERS);
    return start(produce, MPROC_ARGS(queue, block, testlib_random() | 1, n_producers++));
}

static void check_producers(void)
{
    uint32_t n_wrong = 0;
    for (uint32_t i = 0; i < n_producers; i++) {
        uint32_t n_more = shm->audited[i] - shm->done[i];
        n_wrong += n_more > 1 ? 1 : 0;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
}

static void check_storm(size_t max_items)
{
    mproc_process *all[N_PRODUCERS + N_CONSUMERS];
    const mproc_queue_options options = {.max_items = max_items};
    const belongings before = take_stock();
    long n_kills = testlib_count(EVERYDAY_KILLS, WHOLE_KILLS) / 2;
    n_producers = 0;
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, &options), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, sizeof(struct storm_shm)), 0);
    shm = mproc_block_data(block);
    shm->last = shm->pending = UINT64_MAX;
    long n_killed = kill_at_random(all, MPROC__COUNT(all), start_one, &shm->n_taken, 40, n_kills);
    let_work(&shm->n_taken, 100);
    mproc__store32_release(&shm->stop, 1);
    await_all(all, N_PRODUCERS);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(queue), 0);
    await_all(all + N_PRODUCERS, N_CONSUMERS);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 0);
    check_producers();
    printf("%ld kills, %u messages, longest wait for an end %.1f ms ... ", n_killed, shm->n_taken,
           (double)shm->longest_ns / 1e6);
    mproc_queue_close(queue);
    mproc_block_close(block);
    const belongings after = take_stock();
    check_belongings(&before, &after);
}

static void test_queue_storm__bounded(void)
{
    use_everything();
    check_storm(20);
}

static void test_queue_storm__of_one(void)
{
    check_storm(1);
}

/* ---- leases ---------------------------------------------------------------------------------- */

#define MOST_TASKS 65536u
#define TASKS_A_KILL 8u

struct task_shm {
    uint32_t done[MOST_TASKS]; /* how often it has been dealt with */
};

/** Work off tasks, two at a time; now and then one is given back. */
static int work(const mproc_args *args)
{
    mproc_lease leases[2];
    mproc_value items[2];
    int rc;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &block, &seed) == 0);
    struct task_shm *tasks = mproc_block_data(block);
    while ((rc = mproc_queue_get_leased(queue, &items[0], &leases[0], MPROC_FOREVER)) == 0) {
        int n = mproc_queue_get_leased(queue, &items[1], &leases[1], MPROC_NOWAIT) == 0 ? 2 : 1;
        for (int i = 0; i < n; i++) {
            uint32_t number;
            CHILD_CHECK(items[i].type == MPROC_BYTES);
            memcpy(&number, items[i].as.bytes.data, sizeof(number));
            CHILD_CHECK(number < MOST_TASKS && items[i].as.bytes.size == 4 + number % LARGEST);
            mproc_value_clear(&items[i]);
            if (testlib_next(&seed) % 8 == 0) {
                CHILD_CHECK(mproc_lease_return(&leases[i]) == 0);
                continue;
            }
            (void)mproc__add32(&tasks->done[number], 1);
            CHILD_CHECK(mproc_lease_acknowledge(&leases[i]) == 0);
        }
    }
    return rc == MPROC_ECLOSED ? 0 : 1;
}

static void put_tasks(uint32_t from, uint32_t to)
{
    static unsigned char data[LARGEST + 4];
    for (uint32_t i = from; i < to; i++) {
        memcpy(data, &i, sizeof(i));
        CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, data, 4 + i % LARGEST, MPROC_NOWAIT), 0);
    }
}

static void check_tasks(const struct task_shm *tasks, uint32_t n_tasks, uint32_t n_kills)
{
    uint32_t n_done = 0;
    uint32_t n_lost = 0;
    for (uint32_t i = 0; i < n_tasks; i++) {
        n_done += tasks->done[i];
        n_lost += tasks->done[i] == 0 ? 1 : 0;
    }
    printf("%u kills, %u tasks, %u of them twice ... ", n_kills, n_tasks, n_done - n_tasks);
    CU_ASSERT_EQUAL(n_lost, 0);
    CU_ASSERT(n_done - n_tasks <= n_kills);
}

static mproc_process *start_worker(void)
{
    return start(work, MPROC_ARGS(queue, block, testlib_random() | 1));
}

static void test_queue_storm__of_leaseholders(void)
{
    use_everything();
    mproc_process *all[N_CONSUMERS];
    const mproc_queue_options options = {.is_joinable = true};
    const belongings before = take_stock();
    uint32_t n_kills = (uint32_t)testlib_count(EVERYDAY_KILLS, WHOLE_KILLS) / 4;
    uint32_t n_tasks = 0;
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, &options), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, sizeof(struct task_shm)), 0);
    struct task_shm *tasks = mproc_block_data(block);
    for (size_t i = 0; i < N_CONSUMERS; i++) {
        all[i] = start_worker();
    }
    uint32_t n_killed = 0;
    for (; testlib_goes_on(n_killed, n_kills); n_killed++) {
        CU_ASSERT_FATAL(n_tasks + TASKS_A_KILL < MOST_TASKS);
        put_tasks(n_tasks, n_tasks + TASKS_A_KILL);
        n_tasks += TASKS_A_KILL;
        pass_time(300000);
        kill_one(all[n_killed % N_CONSUMERS]);
        all[n_killed % N_CONSUMERS] = start_worker();
    }
    CU_ASSERT_EQUAL(mproc_queue_join(queue, LIMIT), 0);
    CU_ASSERT_EQUAL(mproc_queue_task_done(queue), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_queue_size(queue), 0);
    CU_ASSERT_EQUAL(mproc_queue_shutdown(queue), 0);
    await_all(all, N_CONSUMERS);
    check_tasks(tasks, n_tasks, n_killed);
    mproc_queue_close(queue);
    mproc_block_close(block);
    const belongings after = take_stock();
    check_belongings(&before, &after);
}

static const testlib_case cases[] = {
    {"bounded", test_queue_storm__bounded},
    {"of_one", test_queue_storm__of_one},
    {"of_leaseholders", test_queue_storm__of_leaseholders},
};

PROCESS_TEST_MAIN("stress.queue_storm", cases)
