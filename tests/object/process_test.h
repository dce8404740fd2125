/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_test.h: what the tests of processes share: their main(), children with a rendezvous, and
 * counting what must not be left behind.
 *
 * The start method is MPROC_TEST_METHOD's; without it, all the cases run once for each method of the
 * system. A method that the system lacks is skipped as a whole.
 */
#ifndef TESTS_OBJECT_PROCESS_TEST_H
#define TESTS_OBJECT_PROCESS_TEST_H

#include "mproc/mproc.h"

#include "base/atomic.h"
#include "base/compiler.h"
#include "platform.h"
#include "support/testlib.h"

#include <string.h>

/** Only a test that fails waits as long. */
#define LIMIT mproc_seconds(60)

/** What mproc_process_terminate and _kill end a child with. */
#ifdef _WIN32
#define CODE_TERMINATED (-15)
#define CODE_KILLED (-15)
#else
#define CODE_TERMINATED (-15)
#define CODE_KILLED (-9)
#endif

/** Whether a sanitizer is at work, which needs memory and address space of its own. */
#if defined(__has_feature)
#define HAS_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

/* Its background thread is in every process, so that none is fit to be copied. */
#if defined(__has_feature)
#define HAS_THREAD_SANITIZER __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define HAS_THREAD_SANITIZER 1
#else
#define HAS_THREAD_SANITIZER 0
#endif

/** The method that the cases run with just now. */
static inline bool method_is(const char *name)
{
    return strcmp(mproc_get_start_method(), name) == 0;
}

/** Start a child; its failure is the test's. */
static inline mproc_process *start_with(mproc_process_fn function, const mproc_args *args,
                                        const mproc_process_options *options)
{
    mproc_process *child = NULL;
    int rc = mproc_process_start(&child, function, args, options);
    if (rc < 0) {
        printf("start: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(child);
    return child;
}

static inline mproc_process *start(mproc_process_fn function, const mproc_args *args)
{
    return start_with(function, args, NULL);
}

/** For starts from a process with threads of which none holds a lock that a child wants. */
static const mproc_process_options with_threads = {.fork_with_threads = true};

/** Join and close a child; its exit code, or INT32_MIN. */
static inline int end_of(mproc_process *child)
{
    int code = INT32_MIN;
    int rc = mproc_process_join(child, LIMIT);
    if (rc < 0) {
        printf("join: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL(rc, MPROC_OK);
    if (rc == MPROC_ETIMEDOUT) {
        (void)mproc_process_kill(child);
        (void)mproc_process_join(child, MPROC_FOREVER);
    }
    rc = mproc_process_exit_code(child, &code);
    CU_ASSERT_EQUAL(rc, MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    return rc < 0 ? INT32_MIN : code;
}

/** A function's way to wait for the end that others prepare: its parent's. */
static inline int stay(void)
{
    (void)mproc_process_join(mproc_parent_process(), MPROC_FOREVER);
    return 1;
}

/** A block with 32-bit words, for parent and children to meet at. */
static inline mproc_block *make_words(size_t count)
{
    mproc_block *block = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, count * sizeof(uint32_t)), MPROC_OK);
    return block;
}

static inline uint32_t *words_of(const mproc_block *block)
{
    return mproc_block_data(block);
}

static inline void set_word(uint32_t *word, uint32_t value)
{
    mproc__store32_release(word, value);
    (void)mplat_wake(word, INT32_MAX);
}

static inline void add_word(uint32_t *word)
{
    (void)mproc__add32(word, 1);
    (void)mplat_wake(word, INT32_MAX);
}

/** Wait until a word is at least `value`; false when it did not become so in time. */
static inline bool await_word(uint32_t *word, uint32_t value)
{
    int64_t deadline = mplat_now() + LIMIT;
    for (;;) {
        uint32_t seen = mproc__load32_acquire(word);
        if (seen >= value) {
            return true;
        }
        int64_t now = mplat_now();
        if (now >= deadline) {
            return false;
        }
        (void)mplat_wait(word, seen, now + mproc_milliseconds(50), NULL, NULL);
    }
}

/** What the family holds, after everything that is kept ready has been let go. */
static inline mproc_arena_stats settled_stats(void)
{
    mproc_arena_stats stats = {0};
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_arena_get_stats(&stats), MPROC_OK);
    return stats;
}

/** Whether nothing is left in the arena that was not there before. */
static inline bool is_same_arena(const mproc_arena_stats *a, const mproc_arena_stats *b)
{
    bool is_same = a->live_blocks == b->live_blocks && a->live_bytes == b->live_bytes &&
                   a->members == b->members;
    if (!is_same) {
        printf("blocks %zu -> %zu, bytes %zu -> %zu, members %zu -> %zu ... ", a->live_blocks,
               b->live_blocks, a->live_bytes, b->live_bytes, a->members, b->members);
    }
    return is_same;
}

/** Run the suite for the wanted method, or for each of them. */
static inline int process_test_main(int argc, char **argv, const char *suite,
                                    const testlib_case *cases, size_t count)
{
    const char *wanted = getenv("MPROC_TEST_METHOD");
    const char *const *methods = mproc_get_all_start_methods();
    bool has_run = false;
    int failed = 0;
    for (size_t i = 0; methods[i] != NULL; i++) {
        bool is_unfit = HAS_THREAD_SANITIZER && strcmp(methods[i], "fork") == 0;
        if (is_unfit || (wanted != NULL && strcmp(wanted, methods[i]) != 0)) {
            continue;
        }
        has_run = true;
        printf("\nstart method: %s\n", methods[i]);
        if (mproc_set_start_method(methods[i]) < 0) {
            return 1;
        }
        failed |= testlib_main(argc, argv, suite, cases, count);
    }
    if (!has_run) {
        printf("skipped: no start method %s on this system, or with this sanitizer\n", wanted);
        return TESTLIB_SKIPPED;
    }
    return failed;
}

#define PROCESS_TEST_MAIN(suite, cases)                                                         \
    int main(int argc, char **argv)                                                             \
    {                                                                                           \
        (void)mproc_main(argc, argv);                                                           \
        return process_test_main(argc, argv, suite, cases, sizeof(cases) / sizeof((cases)[0])); \
    }

#endif
