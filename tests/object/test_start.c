/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_start.c: which function a child runs, and what becomes of a start that cannot succeed.
 */
#include "object/process_test.h"

#include <apr_dso.h>
#include <apr_env.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

static apr_pool_t *pool;

static void set_up(void)
{
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
}

static void tear_down(void)
{
    apr_pool_destroy(pool);
    apr_terminate();
}

/* ---- children ---------------------------------------------------------------------------------- */

static int return_code(const mproc_args *args)
{
    int code;
    CHILD_CHECK(MPROC_UNPACK(args, &code) == 0);
    return code;
}

/** Start a child of its own until `depth` is 0; each level checks who it is, and counts. */
static int descend(const mproc_args *args)
{
    int depth;
    const char *method;
    const char *name;
    const char *parent_name;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &depth, &method, &name, &parent_name, &block) == 0);
    add_word(words_of(block));
    CHILD_CHECK(strcmp(mproc_get_start_method(), method) == 0);
    CHILD_CHECK(strcmp(mproc_process_name(NULL), name) == 0);
    CHILD_CHECK(strcmp(mproc_process_name(mproc_parent_process()), parent_name) == 0);
    if (depth == 0) {
        return 0;
    }
    char next[100];
    (void)snprintf(next, sizeof(next), "%s:1", name);
    mproc_process *child;
    int code = -1;
    CHILD_CHECK(mproc_process_start(&child, descend,
                                    MPROC_ARGS(depth - 1, method, (const char *)next, name, block),
                                    NULL) == 0);
    CHILD_CHECK(strcmp(mproc_process_name(child), next) == 0);
    CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
    CHILD_CHECK(mproc_process_exit_code(child, &code) == 0);
    CHILD_CHECK(mproc_process_close(child) == 0);
    return code;
}

/** Leave children to the end of the process: a daemon is ended, another one joined. */
static int linger(const mproc_args *args)
{
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    add_word(&words_of(block)[1]);
    if (mproc_process_is_daemon(NULL)) {
        return stay();
    }
    CHILD_CHECK(await_word(&words_of(block)[0], 1));
    add_word(&words_of(block)[2]);
    return 0;
}

static int leave_children_behind(const mproc_args *args)
{
    mproc_block *block;
    bool leaves_by_exit;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &leaves_by_exit) == 0);
    const mproc_process_options daemon = {.is_daemon = true};
    static mproc_process *left[2]; // for leak checkers: known to the end
    CHILD_CHECK(mproc_process_start(&left[0], linger, MPROC_ARGS(block), &daemon) == 0);
    CHILD_CHECK(mproc_process_start(&left[1], linger, MPROC_ARGS(block), NULL) == 0);
    CHILD_CHECK(await_word(&words_of(block)[1], 2));
    set_word(&words_of(block)[0], 1);
    if (leaves_by_exit) {
        exit(8);
    }
    return 8;
}

/* ---- cases ------------------------------------------------------------------------------------- */

static void test_start__children_of_children(void)
{
    mproc_block *block = make_words(1);
    const char *method = mproc_get_start_method();
    mproc_process *child = NULL;
    mproc_process *probe = start(return_code, MPROC_ARGS(0));
    unsigned number = 0;
    CU_ASSERT_EQUAL(sscanf(mproc_process_name(probe), "Process-%u", &number), 1);
    CU_ASSERT_EQUAL(end_of(probe), 0);
    char name[40];
    (void)snprintf(name, sizeof(name), "Process-%u", number + 1);
    CU_ASSERT_EQUAL_FATAL(
        mproc_process_start(&child, descend,
                            MPROC_ARGS(3, method, (const char *)name, "MainProcess", block), NULL),
        MPROC_OK);
    CU_ASSERT_STRING_EQUAL(mproc_process_name(child), name);
    CU_ASSERT_EQUAL(end_of(child), 0);
    CU_ASSERT_EQUAL(words_of(block)[0], 4);
    mproc_block_close(block);
}

