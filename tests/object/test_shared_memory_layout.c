/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shared_memory_layout.c: shared memory whose users agree on what it means, and when it is ready;
 * and that nobody destroys it by opening it, or by failing to.
 */
#include "base/check.h"
#include "object/memory_test.h"

#include <assert.h>

#ifndef _WIN32
#include <sys/resource.h>
#endif

struct frame {
    uint64_t number;
    unsigned char pixels[4000];
};

struct wide {
    double x;
    unsigned char pixels[4000];
};

#define FRAME MPROC_LAYOUT(struct frame, 1)

static_assert(MPROC_LAYOUT(struct frame, 1) != MPROC_LAYOUT(struct frame, 2), "versions differ");
static_assert(MPROC_LAYOUT(char[4], 0) != MPROC_LAYOUT(uint32_t, 0), "alignments differ");
static_assert(MPROC_LAYOUT(char[4], 0) != MPROC_LAYOUT(char[5], 0), "sizes differ");
static_assert(MPROC_LAYOUT(struct frame, 1) == MPROC_LAYOUT(struct wide, 1), "it is no name");
static_assert(MPROC_LAYOUT(char, 0) != 0, "none is zero");

enum { ARRIVED, GO };

static const mproc_shared_memory_options frame_options = {.layout = FRAME};

static int try_open(const char *name, uint64_t layout, mproc_timeout timeout)
{
    const mproc_shared_memory_options options = {.layout = layout, .timeout = timeout};
    mproc_shared_memory *memory = NULL;
    int rc = mproc_shared_memory_open(&memory, name, &options);
    if (rc >= 0) {
        mproc_shared_memory_close(memory);
    }
    return rc;
}

/* ---- one process ----------------------------------------------------------------------------- */

static void test_shared_memory_layout__must_be_the_same(void)
{
    const char *name = own_name("layout");
    mproc_shared_memory *memory = make(name, SIZE, &frame_options);
    CU_ASSERT_EQUAL(try_open(name, MPROC_LAYOUT(struct frame, 2), MPROC_FOREVER), MPROC_ETYPE);
    CU_ASSERT(strstr(mproc_last_error(), name) != NULL);
    fill(memory, 1);
    CU_ASSERT_EQUAL(mproc_shared_memory_publish(memory), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_memory_publish(memory), MPROC_OK);
    CU_ASSERT_EQUAL(try_open(name, MPROC_LAYOUT(struct frame, 2), 0), MPROC_ETYPE);
    CU_ASSERT_EQUAL(try_open(name, FRAME, 0), MPROC_OK);
    CU_ASSERT_EQUAL(try_open(name, 0, 0), MPROC_OK);
    CU_ASSERT(mproc_shared_memory_size(memory) == SIZE && is_filled(memory, 1));
    mproc_shared_memory_close(memory);
    CU_ASSERT_EQUAL(is_there(name), HAS_NAMES_OF_THEIR_OWN);
    if (HAS_NAMES_OF_THEIR_OWN) {
        CU_ASSERT_EQUAL(try_open(name, 1, 0), MPROC_ETYPE);
        CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&memory, name, &frame_options), MPROC_OK);
        CU_ASSERT(is_filled(memory, 1));
        finish(memory, name);
    }
    memory = make(name, SIZE, NULL);
    CU_ASSERT_EQUAL(try_open(name, FRAME, MPROC_FOREVER), MPROC_ETYPE); // it has none
    CU_ASSERT_EQUAL(mproc_shared_memory_publish(memory), MPROC_OK);
    CU_ASSERT_EQUAL(try_open(name, 0, 0), MPROC_OK);
    finish(memory, name);
}

static void test_shared_memory_layout__is_not_there_before_it_is_ready(void)
{
    const char *name = own_name("ready");
    for (int i = 0; i < 4; i++) {
        mproc_shared_memory_options options = frame_options;
        options.auto_unlink = i % 2 != 0;
        options.max_size_bytes = i / 2 != 0 ? (size_t)2 * SIZE : 0;
        mproc_shared_memory *memory = make(name, SIZE, &options);
        mproc_shared_memory *other = NULL;
        CU_ASSERT_EQUAL(try_open(name, FRAME, 0), MPROC_ESTATE);
        CU_ASSERT_EQUAL(try_open(name, 0, 0), MPROC_ESTATE);
        CU_ASSERT_EQUAL(try_open(name, FRAME, BRIEF), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mproc_shared_memory_create(&other, name, 1, NULL), MPROC_EEXIST);
        fill(memory, 1);
        CU_ASSERT_EQUAL(mproc_shared_memory_publish(memory), MPROC_OK);
        CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&other, name, &frame_options), MPROC_OK);
        CU_ASSERT(mproc_shared_memory_size(other) == SIZE && is_filled(other, 1));
        mproc_shared_memory_close(memory);
        CU_ASSERT(is_there(name) && is_filled(other, 1));
        finish(other, name);
        // Who gives up before it is ready leaves nothing.
        memory = make(name, SIZE, &options);
        mproc_shared_memory_close(memory);
        CU_ASSERT_FALSE(is_there(name));
        CU_ASSERT_EQUAL(try_open(name, FRAME, MPROC_FOREVER), MPROC_ENOENT);
    }
}

