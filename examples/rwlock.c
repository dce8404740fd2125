/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rwlock.c: a table of squares that many read at once, and one at a time changes: whoever needs it first builds
 * it, all begin together, and a reader never sees half of a change. Python has nothing like that.
 */
#include <mproc/mproc.h>
#include <stdio.h>

#define N_WORKERS 4
#define N_ROUNDS 1000
#define N_SQUARES 100

/* Row i is i * i * factor. */
struct table {
    int factor;
    int square[N_SQUARES];
};

static int build(void *data)
{
    struct table *table = data;
    table->factor = 1;
    for (int i = 0; i < N_SQUARES; i++) {
        table->square[i] = i * i;
    }
    return 0;
}

static void change(struct table *table)
{
    table->factor++;
    for (int i = 0; i < N_SQUARES; i++) {
        table->square[i] += i * i;
    }
}

static int is_whole(const struct table *table)
{
    int n_wrong = 0;
    for (int i = 0; i < N_SQUARES; i++) {
        n_wrong += table->square[i] != i * i * table->factor;
    }
    return n_wrong == 0;
}

/* Every tenth round is a change. A positive status, MPROC_OWNER_DIED, would say: look what a dead one left. */
static int work(const mproc_args *args)
{
    mproc_once *built;
    mproc_latch *ready;
    mproc_rwlock *rwlock;
    mproc_block *block;
    int rc = MPROC_UNPACK(args, &built, &ready, &rwlock, &block);
    if (rc < 0) {
        return mproc_perror("arguments");
    }
    struct table *table = mproc_block_data(block);
    if (mproc_once_call(built, build, table) < 0 ||
        mproc_latch_arrive_and_wait(ready, 1, MPROC_FOREVER) < 0) {
        return mproc_perror("ready");
    }
    for (int i = 0; i < N_ROUNDS; i++) {
        if (i % 10 == 0) {
            rc = mproc_rwlock_acquire_write(rwlock, MPROC_FOREVER);
        } else {
            rc = mproc_rwlock_acquire_read(rwlock, MPROC_FOREVER);
        }
        if (rc != 0 || !is_whole(table)) {
            return 1;
        }
        if (i % 10 == 0) {
            change(table);
        }
        mproc_rwlock_release(rwlock);
    }
    return 0;
}

static int run(mproc_once *built, mproc_latch *ready, mproc_rwlock *rwlock, mproc_block *block)
{
    mproc_process *workers[N_WORKERS];
    int n_failed = 0;
    for (int i = 0; i < N_WORKERS; i++) {
        if (mproc_process_start(&workers[i], work, MPROC_ARGS(built, ready, rwlock, block), NULL) <
            0) {
            return mproc_perror("start");
        }
    }
    for (int i = 0; i < N_WORKERS; i++) {
        int code = -1;
        if (mproc_process_join(workers[i], MPROC_FOREVER) < 0 ||
            mproc_process_exit_code(workers[i], &code) < 0) {
            return mproc_perror("join");
        }
        n_failed += code != 0;
        mproc_process_close(workers[i]);
    }
    return n_failed;
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_once *built;
    mproc_latch *ready;
    mproc_rwlock *rwlock;
    mproc_block *block;
    if (mproc_once_create(&built) < 0 || mproc_latch_create(&ready, N_WORKERS) < 0 ||
        mproc_rwlock_create(&rwlock) < 0 || mproc_block_create(&block, sizeof(struct table)) < 0) {
        return mproc_perror("create");
    }
    int n_failed = run(built, ready, rwlock, block);
    const struct table *table = mproc_block_data(block);
    printf("%d workers, factor %d, 99 * 99 * factor = %d\n", N_WORKERS, table->factor,
           table->square[99]);
    mproc_block_close(block);
    mproc_rwlock_close(rwlock);
    mproc_latch_close(ready);
    mproc_once_close(built);
    return n_failed;
}
