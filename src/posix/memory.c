/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c: the arena: one memory file that all members map.
 *
 * Why       It has no name that could be left behind, and is not bound by the size of /dev/shm.
 *           Its size is fixed and sealed, so that nobody can cut it away under the others; holes in
 *           it cost nothing. fallocate takes the memory, so its lack is an error code, not SIGBUS.
 */
#include "platform.h"

#include "base/status.h"
#include "mproc_platform_config.h"
#include "posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIGNMENT ((size_t)64 << 10)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

static int open_memory(void)
{
    int fd = memfd_create("mproc", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0) {
        fd = memfd_create("mproc", MFD_CLOEXEC | MFD_ALLOW_SEALING); // before Linux 6.3
    }
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
        fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0) {
            fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        }
    }
    return fd;
}

/** Where the address space is limited, the arena must leave most of it to others. */
static uint64_t limited(uint64_t size, uint64_t min_size)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        while (size > min_size && size > limit.rlim_cur / 4) {
            size >>= 1;
        }
    }
    return size;
}

/**
 * Map the file at a multiple of ALIGNMENT, for the kernel maps what is around a page that is read in
 * windows of that size: what the arena begins with shall lie in one.
 */
static void *map(int fd, uint64_t size)
{
    char *room = mmap(NULL, (size_t)size + ALIGNMENT, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
        return MAP_FAILED;
    }
    size_t before = (ALIGNMENT - (uintptr_t)room % ALIGNMENT) % ALIGNMENT;
    void *base = mmap(room + before, (size_t)size, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
    if (base == MAP_FAILED) {
        int error = errno;
        (void)munmap(room, (size_t)size + ALIGNMENT);
        errno = error;
        return base;
    }
    if (before > 0) {
        (void)munmap(room, before);
    }
    (void)munmap(room + before + size, ALIGNMENT - before);
    // A core dump would have to walk through all of the range.
    (void)madvise(base, (size_t)size, MADV_DONTDUMP);
    return base;
}

int mplat_arena_create(uint64_t size, uint64_t min_size, mplat_arena *ret_arena)
{
    int fd = open_memory();
    if (fd < 0) {
        return mproc__fail_os(errno, "no memory file for the arena");
    }
    int rc = mproc__posix_raise_fd(&fd);
    if (rc < 0) {
        return rc;
    }
    void *base = MAP_FAILED;
    for (size = limited(size, min_size); size >= min_size; size >>= 1) {
        base = map(fd, size);
        if (base != MAP_FAILED) {
            break;
        }
    }
    if (base == MAP_FAILED || ftruncate(fd, (off_t)size) < 0) {
        rc = mproc__fail_os(errno, "cannot reserve %llu MiB of addresses for the arena",
                            (unsigned long long)(min_size >> 20));
        if (base != MAP_FAILED) {
            (void)munmap(base, (size_t)size);
        }
        (void)close(fd);
        return rc;
    }
    // Not every kind of file has seals; then a member could truncate it, by intent only.
    (void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    *ret_arena = (mplat_arena){.handle = {fd}, .base = base, .size = size};
    mproc__posix_bag_make(&ret_arena->bag);
    return MPROC_OK;
}

int mplat_arena_attach(mplat_handle handle, uint64_t size, mplat_arena *ret_arena)
{
    void *base = map((int)handle.os, size);
    if (base == MAP_FAILED) {
        return mproc__fail_os(errno, "cannot map the arena of %llu MiB",
                              (unsigned long long)(size >> 20));
    }
    *ret_arena = (mplat_arena){handle, base, size, MPLAT_NO_BAG};
    return MPROC_OK;
}

int mplat_arena_commit(const mplat_arena *arena, uint64_t offset, uint64_t size)
{
    while (fallocate((int)arena->handle.os, 0, (off_t)offset, (off_t)size) < 0) {
        if (errno == EINTR) {
            continue;
        }
        if (errno == EOPNOTSUPP) {
            return MPROC_OK; // a fallback file system without it: memory comes at the first touch
        }
        int error = errno;
        int rc = mproc__fail_os(error, "the system has no %llu KiB more for the arena",
                                (unsigned long long)(size >> 10));
        return error == ENOSPC ? MPROC_ENOMEM : rc;
    }
    return MPROC_OK;
}

void mplat_arena_discard(const mplat_arena *arena, uint64_t offset, uint64_t size)
{
    while (fallocate((int)arena->handle.os, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     (off_t)offset, (off_t)size) < 0 &&
           errno == EINTR) {
    }
}

void mplat_arena_detach(mplat_arena *arena)
{
    if (arena->base != NULL) {
        (void)munmap(arena->base, (size_t)arena->size);
    }
    mplat_handle_close(arena->handle);
    mplat_handle_close(arena->bag.in);
    mplat_handle_close(arena->bag.out);
    *arena = MPLAT_NO_ARENA;
}
