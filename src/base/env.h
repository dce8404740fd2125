/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env.h: what is switched on in the environment.
 */
#ifndef MPROC_BASE_ENV_H
#define MPROC_BASE_ENV_H

#include <stdbool.h>

/** On when the variable is set to anything but "" and "0". */
enum mproc__switch {
    MPROC__SWITCH_DEADLOCKS, /**< MPROC_DEADLOCKS: report circles of waits, see mproc/waits.h */
    MPROC__SWITCH_LEAKS,     /**< MPROC_LEAKS: report what is not closed, see object/leaks.h */
    MPROC__SWITCHES
};

/** Whether it is on. Looked up once, afterwards it costs a load. */
bool mproc__is_on(enum mproc__switch which);

/** The environment has changed: look it up again. */
void mproc__env_changed(void);

#endif
