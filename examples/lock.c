/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.c: processes that print a list each: all at once, so that lists may mix, then one at a time.
 *
 * Python's twin:
 *
 *     def show():
 *         for colour in "red", "green", "blue", "yellow", "violet":
 *             print(colour, end=" ", flush=True)
 *         print(flush=True)
 *
 *     def show_in_turn(lock):
 *         with lock:
 *             show()
 *
 *     def run_two(function, *args):
 *         children = [Process(target=function, args=args) for i in range(2)]
 *         for p in children: p.start()
 *         for p in children: p.join()
 *
 *     print("all at once:")
 *     run_two(show)
 *     print("one at a time:")
 *     run_two(show_in_turn, Lock())
 */
#include <mproc/mproc.h>
#include <stdio.h>

static int show(const mproc_args *args)
{
    static const char *const colours[] = {"red", "green", "blue", "yellow", "violet"};
    (void)args;
    for (size_t i = 0; i < 5; i++) {
        printf("%s ", colours[i]);
        fflush(stdout);
    }
    printf("\n");
    fflush(stdout);
    return 0;
}

static int show_in_turn(const mproc_args *args)
{
    mproc_lock *lock;
    int rc = MPROC_UNPACK(args, &lock);
    if (rc < 0 || (rc = mproc_lock_acquire(lock, MPROC_FOREVER)) < 0) {
        return rc;
    }
    show(NULL);
    return mproc_lock_release(lock);
}

static int run_two(mproc_process_fn function, const mproc_args *args)
{
    mproc_process *children[2];
    for (size_t i = 0; i < 2; i++) {
        if (mproc_process_start(&children[i], function, args, NULL) < 0) {
            return mproc_perror("start");
        }
    }
    for (size_t i = 0; i < 2; i++) {
        if (mproc_process_join(children[i], MPROC_FOREVER) < 0) {
            return mproc_perror("join");
        }
        mproc_process_close(children[i]);
    }
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_lock *lock;
    if (mproc_lock_create(&lock, NULL) < 0) {
        return mproc_perror("lock");
    }
    printf("all at once:\n");
    int failed = run_two(show, NULL);
    printf("one at a time:\n");
    failed |= run_two(show_in_turn, MPROC_ARGS(lock));
    mproc_lock_close(lock);
    return failed;
}
