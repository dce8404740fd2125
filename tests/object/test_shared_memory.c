/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shared_memory.c: mproc_shared_memory between processes of the family, strangers and Python.
 */
#include "object/memory_test.h"

/* ---- one process ----------------------------------------------------------------------------- */

static void test_shared_memory__has_name_size_and_zeroes(void)
{
    const char *name = own_name("plain");
    mproc_shared_memory *a = make(name, SIZE, NULL);
    mproc_shared_memory *b = NULL;
    char slashed[80];
    (void)snprintf(slashed, sizeof(slashed), "/%s", name);
    CU_ASSERT_STRING_EQUAL(mproc_shared_memory_name(a), name);
    CU_ASSERT_EQUAL(mproc_shared_memory_size(a), SIZE);
    const unsigned char *bytes = mproc_shared_memory_data(a);
    for (size_t i = 0; i < SIZE; i++) {
        CU_ASSERT_EQUAL_FATAL(bytes[i], 0);
    }
    CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&b, slashed, NULL), MPROC_OK);
    CU_ASSERT_STRING_EQUAL(mproc_shared_memory_name(b), name);
    CU_ASSERT_EQUAL(mproc_shared_memory_size(b), SIZE);
    fill(a, 1);
    CU_ASSERT(is_filled(b, 1));
    mproc_shared_memory_close(a);
    CU_ASSERT(is_there(name));
    CU_ASSERT_EQUAL(mproc_shared_memory_attach(&a, b), MPROC_OK);
    mproc_shared_memory_close(b);
    CU_ASSERT(is_filled(a, 1));
    finish(a, name);
}

