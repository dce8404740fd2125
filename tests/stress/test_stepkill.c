/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill.c: a process killed at every instruction of each operation on the arena.
 */
#include "stress/stepkill.h"

int main(int argc, char **argv)
{
    return stepkill_main(argc, argv, "stress.stepkill", 12000);
}