static void test_start__child_ends_its_children(void)
{
    mproc_arena_stats before = settled_stats();
    for (int by_exit = 0; by_exit < 2; by_exit++) {
        mproc_block *block = make_words(3);
        bool leaves_by_exit = by_exit != 0;
        mproc_process *child = start(leave_children_behind, MPROC_ARGS(block, leaves_by_exit));
        CU_ASSERT_EQUAL(end_of(child), 8);
        CU_ASSERT_EQUAL(words_of(block)[2], 1); // the one that is no daemon was waited for
        mproc_block_close(block);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_start__method_by_context(void)
{
    const char *const *methods = mproc_get_all_start_methods();
    mproc_block *block = make_words(1);
    for (size_t i = 0; methods[i] != NULL; i++) {
        const mproc_process_options options = {.context = mproc_get_context(methods[i]),
                                               .name = "one"};
        // The child's default is its parent's default, not the method it was started by.
        mproc_process *child = start_with(
            descend, MPROC_ARGS(0, mproc_get_start_method(), "one", "MainProcess", block),
            &options);
        CU_ASSERT_EQUAL(end_of(child), 0);
    }
    mproc_block_close(block);
}

/* ---- libraries --------------------------------------------------------------------------------- */

typedef mproc_process_fn (*module_fn)(void);

static module_fn load(const char *path, apr_dso_handle_t **ret_library)
{
    apr_dso_handle_sym_t symbol = NULL;
    module_fn function = NULL;
    apr_status_t status = apr_dso_load(ret_library, path, pool);
    char text[200];
    if (status != APR_SUCCESS) {
        printf("%s ... ", apr_dso_error(*ret_library, text, sizeof(text)));
    }
    CU_ASSERT_EQUAL_FATAL(status, APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_dso_sym(&symbol, *ret_library, "module_function"), APR_SUCCESS);
    memcpy(&function, &symbol, sizeof(function));
    return function;
}

static void test_start__function_of_a_loaded_library(void)
{
    set_up();
    apr_dso_handle_t *library;
    module_fn find = load(MODULE_A, &library);
    CU_ASSERT_EQUAL(end_of(start(find(), MPROC_ARGS(1))), 21);
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(apr_dso_unload(library), APR_SUCCESS);
    tear_down();
}

static void copy_file(const char *from, const char *to)
{
    CU_ASSERT_EQUAL_FATAL(apr_file_copy(from, to, APR_FPROT_FILE_SOURCE_PERMS, pool), APR_SUCCESS);
}

static void test_start__another_build_of_the_library(void)
{
    set_up();
    const char *base;
    CU_ASSERT_EQUAL_FATAL(apr_temp_dir_get(&base, pool), APR_SUCCESS);
    const char *path =
        apr_psprintf(pool, "%s/mproc-module-%ld-%ld.so", base, (long)mproc_process_pid(NULL),
                     (long)(mplat_now() / 1000 % 1000000000));
    const char *aside = apr_pstrcat(pool, path, ".old", NULL);
    copy_file(MODULE_A, path);
    apr_dso_handle_t *library;
    module_fn find = load(path, &library);
    CU_ASSERT_EQUAL(apr_file_rename(path, aside, pool), APR_SUCCESS);
    copy_file(MODULE_B, path);
    mproc_process *child = start(find(), MPROC_ARGS(1));
    if (method_is("fork")) {
        CU_ASSERT_EQUAL(end_of(child), 21); // a copy has the library as it was
    } else {
        CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_ESTART);
        CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "another build"));
        CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    }
    CU_ASSERT_EQUAL(apr_file_remove(path, pool), APR_SUCCESS);
    child = start(find(), MPROC_ARGS(1));
    if (method_is("fork")) {
        CU_ASSERT_EQUAL(end_of(child), 21);
    } else {
        CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_ESTART);
        CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "mproc-module"));
        CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(apr_dso_unload(library), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_file_remove(aside, pool), APR_SUCCESS);
    tear_down();
}

/* ---- programs ---------------------------------------------------------------------------------- */

