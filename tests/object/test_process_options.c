/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_process_options.c: what a process changes about itself before it runs its function.
 */
#include "object/process_test.h"

#include <apr_env.h>
#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#ifndef _WIN32
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

static apr_pool_t *pool;
static char *folder; /* of this case, empty at first */

/** A new folder for a case; its path is absolute. */
static void set_up(void)
{
    const char *base;
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_temp_dir_get(&base, pool), APR_SUCCESS);
    folder = apr_psprintf(pool, "%s/mproc-%ld-%ld", base, (long)mproc_process_pid(NULL),
                          (long)(mplat_now() / 1000 % 1000000000));
    CU_ASSERT_EQUAL_FATAL(apr_dir_make(folder, APR_FPROT_OS_DEFAULT, pool), APR_SUCCESS);
}

static const char *in_folder(const char *name)
{
    return apr_pstrcat(pool, folder, "/", name, NULL);
}

static void tear_down(void)
{
    static const char *const names[] = {"in", "out", "err", "made", "both"};
    for (size_t i = 0; i < MPROC__COUNT(names); i++) {
        (void)apr_file_remove(in_folder(names[i]), pool);
    }
    CU_ASSERT_EQUAL(apr_dir_remove(folder, pool), APR_SUCCESS);
    apr_pool_destroy(pool);
    apr_terminate();
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(text, file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

/** A file's content without carriage returns. */
static const char *read_file(const char *name)
{
    char *text = apr_pcalloc(pool, 4096);
    FILE *file = fopen(in_folder(name), "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t length = 0;
    for (int c; (c = fgetc(file)) != EOF && length < 4095;) {
        if (c != '\r') {
            text[length++] = (char)c;
        }
    }
    (void)fclose(file);
    return text;
}

/* ---- children ---------------------------------------------------------------------------------- */

static int say_where(const mproc_args *args)
{
    const char *expected;
    char here[4096];
    CHILD_CHECK(MPROC_UNPACK(args, &expected) == 0);
    CHILD_CHECK(mplat_directory(here, sizeof(here)) == 0);
    if (strcmp(here, expected) != 0) {
        fprintf(stderr, "in %s, not in %s\n", here, expected);
    }
    FILE *file = fopen("made", "w");
    CHILD_CHECK(file != NULL && fclose(file) == 0);
    return strcmp(here, expected) != 0;
}

static int check_env(const mproc_args *args)
{
    CHILD_CHECK(args->count == 0);
    const char *set = getenv("MPROC_T_SET");
    const char *empty = getenv("MPROC_T_EMPTY");
    const char *kept = getenv("MPROC_T_KEPT");
    const char *over = getenv("MPROC_T_OVER");
    CHILD_CHECK(set != NULL && strcmp(set, "a=b c") == 0);
    CHILD_CHECK(empty == NULL || empty[0] == '\0'); // Windows knows no empty variables
    CHILD_CHECK(getenv("MPROC_T_GONE") == NULL);
    CHILD_CHECK(kept != NULL && strcmp(kept, "kept") == 0);
    CHILD_CHECK(over != NULL && strcmp(over, "after") == 0);
    return 0;
}

static int echo(const mproc_args *args)
{
    char line[100] = "nothing\n";
    CHILD_CHECK(args->count == 0);
    char read[100];
    if (fgets(read, sizeof(read), stdin) != NULL) {
        memcpy(line, read, sizeof(line));
    }
    printf("out %s", line);
    fflush(stdout);
    fprintf(stderr, "err %s", line);
    return 0;
}

#ifndef _WIN32
static int check_self(const mproc_args *args)
{
    int nice_value;
    int mask;
    int cpu;
    CHILD_CHECK(MPROC_UNPACK(args, &nice_value, &mask, &cpu) == 0);
    CHILD_CHECK(getpriority(PRIO_PROCESS, 0) == nice_value);
    mode_t old = umask(0);
    CHILD_CHECK(old == (mode_t)mask);
    cpu_set_t set;
    CHILD_CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
    CHILD_CHECK(cpu < 0 || (CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)cpu, &set)));
    CHILD_CHECK(cpu < 0 || mproc_cpu_count() == 1);
    return 0;
}

static int check_user(const mproc_args *args)
{
    int user;
    int group;
    CHILD_CHECK(MPROC_UNPACK(args, &user, &group) == 0);
    CHILD_CHECK(getuid() == (uid_t)user && geteuid() == (uid_t)user);
    CHILD_CHECK(getgid() == (gid_t)group && getgroups(0, NULL) == 0);
    return 0;
}
#endif

static int return_code(const mproc_args *args)
{
    int code;
    CHILD_CHECK(MPROC_UNPACK(args, &code) == 0);
    return code;
}

/* ---- cases ------------------------------------------------------------------------------------- */

static void test_process_options__directory(void)
{
    set_up();
    char here[4096];
    char *canonical;
    CU_ASSERT_EQUAL(mplat_directory(here, sizeof(here)), MPROC_OK);
    CU_ASSERT_EQUAL(apr_filepath_merge(&canonical, NULL, folder,
                                       APR_FILEPATH_TRUENAME | APR_FILEPATH_NATIVE, pool),
                    APR_SUCCESS);
    mproc_process_options options = {.cwd = folder};
    CU_ASSERT_EQUAL(end_of(start_with(say_where, MPROC_ARGS((const char *)canonical), &options)),
                    0);
    apr_finfo_t info;
    CU_ASSERT_EQUAL(apr_stat(&info, in_folder("made"), APR_FINFO_TYPE, pool), APR_SUCCESS);
    // The parent has not moved, and where it moves its next children go along.
    char now[4096];
    CU_ASSERT_EQUAL(mplat_directory(now, sizeof(now)), MPROC_OK);
    CU_ASSERT_STRING_EQUAL(now, here);
#ifndef _WIN32
    CU_ASSERT_EQUAL(chdir(folder), 0);
    CU_ASSERT_EQUAL(end_of(start(say_where, MPROC_ARGS((const char *)folder))), 0);
    const char *base = strrchr(folder, '/') + 1;
    CU_ASSERT_EQUAL(chdir(".."), 0);
    options.cwd = base; // relative to the parent's
    CU_ASSERT_EQUAL(end_of(start_with(say_where, MPROC_ARGS((const char *)folder), &options)), 0);
    CU_ASSERT_EQUAL(chdir(here), 0);
#endif
    tear_down();
}

static void test_process_options__missing_directory(void)
{
    // Who finds that out is the child, or already the parent; it is never a silent start elsewhere.
    const mproc_process_options options = {.cwd = "/there/is no/such directory"};
    mproc_process *child = NULL;
    int rc = mproc_process_start(&child, return_code, MPROC_ARGS(0), &options);
    if (rc >= 0) {
        CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_ESTART);
        CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "no/such directory"));
        int code = 0;
        CU_ASSERT_EQUAL(mproc_process_exit_code(child, &code), MPROC_OK);
        CU_ASSERT_EQUAL(code, 1);
        CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    } else {
        CU_ASSERT(rc == MPROC_ENOENT || rc == MPROC_EACCES);
    }
}

