/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment.c: memory by name: sections of this session, under the very names that were given.
 *
 * Why       The system knows a section's size in whole pages only. So each has a companion, a section
 *           of one struct, by which users of mproc find its exact size, and tell it from others that
 *           have had its name. The companion is made and opened first, and closed last: a section that
 *           has none was made by a stranger.
 * Order     one after another makes or opens what has a name, under a mutex of the system's. Without it
 *           two that open, each while the other looks again, would keep alive a section whose companion
 *           has gone with the last user, and take it for a stranger's.
 * Death     both go with their last handles, and the mutex to the next one: the system sees to it
 */
#include "platform.h"

#include "base/atomic.h"
#include "base/status.h"
#include "win32/utf16.h"
#include "win32/win32.h"

#include <windows.h>

#include <apr_hash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPANION ".mproc"

/* One that holds the mutex may be stopped just then; without it all but the above still holds. */
#define PATIENCE_MS 1000

/* How often to look for what others have for moments only; one of them may be stopped just then. */
#define TRIES 1000
#define LOOKS 8

struct companion {
    uint64_t size;
    uint64_t id; /* written last; 0: not yet */
};

/** Both names in UTF-16; for free(), also on failure. */
struct names {
    wchar_t *section;
    wchar_t *companion;
};

static int names_of(const char *name, struct names *ret_names)
{
    char longer[MPLAT_SEGMENT_NAME + sizeof(COMPANION)];
    *ret_names = (struct names){NULL, NULL};
    if (strchr(name, '\\') != NULL) {
        return mproc__fail(MPROC_EINVAL, "the name %s of shared memory has a backslash", name);
    }
    (void)snprintf(longer, sizeof(longer), "%s" COMPANION, name);
    int rc = mproc__utf16_from(name, &ret_names->section);
    return rc < 0 ? rc : mproc__utf16_from(longer, &ret_names->companion);
}

static void free_names(struct names *names)
{
    free(names->section);
    free(names->companion);
}

/** The mutex of all names like this one; NULL: none to be had. */
static HANDLE lock_name(const char *name)
{
    char mutex_name[64];
    apr_ssize_t length = APR_HASH_KEY_STRING;
    unsigned hash = apr_hashfunc_default(name, &length);
    (void)snprintf(mutex_name, sizeof(mutex_name), "mproc.names.%08x", hash);
    HANDLE mutex = CreateMutexA(NULL, FALSE, mutex_name);
    DWORD result = mutex != NULL ? WaitForSingleObject(mutex, PATIENCE_MS) : WAIT_FAILED;
    if (result == WAIT_OBJECT_0 || result == WAIT_ABANDONED) {
        return mutex;
    }
    if (mutex != NULL) {
        (void)CloseHandle(mutex);
    }
    return NULL;
}

static void unlock_name(HANDLE mutex)
{
    if (mutex != NULL) {
        (void)ReleaseMutex(mutex);
        (void)CloseHandle(mutex);
    }
}

/** Create a section; NULL: GetLastError() says why, ERROR_ALREADY_EXISTS also for other objects. */
static HANDLE create_section(const wchar_t *name, uint64_t size)
{
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE,
                                        (DWORD)(size >> 32), (DWORD)size, name);
    DWORD error = GetLastError();
    if (section != NULL && error == ERROR_ALREADY_EXISTS) {
        (void)CloseHandle(section);
        section = NULL;
    }
    SetLastError(error == ERROR_INVALID_HANDLE ? ERROR_ALREADY_EXISTS : error);
    return section;
}

static DWORD create_companion(const wchar_t *name, uint64_t size, mplat_segment *segment)
{
    static uint32_t count;
    HANDLE section = create_section(name, sizeof(struct companion));
    if (section == NULL) {
        return GetLastError();
    }
    segment->more = mproc__win_handle(section);
    struct companion *companion = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    if (companion == NULL) {
        return GetLastError();
    }
    segment->id = (uint64_t)mplat_pid() << 40 ^ (uint64_t)mproc__add32(&count, 1) << 56 ^
                  (uint64_t)mplat_now();
    companion->size = size;
    mproc__store64_release(&companion->id, segment->id);
    (void)UnmapViewOfFile(companion);
    return ERROR_SUCCESS;
}

/** Whether the companion that is held has something to say, of a section of `pages` bytes. */
static bool ask_companion(uint64_t pages, mplat_segment *segment)
{
    HANDLE section = mproc__win_object(segment->more);
    const struct companion *companion = segment->more.os != MPLAT_NO_HANDLE.os
                                            ? MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0)
                                            : NULL;
    if (companion == NULL) {
        return false;
    }
    uint64_t id = mproc__load64_acquire(&companion->id);
    uint64_t size = companion->size;
    (void)UnmapViewOfFile(companion);
    bool fits = id != 0 && size <= pages && pages - size < mplat_get_facts()->page_bytes;
    if (fits) {
        segment->size = size;
        segment->id = id;
    }
    return fits;
}

static int fail(DWORD error, const char *verb, const char *name)
{
    switch (error) {
    case ERROR_ALREADY_EXISTS:
        return mproc__fail(MPROC_EEXIST, "there is shared memory of the name %s already", name);
    case ERROR_FILE_NOT_FOUND:
        return mproc__fail(MPROC_ENOENT, "there is no shared memory of the name %s", name);
    default:
        return mproc__fail_os((int)error, "cannot %s shared memory %s", verb, name);
    }
}

