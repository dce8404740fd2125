/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_named_lock.c: mproc_named_lock between threads, processes of the family, and strangers: this very
 * program, started by somebody who is no family.
 */
#include "object/memory_test.h"

#include <apr_file_io.h>
#include <apr_general.h>
#ifndef _WIN32
#include <sys/wait.h>
#endif

static const char *program;
static apr_pool_t *pool;

static mproc_named_lock *open_lock(const char *name)
{
    mproc_named_lock *lock = NULL;
    int rc = mproc_named_lock_open(&lock, name, NULL);
    if (rc < 0) {
        printf("open: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
    return lock;
}

/** Whether the system has the lock's name. */
static bool has_name(const char *name)
{
    char full[80];
    (void)snprintf(full, sizeof(full), "lock.%s", name);
#ifdef _WIN32
    HANDLE mutex = OpenMutexA(SYNCHRONIZE, FALSE, full);
    if (mutex != NULL) {
        (void)CloseHandle(mutex);
    }
    return mutex != NULL;
#else
    return is_there(full);
#endif
}

/** Close the last handle of it, and see to it that nothing is left. */
static void finish_lock(mproc_named_lock *lock, const char *name)
{
    mproc_named_lock_close(lock);
    CU_ASSERT_FALSE(has_name(name));
}

/** Acquire and release it: what acquiring it said. */
static int use_lock(mproc_named_lock *lock, mproc_timeout timeout)
{
    int rc = mproc_named_lock_acquire(lock, timeout);
    if (rc >= 0) {
        CU_ASSERT_EQUAL(mproc_named_lock_release(lock), MPROC_OK);
    }
    return rc;
}

/* ---- what it guards -------------------------------------------------------------------------- */

/** Two numbers that are the same whenever nobody is at work. */
struct pair {
    uint64_t a;
    uint64_t b;
};

/** Count both on; the first one's death leaves them different. */
static void count_on(volatile struct pair *pair, int rc)
{
    CHILD_CHECK(rc >= 0);
    if (rc == MPROC_OWNER_DIED) {
        pair->b = pair->a;
    }
    CHILD_CHECK(pair->a == pair->b);
    pair->a = pair->a + 1;
    for (int i = 0; i < 100; i++) {
        CHILD_CHECK(pair->a == pair->b + 1);
    }
    pair->b = pair->b + 1;
}

/** As the header has it: the lock first, and then what it guards, for one turn. */
static void take_one_turn(const char *name)
{
    mproc_named_lock *lock;
    mproc_shared_memory *memory;
    CHILD_CHECK(mproc_named_lock_open(&lock, name, NULL) == 0);
    int rc = mproc_named_lock_acquire(lock, LIMIT);
    int found = mproc_shared_memory_open(&memory, name, NULL);
    if (found == MPROC_ENOENT) {
        found = mproc_shared_memory_create(&memory, name, sizeof(struct pair), &automatic);
    }
    CHILD_CHECK(found == MPROC_OK);
    count_on(mproc_shared_memory_data(memory), rc);
    CHILD_CHECK(mproc_named_lock_release(lock) == 0);
    mproc_shared_memory_close(memory);
    mproc_named_lock_close(lock);
}

/* ---- strangers ------------------------------------------------------------------------------- */

static void say(char word)
{
    CHILD_CHECK(fputc(word, stdout) == word && fflush(stdout) == 0);
}

/** What a stranger does: argv is "PROGRAM stranger VERB NAME ROUNDS". */
static int live_as_stranger(char **argv)
{
    const char *verb = argv[2];
    const char *name = argv[3];
    long rounds = strtol(argv[4], NULL, 10);
    mproc_named_lock *lock;
    if (strcmp(verb, "turns") == 0) {
        for (long i = 0; i < rounds; i++) {
            take_one_turn(name);
        }
        return 0;
    }
    CHILD_CHECK(mproc_named_lock_open(&lock, name, NULL) == 0);
    if (strcmp(verb, "hold") == 0) {
        say(mproc_named_lock_acquire(lock, LIMIT) == MPROC_OWNER_DIED ? 'd' : 'h');
        (void)fgetc(stdin);
        CHILD_CHECK(mproc_named_lock_release(lock) == 0);
    } else {
        say('o');
        (void)fgetc(stdin);
    }
    mproc_named_lock_close(lock);
    return 0;
}

static void start_stranger(apr_proc_t *ret_stranger, const char *verb, const char *name,
                           long rounds)
{
    apr_procattr_t *how;
    char number[24];
    (void)snprintf(number, sizeof(number), "%ld", rounds);
    const char *args[] = {program, "stranger", verb, name, number, NULL};
    CU_ASSERT_EQUAL_FATAL(apr_procattr_create(&how, pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_procattr_io_set(how, APR_FULL_BLOCK, APR_FULL_BLOCK, APR_NO_PIPE),
                    APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_procattr_cmdtype_set(how, APR_PROGRAM_ENV), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_proc_create(ret_stranger, program, args, NULL, how, pool),
                          APR_SUCCESS);
}

/** Start a stranger that says `word`. */
static void meet_stranger(apr_proc_t *ret_stranger, const char *verb, const char *name, char word)
{
    char said = 0;
    start_stranger(ret_stranger, verb, name, 0);
    CU_ASSERT_EQUAL(apr_file_getc(&said, ret_stranger->out), APR_SUCCESS);
    CU_ASSERT_EQUAL(said, word);
}

static void kill_stranger(apr_proc_t *stranger)
{
    int code;
    apr_exit_why_e why;
    CU_ASSERT_EQUAL(apr_proc_kill(stranger, 9), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_proc_wait(stranger, &code, &why, APR_WAIT), APR_CHILD_DONE);
}

/** Let it go on, to a good end. */
static void end_stranger(apr_proc_t *stranger)
{
    int code = -1;
    apr_exit_why_e why = 0;
    CU_ASSERT_EQUAL(apr_file_close(stranger->in), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_proc_wait(stranger, &code, &why, APR_WAIT), APR_CHILD_DONE);
    CU_ASSERT(APR_PROC_CHECK_EXIT(why) && code == 0);
}

/* ---- one process ----------------------------------------------------------------------------- */

static void test_named_lock__there_is_one_of_a_name(void)
{
    const char *name = own_name("one");
    char slashed[80];
    finish_lock(open_lock(name), name); // the first of all handles takes memory to keep
    mproc_arena_stats before = settled_stats();
    mproc_named_lock *a = open_lock(name);
    (void)snprintf(slashed, sizeof(slashed), "/%s", name);
    mproc_named_lock *b = open_lock(slashed);
    mproc_named_lock *c = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_named_lock_attach(&c, a), MPROC_OK);
    CU_ASSERT_STRING_EQUAL(mproc_named_lock_name(a), name);
    CU_ASSERT_STRING_EQUAL(mproc_named_lock_name(b), name);
    CU_ASSERT(has_name(name) && !is_there(name));
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(a, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(a, MPROC_FOREVER), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(b, MPROC_NOWAIT), MPROC_ESTATE);
    mproc_named_lock_close(a);
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(c, BRIEF), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_named_lock_release(b), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_named_lock_release(c), MPROC_ESTATE);
    CU_ASSERT_EQUAL(use_lock(c, MPROC_NOWAIT), MPROC_OK);
    mproc_named_lock_close(b);
    CU_ASSERT(has_name(name));
    finish_lock(c, name);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_named_lock__refuses_what_makes_no_sense(void)
{
    static const char *const wrong[] = {"", "/", "a/b", "//a", "a/", ".", "..", NULL};
    const mproc_named_lock_options modes[] = {{.mode = 04600}, {.mode = 0400}, {.mode = 066}};
    mproc_named_lock *lock = NULL;
    char longest[252];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[251] = '\0';
    for (size_t i = 0; i < MPROC__COUNT(wrong); i++) {
        CU_ASSERT_EQUAL(mproc_named_lock_open(&lock, wrong[i], NULL), MPROC_EINVAL);
    }
    for (size_t i = 0; i < MPROC__COUNT(modes); i++) {
        CU_ASSERT_EQUAL(mproc_named_lock_open(&lock, "x", &modes[i]), MPROC_EINVAL);
    }
    CU_ASSERT_EQUAL(mproc_named_lock_open(&lock, longest, NULL), MPROC_ETOOBIG);
    CU_ASSERT_EQUAL(mproc_named_lock_open(NULL, "x", NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_named_lock_release(NULL), MPROC_EINVAL);
    CU_ASSERT_PTR_NULL(mproc_named_lock_name(NULL));
    mproc_named_lock_close(NULL);
    CU_ASSERT_PTR_NULL(lock);
    longest[250] = '\0';
    int length = snprintf(longest, sizeof(longest), "%s", own_name("long"));
    longest[length] = 'x';
    lock = open_lock(longest);
    CU_ASSERT_STRING_EQUAL(mproc_named_lock_name(lock), longest);
    mproc_named_lock_close(lock);
}

static void test_named_lock__of_what_is_no_lock(void)
{
    char name[80];
    mproc_named_lock *lock = NULL;
    (void)snprintf(name, sizeof(name), "lock.%s", own_name("none"));
    mproc_shared_memory *memory = make(name, SIZE, NULL);
    CU_ASSERT_EQUAL(mproc_named_lock_open(&lock, name + strlen("lock."), NULL), MPROC_ETYPE);
    CU_ASSERT(strstr(mproc_last_error(), "is no lock") != NULL);
    CU_ASSERT_PTR_NULL(lock);
    finish(memory, name);
    CU_ASSERT_EQUAL(use_lock(lock = open_lock(name + strlen("lock.")), MPROC_NOWAIT), MPROC_OK);
    finish_lock(lock, name + strlen("lock."));
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { CAME, MAY_GO };

struct visit {
    mproc_named_lock *lock;
    uint32_t *words;
    int rc[3];
    bool is_to_release;
};

static void *APR_THREAD_FUNC visit(apr_thread_t *thread, void *arg)
{
    struct visit *self = arg;
    self->rc[0] = mproc_named_lock_release(self->lock);
    self->rc[1] = mproc_named_lock_acquire(self->lock, MPROC_NOWAIT);
    add_word(&self->words[CAME]);
    CHILD_CHECK(await_word(&self->words[MAY_GO], 1));
    if (self->is_to_release) {
        self->rc[2] = mproc_named_lock_acquire(self->lock, LIMIT);
        CHILD_CHECK(mproc_named_lock_release(self->lock) == 0);
    }
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static apr_thread_t *start_visit(struct visit *visitor)
{
    apr_thread_t *thread = NULL;
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, visit, visitor, pool), APR_SUCCESS);
    CU_ASSERT(await_word(&visitor->words[CAME], 1));
    return thread;
}

static void join_visit(apr_thread_t *thread, struct visit *visitor)
{
    apr_status_t status;
    set_word(&visitor->words[MAY_GO], 1);
    CU_ASSERT_EQUAL(apr_thread_join(&status, thread), APR_SUCCESS);
}

static void test_named_lock__is_held_by_a_thread(void)
{
    const char *name = own_name("thread");
    mproc_block *block = make_words(2);
    mproc_named_lock *lock = open_lock(name);
    struct visit visitor = {.lock = lock, .words = words_of(block), .is_to_release = true};
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(lock, MPROC_NOWAIT), MPROC_OK);
    apr_thread_t *thread = start_visit(&visitor);
    CU_ASSERT_EQUAL(visitor.rc[0], MPROC_ESTATE);
    CU_ASSERT_EQUAL(visitor.rc[1], MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_named_lock_release(lock), MPROC_OK);
    join_visit(thread, &visitor);
    CU_ASSERT_EQUAL(visitor.rc[2], MPROC_OK);
    finish_lock(lock, name);
    mproc_block_close(block);
}

static void test_named_lock__of_a_thread_that_ended(void)
{
    const char *name = own_name("ended");
    mproc_block *block = make_words(2);
    mproc_named_lock *lock = open_lock(name);
    struct visit visitor = {.lock = lock, .words = words_of(block)};
    apr_thread_t *thread = start_visit(&visitor);
    CU_ASSERT_EQUAL(visitor.rc[1], MPROC_OK);
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(lock, BRIEF), MPROC_ETIMEDOUT);
    join_visit(thread, &visitor);
    CU_ASSERT_EQUAL(use_lock(lock, LIMIT), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(use_lock(lock, LIMIT), MPROC_OK);
    finish_lock(lock, name);
    mproc_block_close(block);
}

static void test_named_lock__closed_while_it_is_held(void)
{
    const char *name = own_name("closed");
    mproc_block *block = make_words(2);
    mproc_named_lock *lock = open_lock(name);
    apr_proc_t stranger;
    meet_stranger(&stranger, "open", name, 'o'); // the name stays
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(lock, MPROC_NOWAIT), MPROC_OK);
    mproc_named_lock_close(lock);
    lock = open_lock(name);
    struct visit visitor = {.lock = lock, .words = words_of(block)};
    apr_thread_t *thread = start_visit(&visitor);
    CU_ASSERT_EQUAL(visitor.rc[1], MPROC_OK); // it had been released
    // Its holder has no handle now.
    mproc_named_lock_close(lock);
    lock = open_lock(name);
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(lock, BRIEF), MPROC_ETIMEDOUT);
    join_visit(thread, &visitor);
    CU_ASSERT_EQUAL(use_lock(lock, LIMIT), MPROC_OWNER_DIED);
    end_stranger(&stranger);
    finish_lock(lock, name);
    mproc_block_close(block);
}

