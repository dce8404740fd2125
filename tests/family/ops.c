/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.c: see ops.h.
 */
#include "family/ops.h"

#include "base/compiler.h"
#include "family/block.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/ledger.h"
#include "family/member.h"
#include "family/mutex.h"
#include "family/thread.h"
#include "family/victim.h"
#include "mproc/error.h"
#include "support/testlib.h"

#define LARGE_BYTES ((uint64_t)200 << 10)
#define HUGE_BYTES ((uint64_t)33 << 20) /* more than what the heap keeps */
#define N_HELD 3
#define FULL_THREADS 32u

static mproc__hold held[2];
static mproc__member_id other;

static mproc__hold create(uint64_t size, uint32_t n_references)
{
    mproc__hold hold = {0, 0};
    CHILD_CHECK(mproc__block_create(MPROC__KIND_TEST, size, n_references, true, &hold) == 0);
    return hold;
}

/* ---- threads and locks ------------------------------------------------------------------------- */

static void leave(uint64_t shared)
{
    (void)shared;
    mproc__thread_leave();
}

static void enter(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc__thread_enter(NULL) == 0);
}

/* The next slot to be looked at is one whose thread has died: the test's first victim. */
static void leave_before_dead(uint64_t shared)
{
    mproc__thread_leave();
    uint64_t dead = mproc__load64_relaxed(&victim_shm(shared)->mutex);
    mproc__store32_release(&mproc__shm()->thread_hint, ((uint32_t)(dead >> 1) & 0xffff) - 1);
}

/* All slots there are have an owner: the next one must be made. */
static void leave_full(uint64_t shared)
{
    (void)shared;
    mproc__thread_leave();
    mproc__store32_release(&mproc__shm()->n_threads, FULL_THREADS); // the others are not in use
    struct mproc__thread_shm *slots = mproc__at(MPROC__THREADS_AT);
    for (uint32_t i = 0; i < mproc__load32_acquire(&mproc__shm()->n_threads); i++) {
        (void)mplat_life_claim(&slots[i].life);
    }
}

static void take_over(uint64_t shared)
{
    struct mproc__mutex_shm *mutex = (struct mproc__mutex_shm *)(void *)&victim_shm(shared)->mutex;
    int rc = mproc__mutex_acquire(mutex, mproc__thread_self(), MPROC__NEVER, NULL);
    CHILD_CHECK(rc == MPROC_OWNER_DIED);
    (void)mproc__mutex_release(mutex);
}

/* The test's first victim has died with the family lock, in the middle of it. */
static void lock_family(uint64_t shared)
{
    (void)shared;
    mproc__family_lock();
    mproc__family_unlock();
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void create_small(uint64_t shared)
{
    (void)shared;
    (void)create(100, 2);
}

/* Of a class that no test uses: the first one needs a span. */
static void create_span(uint64_t shared)
{
    mproc__hold hold;
    (void)shared;
    CHILD_CHECK(mproc__block_create(MPROC__KIND_TEST, 20000, 0, false, &hold) == 0);
}

static void create_large(uint64_t shared)
{
    (void)shared;
    (void)create(LARGE_BYTES, 0);
}

static void prepare_one(uint64_t shared)
{
    (void)shared;
    held[0] = create(100, N_HELD);
}

static void prepare_large(uint64_t shared)
{
    (void)shared;
    held[0] = create(LARGE_BYTES, 0);
}

static void prepare_huge(uint64_t shared)
{
    (void)shared;
    held[0] = create(HUGE_BYTES, 0);
}

/* A block that alone holds three others, one of them large. */
static void prepare_tree(uint64_t shared)
{
    prepare_one(shared);
    for (int i = 0; i < N_HELD; i++) {
        mproc__hold hold = create(i == 1 ? LARGE_BYTES : 300, 0);
        CHILD_CHECK(mproc__block_embed(held[0].offset, hold.offset) == 0);
        mproc__block_release(hold);
    }
}

static void release(uint64_t shared)
{
    (void)shared;
    mproc__block_release(held[0]);
}

static void attach(uint64_t shared)
{
    CHILD_CHECK(mproc__block_attach(shared, &held[1]) == 0);
}

static void embed(uint64_t shared)
{
    CHILD_CHECK(mproc__block_embed(held[0].offset, shared) == 0);
}

/* The victim's ledger has no free entry left, so that the next one needs a segment. */
static void fill_ledger(uint64_t shared)
{
    const struct mproc__member_shm *self = mproc__self_member();
    uint64_t segments = 1; // as many as there are fill up at 64 * (2^n - 1) entries
    while (self->ledger_free != 0 || self->ledger_fresh != segments * 64) {
        segments = self->ledger_fresh > segments * 64 ? segments * 2 + 1 : segments;
        CHILD_CHECK(mproc__block_attach(shared, &held[1]) == 0);
    }
}

/* ---- members --------------------------------------------------------------------------------- */

static void new_member(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc__member_new(mproc__self_id(), "other", &other) == 0);
}

