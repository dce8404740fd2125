/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_start_kills.c: children killed at random instants of their start. Nobody hangs, and nothing of
 * theirs is left: no zombie, descriptor, mapping, block or member.
 */
#include "stress/storm.h"

#ifndef _WIN32
#include <signal.h>
#endif

/* How long a start takes at most, roughly, of which instants are chosen. */
#define START_NS ((int64_t)3000000)

static int work(const mproc_args *args)
{
    mproc_block *block;
    mproc_bytes bytes;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &bytes) == 0);
    add_word(words_of(block));
    return bytes.size == 1000 ? 0 : 3;
}

/** Start one, kill it, join it: every outcome but a hang or a wrong code is right. */
static void start_and_kill(mproc_block *block)
{
    static const char bytes[1000];
    mproc_process *child = start(work, MPROC_ARGS(block, mproc_bytes_of(bytes, sizeof(bytes))));
    pass_time(START_NS);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    int code = 99;
    int rc = mproc_process_join(child, LIMIT);
    CU_ASSERT(rc == MPROC_OK || rc == MPROC_ESTART);
    CU_ASSERT_EQUAL(mproc_process_exit_code(child, &code), MPROC_OK);
    CU_ASSERT(code == CODE_KILLED || (code == 0 && rc == MPROC_OK));
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
}

static void test_start_kills__random_instants(void)
{
    mproc_block *block = make_words(1);
    CU_ASSERT_EQUAL(end_of(start(work, MPROC_ARGS(block, mproc_bytes_of(NULL, 0)))), 3);
    belongings before = take_stock();
    for (long i = 0; testlib_goes_on(i, testlib_count(20, 1000)); i++) {
        start_and_kill(block);
    }
    belongings after = take_stock();
    check_belongings(&before, &after);
    CU_ASSERT_EQUAL(end_of(start(work, MPROC_ARGS(block, mproc_bytes_of(NULL, 0)))), 3);
    mproc_block_close(block);
}

#ifndef _WIN32
static void test_start_kills__ready_children(void)
{
    if (!method_is("forkserver")) {
        testlib_skip("only the fork server keeps children ready");
        return;
    }
    mproc_block *block = make_words(1);
    static const char bytes[1000];
    const mproc_args *args = MPROC_ARGS(block, mproc_bytes_of(bytes, sizeof(bytes)));
    CU_ASSERT_EQUAL(end_of(start(work, args)), 0);
    belongings before = take_stock();
    for (long i = 0; testlib_goes_on(i, testlib_count(20, 1000)); i++) {
        CU_ASSERT_EQUAL(end_of(start(work, args)), 0);
        pass_time(START_NS / 10);
        int64_t pid = pid_of_member("ready", 0);
        if (pid > 0) {
            (void)kill((pid_t)pid, SIGKILL);
        }
        // The start that comes upon it takes the next one. If it had its job already, it is a child
        // that died before its function.
        mproc_process *child = start(work, args);
        int rc = mproc_process_join(child, LIMIT);
        CU_ASSERT(rc == MPROC_OK || rc == MPROC_ESTART);
        CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    }
    belongings after = take_stock();
    check_belongings(&before, &after);
    mproc_block_close(block);
}
#endif

static const testlib_case cases[] = {
    {"random_instants", test_start_kills__random_instants},
#ifndef _WIN32
    {"ready_children", test_start_kills__ready_children},
#endif
};

PROCESS_TEST_MAIN("stress.start_kills", cases)
