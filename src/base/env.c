/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env.c: see env.h.
 */
#include "base/env.h"

#include "base/atomic.h"

#include <stdlib.h>
#include <string.h>

enum { UNKNOWN = 0, OFF, ON };

static uint32_t states[MPROC__SWITCHES];

static uint32_t look_up(enum mproc__switch which)
{
    const char *text = getenv(which == MPROC__SWITCH_LEAKS ? "MPROC_LEAKS" : "MPROC_DEADLOCKS");
    return text != NULL && text[0] != '\0' && strcmp(text, "0") != 0 ? ON : OFF;
}

bool mproc__is_on(enum mproc__switch which)
{
    uint32_t state = mproc__load32_relaxed(&states[which]);
    if (state == UNKNOWN) {
        state = look_up(which);
        mproc__store32_relaxed(&states[which], state); // whoever else looks finds the same
    }
    return state == ON;
}

void mproc__env_changed(void)
{
    for (size_t i = 0; i < MPROC__SWITCHES; i++) {
        mproc__store32_relaxed(&states[i], UNKNOWN);
    }
}
