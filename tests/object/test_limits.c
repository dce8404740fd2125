/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_limits.c: out of processes, descriptors, address space and memory: each a clear error in good
 * time, nothing leaked, and everything works again when there is room. Linux only.
 *
 * Limits hold for a whole process, so each case runs in a process of its own: this program again,
 * with the case's name in its environment.
 */
#include "object/container_check.h"
#include "object/process_test.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCENE "MPROC_TEST_SCENE"

/* ---- children ---------------------------------------------------------------------------------- */

static int return_code(const mproc_args *args)
{
    int code;
    CHILD_CHECK(MPROC_UNPACK(args, &code) == 0);
    return code;
}

static int stay_here(const mproc_args *args)
{
    (void)args;
    return stay();
}

/* ---- scenes: each a process of its own, in which CHILD_CHECK fails the case --------------------- */

static size_t count_fds(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    CHILD_CHECK(directory != NULL);
    while (readdir(directory) != NULL) {
        count++;
    }
    (void)closedir(directory);
    return count;
}

static void check_works(void)
{
    mproc_process *child;
    int code = -1;
    int rc = mproc_process_start(&child, return_code, MPROC_ARGS(17), NULL);
    if (rc < 0) {
        fprintf(stderr, "start: %d %s\n", rc, mproc_last_error());
    }
    CHILD_CHECK(rc == 0);
    CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
    CHILD_CHECK(mproc_process_exit_code(child, &code) == 0 && code == 17);
    CHILD_CHECK(mproc_process_close(child) == 0);
}

typedef struct stock {
    size_t n_fds;
    mproc_arena_stats arena;
} stock;

static stock take_stock(void)
{
    stock now = {0};
    CHILD_CHECK(mproc_shutdown(LIMIT) == 0);
    CHILD_CHECK(mproc_arena_get_stats(&now.arena) == 0);
    now.n_fds = count_fds();
    return now;
}

static void check_stock(const stock *before)
{
    stock after = take_stock();
    if (after.n_fds != before->n_fds) {
        fprintf(stderr, "descriptors %zu -> %zu\n", before->n_fds, after.n_fds);
    }
    CHILD_CHECK(after.n_fds == before->n_fds);
    CHILD_CHECK(is_same_arena(&before->arena, &after.arena));
}

/** Start children that stay, until one cannot be started; then end all of them. */
static int fill(size_t most, int *ret_error)
{
    mproc_process **children = calloc(most, sizeof(mproc_process *));
    CHILD_CHECK(children != NULL);
    size_t n = 0;
    *ret_error = 0;
    while (n < most && *ret_error == 0) {
        int rc = mproc_process_start(&children[n], stay_here, NULL, NULL);
        *ret_error = rc < 0 ? rc : 0;
        n += rc < 0 ? 0 : 1;
    }
    // Once more: the first failure must not be the one that leaves a lock taken.
    mproc_process *unused = NULL;
    if (*ret_error < 0) {
        CHILD_CHECK(mproc_process_start(&unused, stay_here, NULL, NULL) < 0);
        CHILD_CHECK(strlen(mproc_last_error()) > 0);
    }
    for (size_t i = 0; i < n; i++) {
        CHILD_CHECK(mproc_process_kill(children[i]) == 0);
        int rc = mproc_process_join(children[i], LIMIT);
        CHILD_CHECK(rc == 0 || rc == MPROC_ESTART);
        CHILD_CHECK(mproc_process_close(children[i]) == 0);
    }
    free(children);
    return (int)n;
}

static void set_limit(int which, rlim_t value)
{
    struct rlimit limit;
    CHILD_CHECK(getrlimit((__rlimit_resource_t)which, &limit) == 0);
    limit.rlim_cur = value;
    CHILD_CHECK(setrlimit((__rlimit_resource_t)which, &limit) == 0);
}

/** Out of processes. Root has no limit, so this becomes somebody else first. */
static void few_processes(void)
{
    if (geteuid() == 0) {
        // A user id of nobody else's on this machine, most likely, so that the count is ours alone.
        uid_t user = (uid_t)(1000000 + getpid());
        CHILD_CHECK(setgid(user) == 0 && setuid(user) == 0);
    }
    check_works();
    stock before = take_stock();
    set_limit(RLIMIT_NPROC, 6);
    int error;
    int n = fill(50, &error);
    CHILD_CHECK(error == MPROC_ENPROC);
    CHILD_CHECK(n < 8);
    set_limit(RLIMIT_NPROC, 1000);
    check_works();
    check_stock(&before);
}

/** Out of descriptors, at every number of them. */
static void few_descriptors(void)
{
    check_works();
    stock before = take_stock();
    for (rlim_t limit = 4; limit <= 64; limit++) {
        set_limit(RLIMIT_NOFILE, limit);
        int error;
        (void)fill(80, &error);
        if (error != MPROC_EMFILE) {
            fprintf(stderr, "limit %d: error %d: %s\n", (int)limit, error, mproc_last_error());
        }
        CHILD_CHECK(error == MPROC_EMFILE);
        CHILD_CHECK(mproc_shutdown(LIMIT) == 0);
        set_limit(RLIMIT_NOFILE, 1024);
        check_works();
        check_stock(&before);
    }
}

