/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_process.c: starting, identifying, ending and collecting processes, and waiting for many.
 */
#include "platform/child.h"

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_thread_proc.h>

#ifdef _WIN32
#define CODE_CRASHED ((int32_t)0xC0000005)
#define CODE_TERMINATED (-15)
#define CODE_KILLED (-15)
#else
#include <signal.h>
#define CODE_CRASHED (-SIGABRT)
#define CODE_TERMINATED (-SIGTERM)
#define CODE_KILLED (-SIGKILL)
#endif

#define CODES 30

enum { RETURN_ME, TELL_WHO, CRASH, STAY, LEAVE, PARENT_OF_ONE, SET_UP, EXIT_UNCLEAN };

/* ---- roles ----------------------------------------------------------------------------------- */

static int return_me(unsigned me)
{
    return (int)(me % CODES);
}

static int tell_who(unsigned me)
{
    mplat_identity self = mplat_self();
    shm->number[me] = (uint64_t)self.pid;
    shm->number[me + 1] = self.birth;
    shm->number[me + 2] = (uint64_t)child_parent.who.pid;
    shm->number[me + 3] = child_parent.who.birth;
    shm->number[me + 4] = child_boot.member;
    // The parent lives, and its sentinel says so.
    size_t index;
    CHILD_CHECK(mplat_process_alive(&child_parent.who));
    CHILD_CHECK(mplat_sentinel_wait(&child_parent.sentinel, 1, 0, &index) == MPROC_ETIMEDOUT);
    return 0;
}

static int crash(unsigned me)
{
    (void)me;
#ifdef _WIN32
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
#else
    abort();
#endif
    return 0;
}

static int stay(unsigned me)
{
    mplat_identity self = mplat_self();
    shm->number[2 * me] = (uint64_t)self.pid;
    shm->number[2 * me + 1] = self.birth;
    child_say_ready();
    return child_stay();
}

static int leave(unsigned me)
{
    printf("left %u", me); // not a whole line: only leaving flushes it
    mplat_process_leave(9);
    return 1;
}

/** Start a grandchild and stay. */
static int parent_of_one(unsigned me)
{
    mplat_child child;
    CHILD_CHECK(child_start(STAY, me + 1, &child) == 0);
    return stay(me);
}

static int set_up(unsigned me)
{
    static const char *const env[] = {"MPROC_TEST_SET=gr\xc3\xbc\xc3\x9f=e", "MPROC_TEST_UNSET"};
    char before[1024];
    char after[1024];
    (void)me;
    CHILD_CHECK(mplat_directory(before, sizeof(before)) == 0);
    const mplat_setup setup = {.name = "tested",
                               .directory = "..",
                               .env = env,
                               .n_env = 2,
                               .nice = 1,
                               .set_umask = true,
                               .umask = 022};
    CHILD_CHECK(getenv("MPROC_TEST_UNSET") != NULL);
    CHILD_CHECK(mplat_process_setup_check(&setup) == 0);
    CHILD_CHECK(mplat_process_setup(&setup) == 0);
    CHILD_CHECK(mplat_directory(after, sizeof(after)) == 0);
    CHILD_CHECK(strlen(after) < strlen(before));
    CHILD_CHECK(getenv("MPROC_TEST_SET") != NULL);
    CHILD_CHECK(strlen(getenv("MPROC_TEST_SET")) >= strlen("gr__=e"));
    CHILD_CHECK(getenv("MPROC_TEST_UNSET") == NULL);
    const mplat_setup nowhere = {.directory = "no_such_folder"};
    CHILD_CHECK(mplat_process_setup(&nowhere) == MPROC_ENOENT);
    return 0;
}

/** Not flushed, no handlers: the end of a process that is not asked. */
static int exit_unclean(unsigned me)
{
    mplat_identity self = mplat_self();
    (void)mplat_process_signal(&self, MPLAT_KILL);
    return (int)me;
}

/* ---- who ------------------------------------------------------------------------------------- */

