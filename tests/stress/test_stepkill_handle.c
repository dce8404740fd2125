/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_handle.c: a process killed at every instruction of what it does with a handle. The victim is
 * a copy of the test by fork, and has its handles.
 *
 * Three pipes, of whose write ends only the family has a copy. Those that the test holds can be opened,
 * whatever happened to the victim; those that nobody holds are gone when it is buried, and their pipes
 * read as ended. In the end the bag is empty.
 */
#include "family/ops.h"
#include "stress/stepkill.h"
#include "stress/survivor.h"
#include "support/testlib.h"

#include "base/compiler.h"
#include "family/layout.h"
#include "family/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT 3
#define MIDDLE 1

static mproc_handle *handles[COUNT];
static int read_ends[COUNT];
static int write_end = -1; /* of the last pipe, while it has no handle */

static mproc_handle *make_handle(int native)
{
    mproc_handle *handle = NULL;
    CHILD_CHECK(mproc_handle_create(&handle, native) == 0);
    return handle;
}

static void make_pipe(int i)
{
    int fds[2];
    CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    read_ends[i] = fds[0];
    write_end = fds[1];
}

static void make(void)
{
    for (int i = 0; i < COUNT; i++) {
        make_pipe(i);
        handles[i] = make_handle(write_end);
        CU_ASSERT_EQUAL(close(write_end), 0);
        write_end = -1;
    }
}

/** The last one is a pipe for the victim to give. */
static void make_to_give(void)
{
    make();
    mproc_handle_close(handles[COUNT - 1]);
    handles[COUNT - 1] = NULL;
    CU_ASSERT_EQUAL(close(read_ends[COUNT - 1]), 0);
    make_pipe(COUNT - 1);
}

/** As one who is killed while he takes the first one in the bag to its end. */
static int leave_a_pair(void)
{
    struct mproc__mutex_shm *lock = &mproc__shm()->bag.lock;
    char label[16];
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {label, sizeof(label)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
    const int first = 0;
    int fd = -1;
    message.msg_controllen = sizeof(control);
    int out = (int)mproc__arena.bag.out.os;
    CHILD_CHECK(mproc__mutex_acquire(lock, mproc__thread_self(), MPROC__NEVER, NULL) == 0);
    CHILD_CHECK(setsockopt(out, SOL_SOCKET, SO_PEEK_OFF, &first, sizeof(first)) == 0);
    CHILD_CHECK(recvmsg(out, &message, MSG_PEEK | MSG_CMSG_CLOEXEC) == sizeof(label));
    CHILD_CHECK(sendmsg((int)mproc__arena.bag.in.os, &message, 0) == sizeof(label));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return close(fd);
}

static void make_pair(void)
{
    make();
    survivor_die(leave_a_pair);
}

/** From now on the victim's copy alone holds one of them. */
static void leave_one_to_victim(void)
{
    mproc_handle_close(handles[MIDDLE]);
    handles[MIDDLE] = NULL;
}

static void leave_all_to_victim(void)
{
    for (int i = 0; i < COUNT; i++) {
        mproc_handle_close(handles[i]);
        handles[i] = NULL;
    }
}

/* What is held can be opened, and is what it was. */
static void after(bool is_done)
{
    (void)is_done;
    for (int i = 0; i < COUNT; i++) {
        char byte = 0;
        intptr_t native = -1;
        int rc = handles[i] != NULL ? mproc_handle_open(handles[i], &native) : 0;
        CU_ASSERT_EQUAL(rc, 0);
        if (native >= 0) {
            CU_ASSERT_EQUAL(write((int)native, "x", 1), 1);
            CU_ASSERT_EQUAL(close((int)native), 0);
            CU_ASSERT(read(read_ends[i], &byte, 1) == 1 && byte == 'x');
        }
    }
    if (write_end >= 0) {
        CU_ASSERT_EQUAL(close(write_end), 0);
        write_end = -1;
    }
}

/* What is not held is gone; then all is. */
static void unmake(void)
{
    char byte;
    for (int i = 0; i < COUNT; i++) {
        if (handles[i] != NULL) {
            CU_ASSERT(read(read_ends[i], &byte, 1) < 0 && errno == EAGAIN);
            mproc_handle_close(handles[i]);
        }
        CU_ASSERT_EQUAL(read(read_ends[i], &byte, 1), 0);
        CU_ASSERT_EQUAL(close(read_ends[i]), 0);
    }
    ssize_t n = recv((int)mproc__arena.bag.out.os, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    CU_ASSERT(n < 0 && errno == EAGAIN);
    CU_ASSERT_EQUAL(mproc__shm()->bag.is_unswept, 0);
}

/* ---- what the victim does -------------------------------------------------------------------- */

static void give(uint64_t shared)
{
    (void)shared;
    (void)make_handle(write_end);
}

static void open_one(uint64_t shared)
{
    intptr_t native;
    (void)shared;
    CHILD_CHECK(mproc_handle_open(handles[MIDDLE], &native) == 0);
}

static void close_one(uint64_t shared)
{
    (void)shared;
    mproc_handle_close(handles[MIDDLE]);
}

static void close_all(uint64_t shared)
{
    (void)shared;
    for (int i = COUNT; i-- > 0;) {
        mproc_handle_close(handles[i]);
    }
}

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"create a handle", NULL, give, PART(make_to_give, NULL, after, unmake)},
    {"open after a dead one", NULL, open_one, PART(make_pair, NULL, after, unmake)},
    {"open a handle", NULL, open_one, PART(make, NULL, after, unmake)},
    {"close one in the middle", NULL, close_one, PART(make, leave_one_to_victim, after, unmake)},
    {"close after a dead one", NULL, close_one,
     PART(make_pair, leave_one_to_victim, after, unmake)},
    {"close all", NULL, close_all, PART(make, leave_all_to_victim, after, unmake)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_handle", 1000);
}
