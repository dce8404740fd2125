/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checksums.c: SHA-256, lines, words and bytes of each file of a folder, by all processors.
 *
 *     checksums [FOLDER]
 *
 * Python's twin:
 *
 *     with Pool() as pool:
 *         results = pool.map(summarize, paths, chunksize=4)
 *
 * The same is then done by this process alone: what differs makes the exit code 1.
 */
#include "files.h"

#include <apr_general.h>
#include <apr_time.h>
#include <inttypes.h>
#include <mproc/mproc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 4, LARGEST = 8 };

/* ---- the job ---- */

static int summarize(const mproc_args *args, mproc_value *result)
{
    static struct file_summary summary; // a worker runs one task at a time
    const char *path;
    int rc = MPROC_UNPACK(args, &path);
    if (rc < 0) {
        return rc;
    }
    file_summarize(path, &summary);
    *result = MPROC_VALUE(mproc_bytes_of(&summary, sizeof summary));
    return 0;
}

static int map(mproc_pool *pool, const struct file_list *list, bool has_progress, mproc_value *room,
               struct file_summary *ret_summaries)
{
    const mproc_map_options options = {
        .chunk_size = CHUNK, .name = "checksums", .progress = has_progress ? 2 : 0};
    const mproc_args items = {list->count, room};
    mproc_value *results = room + list->count;
    for (size_t i = 0; i < list->count; i++) {
        room[i] = MPROC_VALUE(list->paths[i]);
    }
    int rc = mproc_pool_map(pool, summarize, &items, results, &options, MPROC_FOREVER);
    for (size_t i = 0; rc >= 0 && i < list->count; i++) {
        memcpy(&ret_summaries[i], results[i].as.bytes.data, sizeof ret_summaries[i]);
        mproc_value_clear(&results[i]);
    }
    return rc;
}

static int run_pool(const struct file_list *list, bool has_progress,
                    struct file_summary *ret_summaries)
{
    mproc_pool *pool = NULL;
    mproc_value *room = calloc(2 * list->count + 1, sizeof *room);
    int rc = room ? mproc_pool_create(&pool, NULL) : MPROC_ENOMEM;
    if (rc >= 0) {
        rc = map(pool, list, has_progress, room, ret_summaries);
    }
    mproc_pool_close(pool);
    free(room);
    return rc;
}

static void run_alone(const struct file_list *list, struct file_summary *ret_summaries)
{
    for (size_t i = 0; i < list->count; i++) {
        file_summarize(list->paths[i], &ret_summaries[i]);
    }
}

/* ---- what came of it ---- */

static void print_line(const struct file_summary *summary, const char *name)
{
    printf("%12" PRIu64 " %10" PRIu64 " %10" PRIu64 "  ", summary->bytes, summary->lines,
           summary->words);
    for (size_t i = 0; i < 8; i++) {
        printf("%02x", summary->digest[i]);
    }
    printf("  %s\n", name);
}

/* The largest ones, one after the other: each is less than the one before, or equal and behind it. */
static void print_table(const struct file_list *list, const struct file_summary *summaries)
{
    struct file_summary total = {0};
    size_t last = list->count;
    printf("%12s %10s %10s  %-16s\n", "bytes", "lines", "words", "SHA-256");
    for (size_t n = 0; n < LARGEST && n < list->count; n++) {
        size_t best = list->count;
        for (size_t i = 0; i < list->count; i++) {
            const struct file_summary *previous = last < list->count ? &summaries[last] : NULL;
            bool is_left = previous == NULL || summaries[i].bytes < previous->bytes ||
                           (summaries[i].bytes == previous->bytes && i > last);
            if (is_left && (best == list->count || summaries[i].bytes > summaries[best].bytes)) {
                best = i;
            }
        }
        print_line(&summaries[best], list->paths[best]);
        last = best;
    }
    for (size_t i = 0; i < list->count; i++) {
        file_summary_add(&total, &summaries[i]);
    }
    print_line(&total, "all together");
    printf("%zu files, %" PRIu64 " of them cannot be read\n", list->count, total.unreadable);
}

static int compare(const struct file_list *list, const struct file_summary *pooled,
                   const struct file_summary *alone)
{
    int status = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (memcmp(&pooled[i], &alone[i], sizeof pooled[i]) != 0) {
            printf("DIFFERENT: %s\n", list->paths[i]);
            status = 1;
        }
    }
    return status;
}

static void print_speed(const char *who, const struct file_list *list, double seconds)
{
    printf("%-22s %7.3f s, %6.0f MB/s\n", who, seconds, (double)list->bytes / 1e6 / seconds);
}

/* The first run of the pool shows how far it is, and may have to wait for the disk; the second counts. */
static int run(const struct file_list *list, struct file_summary *pooled,
               struct file_summary *alone)
{
    int rc = run_pool(list, true, pooled);
    if (rc < 0) {
        return mproc_perror("pool");
    }
    print_table(list, pooled);
    apr_time_t begin = apr_time_now();
    run_alone(list, alone);
    double alone_s = (double)(apr_time_now() - begin) / 1e6;
    int status = compare(list, pooled, alone);
    begin = apr_time_now();
    rc = run_pool(list, false, pooled);
    double pooled_s = (double)(apr_time_now() - begin) / 1e6;
    if (rc < 0) {
        return mproc_perror("pool");
    }
    status |= compare(list, pooled, alone);
    if (status == 0) {
        printf("one process finds the same\n");
        print_speed("one process:", list, alone_s);
        print_speed("the pool, from start:", list, pooled_s);
        printf("%d processors: %.2f times as fast\n", mproc_cpu_count(), alone_s / pooled_s);
    }
    return status;
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    struct file_list list;
    if (apr_initialize() != APR_SUCCESS ||
        !file_list_read(argc > 1 ? argv[1] : NULL, FILE_LIST_BYTES, &list)) {
        fprintf(stderr, "checksums: there is no such folder\n");
        return 1;
    }
    struct file_summary *pooled = calloc(2 * list.count + 1, sizeof *pooled);
    int status = pooled ? run(&list, pooled, pooled + list.count) : 1;
    free(pooled);
    file_list_free(&list);
    return status;
}
