/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family.c: founding, joining, and what a copy of a process must forget.
 */
#include "family/family.h"

#include "base/check.h"
#include "base/deadline.h"
#include "base/status.h"
#include "family/layout.h"
#include "family/pages.h"
#include "family/thread.h"

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_thread_mutex.h>
#include <apr_time.h>
#include <stdlib.h>

#define MIN_ARENA ((uint64_t)64 << 20)
#define MAX_FORGETFUL 8

/* The page map grows in steps; the last one may reach beyond the last granule. */
#define MAP_SLACK 4096

mplat_arena mproc__arena = {.handle = {-1}, .bag = {.in = {-1}, .out = {-1}}};

enum { ABSENT = 0, BUSY = 1, PRESENT = 2 };

static struct {
    uint32_t state;
    mproc__member_id self;   /* 0 in a copy that has not become a member yet */
    mproc__member_id copied; /* in a copy: who the original is */
    uint32_t is_visitor;     /* a member that has not yet adopted its slot: its first call will */
    uint32_t epoch;
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex;
    void (*forgetful[MAX_FORGETFUL])(void);
    size_t n_forgetful;
} family;

mproc__member_id mproc__self_id(void)
{
    return mproc__load64_acquire(&family.self);
}

struct mproc__member_shm *mproc__self_member(void)
{
    return mproc__member_at(mproc__self_id());
}

uint32_t mproc__handle_epoch(void)
{
    return family.epoch;
}

void mproc__private_lock(void)
{
    (void)apr_thread_mutex_lock(family.mutex);
}

void mproc__private_unlock(void)
{
    (void)apr_thread_mutex_unlock(family.mutex);
}

void mproc__on_forget(void (*fn)(void))
{
    MPROC__CHECK(family.n_forgetful < MAX_FORGETFUL);
    family.forgetful[family.n_forgetful++] = fn;
}

/* Threads between mproc__making_begin and _end; those that fork or want to. Under the private lock. */
static uint32_t n_making;
static uint32_t n_forking;
static MPROC__THREAD_LOCAL bool is_making;

/** Wait, with the private lock, until a number is 0; it is let go meanwhile. */
static void await_none_locked(const uint32_t *number)
{
    while (*number > 0) {
        mproc__private_unlock();
        apr_sleep(50); // a start takes far less than a millisecond
        mproc__private_lock();
    }
}

void mproc__making_begin(bool is_fork)
{
    mproc__private_lock();
    if (is_fork) {
        n_forking++;
    }
    // Who forks comes first, or many starters would never let him.
    await_none_locked(is_fork ? &n_making : &n_forking);
    n_making++;
    is_making = true;
    mproc__private_unlock();
}

void mproc__making_end(bool is_fork)
{
    mproc__private_lock();
    n_making--;
    n_forking -= is_fork ? 1 : 0;
    is_making = false;
    mproc__private_unlock();
}

static void before_fork(void)
{
    mproc__private_lock();
    if (!is_making) {
        n_forking++;
        await_none_locked(&n_making);
        n_forking--;
    }
}

static void forget(void)
{
    n_making = 0;
    n_forking = 0;
    is_making = false;
    mproc__private_unlock();
    mproc__thread_forget();
    family.copied = family.self;
    mproc__store64_release(&family.self, 0);
    family.is_visitor = 0;
    for (size_t i = 0; i < family.n_forgetful; i++) {
        family.forgetful[i]();
    }
}

/** The private state that does not depend on whose family it is. Once per process. */
static int prepare(void)
{
    static const mplat_fork_hooks hooks = {
        .before = before_fork,
        .parent = mproc__private_unlock,
        .child = forget,
    };
    if (family.mutex != NULL) {
        return MPROC_OK;
    }
    int rc = mplat_init();
    if (rc < 0) {
        return rc;
    }
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&family.pool, NULL) != APR_SUCCESS ||
        apr_thread_mutex_create(&family.mutex, APR_THREAD_MUTEX_UNNESTED, family.pool) !=
            APR_SUCCESS) {
        return mproc__fail(MPROC_ENOMEM, "APR cannot be initialised");
    }
    return mplat_at_fork(&hooks);
}

/** How much address space to ask for: the system's suggestion, or MPROC_ARENA_RESERVE bytes. */
static uint64_t reserve_bytes(void)
{
    const char *wish = getenv("MPROC_ARENA_RESERVE");
    uint64_t wanted = wish != NULL ? strtoull(wish, NULL, 0) : 0;
    uint64_t size = MIN_ARENA;
    if (wanted == 0) {
        return mplat_get_facts()->reserve_bytes;
    }
    while (size < wanted && size << 1 != 0) {
        size <<= 1;
    }
    return size;
}

