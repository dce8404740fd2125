/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal.c: what a console shows, and Ctrl-C.
 *
 * Threads  The system calls the handler in a thread of its own, and holds a lock meanwhile that it wants for changing
 *          the handlers, too. So that is done under `changing`, which the handler leaves alone, and the list of those
 *          who catch interrupts has another one.
 */
#include "base/status.h"
#include "platform.h"
#include "win32/win32.h"

#include <windows.h>

#include <stddef.h>

static HANDLE handle_of(int stream)
{
    return GetStdHandle(stream == 1 ? STD_OUTPUT_HANDLE : STD_ERROR_HANDLE);
}

int mplat_terminal_columns(int stream)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    // Only a console has such; what else is connected to a terminal is a pipe to us.
    if (!GetConsoleScreenBufferInfo(handle_of(stream), &info)) {
        return 0;
    }
    int columns = info.srWindow.Right - info.srWindow.Left + 1;
    return columns > 0 ? columns : 1;
}

void mplat_terminal_write(int stream, const char *text, size_t size)
{
    DWORD error = GetLastError();
    HANDLE handle = handle_of(stream);
    DWORD n = 0;
    while (size > 0 && WriteFile(handle, text, (DWORD)size, &n, NULL) && n > 0) {
        text += n;
        size -= n < size ? n : size;
    }
    SetLastError(error);
}

static SRWLOCK changing = SRWLOCK_INIT;
static SRWLOCK listing = SRWLOCK_INIT;
static mplat_interrupt *first; // under both; read under either
static bool is_ignoring;

int mproc__win_interrupted(void)
{
    bool is_news = false;
    AcquireSRWLockExclusive(&listing);
    for (mplat_interrupt *who = first; who != NULL; who = who->next) {
        if (!who->is_told) {
            who->is_told = true;
            is_news = true;
            who->fn(who->arg);
        }
    }
    ReleaseSRWLockExclusive(&listing);
    return is_news;
}

static BOOL WINAPI on_interrupt(DWORD event)
{
    // What is not ours goes to the next handler: the program's, or the system's, which ends the process.
    return event == CTRL_C_EVENT && mproc__win_interrupted();
}

int mplat_interrupt_catch(mplat_interrupt *who)
{
    int rc = MPROC_OK;
    AcquireSRWLockExclusive(&changing);
    // The handler that was added last comes first.
    if (first == NULL && !SetConsoleCtrlHandler(on_interrupt, TRUE)) {
        rc = mproc__fail_os((int)GetLastError(), "catching interrupts");
    } else {
        AcquireSRWLockExclusive(&listing);
        who->is_told = false;
        who->next = first;
        first = who;
        ReleaseSRWLockExclusive(&listing);
    }
    ReleaseSRWLockExclusive(&changing);
    return rc;
}

void mplat_interrupt_release(mplat_interrupt *who)
{
    AcquireSRWLockExclusive(&changing);
    bool is_last = first == who && who->next == NULL;
    AcquireSRWLockExclusive(&listing);
    mplat_interrupt **link = &first;
    while (*link != NULL && *link != who) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = who->next;
    }
    ReleaseSRWLockExclusive(&listing);
    if (is_last) {
        (void)SetConsoleCtrlHandler(on_interrupt, FALSE);
    }
    ReleaseSRWLockExclusive(&changing);
}

static BOOL WINAPI take_no_notice(DWORD event)
{
    return event == CTRL_C_EVENT;
}

void mplat_interrupt_ignore(void)
{
    // Not by the attribute that a process may have for that: its children would inherit it.
    AcquireSRWLockExclusive(&changing);
    if (!is_ignoring) {
        is_ignoring = SetConsoleCtrlHandler(take_no_notice, TRUE);
    }
    ReleaseSRWLockExclusive(&changing);
}