/* ---- processes ------------------------------------------------------------------------------- */

static int use_and_keep(const mproc_args *args)
{
    mproc_named_lock *lock;
    mproc_named_lock *again;
    CHILD_CHECK(MPROC_UNPACK(args, &lock) == 0);
    CHILD_CHECK(mproc_named_lock_acquire(lock, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_named_lock_release(lock) == MPROC_ESTATE);
    CHILD_CHECK(mproc_named_lock_open(&again, mproc_named_lock_name(lock), NULL) == 0);
    CHILD_CHECK(mproc_named_lock_acquire(again, BRIEF) == MPROC_ETIMEDOUT);
    mproc_named_lock_close(again);
    return 0;
}

static void test_named_lock__travels_in_arguments(void)
{
    const char *name = own_name("arg");
    mproc_arena_stats before = settled_stats();
    mproc_named_lock *lock = open_lock(name);
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(lock, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(use_and_keep, MPROC_ARGS(lock))), 0);
    CU_ASSERT_EQUAL(mproc_named_lock_release(lock), MPROC_OK);
    mproc_named_lock_close(lock);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT_FALSE(has_name(name));
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_named_lock__in_a_copy(void)
{
#ifdef _WIN32
    testlib_skip("there are no copies on this system");
#else
    if (HAS_THREAD_SANITIZER) {
        testlib_skip("no process is fit to be copied with this sanitizer");
        return;
    }
    const char *name = own_name("copy");
    mproc_named_lock *lock = open_lock(name);
    int status = -1;
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(lock, MPROC_NOWAIT), MPROC_OK);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        CHILD_CHECK(mproc_named_lock_release(lock) == MPROC_ESTATE);
        CHILD_CHECK(mproc_named_lock_acquire(lock, BRIEF) == MPROC_ETIMEDOUT);
        mproc_named_lock_close(lock);
        CHILD_CHECK(has_name(name));
        _exit(0);
    }
    CU_ASSERT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(lock, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_named_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(use_lock(lock, MPROC_NOWAIT), MPROC_OK);
    finish_lock(lock, name);
#endif
}

