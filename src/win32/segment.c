/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment.c: memory by name: sections of this session, under the very names that were given.
 *
 * Why       The system knows a section's size in whole pages only. So each has a companion, a section
 *           of its note, by which users of mproc find its exact size, and tell it from others that
 *           have had its name. The companion is made and opened first, and closed last: a section that
 *           has none was made by a stranger.
 * Growth    SEC_RESERVE: the largest size is mapped from the beginning. What is committed in one view is
 *           committed in all, for good, and doing so twice is nothing; so nobody need be kept out.
 * Order     one after another makes or opens what has a name, under a mutex of the system's. Without it
 *           two that open, each while the other looks again, would keep alive a section whose companion
 *           has gone with the last user, and take it for a stranger's.
 * Death     both go with their last handles, and the mutex to the next one: the system sees to it
 */
#include "platform.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "win32/utf16.h"
#include "win32/win32.h"

#include <windows.h>

#include <apr_hash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPANION ".mproc"
#define MARK UINT64_C(0x7a1f0c6d706e6f74) /* in a note: it is complete */

/* One that holds the mutex may be stopped just then; without it all but the above still holds. */
#define PATIENCE_MS 1000

/* How often to look for what others have for moments only; one of them may be stopped just then. */
#define TRIES 1000
#define LOOKS 8

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
static HANDLE create_section(const wchar_t *name, uint64_t size, DWORD kind)
{
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | kind,
                                        (DWORD)(size >> 32), (DWORD)size, name);
    DWORD error = GetLastError();
    if (section != NULL && error == ERROR_ALREADY_EXISTS) {
        (void)CloseHandle(section);
        section = NULL;
    }
    SetLastError(error == ERROR_INVALID_HANDLE ? ERROR_ALREADY_EXISTS : error);
    return section;
}

static DWORD create_companion(const wchar_t *name, const mplat_segment_plan *plan,
                              mplat_segment *segment)
{
    static uint32_t count;
    HANDLE section = create_section(name, sizeof(mplat_segment_note), 0);
    if (section == NULL) {
        return GetLastError();
    }
    segment->more = mproc__win_handle(section);
    mplat_segment_note *note = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    if (note == NULL) {
        return GetLastError();
    }
    segment->note = note;
    segment->id = (uint64_t)mplat_pid() << 40 ^ (uint64_t)mproc__add32(&count, 1) << 56 ^
                  (uint64_t)mplat_now();
    note->id = segment->id;
    note->size = plan->size;
    note->max_size = segment->size;
    note->layout = plan->layout;
    note->is_ready = plan->layout == 0;
    mproc__store64_release(&note->mark, MARK);
    return ERROR_SUCCESS;
}

/** Bytes of a view that have memory, from its beginning. */
static uint64_t bytes_of(const char *base)
{
    MEMORY_BASIC_INFORMATION view = {.RegionSize = 0};
    uint64_t bytes = 0;
    // What has grown may consist of several regions.
    while (VirtualQuery(base + bytes, &view, sizeof(view)) != 0 && view.State == MEM_COMMIT &&
           view.AllocationBase == base) {
        bytes += view.RegionSize;
    }
    return bytes;
}

/** Map the companion that is held, if there is one and it is about the section that is mapped. */
static bool ask_companion(DWORD access, mplat_segment *segment)
{
    HANDLE section = mproc__win_object(segment->more);
    mplat_segment_note *note =
        segment->more.os != MPLAT_NO_HANDLE.os ? MapViewOfFile(section, access, 0, 0, 0) : NULL;
    if (note == NULL) {
        return false;
    }
    bool is_complete = mproc__load64_acquire(&note->mark) == MARK;
    uint64_t size = mproc__load64_acquire(&note->size);
    uint64_t bytes = bytes_of(segment->base);
    uint64_t slack = mplat_get_facts()->page_bytes;
    if (GetLargePageMinimum() > slack) {
        slack = GetLargePageMinimum();
    }
    if (!is_complete || size == 0 || size > note->max_size || size > bytes ||
        (size == note->max_size && bytes - size >= slack)) {
        (void)UnmapViewOfFile(note);
        return false;
    }
    segment->note = note;
    segment->size = note->max_size;
    segment->id = note->id;
    return true;
}

