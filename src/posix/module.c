/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.c: loaded programs and libraries, told apart by their build.
 *
 * The linker's build id names a file's exact content. A file without one is told by a hash of its
 * program headers, which hold the sizes and addresses of all it loads.
 */
#include "platform.h"

#include "base/status.h"
#include "posix/posix.h"

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

static void hash_bytes(unsigned char build[MPLAT_BUILD_BYTES], const void *data, size_t size)
{
    // FNV-1a; it tells builds apart, it protects nothing.
    uint64_t hash = 0xcbf29ce484222325u;
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    memcpy(build, &hash, sizeof(hash));
    static const unsigned char mark[] = {'n', 'o', ' ', 'i', 'd'};
    memcpy(build + sizeof(hash), mark, sizeof(mark));
}

/** The build id among the notes of one segment. */
static bool find_note(const char *notes, size_t size, unsigned char build[MPLAT_BUILD_BYTES])
{
    for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= size;) {
        ElfW(Nhdr) note;
        memcpy(&note, notes + at, sizeof(note));
        const char *name = notes + at + sizeof(note);
        const char *value = name + ((note.n_namesz + 3u) & ~3u);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
            memcpy(build, value,
                   note.n_descsz < MPLAT_BUILD_BYTES ? note.n_descsz : MPLAT_BUILD_BYTES);
            return true;
        }
        at = (size_t)(value - notes) + ((note.n_descsz + 3u) & ~3u);
    }
    return false;
}

static void find_build(const struct dl_phdr_info *info, unsigned char build[MPLAT_BUILD_BYTES])
{
    memset(build, 0, MPLAT_BUILD_BYTES);
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_NOTE &&
            find_note((const char *)info->dlpi_addr + header->p_vaddr, header->p_memsz, build)) {
            return;
        }
    }
    hash_bytes(build, info->dlpi_phdr, info->dlpi_phnum * sizeof(info->dlpi_phdr[0]));
}

static bool is_inside(const struct dl_phdr_info *info, const char *address)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const char *start = (const char *)info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && address >= start && address < start + header->p_memsz) {
            return true;
        }
    }
    return false;
}

typedef struct search {
    const char *address;  /* whose module is wanted, or NULL */
    mplat_module *module; /* what was found; or what is wanted */
    const char *base;
    bool is_found;
    bool is_other_build; /* the file is loaded, but it is not the one wanted */
    bool is_first;       /* the first one is the program itself */
} search;

static int visit_for_address(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    search *wanted = arg;
    bool is_program = wanted->is_first;
    wanted->is_first = false;
    if (!is_inside(info, wanted->address)) {
        return 0;
    }
    mplat_module *module = wanted->module;
    module->base = (const char *)info->dlpi_addr;
    module->is_program = is_program;
    find_build(info, module->build);
    // A library's name may be relative to a directory that the child will not be in.
    char full[PATH_MAX];
    const char *path = info->dlpi_name;
    if (!is_program && strchr(path, '/') != NULL && realpath(path, full) != NULL) {
        path = full;
    }
    wanted->is_found =
        (size_t)snprintf(module->path, sizeof(module->path), "%s", path) < sizeof(module->path);
    return 1;
}

int mplat_module_of(const void *address, mplat_module *ret_module)
{
    search wanted = {.address = address, .module = ret_module, .is_first = true};
    (void)dl_iterate_phdr(visit_for_address, &wanted);
    return wanted.is_found
               ? MPROC_OK
               : mproc__fail(MPROC_ENOENT, "the function is in no loaded program or library");
}

static int visit_for_build(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    search *wanted = arg;
    bool is_program = wanted->is_first;
    wanted->is_first = false;
    if (wanted->module->is_program != is_program) {
        return 0;
    }
    unsigned char build[MPLAT_BUILD_BYTES];
    find_build(info, build);
    if (memcmp(build, wanted->module->build, sizeof(build)) == 0) {
        wanted->base = (const char *)info->dlpi_addr;
        wanted->is_found = true;
        return 1;
    }
    if (is_program || strcmp(info->dlpi_name, wanted->module->path) == 0) {
        wanted->is_other_build = true;
    }
    return 0;
}

int mplat_module_find(const mplat_module *wanted, const char **ret_base)
{
    mplat_module copy = *wanted;
    search state = {.module = &copy, .is_first = true};
    (void)dl_iterate_phdr(visit_for_build, &state);
    if (!state.is_found && !state.is_other_build && !wanted->is_program) {
        // Never unloaded: functions of it are about to run.
        // cppcheck-suppress leakReturnValNotUsed
        if (dlopen(wanted->path, RTLD_NOW | RTLD_LOCAL) == NULL) {
            return mproc__fail(MPROC_ENOENT, "cannot load the library of the function: %s",
                               dlerror());
        }
        state = (search){.module = &copy, .is_first = true};
        (void)dl_iterate_phdr(visit_for_build, &state);
    }
    if (state.is_found) {
        *ret_base = state.base;
        return MPROC_OK;
    }
    return mproc__fail(MPROC_EBUILD, "the function's %s%s is another build in the child",
                       wanted->is_program ? "program" : "library ", wanted->path);
}

/* ---- places in the code ---------------------------------------------------------------------- */

typedef struct walk {
    const void **addresses;
    size_t capacity;
    size_t count;
} walk;

static _Unwind_Reason_Code visit_frame(struct _Unwind_Context *frame, void *arg)
{
    walk *under_way = arg;
    uintptr_t address = _Unwind_GetIP(frame);
    if (address == 0 || under_way->count == under_way->capacity) {
        return _URC_END_OF_STACK;
    }
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address is what it is
    under_way->addresses[under_way->count++] = (const void *)address;
    return _URC_NO_REASON;
}

size_t mplat_stack(const void **ret_addresses, size_t capacity)
{
    // The unwinder's own, for not every C library has backtrace().
    walk under_way = {ret_addresses, capacity, 0};
    (void)_Unwind_Backtrace(visit_frame, &under_way);
    return under_way.count;
}

void mplat_code_text(const void *address, char *text, size_t size)
{
    const char *call = (const char *)address - 1; // the last byte of what it returns from
    mplat_module module;
    Dl_info info;
    if (mplat_module_of(call, &module) < 0) {
        (void)snprintf(text, size, "%p", (const void *)call);
        return;
    }
    const char *own = mproc__posix_program();
    int n = snprintf(text, size, "%s+%#zx",
                     !module.is_program ? module.path
                     : own != NULL      ? own
                                        : "(program)",
                     (size_t)(call - module.base));
    if (n > 0 && (size_t)n < size && dladdr(call, &info) != 0 && info.dli_sname != NULL) {
        (void)snprintf(text + n, size - (size_t)n, " (%s+%#zx)", info.dli_sname,
                       (size_t)(call - (const char *)info.dli_saddr));
    }
}