static void test_shared_memory_layout__refuses_what_makes_no_sense(void)
{
    const mproc_shared_memory_options timeout = {.layout = FRAME, .timeout = BRIEF};
    const char *name = own_name("senseless");
    mproc_shared_memory *memory = NULL;
    CU_ASSERT_EQUAL(mproc_shared_memory_create(&memory, name, 1, &timeout), MPROC_EINVAL);
    const mproc_shared_memory_options unowned = {.layout = FRAME, .mode = 0444};
    CU_ASSERT_EQUAL(mproc_shared_memory_create(&memory, name, 1, &unowned), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_memory_publish(NULL), MPROC_EINVAL);
    memory = make(name, SIZE, NULL);
    mproc_shared_memory *reader = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&reader, name, &read_only), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_memory_publish(reader), MPROC_EINVAL);
    mproc_shared_memory_close(reader);
    finish(memory, name);
}

/* ---- several --------------------------------------------------------------------------------- */

static int open_when_ready(const mproc_args *args)
{
    mproc_block *block;
    const char *name;
    mproc_shared_memory *memory = NULL;
    const mproc_shared_memory_options options = {.layout = FRAME, .timeout = LIMIT};
    CHILD_CHECK(MPROC_UNPACK(args, &block, &name) == 0);
    CHILD_CHECK(try_open(name, FRAME, 0) == MPROC_ESTATE);
    add_word(&words_of(block)[ARRIVED]);
    CHILD_CHECK(mproc_shared_memory_open(&memory, name, &options) == 0);
    CHILD_CHECK(is_filled(memory, 2));
    mproc_shared_memory_close(memory);
    return 0;
}

static void test_shared_memory_layout__is_waited_for(void)
{
    const char *name = own_name("wait");
    for (int i = 0; i < 2; i++) {
        mproc_block *block = make_words(1);
        mproc_process *children[2];
        mproc_shared_memory_options options = frame_options;
        options.auto_unlink = i != 0;
        mproc_shared_memory *memory = make(name, SIZE, &options);
        for (int c = 0; c < 2; c++) {
            children[c] = start(open_when_ready, MPROC_ARGS(block, name));
        }
        CU_ASSERT(await_word(&words_of(block)[ARRIVED], 2));
        fill(memory, 2);
        CU_ASSERT_EQUAL(mproc_shared_memory_publish(memory), MPROC_OK);
        CU_ASSERT_EQUAL(end_of(children[0]), 0);
        CU_ASSERT_EQUAL(end_of(children[1]), 0);
        CU_ASSERT(is_there(name));
        finish(memory, name);
        mproc_block_close(block);
    }
}

static int help_to_fill(const mproc_args *args)
{
    mproc_shared_memory *memory;
    CHILD_CHECK(MPROC_UNPACK(args, &memory) == 0);
    fill(memory, 2);
    return mproc_shared_memory_publish(memory);
}

static void test_shared_memory_layout__is_made_by_several(void)
{
    const char *name = own_name("several");
    mproc_shared_memory *memory = make(name, SIZE, &frame_options);
    CU_ASSERT_EQUAL(end_of(start(help_to_fill, MPROC_ARGS(memory))), 0);
    CU_ASSERT_EQUAL(try_open(name, FRAME, 0), MPROC_OK);
    CU_ASSERT(is_filled(memory, 2));
    finish(memory, name);
}

static int make_half(const mproc_args *args)
{
    mproc_block *block;
    const char *name;
    bool is_automatic;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &name, &is_automatic) == 0);
    mproc_shared_memory_options options = frame_options;
    options.auto_unlink = is_automatic;
    mproc_shared_memory *memory = NULL;
    CHILD_CHECK(mproc_shared_memory_create(&memory, name, SIZE, &options) == 0);
    add_word(&words_of(block)[ARRIVED]);
    return stay();
}

static int wait_in_vain(const mproc_args *args)
{
    mproc_block *block;
    const char *name;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &name) == 0);
    CHILD_CHECK(try_open(name, FRAME, 0) == MPROC_ESTATE);
    add_word(&words_of(block)[ARRIVED]);
    CHILD_CHECK(try_open(name, FRAME, MPROC_FOREVER) == MPROC_ENOENT);
    return 0;
}

