/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_queue.c: a process killed at every instruction of what it does with a queue. As
 * test_stepkill_sync.c.
 *
 * Of the victim's item there is always one, or none; those of others are all there, in their order, and
 * whoever sleeps until the victim has done something comes if it was done.
 */
#include "family/ops.h"
#include "object/message.h"
#include "stress/stepkill.h"
#include "stress/survivor.h"
#include "support/testlib.h"

#include "base/compiler.h"
#include "family/layout.h"
#include "family/ring_part.h"
#include "family/thread.h"
#include "platform.h"

#include <stdlib.h>
#include <string.h>

#define LARGE 40000u
#define SEGMENT 65536u

static mproc_queue *queue;
static mproc_lock *lock;
static unsigned char bytes[LARGE];

/* What is in the queue: numbers, as items of three sorts. */
enum sort { SMALL, PARCEL, OBJECT };

static enum sort sort;

static int put(int number, mproc_timeout timeout)
{
    if (sort == PARCEL) {
        memset(bytes, number, sizeof(bytes));
        return mproc_queue_put_bytes(queue, bytes, sizeof(bytes), timeout);
    }
    return mproc_queue_put(queue, sort == SMALL ? MPROC_VALUE(number) : MPROC_LIST(lock, number),
                           timeout);
}

/** The number of the item that was taken; below 0: a status. */
static int get(mproc_timeout timeout)
{
    mproc_value item;
    mproc_lock *same;
    int number = -1;
    int rc = mproc_queue_get(queue, &item, timeout);
    if (rc < 0) {
        return rc;
    }
    if (item.type == MPROC_BYTES) {
        number = *(const unsigned char *)item.as.bytes.data;
    } else if (item.type == MPROC_INT) {
        number = (int)item.as.integer;
    } else {
        CHILD_CHECK(MPROC_UNPACK_LIST(&item, &same, &number) == 0);
        CHILD_CHECK(mproc_lock_acquire(same, SURVIVOR_LIMIT) >= 0);
        CHILD_CHECK(mproc_lock_release(same) == 0);
    }
    mproc_value_clear(&item);
    return number;
}

static void make_limited(enum sort of, size_t max_items, size_t max_bytes)
{
    const mproc_queue_options options = {
        .max_items = max_items, .max_bytes = max_bytes, .is_joinable = true};
    sort = of;
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, &options), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), 0);
}

static void make_queue(enum sort of, size_t max_items)
{
    make_limited(of, max_items, 0);
}

static void close_queue(void)
{
    mproc_queue_close(queue);
    mproc_lock_close(lock);
}

/* ---- put ------------------------------------------------------------------------------------- */

enum { VICTIMS = 7, OTHERS = 8 };

static int take_one(void)
{
    return get(SURVIVOR_LIMIT);
}

static void put_one(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(put(VICTIMS, MPROC_FOREVER) == 0);
}

static void make_small(void)
{
    make_queue(SMALL, 0);
}

static void make_parcel(void)
{
    make_queue(PARCEL, 0);
}

static void make_object(void)
{
    make_queue(OBJECT, 0);
}

static void wait_for_item(void)
{
    survivor_start(0, take_one);
    survivor_await_asleep(1);
}

/** Whether the victim's item has ever been in the queue: nobody says that it has dealt with one. */
static bool is_put(void)
{
    return mproc_queue_join(queue, MPROC_NOWAIT) == MPROC_ETIMEDOUT;
}

static void after_put(bool is_done)
{
    bool is_due = is_put();
    CU_ASSERT(is_due || !is_done);
    CU_ASSERT(is_due || put(OTHERS, MPROC_NOWAIT) == 0);
    CU_ASSERT_EQUAL(survivor_end(0), is_due ? VICTIMS : OTHERS);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(put(OTHERS, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), OTHERS);
}

/* Limited in bytes: as many as make up two items. */
static void make_limited_small(void)
{
    make_limited(SMALL, 0, 2);
}

static void make_limited_parcel(void)
{
    make_limited(PARCEL, 0, 2 * (size_t)LARGE);
}

