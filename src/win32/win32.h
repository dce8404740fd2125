/* SPDX-License-Identifier: Apache-2.0 */
/*
 * win32.h: what the files of this folder lend each other.
 *
 * Kernel objects appear as void pointers, which is what a HANDLE is, so that no header needs
 * windows.h. UTF-8 ends and UTF-16 begins in this folder; see utf16.h.
 */
#ifndef MPROC_WIN32_WIN32_H
#define MPROC_WIN32_WIN32_H

#include "platform.h"

#include <stdbool.h>
#include <stdint.h>
#include <wchar.h>

/** What a process ends with that mproc has terminated: -15, as Python reports SIGTERM. */
#define MPROC__WIN_TERMINATED 0xFFFFFFF1u

static inline void *mproc__win_object(mplat_handle handle)
{
    return (void *)handle.os;
}

/** NULL and INVALID_HANDLE_VALUE both become "none". */
static inline mplat_handle mproc__win_handle(void *object)
{
    return object == NULL ? MPLAT_NO_HANDLE : (mplat_handle){(intptr_t)object};
}

/**
 * How long a kernel wait must last to reach `deadline`: whole milliseconds, rounded up; 0 when it
 * has passed. Long waits come in pieces, so a wait that timed out proves nothing: look at the
 * clock.
 */
uint32_t mproc__win_milliseconds(int64_t deadline);

/** When a process was created, in units of 100 ns; 0 if the system does not tell. */
uint64_t mproc__win_birth(void *process);

/**
 * Open the process that `who` means, and no other that has got its number since.
 *
 * @param access      what the handle must be good for
 * @param ret_error   why not: 0 when the process is gone, else GetLastError()
 * @return NULL if it cannot be; else for CloseHandle. The process may have ended: its object lives
 *         as long as somebody has it open.
 */
void *mproc__win_open(const mplat_identity *who, uint32_t access, uint32_t *ret_error);

/** The file of a loaded module, NULL for the program's; for free(). 0 or a negative status. */
int mproc__win_module_path(void *module, wchar_t **ret_path);

/** What the system calls at Ctrl-C, in a thread of its own; for tests that have no console. */
int mproc__win_interrupted(void);

/** Drop the handles that wait.c keeps of a process, which has ended. */
void mproc__win_parking_forget(const mplat_identity *who);

#endif
