/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.c: a parent that serves the queues of several children at once, until all of them have ended.
 *
 * Python's twin:
 *
 *     while children:
 *         for ready in wait(readers + [child.sentinel for child in children]):
 *             ...
 */
#include <mproc/mproc.h>
#include <stdio.h>

enum { CHILDREN = 3, NUMBERS = 10 };

static int work(const mproc_args *args)
{
    mproc_queue *results;
    int first;
    int rc = MPROC_UNPACK(args, &results, &first);
    for (int i = first; rc >= 0 && i < first + NUMBERS; i++) {
        rc = mproc_queue_put(results, MPROC_VALUE(i), MPROC_FOREVER);
    }
    return rc;
}

/* Take all that is in a queue; how many items that were. */
static int drain(mproc_queue *queue, int64_t *sum)
{
    int count = 0;
    mproc_value item;
    while (mproc_queue_get(queue, &item, MPROC_NOWAIT) == 0) {
        *sum += item.as.integer;
        count++;
        mproc_value_clear(&item);
    }
    return count;
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_queue *queues[CHILDREN];
    mproc_process *children[CHILDREN];
    mproc_wait_item items[2 * CHILDREN]; // a queue, its child, the next queue ...
    size_t count = 0;
    for (int i = 0; i < CHILDREN; i++) {
        int first = i * NUMBERS;
        if (mproc_queue_create(&queues[i], NULL) < 0) {
            return mproc_perror("queue");
        }
        if (mproc_process_start(&children[i], work, MPROC_ARGS(queues[i], first), NULL) < 0) {
            return mproc_perror("process");
        }
        items[count++] = MPROC_WAIT_ITEM(queues[i]);
        items[count++] = MPROC_WAIT_ITEM(children[i]);
    }
    int64_t sum = 0;
    int received = 0;
    while (count > 0) {
        if (mproc_wait(items, count, MPROC_FOREVER) < 0) {
            return mproc_perror("wait");
        }
        for (size_t i = count; i > 0; i -= 2) {
            mproc_wait_item *queue = &items[i - 2];
            mproc_wait_item *child = &items[i - 1];
            received += drain(queue->as.queue, &sum);
            if (child->is_ready) { // so all that it has put was there before
                *child = items[--count];
                *queue = items[--count];
            }
        }
    }
    printf("%d children have ended, %d numbers, sum %lld\n", CHILDREN, received, (long long)sum);
    for (int i = 0; i < CHILDREN; i++) {
        if (mproc_process_join(children[i], MPROC_FOREVER) < 0) {
            return mproc_perror("join");
        }
        mproc_process_close(children[i]);
        mproc_queue_close(queues[i]);
    }
    return 0;
}