static void test_shared_memory__refuses_what_makes_no_sense(void)
{
    static const char *const wrong[] = {"", "/", "a/b", "//a", "a/", ".", "..", "/.."};
    const mproc_shared_memory_options with_setuid = {.mode = 04755};
    mproc_shared_memory *memory = NULL;
    char longest[258];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[256] = '\0';
    for (size_t i = 0; i < MPROC__COUNT(wrong); i++) {
        CU_ASSERT_EQUAL(mproc_shared_memory_create(&memory, wrong[i], 1, NULL), MPROC_EINVAL);
        CU_ASSERT_EQUAL(mproc_shared_memory_open(&memory, wrong[i], NULL), MPROC_EINVAL);
    }
    CU_ASSERT_EQUAL(mproc_shared_memory_create(&memory, longest, 1, NULL), MPROC_ETOOBIG);
    CU_ASSERT_EQUAL(mproc_shared_memory_open(&memory, NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_memory_create(NULL, "x", 1, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_memory_create(&memory, NULL, 0, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_memory_create(&memory, NULL, 1, &read_only), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_memory_create(&memory, NULL, 1, &with_setuid), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_memory_open(&memory, "x", &automatic), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_shared_memory_unlink(NULL), MPROC_EINVAL);
    CU_ASSERT_PTR_NULL(mproc_shared_memory_data(NULL));
    CU_ASSERT_PTR_NULL(mproc_shared_memory_name(NULL));
    CU_ASSERT_EQUAL(mproc_shared_memory_size(NULL), 0);
    mproc_shared_memory_close(NULL);
    CU_ASSERT_PTR_NULL(memory);
}

static void test_shared_memory__of_the_longest_name(void)
{
    char name[256];
    memset(name, 'x', sizeof(name));
    int length = snprintf(name, sizeof(name), "%s", own_name("long"));
    name[length] = 'x';
    name[sizeof(name) - 1] = '\0';
    mproc_shared_memory *memory = make(name, 1, NULL);
    CU_ASSERT_STRING_EQUAL(mproc_shared_memory_name(memory), name);
    CU_ASSERT_EQUAL(mproc_shared_memory_size(memory), 1);
    finish(memory, name);
}

static void test_shared_memory__makes_names_up(void)
{
    char name[64];
    mproc_shared_memory *a = make(NULL, 1, NULL);
    mproc_shared_memory *b = make(NULL, 1, &automatic);
    CU_ASSERT_STRING_NOT_EQUAL(mproc_shared_memory_name(a), mproc_shared_memory_name(b));
    (void)snprintf(name, sizeof(name), "%s", mproc_shared_memory_name(b));
    CU_ASSERT(is_there(name));
    mproc_shared_memory_close(b);
    CU_ASSERT_FALSE(is_there(name));
    (void)snprintf(name, sizeof(name), "%s", mproc_shared_memory_name(a));
    CU_ASSERT(is_there(name));
    finish(a, name);
}

static void test_shared_memory__there_is_one_of_a_name(void)
{
    const char *name = own_name("one");
    mproc_shared_memory *a;
    mproc_shared_memory *b = NULL;
    CU_ASSERT_EQUAL(mproc_shared_memory_open(&b, name, NULL), MPROC_ENOENT);
    CU_ASSERT(strstr(mproc_last_error(), name) != NULL);
    for (int i = 0; i < 2; i++) {
        a = make(name, SIZE, i == 0 ? NULL : &automatic);
        fill(a, 3);
        CU_ASSERT_EQUAL(mproc_shared_memory_create(&b, name, 1, NULL), MPROC_EEXIST);
        CU_ASSERT(strstr(mproc_last_error(), name) != NULL);
        CU_ASSERT_EQUAL(mproc_shared_memory_create(&b, name, 1, &automatic), MPROC_EEXIST);
        CU_ASSERT(is_there(name) && is_filled(a, 3));
        finish(a, name);
    }
    CU_ASSERT_PTR_NULL(b);
}

static void test_shared_memory__too_large_is_an_error(void)
{
    const char *name = own_name("huge");
    mproc_shared_memory *memory = NULL;
    for (unsigned shift = sizeof(size_t) > 4 ? 47 : 31; shift < sizeof(size_t) * 8; shift++) {
        int rc = mproc_shared_memory_create(&memory, name, (size_t)1 << shift, NULL);
        CU_ASSERT(rc == MPROC_ENOSPC || rc == MPROC_ENOMEM);
        rc = mproc_shared_memory_create(&memory, name, ((size_t)1 << shift) - 1, &automatic);
        CU_ASSERT(rc == MPROC_ENOSPC || rc == MPROC_ENOMEM);
        CU_ASSERT_FALSE(is_there(name));
    }
    CU_ASSERT_PTR_NULL(memory);
}

static void test_shared_memory__unlink(void)
{
    const char *name = own_name("unlink");
    mproc_shared_memory *old = make(name, SIZE, NULL);
    fill(old, 4);
    CU_ASSERT_EQUAL(mproc_shared_memory_unlink(old), MPROC_OK);
    if (!HAS_NAMES_OF_THEIR_OWN) {
        CU_ASSERT_EQUAL(mproc_shared_memory_unlink(old), MPROC_OK);
        CU_ASSERT(is_there(name));
        mproc_shared_memory_close(old);
        CU_ASSERT_FALSE(is_there(name));
        return;
    }
    CU_ASSERT_FALSE(is_there(name));
    CU_ASSERT_EQUAL(mproc_shared_memory_unlink(old), MPROC_ENOENT);
    CU_ASSERT(is_filled(old, 4));
    // The next one of that name is none of its business.
    mproc_shared_memory *next = make(name, 1, NULL);
    CU_ASSERT_EQUAL(mproc_shared_memory_unlink(old), MPROC_ENOENT);
    mproc_shared_memory *again = NULL;
    CU_ASSERT_EQUAL(mproc_shared_memory_attach(&again, old), MPROC_ENOENT);
    CU_ASSERT_PTR_NULL(again);
    CU_ASSERT(is_there(name));
    mproc_shared_memory_close(old);
    finish(next, name);
}

/* ---- children -------------------------------------------------------------------------------- */

static int refill(const mproc_args *args)
{
    mproc_shared_memory *memory;
    mproc_shared_memory *by_name = NULL;
    const char *name;
    CHILD_CHECK(MPROC_UNPACK(args, &memory, &name) == 0);
    CHILD_CHECK(mproc_shared_memory_size(memory) == SIZE && is_filled(memory, 5));
    CHILD_CHECK(strcmp(mproc_shared_memory_name(memory), name) == 0);
    CHILD_CHECK(mproc_shared_memory_open(&by_name, name, NULL) == 0);
    CHILD_CHECK(mproc_shared_memory_size(by_name) == SIZE && is_filled(by_name, 5));
    fill(memory, 6);
    CHILD_CHECK(is_filled(by_name, 6));
    mproc_shared_memory_close(by_name);
    CHILD_CHECK(is_there(name));
    return 0;
}

static void test_shared_memory__travels_in_arguments(void)
{
    mproc_arena_stats before = settled_stats();
    const char *name = own_name("arg");
    for (int i = 0; i < 2; i++) {
        mproc_shared_memory *memory = make(name, SIZE, i == 0 ? NULL : &automatic);
        fill(memory, 5);
        CU_ASSERT_EQUAL(end_of(start(refill, MPROC_ARGS(memory, name))), 0);
        CU_ASSERT(is_filled(memory, 6));
        CU_ASSERT(is_there(name));
        finish(memory, name);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/** 1 or 0, without dying of it. */
static int is_writable(mproc_shared_memory *memory)
{
    void *data = mproc_shared_memory_data(memory);
#ifdef _WIN32
    MEMORY_BASIC_INFORMATION view;
    CHILD_CHECK(VirtualQuery(data, &view, sizeof(view)) == sizeof(view));
    return view.Protect != PAGE_READONLY;
#else
    int zeroes = open("/dev/zero", O_RDONLY);
    ssize_t n = read(zeroes, data, 1);
    (void)close(zeroes);
    return n == 1;
#endif
}

static int look_only(const mproc_args *args)
{
    mproc_shared_memory *memory;
    CHILD_CHECK(MPROC_UNPACK(args, &memory) == 0);
    CHILD_CHECK(is_filled(memory, 8));
    return is_writable(memory);
}

static void test_shared_memory__can_be_read_only(void)
{
    const char *name = own_name("ro");
    mproc_shared_memory *memory = make(name, SIZE, &automatic);
    mproc_shared_memory *reader = NULL;
    fill(memory, 7);
    CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&reader, name, &read_only), MPROC_OK);
    CU_ASSERT(is_filled(reader, 7) && mproc_shared_memory_size(reader) == SIZE);
    fill(memory, 8);
    CU_ASSERT_EQUAL(is_writable(reader), 0);
    CU_ASSERT_EQUAL(end_of(start(look_only, MPROC_ARGS(reader))), 0);
    mproc_shared_memory_close(memory);
    CU_ASSERT(is_there(name) && is_filled(reader, 8));
    mproc_shared_memory_close(reader);
    CU_ASSERT_FALSE(is_there(name));
}

/* ---- automatic names, and deaths ------------------------------------------------------------- */

enum { ARRIVED, GO, DOOMED };

static int hold_it(const mproc_args *args)
{
    mproc_shared_memory *memory;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &memory, &block) == 0);
    add_word(&words_of(block)[ARRIVED]);
    CHILD_CHECK(await_word(&words_of(block)[GO], 1));
    CHILD_CHECK(is_filled(memory, 9));
    return 0;
}

static void test_shared_memory__name_goes_with_the_last_user(void)
{
    const char *name = own_name("last");
    mproc_block *block = make_words(2);
    mproc_shared_memory *memory = make(name, SIZE, &automatic);
    mproc_shared_memory *again = NULL;
    fill(memory, 9);
    CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&again, name, NULL), MPROC_OK);
    mproc_process *child = start(hold_it, MPROC_ARGS(memory, block));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    mproc_shared_memory_close(memory);
    CU_ASSERT(is_there(name));
    mproc_shared_memory_close(again);
    CU_ASSERT(is_there(name));
    set_word(&words_of(block)[GO], 1);
    CU_ASSERT_EQUAL(end_of(child), 0);
    (void)settled_stats(); // all that has ended is buried
    CU_ASSERT_FALSE(is_there(name));
    mproc_block_close(block);
}

