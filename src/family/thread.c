/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.c: see thread.h for the protocol.
 */
#include "family/thread.h"

#include "base/check.h"
#include "base/status.h"
#include "family/layout.h"
#include "family/sleep.h"
#include "family/watch.h"

#define BATCH 128u /* 16 KiB: a multiple of any page */
#define INDEX_SHIFT 1
#define GENERATION_SHIFT 17
#define INDEX_MASK 0xffffu

MPROC__THREAD_LOCAL mproc__thread_id mproc__thread_current;
MPROC__THREAD_LOCAL int32_t mproc__thread_holds;

static struct mproc__thread_shm *slot_at(uint32_t index)
{
    return (struct mproc__thread_shm *)mproc__at(MPROC__THREADS_AT) + index;
}

/** The slot an id names, or NULL if it can name none. */
static struct mproc__thread_shm *slot_of(mproc__thread_id id)
{
    uint32_t place = (uint32_t)(id >> INDEX_SHIFT) & INDEX_MASK;
    uint32_t n = mproc__load32_acquire(&mproc__shm()->n_threads);
    return place == 0 || place > n ? NULL : slot_at(place - 1);
}

uint32_t mproc__thread_index(mproc__thread_id id)
{
    return ((uint32_t)(id >> INDEX_SHIFT) & INDEX_MASK) - 1;
}

static mproc__thread_id id_of(uint32_t index, uint64_t generation)
{
    return generation << GENERATION_SHIFT | (uint64_t)(index + 1) << INDEX_SHIFT;
}

/** Format one more batch; the caller holds the growth token. */
static int format_batch(uint32_t n)
{
    struct mproc__family_shm *shm = mproc__shm();
    uint64_t at = MPROC__THREADS_AT + (uint64_t)n * sizeof(struct mproc__thread_shm);
    // The first batch lies in what every arena begins with.
    int rc = n == 0
                 ? MPROC_OK
                 : mplat_arena_commit(&mproc__arena, at, BATCH * sizeof(struct mproc__thread_shm));
    if (rc < 0) {
        return rc;
    }
    mplat_life_format(&slot_at(n)->life, BATCH, sizeof(struct mproc__thread_shm));
    MPROC__KILLPOINT("thread.formatted");
    mproc__store32_release(&shm->n_threads, n + BATCH); /* COMMIT: the batch exists */
    return MPROC_OK;
}

static int grow(uint32_t seen)
{
    struct mproc__family_shm *shm = mproc__shm();
    if (seen + BATCH > MPROC__MAX_THREADS) {
        return mproc__fail(MPROC_ENOSPC,
                           "no room for another thread: %u threads of the family are registered",
                           seen);
    }
    while (mplat_life_claim(&shm->thread_growth) < 0) {
        // Somebody else grows, for some microseconds, unless it is stopped; it is not dead.
        (void)mproc__sleep(&shm->n_threads, seen, MPROC__NEVER, &shm->thread_growth);
        if (mproc__load32_acquire(&shm->n_threads) != seen) {
            return MPROC_OK;
        }
    }
    // A holder that died here left n_threads alone; what it had formatted is formatted again.
    uint32_t n = mproc__load32_acquire(&shm->n_threads);
    int rc = n == seen ? format_batch(n) : MPROC_OK;
    mplat_life_release(&shm->thread_growth);
    (void)mplat_wake(&shm->n_threads, INT32_MAX);
    return rc;
}

int mproc__thread_found(void)
{
    mplat_life_format(&mproc__shm()->thread_growth, 1, sizeof(mplat_life));
    mplat_life_format(mproc__shm()->watch, MPROC__WATCHES, sizeof(mplat_life));
    return format_batch(0);
}

void mproc__thread_setup(void)
{
    const mplat_parking parking = {
        .first = &slot_at(0)->parker,
        .stride = sizeof(struct mproc__thread_shm),
        .count = &mproc__shm()->n_threads,
    };
    mplat_wait_setup(&parking);
}

/** The last holder of a slot, whose token the caller holds, is no more: all ids given so far are dead. */
static void retire(struct mproc__thread_shm *slot)
{
    uint64_t generation = mproc__load64_relaxed(&slot->generation);
    if (generation % 2 != 0) {
        mproc__store64_release(&slot->asleep, 0); // nobody there is to be woken in another's place
        mproc__store64_release(&slot->waits_for, 0);
        mproc__store64_release(&slot->generation, generation + 1); /* COMMIT: the id is dead */
    }
}

/** A slot whose token the caller holds, and whose last holder is no more, is the calling thread's. */
static uint64_t enlist(struct mproc__thread_shm *slot)
{
    uint64_t generation = mproc__load64_relaxed(&slot->generation) + 1;
    mproc__store64_release(&slot->who, 0); // the last one's until here, ours from the next line on
    mproc__store64_release(&slot->generation, generation); /* COMMIT: the new id lives */
    mproc__store64_release(&slot->who,
                           (uint64_t)mplat_thread_number() << 32 | (uint32_t)mplat_pid());
    return generation;
}

