/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_log.c: levels, lines and handlers in one process.
 */
#include "base/log.h"

#include "base/atomic.h"
#include "base/status.h"
#include "platform.h"
#include "support/testlib.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#include <errno.h>
#include <string.h>

static char seen[2048];
static int seen_level;
static int n_seen;

static void keep(int level, const char *line, void *arg)
{
    CU_ASSERT_PTR_EQUAL(arg, seen);
    (void)snprintf(seen, sizeof(seen), "%s", line);
    seen_level = level;
    n_seen++;
}

static void begin(int level)
{
    seen[0] = '\0';
    n_seen = 0;
    CU_ASSERT_EQUAL(mproc_log_set_handler(keep, seen), 0);
    CU_ASSERT_EQUAL(mproc_log_set_level(level), 0);
}

static void end(void)
{
    CU_ASSERT_EQUAL(mproc_log_to_stderr(MPROC_LOG_OFF), 0);
}

static int n_evaluated;

static int evaluate(void)
{
    return ++n_evaluated;
}

static void test_log__is_off(void)
{
    CU_ASSERT_EQUAL(mproc_log_get_level(), MPROC_LOG_OFF);
    CU_ASSERT_EQUAL(mproc_log_set_handler(keep, seen), 0);
    mproc_log(MPROC_LOG_CRITICAL, "%d", evaluate());
    CU_ASSERT(n_seen == 0 && n_evaluated == 0);
    begin(MPROC_LOG_OFF);
    mproc_log(MPROC_LOG_CRITICAL, "%d", evaluate());
    CU_ASSERT(n_seen == 0 && n_evaluated == 0);
    end();
}

