/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn.c: starting a fresh copy of the program, and what that copy does first.
 *
 * Handles  The child inherits its three standard streams and nothing else, by an explicit list. The
 *          arena it fetches itself: the command line tells it which process started it and under
 *          which handle value that one has the section. So no inheritable handle of the arena ever
 *          exists, which a careless CreateProcess of another thread could pass on.
 * Tree     The child is born into a job of its own, whose one handle stays in the parent and is
 *          closed by the system when the parent ends: then the child ends, with all that it has
 *          started.
 * Line     PROGRAM --mproc-child PARENT BIRTH SECTION SIZE MEMBER PURPOSE, numbers in hexadecimal.
 *          They are no secret: who can use them may open the parent anyway.
 */
#include "base/compiler.h"
#include "base/status.h"
#include "platform.h"
#include "win32/cmdline.h"
#include "win32/utf16.h"
#include "win32/win32.h"

#include <windows.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MARK "--mproc-child"

/*
 * Wine 8: while other programs are started from outside, one CreateProcess in some thousands fails with
 * ERROR_INTERNAL_ERROR, of plain Win32 programs, too: the new process is gone before its loader has said a
 * word. None of our code has run in it, and nothing is left of it; the next one is as good as the first.
 */
#define TRIES 3

enum { N_STDIO = 3 };

static void close_if(HANDLE handle)
{
    if (handle != NULL) {
        (void)CloseHandle(handle);
    }
}

/* ---- program --------------------------------------------------------------------------------- */

/** Batch files are run by cmd.exe, which reads the command line by other rules: never start one. */
static bool is_batch(const wchar_t *path)
{
    size_t length = wcslen(path);
    return length >= 4 &&
           (_wcsicmp(path + length - 4, L".bat") == 0 || _wcsicmp(path + length - 4, L".cmd") == 0);
}

/** The whole path of the program to start, without the blanks and dots that Windows ignores. */
static int find_program(const char *program, wchar_t **ret_path)
{
    if (program == NULL) {
        return mproc__win_module_path(NULL, ret_path);
    }
    wchar_t *wide = NULL;
    int rc = mproc__utf16_from(program, &wide);
    if (rc < 0) {
        return rc;
    }
    DWORD room = GetFullPathNameW(wide, 0, NULL, NULL);
    wchar_t *path = malloc((room + 1) * sizeof(*path));
    if (path == NULL) {
        rc = mproc__fail(MPROC_ENOMEM, "out of memory for a program's path");
    } else if (room == 0 || GetFullPathNameW(wide, room, path, NULL) >= room) {
        rc = mproc__fail(MPROC_ENOEXEC, "%s is no name of a program", program);
    } else if (is_batch(path)) {
        rc = mproc__fail(MPROC_ENOEXEC, "%s is a batch file, not a program", program);
    }
    free(wide);
    if (rc < 0) {
        free(path);
        return rc;
    }
    *ret_path = path;
    return 0;
}

static int make_line(const mplat_start *start, const wchar_t *program, wchar_t **ret_line)
{
    mplat_identity self = mplat_self();
    const uint64_t numbers[] = {
        (uint64_t)self.pid,     self.birth,         (uint64_t)start->arena->handle.os,
        start->boot.arena_size, start->boot.member, start->boot.purpose,
    };
    wchar_t text[MPROC__COUNT(numbers)][17];
    const wchar_t *arguments[2 + MPROC__COUNT(numbers)] = {program, L"" MARK};
    for (size_t i = 0; i < MPROC__COUNT(numbers); i++) {
        (void)_ui64tow(numbers[i], text[i], 16);
        arguments[2 + i] = text[i];
    }
    return mproc__cmdline_join(arguments, MPROC__COUNT(arguments), ret_line);
}

/* ---- standard streams ------------------------------------------------------------------------ */

/** An inheritable handle on what is to be stream `i` of the child. */
static int make_stdio(mplat_handle wish, int i, HANDLE *ret_handle)
{
    static const DWORD own[N_STDIO] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    bool is_wished = wish.os != MPLAT_NO_HANDLE.os;
    HANDLE source = is_wished ? mproc__win_object(wish) : GetStdHandle(own[i]);
    HANDLE self = GetCurrentProcess();
    bool is_null = !is_wished && i == 0; // two readers of one stream would take it from each other
    if (!is_null && source != NULL && source != INVALID_HANDLE_VALUE &&
        DuplicateHandle(self, source, self, ret_handle, 0, TRUE, DUPLICATE_SAME_ACCESS)) {
        return 0;
    }
    if (is_wished) {
        return mproc__fail_os((int)GetLastError(), "handing standard stream %d to a child", i);
    }
    // Also for the others when this process has none, as programs without a console do.
    SECURITY_ATTRIBUTES inheritable = {sizeof(inheritable), NULL, TRUE};
    HANDLE null =
        CreateFileW(L"NUL", i > 0 ? GENERIC_WRITE : GENERIC_READ,
                    FILE_SHARE_READ | FILE_SHARE_WRITE, &inheritable, OPEN_EXISTING, 0, NULL);
    if (null == INVALID_HANDLE_VALUE) {
        return mproc__fail_os((int)GetLastError(), "opening the null device");
    }
    *ret_handle = null;
    return 0;
}