static void test_process__self(void)
{
    mplat_identity self = mplat_self();
    mplat_identity again = mplat_self();
    CU_ASSERT(self.pid > 0);
    CU_ASSERT_NOT_EQUAL(self.birth, 0);
    CU_ASSERT_EQUAL(self.pid, again.pid);
    CU_ASSERT_EQUAL(self.birth, again.birth);
    CU_ASSERT(mplat_process_alive(&self));
    mplat_identity former = {self.pid, self.birth + 1};
    CU_ASSERT_FALSE(mplat_process_alive(&former));
    CU_ASSERT_EQUAL(mplat_process_signal(&former, MPLAT_KILL), 0); // does not hit us
}

static void test_process__child_knows_who_and_whose_it_is(void)
{
    child_found();
    mplat_child child;
    mplat_identity self = mplat_self();
    CU_ASSERT_EQUAL_FATAL(child_start(TELL_WHO, 3, &child), 0);
    mplat_identity who = child.who;
    CU_ASSERT_EQUAL(child_join(&child), 0);
    CU_ASSERT_EQUAL(shm->number[3], (uint64_t)who.pid);
    CU_ASSERT_EQUAL(shm->number[4], who.birth);
    CU_ASSERT_EQUAL(shm->number[5], (uint64_t)self.pid);
    CU_ASSERT(shm->number[6] == self.birth || shm->number[6] == 0); // 0: unknown
    CU_ASSERT_EQUAL(shm->number[7], 3);
    CU_ASSERT_FALSE(mplat_process_alive(&who));
    child_end();
}

static void test_process__ordinary_start_is_no_boot(void)
{
    char name[] = "program";
    char argument[] = "--other";
    char *argv[] = {name, argument, NULL};
    mplat_boot boot = {1, 2, 3};
    mplat_arena arena;
    mplat_child parent;
    mplat_handle extra;
    CU_ASSERT_EQUAL(mplat_boot_take(1, argv, &boot, &arena, &parent, &extra), 0);
    CU_ASSERT_EQUAL(mplat_boot_take(2, argv, &boot, &arena, &parent, &extra), 0);
    CU_ASSERT_EQUAL(boot.purpose, 3);
}

/* ---- how it ends ----------------------------------------------------------------------------- */

static void test_process__exit_codes(void)
{
    child_found();
    static const unsigned wanted[] = {CODES, 1, 7};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        mplat_child child;
        CU_ASSERT_EQUAL_FATAL(child_start(RETURN_ME, wanted[i], &child), 0);
        CU_ASSERT_EQUAL(child_join(&child), (int32_t)(wanted[i] % CODES));
    }
    child_end();
}

static void test_process__crash_and_kill_are_negative(void)
{
    child_found();
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(child_start(CRASH, 1, &child), 0);
    CU_ASSERT_EQUAL(child_join(&child), CODE_CRASHED);
    CU_ASSERT_EQUAL_FATAL(child_start(EXIT_UNCLEAN, 1, &child), 0);
    CU_ASSERT_EQUAL(child_join(&child), CODE_KILLED);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(child_start(STAY, 1, &child), 0);
        CU_ASSERT(child_wait_for(&shm->ready, (uint32_t)i + 1));
        CU_ASSERT(mplat_process_alive(&child.who));
        enum mplat_signal what = i == 0 ? MPLAT_TERMINATE : MPLAT_KILL;
        CU_ASSERT_EQUAL(mplat_process_signal(&child.who, what), 0);
        mplat_identity who = child.who;
        CU_ASSERT_EQUAL(child_join(&child), i == 0 ? CODE_TERMINATED : CODE_KILLED);
        // It is gone, which is as good as having heard it.
        CU_ASSERT_EQUAL(mplat_process_signal(&who, MPLAT_KILL), 0);
        CU_ASSERT_EQUAL(mplat_process_kill_tree(&who), 0);
        CU_ASSERT_FALSE(mplat_process_alive(&who));
    }
    child_end();
}

static void test_process__leave_flushes(void)
{
    static const char path[] = "platform_process_leave.tmp";
    char text[32] = "";
    child_found();
    mplat_child child;
    mplat_start start = child_start_of(LEAVE, 1);
    CU_ASSERT_EQUAL_FATAL(mplat_file_open(path, true, &start.stdio[1]), 0);
    CU_ASSERT_EQUAL_FATAL(mplat_process_spawn(&start, &child), 0);
    mplat_handle_close(start.stdio[1]);
    CU_ASSERT_EQUAL(child_join(&child), 9);
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fgets(text, sizeof(text), file);
    (void)fclose(file);
    (void)remove(path);
    CU_ASSERT_STRING_EQUAL(text, "left 1");
    child_end();
}

