/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_leaks.c: what a process has not closed is told when it ends, with MPROC_LEAKS.
 */
#include "object/report_test.h"

#include <apr_thread_proc.h>

static const char *program; /* this one's file */

static const char *const env_on[] = {"MPROC_LEAKS=1", NULL};
static const char *const env_off[] = {"MPROC_LEAKS=0", NULL};

/** What is left open is still known to somebody, or other tools would find it, too. */
static void open_all(void)
{
    static mproc_lock *lock;
    static mproc_block *block;
    static mproc_shared_memory *memory;
    CHILD_CHECK(mproc_lock_create(&lock, NULL) == 0);
    CHILD_CHECK(mproc_block_create(&block, 1234) == 0);
    const mproc_shared_memory_options options = {.auto_unlink = true};
    CHILD_CHECK(mproc_shared_memory_create(&memory, NULL, 4321, &options) == 0);
}

/** Open and close one of each kind. */
static void close_all(mproc_lock *other)
{
    mproc_lock *lock;
    mproc_rlock *rlock;
    mproc_block *block;
    mproc_event *event;
    mproc_semaphore *semaphore;
    mproc_condition *condition;
    mproc_barrier *barrier;
    mproc_array *array;
    mproc_shared_value *value;
    CHILD_CHECK(mproc_lock_attach(&lock, other) == 0);
    CHILD_CHECK(mproc_rlock_create(&rlock, NULL) == 0);
    CHILD_CHECK(mproc_block_create(&block, 100000) == 0);
    CHILD_CHECK(mproc_event_create(&event) == 0);
    CHILD_CHECK(mproc_semaphore_create(&semaphore, 1, NULL) == 0);
    CHILD_CHECK(mproc_condition_create(&condition, NULL) == 0);
    CHILD_CHECK(mproc_barrier_create(&barrier, 1, NULL) == 0);
    CHILD_CHECK(mproc_array_create(&array, 'i', 10, NULL, NULL) == 0);
    CHILD_CHECK(mproc_shared_value_create(&value, 'd', NULL, NULL) == 0);
    mproc_shared_value_close(value);
    mproc_array_close(array);
    mproc_barrier_close(barrier);
    mproc_condition_close(condition);
    mproc_semaphore_close(semaphore);
    mproc_event_close(event);
    mproc_block_close(block);
    mproc_rlock_close(rlock);
    mproc_lock_close(lock);
}

static int leave_open(const mproc_args *args)
{
    mproc_lock *lock;
    CHILD_CHECK(MPROC_UNPACK(args, &lock) == 0);
    close_all(lock);
    open_all();
    return 7;
}

static int leave_open_and_exit(const mproc_args *args)
{
    (void)args;
    open_all();
    exit(8);
}

static int close_what_it_opens(const mproc_args *args)
{
    mproc_lock *lock;
    CHILD_CHECK(MPROC_UNPACK(args, &lock) == 0);
    close_all(lock);
    return 9;
}

/** Run a child; its exit code. */
static int run(mproc_process_fn function, const char *const *env, const report *to)
{
    mproc_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), MPROC_OK);
    const mproc_process_options options = {.env = env, .stderr_path = to->path};
    int code = end_of(start_with(function, MPROC_ARGS(lock), &options));
    mproc_lock_close(lock);
    return code;
}

/** That, and no more, is what open_all left open. */
static void check_report(const report *from)
{
    CU_ASSERT_EQUAL(count_in_report(from, "has not closed 3 handles:\n"), 1);
    CU_ASSERT_EQUAL(count_in_report(from, "  a lock, "), 1);
    CU_ASSERT_EQUAL(count_in_report(from, "  a block, 1234 bytes, opened at\n    "), 1);
    CU_ASSERT_EQUAL(count_in_report(from, "  a shared memory \"mproc_"), 1);
    CU_ASSERT_EQUAL(count_in_report(from, "\", 4321 bytes, opened at\n    "), 1);
    CU_ASSERT_EQUAL(count_in_report(from, ", opened at\n"), 3);
    // Each from the call in this program's code.
    CU_ASSERT(count_in_report(from, "test_object_leaks") >= 3);
    CU_ASSERT(count_in_report(from, "+0x") >= 3);
}

static void test_leaks__are_told_at_the_end(void)
{
    report told = make_report("leaks");
    CU_ASSERT_EQUAL(run(leave_open, env_on, &told), 7);
    check_report(&told);
    close_report(&told);
}

