/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew.h: some processes that do the same thing at the same time, and what they share.
 *
 * They are children made by mproc: by fork where there is one, so that peers' locks in shared mappings
 * and files are theirs as well; by spawn elsewhere, where only mproc's objects reach them.
 */
#ifndef MPROC_BENCH_CREW_H
#define MPROC_BENCH_CREW_H

#include <stddef.h>
#include <stdint.h>

#include <mproc/process.h>

enum { BENCH_MAX_CREW = 10, BENCH_LINE = 64 };

/* What one member of the crew found out. */
struct bench_result {
    uint64_t count; /* in the first part of a run */
    uint64_t total; /* in both */
    int64_t longest_ns;
    double value;
    double slept;
    char pad[2 * BENCH_LINE - 40];
};

/* In a block of the arena. What some write and others read is apart from the rest. */
struct bench_shared {
    volatile uint32_t ready; /* members that await the start */
    char pad_ready[2 * BENCH_LINE - 4];
    volatile uint32_t go;
    volatile uint32_t stop; /* parts of the run that are over */
    char pad_stop[2 * BENCH_LINE - 8];
    volatile uint64_t words[4]; /* what a lock guards */
    char pad_words[2 * BENCH_LINE - 32];
    volatile int64_t sent;  /* when the last post was begun */
    volatile uint32_t last; /* not 0: the post or round that is the last one */
    char pad_sent[2 * BENCH_LINE - 12];
    struct bench_result results[BENCH_MAX_CREW];
};

/* What a crew does. */
struct bench_task {
    int role; /* see bench_roles */
    size_t way;
    size_t option; /* as the role pleases */
    size_t n_processes;
    int processor[2]; /* for members with even and odd numbers; negative: any */
    void *objects[2]; /* what it uses; NULL: nothing */
    bool is_object;   /* they are handles of mproc */
};

/* A member's part: see the sources of the probes. Not 0: it failed. */
typedef int (*bench_role_fn)(const struct bench_task *task, size_t index,
                             struct bench_shared *shared);

/* Of the suite, which defines it. The first one is bench_pair, see pairs.h. */
extern const bench_role_fn bench_roles[];

/* In a member: be ready, and return when all are. */
void bench_await_start(struct bench_shared *shared);

struct bench_crew {
    size_t n;
    mproc_process *members[BENCH_MAX_CREW];
    struct bench_shared *shared;
};

/* Start the members and wait until all are ready. 0, or BENCH_FAILED: then they are gone. */
int bench_crew_start(struct bench_crew *crew, const struct bench_task *task);

/* Let them begin; later, say that a part of the run is over. Returns the time of that. */
int64_t bench_crew_go(const struct bench_crew *crew);
int64_t bench_crew_stop(const struct bench_crew *crew);

/* Meanwhile. */
void bench_crew_pause(int64_t span_ns);

/* Wait until all have ended. 0 or BENCH_FAILED. */
int bench_crew_join(struct bench_crew *crew);

/* The whole of a run: start, go, for each part sleep and stop, join. */
int bench_crew_run(struct bench_crew *crew, const struct bench_task *task, int64_t slice_ns);

#endif
