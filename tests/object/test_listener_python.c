/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_listener_python.c: listeners and clients with this machine's python3 at the other end, which runs
 * peer.py.
 */
#include "object/listener_test.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>

/* What peer.py exits with. */
#define REFUSED 3
#define ENDED 4

static char directory[64];

/** A Python process. */
typedef struct python {
    apr_proc_t process;
    apr_pool_t *pool;
} python;

static char *hex(apr_pool_t *pool, const void *bytes, size_t size)
{
    char *text = apr_palloc(pool, size * 2 + 1);
    for (size_t i = 0; i < size; i++) {
        (void)snprintf(text + i * 2, 3, "%02x", ((const unsigned char *)bytes)[i]);
    }
    return text;
}

static void start_python(python *me, const char *role, const char *form, const char *address,
                         const mproc_client_options *options)
{
    apr_procattr_t *attributes;
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&me->pool, test_pool()), APR_SUCCESS);
    const char *const args[] = {
        "python3",
        "-S",
        PEER,
        role,
        form,
        address,
        options->authkey != NULL ? hex(me->pool, options->authkey, options->authkey_size) : NULL,
        NULL};
    CU_ASSERT_EQUAL_FATAL(apr_procattr_create(&attributes, me->pool), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_procattr_io_set(attributes, APR_NO_PIPE, APR_FULL_BLOCK, APR_NO_PIPE),
                          APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_procattr_cmdtype_set(attributes, APR_PROGRAM_PATH), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(
        apr_proc_create(&me->process, "python3", args, NULL, attributes, me->pool), APR_SUCCESS);
}

static void await_ready(python *me)
{
    char line[16] = "";
    CU_ASSERT_EQUAL(apr_file_gets(line, sizeof(line), me->process.out), APR_SUCCESS);
    CU_ASSERT_STRING_EQUAL(line, "ready\n");
}

static int end_python(python *me)
{
    int code = -1;
    apr_exit_why_e why;
    CU_ASSERT_EQUAL(apr_proc_wait(&me->process, &code, &why, APR_WAIT), APR_CHILD_DONE);
    apr_pool_destroy(me->pool);
    return code;
}

