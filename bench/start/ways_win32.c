/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_win32.c: CreateProcess; stamps in a named section that the child opens.
 */
#include "start.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

/* ---- stamps ---- */

static char section_name[64];

static int fail(const char *what)
{
    return bench_fail("%s: Windows error %lu", what, (unsigned long)GetLastError());
}

volatile int64_t *start_stamps(void)
{
    static volatile int64_t *stamps;
    if (stamps) {
        return stamps;
    }
    DWORD size = (DWORD)(START_BURST * sizeof *stamps);
    snprintf(section_name, sizeof section_name, "Local\\bench-start-%lu-%" PRIx64,
             (unsigned long)GetCurrentProcessId(), (uint64_t)bench_now());
    HANDLE section =
        CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, size, section_name);
    if (!section) {
        fail("CreateFileMapping");
        return NULL;
    }
    stamps = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, size);
    if (!stamps) {
        fail("MapViewOfFile");
        CloseHandle(section);
    }
    return stamps; // the section stays open as long as this process lives
}

int start_child_argv(size_t index, char *ret_argv[START_CHILD_ARGC + 1])
{
    static char flag[] = START_CHILD_FLAG, number[16];
    char *self = bench_self();
    if (!self) {
        bench_skip("the program's own file is not known");
        return BENCH_SKIPPED;
    }
    if (!start_stamps()) {
        return BENCH_FAILED;
    }
    snprintf(number, sizeof number, "%u", (unsigned)index);
    char *argv[] = {self, flag, section_name, number, NULL};
    memcpy(ret_argv, argv, sizeof argv);
    return 0;
}

void start_child_main(const char *where, const char *index)
{
    int64_t now = bench_now();
    HANDLE section = OpenFileMappingA(FILE_MAP_WRITE, FALSE, where);
    volatile int64_t *stamps = section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
    if (!stamps) {
        ExitProcess(1);
    }
    stamps[strtoul(index, NULL, 10)] = now;
    ExitProcess(0);
}

/* ---- CreateProcess ---- */

static int create_process(struct start_child *child, char *const *argv)
{
    char line[MAX_PATH + 128];
    STARTUPINFOA startup = {.cb = sizeof startup};
    PROCESS_INFORMATION info;
    snprintf(line, sizeof line, "\"%s\" %s %s %s", argv[0], argv[1], argv[2], argv[3]);
    if (!CreateProcessA(argv[0], line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info)) {
        return fail("CreateProcess");
    }
    CloseHandle(info.hThread);
    child->os = (intptr_t)info.hProcess;
    return 0;
}

static int begin(const struct start_way *way, struct start_child *child, size_t index)
{
    (void)way;
    char *argv[START_CHILD_ARGC + 1] = {NULL};
    int rc = start_take_stamp(child, index);
    rc = rc != 0 ? rc : start_child_argv(index, argv);
    if (rc != 0) {
        return rc;
    }
    return create_process(child, argv);
}

static int finish(const struct start_way *way, struct start_child *child)
{
    (void)way;
    HANDLE process = (HANDLE)child->os;
    DWORD code = 1;
    WaitForSingleObject(process, INFINITE);
    GetExitCodeProcess(process, &code);
    CloseHandle(process);
    return code == 0 ? 0 : bench_fail("the child ended with %#lx", (unsigned long)code);
}

static const struct start_way same_program = {
    .subject = "CreateProcess",
    .name = "CreateProcess",
    .begin = begin,
    .finish = finish,
};

const struct start_way *const start_bare_fork = NULL;
const struct start_way *const start_same_program = &same_program;
const struct start_way *const start_vfork = NULL;
const char *const start_python_program = "python";
