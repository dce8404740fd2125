/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_member.c: members' lives, who buries them, and how functions are named; member.c, family.c and
 * entry.c.
 */
#include "base/atomic.h"
#include "family/block.h"
#include "family/check.h"
#include "family/entry.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/ledger.h"
#include "family/member.h"
#include "mproc/mproc.h"

#include <string.h>

static mproc__member_id new_member(mproc__member_id parent, const char *name)
{
    mproc__member_id id = 0;
    CU_ASSERT_EQUAL_FATAL(mproc__member_new(parent, name, &id), 0);
    return id;
}

static void end(mproc__member_id id)
{
    mproc__member_bury(id);
    mproc__member_free(id);
}

static void test_member__life(void)
{
    const check_figures before = check_read();
    mproc__member_id id = new_member(mproc__self_id(), "one");
    const struct mproc__member_shm *slot = mproc__member_at(id);
    CU_ASSERT_EQUAL(slot->life, MPROC__LIFE_STARTING);
    CU_ASSERT_EQUAL(slot->parent, mproc__self_id());
    CU_ASSERT_STRING_EQUAL(slot->name, "one");
    CU_ASSERT_FALSE(mproc__member_is_gone(id)); // what cannot be known is alive
    mproc__member_free(id);                     // not before it is buried
    CU_ASSERT_EQUAL(slot->life, MPROC__LIFE_STARTING);
    const mplat_identity who = mplat_self();
    CU_ASSERT_EQUAL(mproc__member_adopt(id, &who), 0);
    CU_ASSERT_EQUAL(slot->life, MPROC__LIFE_RUNNING);
    CU_ASSERT_EQUAL(mproc__member_adopt(id, &who), MPROC_EPEER);
    CU_ASSERT_FALSE(mproc__member_is_gone(id));
    mproc__member_bury(id);
    mproc__member_bury(id); // any number of times
    CU_ASSERT_EQUAL(slot->life, MPROC__LIFE_ENDED);
    CU_ASSERT(mproc__member_is_gone(id));
    mproc__member_free(id);
    mproc__member_free(id);
    CU_ASSERT_EQUAL(slot->life, MPROC__LIFE_FREE);
    CU_ASSERT_EQUAL(mproc__member_adopt(id, &who), MPROC_EPEER);
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_member__ids_are_never_given_twice(void)
{
    mproc__member_id last = 0;
    for (int i = 0; i < 300; i++) {
        mproc__member_id id = new_member(mproc__self_id(), "again");
        CU_ASSERT_NOT_EQUAL(id, last);
        last = id;
        end(id);
    }
    mplat_identity who;
    CU_ASSERT_EQUAL(mproc__member_identity(last, &who), MPROC_ENOENT);
    CU_ASSERT_EQUAL(mproc__member_identity(0, &who), MPROC_ENOENT);
    CU_ASSERT_EQUAL(mproc__member_identity(0xffff, &who), MPROC_ENOENT);
    CU_ASSERT_EQUAL(mproc__member_identity(300, &who), MPROC_ENOENT);
    CHECK_FAMILY();
}

static void test_member__long_names_are_cut(void)
{
    char name[200];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    mproc__member_id id = new_member(mproc__self_id(), name);
    CU_ASSERT_EQUAL(strlen(mproc__member_at(id)->name), sizeof(mproc__member_at(id)->name) - 1);
    mproc__member_tell(id, name);
    CU_ASSERT(strlen(mproc__member_at(id)->story) < sizeof(mproc__member_at(id)->story));
    end(id);
}

static void test_member__many(void)
{
    enum { N = 1000 };
    static mproc__member_id ids[N];
    const check_figures before = check_read();
    for (int i = 0; i < N; i++) {
        ids[i] = new_member(mproc__self_id(), "one of many");
    }
    CHECK_FAMILY();
    for (int i = 0; i < N; i++) {
        end(ids[i * 7 % N]);
    }
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_member__burying_gives_all_back(void)
{
    enum { N = 5000 };
    const check_figures before = check_read();
    mproc__member_id id = new_member(mproc__self_id(), "rich");
    for (int i = 0; i < N; i++) {
        mproc__hold hold;
        CU_ASSERT_EQUAL_FATAL(
            mproc__block_create(MPROC__KIND_TEST, i % 100 == 0 ? 100000 : 100, 0, false, &hold), 0);
        CU_ASSERT_EQUAL_FATAL(mproc__block_give(hold, id), 0);
    }
    CHECK_FAMILY();
    mproc__member_bury(id);
    CHECK_FAMILY();
    CU_ASSERT_EQUAL(check_read().live_blocks, before.live_blocks);
    mproc__member_free(id);
    CHECK_BACK_TO(before);
}

/* A bug once: each 64 references were looked for from the ledger's beginning. */
static void test_member__burying_the_rich_is_quick(void)
{
    const int n = (int)testlib_count(120000, 1000000);
    mproc__member_id id = new_member(mproc__self_id(), "very rich");
    mproc__hold block;
    CU_ASSERT_EQUAL_FATAL(mproc__block_create(MPROC__KIND_TEST, 100, 0, false, &block), 0);
    for (int i = 0; i < n; i++) {
        mproc__hold hold;
        CU_ASSERT_EQUAL_FATAL(mproc__block_attach(block.offset, &hold), 0);
        CU_ASSERT_EQUAL_FATAL(mproc__block_give(hold, id), 0);
    }
    int64_t begin = testlib_now();
    end(id);
    int64_t took = testlib_now() - begin;
    printf("%d references in %lld ms ... ", n, (long long)(took / 1000000));
    mproc__block_release(block);
    CHECK_FAMILY();
}

static void test_member__outcome(void)
{
    mproc__member_id id = new_member(mproc__self_id(), "one");
    CU_ASSERT_EQUAL(mproc__member_outcome(id), 0);
    mproc__member_mark(id, MPROC__OUTCOME_REACHED, 0);
    mproc__member_mark(id, MPROC__OUTCOME_LEFT, -3);
    uint64_t outcome = mproc__member_outcome(id);
    CU_ASSERT_EQUAL(outcome & UINT32_MAX, MPROC__OUTCOME_REACHED | MPROC__OUTCOME_LEFT);
    CU_ASSERT_EQUAL((int32_t)(outcome >> 32), -3);
    const mplat_exit how = {.code = 9, .flags = MPLAT_EXIT_CORE, .user_ns = 5};
    mproc__member_report(id, &how, true);
    outcome = mproc__member_outcome(id);
    CU_ASSERT(outcome & MPROC__OUTCOME_REPORTED);
    CU_ASSERT(outcome & MPROC__OUTCOME_CORE);
    CU_ASSERT(outcome & MPROC__OUTCOME_LEFT);
    CU_ASSERT_EQUAL((int32_t)(outcome >> 32), 9);
    CU_ASSERT_EQUAL(mproc__member_at(id)->user_ns, 5);
    end(id);
}

/* A bug once: a report that came late went to whoever had the slot by then. */
static void test_member__a_late_report_is_nobody_elses(void)
{
    mproc__member_id first = new_member(mproc__self_id(), "first");
    end(first);
    mproc__member_id second = new_member(mproc__self_id(), "second");
    CU_ASSERT_PTR_EQUAL(mproc__member_at(first), mproc__member_at(second));
    const mplat_exit how = {.code = 9};
    mproc__member_report(first, &how, true);
    CU_ASSERT_EQUAL(mproc__member_outcome(second), 0);
    CU_ASSERT_EQUAL(mproc__member_outcome(first), 0);
    end(second);
}

static void test_member__orphans_are_swept(void)
{
    const check_figures before = check_read();
    mproc__member_id parent = new_member(mproc__self_id(), "parent");
    mproc__member_id starting = new_member(parent, "starting");
    mproc__member_id running = new_member(parent, "running");
    mproc__member_id child = new_member(starting, "child of an orphan");
    const mplat_identity who = mplat_self();
    CU_ASSERT_EQUAL(mproc__member_adopt(running, &who), 0);
    mproc__hold hold;
    CU_ASSERT_EQUAL_FATAL(mproc__block_create(MPROC__KIND_TEST, 100, 0, false, &hold), 0);
    CU_ASSERT_EQUAL(mproc__block_give(hold, starting), 0);
    mproc__member_sweep(); // there is none yet
    CU_ASSERT_EQUAL(check_read().used_members, before.used_members + 4);
    end(parent);
    mproc__member_sweep();
    mproc__member_sweep(); // those that the first one orphaned
    CU_ASSERT_EQUAL(mproc__member_at(running)->life,
                    MPROC__LIFE_RUNNING); // alive: it is this process
    CU_ASSERT_EQUAL(check_read().used_members, before.used_members + 1);
    CU_ASSERT_NOT_EQUAL(mproc__member_at(child)->life, MPROC__LIFE_STARTING);
    end(running);
    mproc__member_sweep();
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static int named(const mproc_args *args)
{
    (void)args;
    return 0;
}

static void test_entry__there_and_back(void)
{
    mproc__entry entry;
    mproc__function function = NULL;
    CU_ASSERT_EQUAL(mproc__entry_of((mproc__function)named, &entry), 0);
    CU_ASSERT(entry.module.is_program);
    entry.module.base = NULL; // it does not travel
    CU_ASSERT_EQUAL(mproc__entry_find(&entry, &function), 0);
    CU_ASSERT(function == (mproc__function)named);
    entry.module.build[0] ^= 1;
    CU_ASSERT_EQUAL(mproc__entry_find(&entry, &function), MPROC_EBUILD);
}

static void test_family__enters_once(void)
{
    mproc__member_id self = mproc__self_id();
    CU_ASSERT_EQUAL(mproc__family_enter(), 0);
    CU_ASSERT_EQUAL(mproc__self_id(), self);
    CU_ASSERT_EQUAL(mproc__shm()->root, self);
    CU_ASSERT_PTR_EQUAL(mproc__self_member(), mproc__member_at(self));
    CU_ASSERT_EQUAL(mproc__self_member()->life, MPROC__LIFE_RUNNING);
    const mplat_identity who = mplat_self();
    CU_ASSERT_EQUAL((int64_t)mproc__self_member()->pid, who.pid);
    CU_ASSERT_EQUAL(mproc__shm()->magic, MPROC__MAGIC);
}

static void child(int argc, char **argv)
{
    if (mproc_main(argc, argv) < 0) {
        exit(EXIT_FAILURE);
    }
    check_widen(200);
}

static const testlib_case cases[] = {
    {"family_enters_once", test_family__enters_once},
    {"life", test_member__life},
    {"ids_are_never_given_twice", test_member__ids_are_never_given_twice},
    {"long_names_are_cut", test_member__long_names_are_cut},
    {"many", test_member__many},
    {"burying_gives_all_back", test_member__burying_gives_all_back},
    {"burying_the_rich_is_quick", test_member__burying_the_rich_is_quick},
    {"outcome", test_member__outcome},
    {"a_late_report_is_nobody_elses", test_member__a_late_report_is_nobody_elses},
    {"orphans_are_swept", test_member__orphans_are_swept},
    {"entry_there_and_back", test_entry__there_and_back},
};

TESTLIB_MAIN_CHILD("family.member", cases, child)
