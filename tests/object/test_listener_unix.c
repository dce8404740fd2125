/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_listener_unix.c: what is special about Unix sockets: their files, their users, and descriptors.
 */
#include "object/listener_test.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const mproc_client_options without_key = {0};
static char folder[64];
static char file[80];
static char where[96];

static const mproc_listener_options at_file = {.address = where};

/** Nothing is at `file`. */
static void begin(void)
{
    (void)unlink(file);
}

static int exchange(mproc_listener *listener)
{
    mproc_connection *ours;
    mproc_connection *theirs;
    mproc_value value = MPROC_NIL_VALUE;
    connect_both(listener, &without_key, &ours, &theirs);
    int rc = mproc_connection_send(ours, MPROC_VALUE(1), LIMIT);
    rc = rc < 0 ? rc : mproc_connection_recv(theirs, &value, LIMIT);
    mproc_connection_close(ours);
    mproc_connection_close(theirs);
    return rc;
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    CU_ASSERT_EQUAL_FATAL(lstat(path, &status), 0);
    return status.st_mode & 07777;
}

static void test_unix__file_is_private(void)
{
    struct stat status;
    begin();
    mode_t old = umask(0);
    mproc_listener *listener = listen_with(&at_file);
    CU_ASSERT_EQUAL(mode_of(file), 0600);
    mproc_listener_close(listener);
    CU_ASSERT_EQUAL(lstat(file, &status), -1); // it went along
    (void)umask(077);
    listener = listen_with(&(mproc_listener_options){.address = where, .is_public = true});
    CU_ASSERT_EQUAL(mode_of(file), 0666);
    (void)umask(old);
    CU_ASSERT_EQUAL(exchange(listener), MPROC_OK);
    mproc_listener_close(listener);
}

static void test_unix__takes_nobody_s_place(void)
{
    mproc_listener *second = NULL;
    begin();
    mproc_listener *first = listen_with(&at_file);
    CU_ASSERT_EQUAL(mproc_listener_create(&second, &at_file), MPROC_EEXIST);
    CU_ASSERT_EQUAL(exchange(first), MPROC_OK);
    mproc_listener_close(first);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); // no socket
    CU_ASSERT(fd >= 0 && close(fd) == 0);
    CU_ASSERT_EQUAL(mproc_listener_create(&second, &at_file), MPROC_EEXIST);
    CU_ASSERT_EQUAL(mode_of(file), 0600);
    begin();
    // A file that has another owner by now is left alone.
    first = listen_with(&at_file);
    begin();
    second = listen_with(&at_file);
    mproc_listener_close(first);
    CU_ASSERT_EQUAL(exchange(second), MPROC_OK);
    mproc_listener_close(second);
}

static int listen_and_stay(const mproc_args *args)
{
    mproc_block *block;
    const char *address;
    mproc_listener *listener;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &address) == 0);
    CHILD_CHECK(mproc_listener_create(&listener, &(mproc_listener_options){.address = address}) ==
                0);
    add_word(words_of(block));
    return stay();
}

static void test_unix__replaces_what_the_dead_left(void)
{
    mproc_block *block = make_words(1);
    begin();
    for (uint32_t i = 0; i < 3; i++) {
        mproc_process *child = start(listen_and_stay, MPROC_ARGS(block, where));
        CU_ASSERT(await_word(words_of(block), i + 1));
        CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
        CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
        CU_ASSERT_EQUAL(mode_of(file), 0600); // left behind
    }
    mproc_listener *listener = listen_with(&at_file);
    CU_ASSERT_EQUAL(exchange(listener), MPROC_OK);
    mproc_listener_close(listener);
    mproc_block_close(block);
}

static void test_unix__tells_what_is_too_long(void)
{
    char longest[128];
    mproc_listener *listener = NULL;
    mproc_connection *connection = NULL;
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "unix:@", 6);
    longest[5 + 108] = '\0';
    CU_ASSERT_EQUAL(mproc_listener_create(&listener, &(mproc_listener_options){.address = longest}),
                    MPROC_ETOOBIG);
    CU_ASSERT_EQUAL(mproc_client_connect(&connection, longest, NULL, LIMIT), MPROC_ETOOBIG);
    longest[5 + 107] = '\0';
    listener = listen_with(&(mproc_listener_options){.address = longest});
    CU_ASSERT_EQUAL(exchange(listener), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_listener_create(&listener, &(mproc_listener_options){.address = longest}),
                    MPROC_EEXIST);
    mproc_listener_close(listener);
    CU_ASSERT_EQUAL(mproc_listener_create(
                        &listener, &(mproc_listener_options){.address = "unix:/nowhere/at/all"}),
                    MPROC_ENOENT);
    CU_ASSERT_EQUAL(
        mproc_listener_create(&listener, &(mproc_listener_options){.address = "pipe:x"}),
        MPROC_ENOTSUP);
    CU_ASSERT_EQUAL(mproc_client_connect(&connection, "unix:@nobody is here", NULL, LIMIT),
                    MPROC_ENOENT);
}

/* ---- users ----------------------------------------------------------------------------------- */

