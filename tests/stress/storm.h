/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm.h: what the storms of kills share: random instants, and counting what must be the same after.
 */
#ifndef TESTS_STRESS_STORM_H
#define TESTS_STRESS_STORM_H

#include "object/process_test.h"

#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#define EVERYDAY_KILLS 30
#define WHOLE_KILLS 500 /* a process costs a hundred times as much there, under Wine */
#else
#include "object/zombies.h"
#define EVERYDAY_KILLS 100
#define WHOLE_KILLS 10000
#endif

/** Be busy until a random instant of the next `most_ns`. */
static inline void pass_time(int64_t most_ns)
{
    int64_t end = mplat_now() + (int64_t)(testlib_random() % (uint32_t)(most_ns + 1));
    while (mplat_now() < end) {
    }
}

/** Wait until a counter that others work at has grown by so many: nobody hangs. */
static inline void let_work(uint32_t *counter, uint32_t count)
{
    int64_t limit = testlib_now() + LIMIT;
    uint32_t first = mproc__load32_acquire(counter);
    for (;;) {
        uint32_t seen = mproc__load32_acquire(counter);
        if (seen - first >= count) {
            return;
        }
        CU_ASSERT_FATAL(testlib_now() < limit);
        (void)mplat_wait(counter, seen, mplat_now() + mproc_milliseconds(50), NULL, NULL);
    }
}

/** Kill a child, and wait for its end; it may not have come to its function yet. */
static inline void kill_one(mproc_process *child)
{
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    int rc = mproc_process_join(child, LIMIT);
    int code = 0;
    CU_ASSERT(rc == MPROC_OK || rc == MPROC_ESTART);
    CU_ASSERT_EQUAL(mproc_process_exit_code(child, &code), MPROC_OK);
    CU_ASSERT_EQUAL(code, CODE_KILLED); // it has not ended by itself
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
}

/**
 * Start processes; then again and again let them work, until they have counted up the counter fewer than `most`
 * times, kill one, and start another in its place. Returns how many were killed.
 */
static inline long kill_at_random(mproc_process **all, uint32_t n,
                                  mproc_process *(*start_one)(size_t i), uint32_t *counter,
                                  uint32_t most, long n_kills)
{
    for (size_t i = 0; i < n; i++) {
        all[i] = start_one(i);
    }
    long n_killed = 0;
    for (; testlib_goes_on(n_killed, n_kills); n_killed++) {
        uint32_t which = testlib_random() % n;
        let_work(counter, testlib_random() % most);
        pass_time(50000);
        kill_one(all[which]);
        all[which] = start_one(which);
    }
    return n_killed;
}

/** They end by themselves, and well. */
static inline void await_all(mproc_process *const *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(end_of(all[i]), 0);
    }
}

/** What began then took so long: the longest is kept. */
static inline void note_time(uint64_t *longest_ns, int64_t begin)
{
    uint64_t took = (uint64_t)(mplat_now() - begin);
    uint64_t seen = mproc__load64_relaxed(longest_ns);
    while (seen < took && !mproc__cas64(longest_ns, &seen, took)) {
    }
}

static inline int do_nothing(const mproc_args *args)
{
    (void)args;
    return 0;
}

/** So that what is there when everything has been used once is there before a storm. */
static inline void use_everything(void)
{
    mproc_block_close(make_words(1));                    // this process's ledger
    CU_ASSERT_EQUAL(end_of(start(do_nothing, NULL)), 0); // what a method keeps
}

/** The pid of a living member by its name, the n-th of them; 0 if there is none. */
static inline int64_t pid_of_member(const char *name, unsigned n)
{
    int64_t pid = 0;
    mproc__family_lock();
    for (uint64_t i = 1; i <= mproc__shm()->n_members && pid == 0; i++) {
        const struct mproc__member_shm *slot = mproc__member_at(i);
        bool is_there = slot->life == MPROC__LIFE_STARTING || slot->life == MPROC__LIFE_RUNNING;
        if (is_there && strcmp(slot->name, name) == 0 && n-- == 0) {
            pid = (int64_t)slot->pid;
        }
    }
    mproc__family_unlock();
    return pid;
}

/** What a process has, and must have again after a storm. */
typedef struct belongings {
    size_t n_fds;
    size_t n_maps;
    size_t n_zombies;
    mproc_arena_stats arena;
} belongings;

#ifndef _WIN32
static inline size_t count_entries(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    while (directory != NULL && readdir(directory) != NULL) {
        count++;
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return count;
}

static inline size_t count_lines(const char *path)
{
    size_t count = 0;
    FILE *file = fopen(path, "re");
    for (int c; file != NULL && (c = fgetc(file)) != EOF;) {
        count += c == '\n';
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return count;
}
#endif

static inline belongings take_stock(void)
{
    belongings now = {.arena = settled_stats()};
#ifndef _WIN32
    now.n_fds = count_entries("/proc/self/fd");
    now.n_maps = count_lines("/proc/self/maps");
    now.n_zombies = count_zombies();
#endif
    return now;
}

static inline void check_belongings(const belongings *before, const belongings *after)
{
    if (before->n_fds != after->n_fds || before->n_maps != after->n_maps || after->n_zombies != 0) {
        printf("fds %zu -> %zu, maps %zu -> %zu, %zu zombies ... ", before->n_fds, after->n_fds,
               before->n_maps, after->n_maps, after->n_zombies);
    }
    CU_ASSERT_EQUAL(before->n_fds, after->n_fds);
    CU_ASSERT_EQUAL(before->n_maps, after->n_maps);
    CU_ASSERT_EQUAL(after->n_zombies, 0);
    CU_ASSERT(is_same_arena(&before->arena, &after->arena));
}

#endif