static void test_named_lock__orders_strangers(void)
{
    const char *name = own_name("order");
    apr_proc_t strangers[2];
    mproc_named_lock *lock = NULL;
    meet_stranger(&strangers[0], "hold", name, 'h');
    lock = open_lock(name);
    CU_ASSERT_EQUAL(use_lock(lock, BRIEF), MPROC_ETIMEDOUT);
    end_stranger(&strangers[0]);
    CU_ASSERT_EQUAL(mproc_named_lock_acquire(lock, MPROC_NOWAIT), MPROC_OK);
    start_stranger(&strangers[1], "hold", name, 0);
    CU_ASSERT_EQUAL(mproc_named_lock_release(lock), MPROC_OK);
    char said = 0;
    CU_ASSERT_EQUAL(apr_file_getc(&said, strangers[1].out), APR_SUCCESS);
    CU_ASSERT_EQUAL(said, 'h');
    CU_ASSERT_EQUAL(use_lock(lock, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    mproc_named_lock_close(lock);
    CU_ASSERT(has_name(name));
    end_stranger(&strangers[1]);
    CU_ASSERT_FALSE(has_name(name));
}

static void test_named_lock__of_a_stranger_that_was_killed(void)
{
    const char *name = own_name("killed");
    apr_proc_t strangers[2];
    mproc_named_lock *lock = open_lock(name);
    for (int i = 0; i < 2; i++) {
        meet_stranger(&strangers[0], "hold", name, i == 0 ? 'h' : 'd');
        CU_ASSERT_EQUAL(use_lock(lock, MPROC_NOWAIT), MPROC_ETIMEDOUT);
        kill_stranger(&strangers[0]);
        if (i > 0) {
            CU_ASSERT_EQUAL(use_lock(lock, LIMIT), MPROC_OWNER_DIED);
            CU_ASSERT_EQUAL(use_lock(lock, LIMIT), MPROC_OK);
        }
    }
    // The last user's name is free at once.
    meet_stranger(&strangers[0], "hold", name, 'h');
    mproc_named_lock_close(lock);
    CU_ASSERT(has_name(name));
    kill_stranger(&strangers[0]);
    meet_stranger(&strangers[1], "hold", name, HAS_NAMES_OF_THEIR_OWN ? 'd' : 'h');
    end_stranger(&strangers[1]);
    CU_ASSERT_FALSE(has_name(name));
}

static int open_and_hold(const mproc_args *args)
{
    mproc_block *block;
    const char *name;
    mproc_named_lock *lock;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &name) == 0);
    CHILD_CHECK(mproc_named_lock_open(&lock, name, NULL) == 0);
    CHILD_CHECK(mproc_named_lock_acquire(lock, LIMIT) >= 0);
    add_word(&words_of(block)[CAME]);
    return stay();
}