/** Little address space: a smaller arena, but one that works. */
static void little_address_space(void)
{
    mproc_arena_stats stats;
    CHILD_CHECK(mproc_arena_get_stats(&stats) == 0);
    CHILD_CHECK(stats.reserved_bytes <= (size_t)512 << 20);
    check_works();
    mproc_block *block;
    CHILD_CHECK(mproc_block_create(&block, 1 << 20) == 0);
    memset(mproc_block_data(block), 1, 1 << 20);
    mproc_block_close(block);
    int rc = mproc_block_create(&block, stats.reserved_bytes);
    CHILD_CHECK(rc == MPROC_ENOSPC || rc == MPROC_ENOMEM);
    check_works();
}

/** Take all of the arena, down to blocks of this size; how many blocks that is. */
static size_t take_arena(mproc_block **blocks, size_t most, size_t least_bytes)
{
    size_t n = 0;
    for (size_t size = 1 << 20; size >= least_bytes;) {
        int rc = n < most ? mproc_block_create(&blocks[n], size) : MPROC_ENOMEM;
        CHILD_CHECK(rc == 0 || rc == MPROC_ENOSPC || rc == MPROC_ENOMEM);
        n += rc == 0 ? 1 : 0;
        size /= rc == 0 ? 1 : 2;
    }
    CHILD_CHECK(n < most);
    return n;
}

static bool is_full(int rc)
{
    CHILD_CHECK(rc == 0 || rc == MPROC_ENOSPC || rc == MPROC_ENOMEM);
    return rc < 0;
}

/** Fill a list and a dict until there is no more memory: they stay as they are. */
static void fill_both(mproc_list *list, mproc_dict *dict)
{
    enum { MANY = 200 };
    mproc_pair pairs[MANY];
    size_t length;
    int64_t key = 0;
    int rc;
    for (uint32_t i = 0; i < MANY; i++) {
        pairs[i].value = random_value(i * 8 + 4);
    }
    while (!is_full(mproc_list_append(list, pairs[mproc_list_length(list) % MANY].value, NULL))) {
    }
    do {
        length = mproc_dict_length(dict);
        for (size_t i = 0; i < MANY; i++) {
            pairs[i].key = mproc__value_int(key++);
        }
        rc = mproc_dict_update(dict, mproc__value_map(pairs, MANY));
        CHILD_CHECK(mproc_dict_length(dict) == length + (rc == 0 ? MANY : 0));
    } while (!is_full(rc));
    CHILD_CHECK(check_list(list) == NULL && check_dict(dict) == NULL);
    length = mproc_list_length(list);
    rc = mproc_list_extend(list, MPROC_VALUES(dict, dict, dict), 3, NULL);
    CHILD_CHECK(mproc_list_length(list) == length + (is_full(rc) ? 0 : 3));
    for (uint32_t i = 0; i < MANY; i++) {
        mproc_value_clear(&pairs[i].value);
    }
}

/** It takes no memory to take items out. */
static void empty_both(mproc_list *list, mproc_dict *dict)
{
    for (size_t n = mproc_list_length(list); n > 0; n--) {
        CHILD_CHECK(mproc_list_pop(list, n % 2 == 0 ? -1 : 0, NULL) == 0);
    }
    for (size_t n = mproc_dict_length(dict); n > 0; n--) {
        CHILD_CHECK(mproc_dict_pop(dict, mproc__value_int((int64_t)n - 1), NULL) == 0);
    }
    CHILD_CHECK(check_list(list) == NULL && check_dict(dict) == NULL);
}

static void full_arena(void)
{
    static mproc_block *blocks[100000];
    static const size_t least[] = {100000, 4000, 100};
    mproc_list *list;
    mproc_dict *dict;
    for (size_t i = 0; i < MPROC__COUNT(least); i++) {
        CHILD_CHECK(mproc_list_create(&list) == 0 && mproc_dict_create(&dict) == 0);
        size_t n = take_arena(blocks, MPROC__COUNT(blocks), least[i]);
        fill_both(list, dict);
        empty_both(list, dict);
        while (n > 0) {
            mproc_block_close(blocks[--n]);
        }
        CHILD_CHECK(mproc_list_append(list, MPROC_VALUE(dict), NULL) == 0);
        mproc_list_close(list);
        mproc_dict_close(dict);
        check_works();
    }
}