static int connect_as_nobody(const mproc_args *args)
{
    const char *address;
    mproc_connection *connection;
    mproc_value value;
    CHILD_CHECK(MPROC_UNPACK(args, &address) == 0);
    CHILD_CHECK(geteuid() == 65534);
    int rc = mproc_client_connect(&connection, address, NULL, LIMIT);
    if (rc >= 0) { // to an abstract name everybody can
        rc = mproc_connection_recv(connection, &value, LIMIT);
        mproc_connection_close(connection);
    }
    return rc < 0 ? -rc : 0;
}

static void test_unix__turns_other_users_away(void)
{
    const mproc_process_options as_nobody = {.set_user = true, .user = 65534, .group = 65534};
    mproc_connection *connection = NULL;
    if (geteuid() != 0) {
        testlib_skip("only root can start processes of another user");
        return;
    }
    begin();
    mproc_listener *listener = listen_with(&at_file);
    CU_ASSERT_EQUAL(end_of(start_with(connect_as_nobody, MPROC_ARGS(where), &as_nobody)),
                    -MPROC_EACCES);
    mproc_listener_close(listener);
    listener = listen_with(NULL);
    mproc_process *child =
        start_with(connect_as_nobody, MPROC_ARGS(mproc_listener_address(listener)), &as_nobody);
    mproc_listener_info info = {0};
    while (info.refused == 0) {
        CU_ASSERT_EQUAL(mproc_listener_accept(listener, &connection, BRIEF), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mproc_listener_get_info(listener, &info), MPROC_OK);
    }
    int code = end_of(child);
    CU_ASSERT(code == -MPROC_ECLOSED || code == -MPROC_EPEER);
    mproc_listener_close(listener);
    listener = listen_with(&(mproc_listener_options){.is_public = true});
    child = start_with(connect_as_nobody, MPROC_ARGS(mproc_listener_address(listener)), &as_nobody);
    CU_ASSERT_EQUAL_FATAL(mproc_listener_accept(listener, &connection, LIMIT), MPROC_OK);
    mproc_peer peer;
    CU_ASSERT_EQUAL(mproc_connection_get_peer(connection, &peer), MPROC_OK);
    CU_ASSERT_EQUAL(peer.user, 65534);
    CU_ASSERT_EQUAL(mproc_connection_send(connection, MPROC_VALUE(1), LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc_connection_close(connection);
    mproc_listener_close(listener);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void test_unix__says_when_descriptors_are_out(void)
{
    mproc_connection *ours = NULL;
    dialer client;
    struct rlimit limit;
    mproc_listener *listener = listen_with(NULL);
    dial(&client, mproc_listener_address(listener), &without_key);
    CU_ASSERT_EQUAL(dialed(&client), MPROC_OK); // its connection waits
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = limit;
    int next = dup(0);
    CU_ASSERT(next >= 0 && close(next) == 0);
    none.rlim_cur = (rlim_t)next;
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    int rc = mproc_listener_accept(listener, &ours, LIMIT);
    int again = mproc_listener_accept(listener, &ours, MPROC_NOWAIT);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CU_ASSERT_EQUAL(rc, MPROC_EMFILE);
    CU_ASSERT_EQUAL(again, MPROC_EMFILE);
    CU_ASSERT_EQUAL(mproc_listener_accept(listener, &ours, LIMIT), MPROC_OK);
    mproc_connection_close(ours);
    mproc_connection_close(client.connection);
    mproc_listener_close(listener);
}

static int count_descriptors(const mproc_args *args)
{
    int low;
    int high;
    CHILD_CHECK(MPROC_UNPACK(args, &low, &high) == 0);
    // Neither the listener nor the connections came along.
    return fcntl(low, F_GETFD) < 0 && fcntl(high, F_GETFD) < 0 ? 0 : 1;
}

static void test_unix__copies_do_not_keep_it(void)
{
    mproc_connection *ours;
    mproc_connection *theirs;
    mproc_os_handle handles[2] = {-1, -1};
    mproc_listener *listener = listen_with(NULL);
    connect_both(listener, &without_key, &ours, &theirs);
    CU_ASSERT_EQUAL(mproc_connection_handle(ours, &handles[0]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_handle(theirs, &handles[1]), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(count_descriptors, MPROC_ARGS((int)handles[0], (int)handles[1]))),
                    0);
    mproc_connection_close(ours);
    mproc_connection_close(theirs);
    mproc_listener_close(listener);
}

static const testlib_case cases[] = {
    {"file_is_private", test_unix__file_is_private},
    {"takes_nobody_s_place", test_unix__takes_nobody_s_place},
    {"replaces_what_the_dead_left", test_unix__replaces_what_the_dead_left},
    {"tells_what_is_too_long", test_unix__tells_what_is_too_long},
    {"turns_other_users_away", test_unix__turns_other_users_away},
    {"says_when_descriptors_are_out", test_unix__says_when_descriptors_are_out},
    {"copies_do_not_keep_it", test_unix__copies_do_not_keep_it},
};

int main(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    (void)snprintf(folder, sizeof(folder), "/tmp/mproc-unix-%lld", (long long)mplat_pid());
    (void)snprintf(file, sizeof(file), "%s/s", folder);
    (void)snprintf(where, sizeof(where), "unix:%s", file);
    if (mkdir(folder, 0755) < 0) {
        return 1;
    }
    int rc = process_test_main(argc, argv, "object.listener_unix", cases, MPROC__COUNT(cases));
    (void)unlink(file);
    (void)rmdir(folder);
    return rc;
}
