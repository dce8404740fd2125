/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepper.c: see stepper.h.
 */
#include "stress/stepper.h"

#include "base/atomic.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#define WINDOW 3000    /* how far before the wanted instruction a leap may end */
#define PASS_COST 5L   /* of passing a breakpoint, in steps */
#define START_COST 10L /* of setting one */

#if defined(__x86_64__)
#define PLACE offsetof(struct user, regs.rip)
#define TRAP 0xccUL
#define TRAP_MASK 0xffUL
#define CAN_LEAP true
#else
#define PLACE 0
#define TRAP 0UL
#define TRAP_MASK 0UL
#define CAN_LEAP false
#endif

/** Wait for the next stop; false: it has ended, or was stopped by another signal. */
static bool await_stop(pid_t pid, int signal)
{
    int status = 0;
    bool is_right =
        waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == signal;
    if (!is_right) {
        printf("the victim's status is %#x ... ", (unsigned)status);
    }
    return is_right;
}

static bool step(pid_t pid)
{
    return ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 && await_stop(pid, SIGTRAP);
}

static uint64_t place_of(pid_t pid)
{
    return CAN_LEAP ? (uint64_t)ptrace(PTRACE_PEEKUSER, pid, PLACE, NULL) : 0;
}

/** The length of a repeated string instruction, or 0 for any other. */
static uint64_t repeated_length(pid_t pid, uint64_t place)
{
    uint64_t code = CAN_LEAP ? (uint64_t)ptrace(PTRACE_PEEKTEXT, pid, place, NULL) : 0;
    uint64_t length = 1;
    if ((code & 0xff) != 0xf3) {
        return 0;
    }
    code >>= 8;
    if ((code & 0xff) == 0x48) { // 64-bit operands
        code >>= 8;
        length++;
    }
    code &= 0xff; // movs or stos, of bytes or words
    return code == 0xa4 || code == 0xa5 || code == 0xaa || code == 0xab ? length + 1 : 0;
}

/** Run until `place` is reached: by a breakpoint. false: astray, or it is not reached. */
static bool run_to(pid_t pid, uint64_t place)
{
    unsigned long word = (unsigned long)ptrace(PTRACE_PEEKTEXT, pid, place, NULL);
    return ptrace(PTRACE_POKETEXT, pid, place, (word & ~TRAP_MASK) | TRAP) == 0 &&
           ptrace(PTRACE_CONT, pid, NULL, NULL) == 0 && await_stop(pid, SIGTRAP) &&
           ptrace(PTRACE_POKETEXT, pid, place, word) == 0 &&
           ptrace(PTRACE_POKEUSER, pid, PLACE, place) == 0;
}

/* Where the last steps began: after REPEATS rounds of a repeated instruction the others are skipped. */
#define REPEATS 3
typedef struct history {
    uint64_t last;
    int repeats;
} history;

static bool advance(pid_t pid, history *h, uint64_t *ret_place)
{
    uint64_t place = place_of(pid);
    h->repeats = place == h->last ? h->repeats + 1 : 0;
    h->last = place;
    *ret_place = place;
    uint64_t length = h->repeats >= REPEATS ? repeated_length(pid, place) : 0;
    return length == 0 ? step(pid) : run_to(pid, place + length);
}

static const uint64_t *sorted_at;

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    if (sorted_at[a] != sorted_at[b]) {
        return sorted_at[a] < sorted_at[b] ? -1 : 1;
    }
    return a < b ? -1 : 1;
}