/* ---- job ------------------------------------------------------------------------------------- */

static int make_job(HANDLE *ret_job)
{
    HANDLE job = CreateJobObjectW(NULL, NULL);
    if (job == NULL) {
        return mproc__fail_os((int)GetLastError(), "creating a job");
    }
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits;
    memset(&limits, 0, sizeof(limits));
    // The second one keeps a crash before main() from putting up a dialog, which would never be
    // answered.
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
    if (!SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits))) {
        DWORD error = GetLastError();
        (void)CloseHandle(job);
        return mproc__fail_os((int)error, "limiting a job");
    }
    *ret_job = job;
    return 0;
}

/* ---- spawn ----------------------------------------------------------------------------------- */

/** What a start needs until the child runs. */
typedef struct launch {
    wchar_t *program;
    wchar_t *line;
    HANDLE stdio[N_STDIO];
    HANDLE job;
    LPPROC_THREAD_ATTRIBUTE_LIST attributes;
} launch;

static int make_attributes(launch *l)
{
    SIZE_T size = 0;
    (void)InitializeProcThreadAttributeList(NULL, 2, 0, &size);
    LPPROC_THREAD_ATTRIBUTE_LIST list = malloc(size);
    if (list == NULL) {
        return mproc__fail(MPROC_ENOMEM, "out of memory to start a process");
    }
    if (!InitializeProcThreadAttributeList(list, 2, 0, &size)) {
        DWORD error = GetLastError();
        free(list);
        return mproc__fail_os((int)error, "preparing a start");
    }
    l->attributes = list; // the list keeps pointers to the arrays of `l`
    if (!UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, l->stdio,
                                   sizeof(l->stdio), NULL, NULL) ||
        !UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST, &l->job, sizeof(l->job),
                                   NULL, NULL)) {
        return mproc__fail_os((int)GetLastError(), "preparing a start");
    }
    return 0;
}

static int prepare(const mplat_start *start, launch *l)
{
    int rc = find_program(start->program, &l->program);
    if (rc == 0) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it takes `&l->line` for all of `*l`
        rc = make_line(start, l->program, &l->line);
    }
    for (int i = 0; rc == 0 && i < N_STDIO; i++) {
        rc = make_stdio(start->stdio[i], i, &l->stdio[i]);
    }
    if (rc == 0) {
        rc = make_job(&l->job);
    }
    if (rc == 0) {
        rc = make_attributes(l);
    }
    return rc;
}

static int create_process(const launch *l, const char *name, PROCESS_INFORMATION *ret_info)
{
    STARTUPINFOEXW startup;
    memset(&startup, 0, sizeof(startup));
    startup.StartupInfo.cb = sizeof(startup);
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = l->stdio[0];
    startup.StartupInfo.hStdOutput = l->stdio[1];
    startup.StartupInfo.hStdError = l->stdio[2];
    startup.lpAttributeList = l->attributes;
    // A program without a console has children without one: else each would get a window of its
    // own.
    DWORD one;
    DWORD detached = GetConsoleProcessList(&one, 1) == 0 ? DETACHED_PROCESS : 0;
    bool is_created = false;
    for (int i = 0; i < TRIES && !is_created; i++) {
        is_created = CreateProcessW(l->program, l->line, NULL, NULL, TRUE,
                                    EXTENDED_STARTUPINFO_PRESENT | detached, NULL, NULL,
                                    &startup.StartupInfo, ret_info);
        if (!is_created && GetLastError() != ERROR_INTERNAL_ERROR) {
            break;
        }
    }
    if (!is_created) {
        int rc = mproc__fail_os((int)GetLastError(), "starting %s",
                                name != NULL ? name : "this program again");
        bool is_scarcity = rc == MPROC_ENPROC || rc == MPROC_EMFILE || rc == MPROC_ENOMEM;
        return is_scarcity ? rc : MPROC_ENOEXEC;
    }
    return 0;
}

