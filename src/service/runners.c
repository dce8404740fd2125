/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runners.c: which code runs which kind of task.
 */
#include "service/tasks.h"

const mproc__runner mproc__task_runners[MPROC__TASK_KINDS] = {
    [MPROC__TASK_CALL] = mproc__run_call,
};
