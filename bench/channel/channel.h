/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel.h: what bench_channel compares, and how it measures.
 *
 * ways_mproc.c and ways_pipe.c are for every system; ways_posix.c and ways_win32.c are twins: what the
 * system itself offers; so are many_posix.c and many_win32.c, which wait for many at once; ways_zmq.c and the
 * like need a library each, and are compiled where that is. The processes of a run are a crew
 * (../support/crew.h), members with even numbers produce.
 */
#ifndef MPROC_BENCH_CHANNEL_H
#define MPROC_BENCH_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../support/pairs.h"

enum {
    CHANNEL_SMALL = 64,
    CHANNEL_MIDDLE = 4096,
    CHANNEL_LARGE = 1 << 20,
    CHANNEL_HUGE = 64 << 20,
    CHANNEL_INT = 8,    /* an integer, or as many bytes */
    CHANNEL_BATCH = 64, /* messages of a call that takes several */
    CHANNEL_DEPTH = 256 /* messages that may be under way, see channel_depth */
};

/* How many messages of a size may be under way. */
static inline size_t channel_depth(size_t size)
{
    return size < CHANNEL_LARGE ? CHANNEL_DEPTH : size < CHANNEL_HUGE ? 8 : 2;
}

/* ---- ways to hand over messages ---- */

struct channel_way {
    const char *subject;
    bool is_object;       /* objects[] are handles of mproc */
    int option;           /* as the way pleases */
    size_t only_size;     /* messages that it is for; 0: all but huge ones */
    size_t batch;         /* messages that a call takes, or up to so many */
    size_t largest_crowd; /* messages up to which several may be at an end; 0: never */

    /* Make two channels, one to each side, that the children of this process can use. */
    int (*open)(const struct channel_way *way, size_t size, void *ret_objects[2]);
    void (*close)(void *const objects[2]);
    /* Put `count` messages, one after the other at `data`, into the channel to a side. Not 0: failed. */
    int (*put)(void *const objects[2], enum bench_side to, const void *data, size_t size,
               size_t count);
    /* Take one or more that came to a side. */
    int (*get)(void *const objects[2], enum bench_side at, void *data, size_t size,
               size_t *ret_count);
    /* In a process that has finished: what it has put must come through. NULL: nothing to do. */
    void (*leave)(void *const objects[2]);
};

/* All ways of a file, up to one without subject. */
extern const struct channel_way channel_mproc_ways[];
extern const struct channel_way channel_pipe_ways[];
extern const struct channel_way channel_system_ways[];
extern const struct channel_way channel_zmq_ways[], channel_nng_ways[], channel_boost_ways[];

/* By a number that is the same in all processes of this program; NULL: no more. */
const struct channel_way *channel_way(size_t number);

extern const struct bench_pair_way channel_mproc_pairs[];
extern const struct bench_pair_way channel_pipe_pairs[];
extern const struct bench_pair_way channel_system_pairs[];
extern const struct bench_pair_way channel_zmq_pairs[], channel_nng_pairs[], channel_boost_pairs[];
extern const struct bench_pair_way channel_many_pairs[];

/* open_NAME_pair, post_NAME and wait_NAME for a struct bench_pair_way, of those of a struct channel_way. */
#define CHANNEL_PAIR(name, open, put, get)                                                \
    static int open_##name##_pair(const struct bench_pair_way *way, void *ret_objects[2]) \
    {                                                                                     \
        const struct channel_way as = {.subject = way->subject, .option = way->option};   \
        return open(&as, CHANNEL_SMALL, ret_objects);                                     \
    }                                                                                     \
    static int post_##name(void *const objects[2], enum bench_side side)                  \
    {                                                                                     \
        static const unsigned char message[CHANNEL_SMALL];                                \
        return put(objects, side, message, sizeof message, 1);                            \
    }                                                                                     \
    static int wait_##name(void *const objects[2], enum bench_side side)                  \
    {                                                                                     \
        static unsigned char message[CHANNEL_SMALL];                                      \
        size_t count;                                                                     \
        return get(objects, side, message, sizeof message, &count);                       \
    }

/* ---- what the processes of a crew do ---- */

enum channel_role { CHANNEL_PAIRS = BENCH_ROLE_PAIR, CHANNEL_STREAM };

int channel_stream(const struct bench_task *task, size_t index, struct bench_shared *shared);

/* ---- probes: each a bench_run_fn ---- */

struct channel_probe {
    size_t way;
    size_t size;
    size_t n_pairs; /* of a producer and a consumer */
};

/* One thread puts and takes out again: nanoseconds for each message. */
int channel_run_alone(const void *arg, int64_t slice_ns, double *ret_values);

enum channel_figure {
    CHANNEL_RATE,   /* messages in a millisecond */
    CHANNEL_VOLUME, /* gigabytes in a second */
    CHANNEL_SHARE, /* the lowest number of a producer / the highest, or of a consumer: the lower one */
    CHANNEL_FIGURES
};

/* Producers put as fast as they can, consumers take out. */
int channel_run_stream(const void *arg, int64_t slice_ns, double *ret_values);

/* One processor copies messages from one place to another: CHANNEL_RATE and CHANNEL_VOLUME. */
int channel_run_copy(const void *arg, int64_t slice_ns, double *ret_values);

#endif
