/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shared_memory_grow.c: shared memory that grows under its users, and huge pages.
 */
#include "base/check.h"
#include "object/memory_test.h"

#define MAX_SIZE ((size_t)1 << 19)
#define HUGE_SIZE (((size_t)2 << 20) + 77)

static const mproc_shared_memory_options growing = {.max_size_bytes = MAX_SIZE};

/** Whether [from, to) can be used and is zero. */
static bool is_zero(const mproc_shared_memory *memory, size_t from, size_t to)
{
    const char *bytes = mproc_shared_memory_data(memory);
    bool is = true;
    for (size_t i = from; is && i < to; i++) {
        is = bytes[i] == 0;
    }
    return is;
}

static void grow(mproc_shared_memory *memory, size_t size)
{
    int rc = mproc_shared_memory_grow(memory, size);
    if (rc < 0) {
        printf("grow: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL(rc, MPROC_OK);
}

/* ---- one process ----------------------------------------------------------------------------- */

static void test_shared_memory_grow__where_it_is(void)
{
    const char *name = own_name("grow");
    mproc_shared_memory *a = make(name, SIZE, &growing);
    mproc_shared_memory *b = NULL;
    mproc_shared_memory *reader = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&b, name, NULL), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&reader, name, &read_only), MPROC_OK);
    char *at = mproc_shared_memory_data(a);
    const char *seen = mproc_shared_memory_data(reader);
    size_t sizes[] = {SIZE, SIZE + 1, 8192, 8193, 70000, 70000, 5, MAX_SIZE - 1, MAX_SIZE};
    size_t now = SIZE;
    CU_ASSERT(is_zero(a, 0, SIZE));
    for (size_t i = 0; i < MPROC__COUNT(sizes); i++) {
        grow(i % 2 == 0 ? a : b, sizes[i]);
        CU_ASSERT(is_zero(reader, now, sizes[i]));
        now = sizes[i] > now ? sizes[i] : now;
        CU_ASSERT_EQUAL(mproc_shared_memory_size(a), now);
        CU_ASSERT_EQUAL(mproc_shared_memory_size(b), now);
        CU_ASSERT_EQUAL(mproc_shared_memory_size(reader), now);
        fill(b, (unsigned)i);
        CU_ASSERT(is_filled(a, (unsigned)i) && is_filled(reader, (unsigned)i));
    }
    CU_ASSERT_PTR_EQUAL(mproc_shared_memory_data(a), at);
    CU_ASSERT_PTR_EQUAL(mproc_shared_memory_data(reader), seen);
    mproc_shared_memory_close(reader);
    mproc_shared_memory_close(b);
    CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_attach(&b, a), MPROC_OK);
    CU_ASSERT(mproc_shared_memory_size(b) == MAX_SIZE && is_filled(b, MPROC__COUNT(sizes) - 1));
    mproc_shared_memory_close(b);
    finish(a, name);
}

static void test_shared_memory_grow__refuses_what_makes_no_sense(void)
{
    const mproc_shared_memory_options too_small = {.max_size_bytes = SIZE - 1};
    const char *name = own_name("no");
    mproc_shared_memory *memory = NULL;
    mproc_shared_memory *reader = NULL;
    CU_ASSERT_EQUAL(mproc_shared_memory_create(&memory, name, SIZE, &too_small), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_memory_open(&memory, name, &growing), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_memory_grow(NULL, 1), MPROC_EINVAL);
    for (size_t less = 0; less < 300; less++) {
        const mproc_shared_memory_options too_large = {.max_size_bytes = SIZE_MAX - less};
        int rc = mproc_shared_memory_create(&memory, name, SIZE, &too_large);
        CU_ASSERT(rc == MPROC_ENOSPC || rc == MPROC_ENOMEM);
    }
    CU_ASSERT_FALSE(is_there(name));
    memory = make(name, SIZE, &growing);
    CU_ASSERT_EQUAL(mproc_shared_memory_grow(memory, MAX_SIZE + 1), MPROC_ETOOBIG);
    CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&reader, name, &read_only), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_memory_grow(reader, SIZE + 1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_memory_size(memory), SIZE);
    mproc_shared_memory_close(reader);
    finish(memory, name);
    memory = make(name, SIZE, NULL);
    CU_ASSERT_EQUAL(mproc_shared_memory_grow(memory, SIZE), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_memory_grow(memory, SIZE + 1), MPROC_ETOOBIG);
    CU_ASSERT_EQUAL(mproc_shared_memory_size(memory), SIZE);
    finish(memory, name);
}