/** What is sent comes back. */
static void check_echo(mproc_connection *connection)
{
    const size_t sizes[] = {0, 1, 100, 4096, 16384, 16385, 65537, 200000};
    static char data[200000];
    static char back[200000];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (char)(i * 7 + i / 256);
    }
    for (size_t i = 0; i < MPROC__COUNT(sizes); i++) {
        size_t size = 9;
        CU_ASSERT_EQUAL(mproc_connection_send_bytes(connection, data, sizes[i], LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(
            mproc_connection_recv_bytes_into(connection, back, sizeof(back), &size, LIMIT),
            MPROC_OK);
        CU_ASSERT(size == sizes[i] && memcmp(data, back, size) == 0);
    }
    mproc_value value = MPROC_NIL_VALUE;
    CU_ASSERT_EQUAL(mproc_connection_send(connection, MPROC_LIST(1, "two", 3.5), LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_connection_recv(connection, &value, LIMIT), MPROC_OK);
    CU_ASSERT(value.type == MPROC_LIST && value.as.list.count == 3);
    mproc_value_clear(&value);
}

static const char *path(const char *name)
{
    static char address[128];
    (void)snprintf(address, sizeof(address), "unix:%s/%s", directory, name);
    return address;
}

/* ---- Python as client ------------------------------------------------------------------------ */

static void serve_python(const char *address, const char *form, const mproc_client_options *options)
{
    python peer;
    mproc_connection *connection = NULL;
    mproc_listener *listener = listen_with(&(mproc_listener_options){
        .address = address, .authkey = options->authkey, .authkey_size = options->authkey_size});
    start_python(&peer, "client", form, mproc_listener_address(listener), options);
    int rc = mproc_listener_accept(listener, &connection, LIMIT);
    CU_ASSERT_EQUAL(rc, MPROC_OK);
    if (rc >= 0) {
        mproc_peer who;
        CU_ASSERT_EQUAL(mproc_connection_get_peer(connection, &who), MPROC_OK);
        CU_ASSERT_EQUAL(who.pid, strncmp(mproc_listener_address(listener), "tcp", 3) == 0
                                     ? 0
                                     : peer.process.pid);
        check_echo(connection);
        mproc_connection_close(connection);
    }
    CU_ASSERT_EQUAL(end_python(&peer), ENDED);
    mproc_listener_close(listener);
}

static const mproc_client_options with_key = {KEY};
static const mproc_client_options wrong_key = {.authkey = "wrong", .authkey_size = 5};
static const mproc_client_options without_key = {0};

static void test_python__connects(void)
{
    serve_python(NULL, "own", &with_key);
    serve_python(path("a"), "own", &without_key);
    serve_python("tcp:127.0.0.1:0", "own", &with_key);
    serve_python(path("a"), "long", &with_key);
}

static void test_python__connects_with_any_form(void)
{
    // Our challenge says {sha256}: of the new forms only that one fits.
    serve_python(NULL, "legacy", &with_key);
    serve_python(NULL, "sha256", &with_key);
}

static void turn_away(const mproc_client_options *options, const char *form, int code)
{
    python peer;
    mproc_listener_info info;
    mproc_connection *connection = NULL;
    mproc_listener *listener = listen_with(&(mproc_listener_options){KEY});
    start_python(&peer, "client", form, mproc_listener_address(listener), options);
    do {
        CU_ASSERT_EQUAL(mproc_listener_accept(listener, &connection, BRIEF), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mproc_listener_get_info(listener, &info), MPROC_OK);
    } while (info.refused == 0);
    CU_ASSERT_EQUAL(end_python(&peer), code);
    mproc_listener_close(listener);
}

static void test_python__is_turned_away(void)
{
    turn_away(&wrong_key, "own", REFUSED);
    turn_away(&wrong_key, "legacy", REFUSED);
    turn_away(&wrong_key, "sha256", REFUSED);
    turn_away(&without_key, "own", ENDED); // it sends the challenge back
}

/* ---- Python as listener ---------------------------------------------------------------------- */

/** Connect to a listener so often. What the last time came to. */
static int connect_python(const char *form, int times, const mproc_client_options *theirs,
                          const mproc_client_options *ours, int code)
{
    python peer;
    int rc = MPROC_OK;
    start_python(&peer, "listener", form, path("b"), theirs);
    await_ready(&peer);
    for (int i = 0; i < times; i++) {
        mproc_connection *connection = NULL;
        rc = mproc_client_connect(&connection, path("b"), ours, LIMIT);
        if (rc >= 0 && theirs->authkey == ours->authkey) {
            check_echo(connection);
        }
        if (rc >= 0) {
            mproc_connection_close(connection);
        }
    }
    CU_ASSERT_EQUAL(end_python(&peer), code);
    return rc;
}

static void test_python__listens(void)
{
    // It asks with its form, and answers our {sha256} in whatever form that wants.
    CU_ASSERT_EQUAL(connect_python("own,long,legacy,md5,sha256,sha384,sha3_256,sha3_384", 8,
                                   &with_key, &with_key, ENDED),
                    MPROC_OK);
    CU_ASSERT_EQUAL(connect_python("own", 1, &without_key, &without_key, ENDED), MPROC_OK);
}

static void test_python__turns_away(void)
{
    const mproc_client_options brief = {KEY, .handshake_timeout = BRIEF};
    CU_ASSERT_EQUAL(connect_python("own,sha256", 2, &with_key, &wrong_key, REFUSED), MPROC_EACCES);
    CU_ASSERT_EQUAL(connect_python("own", 1, &with_key, &without_key, ENDED), MPROC_OK);
    CU_ASSERT_EQUAL(connect_python("own", 1, &without_key, &brief, ENDED), MPROC_ETIMEDOUT);
}

static bool has_python(void)
{
    apr_procattr_t *attributes;
    apr_proc_t process;
    int code = -1;
    apr_exit_why_e why;
    const char *const args[] = {"python3", "-c", "import multiprocessing.connection", NULL};
    return apr_procattr_create(&attributes, test_pool()) == APR_SUCCESS &&
           apr_procattr_cmdtype_set(attributes, APR_PROGRAM_PATH) == APR_SUCCESS &&
           apr_proc_create(&process, "python3", args, NULL, attributes, test_pool()) ==
               APR_SUCCESS &&
           apr_proc_wait(&process, &code, &why, APR_WAIT) == APR_CHILD_DONE && code == 0;
}

static const testlib_case cases[] = {
    {"connects", test_python__connects},
    {"connects_with_any_form", test_python__connects_with_any_form},
    {"is_turned_away", test_python__is_turned_away},
    {"listens", test_python__listens},
    {"turns_away", test_python__turns_away},
};

int main(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    (void)snprintf(directory, sizeof(directory), "/tmp/mproc-python-%lld", (long long)mplat_pid());
    if (apr_initialize() != APR_SUCCESS || !has_python()) {
        printf("skipped: no python3\n");
        return TESTLIB_SKIPPED;
    }
    if (apr_dir_make(directory, APR_FPROT_OS_DEFAULT, test_pool()) != APR_SUCCESS) {
        return 1;
    }
    int rc = testlib_main(argc, argv, "object.listener_python", cases, MPROC__COUNT(cases));
    (void)apr_dir_remove(directory, test_pool());
    return rc;
}
