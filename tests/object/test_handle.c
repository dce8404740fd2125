/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_handle.c: mproc_handle: files, pipes and sockets passed between processes.
 *
 * That the family has let go of one is seen from a pipe's other end: it reads as ended, where it would
 * wait else.
 */
#include "object/native.h"

#include <stdlib.h>

#define MANY 100

/** A pipe whose one end only the family has. */
static mproc_handle *make_pipe(int given, intptr_t *ret_kept)
{
    intptr_t ends[2];
    native_pipe(ends);
    *ret_kept = ends[1 - given];
    return native_give(ends[given]);
}

/** Whether nobody is left who could write to a pipe, of which this closes the other end. */
static bool has_ended(intptr_t read_end)
{
    char text[32];
    native_read(read_end, text);
    native_close(read_end);
    return text[0] == '\0';
}

/** Write to what a handle means. */
static void write_to(const mproc_handle *handle, const char *text)
{
    intptr_t native = native_open(handle);
    native_write(native, text);
    native_close(native);
}

/* ---- one process ----------------------------------------------------------------------------- */

static void test_handle__is_a_copy(void)
{
    char text[32];
    intptr_t read_end;
    mproc_handle *handle = make_pipe(1, &read_end);
    mproc_handle *again = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_handle_attach(&again, handle), MPROC_OK);
    write_to(handle, "one");
    mproc_handle_close(handle);
    write_to(again, "two");
    native_read(read_end, text);
    CU_ASSERT_STRING_EQUAL(text, "onetwo");
    intptr_t open = native_open(again);
    mproc_handle_close(again);
    native_write(open, "three");
    native_read(read_end, text);
    CU_ASSERT_STRING_EQUAL(text, "three");
    native_close(open);
    CU_ASSERT(has_ended(read_end));
    mproc_handle_close(NULL);
}