static int make_and_stay(const mproc_args *args)
{
    mproc_block *block;
    const char *name;
    bool is_automatic;
    mproc_shared_memory *memory;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &name, &is_automatic) == 0);
    CHILD_CHECK(mproc_shared_memory_create(&memory, name, SIZE, is_automatic ? &automatic : NULL) ==
                0);
    add_word(&words_of(block)[ARRIVED]);
    return stay();
}

/** Have a child make it and be killed. */
static void make_and_kill(const char *name, bool is_automatic, mproc_process_fn fn)
{
    mproc_block *block = make_words(2);
    mproc_process *child = start(fn, MPROC_ARGS(block, name, is_automatic));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    CU_ASSERT(is_there(name));
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    mproc_block_close(block);
}

static void test_shared_memory__of_a_killed_maker(void)
{
    const char *name = own_name("killed");
    make_and_kill(name, true, make_and_stay);
    (void)settled_stats();
    CU_ASSERT_FALSE(is_there(name)); // without anybody having asked for it
    make_and_kill(name, false, make_and_stay);
    (void)settled_stats();
    CU_ASSERT_EQUAL(is_there(name), HAS_NAMES_OF_THEIR_OWN);
    if (HAS_NAMES_OF_THEIR_OWN) {
        mproc_shared_memory *memory = NULL;
        CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&memory, name, NULL), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_shared_memory_size(memory), SIZE);
        finish(memory, name);
    }
}

