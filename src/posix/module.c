/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.c: loaded programs and libraries, told apart by their build.
 *
 * The linker's build id names a file's exact content. A file without one is told by a hash of its
 * program headers, which hold the sizes and addresses of all it loads.
 */
#include "platform.h"

#include "base/status.h"

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
