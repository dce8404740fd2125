/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew.h: some processes that do the same thing at the same time, and what they share.
 *
 * They are children made by mproc: by fork where there is one, so that peers' locks in shared mappings
 * and files are theirs as well; by spawn elsewhere, where only mproc's objects reach them.
 */
#ifndef MPROC_BENCH_SYNC_CREW_H
#define MPROC_BENCH_SYNC_CREW_H

#include <stddef.h>
#include <stdint.h>

#include <mproc/process.h>

enum { SYNC_MAX_CREW = 10, SYNC_LINE = 64 };

/* What one member of the crew found out. */
struct sync_result {
    uint64_t count; /* in the first part of a run */
    uint64_t total; /* in both */
    int64_t longest_ns;
    double value;
    double slept;
    char pad[2 * SYNC_LINE - 40];
};

/* In a block of the arena. What some write and others read is apart from the rest. */
struct sync_shared {
    volatile uint32_t ready; /* members that await the start */
    char pad_ready[2 * SYNC_LINE - 4];
    volatile uint32_t go;
    volatile uint32_t stop; /* parts of the run that are over */
    char pad_stop[2 * SYNC_LINE - 8];
    volatile uint64_t words[4]; /* what a lock guards */
    char pad_words[2 * SYNC_LINE - 32];
    volatile int64_t sent;  /* when the last post was begun */
    volatile uint32_t last; /* not 0: the post or round that is the last one */
    char pad_sent[2 * SYNC_LINE - 12];
    struct sync_result results[SYNC_MAX_CREW];
};

enum sync_role { SYNC_CONTEND, SYNC_PAIR, SYNC_MEET, SYNC_IDLE };

/* What a crew does. */
struct sync_task {
    enum sync_role role;
    size_t way;
    size_t option; /* as the role pleases */
    size_t n_processes;
    int processor[2]; /* for members with even and odd numbers; negative: any */
    void *objects[2]; /* what it uses; NULL: nothing */
    bool is_object;   /* they are handles of mproc */
};

/* A member's part: see the sources of the probes. Not 0: it failed. */
typedef int (*sync_role_fn)(const struct sync_task *task, size_t index, struct sync_shared *shared);

int sync_contend(const struct sync_task *task, size_t index, struct sync_shared *shared);
int sync_pair(const struct sync_task *task, size_t index, struct sync_shared *shared);
int sync_meet(const struct sync_task *task, size_t index, struct sync_shared *shared);
int sync_idle(const struct sync_task *task, size_t index, struct sync_shared *shared);

/* In a member: be ready, and return when all are. */
void sync_await_start(struct sync_shared *shared);

struct sync_crew {
    size_t n;
    mproc_process *members[SYNC_MAX_CREW];
    struct sync_shared *shared;
};

/* Start the members and wait until all are ready. 0, or BENCH_FAILED: then they are gone. */
int sync_crew_start(struct sync_crew *crew, const struct sync_task *task);

/* Let them begin; later, say that a part of the run is over. Returns the time of that. */
int64_t sync_crew_go(const struct sync_crew *crew);
int64_t sync_crew_stop(const struct sync_crew *crew);

/* Wait until all have ended. 0 or BENCH_FAILED. */
int sync_crew_join(struct sync_crew *crew);

/* The whole of a run: start, go, for each part sleep and stop, join. */
int sync_crew_run(struct sync_crew *crew, const struct sync_task *task, int64_t slice_ns);

#endif
