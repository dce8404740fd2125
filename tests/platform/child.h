/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h: a family in small, on nothing but platform.h: an arena with a few words in it, and
 * children of the test's own executable that play roles.
 *
 * A role is a function; its place in the table travels as the boot's purpose, and the boot's member
 * says which of the arena's parkers and words is the child's. What a role returns is the exit code.
 */
#ifndef TESTS_PLATFORM_CHILD_H
#define TESTS_PLATFORM_CHILD_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "mproc/error.h"
#include "platform.h"
#include "support/testlib.h"

#include <string.h>

#define CHILD_ARENA_BYTES ((uint64_t)16 << 20)
#define CHILD_FREE_BYTES ((uint64_t)1 << 20) /* where the tests of memory begin */
#define CHILD_MAX 256
#define CHILD_LIVES 256
#define CHILD_BOOT_FAILED 98
#define CHILD_NO_CODE INT32_MIN

/** What lies at the arena's begin. All words are zero at first. */
typedef struct child_shm {
    uint32_t word[CHILD_MAX]; /* the roles' own */
    uint32_t ready;           /* how many children have said that they are */
    uint32_t go;              /* set by the parent */
    uint32_t n_parkers;
    uint32_t unused;
    uint64_t number[2 * CHILD_MAX];
    mplat_module module;
    mplat_parker parkers[CHILD_MAX];
    mplat_life lives[CHILD_LIVES];
} child_shm;

typedef int (*child_role)(unsigned me);

static mplat_arena child_arena;
static mplat_boot child_boot;
static mplat_child child_parent;
static child_shm *shm;
static const char *child_program; /* this executable; see child_run */

/** A deadline that only a failing test reaches. */
static inline int64_t child_deadline(void)
{
    return mplat_now() + (int64_t)30 * 1000000000;
}

static inline int child_map(unsigned me)
{
    shm = (child_shm *)(void *)child_arena.base;
    if (shm->n_parkers == 0) {
        mplat_life_format(shm->lives, CHILD_LIVES, sizeof(mplat_life));
        mproc__store32_release(&shm->n_parkers, CHILD_MAX);
    }
    const mplat_parking parking = {shm->parkers, sizeof(mplat_parker), &shm->n_parkers};
    mplat_wait_setup(&parking);
    return mplat_parker_claim(&shm->parkers[me]);
}

/** Make a fresh family; the test's process has parker 0, its children have 1 and so on. */
static inline void child_found(void)
{
    int rc = mplat_arena_create(CHILD_ARENA_BYTES, CHILD_ARENA_BYTES, &child_arena);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    uint64_t page = mplat_get_facts()->page_bytes;
    uint64_t size = (sizeof(child_shm) + page - 1) / page * page;
    CU_ASSERT_EQUAL_FATAL(mplat_arena_commit(&child_arena, 0, size), 0);
    CU_ASSERT_EQUAL_FATAL(child_map(0), 0);
}

static inline void child_end(void)
{
    mplat_parker_release(&shm->parkers[0]);
    mplat_arena_detach(&child_arena);
    shm = NULL;
}

static inline mplat_start child_start_of(unsigned role, unsigned me)
{
    return (mplat_start){
        .stdio = {MPLAT_NO_HANDLE, MPLAT_NO_HANDLE, MPLAT_NO_HANDLE},
        .arena = &child_arena,
        .boot = {.arena_size = child_arena.size, .member = me, .purpose = role},
    };
}

/** Start a child in a role, also from a role; `me` is its parker: not 0, nor taken. */
static inline int child_start(unsigned role, unsigned me, mplat_child *ret_child)
{
    mplat_start start = child_start_of(role, me);
    int rc = me == 0 || me >= CHILD_MAX ? MPROC_EINVAL : mplat_process_spawn(&start, ret_child);
    if (rc < 0) {
        printf("%s ... ", mproc_last_error());
    }
    return rc;
}

static inline void child_close(mplat_child *child)
{
    mplat_handle_close(child->sentinel);
    mplat_handle_close(child->tree);
    *child = (mplat_child){{0, 0}, MPLAT_NO_HANDLE, MPLAT_NO_HANDLE};
}

/** Wait for a child's end, collect and close it; its code, or CHILD_NO_CODE. */
static inline int32_t child_join(mplat_child *child)
{
    size_t index = 1;
    mplat_exit how = {.code = CHILD_NO_CODE};
    int rc = mplat_sentinel_wait(&child->sentinel, 1, child_deadline(), &index);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(index, 0);
    if (rc == 0) {
        CU_ASSERT_EQUAL(mplat_process_reap(child, &how), 0);
    } else {
        (void)mplat_process_signal(&child->who, MPLAT_KILL);
    }
    child_close(child);
    return how.code;
}

/** Wait until a word has a value; false: it never got it, or nobody woke us when it did. */
static inline bool child_wait_for(uint32_t *word, uint32_t value)
{
    int64_t deadline = child_deadline();
    int rc = 0;
    uint32_t seen = mproc__load32_acquire(word);
    while (seen != value && rc == 0) {
        rc = mplat_wait(word, seen, deadline, NULL, NULL);
        seen = mproc__load32_acquire(word);
    }
    return rc == 0;
}

static inline void child_set(uint32_t *word, uint32_t value)
{
    mproc__store32_release(word, value);
    (void)mplat_wake(word, INT32_MAX);
}

/** A role says that it has come so far. */
static inline void child_say_ready(void)
{
    (void)mproc__add32(&shm->ready, 1);
    (void)mplat_wake(&shm->ready, INT32_MAX);
}

/** For roles that are to be killed: the parent's death is the only other end. */
static inline int child_stay(void)
{
    int rc = 0;
    while (rc == 0) {
        rc = mplat_wait(&shm->unused, 0, INT64_MAX, NULL, NULL);
    }
    return rc;
}

/** For TESTLIB_MAIN_CHILD: in a child play its role, else return. */
static inline void child_run(int argc, char **argv, const child_role *roles, size_t count)
{
    mplat_handle extra;
    child_program = argv[0];
    int rc = mplat_init();
    if (rc == 0) {
        rc = mplat_boot_take(argc, argv, &child_boot, &child_arena, &child_parent, &extra);
    }
    if (rc == 0) {
        return;
    }
    if (rc < 0 || child_boot.purpose >= count || child_map((unsigned)child_boot.member) < 0) {
        fprintf(stderr, "child: %s\n", mproc_last_error());
        exit(CHILD_BOOT_FAILED);
    }
    exit(roles[child_boot.purpose]((unsigned)child_boot.member));
}

#endif
