/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_handle_limits.c: handles where there is no room for them: each a clear error, nothing lost, and
 * everything works again when there is room; and in threads. Linux only.
 *
 * Limits hold for a whole process, so each is a child's; but for a family without a bag, which is this
 * program again, started with hardly any descriptors.
 */
#include "object/native.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SCENE "MPROC_TEST_SCENE"
#define MOST 20000
#define N_THREADS 4

static void limit_fds(rlim_t count)
{
    struct rlimit limit;
    CHILD_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
    CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/** Leave no room for any more; the last descriptor of those that take it up. */
static int use_all_fds(void)
{
    int fd;
    int last = -1;
    limit_fds(64);
    while ((fd = dup(2)) >= 0) {
        last = fd;
    }
    CHILD_CHECK(errno == EMFILE);
    return last;
}

static mproc_handle *make_pipe(intptr_t *ret_read_end)
{
    intptr_t ends[2];
    native_pipe(ends);
    *ret_read_end = ends[0];
    return native_give(ends[1]);
}

static void check_ended(intptr_t read_end)
{
    char text[32];
    native_read(read_end, text);
    CHILD_CHECK(text[0] == '\0');
    native_close(read_end);
}

/** Run a function as a child; its result must be 0. */
static void run(mproc_process_fn function, const mproc_args *args)
{
    CU_ASSERT_EQUAL(end_of(start(function, args)), 0);
}

/* ---- a full table ---------------------------------------------------------------------------- */

static int have_no_room(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_value item;
    mproc_handle *handle;
    intptr_t native = -1;
    CHILD_CHECK(MPROC_UNPACK(args, &queue) == 0);
    int last = use_all_fds();
    CHILD_CHECK(mproc_queue_get(queue, &item, LIMIT) == 0);
    CHILD_CHECK(MPROC_UNPACK_LIST(&item, &handle) == 0);
    for (int i = 0; i < 3; i++) {
        CHILD_CHECK(mproc_handle_open(handle, &native) == MPROC_EMFILE);
        CHILD_CHECK(strstr(mproc_last_error(), "64") != NULL && native == -1);
    }
    native_close(last);
    CHILD_CHECK(mproc_handle_open(handle, &native) == 0 && native == last);
    native_write(native, "at last");
    mproc_value_clear(&item);
    limit_fds(RLIM_INFINITY); // a sanitizer wants some at the end
    return 0;
}

static void test_handle_limits__table_is_full(void)
{
    char text[32];
    intptr_t read_end;
    mproc_queue *queue = NULL;
    mproc_handle *handle = make_pipe(&read_end);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_LIST(handle), LIMIT), MPROC_OK);
    mproc_handle_close(handle);
    run(have_no_room, MPROC_ARGS(queue));
    native_read(read_end, text);
    CU_ASSERT_STRING_EQUAL(text, "at last");
    check_ended(read_end);
    mproc_queue_close(queue);
}

static int have_no_room_for_an_end(const mproc_args *args)
{
    const mproc_pipe_options options = {.kernel = true};
    mproc_connection *carrier;
    mproc_connection *made[2];
    mproc_connection *end;
    mproc_value value;
    CHILD_CHECK(MPROC_UNPACK(args, &carrier) == 0);
    CHILD_CHECK(mproc_connection_poll(carrier, LIMIT) == 0);
    int last = use_all_fds();
    CHILD_CHECK(mproc_pipe_create(&made[0], &made[1], &options) == MPROC_EMFILE);
    for (int i = 0; i < 3; i++) {
        CHILD_CHECK(mproc_connection_recv(carrier, &value, MPROC_NOWAIT) == MPROC_EMFILE);
    }
    native_close(last);
    CHILD_CHECK(mproc_connection_recv(carrier, &value, MPROC_NOWAIT) == 0);
    CHILD_CHECK(MPROC_UNPACK_LIST(&value, &end) == 0);
    CHILD_CHECK(mproc_connection_send(end, MPROC_VALUE("at last"), LIMIT) == 0);
    mproc_value_clear(&value);
    limit_fds(RLIM_INFINITY);
    return 0;
}

