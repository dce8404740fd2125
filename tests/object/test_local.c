/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_local.c: processes that are threads, or calls.
 */
#include "object/process_test.h"

static mproc_process_options with(const char *method)
{
    return (mproc_process_options){.context = mproc_get_context(method)};
}

/* ---- functions --------------------------------------------------------------------------------- */

static int return_code(const mproc_args *args)
{
    int code;
    int rc = MPROC_UNPACK(args, &code);
    return rc < 0 ? rc : code;
}

/** The arguments are copies, but for blocks. */
static int look_around(const mproc_args *args)
{
    const char *text;
    mproc_block *block;
    uint64_t original;
    if (MPROC_UNPACK(args, &text, &original, &block) < 0) {
        return 1;
    }
    mproc_process *me = mproc_current_process();
    bool is_right = strcmp(text, "copied") == 0 && (uint64_t)(uintptr_t)text != original &&
                    strcmp(mproc_process_name(NULL), "here") == 0 &&
                    mproc_process_name(me) == mproc_process_name(NULL) &&
                    mproc_process_join(me, MPROC_NOWAIT) == MPROC_ESTATE &&
                    mproc_process_close(me) == MPROC_ESTATE && mproc_process_is_alive(me) == 1 &&
                    strcmp(mproc_process_name(mproc_parent_process()), "MainProcess") == 0 &&
                    mproc_process_pid(NULL) == mproc_process_pid(me);
    add_word(words_of(block));
    return is_right ? 5 : 2;
}

static int wait_for_word(const mproc_args *args)
{
    mproc_block *block;
    if (MPROC_UNPACK(args, &block) < 0) {
        return 1;
    }
    add_word(&words_of(block)[1]);
    return await_word(words_of(block), 1) ? 0 : 3;
}

/** One context within the other, and a process within both. */
static int descend(const mproc_args *args)
{
    mproc_process_options options = with("inline");
    mproc_process *child;
    int code = 0;
    int depth;
    if (MPROC_UNPACK(args, &depth) < 0) {
        return 1;
    }
    options.context = depth == 3 ? mproc_get_context("thread") : options.context;
    options.context = depth == 1 ? mproc_get_context("spawn") : options.context;
    if (depth == 0) {
        return 44;
    }
    if (mproc_process_start(&child, descend, MPROC_ARGS(depth - 1), &options) < 0 ||
        mproc_process_join(child, LIMIT) < 0 || mproc_process_exit_code(child, &code) < 0 ||
        mproc_process_close(child) < 0) {
        return 2;
    }
    return code;
}

static int leave_from_a_thread(const mproc_args *args)
{
    (void)args;
    exit(21);
}

static int start_who_leaves(const mproc_args *args)
{
    const char *method;
    mproc_process *child;
    if (MPROC_UNPACK(args, &method) < 0) {
        return 1;
    }
    const mproc_process_options options = with(method);
    if (mproc_process_start(&child, leave_from_a_thread, NULL, &options) < 0) {
        return 2;
    }
    (void)mproc_process_join(child, LIMIT);
    return 3; // never reached
}

/** One thread waits for another, which ends the process: the end waits for neither. */
static int start_who_waits(const mproc_args *args)
{
    mproc_process *child;
    const mproc_process_options options = with("thread");
    (void)args;
    if (mproc_process_start(&child, start_who_leaves, MPROC_ARGS("thread"), &options) < 0) {
        return 2;
    }
    (void)mproc_process_join(child, LIMIT);
    return 3; // never reached
}

static int leave_a_daemon(const mproc_args *args)
{
    mproc_block *block;
    mproc_process *child;
    mproc_process_options options = with("thread");
    options.is_daemon = true;
    if (MPROC_UNPACK(args, &block) < 0 ||
        mproc_process_start(&child, wait_for_word, MPROC_ARGS(block), &options) < 0) {
        return 2;
    }
    return 4;
}

/* ---- cases ------------------------------------------------------------------------------------- */

static void check_context(const char *method)
{
    mproc_process_options options = with(method);
    mproc_block_close(make_words(1)); // the first hold takes a ledger
    mproc_arena_stats before = settled_stats();
    mproc_exit_report report;
    mproc_block *block = make_words(1);
    const char *text = "copied";
    CU_ASSERT_PTR_NOT_NULL_FATAL(options.context);
    CU_ASSERT_STRING_EQUAL(mproc_context_name(options.context), method);
    options.name = "here";
    mproc_process *child =
        start_with(look_around, MPROC_ARGS(text, (uint64_t)(uintptr_t)text, block), &options);
    CU_ASSERT_STRING_EQUAL(mproc_process_name(child), "here");
    CU_ASSERT_EQUAL(mproc_process_pid(child), mproc_process_pid(NULL));
    CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_is_alive(child), 0);
    CU_ASSERT_EQUAL(mproc_process_exit_report(child, &report), MPROC_OK);
    CU_ASSERT_EQUAL(report.exit_code, 5);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK); // there is nothing to kill any more
    CU_ASSERT_EQUAL(end_of(child), 5);
    CU_ASSERT_EQUAL(words_of(block)[0], 1);
    CU_ASSERT_EQUAL(end_of(start_with(return_code, MPROC_ARGS(7), &options)), 7);
    CU_ASSERT_EQUAL(end_of(start_with(return_code, MPROC_ARGS("no number"), &options)), 1);
    CU_ASSERT_STRING_EQUAL(mproc_process_name(NULL), "MainProcess");
    mproc_block_close(block);
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_local__thread(void)
{
    check_context("thread");
}