static void test_log__levels(void)
{
    begin(MPROC_LOG_INFO);
    CU_ASSERT_EQUAL(mproc_log_get_level(), MPROC_LOG_INFO);
    mproc_log(MPROC_LOG_DEBUG, "%d", evaluate());
    CU_ASSERT(n_seen == 0 && n_evaluated == 0);
    mproc_log(MPROC_LOG_INFO, "read %d files", 12);
    CU_ASSERT_STRING_EQUAL(seen, "[INFO/MainProcess] read 12 files");
    CU_ASSERT(n_seen == 1 && seen_level == MPROC_LOG_INFO);
    mproc_log(MPROC_LOG_SUBWARNING, "a");
    CU_ASSERT_STRING_EQUAL(seen, "[SUBWARNING/MainProcess] a");
    mproc_log(MPROC_LOG_WARNING, "a");
    CU_ASSERT_STRING_EQUAL(seen, "[WARNING/MainProcess] a");
    mproc_log(MPROC_LOG_ERROR, "a");
    CU_ASSERT_STRING_EQUAL(seen, "[ERROR/MainProcess] a");
    mproc_log(MPROC_LOG_CRITICAL, "a");
    CU_ASSERT_STRING_EQUAL(seen, "[CRITICAL/MainProcess] a");
    mproc_log(21, "a");
    CU_ASSERT_STRING_EQUAL(seen, "[Level 21/MainProcess] a");
    begin(1);
    mproc_log(MPROC_LOG_DEBUG, "a");
    CU_ASSERT_STRING_EQUAL(seen, "[DEBUG/MainProcess] a");
    mproc_log(MPROC_LOG_SUBDEBUG, "a");
    CU_ASSERT_STRING_EQUAL(seen, "[SUBDEBUG/MainProcess] a");
    CU_ASSERT_EQUAL(mproc_log_set_level(-1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_log_to_stderr(-1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_log_get_level(), 1);
    CU_ASSERT(!mproc__log_is_to_stderr());
    end();
    CU_ASSERT(mproc__log_is_to_stderr());
}

static void test_log__long_lines_are_cut(void)
{
    char text[3000];
    begin(MPROC_LOG_DEBUG);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    mproc_log(MPROC_LOG_DEBUG, "%s", text);
    CU_ASSERT_EQUAL(strlen(seen), 1023);
    CU_ASSERT_EQUAL(strncmp(seen, "[DEBUG/MainProcess] xxx", 23), 0);
    end();
}

/** A handler that is as rude as can be. */
static void misbehave(int level, const char *line, void *arg)
{
    n_seen++;
    mproc_log(level, "once more: %s", line); // without end, if nobody took care
    (void)mproc__fail(MPROC_EINVAL, "of the handler's own");
    errno = EDOM;
    CU_ASSERT_EQUAL(mproc_log_set_handler(misbehave, arg), 0);
    CU_ASSERT_EQUAL(mproc_log_set_level(level), 0);
}

static void test_log__the_caller_does_not_notice(void)
{
    begin(MPROC_LOG_DEBUG);
    CU_ASSERT_EQUAL(mproc_log_set_handler(misbehave, NULL), 0);
    (void)mproc__fail(MPROC_EINVAL, "what went wrong: 100%%");
    errno = ERANGE;
    mproc_log(MPROC_LOG_INFO, "hello %s", mproc_last_error());
    CU_ASSERT_EQUAL(errno, ERANGE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "what went wrong: 100%");
    CU_ASSERT_EQUAL(n_seen, 1);
    mproc_log(MPROC_LOG_INFO, "and again");
    CU_ASSERT_EQUAL(n_seen, 2);
    end();
}

/** As a child's is set; without '=' the variable is taken away. */
static void set_environment(const char *name, const char *value)
{
    char text[64];
    const char *const env[] = {text};
    const mplat_setup setup = {.env = env, .n_env = 1};
    (void)snprintf(text, sizeof(text), "%s%s", name, value);
    CU_ASSERT_EQUAL_FATAL(mplat_init(), 0);
    CU_ASSERT_EQUAL(mplat_process_setup(&setup), 0);
}

static void test_log__environment(void)
{
    static const struct {
        const char *text;
        int level;
    } known[] = {
        {"debug", MPROC_LOG_DEBUG},
        {"SubDebug", MPROC_LOG_SUBDEBUG},
        {"INFO", MPROC_LOG_INFO},
        {"warning", 30},
        {"ERROR", 40},
        {"critical", 50},
        {"15", 15},
        {"0", 0},
        {"", 0},
        {"-3", 0},
        {"off", 0},
        {"on", MPROC_LOG_INFO},
        {"infos", MPROC_LOG_INFO},
        {"info!", MPROC_LOG_INFO},
        {"inf", MPROC_LOG_INFO},
        {"99999999999999", 0}, // beyond all
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        CU_ASSERT_EQUAL(mproc_log_set_level(MPROC_LOG_OFF), 0);
        set_environment("MPROC_LOG=", known[i].text);
        mproc__log_begin();
        CU_ASSERT_EQUAL(mproc_log_get_level(), known[i].level);
    }
    // What the program has chosen counts for more.
    set_environment("MPROC_LOG=", "error");
    CU_ASSERT_EQUAL(mproc_log_set_level(MPROC_LOG_DEBUG), 0);
    mproc__log_begin();
    CU_ASSERT_EQUAL(mproc_log_get_level(), MPROC_LOG_DEBUG);
    set_environment("MPROC_LOG", "");
    end();
}

static void test_log__inherited(void)
{
    mproc__log_inherit(MPROC_LOG_DEBUG, true);
    CU_ASSERT_EQUAL(mproc_log_get_level(), MPROC_LOG_DEBUG);
    // Its starter has a place for lines, which we have not.
    mproc__log_inherit(MPROC_LOG_DEBUG, false);
    CU_ASSERT_EQUAL(mproc_log_get_level(), MPROC_LOG_OFF);
    CU_ASSERT_EQUAL(mproc_log_set_handler(keep, seen), 0);
    mproc__log_inherit(MPROC_LOG_DEBUG, false);
    CU_ASSERT_EQUAL(mproc_log_get_level(), MPROC_LOG_DEBUG);
    end();
}

/** Handlers come and go while threads log: each line comes to one of them, whole, with its own argument. */
static uint32_t counts[2];
static uint32_t n_wrong;

static void count(uint32_t mine, const char *line, void *arg)
{
    bool is_right = arg == &counts[mine] && strcmp(line, "[INFO/MainProcess] from a thread") == 0;
    (void)mproc__add32(&n_wrong, is_right ? 0 : 1);
    (void)mproc__add32(&counts[mine], 1);
}

static void count_first(int level, const char *line, void *arg)
{
    (void)level;
    count(0, line, arg);
}

static void count_second(int level, const char *line, void *arg)
{
    (void)level;
    count(1, line, arg);
}

#define N_LINES 2000

static void *APR_THREAD_FUNC log_lines(apr_thread_t *thread, void *arg)
{
    (void)arg;
    for (int i = 0; i < N_LINES; i++) {
        mproc_log(MPROC_LOG_INFO, "from a %s", "thread");
    }
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_log__in_threads(void)
{
    enum { N_THREADS = 2 };
    apr_pool_t *pool;
    apr_thread_t *threads[N_THREADS];
    apr_status_t status;
    begin(MPROC_LOG_INFO);
    CU_ASSERT_EQUAL(mproc_log_set_handler(count_first, &counts[0]), 0);
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (int i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, log_lines, NULL, pool),
                              APR_SUCCESS);
    }
    for (int i = 0; i < N_LINES; i++) {
        CU_ASSERT_EQUAL(mproc_log_set_handler(count_second, &counts[1]), 0);
        CU_ASSERT_EQUAL(mproc_log_set_level(MPROC_LOG_DEBUG), 0);
        CU_ASSERT_EQUAL(mproc_log_set_handler(count_first, &counts[0]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL(apr_thread_join(&status, threads[i]), APR_SUCCESS);
    }
    CU_ASSERT_EQUAL(counts[0] + counts[1], N_THREADS * N_LINES);
    CU_ASSERT_EQUAL(n_wrong, 0);
    apr_pool_destroy(pool);
    apr_terminate();
    end();
}

static const testlib_case cases[] = {
    {"is_off", test_log__is_off},
    {"levels", test_log__levels},
    {"long_lines_are_cut", test_log__long_lines_are_cut},
    {"caller_does_not_notice", test_log__the_caller_does_not_notice},
    {"environment", test_log__environment},
    {"inherited", test_log__inherited},
    {"in_threads", test_log__in_threads},
};
TESTLIB_MAIN("base.log", cases)
