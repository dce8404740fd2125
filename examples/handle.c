/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle.c: an open file goes through a queue. So do sockets, pipes, and whatever else has a descriptor or a
 * HANDLE. APR knows what a file's is on every system.
 *
 * Python's twin:
 *
 *     def work(inbox):
 *         with os.fdopen(inbox.get().detach(), "w") as out:
 *             print("a line from the worker", file=out)
 *
 *     inbox = Queue()
 *     p = Process(target=work, args=(inbox,))
 *     p.start()
 *     with open("handle.txt", "w") as file:
 *         inbox.put(reduction.DupFd(file.fileno()))
 *     p.join()
 *     print(open("handle.txt").read(), end="")
 */
#include <apr_file_io.h>
#include <apr_portable.h>
#include <mproc/mproc.h>
#include <stdio.h>

static int write_line(const mproc_handle *handle)
{
    apr_pool_t *pool;
    apr_file_t *file;
    intptr_t native;
    int rc = mproc_handle_open(handle, &native);
    if (rc < 0 || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 1;
    }
    apr_os_file_t os_file = (apr_os_file_t)native;
    rc = apr_os_file_put(&file, &os_file, APR_FOPEN_WRITE, pool);
    if (rc == APR_SUCCESS) {
        rc = apr_file_printf(file, "a line from the worker\n") > 0 ? 0 : 1;
        (void)apr_file_close(file);
    }
    apr_pool_destroy(pool);
    return rc;
}

static int work(const mproc_args *args)
{
    mproc_queue *inbox;
    mproc_value item;
    mproc_handle *handle;
    int rc = MPROC_UNPACK(args, &inbox);
    if (rc < 0 || (rc = mproc_queue_get(inbox, &item, MPROC_FOREVER)) < 0) {
        return rc;
    }
    rc = MPROC_UNPACK_LIST(&item, &handle);
    rc = rc < 0 ? rc : write_line(handle);
    mproc_value_clear(&item);
    return rc;
}

/** Put an open file into the queue. From then on the family has it, and nobody else needs to. */
static int send_file(mproc_queue *queue, const char *path, apr_pool_t *pool)
{
    apr_file_t *file;
    apr_os_file_t os_file;
    mproc_handle *handle;
    if (apr_file_open(&file, path, APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE,
                      APR_FPROT_OS_DEFAULT, pool) != APR_SUCCESS ||
        apr_os_file_get(&os_file, file) != APR_SUCCESS) {
        return MPROC_ESYSTEM;
    }
    int rc = mproc_handle_create(&handle, (intptr_t)os_file);
    (void)apr_file_close(file);
    if (rc >= 0) {
        rc = mproc_queue_put(queue, MPROC_LIST(handle), MPROC_FOREVER);
        mproc_handle_close(handle);
    }
    return rc;
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_queue *inbox;
    mproc_process *child;
    apr_pool_t *pool;
    char line[80] = "";
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 1;
    }
    if (mproc_queue_create(&inbox, NULL) < 0 ||
        mproc_process_start(&child, work, MPROC_ARGS(inbox), NULL) < 0) {
        return mproc_perror("start");
    }
    if (send_file(inbox, "handle.txt", pool) < 0) {
        return mproc_perror("send");
    }
    if (mproc_process_join(child, MPROC_FOREVER) < 0) {
        return mproc_perror("join");
    }
    mproc_process_close(child);
    mproc_queue_close(inbox);

    FILE *file = fopen("handle.txt", "r");
    if (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        printf("%s", line);
    }
    apr_pool_destroy(pool);
    return file != NULL ? fclose(file) || remove("handle.txt") : 1;
}