static int fail(DWORD error, const char *verb, const char *name)
{
    switch (error) {
    case ERROR_ALREADY_EXISTS:
        return mproc__fail(MPROC_EEXIST, "there is shared memory of the name %s already", name);
    case ERROR_FILE_NOT_FOUND:
        return mproc__fail(MPROC_ENOENT, "there is no shared memory of the name %s", name);
    case ERROR_NOT_READY:
        return mproc__fail(MPROC_ESTATE, "the shared memory %s has no size yet", name);
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

/** Map a section; with large pages, should those be what it has. */
static void *map_section(HANDLE section, DWORD access, uint64_t size, uint32_t flags)
{
    void *base = NULL;
    if (size > SIZE_MAX) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    if ((flags & MPLAT_SEGMENT_HUGE) != 0) {
        base = MapViewOfFile(section, access | FILE_MAP_LARGE_PAGES, 0, 0, (SIZE_T)size);
    }
    return base != NULL ? base : MapViewOfFile(section, access, 0, 0, (SIZE_T)size);
}

/** Create a section of large pages; NULL: it cannot be, as a rule for want of the privilege. */
static HANDLE create_large(const wchar_t *name, const mplat_segment_plan *plan)
{
    uint64_t unit = (plan->flags & MPLAT_SEGMENT_HUGE) != 0 ? GetLargePageMinimum() : 0;
    if (unit == 0 || plan->max_size > plan->size) {
        return NULL; // such a section cannot grow
    }
    uint64_t size = (plan->size + unit - 1) / unit * unit;
    return create_section(name, size, SEC_COMMIT | SEC_LARGE_PAGES);
}

static DWORD create(const struct names *names, const mplat_segment_plan *plan,
                    mplat_segment *segment)
{
    const DWORD access = FILE_MAP_READ | FILE_MAP_WRITE;
    bool can_grow = segment->size > plan->size;
    if (segment->size > INT64_MAX / 2) {
        return ERROR_NOT_ENOUGH_MEMORY; // in place of its complaint about the argument
    }
    DWORD error = create_companion(names->companion, plan, segment);
    for (int i = 0; i < TRIES && error == ERROR_ALREADY_EXISTS && !is_there(names->section); i++) {
        // Who closes has the companion a moment longer.
        (void)SwitchToThread();
        error = create_companion(names->companion, plan, segment);
    }
    if (error != ERROR_SUCCESS) {
        return error;
    }
    HANDLE section = create_large(names->section, plan); /* COMMIT: now it can be opened */
    if (section == NULL && can_grow) {
        // A page more: Wine 8 forgets what is committed up to a section's very end.
        uint64_t reserved = segment->size + mplat_get_facts()->page_bytes;
        section = create_section(names->section, reserved, SEC_RESERVE);
    } else if (section == NULL) {
        section = create_section(names->section, segment->size, 0);
    }
    if (section == NULL) {
        return GetLastError();
    }
    segment->user = mproc__win_handle(section);
    segment->base = map_section(section, access, segment->size, plan->flags);
    if (segment->base == NULL || (can_grow && VirtualAlloc(segment->base, (SIZE_T)plan->size,
                                                           MEM_COMMIT, PAGE_READWRITE) == NULL)) {
        return GetLastError();
    }
    return ERROR_SUCCESS;
}

int mplat_segment_create(const char *name, const mplat_segment_plan *plan,
                         mplat_segment *ret_segment)
{
    struct names names;
    mplat_segment segment = {
        .size = plan->max_size != 0 ? plan->max_size : plan->size,
        .flags = MPLAT_SEGMENT_AUTO | (plan->flags & MPLAT_SEGMENT_HUGE), // names always go so
        .user = MPLAT_NO_HANDLE,
        .more = MPLAT_NO_HANDLE,
    };
    int rc = names_of(name, &names);
    if (rc >= 0) {
        HANDLE mutex = lock_name(name);
        DWORD error = create(&names, plan, &segment);
        if (error != ERROR_SUCCESS) {
            mplat_segment_close(&segment);
        }
        unlock_name(mutex);
        rc = error == ERROR_SUCCESS ? MPROC_OK : fail(error, "create", name);
    }
    free_names(&names);
    if (rc >= 0) {
        *ret_segment = segment;
    }
    return rc;
}

/** Open a section and its companion, if there is one. */
static DWORD open_once(const struct names *names, mplat_segment *segment)
{
    DWORD access = (segment->flags & MPLAT_SEGMENT_READ_ONLY) != 0 ? FILE_MAP_READ
                                                                   : FILE_MAP_READ | FILE_MAP_WRITE;
    segment->more = mproc__win_handle(OpenFileMappingW(access, FALSE, names->companion));
    HANDLE section = OpenFileMappingW(access, FALSE, names->section);
    if (section == NULL) {
        return GetLastError();
    }
    segment->user = mproc__win_handle(section);
    segment->base = map_section(section, access, 0, segment->flags);
    if (segment->base == NULL) {
        return GetLastError();
    }
    if (!ask_companion(access, segment)) {
        segment->size = bytes_of(segment->base);
    }
    return segment->size != 0 ? ERROR_SUCCESS : ERROR_NOT_READY;
}

/**
 * One without a companion is a stranger's, or one of a process that is being ended, whose handles the
 * system closes in its own order: that one is gone at a second look.
 */
static DWORD open_section(const struct names *names, mplat_segment *segment)
{
    DWORD error = open_once(names, segment);
    for (int i = 0; i < LOOKS && error == ERROR_SUCCESS && segment->note == NULL; i++) {
        mplat_segment_close(segment);
        (void)SwitchToThread();
        error = open_once(names, segment);
    }
    return error;
}

/** Whether what was opened is what was asked for. */
static int check(const char *name, uint64_t layout, uint64_t id, const mplat_segment *segment)
{
    const mplat_segment_note *note = segment->note;
    if (id != 0 && segment->id != id) {
        return mproc__fail(MPROC_ENOENT,
                           "the shared memory %s is gone; another one has its name now", name);
    }
    if (layout != 0 && (note == NULL || note->layout != layout)) {
        return mproc__fail(MPROC_ETYPE, "the shared memory %s has another layout", name);
    }
    if (id == 0 && note != NULL && mproc__load32_acquire(&note->is_ready) == 0) {
        return mproc__fail(MPROC_ESTATE, "the shared memory %s is not ready yet", name);
    }
    return MPROC_OK;
}

int mplat_segment_open(const char *name, uint32_t flags, uint64_t layout, uint64_t id,
                       mplat_segment *ret_segment)
{
    struct names names;
    mplat_segment segment = {
        .flags = MPLAT_SEGMENT_AUTO | (flags & (MPLAT_SEGMENT_READ_ONLY | MPLAT_SEGMENT_HUGE)),
        .user = MPLAT_NO_HANDLE,
        .more = MPLAT_NO_HANDLE,
    };
    int rc = names_of(name, &names);
    if (rc >= 0) {
        HANDLE mutex = lock_name(name);
        DWORD error = open_section(&names, &segment);
        rc = error == ERROR_SUCCESS ? check(name, layout, id, &segment) : fail(error, "open", name);
        if (rc < 0) {
            mplat_segment_close(&segment); // before others look: this is no user
        }
        unlock_name(mutex);
    }
    free_names(&names);
    if (rc >= 0) {
        *ret_segment = segment;
    }
    return rc;
}

int mplat_segment_grow(const char *name, mplat_segment *segment, uint64_t size)
{
    uint64_t old = mproc__load64_acquire(&segment->note->size);
    if (size > old &&
        VirtualAlloc(segment->base, (SIZE_T)size, MEM_COMMIT, PAGE_READWRITE) == NULL) {
        return mproc__fail_os((int)GetLastError(), "no memory for %llu bytes of shared memory %s",
                              (unsigned long long)size, name);
    }
    MPROC__KILLPOINT("segment.growing");
    while (size > old && !mproc__cas64(&segment->note->size, &old, size)) {
        /* COMMIT: now the bytes may be used */
    }
    return MPROC_OK;
}

void mplat_segment_leave(mplat_segment *segment)
{
    if (segment->base != NULL) {
        (void)UnmapViewOfFile(segment->base);
    }
    // The companion last: where there is the section, there is its companion.
    mplat_handle_close(segment->user);
    if (segment->note != NULL) {
        (void)UnmapViewOfFile(segment->note);
    }
    mplat_handle_close(segment->more);
    segment->base = NULL;
    segment->note = NULL;
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