static void test_leaks__are_told_at_exit(void)
{
    report told = make_report("leaks");
    CU_ASSERT_EQUAL(run(leave_open_and_exit, env_on, &told), 8);
    check_report(&told);
    close_report(&told);
}

static void test_leaks__nothing_is_told_without_them(void)
{
    report told = make_report("leaks");
    CU_ASSERT_EQUAL(run(close_what_it_opens, env_on, &told), 9);
    CU_ASSERT_STRING_EQUAL(read_report(&told), "");
    CU_ASSERT_EQUAL(run(leave_open, env_off, &told), 7);
    CU_ASSERT_STRING_EQUAL(read_report(&told), "");
    CU_ASSERT_EQUAL(run(leave_open, NULL, &told), 7);
    CU_ASSERT_STRING_EQUAL(read_report(&told), "");
    close_report(&told);
}

/* ---- copies ---------------------------------------------------------------------------------- */

static int do_nothing(const mproc_args *args)
{
    return (int)args->count;
}

/** Its copy inherits what it has open, and closes some of that; it closes the rest itself. */
static int be_copied(const mproc_args *args)
{
    const char *path;
    mproc_lock *lock;
    mproc_process *copy;
    int code = -1;
    CHILD_CHECK(MPROC_UNPACK(args, &path) == 0);
    const mproc_process_options options = {.stderr_path = path};
    CHILD_CHECK(mproc_lock_create(&lock, NULL) == 0);
    CHILD_CHECK(mproc_process_start(&copy, do_nothing, NULL, &options) == 0);
    CHILD_CHECK(mproc_process_join(copy, LIMIT) == 0);
    CHILD_CHECK(mproc_process_exit_code(copy, &code) == 0 && code == 0);
    CHILD_CHECK(mproc_process_close(copy) == 0);
    mproc_lock_close(lock);
    return 0;
}

static void test_leaks__of_the_original_are_not_the_copys(void)
{
    report told = make_report("original");
    report copys = make_report("copy");
    const mproc_process_options options = {.env = env_on, .stderr_path = told.path};
    CU_ASSERT_EQUAL(end_of(start_with(be_copied, MPROC_ARGS(copys.path), &options)), 0);
    CU_ASSERT_STRING_EQUAL(read_report(&copys), "");
    CU_ASSERT_STRING_EQUAL(read_report(&told), "");
    close_report(&copys);
    close_report(&told);
}

/* ---- the first process of a family ----------------------------------------------------------- */

static void test_leaks__of_the_first_process_are_told(void)
{
    apr_proc_t process;
    apr_procattr_t *attributes;
    apr_file_t *file;
    int code = -1;
    apr_exit_why_e why;
    report told = make_report("first");
    const char *const args[] = {program, "leave_open", NULL};
    CU_ASSERT_EQUAL_FATAL(apr_file_open(&file, told.path,
                                        APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE,
                                        APR_FPROT_OS_DEFAULT, told.pool),
                          APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_env_set("MPROC_LEAKS", "1", told.pool), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_procattr_create(&attributes, told.pool), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_procattr_child_err_set(attributes, file, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_proc_create(&process, program, args, NULL, attributes, told.pool),
                    APR_SUCCESS);
    (void)apr_env_delete("MPROC_LEAKS", told.pool);
    CU_ASSERT(APR_STATUS_IS_CHILD_DONE(apr_proc_wait(&process, &code, &why, APR_WAIT)));
    CU_ASSERT_EQUAL(code, 11);
    (void)apr_file_close(file);
    check_report(&told);
    CU_ASSERT_EQUAL(count_in_report(&told, "mproc: MainProcess (process "), 1);
    close_report(&told);
}

static const testlib_case cases[] = {
    {"are_told_at_the_end", test_leaks__are_told_at_the_end},
    {"are_told_at_exit", test_leaks__are_told_at_exit},
    {"nothing_is_told_without_them", test_leaks__nothing_is_told_without_them},
    {"of_the_original_are_not_the_copys", test_leaks__of_the_original_are_not_the_copys},
    {"of_the_first_process_are_told", test_leaks__of_the_first_process_are_told},
};

int main(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "leave_open") == 0) {
        open_all();
        return 11;
    }
    return process_test_main(argc, argv, "object.leaks", cases, MPROC__COUNT(cases));
}
