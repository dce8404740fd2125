/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadlock.c: two processes take two rlocks in different orders, and wait for each other for ever. The
 * parent sees that, prints who waits for whom, and ends one of them: the other one inherits its rlock.
 *
 * The same is printed without a call when MPROC_DEADLOCKS=1 is in the environment.
 */
#include <mproc/mproc.h>
#include <stdio.h>

static int take_both(const mproc_args *args)
{
    mproc_rlock *first;
    mproc_rlock *second;
    mproc_barrier *barrier;
    int rc = MPROC_UNPACK(args, &first, &second, &barrier);
    if (rc < 0 || (rc = mproc_rlock_acquire(first, MPROC_FOREVER)) < 0 ||
        (rc = mproc_barrier_wait(barrier, MPROC_FOREVER)) < 0 ||
        (rc = mproc_rlock_acquire(second, MPROC_FOREVER)) < 0) {
        return rc;
    }
    printf("the other one has died: %s\n", rc == MPROC_OWNER_DIED ? "yes" : "no");
    mproc_rlock_release(second);
    return mproc_rlock_release(first);
}

static void print(const char *line, void *context)
{
    (void)context;
    printf("%s\n", line);
}

/** Wait until somebody is in a deadlock. */
static int await_deadlock(mproc_process *child)
{
    mproc_wait_info waits[2];
    for (;;) {
        size_t count;
        int rc = mproc_list_waits(waits, 2, &count);
        if (rc < 0 || (count >= 2 && waits[0].is_deadlock)) {
            return rc;
        }
        rc = mproc_process_join(child, mproc_milliseconds(10));
        if (rc != MPROC_ETIMEDOUT) {
            return rc;
        }
    }
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_rlock *a;
    mproc_rlock *b;
    mproc_barrier *barrier;
    mproc_process *one;
    mproc_process *two;
    if (mproc_rlock_create(&a, NULL) < 0 || mproc_rlock_create(&b, NULL) < 0 ||
        mproc_barrier_create(&barrier, 2, NULL) < 0 ||
        mproc_process_start(&one, take_both, MPROC_ARGS(a, b, barrier), NULL) < 0 ||
        mproc_process_start(&two, take_both, MPROC_ARGS(b, a, barrier), NULL) < 0 ||
        await_deadlock(one) < 0 || mproc_report_waits(print, NULL) < 0) {
        return mproc_perror("deadlock");
    }
    fflush(stdout);
    mproc_process_kill(one);
    mproc_process_join(one, MPROC_FOREVER);
    mproc_process_join(two, MPROC_FOREVER);
    mproc_process_close(one);
    mproc_process_close(two);
    mproc_barrier_close(barrier);
    mproc_rlock_close(b);
    mproc_rlock_close(a);
    return 0;
}
