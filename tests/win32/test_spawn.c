/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_spawn.c: what only Windows can get wrong: handles that go to children, batch files, jobs,
 * and libraries that do not fit where they were.
 */
#include "platform/child.h"

#include <windows.h>

enum { LOOK_FOR_HANDLE, LOOK_AT_MODE, STAY, PARENT_OF_ONE, LOAD_ELSEWHERE };

/* ---- roles ----------------------------------------------------------------------------------- */

/** Set the event of number[0] if this process has it; it must not. */
static int look_for_handle(unsigned me)
{
    (void)me;
    (void)SetEvent((HANDLE)(uintptr_t)shm->number[0]);
    return 0;
}

static int look_at_mode(unsigned me)
{
    BOOL is_in_job = FALSE;
    (void)me;
    CHILD_CHECK((GetErrorMode() & SEM_NOGPFAULTERRORBOX) != 0);
    CHILD_CHECK(IsProcessInJob(GetCurrentProcess(), NULL, &is_in_job) && is_in_job);
    return 0;
}

static int stay(unsigned me)
{
    mplat_identity self = mplat_self();
    shm->number[2 * me] = (uint64_t)self.pid;
    shm->number[2 * me + 1] = self.birth;
    child_say_ready();
    return child_stay();
}

/** Start a process that is not mproc's and stay. */
static int parent_of_stranger(unsigned me)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION info;
    wchar_t line[] = L"cmd.exe /c pause";
    HANDLE read_end;
    HANDLE write_end;
    // It waits for input that never comes.
    SECURITY_ATTRIBUTES inheritable = {sizeof(inheritable), NULL, TRUE};
    CHILD_CHECK(CreatePipe(&read_end, &write_end, &inheritable, 0));
    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = read_end;
    startup.hStdOutput = GetStdHandle(STD_ERROR_HANDLE);
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    CHILD_CHECK(CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &info));
    shm->number[2 * me + 2] = info.dwProcessId;
    return stay(me);
}

/** Find a library again although its place is taken. */
static int load_elsewhere(unsigned me)
{
    const char *base = NULL;
    (void)me;
    CHILD_CHECK(
        VirtualAlloc((void *)(uintptr_t)shm->number[1], 65536, MEM_RESERVE, PAGE_NOACCESS) != NULL);
    CHILD_CHECK(mplat_module_find(&shm->module, &base) == 0);
    CHILD_CHECK((uintptr_t)base != shm->number[1]);
    return ((int (*)(void))(uintptr_t)(base + shm->number[0]))();
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void test_spawn__nothing_else_is_inherited(void)
{
    child_found();
    SECURITY_ATTRIBUTES inheritable = {sizeof(inheritable), NULL, TRUE};
    HANDLE event = CreateEventW(&inheritable, TRUE, FALSE, NULL);
    mplat_child child;
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    shm->number[0] = (uint64_t)(uintptr_t)event;
    CU_ASSERT_EQUAL_FATAL(child_start(LOOK_FOR_HANDLE, 1, &child), 0);
    CU_ASSERT_EQUAL(child_join(&child), 0);
    CU_ASSERT_EQUAL(WaitForSingleObject(event, 0), WAIT_TIMEOUT);
    (void)CloseHandle(event);
    child_end();
}

static void test_spawn__own_handles_are_not_inheritable(void)
{
    child_found();
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(child_start(STAY, 1, &child), 0);
    const mplat_handle handles[] = {child.sentinel, child.tree, child_arena.handle};
    for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
        DWORD flags = HANDLE_FLAG_INHERIT;
        CU_ASSERT(GetHandleInformation((HANDLE)handles[i].os, &flags));
        CU_ASSERT_EQUAL(flags & HANDLE_FLAG_INHERIT, 0);
    }
    CU_ASSERT_EQUAL(mplat_process_signal(&child.who, MPLAT_KILL), 0);
    CU_ASSERT_EQUAL(child_join(&child), -15);
    child_end();
}

static void test_spawn__no_dialogs_and_a_job(void)
{
    child_found();
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(child_start(LOOK_AT_MODE, 1, &child), 0);
    CU_ASSERT_EQUAL(child_join(&child), 0);
    child_end();
}