/** The sums are right: two items are as much as it takes. */
static void after_limited_put(bool is_done)
{
    after_put(is_done);
    CU_ASSERT_EQUAL(put(VICTIMS, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(put(OTHERS, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(put(OTHERS, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT(mproc_queue_is_full(queue));
}

/* The segment is full but for less than an item. */
static void make_full_segment(void)
{
    make_queue(SMALL, 0);
    memset(bytes, 0, sizeof(bytes));
    for (size_t room = SEGMENT; room >= 4104; room -= 4104) {
        CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, bytes, 4096, MPROC_NOWAIT), 0);
    }
}

static void put_page(uint64_t shared)
{
    (void)shared;
    memset(bytes, VICTIMS, sizeof(bytes));
    CHILD_CHECK(mproc_queue_put_bytes(queue, bytes, 4096, MPROC_FOREVER) == 0);
}

static void after_growth(bool is_done)
{
    size_t n = mproc_queue_size(queue);
    CU_ASSERT(n == SEGMENT / 4104 + 1 || (n == SEGMENT / 4104 && !is_done));
    CU_ASSERT_EQUAL(put(OTHERS, MPROC_NOWAIT), 0);
    for (size_t i = 0; i < SEGMENT / 4104; i++) {
        CU_ASSERT_EQUAL(get(MPROC_NOWAIT), 0);
    }
    CU_ASSERT(n == SEGMENT / 4104 || get(MPROC_NOWAIT) == VICTIMS);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), OTHERS);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), MPROC_ETIMEDOUT);
}

static void put_three(uint64_t shared)
{
    (void)shared;
    mproc_value items[3] = {MPROC_VALUE(1), MPROC_LIST(lock, 2), MPROC_VALUE(3)};
    CHILD_CHECK(mproc_queue_put_many(queue, items, 3, NULL, MPROC_FOREVER) == 0);
}

static void after_three(bool is_done)
{
    size_t n = mproc_queue_size(queue);
    CU_ASSERT(n == 3 || (n < 3 && !is_done));
    CU_ASSERT_EQUAL(put(OTHERS, MPROC_NOWAIT), 0);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(get(MPROC_NOWAIT), (int)i + 1);
    }
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), OTHERS);
}

/* ---- get ------------------------------------------------------------------------------------- */

static void fill_one(enum sort of)
{
    make_queue(of, 1);
    CU_ASSERT_EQUAL(put(VICTIMS, MPROC_NOWAIT), 0);
}

static void make_full_small(void)
{
    fill_one(SMALL);
}

static void make_full_parcel(void)
{
    fill_one(PARCEL);
}

static void make_full_object(void)
{
    fill_one(OBJECT);
}

static void make_limited_full_small(void)
{
    make_limited(SMALL, 0, 1);
    CU_ASSERT_EQUAL(put(VICTIMS, MPROC_NOWAIT), 0);
}

static void make_limited_full_parcel(void)
{
    make_limited(PARCEL, 0, LARGE);
    CU_ASSERT_EQUAL(put(VICTIMS, MPROC_NOWAIT), 0);
}

static int put_other(void)
{
    return put(OTHERS, SURVIVOR_LIMIT);
}

static void wait_for_room(void)
{
    survivor_start(0, put_other);
    survivor_await_asleep(1);
}

static void get_one(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(get(MPROC_FOREVER) == VICTIMS);
}

/** The first item is the victim's if it has not been taken; then the test takes it. */
static void after_get(bool is_done)
{
    int first = get(MPROC_FOREVER);
    CU_ASSERT(first == OTHERS || (first == VICTIMS && !is_done));
    CU_ASSERT(first == OTHERS || get(SURVIVOR_LIMIT) == OTHERS);
    CU_ASSERT_EQUAL(survivor_end(0), 0);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(put(OTHERS, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), OTHERS);
}

/* All of a segment has been read; what comes next is in another one. */
static void make_read_segment(void)
{
    make_full_segment();
    memset(bytes, VICTIMS, sizeof(bytes));
    CU_ASSERT_EQUAL(mproc_queue_put_bytes(queue, bytes, 4096, MPROC_NOWAIT), 0);
    for (size_t i = 0; i < SEGMENT / 4104; i++) {
        CU_ASSERT_EQUAL(get(MPROC_NOWAIT), 0);
    }
}

