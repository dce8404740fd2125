/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepkill.h: a process killed at every instruction of each operation of a table (tests/family/ops.h).
 *
 * A victim is single-stepped k instructions into the operation and killed there. Then the survivors show
 * that they can go on: by default, the test's process takes the family lock. It buries the victim, walks
 * over the whole family, and finds nothing left. Whole, k is 0, 1, 2 ... to the operation's end; everyday
 * it goes in steps, from a random one on. Linux only: it needs ptrace.
 */
#ifndef TESTS_STRESS_STEPKILL_H
#define TESTS_STRESS_STEPKILL_H

/** The main() of a test. `cost`: how many single steps each operation is worth everyday. */
int stepkill_main(int argc, char **argv, const char *suite, long cost);

#endif