static void test_handle__refuses_what_is_none(void)
{
    intptr_t native = -1;
    intptr_t ends[2];
    mproc_handle *handle = NULL;
    native_pipe(ends);
    native_close(ends[0]);
    CU_ASSERT_EQUAL(mproc_handle_create(&handle, -1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_handle_create(NULL, ends[1]), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_handle_create(&handle, ends[0]), MPROC_EINVAL);
    CU_ASSERT_PTR_NULL(handle);
    CU_ASSERT_EQUAL(mproc_handle_open(NULL, &native), MPROC_EINVAL);
    native_close(ends[1]);
}

/* In any order, those in the middle first. */
static void pass_many(void)
{
    static mproc_handle *handles[MANY];
    static intptr_t read_ends[MANY];
    char text[32];
    for (size_t i = 0; i < MANY; i++) {
        handles[i] = make_pipe(1, &read_ends[i]);
    }
    for (size_t n = 0, i = 0; n < MANY; n++, i = (i + 37) % MANY) {
        char expected[32];
        (void)snprintf(expected, sizeof(expected), "%zu", i);
        write_to(handles[i], expected);
        native_read(read_ends[i], text);
        CU_ASSERT_STRING_EQUAL(text, expected);
        mproc_handle_close(handles[i]);
        CU_ASSERT(has_ended(read_ends[i]));
    }
}

static void test_handle__many_at_once(void)
{
    pass_many(); // this process's ledger is as large from now on as it must be
    mproc_arena_stats before = settled_stats();
    pass_many();
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- through messages ------------------------------------------------------------------------ */

static int write_to_three(const mproc_args *args)
{
    mproc_handle *file, *write_end, *socket;
    CHILD_CHECK(MPROC_UNPACK(args, &file, &write_end, &socket) == 0);
    write_to(file, "to the file");
    write_to(write_end, "to the pipe");
    intptr_t native = native_open(socket);
    native_send(native, "to the socket");
    native_close_socket(native);
    return 0;
}

static void test_handle__passes_in_arguments(void)
{
    char text[32];
    intptr_t read_end, sockets[2];
    intptr_t path = native_file("handle_arguments.tmp");
    mproc_handle *file = NULL;
    mproc_handle *socket = NULL;
    mproc_handle *write_end = make_pipe(1, &read_end);
    native_socketpair(sockets);
    CU_ASSERT_EQUAL_FATAL(mproc_handle_create(&file, path), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_handle_create(&socket, sockets[1]), MPROC_OK);
    native_close_socket(sockets[1]);
    mproc_process *child = start(write_to_three, MPROC_ARGS(file, write_end, socket));
    mproc_handle_close(file);
    mproc_handle_close(write_end);
    mproc_handle_close(socket);
    CU_ASSERT_EQUAL(end_of(child), 0);
    native_rewind(path);
    native_read(path, text);
    CU_ASSERT_STRING_EQUAL(text, "to the file");
    native_close(path);
    native_read(read_end, text);
    CU_ASSERT_STRING_EQUAL(text, "to the pipe");
    CU_ASSERT(has_ended(read_end));
    native_receive(sockets[0], text);
    CU_ASSERT_STRING_EQUAL(text, "to the socket");
    native_receive(sockets[0], text);
    CU_ASSERT_STRING_EQUAL(text, "");
    native_close_socket(sockets[0]);
}

#ifdef _WIN32
static int use_others(const mproc_args *args)
{
    mproc_handle *event, *process;
    int64_t pid;
    CHILD_CHECK(MPROC_UNPACK(args, &event, &process, &pid) == 0);
    HANDLE native = (HANDLE)native_open(process);
    CHILD_CHECK((int64_t)GetProcessId(native) == pid);
    native_close((intptr_t)native);
    native = (HANDLE)native_open(event);
    CHILD_CHECK(SetEvent(native));
    native_close((intptr_t)native);
    return 0;
}

/* Whatever has a HANDLE. */
static void test_handle__passes_events_and_processes(void)
{
    mproc_handle *passed_event = NULL;
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    DWORD pid = GetCurrentProcessId();
    HANDLE self = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
    CU_ASSERT_FATAL(event != NULL && self != NULL);
    CU_ASSERT_EQUAL_FATAL(mproc_handle_create(&passed_event, (intptr_t)event), MPROC_OK);
    mproc_handle *process = native_give((intptr_t)self);
    CU_ASSERT_EQUAL(end_of(start(use_others, MPROC_ARGS(passed_event, process, (int64_t)pid))), 0);
    CU_ASSERT_EQUAL(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    mproc_handle_close(passed_event);
    mproc_handle_close(process);
    native_close((intptr_t)event);
}
#endif

static void give_pipe(mproc_handle *ret_ends[2])
{
    intptr_t read_end;
    ret_ends[1] = make_pipe(1, &read_end);
    ret_ends[0] = native_give(read_end);
}

/* What it leaves behind, nobody has open when it is gone. */
static int put_some(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_dict *dict;
    bool is_killed;
    mproc_handle *ends[4];
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &dict, &is_killed) == 0);
    give_pipe(ends);
    give_pipe(ends + 2);
    CHILD_CHECK(mproc_queue_put(queue, MPROC_LIST(ends[0], ends[1]), LIMIT) == 0);
    CHILD_CHECK(mproc_dict_set(dict, MPROC_VALUE("pipe"), MPROC_LIST(ends[2], ends[3])) == 0);
    if (is_killed) {
        CHILD_CHECK(mproc_queue_put(queue, MPROC_VALUE("done"), LIMIT) == 0);
        return stay();
    }
    for (int i = 0; i < 4; i++) {
        mproc_handle_close(ends[i]);
    }
    return 0;
}

/** Of a list of both ends of a pipe; clears it. */
static void check_pipe(mproc_value *pipe)
{
    char text[32];
    mproc_handle *read_end, *write_end;
    CU_ASSERT_EQUAL_FATAL(MPROC_UNPACK_LIST(pipe, &read_end, &write_end), MPROC_OK);
    intptr_t native = native_open(read_end);
    write_to(write_end, "through");
    native_read(native, text);
    CU_ASSERT_STRING_EQUAL(text, "through");
    mproc_value_clear(pipe);
    native_close(native);
}

static void leave_some(bool is_killed)
{
    mproc_value item;
    mproc_queue *queue = NULL;
    mproc_dict *dict = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(mproc_dict_create(&dict), MPROC_OK);
    mproc_process *child = start(put_some, MPROC_ARGS(queue, dict, is_killed));
    if (is_killed) {
        while (mproc_queue_size(queue) < 2) {
            CU_ASSERT_TRUE_FATAL(mproc_process_is_alive(child));
        }
        CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    }
    CU_ASSERT_EQUAL(end_of(child), is_killed ? CODE_KILLED : 0);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &item, LIMIT), MPROC_OK);
    check_pipe(&item);
    CU_ASSERT_EQUAL_FATAL(mproc_dict_get(dict, MPROC_VALUE("pipe"), &item), MPROC_OK);
    check_pipe(&item);
    mproc_queue_close(queue);
    mproc_dict_close(dict);
}