static int claim_any(mproc__thread_id *ret_id)
{
    struct mproc__family_shm *shm = mproc__shm();
    for (;;) {
        uint32_t n = mproc__load32_acquire(&shm->n_threads);
        uint32_t first = mproc__load32_relaxed(&shm->thread_hint);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t index = (first + i) % n;
            struct mproc__thread_shm *slot = slot_at(index);
            int claimed = mplat_life_claim(&slot->life);
            if (claimed < 0) {
                continue;
            }
            MPROC__KILLPOINT("thread.claimed");
            retire(slot);
            if (claimed > 0) {
                mproc__watch_alarm(); /* DEATH: of the slot's last holder */
            }
            uint64_t generation = enlist(slot);
            int rc = mplat_parker_claim(&slot->parker);
            if (rc < 0) {
                mplat_life_release(&slot->life);
                return rc;
            }
            mproc__store32_release(&shm->thread_hint, (index + 1) % n);
            *ret_id = id_of(index, generation);
            return MPROC_OK;
        }
        int rc = grow(n);
        if (rc < 0) {
            return rc;
        }
    }
}

int mproc__thread_enter(mproc__thread_id *ret_id)
{
    if (mproc__thread_current == 0) {
        mproc__thread_id id;
        int rc = mplat_thread_at_exit(mproc__thread_leave);
        if (rc < 0 || (rc = claim_any(&id)) < 0) {
            return rc;
        }
        mproc__thread_current = id;
    }
    if (ret_id != NULL) {
        *ret_id = mproc__thread_current;
    }
    return MPROC_OK;
}

mproc__thread_id mproc__thread_self(void)
{
    MPROC__CHECK(mproc__thread_current != 0);
    return mproc__thread_current;
}

void mproc__thread_leave(void)
{
    if (mproc__thread_current != 0) {
        struct mproc__thread_shm *slot = slot_of(mproc__thread_current);
        uint32_t index = (uint32_t)(slot - slot_at(0));
        mproc__thread_current = 0;
        retire(slot);
        if (mproc__thread_holds != 0) {
            mproc__thread_holds = 0;
            mproc__watch_alarm(); // as if it had died: the ids of both are dead
        }
        mplat_parker_release(&slot->parker);
        mplat_life_release(&slot->life);
        mproc__store32_release(&mproc__shm()->thread_hint, index);
    }
}

void mproc__thread_forget(void)
{
    mproc__thread_current = 0;
    mproc__thread_holds = 0;
}

mplat_life *mproc__thread_life(mproc__thread_id id)
{
    struct mproc__thread_shm *slot = slot_of(id);
    return slot == NULL ? NULL : &slot->life;
}

/** Bury the last holder of a slot, unless somebody living holds it. False: it lives. */
static bool bury(struct mproc__thread_shm *slot)
{
    int claimed = mplat_life_claim(&slot->life);
    if (claimed < 0) {
        return false;
    }
    // It died, or ended and gave the slot up between the two looks: both ways its id is dead.
    retire(slot);
    if (claimed > 0) {
        mproc__watch_alarm(); /* DEATH: of the slot's last holder */
    }
    mplat_life_release(&slot->life);
    return true;
}

bool mproc__thread_is_dead(mproc__thread_id id)
{
    struct mproc__thread_shm *slot = slot_of(id);
    return slot == NULL || mproc__load64_acquire(&slot->generation) != id >> GENERATION_SHIFT ||
           bury(slot);
}

void mproc__thread_bury_dead(void)
{
    uint32_t n;
    struct mproc__thread_shm *slots = mproc__thread_slots(&n);
    for (size_t i = 0; (i = mplat_life_next_dead(&slots->life, n, sizeof(*slots), i)) < n; i++) {
        (void)bury(&slots[i]);
    }
}

/** The word `who` of a thread, dead or alive; 0 if that is no longer known. */
static uint64_t who_is(mproc__thread_id id)
{
    const struct mproc__thread_shm *slot = slot_of(id);
    if (slot == NULL) {
        return 0;
    }
    uint64_t generation = id >> GENERATION_SHIFT;
    uint64_t who = mproc__load64_acquire(&slot->who);
    // Before it is another thread's, a slot gets another generation than its last one and the next.
    uint64_t now = mproc__load64_acquire(&slot->generation);
    return now == generation || now == generation + 1 ? who : 0;
}

int64_t mproc__thread_pid(mproc__thread_id id)
{
    return (int64_t)(who_is(id) & UINT32_MAX);
}

uint32_t mproc__thread_number(mproc__thread_id id)
{
    return (uint32_t)(who_is(id) >> 32);
}

mproc__thread_id mproc__thread_at(uint32_t index)
{
    uint64_t generation = mproc__load64_acquire(&slot_at(index)->generation);
    return generation % 2 != 0 ? id_of(index, generation) : 0;
}

const struct mproc__thread_shm *mproc__thread_slot_of(mproc__thread_id id)
{
    const struct mproc__thread_shm *slot = slot_of(id);
    bool is_its =
        slot != NULL && mproc__load64_acquire(&slot->generation) == id >> GENERATION_SHIFT;
    return is_its ? slot : NULL;
}

struct mproc__thread_shm *mproc__thread_slots(uint32_t *ret_count)
{
    *ret_count = mproc__load32_acquire(&mproc__shm()->n_threads);
    return slot_at(0);
}

struct mproc__thread_shm *mproc__thread_slot(void)
{
    return mproc__thread_current != 0 ? slot_of(mproc__thread_current) : NULL;
}