/* ---- programs -------------------------------------------------------------------------------- */

static void test_process__what_is_no_program_is_refused(void)
{
    static const char path[] = "platform_process_text.tmp";
    mplat_child child = {{1, 2}, MPLAT_NO_HANDLE, MPLAT_NO_HANDLE};
    child_found();
    mplat_start start = child_start_of(RETURN_ME, 1);
    start.program = "no_such_folder/program";
    CU_ASSERT_EQUAL(mplat_process_spawn(&start, &child), MPROC_ENOEXEC);
    CU_ASSERT(strstr(mproc_last_error(), start.program) != NULL);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fputs("no program\n", file);
    (void)fclose(file);
    start.program = path;
    CU_ASSERT_EQUAL(mplat_process_spawn(&start, &child), MPROC_ENOEXEC);
    (void)remove(path);
    CU_ASSERT_EQUAL(child.who.pid, 1);
    child_end();
}

/** A copy of this program under a name that a careless command line would take apart. */
static void test_process__program_with_blanks_in_its_name(void)
{
    static const char folder[] = "platform process 'a b' \xc3\xbc";
    char path[256];
    apr_pool_t *pool;
    mplat_child child;
    (void)snprintf(path, sizeof(path), "%s/copy of it; & 100%%.exe", folder);
    child_found();
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    (void)apr_dir_make(folder, APR_FPROT_OS_DEFAULT, pool);
    CU_ASSERT_EQUAL_FATAL(apr_file_copy(child_program, path, APR_FPROT_FILE_SOURCE_PERMS, pool),
                          APR_SUCCESS);
    mplat_start start = child_start_of(RETURN_ME, 5);
    start.program = path;
    CU_ASSERT_EQUAL(mplat_process_spawn(&start, &child), 0);
    CU_ASSERT_EQUAL(child_join(&child), 5);
    CU_ASSERT_EQUAL(apr_file_remove(path, pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_dir_remove(folder, pool), APR_SUCCESS);
    apr_pool_destroy(pool);
    apr_terminate();
    child_end();
}

/* ---- many ------------------------------------------------------------------------------------ */

static void test_process__wait_for_one_of_few(void)
{
    child_found();
    mplat_child children[3];
    mplat_handle sentinels[3];
    size_t index = 99;
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(child_start(STAY, i + 1, &children[i]), 0);
        sentinels[i] = children[i].sentinel;
    }
    CU_ASSERT(child_wait_for(&shm->ready, 3));
    CU_ASSERT_EQUAL(mplat_sentinel_wait(sentinels, 3, 0, &index), MPROC_ETIMEDOUT);
    int64_t deadline = mplat_now() + 20000000;
    CU_ASSERT_EQUAL(mplat_sentinel_wait(sentinels, 3, deadline, &index), MPROC_ETIMEDOUT);
    CU_ASSERT(mplat_now() >= deadline);
    CU_ASSERT_EQUAL(index, 99);
    CU_ASSERT_EQUAL(mplat_process_signal(&children[1].who, MPLAT_KILL), 0);
    CU_ASSERT_EQUAL(mplat_sentinel_wait(sentinels, 3, INT64_MAX, &index), 0);
    CU_ASSERT_EQUAL(index, 1);
    for (unsigned i = 0; i < 3; i++) {
        (void)mplat_process_signal(&children[i].who, MPLAT_KILL);
        CU_ASSERT_EQUAL(child_join(&children[i]), CODE_KILLED);
    }
    child_end();
}

