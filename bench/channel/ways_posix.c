/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_posix.c: pipes, sockets and message queues, whose descriptors forked children have as well; and for
 * ping-pong what the system and the hardware need for themselves.
 */
#include "channel.h"

#include "../support/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/futex.h>
#include <mqueue.h>
#include <sys/syscall.h>
#endif

/* In objects[0]: for the channel to each side the end to read from, and the one to write to. */
struct ends {
    int fd[2][2];
};

static int *ends_of(void *const objects[2], enum bench_side side)
{
    return ((struct ends *)objects[0])->fd[side];
}

static void close_ends(void *const objects[2])
{
    for (int side = 0; side < 2; side++) {
        const int *fd = ends_of(objects, (enum bench_side)side);
        for (int end = 0; end < 2; end++) {
            if (fd[end] >= 0) {
                close(fd[end]);
            }
        }
    }
    free(objects[0]);
}

static int make_ends(void *ret_objects[2])
{
    struct ends *ends = malloc(sizeof *ends);
    if (!ends) {
        return bench_fail("there is no memory");
    }
    *ends = (struct ends){{{-1, -1}, {-1, -1}}};
    ret_objects[0] = ends;
    ret_objects[1] = NULL;
    return 0;
}

/* Make both channels with `make`; an error number: what cannot be had here is skipped. */
static int open_ends(const struct channel_way *way, size_t size, void *ret_objects[2],
                     int (*make)(const struct channel_way *way, size_t size, int side, int fd[2]))
{
    int rc = make_ends(ret_objects);
    for (int side = 0; rc == 0 && side < 2; side++) {
        int error = make(way, size, side, ends_of(ret_objects, (enum bench_side)side));
        if (error != 0) {
            rc = bench_skip("%s: %s", way->subject, strerror(error));
            close_ends(ret_objects);
        }
    }
    return rc;
}

