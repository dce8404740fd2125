/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c: the arena as a section backed by the paging file.
 *
 * Why       The section has no name, so nobody can find, squat or leave it behind; it goes with its
 *           last handle and view.
 * Reserve   SEC_RESERVE: the whole size is mapped once and costs address space only.
 * Commit    VirtualAlloc in one member's view commits the section's pages, for all views of all
 *           members at once, and charges them: a committed page never faults for want of memory.
 * Discard   Pages of a section cannot be decommitted, by anybody. MEM_RESET is the most there is:
 *           the system may take the memory, without writing it to the paging file, the charge
 *           stays. The bytes are zeroed first: what is then read is zero, whether the system took
 *           the page or not.
 */
#include "base/status.h"
#include "platform.h"
#include "win32/win32.h"

#include <windows.h>

#include <string.h>

/** Map all of a section. NULL: GetLastError() says why. */
static char *map_section(HANDLE section, uint64_t size)
{
    if (size > SIZE_MAX) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    return MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, (SIZE_T)size);
}

static DWORD try_create(uint64_t size, mplat_arena *ret_arena)
{
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE,
                                        (DWORD)(size >> 32), (DWORD)size, NULL);
    if (section == NULL) {
        return GetLastError();
    }
    char *base = map_section(section, size);
    if (base == NULL) {
        DWORD error = GetLastError();
        (void)CloseHandle(section);
        return error;
    }
    *ret_arena = (mplat_arena){mproc__win_handle(section), base, size, MPLAT_NO_BAG};
    return ERROR_SUCCESS;
}

int mplat_arena_create(uint64_t size, uint64_t min_size, mplat_arena *ret_arena)
{
    DWORD error = try_create(size, ret_arena);
    while (error != ERROR_SUCCESS && size / 2 >= min_size && size > 1) {
        size /= 2;
        error = try_create(size, ret_arena);
    }
    if (error == ERROR_SUCCESS) {
        return 0;
    }
    int rc =
        mproc__fail_os((int)error, "reserving an arena of %llu bytes", (unsigned long long)size);
    return rc == MPROC_EMFILE ? rc : MPROC_ENOMEM;
}

int mplat_arena_attach(mplat_handle handle, uint64_t size, mplat_arena *ret_arena)
{
    char *base = map_section(mproc__win_object(handle), size);
    if (base == NULL) {
        return mproc__fail_os((int)GetLastError(), "mapping the family's arena of %llu bytes",
                              (unsigned long long)size);
    }
    *ret_arena = (mplat_arena){handle, base, size, MPLAT_NO_BAG};
    return 0;
}

int mplat_arena_commit(const mplat_arena *arena, uint64_t offset, uint64_t size)
{
    if (size == 0) {
        return 0;
    }
    if (VirtualAlloc(arena->base + offset, (SIZE_T)size, MEM_COMMIT, PAGE_READWRITE) == NULL) {
        (void)mproc__fail_os((int)GetLastError(), "committing %llu bytes of the arena",
                             (unsigned long long)size);
        return MPROC_ENOMEM;
    }
    return 0;
}

void mplat_arena_discard(const mplat_arena *arena, uint64_t offset, uint64_t size)
{
    if (size == 0) {
        return;
    }
    memset(arena->base + offset, 0, (size_t)size);
    // A refusal leaves zeroed memory: nothing is lost but the system's chance to reuse it.
    (void)VirtualAlloc(arena->base + offset, (SIZE_T)size, MEM_RESET, PAGE_READWRITE);
}

void mplat_arena_detach(mplat_arena *arena)
{
    if (arena->base != NULL) {
        (void)UnmapViewOfFile(arena->base);
    }
    mplat_handle_close(arena->handle);
    *arena = MPLAT_NO_ARENA;
}