static int lay_out(void)
{
    int rc = mplat_arena_commit(&mproc__arena, 0, MPROC__FIRST_BYTES);
    if (rc < 0) {
        return rc;
    }
    struct mproc__family_shm *shm = mproc__shm();
    uint64_t most = mproc__arena.size >> MPROC__GRANULE_SHIFT;
    uint64_t map_end = MPROC__MORE_PAGES_AT + (most + MAP_SLACK) * sizeof(struct mproc__page_shm);
    shm->size = mproc__arena.size;
    shm->heap_at = (map_end + MPROC__GRANULE - 1) / MPROC__GRANULE * MPROC__GRANULE;
    shm->heap.granules = (shm->size - shm->heap_at) >> MPROC__GRANULE_SHIFT;
    shm->heap.map_ready = MPROC__FIRST_PAGES;
    rc = mproc__thread_found();
    shm->magic = MPROC__MAGIC;
    return rc;
}

static int become(mproc__member_id id, const mplat_identity *who, bool keeps_handles)
{
    int rc = mproc__member_adopt(id, who);
    if (rc >= 0) {
        mproc__store64_release(&family.self, id);
        family.epoch += keeps_handles ? 0 : 1;
    }
    return rc;
}

static int found(void)
{
    int rc = mplat_arena_create(reserve_bytes(), MIN_ARENA, &mproc__arena);
    if (rc < 0) {
        return rc;
    }
    rc = lay_out();
    if (rc < 0) {
        mplat_arena_detach(&mproc__arena);
        return rc;
    }
    mproc__thread_setup();
    mproc__member_id root;
    rc = mproc__thread_enter(NULL);
    if (rc >= 0) {
        rc = mproc__member_new(0, "MainProcess", &root);
    }
    if (rc < 0) {
        mproc__thread_leave();
        mplat_arena_detach(&mproc__arena);
        return rc;
    }
    mproc__shm()->root = root;
    const mplat_identity who = mplat_self();
    return become(root, &who, false);
}

static int join_as_copy_locked(void)
{
    mproc__member_id id;
    const mplat_identity who = mplat_self();
    int rc = mproc__member_new(0, "Copy", &id);
    return rc < 0 ? rc : become(id, &who, false);
}

/** The copy's turn after the application's own fork(); one of its threads', if several come at once. */
static int join_as_copy(void)
{
    int rc = mproc__thread_enter(NULL);
    if (rc >= 0) {
        mproc__private_lock();
        rc = mproc__self_id() == 0 ? join_as_copy_locked() : MPROC_OK;
        mproc__private_unlock();
    }
    return rc;
}

/** The first call of a copy that mproc made; one of its threads', if several come at once. */
static int stay(void)
{
    int rc = mproc__thread_enter(NULL);
    if (rc < 0) {
        return rc;
    }
    mproc__private_lock();
    if (family.is_visitor) {
        const mplat_identity who = {.pid = mplat_pid()};
        rc = mproc__member_adopt(family.self, &who);
        mproc__store32_release(&family.is_visitor, rc < 0);
    }
    mproc__private_unlock();
    return rc;
}

/** Wait until no other thread is founding; 1: the caller shall do it. */
static bool claim_founding(void)
{
    for (;;) {
        uint32_t expected = ABSENT;
        if (mproc__cas32(&family.state, &expected, BUSY)) {
            return true;
        }
        if (expected == PRESENT) {
            return false;
        }
        MPROC__PAUSE();
    }
}

int mproc__family_enter(void)
{
    if (mproc__load32_acquire(&family.state) != PRESENT && claim_founding()) {
        int rc = prepare();
        rc = rc < 0 ? rc : found();
        mproc__store32_release(&family.state, rc < 0 ? ABSENT : PRESENT);
        if (rc < 0) {
            return rc;
        }
    }
    if (mproc__self_id() == 0) {
        return join_as_copy();
    }
    return mproc__load32_acquire(&family.is_visitor) != 0 ? stay() : mproc__thread_enter(NULL);
}

int mproc__family_join(const mplat_arena *arena, mproc__member_id id)
{
    int rc = prepare();
    if (rc < 0) {
        return rc;
    }
    mproc__arena = *arena;
    struct mproc__family_shm *shm = mproc__shm();
    if (shm->magic != MPROC__MAGIC || shm->size != arena->size) {
        return mproc__fail(MPROC_EBUILD, "the parent uses another version of mproc");
    }
    mproc__thread_setup();
    const mplat_identity who = mplat_self();
    rc = mproc__thread_enter(NULL);
    if (rc < 0 || (rc = become(id, &who, true)) < 0) {
        return rc;
    }
    mproc__store32_release(&family.state, PRESENT);
    return MPROC_OK;
}

int mproc__family_become(mproc__member_id id)
{
    // For a page that is read the system maps those around it too, for one that is written only that
    // one; and all of what follows writes.
    (void)mproc__load64_acquire(&mproc__shm()->magic);
    const mplat_identity who = {.pid = mplat_pid()};
    int rc = mproc__thread_enter(NULL);
    return rc < 0 ? rc : become(id, &who, false);
}

void mproc__family_become_copy(mproc__member_id id)
{
    mproc__store64_release(&family.self, id);
    family.is_visitor = 1;
}

mproc__member_id mproc__copied_id(void)
{
    return family.copied;
}