static void after_follow(bool is_done)
{
    int first = get(MPROC_NOWAIT);
    CU_ASSERT(first == MPROC_ETIMEDOUT || (first == VICTIMS && !is_done));
    CU_ASSERT_EQUAL(put(OTHERS, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), OTHERS);
}

/* ---- heirs ----------------------------------------------------------------------------------- */

static struct mproc__ring_shm *ring_of_queue(void)
{
    const struct mproc_object *object = (const struct mproc_object *)(const void *)queue;
    return object->shm;
}

/** Die with a parcel handed in, and not committed. */
static int die_in_put(void)
{
    struct mproc__ring_shm *ring = ring_of_queue();
    mproc__ring_end end;
    mproc__hold hold;
    void *place;
    int rc;
    CHILD_CHECK(mproc__block_create(MPROC__KIND_PARCEL, LARGE, 0, false, &hold) == 0);
    CHILD_CHECK(mproc__ring_put_begin(ring, MPROC__NEVER, &end) == 0);
    CHILD_CHECK(mproc__ring_put_reserve(&end, 16, MPROC__RECORD_PARCEL, &place, &rc));
    mproc__block_hand_in(hold, &ring->put.parcel, &ring->put.parcel_at,
                         end.committed >> MPROC__RING_WORDS_SHIFT);
    return 0;
}

static void make_heir_to_put(void)
{
    make_queue(PARCEL, 0);
    survivor_die(die_in_put);
}

/** Die with a parcel dropped, and its record still in the ring. */
static int die_in_get(void)
{
    struct mproc__ring_shm *ring = ring_of_queue();
    mproc__ring_end end;
    mproc__ring_item item;
    CHILD_CHECK(mproc__ring_get_begin(ring, MPROC__NEVER, &end) == 0);
    CHILD_CHECK(mproc__ring_get_next(&end, &item) == 1 && item.parcel != 0);
    ring->get.taken_words = end.words;
    mproc__block_drop(item.parcel, &ring->get.taken_at,
                      (end.position >> MPROC__RING_WORDS_SHIFT) + 1);
    return 0;
}

static void make_heir_to_get(void)
{
    make_queue(PARCEL, 0);
    CU_ASSERT_EQUAL(put(OTHERS, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(put(VICTIMS, MPROC_NOWAIT), 0);
    survivor_die(die_in_get);
}

/* ---- shutdown, join -------------------------------------------------------------------------- */

static void three_wait(void)
{
    for (int i = 0; i < 3; i++) {
        survivor_start(i, take_one);
    }
    survivor_await_asleep(3);
}

static void shut_down(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_queue_shutdown(queue) == 0);
}

static void after_shutdown(bool is_done)
{
    bool is_down = mproc_queue_is_shut_down(queue);
    CU_ASSERT(is_down || !is_done);
    CU_ASSERT(is_down || mproc_queue_shutdown(queue) == 0);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(survivor_end(i), MPROC_ECLOSED);
    }
    CU_ASSERT_EQUAL(put(OTHERS, MPROC_NOWAIT), MPROC_ECLOSED);
}

static void make_task(void)
{
    make_queue(SMALL, 0);
    CU_ASSERT_EQUAL(put(VICTIMS, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(get(MPROC_NOWAIT), VICTIMS);
}

static int join_queue(void)
{
    return mproc_queue_join(queue, SURVIVOR_LIMIT);
}

static void wait_for_rest(void)
{
    survivor_start(0, join_queue);
    survivor_await_asleep(1);
}

static void finish_task(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_queue_task_done(queue) == 0);
}

static void after_task(bool is_done)
{
    int rc = mproc_queue_task_done(queue);
    CU_ASSERT(rc == MPROC_ESTATE || (rc == 0 && !is_done));
    CU_ASSERT_EQUAL(survivor_end(0), 0);
}

/* ---- waiting for many ------------------------------------------------------------------------ */

static mproc_queue *other;
static mproc_event *event;

static void make_watched(void)
{
    make_queue(SMALL, 0);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&other, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), 0);
}

static void close_watched(void)
{
    close_queue();
    mproc_queue_close(other);
    mproc_event_close(event);
}

static int wait_for_many(mproc_timeout timeout)
{
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(other), MPROC_WAIT_ITEM(event),
                               MPROC_WAIT_ITEM(queue)};
    int n = mproc_wait(items, 3, timeout);
    return n == 1 && !items[2].is_ready ? -1 : n;
}

