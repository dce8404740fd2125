/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.c: which file a function comes from, and finding it again in another process.
 *
 * The build id is taken from the image's headers as they lie in memory: time stamp, size and check
 * sum; the GUID that the linker wrote for the debugger, if it did; and a hash of all the headers,
 * which holds each section's place and size, for linkers that leave out the former.
 */
#include "base/status.h"
#include "platform.h"
#include "win32/utf16.h"
#include "win32/win32.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_UNITS_MAX 32768
#define MOST_FRAMES 62 /* what early systems can tell */

/* ---- build ----------------------------------------------------------------------------------- */

static const IMAGE_NT_HEADERS *headers_of(const char *base)
{
    const IMAGE_DOS_HEADER *dos = (const void *)base;
    if (dos->e_magic != IMAGE_DOS_SIGNATURE) {
        return NULL;
    }
    const IMAGE_NT_HEADERS *nt = (const void *)(base + dos->e_lfanew);
    return nt->Signature == IMAGE_NT_SIGNATURE ? nt : NULL;
}

/** What a CodeView record of the debug directory begins with: signature, then the GUID. */
typedef struct codeview {
    char signature[4];
    unsigned char guid[16];
} codeview;

static const codeview *codeview_of(const char *base, const IMAGE_NT_HEADERS *nt)
{
    const IMAGE_DATA_DIRECTORY *directory =
        &nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_DEBUG];
    const IMAGE_DEBUG_DIRECTORY *entry = (const void *)(base + directory->VirtualAddress);
    for (DWORD left = directory->Size; left >= sizeof(*entry);
         left -= (DWORD)sizeof(*entry), entry++) {
        const codeview *record = (const void *)(base + entry->AddressOfRawData);
        if (entry->Type == IMAGE_DEBUG_TYPE_CODEVIEW && entry->AddressOfRawData != 0 &&
            entry->SizeOfData >= sizeof(*record) && memcmp(record->signature, "RSDS", 4) == 0) {
            return record;
        }
    }
    return NULL;
}

/** FNV-1a over the headers, but for the address that the loader writes there. */
static uint32_t hash_headers(const char *base, const IMAGE_NT_HEADERS *nt)
{
    const char *skipped = (const char *)&nt->OptionalHeader.ImageBase;
    const char *end = base + nt->OptionalHeader.SizeOfHeaders;
    uint32_t hash = 2166136261u;
    for (const char *byte = base; byte < end; byte++) {
        bool is_skipped = byte >= skipped && byte < skipped + sizeof(nt->OptionalHeader.ImageBase);
        hash = (hash ^ (is_skipped ? 0 : (unsigned char)*byte)) * 16777619u;
    }
    return hash;
}

static int build_of(const char *base, unsigned char *ret_build)
{
    struct {
        uint32_t time, size, sum, hash;
        unsigned char guid[16];
    } build = {0, 0, 0, 0, {0}};
    const IMAGE_NT_HEADERS *nt = headers_of(base);
    if (nt == NULL) {
        return mproc__fail(MPROC_ENOENT, "the module at %p is no program or library",
                           (const void *)base);
    }
    const codeview *record = codeview_of(base, nt);
    build.time = nt->FileHeader.TimeDateStamp;
    build.size = nt->OptionalHeader.SizeOfImage;
    build.sum = nt->OptionalHeader.CheckSum;
    build.hash = hash_headers(base, nt);
    if (record != NULL) {
        memcpy(build.guid, record->guid, sizeof(build.guid));
    }
    memcpy(ret_build, &build, MPLAT_BUILD_BYTES);
    return 0;
}

/* ---- of an address --------------------------------------------------------------------------- */

int mproc__win_module_path(void *module, wchar_t **ret_path)
{
    DWORD room = MAX_PATH;
    for (; room <= 2 * PATH_UNITS_MAX; room *= 2) {
        wchar_t *path = malloc(room * sizeof(*path));
        if (path == NULL) {
            return mproc__fail(MPROC_ENOMEM, "out of memory for a module's path");
        }
        DWORD length = GetModuleFileNameW(module, path, room);
        if (length > 0 && length < room) {
            *ret_path = path;
            return 0;
        }
        DWORD error = GetLastError();
        free(path);
        if (length == 0) {
            return mproc__fail_os((int)error, "asking for a module's path");
        }
    }
    return mproc__fail(MPROC_ETOOBIG, "a module's path is longer than %lu", (unsigned long)room);
}

