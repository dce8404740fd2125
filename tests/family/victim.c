/* SPDX-License-Identifier: Apache-2.0 */
/*
 * victim.c: see victim.h.
 */
#include "family/victim.h"

#include "base/atomic.h"
#include "base/check.h"
#include "family/block.h"
#include "family/check.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/mutex.h"
#include "family/ops.h"
#include "family/thread.h"
#include "support/testlib.h"

#include <string.h>

#define FIRST_THREADS 128u

/* ---- in a victim ------------------------------------------------------------------------------ */

static MPROC__NORETURN void die(void)
{
    const mplat_identity who = mplat_self();
    (void)mplat_process_signal(&who, MPLAT_KILL);
    for (;;) {
        MPROC__PAUSE();
    }
}

#ifdef MPROC_KILLPOINTS

static const char *wanted;
static int hits_left;

static void kill_at(const char *name)
{
    if ((wanted == NULL || strcmp(name, wanted) == 0) && --hits_left == 0) {
        die();
    }
}

void victim_die_at(const char *name, int nth)
{
    wanted = name;
    hits_left = nth;
    mproc__killpoint_fn = kill_at;
}

void victim_live(void)
{
    mproc__killpoint_fn = NULL;
}

#else

void victim_die_at(const char *name, int nth)
{
    (void)name;
    (void)nth;
}

void victim_live(void)
{
}

#endif

void victim_set_word(uint32_t *word, uint32_t value)
{
    mproc__store32_release(word, value);
    (void)mplat_wake(word, INT32_MAX);
}

void victim_wait_for(uint32_t *word, uint32_t value)
{
    for (uint32_t seen; (seen = mproc__load32_acquire(word)) != value;) {
        (void)mplat_wait(word, seen, mplat_now() + 50000000, NULL, NULL);
    }
}

void victim_prepare(uint64_t shared, uint64_t place)
{
    CHILD_CHECK(mproc__family_enter() == 0); // a copy registers at its first call
    if (ops_table[place].prepare != NULL) {
        ops_table[place].prepare(shared);
    }
    victim_set_word(&victim_shm(shared)->progress, 1);
    victim_wait_for(&victim_shm(shared)->go, place == ops_recover ? 2 : 1);
}

/* Dies as the owner of a mutex; which also tells its thread's id. */
static int die_with_mutex(const mproc_args *args)
{
    uint64_t shared;
    CHILD_CHECK(mproc__family_enter() == 0 && MPROC_UNPACK(args, &shared) == 0);
    struct mproc__mutex_shm *mutex = (struct mproc__mutex_shm *)(void *)&victim_shm(shared)->mutex;
    CHILD_CHECK(mproc__mutex_acquire(mutex, mproc__thread_self(), MPROC__NEVER, NULL) == 0);
    die();
}

/* Dies with the family lock, when it has committed a transaction and carried out half of it. */
static int die_in_commit(const mproc_args *args)
{
    uint64_t shared;
    mproc__hold hold;
    CHILD_CHECK(mproc__family_enter() == 0 && MPROC_UNPACK(args, &shared) == 0);
    CHILD_CHECK(mproc__block_create(MPROC__KIND_TEST, 100, 1, false, &hold) == 0);
    CHILD_CHECK(mproc__block_embed(hold.offset, shared) == 0);
    victim_wait_for(&victim_shm(shared)->go, 1);
    victim_die_at("journal.store", 3);
    mproc__block_release(hold);
    return 1;
}

struct victim_shm *victim_shm(uint64_t shared)
{
    return mproc__block_at(shared);
}

/* ---- in the test ------------------------------------------------------------------------------ */

uint64_t victim_share(void)
{
    mproc__hold hold = {0, 0};
    check_widen(70); // what a victim holds passes through this process's ledger at its burial
    CU_ASSERT_EQUAL_FATAL(
        mproc__block_create(MPROC__KIND_TEST, sizeof(struct victim_shm), 0, true, &hold), 0);
    return hold.offset;
}

mproc_process *victim_start(mproc_process_fn fn, const mproc_args *args)
{
    const mproc_context *fork = mproc_get_context("fork");
    const mproc_process_options options = {
        .context = fork != NULL ? fork : mproc_get_context("spawn"),
        .fork_with_threads = true,
    };
    mproc_process *process = NULL;
    int rc = mproc_process_start(&process, fn, args, &options);
    if (rc < 0) {
        (void)mproc_perror("start");
    }
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return process;
}

int victim_join(mproc_process *process)
{
    int code = -1000;
    int rc = mproc_process_join(process, mproc_seconds(60));
    CU_ASSERT(rc == 0 || rc == MPROC_ESTART); // it may have been killed before it got there
    CU_ASSERT_EQUAL(mproc_process_exit_code(process, &code), 0);
    CU_ASSERT_EQUAL(mproc_process_close(process), 0);
    return code;
}

/** Without taking the family lock. */
static void await_death(mproc_process *process)
{
    size_t unused;
    CU_ASSERT_EQUAL(mproc_process_wait_any(&process, 1, mproc_seconds(60), &unused), 0);
}

mproc_process *victim_begin(victim_set *set, mproc_process_fn fn, const mproc_args *args)
{
    struct victim_shm *shm = victim_shm(set->shared);
    *shm = (struct victim_shm){0};
    if (set->place == ops_takeover || set->place == ops_dead_slot) {
        set->first = victim_start(die_with_mutex, MPROC_ARGS(set->shared));
        await_death(set->first);
    }
    mproc_process *process = victim_start(fn, args);
    while (mproc__load32_acquire(&shm->progress) == 0 && mproc_process_is_alive(process) > 0) {
        (void)mplat_wait(&shm->progress, 0, mplat_now() + 50000000, NULL, NULL);
    }
    if (set->place == ops_recover) {
        set->first = victim_start(die_in_commit, MPROC_ARGS(set->shared));
    }
    const ops_part *part = ops_table[set->place].part;
    if (part != NULL && part->meet != NULL) {
        part->meet();
    }
    victim_set_word(&shm->go, 1);
    if (set->place == ops_recover) {
        await_death(
            set->first); // nothing of the test's takes the family lock before the victim does
        victim_set_word(&shm->go, 2);
    }
    return process;
}

void victim_end(victim_set *set)
{
    if (set->first != NULL) {
        CU_ASSERT_NOT_EQUAL(victim_join(set->first), 0);
    }
    if (set->place == ops_takeover) {
        struct mproc__mutex_shm *mutex =
            (struct mproc__mutex_shm *)(void *)&victim_shm(set->shared)->mutex;
        int rc = mproc__mutex_acquire(mutex, mproc__thread_self(),
                                      mproc__deadline_in(mproc_seconds(60)), NULL);
        CU_ASSERT(rc == MPROC_OWNER_DIED || rc == MPROC_OK);
        (void)mproc__mutex_release(mutex);
    }
    if (set->place == ops_grow) {
        mproc__store32_release(&mproc__shm()->n_threads,
                               FIRST_THREADS); // there are no others about
    }
}