/** Every end is told once and with the right place; there are more than one call can watch. */
static void test_process__wait_for_two_hundred(void)
{
    enum { MANY = 200 };
    static mplat_child children[MANY];
    mplat_handle sentinels[MANY];
    bool has_ended[MANY] = {false};
    size_t left[MANY];
    size_t count = MANY;
    child_found();
    for (unsigned i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL_FATAL(child_start(RETURN_ME, i + 1, &children[i]), 0);
        left[i] = i;
    }
    while (count > 0) {
        size_t index = MANY;
        mplat_exit how = {.code = -1};
        for (size_t i = 0; i < count; i++) {
            sentinels[i] = children[left[i]].sentinel;
        }
        CU_ASSERT_EQUAL_FATAL(mplat_sentinel_wait(sentinels, count, child_deadline(), &index), 0);
        CU_ASSERT_FATAL(index < count);
        size_t which = left[index];
        CU_ASSERT_FALSE(has_ended[which]);
        has_ended[which] = true;
        CU_ASSERT_EQUAL(mplat_process_reap(&children[which], &how), 0);
        CU_ASSERT_EQUAL(how.code, (int32_t)((which + 1) % CODES));
        child_close(&children[which]);
        left[index] = left[--count];
    }
    child_end();
}

/** All of them alive, one of them killed: the place of that one, by way of the slow path. */
static void test_process__one_of_many_is_found(void)
{
    enum { MANY = 70 };
    static mplat_child children[MANY];
    mplat_handle sentinels[MANY];
    child_found();
    for (unsigned i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL_FATAL(child_start(STAY, i + 1, &children[i]), 0);
        sentinels[i] = children[i].sentinel;
    }
    CU_ASSERT(child_wait_for(&shm->ready, MANY));
    size_t index = MANY;
    CU_ASSERT_EQUAL(mplat_sentinel_wait(sentinels, MANY, mplat_now() + 20000000, &index),
                    MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mplat_process_signal(&children[66].who, MPLAT_KILL), 0);
    CU_ASSERT_EQUAL(mplat_sentinel_wait(sentinels, MANY, child_deadline(), &index), 0);
    CU_ASSERT_EQUAL(index, 66);
    for (unsigned i = 0; i < MANY; i++) {
        (void)mplat_process_signal(&children[i].who, MPLAT_KILL);
        CU_ASSERT_EQUAL(child_join(&children[i]), CODE_KILLED);
    }
    child_end();
}

enum { STARTERS = 4, STARTS = 10 };

/** One of several threads that start children at once. */
typedef struct starter {
    unsigned first; // its children's number
    unsigned ended_well;
} starter;

static bool start_one(unsigned me)
{
    mplat_child child;
    mplat_exit how = {.code = -1};
    size_t index;
    mplat_start start = child_start_of(RETURN_ME, me);
    if (mplat_process_spawn(&start, &child) < 0) {
        return false;
    }
    bool is_well = mplat_sentinel_wait(&child.sentinel, 1, child_deadline(), &index) == 0 &&
                   mplat_process_reap(&child, &how) == 0 && how.code == (int32_t)(me % CODES);
    child_close(&child);
    return is_well;
}

static void *APR_THREAD_FUNC start_some(apr_thread_t *thread, void *arg)
{
    starter *s = arg;
    for (unsigned i = 0; i < STARTS; i++) {
        s->ended_well += start_one(s->first + i) ? 1 : 0;
    }
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_process__several_threads_start_at_once(void)
{
    apr_pool_t *pool;
    apr_thread_t *threads[STARTERS];
    starter starters[STARTERS];
    child_found();
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (unsigned i = 0; i < STARTERS; i++) {
        starters[i] = (starter){1 + i * STARTS, 0};
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, start_some, &starters[i], pool),
                              APR_SUCCESS);
    }
    for (int i = 0; i < STARTERS; i++) {
        apr_status_t status;
        CU_ASSERT_EQUAL(apr_thread_join(&status, threads[i]), APR_SUCCESS);
        CU_ASSERT_EQUAL(starters[i].ended_well, STARTS);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    child_end();
}

/* ---- trees ----------------------------------------------------------------------------------- */

/** Wait for the end of a process that is no child: look, and sleep on a word nobody wakes. */
static bool is_gone_soon(const mplat_identity *who)
{
    int64_t deadline = child_deadline();
    while (mplat_process_alive(who) && mplat_now() < deadline) {
        (void)mplat_wait(&shm->unused, 0, mplat_now() + 1000000, NULL, NULL);
    }
    return !mplat_process_alive(who);
}

static mplat_identity told(unsigned me)
{
    return (mplat_identity){(int64_t)shm->number[2 * me], shm->number[2 * me + 1]};
}