#ifdef MPROC_KILLPOINTS
/** One life of a process in full; whatever fails, nothing of it stays. */
static int live_once(void)
{
    mproc_process *child = NULL;
    mproc_block *block = NULL;
    static const char *const env[] = {"A=b", NULL};
    static const char text[5000] = "x";
    const mproc_process_options options = {.env = env};
    int code = 0;
    int rc = mproc_block_create(&block, 100);
    if (rc >= 0) {
        rc = mproc_process_start(&child, return_code, MPROC_ARGS(17), &options);
    }
    if (rc >= 0) {
        mproc_process *many[20];
        for (int i = 0; i < 20; i++) {
            many[i] = child;
        }
        size_t index;
        rc = mproc_process_wait_any(many, 20, LIMIT, &index);
        // The handle stays good after an error: the end is learnt all the same.
        int joined = mproc_process_join(child, LIMIT);
        CHILD_CHECK(joined == 0 || joined == MPROC_ESTART);
        CHILD_CHECK(mproc_process_exit_code(child, &code) == 0);
        CHILD_CHECK(code == 17 || joined == MPROC_ESTART);
        CHILD_CHECK(mproc_process_close(child) == 0);
    } else {
        CHILD_CHECK(child == NULL);
        CHILD_CHECK(strlen(mproc_last_error()) > 0);
    }
    mproc_value copy;
    if (rc >= 0) {
        mproc_value value = mproc__value_string(text);
        rc = mproc_value_copy(&copy, &value);
    }
    if (rc >= 0) {
        mproc_value_clear(&copy);
    }
    mproc_block_close(block);
    return rc;
}

/** The n-th allocation fails, for every n. In copies of the process it may fail there. */
static void nth_allocation(void)
{
    check_works();
    CHILD_CHECK(live_once() == 0);
    stock before = take_stock();
    bool is_all = false;
    uint32_t n_failed = 0;
    for (uint32_t n = 1; !is_all; n++) {
        CHILD_CHECK(n < 1000);
        mproc__alloc_fail_after = n;
        int rc = live_once();
        is_all = mproc__alloc_fail_after != 0;
        mproc__alloc_fail_after = 0;
        CHILD_CHECK(rc == 0 || rc == MPROC_ENOMEM);
        n_failed += rc < 0;
        check_works();
        check_stock(&before);
    }
    CHILD_CHECK(n_failed > 0);
}
#endif

typedef struct scene {
    const char *name;
    void (*play)(void);
} scene;

static const scene scenes[] = {
    {"few_processes", few_processes},
    {"few_descriptors", few_descriptors},
    {"little_address_space", little_address_space},
    {"full_arena", full_arena},
#ifdef MPROC_KILLPOINTS
    {"nth_allocation", nth_allocation},
#endif
};

/* ---- cases ------------------------------------------------------------------------------------- */

/** Play a scene in a process of its own, by the start method of now. */
static int play(const char *name, rlim_t address_space)
{
    CU_ASSERT_EQUAL(setenv(SCENE, name, 1), 0);
    CU_ASSERT_EQUAL(setenv("MPROC_TEST_METHOD", mproc_get_start_method(), 1), 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit limit = {address_space, RLIM_INFINITY};
        (void)setrlimit(RLIMIT_AS, &limit);
        (void)execl("/proc/self/exe", "test_limits", (char *)NULL);
        _exit(TESTLIB_CHILD_FAILED);
    }
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    (void)unsetenv(SCENE);
    (void)unsetenv("MPROC_TEST_METHOD");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void test_limits__processes(void)
{
    CU_ASSERT_EQUAL(play("few_processes", RLIM_INFINITY), 0);
}

static void test_limits__descriptors(void)
{
    CU_ASSERT_EQUAL(play("few_descriptors", RLIM_INFINITY), 0);
}

static void test_limits__address_space(void)
{
#if HAS_SANITIZER
    testlib_skip("a sanitizer needs all the address space");
#else
    CU_ASSERT_EQUAL(play("little_address_space", (rlim_t)256 << 20), 0);
    CU_ASSERT_EQUAL(play("little_address_space", (rlim_t)1 << 30), 0);
#endif
}

static void test_limits__arena(void)
{
#if HAS_SANITIZER
    testlib_skip("a sanitizer needs all the address space");
#else
    CU_ASSERT_EQUAL(play("full_arena", (rlim_t)256 << 20), 0);
#endif
}

static void test_limits__every_allocation(void)
{
#ifdef MPROC_KILLPOINTS
    CU_ASSERT_EQUAL(play("nth_allocation", RLIM_INFINITY), 0);
#else
    testlib_skip("the library is built without fault points");
#endif
}

static const testlib_case cases[] = {
    {"processes", test_limits__processes},
    {"descriptors", test_limits__descriptors},
    {"address_space", test_limits__address_space},
    {"arena", test_limits__arena},
    {"every_allocation", test_limits__every_allocation},
};

static void be_scene(const char *name)
{
    int rc = mproc_set_start_method(getenv("MPROC_TEST_METHOD"));
    for (size_t i = 0; i < MPROC__COUNT(scenes) && rc >= 0; i++) {
        if (strcmp(scenes[i].name, name) == 0) {
            scenes[i].play();
            exit(EXIT_SUCCESS);
        }
    }
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    const char *scene_name = getenv(SCENE);
    if (scene_name != NULL) {
        be_scene(scene_name);
    }
    return process_test_main(argc, argv, "object.limits", cases, MPROC__COUNT(cases));
}
