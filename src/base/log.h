/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h: what the floors above tell the log; lines are written by mproc_log.
 */
#ifndef MPROC_BASE_LOG_H
#define MPROC_BASE_LOG_H

#include <stdbool.h>

#include "mproc/log.h"

/** Who can tell the name of the process, or of what runs in the calling thread as one. */
void mproc__log_set_namer(const char *(*namer)(void));

/** Whether lines go to stderr, not to a function of the program's. */
bool mproc__log_is_to_stderr(void);

/**
 * In a new process: log as its starter does.
 *
 * @param level      its level
 * @param to_stderr  where its lines go; if not, only a process with a handler of its own has use for the level
 */
void mproc__log_inherit(int level, bool to_stderr);

/** A process begins, or a copy: if it does not log, it does what its environment says. */
void mproc__log_begin(void);

#endif
