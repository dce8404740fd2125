/* SPDX-License-Identifier: Apache-2.0 */
/*
 * many_win32.c: as ways_win32.c.
 */
#include "channel.h"

const struct bench_pair_way channel_many_pairs[] = {{0}};
