/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h: broken promises inside mproc, and the points where tests kill.
 */
#ifndef MPROC_BASE_CHECK_H
#define MPROC_BASE_CHECK_H

#include "base/compiler.h"

/** Abort with the place: for bugs of mproc only, never for bad input or a dead or lying peer. */
#define MPROC__CHECK(condition) \
    ((condition) ? (void)0 : mproc__check_failed(#condition, __FILE__, __LINE__))

MPROC__NORETURN void mproc__check_failed(const char *condition, const char *file, int line);

/**
 * A numbered instant at which a test lets the process or thread die: before and after each commit
 * store. Inert unless a test build installs a callback.
 */
#ifdef MPROC_KILLPOINTS
extern void (*mproc__killpoint_fn)(const char *name);
#define MPROC__KILLPOINT(name) (mproc__killpoint_fn != NULL ? mproc__killpoint_fn(name) : (void)0)
#else
#define MPROC__KILLPOINT(name) ((void)0)
#endif

#endif