static void start_family(mplat_child *ret_child)
{
    CU_ASSERT_EQUAL_FATAL(child_start(PARENT_OF_ONE, 1, ret_child), 0);
    CU_ASSERT(child_wait_for(&shm->ready, 2));
    mplat_identity grandchild = told(2);
    CU_ASSERT_NOT_EQUAL(grandchild.pid, ret_child->who.pid);
    CU_ASSERT(mplat_process_alive(&grandchild));
}

static void test_process__dead_parents_child_is_killed(void)
{
    child_found();
    mplat_child child;
    start_family(&child);
    mplat_identity grandchild = told(2);
    CU_ASSERT_EQUAL(mplat_process_signal(&child.who, MPLAT_KILL), 0);
    size_t index;
    CU_ASSERT_EQUAL(mplat_sentinel_wait(&child.sentinel, 1, child_deadline(), &index), 0);
    CU_ASSERT(is_gone_soon(&grandchild)); // while the child's tree is still open
    CU_ASSERT_EQUAL(child_join(&child), CODE_KILLED);
    child_end();
}

static void test_process__kill_tree_kills_grandchildren(void)
{
    child_found();
    mplat_child child;
    start_family(&child);
    mplat_identity grandchild = told(2);
    CU_ASSERT_EQUAL(mplat_process_kill_tree(&child.who), 0);
    CU_ASSERT(is_gone_soon(&grandchild));
    CU_ASSERT_EQUAL(child_join(&child), CODE_KILLED);
    child_end();
}

/* ---- setup ----------------------------------------------------------------------------------- */

static void test_process__setup(void)
{
    child_found();
    mplat_child child;
    static const char *const env[] = {"MPROC_TEST_UNSET=1"};
    const mplat_setup inherited = {.env = env, .n_env = 1};
    CU_ASSERT_EQUAL(mplat_process_setup(&inherited), 0);
    CU_ASSERT_EQUAL_FATAL(child_start(SET_UP, 1, &child), 0);
    CU_ASSERT_EQUAL(child_join(&child), 0);
    child_end();
}

static void test_process__setup_check_refuses(void)
{
    static const int cpus[] = {-1};
    const mplat_setup nothing = {0};
    const mplat_setup no_cpu = {.cpus = cpus, .n_cpus = 1};
    CU_ASSERT_EQUAL(mplat_process_setup_check(&nothing), 0);
    CU_ASSERT_EQUAL(mplat_process_setup_check(&no_cpu), MPROC_EINVAL);
#ifdef _WIN32
    const mplat_setup user = {.set_user = true};
    CU_ASSERT_EQUAL(mplat_process_setup_check(&user), MPROC_ENOTSUP);
    CU_ASSERT_EQUAL(mplat_process_fork(NULL, NULL), MPROC_ENOTSUP);
#endif
}

static void child_fn(int argc, char **argv)
{
    static const child_role roles[] = {return_me, tell_who,      crash,  stay,
                                       leave,     parent_of_one, set_up, exit_unclean};
    child_run(argc, argv, roles, sizeof(roles) / sizeof(roles[0]));
}

static const testlib_case cases[] = {
    {"self", test_process__self},
    {"child_knows_who_and_whose_it_is", test_process__child_knows_who_and_whose_it_is},
    {"ordinary_start_is_no_boot", test_process__ordinary_start_is_no_boot},
    {"exit_codes", test_process__exit_codes},
    {"crash_and_kill_are_negative", test_process__crash_and_kill_are_negative},
    {"leave_flushes", test_process__leave_flushes},
    {"what_is_no_program_is_refused", test_process__what_is_no_program_is_refused},
    {"program_with_blanks_in_its_name", test_process__program_with_blanks_in_its_name},
    {"wait_for_one_of_few", test_process__wait_for_one_of_few},
    {"wait_for_two_hundred", test_process__wait_for_two_hundred},
    {"one_of_many_is_found", test_process__one_of_many_is_found},
    {"several_threads_start_at_once", test_process__several_threads_start_at_once},
    {"dead_parents_child_is_killed", test_process__dead_parents_child_is_killed},
    {"kill_tree_kills_grandchildren", test_process__kill_tree_kills_grandchildren},
    {"setup", test_process__setup},
    {"setup_check_refuses", test_process__setup_check_refuses},
};
TESTLIB_MAIN_CHILD("platform.process", cases, child_fn)