static bool is_there(const wchar_t *name)
{
    HANDLE section = OpenFileMappingW(FILE_MAP_READ, FALSE, name);
    if (section != NULL) {
        (void)CloseHandle(section);
    }
    return section != NULL;
}

static DWORD create(const struct names *names, uint64_t size, mplat_segment *segment)
{
    if (size > INT64_MAX / 2) {
        return ERROR_NOT_ENOUGH_MEMORY; // in place of its complaint about the argument
    }
    DWORD error = create_companion(names->companion, size, segment);
    for (int i = 0; i < TRIES && error == ERROR_ALREADY_EXISTS && !is_there(names->section); i++) {
        // Who closes has the companion a moment longer.
        (void)SwitchToThread();
        error = create_companion(names->companion, size, segment);
    }
    if (error != ERROR_SUCCESS) {
        return error;
    }
    HANDLE section = create_section(names->section, size); /* COMMIT: now it can be opened */
    if (section == NULL) {
        return GetLastError();
    }
    segment->user = mproc__win_handle(section);
    segment->base = size <= SIZE_MAX
                        ? MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, (SIZE_T)size)
                        : (SetLastError(ERROR_NOT_ENOUGH_MEMORY), NULL);
    return segment->base != NULL ? ERROR_SUCCESS : GetLastError();
}

int mplat_segment_create(const char *name, uint64_t size, uint32_t flags, uint32_t mode,
                         mplat_segment *ret_segment)
{
    (void)flags; // its name always goes with its last user
    (void)mode;
    struct names names;
    mplat_segment segment = {.size = size,
                             .flags = MPLAT_SEGMENT_AUTO,
                             .user = MPLAT_NO_HANDLE,
                             .more = MPLAT_NO_HANDLE};
    int rc = names_of(name, &names);
    if (rc >= 0) {
        HANDLE mutex = lock_name(name);
        DWORD error = create(&names, size, &segment);
        unlock_name(mutex);
        rc = error == ERROR_SUCCESS ? MPROC_OK : fail(error, "create", name);
    }
    free_names(&names);
    if (rc >= 0) {
        *ret_segment = segment;
    } else {
        mplat_segment_close(&segment);
    }
    return rc;
}

/** Open a section and its companion, if there is one. */
static DWORD open_once(const struct names *names, uint32_t flags, mplat_segment *segment,
                       bool *ret_has_companion)
{
    DWORD access =
        (flags & MPLAT_SEGMENT_READ_ONLY) != 0 ? FILE_MAP_READ : FILE_MAP_READ | FILE_MAP_WRITE;
    segment->more = mproc__win_handle(OpenFileMappingW(FILE_MAP_READ, FALSE, names->companion));
    HANDLE section = OpenFileMappingW(access, FALSE, names->section);
    if (section == NULL) {
        return GetLastError();
    }
    segment->user = mproc__win_handle(section);
    segment->base = MapViewOfFile(section, access, 0, 0, 0);
    MEMORY_BASIC_INFORMATION view;
    if (segment->base == NULL || VirtualQuery(segment->base, &view, sizeof(view)) == 0) {
        return GetLastError();
    }
    segment->size = view.RegionSize;
    *ret_has_companion = ask_companion(view.RegionSize, segment);
    return ERROR_SUCCESS;
}

/**
 * One without a companion is a stranger's, or one of a process that is being ended, whose handles the
 * system closes in its own order: that one is gone at a second look.
 */
static DWORD open_section(const struct names *names, uint32_t flags, mplat_segment *segment)
{
    bool has_companion = false;
    DWORD error = open_once(names, flags, segment, &has_companion);
    for (int i = 0; i < LOOKS && error == ERROR_SUCCESS && !has_companion; i++) {
        mplat_segment_close(segment);
        (void)SwitchToThread();
        error = open_once(names, flags, segment, &has_companion);
    }
    return error;
}

int mplat_segment_open(const char *name, uint32_t flags, uint64_t id, mplat_segment *ret_segment)
{
    struct names names;
    mplat_segment segment = {.flags = MPLAT_SEGMENT_AUTO | (flags & MPLAT_SEGMENT_READ_ONLY),
                             .user = MPLAT_NO_HANDLE,
                             .more = MPLAT_NO_HANDLE};
    int rc = names_of(name, &names);
    if (rc >= 0) {
        HANDLE mutex = lock_name(name);
        DWORD error = open_section(&names, flags, &segment);
        unlock_name(mutex);
        rc = error == ERROR_SUCCESS ? MPROC_OK : fail(error, "open", name);
    }
    free_names(&names);
    if (rc >= 0 && id != 0 && segment.id != id) {
        rc = mproc__fail(MPROC_ENOENT, "the shared memory %s is gone; another one has its name now",
                         name);
    }
    if (rc >= 0) {
        *ret_segment = segment;
    } else {
        mplat_segment_close(&segment);
    }
    return rc;
}

void mplat_segment_leave(mplat_segment *segment)
{
    if (segment->base != NULL) {
        (void)UnmapViewOfFile(segment->base);
    }
    // The companion last: where there is the section, there is its companion.
    mplat_handle_close(segment->user);
    mplat_handle_close(segment->more);
    segment->base = NULL;
    segment->more = MPLAT_NO_HANDLE;
    segment->user = MPLAT_NO_HANDLE;
}

void mplat_segment_close(mplat_segment *segment)
{
    mplat_segment_leave(segment);
}

int mplat_segment_unlink(const char *name, uint64_t id)
{
    (void)name; // it goes by itself
    (void)id;
    return MPROC_OK;
}

void mplat_segment_reap(const char *name)
{
    (void)name; // the system does
}
