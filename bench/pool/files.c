/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c: a real job, the one of ../../examples/checksums.c: see pool.h.
 */
#include "pool.h"

#include "../../examples/files.h"
#include "../support/bench.h"
#include "../support/python.h"
#include "../support/system.h"

#include <apr_file_io.h>

#include <stdio.h>

static struct file_list list;
static struct file_summary expected; /* .bytes 0: not known yet */
static char listing[APR_PATH_MAX];

static int write_listing(void)
{
    const char *folder;
    char *path;
    apr_file_t *file;
    if (apr_temp_dir_get(&folder, list.pool) != APR_SUCCESS ||
        apr_filepath_merge(&path, folder, "mproc-bench-XXXXXX", 0, list.pool) != APR_SUCCESS ||
        apr_file_mktemp(&file, path, APR_FOPEN_CREATE | APR_FOPEN_WRITE | APR_FOPEN_BUFFERED,
                        list.pool) != APR_SUCCESS) {
        return bench_fail("there is no place for the list of files");
    }
    snprintf(listing, sizeof listing, "%s", path);
    for (size_t i = 0; i < list.count; i++) {
        if (apr_file_write_full(file, list.paths[i], strlen(list.paths[i]) + 1, NULL) !=
            APR_SUCCESS) {
            return bench_fail("the list of files cannot be written");
        }
    }
    return apr_file_close(file) == APR_SUCCESS ? 0 : bench_fail("the list of files is lost");
}

/* Also reads all files once: nobody must wait for the disk in one's stead. */
static int open_files(void)
{
    if (expected.bytes > 0) {
        return 0;
    }
    if (!list.pool && !file_list_read(NULL, FILE_LIST_BYTES, &list)) {
        return bench_skip("there is no folder that every system has");
    }
    int rc = listing[0] ? 0 : write_listing();
    return rc == 0 ? pool_files_alone(&list, &expected) : rc;
}

const char *pool_files_listing(void)
{
    return listing;
}

void pool_close_files(void)
{
    if (listing[0]) {
        (void)apr_file_remove(listing, list.pool);
    }
    file_list_free(&list);
}

int pool_files_alone(const struct file_list *files, struct file_summary *ret_total)
{
    *ret_total = (struct file_summary){0};
    for (size_t i = 0; i < files->count; i++) {
        struct file_summary one;
        file_summarize(files->paths[i], &one);
        file_summary_add(ret_total, &one);
    }
    return 0;
}

static double first_48_bits(const unsigned char *digest)
{
    uint64_t bits = 0;
    for (int i = 0; i < 6; i++) {
        bits = bits << 8 | digest[i];
    }
    return (double)bits;
}

/* It tells sums, which are what they must be or not. */
int pool_files_python(const struct file_list *files, struct file_summary *ret_total)
{
    char request[APR_PATH_MAX + 10];
    double values[4];
    (void)files;
    snprintf(request, sizeof request, "files %s", listing);
    int rc = bench_run_python(&(struct bench_python_probe){POOL_SCRIPT, request, 4}, 0, values);
    bool is_same = rc == 0 && values[1] == (double)expected.lines &&
                   values[2] == (double)expected.words &&
                   values[3] == first_48_bits(expected.digest);
    *ret_total = is_same ? expected : (struct file_summary){0};
    return rc;
}

int pool_run_files(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct pool_files_probe *probe = arg;
    struct file_summary total;
    (void)slice_ns;
    int rc = open_files();
    if (rc != 0) {
        return rc;
    }
    int64_t before = bench_now();
    rc = probe->run(&list, &total);
    ret_values[0] = (double)(bench_now() - before) / 1e6;
    if (rc == 0 && memcmp(&total, &expected, sizeof total) != 0) {
        return bench_fail("another result, of %llu bytes, not %llu",
                          (unsigned long long)total.bytes, (unsigned long long)expected.bytes);
    }
    return rc;
}