/** Of a pipe that the system can wait for, or to a stranger: it has a descriptor, too. */
static void pass_end(mproc_connection **ends)
{
    mproc_connection *carrier[2];
    mproc_value value;
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&carrier[0], &carrier[1], NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_send(carrier[0], MPROC_LIST(ends[1]), LIMIT), MPROC_OK);
    mproc_connection_close(ends[1]);
    run(have_no_room_for_an_end, MPROC_ARGS(carrier[1]));
    CU_ASSERT_EQUAL_FATAL(mproc_connection_recv(ends[0], &value, LIMIT), MPROC_OK);
    CU_ASSERT_STRING_EQUAL(value.as.string.data, "at last");
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(mproc_connection_recv(ends[0], &value, LIMIT), MPROC_ECLOSED);
    mproc_connection_close(ends[0]);
    mproc_connection_close(carrier[0]);
    mproc_connection_close(carrier[1]);
}

static void test_handle_limits__no_room_for_an_end(void)
{
    const mproc_pipe_options options = {.kernel = true};
    mproc_connection *ends[2];
    CU_ASSERT_EQUAL_FATAL(mproc_pipe_create(&ends[0], &ends[1], &options), MPROC_OK);
    pass_end(ends);
}

static void test_handle_limits__no_room_for_a_stranger(void)
{
    mproc_connection *ends[2];
    mproc_listener *listener;
    CU_ASSERT_EQUAL_FATAL(mproc_listener_create(&listener, NULL), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(
        mproc_client_connect(&ends[0], mproc_listener_address(listener), NULL, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_listener_accept(listener, &ends[1], LIMIT), MPROC_OK);
    pass_end(ends);
    mproc_listener_close(listener);
}

/* ---- a full bag ------------------------------------------------------------------------------ */

/** Create handles of one pipe until there is no room; how many, and why not more. */
static size_t fill(mproc_handle **handles, intptr_t native, int *ret_error)
{
    size_t n = 0;
    int rc = 0;
    while (n < MOST && (rc = mproc_handle_create(&handles[n], native)) == 0) {
        n++;
    }
    *ret_error = rc;
    char count[32];
    (void)snprintf(count, sizeof(count), "%zu", n);
    CHILD_CHECK(rc == 0 || strstr(mproc_last_error(), count) != NULL);
    return n;
}

static int fill_bag(const mproc_args *args)
{
    static mproc_handle *handles[MOST];
    int expected;
    int error;
    intptr_t ends[2];
    CHILD_CHECK(MPROC_UNPACK(args, &expected) == 0);
    native_pipe(ends);
    if (expected == MPROC_EMFILE) {
        limit_fds(100);
        CHILD_CHECK(getuid() != 0 || setuid(65534) == 0); // root may do without the limit
    }
    size_t n_fds = native_count();
    size_t n = fill(handles, ends[1], &error);
    CHILD_CHECK(error == expected && n > 50);
    CHILD_CHECK(native_count() == n_fds);
    native_close(native_open(handles[0]));
    native_close(native_open(handles[n - 1]));
    // What is in the middle goes, too, though others must be moved for that.
    mproc_handle_close(handles[n / 2]);
    mproc_handle_close(handles[0]);
    CHILD_CHECK(mproc_handle_create(&handles[n / 2], ends[1]) == 0);
    CHILD_CHECK(mproc_handle_create(&handles[0], ends[1]) == 0);
    for (size_t i = 0; i < n; i++) {
        mproc_handle_close(handles[i]);
    }
    native_close(ends[1]);
    check_ended(ends[0]);
    return 0;
}

static void test_handle_limits__bag_is_full(void)
{
    run(fill_bag, MPROC_ARGS(MPROC_ENOSPC));
}

static void test_handle_limits__user_has_no_more(void)
{
    run(fill_bag, MPROC_ARGS(MPROC_EMFILE));
}

/* ---- no bag ---------------------------------------------------------------------------------- */

static int close_descriptors(const mproc_args *args)
{
    mproc_handle *handle;
    mproc_handle *more = NULL;
    intptr_t native;
    int fds[8];
    CHILD_CHECK(MPROC_UNPACK(args, &handle) == 0);
    for (int fd = 3; fd < 1024; fd++) {
        (void)close(fd);
    }
    CHILD_CHECK(mproc_handle_create(&more, 2) == MPROC_ENOTSUP);
    // Others have the numbers now, and nothing to do with it.
    for (size_t i = 0; i < MPROC__COUNT(fds); i += 2) {
        CHILD_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, &fds[i]) == 0);
    }
    CHILD_CHECK(mproc_handle_open(handle, &native) == MPROC_ENOTSUP);
    CHILD_CHECK(mproc_handle_create(&more, 2) == MPROC_ENOTSUP && more == NULL);
    for (size_t i = 0; i < MPROC__COUNT(fds); i++) {
        char byte;
        CHILD_CHECK(recv(fds[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    }
    return 0;
}

static void test_handle_limits__descriptors_are_closed(void)
{
    intptr_t read_end;
    mproc_handle *handle = make_pipe(&read_end);
    mproc_process *child = start(close_descriptors, MPROC_ARGS(handle));
    mproc_handle_close(handle);
    CU_ASSERT_EQUAL(end_of(child), 0);
    check_ended(read_end);
}

static int create_none(const mproc_args *args)
{
    mproc_handle *handle = NULL;
    (void)args;
    CHILD_CHECK(mproc_handle_create(&handle, 2) == MPROC_ENOTSUP && handle == NULL);
    CHILD_CHECK(strlen(mproc_last_error()) > 0);
    return 0;
}

/* Everything else works, and children by all methods are no better off. */
static int have_no_bag(void)
{
    const char *const *methods = mproc_get_all_start_methods();
    CHILD_CHECK(create_none(NULL) == 0);
    limit_fds(RLIM_INFINITY);
    CHILD_CHECK(create_none(NULL) == 0);
    for (size_t i = 0; methods[i] != NULL; i++) {
        mproc_process *child;
        int code = -1;
        if (HAS_THREAD_SANITIZER && strcmp(methods[i], "fork") == 0) {
            continue;
        }
        CHILD_CHECK(mproc_set_start_method(methods[i]) == 0);
        CHILD_CHECK(mproc_process_start(&child, create_none, NULL, NULL) == 0);
        CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
        CHILD_CHECK(mproc_process_exit_code(child, &code) == 0 && code == 0);
        CHILD_CHECK(mproc_process_close(child) == 0);
    }
    return 0;
}

static void test_handle_limits__family_without_a_bag(void)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        // Ten are left free for a new program's; one is the arena's.
        for (int fd = 3; fd < 1024; fd++) {
            (void)close(fd);
        }
        limit_fds(11);
        (void)setenv(SCENE, "no bag", 1);
        (void)execl("/proc/self/exe", "test", (char *)NULL);
        _exit(TESTLIB_CHILD_FAILED);
    }
    CU_ASSERT(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *juggle(void *arg)
{
    long n = testlib_count(50, 5000);
    for (long i = 0; i < n; i++) {
        intptr_t read_ends[3];
        mproc_handle *handles[3];
        char text[32];
        for (int k = 0; k < 3; k++) {
            handles[k] = make_pipe(&read_ends[k]);
        }
        for (int k = 0; k < 3; k++) {
            int one = (k + (int)i) % 3;
            intptr_t native = native_open(handles[one]);
            native_write(native, "mine");
            native_read(read_ends[one], text);
            CHILD_CHECK(strcmp(text, "mine") == 0);
            native_close(native);
            mproc_handle_close(handles[one]);
            check_ended(read_ends[one]);
        }
    }
    return arg;
}

static void test_handle_limits__threads(void)
{
    pthread_t threads[N_THREADS];
    size_t before = native_count();
    for (int i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, juggle, NULL), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    CU_ASSERT_EQUAL(native_count(), before);
}

static const testlib_case cases[] = {
    {"table_is_full", test_handle_limits__table_is_full},
    {"no_room_for_an_end", test_handle_limits__no_room_for_an_end},
    {"no_room_for_a_stranger", test_handle_limits__no_room_for_a_stranger},
    {"bag_is_full", test_handle_limits__bag_is_full},
    {"user_has_no_more", test_handle_limits__user_has_no_more},
    {"descriptors_are_closed", test_handle_limits__descriptors_are_closed},
    {"family_without_a_bag", test_handle_limits__family_without_a_bag},
    {"threads", test_handle_limits__threads},
};

int main(int argc, char **argv)
{
    CHILD_CHECK(mproc_main(argc, argv) >= 0);
    if (getenv(SCENE) != NULL) {
        return have_no_bag();
    }
    return process_test_main(argc, argv, "object.handle_limits", cases, MPROC__COUNT(cases));
}
