/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core.h: the core of the process suite, for programs that run it under hard conditions: each function
 * is played in a process of its own, and CHILD_CHECK fails it.
 */
#ifndef TESTS_OBJECT_CORE_H
#define TESTS_OBJECT_CORE_H

#include "object/process_test.h"
#include "object/zombies.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int core_return(const mproc_args *args)
{
    int code;
    CHILD_CHECK(MPROC_UNPACK(args, &code) == 0);
    return code;
}

static int core_stay(const mproc_args *args)
{
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    add_word(words_of(block));
    return stay();
}

static int core_nest(const mproc_args *args)
{
    mproc_process *child;
    int code = -1;
    CHILD_CHECK(args->count == 0);
    CHILD_CHECK(mproc_process_start(&child, core_return, MPROC_ARGS(12), NULL) == 0);
    CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
    CHILD_CHECK(mproc_process_exit_code(child, &code) == 0);
    CHILD_CHECK(mproc_process_close(child) == 0);
    return code;
}

static inline mproc_process *core_start(mproc_process_fn function, const mproc_args *args)
{
    mproc_process *child = NULL;
    // A check that fails ends this process, which then waits for no daemon.
    const mproc_process_options options = {.is_daemon = true};
    int rc = mproc_process_start(&child, function, args, &options);
    if (rc < 0) {
        fprintf(stderr, "start by %s: %s\n", mproc_get_start_method(), mproc_last_error());
    }
    CHILD_CHECK(rc == 0);
    return child;
}

static inline int core_end(mproc_process *child)
{
    int code = INT32_MIN;
    CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
    CHILD_CHECK(mproc_process_exit_code(child, &code) == 0);
    CHILD_CHECK(mproc_process_close(child) == 0);
    return code;
}

/** A child that was killed is gone for all others, though nobody has collected it yet. */
static inline void core_be_noticed(void)
{
    mproc_block *block;
    CHILD_CHECK(mproc_block_create(&block, sizeof(uint32_t)) == 0);
    mproc_process *child = core_start(core_stay, MPROC_ARGS(block));
    CHILD_CHECK(await_word(words_of(block), 1));
    const mplat_identity who = {.pid = mproc_process_pid(child)};
    CHILD_CHECK(mplat_process_alive(&who));
    CHILD_CHECK(mproc_process_kill(child) == 0);
    int64_t deadline = mplat_now() + LIMIT;
    while (mplat_process_alive(&who)) {
        CHILD_CHECK(mplat_now() < deadline);
    }
    CHILD_CHECK(core_end(child) == -SIGKILL);
    mproc_block_close(block);
}

/** Everything once, with the present start method. */
static inline void core_run(int n_children)
{
    mproc_block *block;
    mproc_process *staying[2];
    size_t index = 9;
    CHILD_CHECK(mproc_block_create(&block, 5000000) == 0);
    memset(mproc_block_data(block), 0, 5000000);
    for (int i = 0; i < n_children; i++) {
        CHILD_CHECK(core_end(core_start(core_return, MPROC_ARGS(i % 100))) == i % 100);
    }
    CHILD_CHECK(core_end(core_start(core_nest, NULL)) == 12);
    core_be_noticed();
    for (int i = 0; i < 2; i++) {
        staying[i] = core_start(core_stay, MPROC_ARGS(block));
    }
    CHILD_CHECK(await_word(words_of(block), 2));
    CHILD_CHECK(mproc_process_is_alive(staying[0]) == 1);
    CHILD_CHECK(mproc_process_join(staying[0], mproc_milliseconds(5)) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_process_wait_any(staying, 2, MPROC_NOWAIT, &index) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_process_terminate(staying[1]) == 0);
    CHILD_CHECK(mproc_process_wait_any(staying, 2, LIMIT, &index) == 0 && index == 1);
    CHILD_CHECK(mproc_process_kill_tree(staying[0]) == 0);
    CHILD_CHECK(core_end(staying[0]) == -SIGKILL);
    CHILD_CHECK(core_end(staying[1]) == -SIGTERM);
    mproc_block_close(block);
    CHILD_CHECK(mproc_shutdown(LIMIT) == 0);
    CHILD_CHECK(count_zombies() == 0);
}

/** The same with every start method. */
static inline void core_run_all(int n_children)
{
    const char *const *methods = mproc_get_all_start_methods();
    for (size_t i = 0; methods[i] != NULL; i++) {
        if (HAS_THREAD_SANITIZER && strcmp(methods[i], "fork") == 0) {
            continue;
        }
        CHILD_CHECK(mproc_set_start_method(methods[i]) == 0);
        core_run(n_children);
    }
}

#endif