/** What is written beyond its size, where one must not, is nobody's. */
static void test_shared_memory_grow__new_bytes_are_zero(void)
{
    const char *name = own_name("zero");
    mproc_shared_memory *memory = make(name, SIZE, &growing);
    char *bytes = mproc_shared_memory_data(memory);
    fill(memory, 3);
    if (HAS_NAMES_OF_THEIR_OWN) {
        memset(bytes + SIZE, 'x', 20000);
        grow(memory, 9000);
        CU_ASSERT(is_zero(memory, SIZE, 9000));
        grow(memory, 40000);
        CU_ASSERT(is_zero(memory, SIZE, 40000));
    }
    unsigned char seed[SIZE] = {0};
    for (size_t i = 0; i < SIZE; i++) {
        seed[i] = (unsigned char)(3 + i * 7 + i / 251);
    }
    CU_ASSERT(memcmp(bytes, seed, SIZE) == 0);
    finish(memory, name);
}

static void test_shared_memory_grow__addresses_cost_nothing(void)
{
    const char *name = own_name("addresses");
    // More than there is memory; on Windows a section's addresses cost a little.
    const int bits = sizeof(size_t) < 8 ? 29 : HAS_NAMES_OF_THEIR_OWN ? 44 : 34;
    const mproc_shared_memory_options options = {.max_size_bytes = (size_t)1 << bits};
    mproc_shared_memory *memory = NULL;
    int rc = mproc_shared_memory_create(&memory, name, 1, &options);
    if (rc == MPROC_ENOMEM || rc == MPROC_EINVAL) {
        testlib_skip("there are not so many addresses"); // under valgrind, for instance
        return;
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_memory_size(memory), 1);
    if (bits == 44) {
        rc = mproc_shared_memory_grow(memory, options.max_size_bytes);
        CU_ASSERT(rc == MPROC_ENOSPC || rc == MPROC_ENOMEM);
        CU_ASSERT_EQUAL(mproc_shared_memory_size(memory), 1);
    }
    grow(memory, MAX_SIZE);
    CU_ASSERT(is_zero(memory, 0, MAX_SIZE));
    finish(memory, name);
}

/* ---- several --------------------------------------------------------------------------------- */

enum { ARRIVED, GO, DOOMED = GO };

static int see_and_grow(const mproc_args *args)
{
    mproc_shared_memory *memory;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &memory, &block) == 0);
    const char *at = mproc_shared_memory_data(memory);
    CHILD_CHECK(mproc_shared_memory_size(memory) == SIZE && is_filled(memory, 1));
    add_word(&words_of(block)[ARRIVED]);
    CHILD_CHECK(await_word(&words_of(block)[GO], 1));
    CHILD_CHECK(mproc_shared_memory_size(memory) == 300000 && is_filled(memory, 2));
    CHILD_CHECK(mproc_shared_memory_grow(memory, 400000) == 0);
    fill(memory, 3);
    CHILD_CHECK(mproc_shared_memory_data(memory) == at);
    return 0;
}

static void test_shared_memory_grow__under_others(void)
{
    const char *name = own_name("under");
    mproc_block *block = make_words(2);
    mproc_shared_memory *memory = make(name, SIZE, &growing);
    fill(memory, 1);
    mproc_process *child = start(see_and_grow, MPROC_ARGS(memory, block));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    grow(memory, 300000);
    fill(memory, 2);
    set_word(&words_of(block)[GO], 1);
    CU_ASSERT_EQUAL(end_of(child), 0);
    CU_ASSERT(mproc_shared_memory_size(memory) == 400000 && is_filled(memory, 3));
    finish(memory, name);
    mproc_block_close(block);
}