static void test_named_lock__name_goes_with_a_killed_child(void)
{
    const char *name = own_name("child");
    mproc_block *block = make_words(2);
    mproc_process *child = start(open_and_hold, MPROC_ARGS(block, name));
    CU_ASSERT(await_word(&words_of(block)[CAME], 1));
    CU_ASSERT(has_name(name));
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    (void)settled_stats();
    CU_ASSERT_FALSE(has_name(name)); // without anybody having asked for it
    mproc_block_close(block);
}

/* ---- storms ---------------------------------------------------------------------------------- */

static int take_turns(const mproc_args *args)
{
    const char *name;
    uint32_t rounds;
    CHILD_CHECK(MPROC_UNPACK(args, &name, &rounds) == 0);
    for (uint32_t i = 0; i < rounds; i++) {
        take_one_turn(name);
    }
    return 0;
}

static void test_named_lock__many_come_and_go(void)
{
    const char *name = own_name("storm");
    mproc_process *children[3];
    apr_proc_t stranger;
    uint32_t rounds = (uint32_t)testlib_count(200, HAS_NAMES_OF_THEIR_OWN ? 20000 : 2000);
    start_stranger(&stranger, "turns", name, (long)rounds);
    for (size_t i = 0; i < MPROC__COUNT(children); i++) {
        children[i] = start(take_turns, MPROC_ARGS(name, rounds));
    }
    for (size_t i = 0; i < MPROC__COUNT(children); i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    end_stranger(&stranger);
    (void)settled_stats();
    CU_ASSERT_FALSE(has_name(name) || is_there(name));
}

/** Take turns for ever, and count them. */
static int take_turns_until_killed(const mproc_args *args)
{
    const char *name;
    mproc_block *block;
    uint32_t place;
    mproc_named_lock *lock;
    mproc_shared_memory *memory;
    CHILD_CHECK(MPROC_UNPACK(args, &name, &block, &place) == 0);
    CHILD_CHECK(mproc_named_lock_open(&lock, name, NULL) == 0);
    CHILD_CHECK(mproc_shared_memory_open(&memory, name, NULL) == 0);
    for (;;) {
        int rc = mproc_named_lock_acquire(lock, MPROC_FOREVER);
        count_on(mproc_shared_memory_data(memory), rc);
        CHILD_CHECK(mproc_named_lock_release(lock) == 0);
        add_word(&words_of(block)[place]);
    }
}

/** Three are at it, of which one after the other is killed, while a stranger takes his turns. */
static void test_named_lock__outlives_a_storm_of_kills(void)
{
    const char *name = own_name("kills");
    mproc_block *block = make_words(3);
    mproc_named_lock *lock = open_lock(name);
    mproc_shared_memory *memory = make(name, sizeof(struct pair), &automatic);
    mproc_process *children[3] = {NULL};
    apr_proc_t stranger;
    long kills = testlib_count(30, HAS_NAMES_OF_THEIR_OWN ? 3000 : 300);
    start_stranger(&stranger, "turns", name, kills * 10);
    for (long i = 0; i < kills + 3; i++) {
        uint32_t place = (uint32_t)(i % 3);
        if (children[place] != NULL) {
            CU_ASSERT_FATAL(await_word(&words_of(block)[place], 1 + testlib_random() % 8));
            CU_ASSERT_EQUAL(mproc_process_kill(children[place]), MPROC_OK);
            CU_ASSERT_EQUAL(end_of(children[place]), CODE_KILLED);
            set_word(&words_of(block)[place], 0);
        }
        children[place] =
            i < kills ? start(take_turns_until_killed, MPROC_ARGS(name, block, place)) : NULL;
    }
    end_stranger(&stranger);
    count_on(mproc_shared_memory_data(memory), mproc_named_lock_acquire(lock, LIMIT));
    CU_ASSERT_EQUAL(mproc_named_lock_release(lock), MPROC_OK);
    mproc_shared_memory_close(memory);
    mproc_block_close(block);
    (void)settled_stats();
    finish_lock(lock, name);
    CU_ASSERT_FALSE(is_there(name));
}

static const testlib_case cases[] = {
    {"there_is_one_of_a_name", test_named_lock__there_is_one_of_a_name},
    {"refuses_what_makes_no_sense", test_named_lock__refuses_what_makes_no_sense},
    {"of_what_is_no_lock", test_named_lock__of_what_is_no_lock},
    {"is_held_by_a_thread", test_named_lock__is_held_by_a_thread},
    {"of_a_thread_that_ended", test_named_lock__of_a_thread_that_ended},
    {"closed_while_it_is_held", test_named_lock__closed_while_it_is_held},
    {"travels_in_arguments", test_named_lock__travels_in_arguments},
    {"in_a_copy", test_named_lock__in_a_copy},
    {"orders_strangers", test_named_lock__orders_strangers},
    {"of_a_stranger_that_was_killed", test_named_lock__of_a_stranger_that_was_killed},
    {"name_goes_with_a_killed_child", test_named_lock__name_goes_with_a_killed_child},
    {"many_come_and_go", test_named_lock__many_come_and_go},
    {"outlives_a_storm_of_kills", test_named_lock__outlives_a_storm_of_kills},
};

int main(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    if (argc == 5 && strcmp(argv[1], "stranger") == 0) {
        return live_as_stranger(argv);
    }
    program = argv[0];
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    int failed = process_test_main(argc, argv, "object.named_lock", cases, MPROC__COUNT(cases));
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