/** As take_one, with eyes for other things. */
static int watch_and_take_one(void)
{
    int n = wait_for_many(SURVIVOR_LIMIT);
    return n == 1 ? get(MPROC_NOWAIT) : -1;
}

static void one_watches(void)
{
    survivor_start(0, watch_and_take_one);
    survivor_await_asleep(1);
}

static void three_watch(void)
{
    for (int i = 0; i < 3; i++) {
        survivor_start(i, i == 1 ? take_one : watch_and_take_one);
    }
    survivor_await_asleep(3);
}

/* Who has never watched these things leaves its marks, and looks once more. */
static void watch_briefly(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(wait_for_many(1) == 0);
}

/** Whatever the victim has left, somebody else's wait for the same things is not in vain. */
static void after_watch(bool is_done)
{
    (void)is_done;
    CU_ASSERT_EQUAL(put(OTHERS, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(survivor_end(0), OTHERS);
    one_watches();
    CU_ASSERT_EQUAL(put(VICTIMS, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(survivor_end(0), VICTIMS);
}

static int wait_for_set(void)
{
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(queue), MPROC_WAIT_ITEM(event)};
    int n = mproc_wait(items, 2, SURVIVOR_LIMIT);
    return n == 1 && items[1].is_ready ? 0 : -1;
}

static void two_watch_event(void)
{
    for (int i = 0; i < 2; i++) {
        survivor_start(i, wait_for_set);
    }
    survivor_await_asleep(2);
}

static void set_event(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_event_set(event) == 0);
}

static void after_set(bool is_done)
{
    bool is_set = mproc_event_is_set(event);
    CU_ASSERT(is_set || (!is_done && mproc_event_set(event) == 0));
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(survivor_end(i), 0);
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"put an item", NULL, put_one, PART(make_small, wait_for_item, after_put, close_queue)},
    {"put a parcel", NULL, put_one, PART(make_parcel, wait_for_item, after_put, close_queue)},
    {"put an object", NULL, put_one, PART(make_object, wait_for_item, after_put, close_queue)},
    {"put into a new segment", NULL, put_page,
     PART(make_full_segment, NULL, after_growth, close_queue)},
    {"put three", NULL, put_three, PART(make_small, NULL, after_three, close_queue)},
    {"put after a dead one", NULL, put_one,
     PART(make_heir_to_put, wait_for_item, after_put, close_queue)},
    {"put an item, limited", NULL, put_one,
     PART(make_limited_small, wait_for_item, after_limited_put, close_queue)},
    {"put a parcel, limited", NULL, put_one,
     PART(make_limited_parcel, wait_for_item, after_limited_put, close_queue)},
    {"get an item, limited", NULL, get_one,
     PART(make_limited_full_small, wait_for_room, after_get, close_queue)},
    {"get a parcel, limited", NULL, get_one,
     PART(make_limited_full_parcel, wait_for_room, after_get, close_queue)},
    {"get an item", NULL, get_one, PART(make_full_small, wait_for_room, after_get, close_queue)},
    {"get a parcel", NULL, get_one, PART(make_full_parcel, wait_for_room, after_get, close_queue)},
    {"get an object", NULL, get_one, PART(make_full_object, wait_for_room, after_get, close_queue)},
    {"get from the next segment", NULL, get_one,
     PART(make_read_segment, NULL, after_follow, close_queue)},
    {"get after a dead one", NULL, get_one,
     PART(make_heir_to_get, NULL, after_follow, close_queue)},
    {"shut a queue down", NULL, shut_down,
     PART(make_small, three_wait, after_shutdown, close_queue)},
    {"put into a watched queue", NULL, put_one,
     PART(make_watched, one_watches, after_put, close_watched)},
    {"shut a watched queue down", NULL, shut_down,
     PART(make_watched, three_watch, after_shutdown, close_watched)},
    {"set a watched event", NULL, set_event,
     PART(make_watched, two_watch_event, after_set, close_watched)},
    {"watch things", NULL, watch_briefly,
     PART(make_watched, one_watches, after_watch, close_watched)},
    {"finish a task", NULL, finish_task, PART(make_task, wait_for_rest, after_task, close_queue)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_queue", 12000);
}