static void test_shared_memory_layout__of_a_killed_maker(void)
{
    const char *name = own_name("half");
    for (int i = 0; i < 4; i++) {
        mproc_block *block = make_words(1);
        bool is_automatic = i % 2 != 0;
        mproc_process *maker = start(make_half, MPROC_ARGS(block, name, is_automatic));
        CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
        mproc_process *waiters[2] = {NULL, NULL};
        for (uint32_t w = 0; i < 2 && w < 2; w++) {
            waiters[w] = start(wait_in_vain, MPROC_ARGS(block, name));
            CU_ASSERT(await_word(&words_of(block)[ARRIVED], 2 + w));
        }
        CU_ASSERT_EQUAL(mproc_process_kill(maker), MPROC_OK);
        for (int w = 0; i < 2 && w < 2; w++) {
            CU_ASSERT_EQUAL(end_of(waiters[w]), 0);
        }
        CU_ASSERT_EQUAL(end_of(maker), CODE_KILLED);
        mproc_shared_memory *memory = make(name, 1, NULL); // the name is free
        finish(memory, name);
        mproc_block_close(block);
    }
    CU_ASSERT_EQUAL(try_open(name, FRAME, MPROC_FOREVER), MPROC_ENOENT);
}

/* ---- only who wants to destroys --------------------------------------------------------------- */

/** Memory of every kind that can be opened. */
static mproc_shared_memory *make_kind(int kind, const char *name)
{
    mproc_shared_memory_options options = {
        .auto_unlink = kind % 2 != 0,
        .max_size_bytes = kind / 2 % 2 != 0 ? (size_t)2 * SIZE : 0,
        .layout = kind / 4 % 2 != 0 ? FRAME : 0,
    };
    mproc_shared_memory *memory = make(name, SIZE, &options);
    fill(memory, 9);
    CU_ASSERT_EQUAL(mproc_shared_memory_publish(memory), MPROC_OK);
    return memory;
}

#define KINDS 8

#ifndef _WIN32
/** With less of something than it takes. */
static int open_with_less(const char *name, int resource)
{
    struct rlimit old;
    CU_ASSERT_EQUAL_FATAL(getrlimit((unsigned)resource, &old), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = old.rlim_max};
    CU_ASSERT_EQUAL_FATAL(setrlimit((unsigned)resource, &none), 0);
    int rc = try_open(name, 0, 0);
    CU_ASSERT_EQUAL_FATAL(setrlimit((unsigned)resource, &old), 0);
    return rc;
}
#endif

static void test_shared_memory_layout__failed_openers_take_nothing_along(void)
{
    const char *name = own_name("failed");
    for (int kind = 0; kind < KINDS; kind++) {
        mproc_shared_memory *memory = make_kind(kind, name);
        CU_ASSERT_EQUAL(try_open(name, 1, 0), MPROC_ETYPE);
#ifndef _WIN32
        CU_ASSERT_EQUAL(open_with_less(name, RLIMIT_NOFILE), MPROC_EMFILE);
        if (!HAS_SANITIZER) {
            CU_ASSERT_EQUAL(open_with_less(name, RLIMIT_AS), MPROC_ENOMEM);
        }
#endif
        CU_ASSERT(is_there(name) && is_filled(memory, 9));
        CU_ASSERT_EQUAL(try_open(name, 0, 0), MPROC_OK);
        CU_ASSERT(is_there(name) && is_filled(memory, 9));
        finish(memory, name);
    }
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

/** Killed at a point of opening or, if there is none of that name, having opened it. */
static int open_and_die(const mproc_args *args)
{
    const char *name;
    CHILD_CHECK(MPROC_UNPACK(args, &name, &fatal_point) == 0);
    mproc__killpoint_fn = die_at;
    mproc_shared_memory *memory = NULL;
    CHILD_CHECK(mproc_shared_memory_open(&memory, name, NULL) == 0);
    fatal_point = "";
    die_at("");
    return 0;
}

static void test_shared_memory_layout__killed_openers_take_nothing_along(void)
{
    static const char *const points[] = {"segment.opened", "segment.joining", "when it is open"};
    const char *name = own_name("killed");
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < MPROC__COUNT(points); i++) {
            const char *point = points[i];
            mproc_shared_memory *memory = make_kind(kind, name);
            CU_ASSERT_EQUAL(end_of(start(open_and_die, MPROC_ARGS(name, point))), CODE_KILLED);
            (void)settled_stats(); // all that has ended is buried
            CU_ASSERT(is_there(name) && is_filled(memory, 9));
            finish(memory, name);
        }
    }
}
#endif

static const testlib_case cases[] = {
    {"must_be_the_same", test_shared_memory_layout__must_be_the_same},
    {"is_not_there_before_it_is_ready", test_shared_memory_layout__is_not_there_before_it_is_ready},
    {"refuses_what_makes_no_sense", test_shared_memory_layout__refuses_what_makes_no_sense},
    {"is_waited_for", test_shared_memory_layout__is_waited_for},
    {"is_made_by_several", test_shared_memory_layout__is_made_by_several},
    {"of_a_killed_maker", test_shared_memory_layout__of_a_killed_maker},
    {"failed_openers", test_shared_memory_layout__failed_openers_take_nothing_along},
#ifdef MPROC_KILLPOINTS
    {"killed_openers", test_shared_memory_layout__killed_openers_take_nothing_along},
#endif
};

PROCESS_TEST_MAIN("object.shared_memory_layout", cases)
