/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_win32.c: Windows has no channel that a child would find without its handle being passed, so mproc
 * and Python stand alone there.
 */
#include "channel.h"

const struct channel_way channel_system_ways[] = {{0}};
const struct bench_pair_way channel_system_pairs[] = {{0}};