int mplat_module_of(const void *address, mplat_module *ret_module)
{
    HMODULE module = NULL;
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                                GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                            (LPCWSTR)address, &module)) {
        return mproc__fail(MPROC_ENOENT, "address %p is in no program or library", address);
    }
    mplat_module found = {.base = (const char *)module,
                          .is_program = module == GetModuleHandleW(NULL)};
    wchar_t *path = NULL;
    int rc = build_of(found.base, found.build);
    if (rc == 0) {
        rc = mproc__win_module_path(module, &path);
    }
    if (rc == 0) {
        rc = mproc__utf8_from(path, found.path, sizeof(found.path));
    }
    free(path);
    if (rc == 0) {
        *ret_module = found;
    }
    return rc;
}

/* ---- here again ------------------------------------------------------------------------------ */

/** Whether a module is the wanted build. 0 or MPROC_EBUILD. */
static int compare(const mplat_module *wanted, HMODULE module)
{
    unsigned char build[MPLAT_BUILD_BYTES];
    int rc = build_of((const char *)module, build);
    if (rc == 0 && memcmp(build, wanted->build, sizeof(build)) != 0) {
        rc = mproc__fail(MPROC_EBUILD, "%s is another build here", wanted->path);
    }
    return rc;
}

/*
 * A loaded module of that name, held so that it stays; NULL: none. GetModuleHandleExW compares
 * whole paths with whole paths and bare names with the modules' bare names.
 */
static HMODULE loaded_as(const mplat_module *wanted, const wchar_t *name)
{
    HMODULE module = NULL;
    if (GetModuleHandleExW(0, name, &module) && compare(wanted, module) < 0) {
        (void)FreeLibrary(module);
        module = NULL;
    }
    return module;
}

static const wchar_t *name_in(const wchar_t *path)
{
    const wchar_t *name = path;
    for (; *path != L'\0'; path++) {
        name = *path == L'\\' || *path == L'/' ? path + 1 : name;
    }
    return name;
}

/** Only by its whole path: a bare name would be looked for in places others may write to. */
static bool is_whole(const wchar_t *path)
{
    return wcsncmp(path, L"\\\\", 2) == 0 ||
           (path[0] != L'\0' && wcsncmp(path + 1, L":\\", 2) == 0);
}

static int find_library(const mplat_module *wanted, const wchar_t *path, HMODULE *ret_module)
{
    HMODULE module = loaded_as(wanted, path);
    if (module == NULL) {
        module = loaded_as(wanted, name_in(path)); // the same file from another place is as good
    }
    if (module == NULL) {
        if (!is_whole(path)) {
            return mproc__fail(MPROC_ENOENT, "library %s is not loaded, and its path is not whole",
                               wanted->path);
        }
        module = LoadLibraryExW(path, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
        if (module == NULL) {
            (void)mproc__fail_os((int)GetLastError(), "loading library %s", wanted->path);
            return MPROC_ENOENT;
        }
        int rc = compare(wanted, module);
        if (rc < 0) {
            (void)FreeLibrary(module);
            return rc;
        }
    }
    *ret_module = module;
    return 0;
}

int mplat_module_find(const mplat_module *wanted, const char **ret_base)
{
    HMODULE module = GetModuleHandleW(NULL);
    int rc;
    if (wanted->is_program) {
        rc = compare(wanted, module);
    } else {
        wchar_t *path = NULL;
        rc = mproc__utf16_from(wanted->path, &path);
        if (rc == 0) {
            rc = find_library(wanted, path, &module);
        }
        free(path);
    }
    if (rc == 0) {
        *ret_base = (const char *)module;
    }
    return rc;
}

/* ---- places in the code ---------------------------------------------------------------------- */

size_t mplat_stack(const void **ret_addresses, size_t capacity)
{
    void *addresses[MOST_FRAMES];
    size_t wanted = capacity < MOST_FRAMES ? capacity : MOST_FRAMES;
    size_t count = CaptureStackBackTrace(0, (ULONG)wanted, addresses, NULL);
    for (size_t i = 0; i < count; i++) {
        ret_addresses[i] = addresses[i];
    }
    return count;
}

void mplat_code_text(const void *address, char *text, size_t size)
{
    const char *call = (const char *)address - 1; // the last byte of what it returns from
    mplat_module module = {.base = NULL};
    if (mplat_module_of(call, &module) < 0) {
        (void)snprintf(text, size, "%p", (const void *)call);
        return;
    }
    (void)snprintf(text, size, "%s+%#llx", module.path, (unsigned long long)(call - module.base));
}