/** As a stranger does, of whom this family knows nothing. */
static int make_as_stranger(const mproc_args *args)
{
    mproc_block *block;
    const char *name;
    bool is_automatic;
    mplat_segment segment;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &name, &is_automatic) == 0);
    const mplat_segment_plan plan = {.size = SIZE, .flags = MPLAT_SEGMENT_AUTO, .mode = 0600};
    CHILD_CHECK(mplat_segment_create(name, &plan, &segment) == 0);
    add_word(&words_of(block)[ARRIVED]);
    return stay();
}

static void test_shared_memory__of_a_stranger_that_was_killed(void)
{
    const char *name = own_name("stale");
    mproc_shared_memory *memory = NULL;
    make_and_kill(name, true, make_as_stranger);
    CU_ASSERT_EQUAL(is_there(name), HAS_NAMES_OF_THEIR_OWN);
    CU_ASSERT_EQUAL(mproc_shared_memory_open(&memory, name, NULL), MPROC_ENOENT);
    CU_ASSERT_FALSE(is_there(name));
    make_and_kill(name, true, make_as_stranger);
    CU_ASSERT_EQUAL(mproc_shared_memory_open(&memory, name, &read_only), MPROC_ENOENT);
    CU_ASSERT_FALSE(is_there(name));
    make_and_kill(name, true, make_as_stranger);
    memory = make(name, 1, NULL);
    CU_ASSERT_EQUAL(mproc_shared_memory_size(memory), 1);
    finish(memory, name);
}

static int open_and_stay(const mproc_args *args)
{
    mproc_block *block;
    const char *name;
    bool is_automatic;
    mproc_shared_memory *memory;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &name, &is_automatic) == 0);
    CHILD_CHECK(mproc_shared_memory_open(&memory, name, NULL) == 0);
    add_word(&words_of(block)[ARRIVED]);
    return stay();
}

static void test_shared_memory__a_killed_user_takes_nothing_along(void)
{
    const char *name = own_name("user");
    for (int i = 0; i < 2; i++) {
        mproc_shared_memory *memory = make(name, SIZE, i == 0 ? NULL : &automatic);
        fill(memory, 10);
        make_and_kill(name, false, open_and_stay);
        (void)settled_stats();
        CU_ASSERT(is_there(name) && is_filled(memory, 10));
        finish(memory, name);
    }
}

static void test_shared_memory__keeps_its_name_on_the_way(void)
{
    if (!HAS_NAMES_OF_THEIR_OWN) {
        testlib_skip("names go with the last handle here");
        return;
    }
    const char *name = own_name("way");
    mproc_block *block = make_words(2);
    mproc_shared_memory *memory = make(name, SIZE, &automatic);
    fill(memory, 9);
    mproc_process *child = start(hold_it, MPROC_ARGS(memory, block));
    mproc_shared_memory_close(memory); // unpacked or not
    set_word(&words_of(block)[GO], 1);
    CU_ASSERT_EQUAL(end_of(child), 0);
    (void)settled_stats();
    CU_ASSERT_FALSE(is_there(name));
    mproc_block_close(block);
}