static void test_local__inline(void)
{
    check_context("inline");
}

static void test_local__running_thread(void)
{
    const mproc_process_options options = with("thread");
    mproc_block *block = make_words(2);
    mproc_process *children[4];
    size_t index;
    int code;
    for (int i = 0; i < 4; i++) {
        children[i] = start_with(wait_for_word, MPROC_ARGS(block), &options);
    }
    CU_ASSERT(await_word(&words_of(block)[1], 4));
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 4);
    CU_ASSERT_EQUAL(mproc_process_is_alive(children[0]), 1);
    CU_ASSERT_EQUAL(mproc_process_join(children[0], MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_wait_any(children, 4, MPROC_NOWAIT, &index), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_exit_code(children[0], &code), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_process_close(children[0]), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_process_terminate(children[0]), MPROC_ENOTSUP);
    CU_ASSERT_EQUAL(mproc_process_kill(children[0]), MPROC_ENOTSUP);
    CU_ASSERT_EQUAL(mproc_process_kill_tree(children[0]), MPROC_ENOTSUP);
    CU_ASSERT_EQUAL(mproc_process_stop(children[0], MPROC_NOWAIT), MPROC_ENOTSUP);
    CU_ASSERT(mproc_process_sentinel(children[0]) != -1);
    set_word(words_of(block), 1);
    CU_ASSERT_EQUAL(mproc_process_wait_any(children, 4, LIMIT, &index), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    mproc_block_close(block);
}

static void test_local__one_in_the_other(void)
{
    const mproc_process_options options = with("thread");
    for (int depth = 0; depth < 5; depth++) {
        CU_ASSERT_EQUAL(end_of(start_with(descend, MPROC_ARGS(depth), &options)), 44);
    }
}

static void test_local__exit_is_the_processs(void)
{
    const mproc_process_options apart = with("spawn");
    mproc_block *block = make_words(2);
    CU_ASSERT_EQUAL(end_of(start_with(start_who_leaves, MPROC_ARGS("thread"), &apart)), 21);
    CU_ASSERT_EQUAL(end_of(start_with(start_who_leaves, MPROC_ARGS("inline"), &apart)), 21);
    CU_ASSERT_EQUAL(end_of(start_with(start_who_waits, NULL, &apart)), 21);
    CU_ASSERT_EQUAL(end_of(start_with(leave_a_daemon, MPROC_ARGS(block), &apart)), 4);
    mproc_block_close(block);
}

static void test_local__options_of_processes(void)
{
    mproc_process *child = NULL;
    mproc_process_options options = with("thread");
    options.nice = 1;
    CU_ASSERT_EQUAL(mproc_process_start(&child, return_code, MPROC_ARGS(0), &options),
                    MPROC_ENOTSUP);
    options = with("inline");
    options.cwd = "/";
    CU_ASSERT_EQUAL(mproc_process_start(&child, return_code, MPROC_ARGS(0), &options),
                    MPROC_ENOTSUP);
    const int cpu = 0;
    options = with("inline"); // the caller's own thread stays as it is
    options.cpus = &cpu;
    options.n_cpus = 1;
    CU_ASSERT_EQUAL(mproc_process_start(&child, return_code, MPROC_ARGS(0), &options),
                    MPROC_ENOTSUP);
    CU_ASSERT_PTR_NULL(child);
    CU_ASSERT_EQUAL(mproc_set_start_method("inline"), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(return_code, MPROC_ARGS(8))), 8);
    CU_ASSERT_EQUAL(mproc_set_start_method(NULL), MPROC_OK);
}

static const testlib_case cases[] = {
    {"thread", test_local__thread},
    {"inline", test_local__inline},
    {"running_thread", test_local__running_thread},
    {"one_in_the_other", test_local__one_in_the_other},
    {"exit_is_the_processs", test_local__exit_is_the_processs},
    {"options_of_processes", test_local__options_of_processes},
};

int main(int argc, char **argv)
{
    return mproc_main(argc, argv) < 0
               ? 1
               : testlib_main(argc, argv, "object.local", cases, MPROC__COUNT(cases));
}
