/* SPDX-License-Identifier: Apache-2.0 */
/*
 * many_posix.c: ping-pong through a hundred channels to each side: whoever waits does not know through
 * which one the answer comes.
 */
#include "channel.h"

#include "../support/bench.h"

#include <mproc/queue.h>
#include <mproc/wait.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

enum { MANY = 100 };

/* What leads to one side. The processes of a run are copies of this one: its memory is theirs. */
struct many {
    mproc_wait_item items[MANY];
    struct pollfd pollers[MANY]; /* reading ends */
    int writers[MANY];
    int epoll;
    unsigned next; /* where this process puts its next message */
};

/* A place out of order, so that no look at all of them is lucky. */
static size_t next_place(struct many *many)
{
    return many->next++ * 37 % MANY;
}

static int open_many(void *ret_objects[2])
{
    for (int i = 0; i < 2; i++) {
        ret_objects[i] = calloc(1, sizeof(struct many));
        if (!ret_objects[i]) {
            return bench_fail("there is no memory");
        }
    }
    return 0;
}

/* ---- queues ---- */

static int open_queues(const struct bench_pair_way *way, void *ret_objects[2])
{
    int rc = open_many(ret_objects);
    for (int i = 0; rc == 0 && i < 2 * MANY; i++) {
        struct many *many = ret_objects[i / MANY];
        mproc_queue *queue;
        rc = mproc_queue_create(&queue, NULL);
        many->items[i % MANY] = MPROC_WAIT_ITEM(queue);
    }
    return rc == 0 ? 0 : bench_fail("%s: no queues", way->subject);
}

static void close_queues(void *const objects[2])
{
    for (int i = 0; i < 2 * MANY; i++) {
        const struct many *many = objects[i / MANY];
        mproc_queue_close(many->items[i % MANY].as.queue);
    }
    free(objects[0]);
    free(objects[1]);
}

static int post_queue(void *const objects[2], enum bench_side side)
{
    static const unsigned char message[CHANNEL_SMALL];
    struct many *many = objects[side];
    return mproc_queue_put_bytes(many->items[next_place(many)].as.queue, message, sizeof message,
                                 MPROC_FOREVER);
}

static int wait_queues(void *const objects[2], enum bench_side side)
{
    static unsigned char message[CHANNEL_SMALL];
    struct many *many = objects[side];
    int rc = mproc_wait(many->items, MANY, MPROC_FOREVER);
    for (int i = 0; rc > 0 && i < MANY; i++) {
        if (many->items[i].is_ready) {
            size_t size;
            return mproc_queue_get_bytes(many->items[i].as.queue, message, sizeof message, &size,
                                         MPROC_NOWAIT);
        }
    }
    return rc < 0 ? rc : EAGAIN;
}

/* ---- pipes ---- */

static int open_epoll(struct many *many)
{
    int rc = 0;
#ifdef __linux__
    many->epoll = epoll_create1(EPOLL_CLOEXEC);
    rc = many->epoll < 0 ? errno : 0;
    for (int i = 0; rc == 0 && i < MANY; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = many->pollers[i].fd};
        rc = epoll_ctl(many->epoll, EPOLL_CTL_ADD, many->pollers[i].fd, &event) < 0 ? errno : 0;
    }
#else
    many->epoll = -1;
#endif
    return rc;
}

static int open_pipes(const struct bench_pair_way *way, void *ret_objects[2])
{
    int rc = open_many(ret_objects);
    for (int i = 0; rc == 0 && i < 2 * MANY; i++) {
        struct many *many = ret_objects[i / MANY];
        int ends[2];
        rc = pipe(ends) < 0 ? errno : 0;
        many->pollers[i % MANY] = (struct pollfd){.fd = ends[0], .events = POLLIN};
        many->writers[i % MANY] = ends[1];
    }
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = open_epoll(ret_objects[i]);
    }
    return rc == 0 ? 0 : bench_fail("%s: %s", way->subject, strerror(rc));
}

static void close_pipes(void *const objects[2])
{
    for (int i = 0; i < 2; i++) {
        struct many *many = objects[i];
        for (int k = 0; k < MANY; k++) {
            close(many->pollers[k].fd);
            close(many->writers[k]);
        }
        close(many->epoll);
        free(many);
    }
}

static int post_pipe(void *const objects[2], enum bench_side side)
{
    static const unsigned char message[CHANNEL_SMALL];
    struct many *many = objects[side];
    return write(many->writers[next_place(many)], message, sizeof message) == sizeof message
               ? 0
               : errno;
}

static int take(int fd)
{
    static unsigned char message[CHANNEL_SMALL];
    return read(fd, message, sizeof message) == sizeof message ? 0 : errno;
}

static int wait_poll(void *const objects[2], enum bench_side side)
{
    struct many *many = objects[side];
    int rc = poll(many->pollers, MANY, -1);
    for (int i = 0; rc > 0 && i < MANY; i++) {
        if (many->pollers[i].revents) {
            return take(many->pollers[i].fd);
        }
    }
    return errno;
}

#ifdef __linux__
static int wait_epoll(void *const objects[2], enum bench_side side)
{
    const struct many *many = objects[side];
    struct epoll_event event;
    return epoll_wait(many->epoll, &event, 1, -1) == 1 ? take(event.data.fd) : errno;
}
#endif

const struct bench_pair_way channel_many_pairs[] = {
    {"mproc_wait, 100 queues", false, false, 0, open_queues, close_queues, wait_queues, post_queue,
     NULL},
    {"poll, 100 pipes", false, false, 0, open_pipes, close_pipes, wait_poll, post_pipe, NULL},
#ifdef __linux__
    {"epoll, 100 pipes", false, false, 0, open_pipes, close_pipes, wait_epoll, post_pipe, NULL},
#endif
    {0},
};