static void test_shared_memory__whose_name_is_gone_cannot_be_unpacked(void)
{
    if (!HAS_NAMES_OF_THEIR_OWN || method_is("fork")) {
        testlib_skip("nothing is opened by name, or the name cannot be taken away");
        return;
    }
    mproc_shared_memory *memory = make(own_name("gone"), SIZE, NULL);
    CU_ASSERT_EQUAL(mproc_shared_memory_unlink(memory), MPROC_OK);
    mproc_process *child = start(look_only, MPROC_ARGS(memory));
    CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_ESTART);
    CU_ASSERT(strstr(mproc_last_error(), "there is no shared memory of the name") != NULL);
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    mproc_shared_memory_close(memory);
}

/** Open it or make it, see that its name leads to it for as long as it is open, and close it. */
static int come_and_go(const mproc_args *args)
{
    mproc_block *block;
    const char *name;
    uint32_t rounds;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &name, &rounds) == 0);
    for (uint32_t i = 0; i < rounds; i++) {
        mproc_shared_memory *memory = NULL;
        mproc_shared_memory *again = NULL;
        int rc;
        do {
            rc = mproc_shared_memory_open(&memory, name, NULL);
            CHILD_CHECK(rc == MPROC_OK || rc == MPROC_ENOENT);
            if (rc == MPROC_ENOENT) {
                rc = mproc_shared_memory_create(&memory, name, SIZE, &automatic);
                CHILD_CHECK(rc == MPROC_OK || rc == MPROC_EEXIST);
            }
        } while (rc < 0);
        CHILD_CHECK(mproc_shared_memory_size(memory) == SIZE);
        CHILD_CHECK(mproc_shared_memory_open(&again, name, &read_only) == 0);
        uint32_t *count = mproc_shared_memory_data(memory);
        const uint32_t *seen = mproc_shared_memory_data(again);
        uint32_t before = mproc__add32(count, 1);
        CHILD_CHECK(mproc__load32_acquire(seen) > before);
        mproc_shared_memory_close(memory);
        CHILD_CHECK(mproc__load32_acquire(seen) > before);
        mproc_shared_memory_close(again);
        add_word(&words_of(block)[rounds == UINT32_MAX ? DOOMED : ARRIVED]);
    }
    return 0;
}

static void test_shared_memory__many_come_and_go(void)
{
    const char *name = own_name("storm");
    mproc_block *block = make_words(3);
    mproc_process *children[4];
    uint32_t rounds = (uint32_t)testlib_count(300, HAS_NAMES_OF_THEIR_OWN ? 20000 : 5000);
    for (int i = 0; i < 4; i++) {
        children[i] = start(come_and_go, MPROC_ARGS(block, name, i == 0 ? UINT32_MAX : rounds));
    }
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], rounds));
    CU_ASSERT(await_word(&words_of(block)[DOOMED], 1));
    CU_ASSERT_EQUAL(mproc_process_kill(children[0]), MPROC_OK);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), i == 0 ? CODE_KILLED : 0);
    }
    (void)settled_stats();
    CU_ASSERT_FALSE(is_there(name));
    mproc_block_close(block);
}

/* ---- Python ---------------------------------------------------------------------------------- */

#ifndef _WIN32
/* Before 3.13 an opener's tracker removes what it has not made. */
#define PYTHON_OPEN                                                    \
    "import sys\n"                                                     \
    "from multiprocessing import shared_memory, resource_tracker\n"    \
    "def attach(name):\n"                                              \
    "    if sys.version_info >= (3, 13):\n"                            \
    "        return shared_memory.SharedMemory(name, track=False)\n"   \
    "    memory = shared_memory.SharedMemory(name)\n"                  \
    "    resource_tracker.unregister(memory._name, 'shared_memory')\n" \
    "    return memory\n"                                              \
    "def forget(memory):\n"                                            \
    "    resource_tracker.unregister(memory._name, 'shared_memory')\n"

