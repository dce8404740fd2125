/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h: walks over everything in the arena, and over what the headers say is always true of it:
 * P1-P4 (pages.h), H1-H2 (heap.h), B1-B2 (block.h), L1 (ledger.h), and the members' lists.
 */
#ifndef TESTS_FAMILY_CHECK_H
#define TESTS_FAMILY_CHECK_H

#include "support/testlib.h"

#include <stdint.h>

/** What must be back where it was when a test has given everything back. */
typedef struct check_figures {
    uint64_t live_blocks, live_bytes, used_members;
} check_figures;

/** The family's figures now; takes the family lock. */
check_figures check_read(void);

/**
 * Walk everything, under the family lock. A process that holds nothing but what its ledger says can
 * call it at any time, and others may be killed meanwhile.
 *
 * @return NULL, or what is wrong: a sentence, valid until the next call
 */
const char *check_family(void);

/** Make this process a family, with room for `count` holds; ends it if it cannot be one. */
void check_enter(size_t count);

/** Give back what dead threads have left in this process's ledger, but a hold on `kept` in its first entry. */
void check_release_left(uint64_t kept);

/** Have room for `count` holds in this process's ledger, so that figures stay comparable later. */
void check_widen(size_t count);

/** Assert that all is well; in the process that runs the cases. */
#define CHECK_FAMILY()                                            \
    do {                                                          \
        const char *wrong_ = check_family();                      \
        if (wrong_ != NULL) {                                     \
            printf("%s:%d: %s ... ", __FILE__, __LINE__, wrong_); \
        }                                                         \
        CU_ASSERT_PTR_NULL(wrong_);                               \
    } while (0)

/** Assert that the figures are what they were. */
#define CHECK_BACK_TO(before)                                      \
    do {                                                           \
        const check_figures now_ = check_read();                   \
        CU_ASSERT_EQUAL(now_.live_blocks, (before).live_blocks);   \
        CU_ASSERT_EQUAL(now_.live_bytes, (before).live_bytes);     \
        CU_ASSERT_EQUAL(now_.used_members, (before).used_members); \
    } while (0)

#endif