static int write_all(int fd, const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0) {
            return errno;
        }
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static int read_all(int fd, unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = read(fd, data, size);
        if (n <= 0) {
            return n < 0 ? errno : EPIPE;
        }
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* ---- pipes and sockets: a stream, or messages ---- */

static int make_pipe(const struct channel_way *way, size_t size, int side, int fd[2])
{
    (void)way;
    (void)side;
    if (pipe(fd) != 0) {
        return errno;
    }
#ifdef F_SETPIPE_SZ
    if (size > PIPE_BUF) {
        (void)fcntl(fd[1], F_SETPIPE_SZ, CHANNEL_LARGE); // without, it is slower
    }
#endif
    return 0;
}

static int open_pipe(const struct channel_way *way, size_t size, void *ret_objects[2])
{
    return open_ends(way, size, ret_objects, make_pipe);
}

/* What does not fit the default, messages only, takes the privilege to set more. */
static int make_sockets(const struct channel_way *way, size_t size, int side, int fd[2])
{
    (void)side;
    if (way->option == SOCK_SEQPACKET && size > CHANNEL_LARGE) {
        return EMSGSIZE;
    }
    if (socketpair(AF_UNIX, way->option, 0, fd) != 0) {
        return errno;
    }
#ifdef SO_SNDBUFFORCE
    int room = (int)size * 2;
    if (way->option == SOCK_SEQPACKET && size == CHANNEL_LARGE &&
        setsockopt(fd[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0) {
        return errno;
    }
#endif
    return 0;
}

static int open_sockets(const struct channel_way *way, size_t size, void *ret_objects[2])
{
    return open_ends(way, size, ret_objects, make_sockets);
}

static int put_stream(void *const objects[2], enum bench_side to, const void *data, size_t size,
                      size_t count)
{
    (void)count;
    return write_all(ends_of(objects, to)[1], data, size);
}

static int get_stream(void *const objects[2], enum bench_side at, void *data, size_t size,
                      size_t *ret_count)
{
    *ret_count = 1;
    return read_all(ends_of(objects, at)[0], data, size);
}

CHANNEL_PAIR(pipe, open_pipe, put_stream, get_stream)
CHANNEL_PAIR(sockets, open_sockets, put_stream, get_stream)

/* ---- POSIX message queues ---- */

#ifdef __linux__

/* As deep as any user may have them. The name is gone before anybody else can see it. */
static int make_mq(const struct channel_way *way, size_t size, int side, int fd[2])
{
    (void)way;
    char name[48];
    struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = (long)size};
    snprintf(name, sizeof name, "/bench-channel-%ld-%d", (long)getpid(), side);
    fd[0] = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    if (fd[0] < 0) {
        return errno;
    }
    mq_unlink(name);
    return 0;
}

static int open_mq(const struct channel_way *way, size_t size, void *ret_objects[2])
{
    return open_ends(way, size, ret_objects, make_mq);
}

static int put_mq(void *const objects[2], enum bench_side to, const void *data, size_t size,
                  size_t count)
{
    (void)count;
    return mq_send(ends_of(objects, to)[0], data, size, 0) == 0 ? 0 : errno;
}

static int get_mq(void *const objects[2], enum bench_side at, void *data, size_t size,
                  size_t *ret_count)
{
    *ret_count = 1;
    return mq_receive(ends_of(objects, at)[0], data, size, NULL) >= 0 ? 0 : errno;
}

CHANNEL_PAIR(mq, open_mq, put_mq, get_mq)

#endif

const struct channel_way channel_system_ways[] = {
    {"pipe", false, 0, 0, 1, PIPE_BUF, open_pipe, close_ends, put_stream, get_stream, NULL},
    {"socketpair, stream", false, SOCK_STREAM, 0, 1, 0, open_sockets, close_ends, put_stream,
     get_stream, NULL},
    {"socketpair, seqpacket", false, SOCK_SEQPACKET, 0, 1, SIZE_MAX, open_sockets, close_ends,
     put_stream, get_stream, NULL},
#ifdef __linux__
    {"POSIX mq", false, 0, 0, 1, SIZE_MAX, open_mq, close_ends, put_mq, get_mq, NULL},
#endif
    {0},
};

/* ---- limits: a message in shared memory, and a word for each side that says that it is there ---- */

#ifdef __linux__

struct cell {
    uint32_t word;
    char pad[2 * BENCH_LINE - 4];
    unsigned char message[2 * BENCH_LINE];
};

static int open_cells(const struct bench_pair_way *way, void *ret_objects[2])
{
    const size_t size = 2 * sizeof(struct cell);
    // cppcheck-suppress invalidFunctionArg
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ret_objects[0] = at;
    ret_objects[1] = NULL;
    return at != MAP_FAILED ? 0 : bench_fail("%s: %s", way->subject, strerror(errno));
}

static void close_cells(void *const objects[2])
{
    munmap(objects[0], 2 * sizeof(struct cell));
}

static void fill(struct cell *cell)
{
    static const unsigned char message[CHANNEL_SMALL];
    memcpy(cell->message, message, sizeof message);
    __atomic_store_n(&cell->word, 1, __ATOMIC_SEQ_CST);
}

static void empty(struct cell *cell)
{
    static unsigned char message[CHANNEL_SMALL];
    memcpy(message, cell->message, sizeof message);
    (void)*(volatile unsigned char *)message; // or it might be left out
    __atomic_store_n(&cell->word, 0, __ATOMIC_RELEASE);
}

static int post_futex(void *const objects[2], enum bench_side side)
{
    struct cell *cell = (struct cell *)objects[0] + side;
    fill(cell);
    return syscall(SYS_futex, &cell->word, FUTEX_WAKE, 1, NULL, NULL, 0) < 0 ? errno : 0;
}

static int wait_futex(void *const objects[2], enum bench_side side)
{
    struct cell *cell = (struct cell *)objects[0] + side;
    while (__atomic_load_n(&cell->word, __ATOMIC_ACQUIRE) == 0) {
        if (syscall(SYS_futex, &cell->word, FUTEX_WAIT, 0, NULL, NULL, 0) < 0 && errno != EAGAIN) {
            return errno;
        }
    }
    empty(cell);
    return 0;
}

static int post_lines(void *const objects[2], enum bench_side side)
{
    fill((struct cell *)objects[0] + side);
    return 0;
}

static int wait_lines(void *const objects[2], enum bench_side side)
{
    struct cell *cell = (struct cell *)objects[0] + side;
    while (__atomic_load_n(&cell->word, __ATOMIC_ACQUIRE) == 0) {
    }
    empty(cell);
    return 0;
}

#endif

const struct bench_pair_way channel_system_pairs[] = {
    {"pipe", false, false, 0, open_pipe_pair, close_ends, wait_pipe, post_pipe, NULL},
    {"socketpair, stream", false, false, SOCK_STREAM, open_sockets_pair, close_ends, wait_sockets,
     post_sockets, NULL},
    {"socketpair, seqpacket", false, false, SOCK_SEQPACKET, open_sockets_pair, close_ends,
     wait_sockets, post_sockets, NULL},
#ifdef __linux__
    {"POSIX mq", false, false, 0, open_mq_pair, close_ends, wait_mq, post_mq, NULL},
    {"futex", false, false, 0, open_cells, close_cells, wait_futex, post_futex, NULL},
    {"cache lines", false, true, 0, open_cells, close_cells, wait_lines, post_lines, NULL},
#endif
    {0},
};
