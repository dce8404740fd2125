/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container_check.h: walks over a dict or list, and over what the headers say is always true of it: S1-S2
 * (store.h), L1 (list.h), D1-D3 (dict_table.h). And random values to put there.
 */
#ifndef TESTS_OBJECT_CONTAINER_CHECK_H
#define TESTS_OBJECT_CONTAINER_CHECK_H

#include "mproc/mproc.h"
#include "support/testlib.h"

/** NULL, or what is wrong: a sentence, valid until the next call. Takes the mutex. */
const char *check_list(const mproc_list *list);
const char *check_dict(const mproc_dict *dict);

#define CHECK_CONTAINER(check)                                    \
    do {                                                          \
        const char *wrong_ = (check);                             \
        if (wrong_ != NULL) {                                     \
            printf("%s:%d: %s ... ", __FILE__, __LINE__, wrong_); \
        }                                                         \
        CU_ASSERT_PTR_NULL(wrong_);                               \
    } while (0)

/** Values of all types and of all the places they can lie in; `salt` chooses. Owns its data. */
mproc_value random_value(uint32_t salt);

/** Keys of all types, of which there are `n`. Owns its data. */
mproc_value random_key(uint32_t salt, uint32_t n);

#endif