static void test_start__program_without_mproc_main(void)
{
    set_up();
    const char *const argv[] = {NO_MAIN, "parent", NULL};
    apr_procattr_t *attributes;
    apr_proc_t process;
    int code = -1;
    apr_exit_why_e why;
    CU_ASSERT_EQUAL(apr_procattr_create(&attributes, pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_proc_create(&process, NO_MAIN, argv, NULL, attributes, pool),
                          APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_proc_wait(&process, &code, &why, APR_WAIT), APR_CHILD_DONE);
    CU_ASSERT_EQUAL(code, 42);
    tear_down();
}

static void test_start__child_program_without_mproc_main(void)
{
    if (method_is("fork")) {
        testlib_skip("fork executes no program");
        return;
    }
    // A child that ends without having become one is noticed, and nobody waits in vain.
    mproc_arena_stats before = settled_stats();
    CU_ASSERT_EQUAL(mproc_set_executable(NO_MAIN), MPROC_OK);
    mproc_process *child = NULL;
    int rc = mproc_process_start(&child, return_code, MPROC_ARGS(0), NULL);
    if (method_is("spawn")) {
        CU_ASSERT_EQUAL(rc, MPROC_OK);
        CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_ESTART);
        CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "mproc_main"));
        CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    } else {
        CU_ASSERT(rc < 0);
    }
    CU_ASSERT_EQUAL(mproc_set_executable(NULL), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(return_code, MPROC_ARGS(9))), 9);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_start__another_program(void)
{
    if (method_is("fork")) {
        testlib_skip("fork executes no program");
        return;
    }
    // It calls mproc_main, but is not the program the function belongs to.
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_set_executable(OTHER_MAIN), MPROC_OK);
    mproc_process *child = start(return_code, MPROC_ARGS(0));
    CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_ESTART);
    CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "another build"));
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    // Functions of libraries are found there.
    set_up();
    apr_dso_handle_t *library;
    module_fn find = load(MODULE_A, &library);
    CU_ASSERT_EQUAL(end_of(start(find(), MPROC_ARGS(1))), 21);
    CU_ASSERT_EQUAL(mproc_set_executable(NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(apr_dso_unload(library), APR_SUCCESS);
    tear_down();
}

static void test_start__program_that_cannot_be_executed(void)
{
    CU_ASSERT_EQUAL(mproc_set_executable("/there/is/no such program"), MPROC_ENOENT);
    CU_ASSERT_EQUAL(mproc_set_executable(""), MPROC_ENOENT);
    char *longest = calloc(1, 100000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(longest);
    memset(longest, 'x', 99999);
    CU_ASSERT_EQUAL(mproc_set_executable(longest), MPROC_EINVAL);
    free(longest);
    if (method_is("fork")) {
        return;
    }
    mproc_arena_stats before = settled_stats();
    CU_ASSERT_EQUAL(mproc_set_executable(__FILE__), MPROC_OK); // a file, but no program
    mproc_process *child = NULL;
    CU_ASSERT_EQUAL(mproc_process_start(&child, return_code, MPROC_ARGS(0), NULL), MPROC_ENOEXEC);
    CU_ASSERT_PTR_NULL(child);
    CU_ASSERT_EQUAL(mproc_set_executable(NULL), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(return_code, MPROC_ARGS(4))), 4);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"children_of_children", test_start__children_of_children},
    {"child_ends_its_children", test_start__child_ends_its_children},
    {"method_by_context", test_start__method_by_context},
    {"function_of_a_loaded_library", test_start__function_of_a_loaded_library},
    {"another_build_of_the_library", test_start__another_build_of_the_library},
    {"program_without_mproc_main", test_start__program_without_mproc_main},
    {"child_program_without_mproc_main", test_start__child_program_without_mproc_main},
    {"another_program", test_start__another_program},
    {"program_that_cannot_be_executed", test_start__program_that_cannot_be_executed},
};

PROCESS_TEST_MAIN("object.start", cases)