static void new_and_one(uint64_t shared)
{
    new_member(shared);
    prepare_one(shared);
}

static void give(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc__block_give(held[0], other) == 0);
}

static void clone(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc__member_clone(mproc__self_id(), other) == 0);
}

/* With a hole in the ledger, and something in a second segment. */
static void prepare_clone(uint64_t shared)
{
    for (int i = 0; i < 70; i++) {
        attach(shared);
    }
    prepare_one(shared);
    mproc__block_release(held[1]);
    new_member(shared);
}

static void adopt(uint64_t shared)
{
    (void)shared;
    const mplat_identity who = mplat_self();
    CHILD_CHECK(mproc__member_adopt(other, &who) == 0);
}

/* It holds a small block, a large one, and one that holds others. */
static void prepare_dead(uint64_t shared)
{
    new_member(shared);
    prepare_tree(shared);
    mproc__hold large = create(LARGE_BYTES, 0);
    CHILD_CHECK(mproc__block_give(held[0], other) == 0);
    CHILD_CHECK(mproc__block_give(large, other) == 0);
}

static void bury(uint64_t shared)
{
    (void)shared;
    mproc__member_bury(other);
}

static void prepare_buried(uint64_t shared)
{
    new_member(shared);
    mproc__member_bury(other);
}

static void free_member(uint64_t shared)
{
    (void)shared;
    mproc__member_free(other);
}

/* An orphan: its parent, a member made for the purpose, is gone. */
static void prepare_orphan(uint64_t shared)
{
    new_member(shared);
    mproc__member_id parent = other;
    CHILD_CHECK(mproc__member_new(parent, "orphan", &other) == 0);
    prepare_one(shared);
    CHILD_CHECK(mproc__block_give(held[0], other) == 0);
    mproc__member_bury(parent);
    mproc__member_free(parent);
}

static void sweep(uint64_t shared)
{
    (void)shared;
    mproc__member_sweep();
}

const ops_op ops_table[] = {
    {"register in a fresh slot", leave, enter, NULL},
    {"register in a dead slot", leave_before_dead, enter, NULL},
    {"register in a new batch", leave_full, enter, NULL},
    {"give a slot back", NULL, leave, NULL},
    {"take a lock over", NULL, take_over, NULL},
    {"take the family lock over", NULL, lock_family, NULL},
    {"create a small block", NULL, create_small, NULL},
    {"create a block in a new span", NULL, create_span, NULL},
    {"create a large block", NULL, create_large, NULL},
    {"release a small block", prepare_one, release, NULL},
    {"release a large block", prepare_large, release, NULL},
    {"release a huge block", prepare_huge, release, NULL},
    {"release a block that holds others", prepare_tree, release, NULL},
    {"attach", NULL, attach, NULL},
    {"embed", prepare_one, embed, NULL},
    {"grow the ledger", fill_ledger, attach, NULL},
    {"make a member", NULL, new_member, NULL},
    {"give", new_and_one, give, NULL},
    {"adopt", new_member, adopt, NULL},
    {"clone a ledger", prepare_clone, clone, NULL},
    {"bury", prepare_dead, bury, NULL},
    {"free a member", prepare_buried, free_member, NULL},
    {"sweep", prepare_orphan, sweep, NULL},
};

const size_t ops_count = MPROC__COUNT(ops_table);
const size_t ops_dead_slot = 1;
const size_t ops_grow = 2;
const size_t ops_takeover = 4;
const size_t ops_recover = 5;
