/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_test.h: what the tests of memory by name share.
 */
#ifndef TESTS_OBJECT_MEMORY_TEST_H
#define TESTS_OBJECT_MEMORY_TEST_H

#include "object/sync_test.h"

#ifdef _WIN32
#define HAS_NAMES_OF_THEIR_OWN 0 /* without users */
#include <windows.h>
#else
#define HAS_NAMES_OF_THEIR_OWN 1
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#define SIZE 5001 /* not whole pages */

static const mproc_shared_memory_options automatic = {.auto_unlink = true};
static const mproc_shared_memory_options read_only = {.is_read_only = true};

/** A name that no other test that runs has. */
static inline const char *own_name(const char *word)
{
    static char name[64];
    (void)snprintf(name, sizeof(name), "test_mproc_%lld_%s", (long long)mplat_pid(), word);
    return name;
}

/** Whether the system has the name. */
static inline bool is_there(const char *name)
{
#ifdef _WIN32
    mproc_shared_memory *memory;
    int rc = mproc_shared_memory_open(&memory, name, NULL);
    if (rc >= 0) {
        mproc_shared_memory_close(memory);
    }
    return rc >= 0 || rc == MPROC_ESTATE;
#else
    char path[512];
    struct stat file;
    (void)snprintf(path, sizeof(path), "/dev/shm/%s", name);
    return lstat(path, &file) == 0;
#endif
}

static inline mproc_shared_memory *make(const char *name, size_t size,
                                        const mproc_shared_memory_options *options)
{
    mproc_shared_memory *memory = NULL;
    int rc = mproc_shared_memory_create(&memory, name, size, options);
    if (rc < 0) {
        printf("create: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
    return memory;
}

static inline void fill(mproc_shared_memory *memory, unsigned seed)
{
    unsigned char *bytes = mproc_shared_memory_data(memory);
    for (size_t i = 0; i < mproc_shared_memory_size(memory); i++) {
        bytes[i] = (unsigned char)(seed + i * 7 + i / 251);
    }
}

static inline bool is_filled(const mproc_shared_memory *memory, unsigned seed)
{
    const unsigned char *bytes = mproc_shared_memory_data(memory);
    bool is = true;
    for (size_t i = 0; is && i < mproc_shared_memory_size(memory); i++) {
        is = bytes[i] == (unsigned char)(seed + i * 7 + i / 251);
    }
    return is;
}

/** Close it, and see to it that nothing is left. */
static inline void finish(mproc_shared_memory *memory, const char *name)
{
    CU_ASSERT_EQUAL(mproc_shared_memory_unlink(memory), MPROC_OK);
    mproc_shared_memory_close(memory);
    CU_ASSERT_FALSE(is_there(name));
}

#endif