static void count_passes(stepper *s)
{
    uint32_t *order = calloc((size_t)s->length + 1, sizeof(*order));
    s->nth = calloc((size_t)s->length + 1, sizeof(*s->nth));
    if (order == NULL || s->nth == NULL) {
        abort();
    }
    for (long i = 0; i < s->length; i++) {
        order[i] = (uint32_t)i;
    }
    sorted_at = s->at;
    qsort(order, (size_t)s->length, sizeof(*order), compare);
    for (long i = 0; i < s->length; i++) {
        bool is_same = i > 0 && s->at[order[i]] == s->at[order[i - 1]];
        s->nth[order[i]] = is_same ? s->nth[order[i - 1]] + 1 : 1;
    }
    for (long i = 1; i < s->length; i++) {
        if (s->at[i] == s->at[i - 1]) {
            s->nth[i] = s->nth[i - 1] = UINT32_MAX / 8; // its rounds were not counted
        }
    }
    free(order);
}

bool stepper_record(stepper *s, pid_t pid, const uint32_t *progress, uint32_t done)
{
    long room = 0;
    history h = {0};
    *s = (stepper){0};
    if (!await_stop(pid, SIGSTOP)) {
        return false;
    }
    while (mproc__load32_acquire(progress) != done) {
        if (s->length == room) {
            room = room == 0 ? 4096 : room * 2;
            uint64_t *larger = realloc(s->at, (size_t)room * sizeof(*larger));
            if (larger == NULL) {
                abort();
            }
            s->at = larger;
        }
        if (!advance(pid, &h, &s->at[s->length++])) {
            return false;
        }
    }
    count_passes(s);
    return true;
}

/** The best instruction to leap to, and what it costs; -1: step all the way. */
static long find_leap(const stepper *s, long k, long *ret_cost)
{
    long best = -1;
    *ret_cost = k;
    for (long j = k < s->length ? k : s->length - 1; CAN_LEAP && j >= 0 && j > k - WINDOW; j--) {
        long cost = START_COST + (long)s->nth[j] * PASS_COST + (k - j);
        if (cost < *ret_cost) {
            best = j;
            *ret_cost = cost;
        }
    }
    return best;
}

long stepper_cost(const stepper *s, long k)
{
    long cost;
    (void)find_leap(s, k, &cost);
    return cost;
}

/** Let it run until it comes to `place` for the n-th time. -1: astray; 0: it cannot stop there; 1: done. */
static int leap(pid_t pid, uint64_t place, uint32_t n)
{
    errno = 0;
    unsigned long word = (unsigned long)ptrace(PTRACE_PEEKTEXT, pid, place, NULL);
    if (errno != 0 || ptrace(PTRACE_POKETEXT, pid, place, (word & ~TRAP_MASK) | TRAP) != 0) {
        return 0;
    }
    for (uint32_t i = 1;; i++) {
        if (ptrace(PTRACE_CONT, pid, NULL, NULL) != 0) {
            return -1;
        }
        int status = 0;
        if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) {
            return -1;
        }
        (void)ptrace(PTRACE_POKETEXT, pid, place, word);
        if (WSTOPSIG(status) == SIGSTOP) {
            return 1; // it took another way this time, and has come to its end
        }
        if (WSTOPSIG(status) != SIGTRAP || ptrace(PTRACE_POKEUSER, pid, PLACE, place) != 0) {
            return -1;
        }
        if (i == n) {
            return 1;
        }
        if (!step(pid)) {
            return -1;
        }
        (void)ptrace(PTRACE_POKETEXT, pid, place, (word & ~TRAP_MASK) | TRAP);
    }
}

bool stepper_go(const stepper *s, pid_t pid, long k, const uint32_t *progress, uint32_t done)
{
    long cost;
    long at = find_leap(s, k, &cost);
    long n = 0;
    history h = {0};
    uint64_t unused;
    if (!await_stop(pid, SIGSTOP)) {
        return false;
    }
    if (at >= 0) {
        int rc = leap(pid, s->at[at], s->nth[at]);
        if (rc < 0) {
            return false;
        }
        n = rc > 0 ? at : 0;
    }
    for (; n < k && mproc__load32_acquire(progress) != done; n++) {
        if (!advance(pid, &h, &unused)) {
            return false;
        }
    }
    return true;
}

void stepper_free(stepper *s)
{
    free(s->at);
    free(s->nth);
    *s = (stepper){0};
}
