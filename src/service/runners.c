/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runners.c: which code runs which kind of task.
 */
#include "service/tasks.h"

const mproc__runner mproc__task_runners[MPROC__TASK_KINDS] = {
    [MPROC__TASK_CALL] = mproc__run_call,
    [MPROC__TASK_VALUES] = mproc__run_values,
    [MPROC__TASK_ARRAY] = mproc__run_array,
    [MPROC__TASK_RANGE] = mproc__run_range,
};