static void test_handle__outlives_its_maker(void)
{
    leave_some(false);
    leave_some(true);
}

/* ---- nothing is left ------------------------------------------------------------------------- */

static void test_handle__goes_with_a_message_that_nobody_received(void)
{
    intptr_t read_end;
    mproc_queue *queue = NULL;
    mproc_handle *handle = make_pipe(1, &read_end);
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_queue_put(queue, MPROC_LIST(handle, "and", handle), LIMIT), MPROC_OK);
    mproc_handle_close(handle);
    mproc_queue_close(queue);
    CU_ASSERT(has_ended(read_end));
}

static int hold(const mproc_args *args)
{
    mproc_handle *handle;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &handle, &block) == 0);
    (void)native_open(handle);
    add_word(words_of(block));
    return stay();
}

static void test_handle__goes_with_a_receiver_that_is_killed(void)
{
    intptr_t read_end;
    mproc_block *block = make_words(1);
    mproc_handle *handle = make_pipe(1, &read_end);
    mproc_process *child = start(hold, MPROC_ARGS(handle, block));
    mproc_handle_close(handle);
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    CU_ASSERT(has_ended(read_end));
    mproc_block_close(block);
}

/* ---- many at work ---------------------------------------------------------------------------- */

/* Each makes pipes, passes both ends on to whoever comes, and writes through what it gets. */
static int juggle(const mproc_args *args)
{
    mproc_queue *queue;
    int n;
    CHILD_CHECK(MPROC_UNPACK(args, &queue, &n) == 0);
    for (int i = 0; i < n; i++) {
        intptr_t native;
        mproc_value item;
        mproc_handle *read_end, *write_end;
        mproc_handle *mine = make_pipe(1, &native);
        mproc_handle *end = native_give(native);
        CHILD_CHECK(mproc_queue_put(queue, MPROC_LIST(end, mine), LIMIT) == 0);
        mproc_handle_close(mine);
        mproc_handle_close(end);
        CHILD_CHECK(mproc_queue_get(queue, &item, LIMIT) == 0);
        CHILD_CHECK(MPROC_UNPACK_LIST(&item, &read_end, &write_end) == 0);
        char text[32];
        intptr_t in = native_open(read_end);
        write_to(write_end, "hand to hand");
        mproc_value_clear(&item);
        native_read(in, text);
        CHILD_CHECK(strcmp(text, "hand to hand") == 0 && has_ended(in));
    }
    return 0;
}

static void test_handle__goes_from_hand_to_hand(void)
{
    mproc_queue *queue = NULL;
    mproc_process *children[3];
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    for (int i = 0; i < 3; i++) {
        children[i] = start(juggle, MPROC_ARGS(queue, (int)testlib_count(20, 2000)));
    }
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    mproc_queue_close(queue);
}

static const testlib_case cases[] = {
    {"is_a_copy", test_handle__is_a_copy},
    {"refuses_what_is_none", test_handle__refuses_what_is_none},
    {"many_at_once", test_handle__many_at_once},
    {"passes_in_arguments", test_handle__passes_in_arguments},
#ifdef _WIN32
    {"passes_events_and_processes", test_handle__passes_events_and_processes},
#endif
    {"outlives_its_maker", test_handle__outlives_its_maker},
    {"goes_with_a_message_that_nobody_received",
     test_handle__goes_with_a_message_that_nobody_received},
    {"goes_with_a_receiver_that_is_killed", test_handle__goes_with_a_receiver_that_is_killed},
    {"goes_from_hand_to_hand", test_handle__goes_from_hand_to_hand},
};

PROCESS_TEST_MAIN("object.handle", cases)
