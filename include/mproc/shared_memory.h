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
 * Whose turn it is to use them is said by an mproc_named_lock of the same name, see named_lock.h.
 *
 * It is an argument like any other, too: who unpacks it has it open.
 *
 * Programs that were not built together can make sure that they mean the same by its bytes, and that
 * nobody reads them before they are there:
 *
 *     options = (mproc_shared_memory_options){.layout = MPROC_LAYOUT(struct frame, 2)};
 *     mproc_shared_memory_create(&frames, "frames", sizeof(struct frame), &options);
 *     fill(mproc_shared_memory_data(frames));
 *     mproc_shared_memory_publish(frames);
 *
 *     options = (mproc_shared_memory_options){.layout = MPROC_LAYOUT(struct frame, 2),
 *                                             .timeout = mproc_seconds(5)};
 *     mproc_shared_memory_open(&frames, "frames", &options);
 */
#ifndef MPROC_SHARED_MEMORY_H
#define MPROC_SHARED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/timeout.h"

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
    /**
     * Create only: how large mproc_shared_memory_grow can make it; 0: not larger than it is. All users
     * map so much from the beginning, so that its bytes never move: that costs addresses, memory is
     * taken for its size only. On Linux strangers, Python among them, see up to 127 bytes more than so
     * much; what is beyond its size they must leave alone, the memory for that may be lacking. On
     * Windows the addresses themselves cost memory, about 1/512 of it.
     */
    size_t max_size_bytes;
    /**
     * Create: what its bytes mean, usually MPROC_LAYOUT; 0: nothing is said. With a layout nobody can
     * open it before mproc_shared_memory_publish. Until then its name goes with the last user, as if
     * by auto_unlink: what its maker could not finish, nobody has to tidy up.
     * Open: what its bytes must mean; 0: whatever they do. Anything else is MPROC_ETYPE.
     * Strangers know nothing of all this, and on Linux see up to 127 bytes more of one with a layout.
     */
    uint64_t layout;
    /**
     * Open only: how long to wait for one that is there, but not ready: not published, or of a stranger
     * who has not given it a size yet. 0: not at all.
     */
    mproc_timeout timeout;
    /**
     * A hint: have huge pages, which make large memory quicker to use. Each user says it for itself.
     * On Linux it is mapped from a multiple of 2 MiB, and the kernel is asked for huge pages; what it
     * gives is decided by /sys/kernel/mm/transparent_hugepage/shmem_enabled, or by the option "huge" of
     * the mount of /dev/shm ("advise" is enough). On Windows its maker gets large pages if the
     * privilege for that, SeLockMemoryPrivilege, is enabled in its process, and if it cannot grow;
     * strangers then see its size rounded up to large pages. In all other cases it makes no difference.
     */
    bool wants_huge_pages;
} mproc_shared_memory_options;

/**
 * A number for mproc_shared_memory_options.layout: other sizes or alignments of a type, or other
 * versions, have others. A constant expression. The version, an integer, is for what size and alignment
 * do not tell: another type, another order, another meaning.
 */
#ifdef __cplusplus
#define MPROC_LAYOUT(type, version) MPROC__LAYOUT(sizeof(type), alignof(type), version)
#else
#define MPROC_LAYOUT(type, version) MPROC__LAYOUT(sizeof(type), _Alignof(type), version)
#endif
/* Odd factors, large and without a pattern: sums of small multiples of them do not meet. */
#define MPROC__LAYOUT(size, alignment, version)                              \
    ((uint64_t)(size) + (uint64_t)(alignment)*UINT64_C(0x9e3779b97f4a7c15) + \
     (uint64_t)(version)*UINT64_C(0xd1342543de82ef95))

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
 * @return 0; MPROC_ENOENT (Python: FileNotFoundError; also of an automatic one whose users are gone,
 *         and of one whose maker died before it was ready); MPROC_ETYPE (it has another layout, or
 *         none); MPROC_ESTATE (it is not ready yet, and no timeout was given); MPROC_ETIMEDOUT (the
 *         timeout passed, and it was not); MPROC_EINVAL; MPROC_ETOOBIG (the name); MPROC_EACCES;
 *         MPROC_ENOMEM; MPROC_EMFILE
 * @owner  the caller, until mproc_shared_memory_close
 * @blocking up to the timeout; looks every millisecond
 * @safety any thread of any member process
 * @death  of the maker, before it is ready: MPROC_ENOENT within a few milliseconds, and the name is
 *         free; unless another user has it, by mproc_shared_memory_attach or as an argument. Of an
 *         opener: takes nothing along.
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
 * Its size in bytes, to the byte; on Windows that of a stranger's is rounded up to pages. Of one that
 * can grow, what it is now. 0 for NULL. Python: SharedMemory.size
 */
MPROC_API size_t mproc_shared_memory_size(const mproc_shared_memory *memory);

/**
 * Have at least so many bytes. Those there are stay where they are, in all processes; new ones are zero,
 * and follow them. Their memory is taken before anybody is told of them: all that
 * mproc_shared_memory_size tells, in whichever process, can be used. It never shrinks.
 *
 * @param size_bytes  up to its max_size_bytes; what it is already: nothing is done
 * @return 0; MPROC_ETOOBIG; MPROC_ENOSPC or MPROC_ENOMEM (nothing has changed); MPROC_EMFILE;
 *         MPROC_EINVAL for NULL, or when it was opened read-only; MPROC_ENOTSUP (Linux without /proc)
 * @blocking  while another one does the same to it
 * @safety any thread of any member process; of several at once the largest counts
 * @death  killed in it: the size is as it was, or the new one
 */
MPROC_API MPROC_NODISCARD int mproc_shared_memory_grow(mproc_shared_memory *memory,
                                                       size_t size_bytes);

/**
 * Say that its content is ready: from now on it can be opened. By its maker, or whoever else has it;
 * once is enough. Without a layout there is nothing to say.
 *
 * @return 0; MPROC_EINVAL for NULL, or when it was opened read-only
 * @safety any thread of any member process; who opens it sees all that was written to it before
 */
MPROC_API int mproc_shared_memory_publish(mproc_shared_memory *memory);

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