static void test_process_options__environment(void)
{
    set_up();
    CU_ASSERT_EQUAL(apr_env_set("MPROC_T_KEPT", "kept", pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_env_set("MPROC_T_OVER", "before", pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_env_set("MPROC_T_GONE", "there", pool), APR_SUCCESS);
    // The fork server has the environment of its own start.
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    static const char *const env[] = {"MPROC_T_SET=a=b c", "MPROC_T_EMPTY=", "MPROC_T_GONE",
                                      "MPROC_T_OVER=after", NULL};
    const mproc_process_options options = {.env = env};
    CU_ASSERT_EQUAL(end_of(start_with(check_env, NULL, &options)), 0);
    char *value = NULL;
    CU_ASSERT_EQUAL_FATAL(apr_env_get(&value, "MPROC_T_OVER", pool), APR_SUCCESS);
    CU_ASSERT_STRING_EQUAL(value, "before");
    CU_ASSERT_EQUAL(apr_env_get(&value, "MPROC_T_SET", pool), APR_ENOENT);
    (void)apr_env_delete("MPROC_T_KEPT", pool);
    (void)apr_env_delete("MPROC_T_OVER", pool);
    (void)apr_env_delete("MPROC_T_GONE", pool);
    tear_down();
}

static void test_process_options__streams(void)
{
    set_up();
    write_file("in", "hello\nworld\n");
    write_file("out", "this is much longer than what will be written and is to be truncated\n");
    const mproc_process_options options = {
        .stdin_path = in_folder("in"),
        .stdout_path = in_folder("out"),
        .stderr_path = in_folder("err"),
    };
    CU_ASSERT_EQUAL(end_of(start_with(echo, NULL, &options)), 0);
    CU_ASSERT_STRING_EQUAL(read_file("out"), "out hello\n");
    CU_ASSERT_STRING_EQUAL(read_file("err"), "err hello\n");
    tear_down();
}

static void test_process_options__one_file_for_both(void)
{
    set_up();
    const char *path = in_folder("both");
    const mproc_process_options options = {.stdout_path = path,
                                           .stderr_path = apr_pstrdup(pool, path)};
    CU_ASSERT_EQUAL(end_of(start_with(echo, NULL, &options)), 0);
    // The default input is the null device, whatever the parent's is; nothing overwrites the other.
    CU_ASSERT_STRING_EQUAL(read_file("both"), "out nothing\nerr nothing\n");
    tear_down();
}

static void test_process_options__missing_files(void)
{
    set_up();
    mproc_process *child = NULL;
    mproc_arena_stats before = settled_stats();
    const mproc_process_options in = {.stdin_path = in_folder("missing")};
    CU_ASSERT_EQUAL(mproc_process_start(&child, echo, NULL, &in), MPROC_ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "missing"));
    const mproc_process_options out = {.stdout_path = in_folder("missing/out")};
    CU_ASSERT_EQUAL(mproc_process_start(&child, echo, NULL, &out), MPROC_ENOENT);
    const mproc_process_options err = {.stdout_path = in_folder("out"), .stderr_path = folder};
    CU_ASSERT(mproc_process_start(&child, echo, NULL, &err) < 0);
    CU_ASSERT_PTR_NULL(child);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
    tear_down();
}

#ifndef _WIN32
static void test_process_options__mask_priority_processor(void)
{
    mode_t mask = umask(0);
    (void)umask(mask);
    int old = getpriority(PRIO_PROCESS, 0);
    cpu_set_t set;
    CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof(set), &set), 0);
    int cpu = 0;
    while (!CPU_ISSET((size_t)cpu, &set)) {
        cpu++;
    }
    mproc_process_options options = {
        .nice = 3, .set_umask = true, .umask = 027, .cpus = &cpu, .n_cpus = 1};
    CU_ASSERT_EQUAL(end_of(start_with(check_self, MPROC_ARGS(old + 3, 027, cpu), &options)), 0);
    // A mask of 0 is one too, and without the wish nothing changes.
    options = (mproc_process_options){.set_umask = true};
    CU_ASSERT_EQUAL(end_of(start_with(check_self, MPROC_ARGS(old, 0, -1), &options)), 0);
    options = (mproc_process_options){.umask = 077};
    CU_ASSERT_EQUAL(end_of(start_with(check_self, MPROC_ARGS(old, (int)mask, -1), &options)), 0);
    CU_ASSERT_EQUAL(getpriority(PRIO_PROCESS, 0), old);
    const int nowhere[] = {CPU_SETSIZE + 5};
    options = (mproc_process_options){.cpus = nowhere, .n_cpus = 1};
    mproc_process *child = NULL;
    CU_ASSERT_EQUAL(mproc_process_start(&child, return_code, MPROC_ARGS(0), &options),
                    MPROC_EINVAL);
    options = (mproc_process_options){.n_cpus = 1};
    CU_ASSERT_EQUAL(mproc_process_start(&child, return_code, MPROC_ARGS(0), &options),
                    MPROC_EINVAL);
}