int mplat_process_spawn(const mplat_start *start, mplat_child *ret_child)
{
    launch l = {NULL, NULL, {NULL, NULL, NULL}, NULL, NULL};
    PROCESS_INFORMATION info = {NULL, NULL, 0, 0};
    int rc = prepare(start, &l);
    if (rc < 0) {
        goto done;
    }
    rc = create_process(&l, start->program, &info);
    if (rc < 0) {
        goto done;
    }
    *ret_child = (mplat_child){
        .who = {(int64_t)info.dwProcessId, mproc__win_birth(info.hProcess)},
        .sentinel = mproc__win_handle(info.hProcess),
        .tree = mproc__win_handle(l.job),
    };
    l.job = NULL; // the child's now
done:
    close_if(info.hThread);
    if (l.attributes != NULL) {
        DeleteProcThreadAttributeList(l.attributes);
        free(l.attributes);
    }
    close_if(l.job);
    for (int i = 0; i < N_STDIO; i++) {
        close_if(l.stdio[i]);
    }
    free(l.line);
    free(l.program);
    return rc;
}

int mplat_process_fork(const mplat_start *start, mplat_child *ret_child)
{
    (void)start;
    (void)ret_child;
    return mproc__fail(MPROC_ENOTSUP, "Windows has no fork");
}

/* ---- in the child ---------------------------------------------------------------------------- */

static bool read_number(const char *text, uint64_t *ret_number)
{
    char *end;
    errno = 0;
    *ret_number = strtoull(text, &end, 16);
    return errno == 0 && end != text && *end == '\0';
}

/** A crash ends the process; without this it would stand in a dialog until somebody clicks. */
static void refuse_dialogs(void)
{
    (void)SetErrorMode(GetErrorMode() | SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX |
                       SEM_NOOPENFILEERRORBOX);
#if defined(_MSC_VER) || defined(_UCRT)
    (void)_set_abort_behavior(0, _WRITE_ABORT_MSG | _CALL_REPORTFAULT);
#endif
}

/** Fetch the section from the parent and map it. */
static int fetch_arena(HANDLE parent, HANDLE theirs, uint64_t size, mplat_arena *ret_arena)
{
    HANDLE section;
    if (!DuplicateHandle(parent, theirs, GetCurrentProcess(), &section, 0, FALSE,
                         DUPLICATE_SAME_ACCESS)) {
        return mproc__fail_os((int)GetLastError(), "fetching the family's arena");
    }
    int rc = mplat_arena_attach(mproc__win_handle(section), size, ret_arena);
    if (rc < 0) {
        (void)CloseHandle(section);
    }
    return rc;
}

int mplat_boot_take(int argc, char **argv, mplat_boot *ret_boot, mplat_arena *ret_arena,
                    mplat_child *ret_parent, mplat_handle *ret_extra)
{
    enum { PARENT, PARENT_BIRTH, SECTION, SIZE, MEMBER, PURPOSE, N_NUMBERS };
    if (argc < 2 || strcmp(argv[1], MARK) != 0) {
        return 0;
    }
    refuse_dialogs();
    uint64_t numbers[N_NUMBERS];
    bool is_complete = argc == 2 + N_NUMBERS;
    for (int i = 0; is_complete && i < N_NUMBERS; i++) {
        is_complete = read_number(argv[2 + i], &numbers[i]);
    }
    if (!is_complete) {
        return mproc__fail(MPROC_EMALFORMED, MARK " is not followed by what mproc writes there");
    }
    mplat_identity who = {(int64_t)numbers[PARENT], numbers[PARENT_BIRTH]};
    uint32_t error;
    HANDLE parent = mproc__win_open(&who, PROCESS_DUP_HANDLE, &error);
    if (parent == NULL) {
        return error == 0 ? mproc__fail(MPROC_EPEER, "the parent process is gone")
                          : mproc__fail_os((int)error, "opening the parent process");
    }
    int rc = fetch_arena(parent, (HANDLE)(uintptr_t)numbers[SECTION], numbers[SIZE], ret_arena);
    if (rc < 0) {
        (void)CloseHandle(parent);
        return rc;
    }
    *ret_boot = (mplat_boot){numbers[SIZE], numbers[MEMBER], numbers[PURPOSE]};
    *ret_parent = (mplat_child){who, mproc__win_handle(parent), MPLAT_NO_HANDLE};
    *ret_extra = MPLAT_NO_HANDLE;
    return 1;
}
