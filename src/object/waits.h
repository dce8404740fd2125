/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waits.h: the search for circles, as locks start it.
 */
#ifndef MPROC_OBJECT_WAITS_H
#define MPROC_OBJECT_WAITS_H

#include <stdbool.h>

/**
 * The calling thread has waited for a lock for long: if that is part of a circle, say so on stderr.
 * One of a circle's threads does: the one that closed it.
 *
 * @return whether it has been said
 */
bool mproc__deadlock_report(void);

#endif
