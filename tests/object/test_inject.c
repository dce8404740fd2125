/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_inject.c: the n-th system call of a kind fails, in the process that starts another one, or in
 * every process of the family. Linux only; needs strace, and the right to trace.
 *
 * The scene is this program again, under strace: it starts a process, sees it end, and does so again.
 */
#include "object/core.h"

#include <fcntl.h>

#define SCENE "MPROC_TEST_SCENE"

/* What the scene found. */
enum { ALL_WORKED = 0, ONE_FAILED = 20, ALL_FAILED = 21 };

/** One life of a process; whether it worked. An error is a status with a sentence, and no handle. */
static bool live(void)
{
    mproc_process *child = NULL;
    mproc_block *block = NULL;
    int code = -1;
    int rc = mproc_block_create(&block, 300000);
    if (rc >= 0) {
        rc = mproc_process_start(&child, core_return, MPROC_ARGS(4), NULL);
        CHILD_CHECK((rc < 0) == (child == NULL));
    }
    if (rc >= 0) {
        rc = mproc_process_join(child, LIMIT);
        CHILD_CHECK(rc == 0 || rc == MPROC_ESTART);
        int known = mproc_process_exit_code(child, &code);
        CHILD_CHECK(known == 0 || known == MPROC_EUNKNOWN);
        CHILD_CHECK(rc < 0 || code == 4);
        CHILD_CHECK(mproc_process_close(child) == 0);
    }
    CHILD_CHECK(rc >= 0 || strlen(mproc_last_error()) > 0);
    mproc_block_close(block);
    return rc >= 0;
}

static void be_scene(const char *method)
{
    CHILD_CHECK(mproc_set_start_method(method) == 0);
    bool is_first_good = live();
    bool is_second_good = live();
    int rc = mproc_shutdown(LIMIT);
    CHILD_CHECK(rc == 0);
    CHILD_CHECK(count_zombies() == 0);
    _exit(is_first_good && is_second_good   ? ALL_WORKED
          : is_first_good || is_second_good ? ONE_FAILED
                                            : ALL_FAILED);
}

typedef struct fault {
    const char *call;
    const char *error;
} fault;

static const fault faults[] = {
    {"socketpair", "EMFILE"},   {"sendmsg", "ENOBUFS"},
    {"recvmsg", "ENOMEM"},      {"clone,clone3,fork,vfork", "EAGAIN"},
    {"pidfd_open", "EMFILE"},   {"fallocate", "ENOSPC"},
#if !HAS_SANITIZER
    {"mmap", "ENOMEM"}, // sanitizers give up then
#endif
    {"memfd_create", "EMFILE"}, {"fcntl", "EMFILE"},
    {"dup2,dup3", "EMFILE"},
};

/** Run the scene with a fault. */
static int play(const fault *what, int n, bool in_all)
{
    char inject[200];
    (void)snprintf(inject, sizeof(inject), "inject=%s:error=%s:when=%d", what->call, what->error,
                   n);
    const char *argv[10] = {"strace", "-qqq", "-o", "/dev/null", "-e", inject};
    int count = 6;
    if (in_all) {
        argv[count++] = "-f";
    }
    char self[4096] = "";
    CU_ASSERT(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    argv[count] = self;
    char *const *words;
    const char *const *const_words = argv;
    memcpy(&words, &const_words, sizeof(words)); // execvp writes to none of them
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(null_device, 2); // sentences of children that could not start
        // A leak checker cannot trace what is being traced.
        if (setenv(SCENE, mproc_get_start_method(), 1) == 0 &&
            setenv("LSAN_OPTIONS", "detect_leaks=0", 1) == 0) {
            (void)execvp("strace", words);
        }
        _exit(TESTLIB_CHILD_FAILED);
    }
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/** Whether the program has not even been loaded: the loader says so, or crashes. */
static bool is_not_loaded(int code)
{
    return code == 127 || code == -SIGSEGV;
}

static bool has_strace(void)
{
    static const fault none = {"rmdir", "EINVAL"};
    return play(&none, 1, false) == ALL_WORKED;
}

static void play_all(bool in_all)
{
    if (!has_strace()) {
        testlib_skip("no strace, or not the right to trace");
        return;
    }
    int n_failed = 0;
    const int most = (int)testlib_count(4, 60);
    for (size_t i = 0; i < MPROC__COUNT(faults); i++) {
        for (int n = 1; n <= most; n++) {
            int code = play(&faults[i], n, in_all);
            bool is_right = code == ALL_WORKED || code == ONE_FAILED ||
                            (in_all && code == ALL_FAILED) ||
                            (is_not_loaded(code) && strcmp(faults[i].call, "mmap") == 0);
            if (!is_right) {
                printf("%s number %d fails%s: %d ... ", faults[i].call, n,
                       in_all ? " everywhere" : "", code);
            }
            CU_ASSERT(is_right);
            n_failed += code != ALL_WORKED;
        }
    }
    CU_ASSERT(n_failed > 0);
}

static void test_inject__in_the_starting_process(void)
{
    play_all(false);
}

static void test_inject__in_every_process(void)
{
    play_all(true);
}

static const testlib_case cases[] = {
    {"in_the_starting_process", test_inject__in_the_starting_process},
    {"in_every_process", test_inject__in_every_process},
};

int main(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    const char *scene = getenv(SCENE);
    if (scene != NULL) {
        be_scene(scene);
    }
    return process_test_main(argc, argv, "object.inject", cases, MPROC__COUNT(cases));
}