static void test_process_options__user(void)
{
    const mproc_process_options options = {.set_user = true, .user = 65534, .group = 65533};
    if (geteuid() != 0) {
        mproc_process *child = start_with(check_user, MPROC_ARGS(65534, 65533), &options);
        CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_ESTART);
        CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
        return;
    }
    CU_ASSERT_EQUAL(end_of(start_with(check_user, MPROC_ARGS(65534, 65533), &options)), 0);
}
#else
static void test_process_options__not_on_this_system(void)
{
    const mproc_process_options options = {.set_user = true, .user = 1, .group = 1};
    mproc_process *child = NULL;
    CU_ASSERT_EQUAL(mproc_process_start(&child, return_code, MPROC_ARGS(0), &options),
                    MPROC_ENOTSUP);
    CU_ASSERT_PTR_NULL(child);
}
#endif

static const testlib_case cases[] = {
    {"directory", test_process_options__directory},
    {"missing_directory", test_process_options__missing_directory},
    {"environment", test_process_options__environment},
    {"streams", test_process_options__streams},
    {"one_file_for_both", test_process_options__one_file_for_both},
    {"missing_files", test_process_options__missing_files},
#ifndef _WIN32
    {"mask_priority_processor", test_process_options__mask_priority_processor},
    {"user", test_process_options__user},
#else
    {"not_on_this_system", test_process_options__not_on_this_system},
#endif
};

PROCESS_TEST_MAIN("object.process_options", cases)