/** Grow it again and again, and use all that one is told of. */
static int grow_at_once(const mproc_args *args)
{
    mproc_shared_memory *memory;
    mproc_block *block;
    uint32_t n_rounds;
    CHILD_CHECK(MPROC_UNPACK(args, &memory, &block, &n_rounds) == 0);
    volatile char *bytes = mproc_shared_memory_data(memory);
    const size_t first = mproc_shared_memory_size(memory) / 64 * 64;
    size_t mine = first; // what it has written, and nobody takes away again
    for (uint32_t i = 0; i < n_rounds; i++) {
        size_t old = mproc_shared_memory_size(memory);
        size_t wanted = old + testlib_random() % 5000;
        wanted = wanted < MAX_SIZE ? wanted : MAX_SIZE;
        CHILD_CHECK(mproc_shared_memory_grow(memory, wanted) == 0);
        size_t size = mproc_shared_memory_size(memory);
        CHILD_CHECK(size >= wanted && size <= MAX_SIZE);
        for (size_t at = first; at < size; at += 64) {
            if (at >= mine) {
                bytes[at] = 1;
            }
            CHILD_CHECK(bytes[at] == 1);
        }
        mine = size;
        add_word(&words_of(block)[n_rounds == UINT32_MAX ? DOOMED : ARRIVED]);
    }
    return 0;
}

static void test_shared_memory_grow__at_once_and_killed(void)
{
    const char *name = own_name("once");
    mproc_block *block = make_words(2);
    mproc_process *children[3];
    for (long round = testlib_count(5, 200); round > 0; round--) {
        set_word(&words_of(block)[ARRIVED], 0);
        set_word(&words_of(block)[DOOMED], 0);
        mproc_shared_memory *memory = make(name, 1, &growing);
        for (int i = 0; i < 3; i++) {
            uint32_t n_rounds = i == 0 ? UINT32_MAX : 100;
            children[i] = start(grow_at_once, MPROC_ARGS(memory, block, n_rounds));
        }
        CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1 + testlib_random() % 100));
        CU_ASSERT(await_word(&words_of(block)[DOOMED], 1 + testlib_random() % 100));
        CU_ASSERT_EQUAL(mproc_process_kill(children[0]), MPROC_OK);
        for (int i = 0; i < 3; i++) {
            CU_ASSERT_EQUAL(end_of(children[i]), i == 0 ? CODE_KILLED : 0);
        }
        fill(memory, 4);
        grow(memory, MAX_SIZE);
        CU_ASSERT_EQUAL(mproc_shared_memory_size(memory), MAX_SIZE);
        fill(memory, 5);
        CU_ASSERT(is_filled(memory, 5));
        finish(memory, name);
    }
    mproc_block_close(block);
}

#ifdef MPROC_KILLPOINTS
static const char *fatal_point;

static void die_at(const char *point)
{
    if (strcmp(point, fatal_point) == 0) {
        const mplat_identity who = mplat_self();
        (void)mplat_process_signal(&who, MPLAT_KILL);
        (void)stay();
    }
}

static uint32_t *meeting;

/** Let another one have the time to grow it further, if it is not made to wait. */
static void dawdle_at(const char *point)
{
    if (strcmp(point, "segment.growing") == 0) {
        mproc__killpoint_fn = NULL;
        set_word(&meeting[ARRIVED], 1);
        int64_t deadline = mplat_now() + mproc_milliseconds(200);
        while (mproc__load32_acquire(&meeting[GO]) == 0 && mplat_now() < deadline) {
            (void)mplat_wait(&meeting[GO], 0, deadline, NULL, NULL);
        }
    }
}

static int grow_slowly(const mproc_args *args)
{
    mproc_shared_memory *memory;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &memory, &block) == 0);
    meeting = words_of(block);
    mproc__killpoint_fn = dawdle_at;
    CHILD_CHECK(mproc_shared_memory_grow(memory, 100000) == 0);
    return 0;
}

static void test_shared_memory_grow__the_largest_counts(void)
{
    const char *name = own_name("largest");
    mproc_block *block = make_words(2);
    mproc_shared_memory *memory = make(name, SIZE, &growing);
    mproc_process *child = start(grow_slowly, MPROC_ARGS(memory, block));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    grow(memory, 300000);
    fill(memory, 1);
    set_word(&words_of(block)[GO], 1);
    CU_ASSERT_EQUAL(end_of(child), 0);
    CU_ASSERT(mproc_shared_memory_size(memory) == 300000 && is_filled(memory, 1));
    finish(memory, name);
    mproc_block_close(block);
}

