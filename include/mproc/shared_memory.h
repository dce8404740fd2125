/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/shared_memory.h: memory by name, for processes outside the family, too.
 *
 * Processes of a family do not need it: an mproc_block has no name, so nothing can be left behind.
 * Shared memory is for strangers: programs that were started otherwise, and Python's own
 * multiprocessing.shared_memory, which finds it by the same name; all of its bytes are the users'.
 *
 *     mproc_shared_memory *frames;
 *     mproc_shared_memory_create(&frames, "frames", 1 << 20, NULL);
 *     memcpy(mproc_shared_memory_data(frames), image, n_bytes);
 *
 *     frames = SharedMemory("frames")   # Python, anywhere on this machine
 *
 * It is an argument like any other, too: who unpacks it has it open.
 */
#ifndef MPROC_SHARED_MEMORY_H
#define MPROC_SHARED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"

MPROC_BEGIN_DECLS

/** Memory with a name: this process's handle of it. */
typedef struct mproc_shared_memory mproc_shared_memory;

/** What is special about it; zero: nothing. */
typedef struct mproc_shared_memory_options {
    /** Open only: its bytes can be read; writing one is the process's end. */
    bool is_read_only;
    /**
     * Create only: the name goes when the last user is gone. Users are the processes that have it open
     * by mproc; Python's are not counted. Killed users count as gone: the family of the last one
     * removes the name, or else the next call that is given it, or makes one up. On Windows names are
     * always so, and everybody is a user.
     */
    bool auto_unlink;
    /** Create only: who may open it, as chmod has it; 0: 0600. The umask plays no part. Not on Windows. */
    uint32_t mode;
} mproc_shared_memory_options;

/**
 * Create shared memory, all zeroes.
 *
 * It is there as a whole or not at all: nobody who opens it finds it empty or too short. Its memory is
 * taken at once, so that its lack is an error here, and no fault later.
 *
 * Python: SharedMemory(name, create=True, size=size)
 *
 * @param name        up to 255 bytes; a '/' at its beginning is left away as Python does, others are
 *                    not allowed, nor backslashes on Windows. NULL: one is made up that nobody else has
 * @param size_bytes  at least 1
 * @param options     NULL: all defaults
 * @return 0; MPROC_EEXIST (Python: FileExistsError; a name that is automatic and has no user is free);
 *         MPROC_EINVAL; MPROC_ETOOBIG (the name); MPROC_ENOSPC or MPROC_ENOMEM (the memory);
 *         MPROC_EACCES; MPROC_EMFILE; MPROC_ENOTSUP (Linux without /dev/shm)
 * @owner  the caller, until mproc_shared_memory_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind, or, not automatic, what it was to
 *         make
 */
MPROC_API MPROC_NODISCARD int mproc_shared_memory_create(
    mproc_shared_memory **ret_memory, const char *name, size_t size_bytes,
    const mproc_shared_memory_options *options);

/**
 * Open shared memory that somebody has created, a stranger or Python.
 *
 * Python: SharedMemory(name). Other than there, an opener's failure or end removes nothing.
 *
 * @param name     see mproc_shared_memory_create
 * @param options  NULL: all defaults
 * @return 0; MPROC_ENOENT (Python: FileNotFoundError; also of an automatic one whose users are gone);
 *         MPROC_ESTATE (a stranger is just making it, it has no size yet); MPROC_EINVAL; MPROC_ETOOBIG;
 *         MPROC_EACCES; MPROC_ENOMEM; MPROC_EMFILE
 * @owner  the caller, until mproc_shared_memory_close
 * @safety any thread of any member process
 */
MPROC_API MPROC_NODISCARD int mproc_shared_memory_open(mproc_shared_memory **ret_memory,
                                                       const char *name,
                                                       const mproc_shared_memory_options *options);

/**
 * Its bytes, from the beginning of a page.
 *
 * Python: SharedMemory.buf
 *
 * @return valid in this process until it is closed; NULL for NULL. A stranger who shortens it, which
 *         mproc never does, takes the bytes away under its users.
 * @safety any thread; ordering accesses is the callers' business
 */
MPROC_API void *mproc_shared_memory_data(const mproc_shared_memory *memory);

/**
 * Its size in bytes, the very one it was created with; on Windows that of a stranger's is rounded up to
 * pages. 0 for NULL. Python: SharedMemory.size
 */
MPROC_API size_t mproc_shared_memory_size(const mproc_shared_memory *memory);

/** Its name, without a '/'; valid until it is closed. NULL for NULL. Python: SharedMemory.name */
MPROC_API const char *mproc_shared_memory_name(const mproc_shared_memory *memory);

/**
 * Take its name away: nobody can open it any more, those who have it open keep it.
 *
 * Python: SharedMemory.unlink()
 *
 * @return 0; MPROC_ENOENT (Python: FileNotFoundError; also when another one has the name by now);
 *         MPROC_EACCES; MPROC_EINVAL for NULL. On Windows always 0, and nothing is done: the name goes
 *         with the last handle.
 * @safety any thread of any member process
 */
MPROC_API int mproc_shared_memory_unlink(mproc_shared_memory *memory);

/**
 * Open it once more, as mproc_block_attach does a block. Arguments do so, too: who starts a process
 * with it leaves the name as it is until it is unpacked there, and on Windows does not close it.
 *
 * @return 0; MPROC_ENOENT (its name is gone); as mproc_shared_memory_open
 */
MPROC_API MPROC_NODISCARD int mproc_shared_memory_attach(mproc_shared_memory **ret_memory,
                                                         const mproc_shared_memory *memory);

/**
 * Close it: its bytes cannot be reached any more through this handle. The name stays, unless it is
 * automatic and this was the last user.
 *
 * Python: SharedMemory.close()
 *
 * @param memory  NULL is fine. Not one that was unpacked from arguments: those keep it
 * @death  a process killed in it is a user that is gone
 */
MPROC_API void mproc_shared_memory_close(mproc_shared_memory *memory);

MPROC_END_DECLS

#endif