static void test_spawn__batch_files_are_refused(void)
{
    static const char *const names[] = {"test.bat", "test.CMD", "test.bat.", "test.bat . ."};
    child_found();
    FILE *file = fopen("test.bat", "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fclose(file);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        mplat_child child;
        mplat_start start = child_start_of(STAY, 1);
        start.program = names[i];
        CU_ASSERT_EQUAL(mplat_process_spawn(&start, &child), MPROC_ENOEXEC);
        CU_ASSERT(strstr(mproc_last_error(), "batch") != NULL);
    }
    (void)remove("test.bat");
    child_end();
}

static void test_spawn__strangers_go_with_the_tree(void)
{
    child_found();
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(child_start(PARENT_OF_ONE, 1, &child), 0);
    CU_ASSERT(child_wait_for(&shm->ready, 1));
    HANDLE stranger = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)shm->number[4]);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stranger);
    CU_ASSERT_EQUAL(WaitForSingleObject(stranger, 0), WAIT_TIMEOUT);
    CU_ASSERT_EQUAL(mplat_process_signal(&child.who, MPLAT_KILL), 0);
    CU_ASSERT_EQUAL(child_join(&child), -15); // it closes the tree
    CU_ASSERT_EQUAL(WaitForSingleObject(stranger, 30000), WAIT_OBJECT_0);
    (void)CloseHandle(stranger);
    child_end();
}

static void test_spawn__library_at_another_place(void)
{
    HMODULE library = LoadLibraryA(PLUGIN);
    CU_ASSERT_PTR_NOT_NULL_FATAL(library);
    const void *address = (const void *)(uintptr_t)GetProcAddress(library, "plugin_answer");
    child_found();
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(mplat_module_of(address, &shm->module), 0);
    shm->number[0] = (uint64_t)((const char *)address - shm->module.base);
    shm->number[1] = (uint64_t)(uintptr_t)library;
    CU_ASSERT_EQUAL_FATAL(child_start(LOAD_ELSEWHERE, 1, &child), 0);
    CU_ASSERT_EQUAL(child_join(&child), 42);
    (void)FreeLibrary(library);
    child_end();
}

/** The process's handles, one by one: GetProcessHandleCount is always 0 under Wine. */
static unsigned count_handles(void)
{
    unsigned count = 0;
    for (uintptr_t value = 4; value < 0x2000; value += 4) {
        DWORD flags;
        count += GetHandleInformation((HANDLE)value, &flags) ? 1 : 0;
    }
    return count;
}

/** Starts, waits, wakes and deaths leave no handle behind. */
static void test_spawn__no_handle_is_left(void)
{
    unsigned before = 0;
    child_found();
    for (int round = 0; round < 12; round++) {
        mplat_child child;
        shm->ready = 0;
        CU_ASSERT_EQUAL_FATAL(child_start(STAY, 1, &child), 0);
        CU_ASSERT(child_wait_for(&shm->ready, 1));
        (void)mplat_wake(&shm->unused, 1);
        CU_ASSERT_EQUAL(mplat_process_signal(&child.who, MPLAT_KILL), 0);
        CU_ASSERT_EQUAL(child_join(&child), -15);
        before = round == 1 ? count_handles() : before;
    }
    unsigned after = count_handles();
    CU_ASSERT(before > 0);
    CU_ASSERT_EQUAL(before, after);
    child_end();
}

static void child_fn(int argc, char **argv)
{
    static const child_role roles[] = {look_for_handle, look_at_mode, stay, parent_of_stranger,
                                       load_elsewhere};
    child_run(argc, argv, roles, sizeof(roles) / sizeof(roles[0]));
}

static const testlib_case cases[] = {
    {"nothing_else_is_inherited", test_spawn__nothing_else_is_inherited},
    {"own_handles_are_not_inheritable", test_spawn__own_handles_are_not_inheritable},
    {"no_dialogs_and_a_job", test_spawn__no_dialogs_and_a_job},
    {"batch_files_are_refused", test_spawn__batch_files_are_refused},
    {"strangers_go_with_the_tree", test_spawn__strangers_go_with_the_tree},
    {"library_at_another_place", test_spawn__library_at_another_place},
    {"no_handle_is_left", test_spawn__no_handle_is_left},
};
TESTLIB_MAIN_CHILD("win32.spawn", cases, child_fn)