static int grow_and_die(const mproc_args *args)
{
    mproc_shared_memory *memory;
    CHILD_CHECK(MPROC_UNPACK(args, &memory, &fatal_point) == 0);
    mproc__killpoint_fn = die_at;
    CHILD_CHECK(mproc_shared_memory_grow(memory, 500000) == 0);
    return 0;
}

static void test_shared_memory_grow__killed_in_the_middle(void)
{
    const char *const points[] = {"segment.growing", "segment.taking"};
    const char *name = own_name("middle");
    for (size_t i = 0; i < (HAS_NAMES_OF_THEIR_OWN ? 2 : 1); i++) {
        const char *point = points[i];
        mproc_shared_memory *memory = make(name, SIZE, &growing);
        fill(memory, 1);
        CU_ASSERT_EQUAL(end_of(start(grow_and_die, MPROC_ARGS(memory, point))), CODE_KILLED);
        CU_ASSERT(mproc_shared_memory_size(memory) == SIZE && is_filled(memory, 1));
        grow(memory, 200000);
        CU_ASSERT(is_zero(memory, SIZE, 200000));
        grow(memory, MAX_SIZE);
        fill(memory, 2);
        CU_ASSERT(mproc_shared_memory_size(memory) == MAX_SIZE && is_filled(memory, 2));
        finish(memory, name);
    }
}
#endif

/* ---- huge pages ------------------------------------------------------------------------------ */

static int refill_huge(const mproc_args *args)
{
    mproc_shared_memory *memory;
    CHILD_CHECK(MPROC_UNPACK(args, &memory) == 0);
    CHILD_CHECK(mproc_shared_memory_size(memory) == HUGE_SIZE && is_filled(memory, 6));
    fill(memory, 7);
    return 0;
}

/** Whether the system has any to give is its own business: the content is the same. */
static void test_shared_memory_grow__huge_pages(void)
{
    const size_t sizes[] = {HUGE_SIZE, SIZE};
    const char *name = own_name("huge");
    for (size_t i = 0; i < 4; i++) {
        mproc_shared_memory_options options = {.wants_huge_pages = true};
        const mproc_shared_memory_options open_options = options;
        options.max_size_bytes = i % 2 != 0 ? 2 * HUGE_SIZE : 0;
        size_t size = sizes[i / 2];
        mproc_shared_memory *memory = make(name, size, &options);
        mproc_shared_memory *again = NULL;
        CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&again, name, &open_options), MPROC_OK);
        CU_ASSERT(mproc_shared_memory_size(again) == size && is_zero(again, 0, size));
        if (i % 2 != 0) {
            grow(memory, HUGE_SIZE);
        }
        fill(memory, 6);
        CU_ASSERT(is_filled(again, 6));
        if (HAS_NAMES_OF_THEIR_OWN && mproc_shared_memory_size(memory) == HUGE_SIZE) {
            CU_ASSERT_EQUAL((uintptr_t)mproc_shared_memory_data(memory) % ((size_t)2 << 20), 0);
            CU_ASSERT_EQUAL((uintptr_t)mproc_shared_memory_data(again) % ((size_t)2 << 20), 0);
        }
        if (mproc_shared_memory_size(memory) == HUGE_SIZE) {
            CU_ASSERT_EQUAL(end_of(start(refill_huge, MPROC_ARGS(memory))), 0);
            CU_ASSERT(is_filled(again, 7));
        }
        mproc_shared_memory_close(again);
        finish(memory, name);
    }
}

static const testlib_case cases[] = {
    {"where_it_is", test_shared_memory_grow__where_it_is},
    {"refuses_what_makes_no_sense", test_shared_memory_grow__refuses_what_makes_no_sense},
    {"new_bytes_are_zero", test_shared_memory_grow__new_bytes_are_zero},
    {"addresses_cost_nothing", test_shared_memory_grow__addresses_cost_nothing},
    {"under_others", test_shared_memory_grow__under_others},
    {"at_once_and_killed", test_shared_memory_grow__at_once_and_killed},
#ifdef MPROC_KILLPOINTS
    {"the_largest_counts", test_shared_memory_grow__the_largest_counts},
    {"killed_in_the_middle", test_shared_memory_grow__killed_in_the_middle},
#endif
    {"huge_pages", test_shared_memory_grow__huge_pages},
};

PROCESS_TEST_MAIN("object.shared_memory_grow", cases)
