/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.c: processes that print a list each: all at once, so that lists may mix, then one at a time.
 *
 * Python's twin:
 *
 *     def show(lock):
 *         with lock if lock else nullcontext():
 *             for colour in "red", "green", "blue", "yellow", "violet":
 *                 print(colour, end=" ", flush=True)
 *             print(flush=True)
 *
 *     for lock in None, Lock():
 *         print("one at a time:" if lock else "all at once:")
 *         children = [Process(target=show, args=(lock,)) for i in range(2)]
 *         for p in children: p.start()
 *         for p in children: p.join()
 */
#include <mproc/mproc.h>
#include <stdio.h>

static int show(const mproc_args *args)
{
    static const char *const colours[] = {"red", "green", "blue", "yellow", "violet"};
    mproc_lock *lock = NULL;
    int rc = MPROC_UNPACK(args, MPROC_OPTIONAL(&lock));
    if (rc < 0 || (lock != NULL && (rc = mproc_lock_acquire(lock, MPROC_FOREVER)) < 0)) {
        return rc;
    }
    for (size_t i = 0; i < 5; i++) {
        printf("%s%s", colours[i], i < 4 ? " " : "\n");
        fflush(stdout);
    }
    return lock != NULL ? mproc_lock_release(lock) : 0;
}

static int show_twice(mproc_lock *lock)
{
    mproc_process *children[2];
    for (size_t i = 0; i < 2; i++) {
        if (mproc_process_start(&children[i], show, MPROC_ARGS(lock), NULL) < 0) {
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
        return mproc_perror("create");
    }
    printf("all at once:\n");
    int failed = show_twice(NULL);
    printf("one at a time:\n");
    failed |= show_twice(lock);
    mproc_lock_close(lock);
    return failed;
}
