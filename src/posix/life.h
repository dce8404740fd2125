/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.h: the word of a life token that the kernel writes when its holder dies.
 */
#ifndef MPROC_POSIX_LIFE_H
#define MPROC_POSIX_LIFE_H

#include "platform.h"

#include <stdbool.h>
#include <stdint.h>

/** The word to sleep on. */
uint32_t *mproc__posix_life_word(mplat_life *life);

/** Whether a value of that word says that nobody living holds the token. */
bool mproc__posix_life_is_over(uint32_t word);

#endif