static int python(const char *code, const char *name)
{
    char command[2048];
    (void)snprintf(command, sizeof(command), "LD_PRELOAD= python3 -c \"" PYTHON_OPEN "%s\" '%s'",
                   code, name);
    return system(command); // NOLINT(cert-env33-c,concurrency-mt-unsafe)
}
#endif

static void test_shared_memory__is_pythons(void)
{
#ifdef _WIN32
    testlib_skip("Python is not looked for on this system");
#else
    // NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe)
    if (system("python3 -c 'import multiprocessing.shared_memory' 2>/dev/null") != 0) {
        testlib_skip("there is no python3 with shared memory");
        return;
    }
    const char *name = own_name("python");
    const mproc_shared_memory_options of_layout = {.layout = 1};
    const mproc_shared_memory_options *const options[] = {NULL, &automatic, &of_layout};
    for (size_t i = 0; i < MPROC__COUNT(options); i++) {
        mproc_shared_memory *memory = make(name, SIZE, options[i]);
        memcpy(mproc_shared_memory_data(memory), "from C", 6);
        CU_ASSERT_EQUAL(mproc_shared_memory_publish(memory), MPROC_OK);
        // Behind the bytes of one with a layout there are some of mproc's.
        CU_ASSERT_EQUAL(python("m = attach(sys.argv[1])\n"
                               "ok = m.size in (5001, 5120) and bytes(m.buf[:6]) == b'from C'\n"
                               "m.buf[4995:5001] = b'python'\n"
                               "m.close()\n"
                               "sys.exit(0 if ok else 1)\n",
                               name),
                        0);
        CU_ASSERT(memcmp((char *)mproc_shared_memory_data(memory) + 4995, "python", 6) == 0);
        CU_ASSERT(is_there(name));
        finish(memory, name);
    }
    CU_ASSERT_EQUAL(python("m = shared_memory.SharedMemory(sys.argv[1], create=True, size=777)\n"
                           "m.buf[770:777] = b'made in'\n"
                           "m.close()\n"
                           "forget(m)\n",
                           name),
                    0);
    mproc_shared_memory *memory = NULL;
    CU_ASSERT_EQUAL(mproc_shared_memory_create(&memory, name, 1, NULL), MPROC_EEXIST);
    CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&memory, name, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shared_memory_size(memory), 777);
    CU_ASSERT(memcmp((char *)mproc_shared_memory_data(memory) + 770, "made in", 7) == 0);
    mproc_shared_memory_close(memory);
    CU_ASSERT(is_there(name));
    CU_ASSERT_EQUAL_FATAL(mproc_shared_memory_open(&memory, name, NULL), MPROC_OK);
    finish(memory, name);
#endif
}

static const testlib_case cases[] = {
    {"has_name_size_and_zeroes", test_shared_memory__has_name_size_and_zeroes},
    {"refuses_what_makes_no_sense", test_shared_memory__refuses_what_makes_no_sense},
    {"of_the_longest_name", test_shared_memory__of_the_longest_name},
    {"makes_names_up", test_shared_memory__makes_names_up},
    {"there_is_one_of_a_name", test_shared_memory__there_is_one_of_a_name},
    {"too_large_is_an_error", test_shared_memory__too_large_is_an_error},
    {"unlink", test_shared_memory__unlink},
    {"travels_in_arguments", test_shared_memory__travels_in_arguments},
    {"can_be_read_only", test_shared_memory__can_be_read_only},
    {"name_goes_with_the_last_user", test_shared_memory__name_goes_with_the_last_user},
    {"of_a_killed_maker", test_shared_memory__of_a_killed_maker},
    {"of_a_stranger_that_was_killed", test_shared_memory__of_a_stranger_that_was_killed},
    {"a_killed_user_takes_nothing_along", test_shared_memory__a_killed_user_takes_nothing_along},
    {"keeps_its_name_on_the_way", test_shared_memory__keeps_its_name_on_the_way},
    {"many_come_and_go", test_shared_memory__many_come_and_go},
    {"whose_name_is_gone", test_shared_memory__whose_name_is_gone_cannot_be_unpacked},
    {"is_pythons", test_shared_memory__is_pythons},
};

PROCESS_TEST_MAIN("object.shared_memory", cases)
